"""How much was tried before a contender became what it is, and whether that was equal for all.

A winner of a search beside a default, winners of searches of unequal size, and a model with six settings beside one
with a single one are not compared alone: whoever was given more tries is ahead by luck alone more often
(Dodge et al. 2019; Melis et al. 2018).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.finals import finals
from dlbench.analyze.quantities import listed
from dlbench.analyze.results import Results
from dlbench.analyze.studies import history
from dlbench.analyze.varied import entry_of
from dlbench.schema.study import Study

EQUAL = 1.1
"""Ratio of budgets up to which they count as equal: a study ends with the candidate that it has begun."""


@dataclass(frozen=True)
class Budget:
    """What a search was given: candidates and charged epochs, means over the studies behind one contender."""

    candidates: float
    epochs: float

    def __str__(self) -> str:
        count = f"{self.candidates:,.0f} candidate{'' if round(self.candidates) == 1 else 's'}"
        return f"{count} ({self.epochs:,.0f} epochs)" if self.epochs else count


def tuning_caveats(results: Results, arena: Arena) -> tuple[str, ...]:
    """Sentences on unequal tuning among those that are ranked; none where it was equal."""
    tuned = budgets(results, arena)
    others = [contender for contender in arena.ranked if contender not in tuned]
    return (*_default_caveat(tuned, others), *_budget_caveat(tuned), *_settings_caveat(others))


def budgets(results: Results, arena: Arena) -> dict[Contender, Budget]:
    """The ranked contenders that are winners of searches, with what those had."""
    behind: dict[Contender, list[Study]] = {}
    for group in results.searches:
        for study in group.studies:
            for final in finals(results, group, study):
                if final.arena is arena and final.contender in arena.ranked:
                    behind.setdefault(final.contender, []).append(study)
    return {contender: _mean(studies) for contender, studies in behind.items()}


def _mean(studies: Sequence[Study]) -> Budget:
    ends = [history(study)[-1] for study in studies]
    return Budget(fmean(end.candidates for end in ends), fmean(end.epochs for end in ends))


def _default_caveat(tuned: Mapping[Contender, Budget], others: Sequence[Contender]) -> tuple[str, ...]:
    if not tuned or not others:
        return ()
    was, were = ("was" if len(side) == 1 else "were" for side in (others, tuned))
    budgets = set(map(str, tuned.values()))
    of = f" among {budgets.pop()}" if len(budgets) == 1 else ""
    return (
        f"Tuning is unequal: {listed([c.name for c in tuned])} {were} found by a search{of}, "
        f"{listed([c.name for c in others])} {was} not tuned. A difference between them may be that of tuning.",
    )


def _budget_caveat(tuned: Mapping[Contender, Budget]) -> tuple[str, ...]:
    by_epochs = all(budget.epochs for budget in tuned.values())
    amounts = [budget.epochs if by_epochs else budget.candidates for budget in tuned.values()]
    if len(amounts) < 2 or max(amounts) <= EQUAL * min(amounts):
        return ()
    groups: dict[str, list[str]] = {}
    for contender, budget in tuned.items():
        groups.setdefault(str(budget), []).append(contender.name)
    had = "; ".join(f"{listed(names)} had {budget}" for budget, names in groups.items())
    return (f"The searches had unequal budgets: {had}. A larger one finds better candidates by luck alone.",)


def _settings_caveat(others: Sequence[Contender]) -> tuple[str, ...]:
    labels: dict[str, set[str]] = {}
    for contender in others:
        labels.setdefault(model_of(contender), set()).add(contender.label)
    counts = {model: len(found) for model, found in labels.items()}
    if len(set(counts.values())) < 2:
        return ()
    had = listed([f"{model} {count}" for model, count in counts.items()])
    return (f"The models had unequal numbers of settings ({had}): the best of more is ahead by luck alone more often.",)


def model_of(contender: Contender) -> str:
    """The label without what a suite varies of model and training: `lstm` of `lstm lr=0.003`."""
    keys = [key.partition(".")[2] for key in entry_of(contender).varied if key.startswith(("model.", "train."))]
    return contender.label.partition(f" {keys[0]}=")[0] if keys else contender.label
