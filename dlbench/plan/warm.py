"""What earlier studies found that a new one may be told before its first question."""

from collections.abc import Sequence

from dlbench.schema.space import Point
from dlbench.schema.study import Study, StudyHead, Told


def warm_points(head: StudyHead, studies: Sequence[Study]) -> list[tuple[Point, Told]]:
    """Candidates of other studies that lie in this study's space and were judged by the same objectives, each once.

    They cost nothing and are not counted. A study on another task or dataset says nothing and is left out.
    """
    wanted = [objective.metric for objective in head.objectives]
    found: list[tuple[Point, Told]] = []
    for study in studies:
        same = (study.head.task, study.head.digest) == (head.task, head.digest)
        if not same or [objective.metric for objective in study.head.objectives] != wanted or study.head.id == head.id:
            continue
        for trial in study.distinct:
            point = {axis.name: trial.point[axis.name] for axis in head.space.axes if axis.name in trial.point}
            known = trial.told is not None and trial.told.state == "ok"
            if known and trial.told is not None and head.space.complaint(point) is None:
                free = {"epochs": 0.0, "seconds": 0.0, "flops": 0.0, "curve": ()}
                found.append((point, trial.told.model_copy(update=free)))
    return found
