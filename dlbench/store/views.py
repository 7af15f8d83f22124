"""Saved views of MLflow's table of runs: the few columns that matter, averaged over seeds and over rounds.

MLflow keeps a view as a tag of the experiment, and offers it by its name under *Views* (MLflow 3.15 and later). The
tag's format is that of its pages (`ExperimentViewSavedViewsButton`); pages that do not know it show nothing of it.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dlbench.schema.job import Entry
from dlbench.store.settings import apart

PREFIX = "mlflow.sharedViewState."
_OWN = ("dataset.", "task.")
_EVERYTHING = {"startTime": "ALL", "lifecycleFilter": "Active", "modelVersionFilter": "All Runs", "datasetsFilter": []}


class View(NamedTuple):
    """A saved view; its address is `<experiment's runs>?viewStateShareKey=<key>`."""

    key: str
    name: str
    state: Mapping[str, Any]

    @property
    def tag(self) -> str:
        """Name of the tag that keeps it."""
        return f"{PREFIX}{self.key}"

    def text(self, created_ms: int) -> str:
        """Content of that tag."""
        moment = {"createdAt": created_ms, "updatedAt": created_ms}
        return json.dumps({"name": self.name, **moment, "state": json.dumps(self.state)})


def views(entries: Iterable[Entry], scores: Mapping[str, str]) -> list[View]:
    """The views of a suite: scores, costs and candidates, as far as it has any.

    Args:
        entries: all that stands in the suite's index.
        scores: metric → which way is better.
    """
    lines = list(entries)
    train = [line for line in lines if line.job.kind == "train" and line.candidate is None]
    cost = [line for line in lines if line.job.kind == "cost"]
    candidates = [line for line in lines if line.candidate is not None]
    found = []
    if train and scores:
        found.append(_scores(train, scores))
    if cost:
        found.append(_costs(cost))
    if candidates and scores:
        found.append(_candidates(candidates, scores))
    return found


def links(experiment: str, run: str | None, shown: Iterable[View], *, report: bool) -> dict[str, str]:
    """Where to go on from an experiment's note: text → address within MLflow's pages.

    Args:
        experiment: MLflow's id of it.
        run: MLflow's id of the invocation's run; None: it is not known.
        report: whether the report is among that run's artifacts.
    """
    pages = f"#/experiments/{experiment}/runs"
    found = {view.name: f"{pages}?viewStateShareKey={view.key}" for view in shown}
    if run is not None:
        found = {"overview": f"{pages}/{run}", **found}
        if report:
            found = {"report": f"{pages}/{run}/artifacts/report/index.html", **found}
    return found


def _scores(lines: list[Entry], scores: Mapping[str, str]) -> View:
    groups = _groups(lines)
    plain = [score.removeprefix("test_") for score in scores]
    metrics = [*scores, *(f"val_{name}_{end}" for name in plain for end in ("best", "final")), "train_time_s"]
    columns = [*_params([*groups, *_varied(lines), "seed"]), *_metrics(metrics)]
    return View("dlbench-scores", "Scores", _state("train", columns, *next(iter(scores.items())), groups))


def _costs(lines: list[Entry]) -> View:
    groups = [*_groups(lines), "cost.batch_size"]
    phases = list(dict.fromkeys(phase for line in lines if line.job.cost for phase in line.job.cost.phases))
    metrics = [f"{phase}_{what}" for what in ("throughput", "latency_p50_ms", "peak_memory_bytes") for phase in phases]
    known = [name for name in metrics if name != "train_latency_p50_ms"]
    columns = [*_params([*groups, *_varied(lines)]), *_metrics([*known, "parameters"])]
    return View("dlbench-costs", "Costs", _state("cost", columns, known[0], "higher", groups))


def _candidates(lines: list[Entry], scores: Mapping[str, str]) -> View:
    score, better = next(iter(scores.items()))
    score = f"val_{score.removeprefix('test_')}"
    columns = [*_params(["label", *_varied(lines), "seed"]), *_metrics([score, "train_time_s"])]
    state = {**_state("train", columns, score, better, []), "searchFilter": "tags.`dlbench.candidate` != ''"}
    return View("dlbench-candidates", "Candidates", state)


def _state(kind: str, columns: list[str], sort: str, better: str, groups: list[str]) -> dict[str, Any]:
    keys = [{"mode": "param", "groupByData": name} for name in groups]
    return {
        **_EVERYTHING,
        "searchFilter": f"tags.`dlbench.kind` = '{kind}'",
        "orderByKey": f"metrics.`{sort}`",
        "orderByAsc": better == "lower",
        "selectedColumns": columns,
        "columnOrder": columns,
        "groupBy": {"aggregateFunction": "average", "groupByKeys": keys} if keys else None,
    }


def _groups(lines: list[Entry]) -> list[str]:
    """Params that tell contenders apart: the label, and what else the suite has several of."""
    own = [name for line in lines for name in line.varied if name.startswith(_OWN)]
    return list(dict.fromkeys(["label", *apart(lines), *own]))


def _varied(lines: list[Entry]) -> list[str]:
    """What else the suite varies; the label tells it too."""
    known = (*_OWN, "precision", "device")
    return list(dict.fromkeys(name for line in lines for name in line.varied if not name.startswith(known)))


def _params(names: Iterable[str]) -> list[str]:
    return [f"params.`{name}`" for name in names]


def _metrics(names: Iterable[str]) -> list[str]:
    return [f"metrics.`{name}`" for name in names]
