"""What a study looks like as an MLflow run: name, params, metrics over candidates, tags. A pure translation."""

import math
from collections.abc import Iterator

from dlbench.schema.study import StudyHead
from dlbench.store.curves import Point
from dlbench.store.identity import KIND, STATE, STORE, STUDY, SUITE
from dlbench.store.names import clean_names, clean_params, cut_tags, flat, word
from dlbench.store.runs import Run
from dlbench.store.shelf import Phase
from dlbench.store.study_course import Mark, marks, objective_name, over
from dlbench.store.study_log import Course
from dlbench.store.study_note import axis_text, budget_text, note, states_text
from dlbench.store.upkeep import NOTE


def of_study(store: str, suite: str, course: Course, phase: Phase, state: str) -> Run:
    """The run of a study, whose candidates' runs stand below it.

    Args:
        store: id of the store.
        suite: name of the suite in whose experiment the run stands.
        course: the study as it is now.
        phase: how it stands with the invocation that last wrote into it.
        state: changes whenever the run would.
    """
    study = course.study
    head = study.head
    went = list(marks(study))
    best = went[-1].front if went else ()
    tags = {
        STATE: state,
        KIND: "study",
        NOTE: note(study, went),
        "dlbench.strategy": head.strategy.label,
        "dlbench.seed": str(head.seed),
        "dlbench.objectives": ", ".join(f"{objective_name(one)} ({one.better})" for one in head.objectives),
        # Neither is a param: a study that goes on may have more of it, and MLflow's params never change.
        "dlbench.budget": budget_text(head.budget, head.strategy.times),
        "dlbench.candidates": str(len(study.distinct)),
        "dlbench.states": states_text(study),
        "dlbench.best": ", ".join(f"#{trial.number}" for trial in best),
        "mlflow.source.name": "dlbench",
        "mlflow.source.type": "LOCAL",
    }
    status = _status(course, phase)
    return Run(
        identity={STORE: store, SUITE: suite, STUDY: head.id},
        name=f"{head.strategy.label} · study {head.seed} · {head.dataset}",
        status=status,
        started_ms=round(course.began * 1000),
        ended_ms=round(course.latest * 1000) if status else None,
        tags=cut_tags({name: text for name, text in tags.items() if text}),
        params=clean_params(_params(head)),
        points=list(_points(course, went)),
        dataset=None,
        files=[],
    )


def _status(course: Course, phase: Phase) -> str | None:
    """MLflow's word; None: it goes on."""
    if over(course.study):
        return "FINISHED"
    if phase != "ended":
        return None if phase == "running" else "KILLED"
    open_ones = any(trial.told is None and trial.same_as is None for trial in course.study.trials)
    return "KILLED" if open_ones else "FINISHED"


def _params(head: StudyHead) -> dict[str, str]:
    values = {
        "kind": "study",
        "task": head.task,
        "dataset": head.dataset,
        "strategy": head.strategy.name,
        **flat(head.strategy.params, "strategy"),
        "seed": head.seed,
        "search.seeds": head.seeds,
        "pruner": head.pruner.name if head.pruner else None,
        **flat(head.pruner.params if head.pruner else {}, "pruner"),
        **{f"axis.{axis.name}": axis_text(axis) for axis in head.space.axes},
    }
    return {name: word(value) for name, value in values.items() if value is not None}


def _points(course: Course, went: list[Mark]) -> Iterator[Point]:
    """Metrics, a step for each distinct candidate told."""
    head = course.study.head
    objectives = [objective_name(one) for one in head.objectives]
    constraints = [one.metric for one in head.constraints]
    names = clean_names(
        {
            name: name
            for name in (
                *(f"best_so_far/{name}" for name in objectives),
                *(f"candidate/{name}" for name in (*objectives, *constraints)),
                "front_size",
                "epochs",
            )
        }
    )
    shown = {name: clean for clean, name in names.items()}
    for mark in went:
        told = mark.trial.told
        assert told is not None
        measured = {name: told.metrics[name] for name in constraints if name in told.metrics}
        values = {
            **{f"best_so_far/{name}": best for name, best in zip(objectives, mark.bests, strict=False)},
            **{f"candidate/{name}": value for name, value in measured.items()},
            **{f"candidate/{name}": value for name, value in zip(objectives, told.values or (), strict=False)},
            **({"front_size": float(len(mark.front))} if len(objectives) > 1 else {}),
            "epochs": mark.epochs,
        }
        time_ms = round(course.told_at[mark.trial.number] * 1000)
        for name, value in values.items():
            if math.isfinite(value):
                yield Point(shown[name], value, time_ms, mark.step)
