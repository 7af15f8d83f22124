"""What judges a search: its winners and the suite's defaults, with seeds that chose nobody, on the test split once.

One study's winner is called `best` and trained with the suite's seeds. Where strategies or study seeds stand against
each other, the winner of each study is trained with the study's own seed under its strategy's name: strategies are the
contenders then, and studies their seeds.
"""

from collections.abc import Sequence
from dataclasses import replace

from dlbench.plan.candidates import Candidates
from dlbench.plan.contenders import Contender, Resolver
from dlbench.plan.grid import CostGrid, Know, train_entry
from dlbench.plan.space import combination
from dlbench.schema.job import Entry
from dlbench.schema.study import Study
from dlbench.schema.suite import Suite


def judged_seeds(suite: Suite) -> tuple[int, ...]:
    """Seeds of the final trainings."""
    return suite.search.studies if suite.search is not None and suite.search.wide else suite.seeds


def unvaried(suite: Suite) -> Suite:
    """The suite as it is without its search: every model as written, nothing varied, final seeds."""
    models = tuple(model.model_copy(update={"vary": {}}) for model in suite.models)
    tasks = tuple(
        task
        if task.models is None
        else task.model_copy(update={"models": tuple(m.model_copy(update={"vary": {}}) for m in task.models)})
        for task in suite.tasks
    )
    return suite.model_copy(
        update={"vary": {}, "models": models, "tasks": tasks, "seeds": judged_seeds(suite), "search": None}
    )


def finals(
    suite: Suite,
    resolver: Resolver,
    studies: Sequence[tuple[Candidates, Study]],
    defaults: Sequence[Contender],
    earlier: Sequence[Entry],
    know: Know,
) -> list[Entry]:
    """Every final job, seed by seed, then the rounds of what is measured.

    Args:
        suite: with its search.
        resolver: of the suite without.
        studies: ended, each with what makes its task's jobs.
        defaults: the models as the suite writes them.
        earlier: the suite's last index.
        know: what the store has of a job.
    """
    settings = suite.search
    assert settings is not None
    if settings.winners == 0:
        return []
    several = settings.wide
    named: list[tuple[Contender, tuple[int, ...]]] = [(default, judged_seeds(suite)) for default in defaults]
    for candidates, study in studies:
        best = study.best(settings.winners)
        for rank, trial in enumerate(best, 1):
            label = study.head.strategy.label if several else "best"
            label = label if len(best) == 1 or (several and rank == 1) else f"{label} {rank}"
            winner = candidates.contender(trial.point)
            winner = replace(winner, label=label, varied={} if several else combination(trial.point))
            named.append((winner, (study.head.seed,) if several else suite.seeds))
    seeds = judged_seeds(suite)
    entries = [train_entry(contender, seed) for seed in seeds for contender, own in named if seed in own]
    if suite.cost is not None:
        measured = list(defaults) if several else [contender for contender, _ in named]
        entries += CostGrid(resolver, suite.cost).entries(measured, earlier, know)
    return entries
