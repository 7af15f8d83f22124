"""A study in words: its axes and its budget, and in Markdown what is best and what became of all candidates."""

from collections import Counter
from collections.abc import Iterable, Sequence

from dlbench.schema.base import Json
from dlbench.schema.search import Constraint, SearchBudget
from dlbench.schema.space import Axis
from dlbench.schema.study import Study, Trial
from dlbench.store.names import word
from dlbench.store.study_course import Mark, objective_name, states

MOST_OF_A_FRONT = 10
MOST_REASONS = 3


def note(study: Study, went: Sequence[Mark]) -> str:
    """The page of a study's run, in Markdown; `went` are its marks."""
    return "\n\n".join(filter(None, (_lead(study, went), _front(study, went), _searched(study), _reasons(study))))


def axis_text(axis: Axis) -> str:
    """`0.0001 … 0.1 (log)`, `{1, 2, 4}`, with the condition if there is one."""
    if axis.choices is not None:
        text = f"{{{', '.join(map(word, axis.choices))}}}"
    else:
        details = [
            "log" if axis.log else "",
            "whole numbers" if axis.integer else "",
            f"step {axis.step}" if axis.step is not None else "",
        ]
        words = ", ".join(filter(None, details))
        text = f"{axis.low} … {axis.high}" + (f" ({words})" if words else "")
    where = [f"{name} is {' or '.join(map(word, values))}" for name, values in axis.when.items()]
    return text + (f" where {' and '.join(where)}" if where else "")


def budget_text(budget: SearchBudget, times: float) -> str:
    """`32 trials, 100 epochs`, of one strategy's study."""
    limits = {
        "trials": budget.trials,
        "epochs": budget.epochs,
        "seconds": budget.seconds,
        "flops": budget.flops,
    }
    return ", ".join(f"{limit * times:g} {name}" for name, limit in limits.items() if limit is not None)


def states_text(study: Study) -> str:
    """`14 ok, 3 pruned, 1 failed`: distinct candidates."""
    return ", ".join(f"{count} {name}" for name, count in states(study).most_common())


def _lead(study: Study, went: Sequence[Mark]) -> str:
    front = went[-1].front if went else ()
    if not front:
        best = "**No candidate has a score yet.**"
    elif len(study.head.objectives) > 1:
        best = f"**{len(front)} so far that no other beats in everything**"
        best += f"; the first {MOST_OF_A_FRONT} are below." if len(front) > MOST_OF_A_FRONT else "."
    else:
        best = f"**Best so far: #{front[0].number}**, {_described(study, front[0])}."
    count = len(study.distinct)
    return f"{best}\n\n{count} candidate{'' if count == 1 else 's'}: {states_text(study) or 'none yet'}."


def _front(study: Study, went: Sequence[Mark]) -> str:
    """With several objectives, the best by the first of them."""
    if len(study.head.objectives) < 2 or not went:
        return ""
    return _list(f"#{trial.number}: {_described(study, trial)}" for trial in went[-1].front[:MOST_OF_A_FRONT])


def _searched(study: Study) -> str:
    head = study.head
    objectives = " and ".join(f"`{objective_name(one)}` ({one.better} is better)" for one in head.objectives)
    constraints = [f"`{one.metric}` {_bound(one)}" for one in head.constraints]
    words = [
        f"Searched for {objectives}",
        f"with {' and '.join(constraints)}" if constraints else "",
        f"by {head.strategy.label}",
        f"pruned by {head.pruner.name.replace('_', ' ')}" if head.pruner else "",
        f"until {budget_text(head.budget, head.strategy.times)}",
        f"each candidate with seed{'s' if len(head.seeds) > 1 else ''} {', '.join(map(str, head.seeds))}",
    ]
    axes = _list(f"{axis.name}: {axis_text(axis)}" for axis in head.space.axes)
    return f"{', '.join(filter(None, words))}:\n\n{axes}"


def _bound(constraint: Constraint) -> str:
    if constraint.at_most is not None:
        return f"at most {constraint.at_most:g}"
    return f"at least {constraint.at_least:g}"


def _reasons(study: Study) -> str:
    """Why candidates have no score, the commonest first."""
    reasons = Counter(
        f"{trial.state}: {trial.told.reason}" for trial in study.distinct if trial.told and trial.told.reason
    )
    if not reasons:
        return ""
    lines = [f"{count} {reason}" for reason, count in reasons.most_common(MOST_REASONS)]
    left = len(reasons) - MOST_REASONS
    return f"Without a score:\n\n{_list([*lines, *([f'{left} more reasons'] if left > 0 else [])])}"


def _described(study: Study, trial: Trial) -> str:
    """`val_accuracy 0.9123, with train.lr 0.003162, model.layers 2`."""
    values = (trial.told.values if trial.told else None) or ()
    scores = [f"{objective_name(one)} {value:.6g}" for one, value in zip(study.head.objectives, values, strict=False)]
    axes = [f"{name} {_short(value)}" for name, value in trial.point.items()]
    return f"{', '.join(scores)}, with {', '.join(axes)}"


def _short(value: Json) -> str:
    return f"{value:.4g}" if isinstance(value, float) else word(value)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)  # MLflow draws tables without gaps between columns
