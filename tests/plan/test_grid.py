"""Which jobs a suite becomes: their ids, their order, and what is left out."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dlbench.plan import identity
from dlbench.plan.data import DataOptions
from dlbench.plan.load import load_suite
from dlbench.plan.plan import Datasets, Plan, make_plan
from dlbench.schema.job import Entry
from dlbench.schema.train import TrainSettings, cost_fields
from dlbench.worker.describe import describe

MACHINE = {
    "host": "bench", "os": "Linux", "cpu": "Example CPU", "architecture": "x86_64", "cores": 4,
    "cpu_capability": "AVX2", "memory_bytes": 2**34,
    "gpus": [{"name": "Example GPU", "memory_bytes": 2**34, "capability": "9.0"}] * 2,
    "driver": "555",
}  # fmt: skip
CAN_ALL = dict.fromkeys(("fp32", "tf32", "bf16", "fp16"))
HERE = {
    "machine": MACHINE,
    "versions": {"torch": "2.13.0"},
    "devices": {"cpu": {**CAN_ALL, "tf32": "the CPU has none"}, "cuda:0": CAN_ALL, "cuda:1": CAN_ALL},
}

Plans = Callable[..., Plan]


@pytest.fixture
def plan(plugins: dict[str, tuple[str, ...]], tmp_path: Path) -> Plans:
    """Plan a tiny suite on a machine of which everything is known; keywords change the suite."""

    def make(here: dict[str, Any] | None = None, **changes: Any) -> Plan:
        def ask(requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
            return [
                (here or HERE) if request["what"] == "machine" else answer
                for request, answer in zip(requests, describe(list(requests)), strict=True)
            ]

        suite = {
            "schema": 1,
            "name": "tiny",
            "plugins": plugins,
            "tasks": ["vectors"],
            "models": ["two_layer"],
            "train": {"epochs": 2, "lr": 0.01},
            "device": "cpu",
            "cost": {"batch_sizes": [8], "rounds": 1},
        }
        path = tmp_path / "tiny.yaml"
        path.write_text(json.dumps({**suite, **changes}))
        loaded = load_suite(path, [], ask)
        datasets = Datasets(ask, DataOptions(mirror=None, offline=True, cache=tmp_path / "data"), loaded.plugins)
        return make_plan(loaded, datasets, before={}, earlier=[], know=lambda job: "open")

    return make


def ids(plan: Plan, kind: str = "train") -> list[str]:
    return [entry.job.id for entry in plan.entries if entry.job.kind == kind]


def facts(entries: Sequence[Entry], *keys: str) -> list[tuple[Any, ...]]:
    """Of each entry: label, seed, round, or something that varies."""
    return [tuple(getattr(e, key, getattr(e.job, key, e.varied.get(key))) for key in keys) for e in entries]


# --- ids ------------------------------------------------------------------------------------------------------------


def test_ids_are_the_same_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of these throws away everybody's results; the REVISIONs are there for that."""
    monkeypatch.setattr(identity, "WORKER_REVISION", 1)
    common = {
        "task": {"name": "text_classification", "params": {}, "revision": 1},
        "dataset": {"name": "ag_news", "params": {}, "revision": 1, "digest": "sha256:ab"},
        "model": {"name": "lstm", "params": {"hidden_size": 64}, "revision": 1},
    }
    settings = TrainSettings(epochs=4, lr=2e-3, clip_norm=1.0, threads=2)
    train = identity.job_id(
        kind="train", common=common, precision="fp32", device="cpu", threads=2,
        train=identity.trained(settings), seed=3, splits=["val", "test"], inputs={},
    )  # fmt: skip
    cost = identity.job_id(
        kind="cost", common=common, precision="bf16", device="cuda:1", threads=4,
        train=identity.costed(settings), batch_size=64, phases=["infer", "train"], round=2,
        hardware=identity.hardware(MACHINE, "cuda:1"), torch="2.13.0", meters={"latency": [1, None]},
    )  # fmt: skip
    assert (train, cost) == ("4b916b54b95499be", "317ce30c33b6b41a")


@pytest.mark.parametrize(
    "changes",
    [
        {"models": [{"model": "two_layer", "params": {"hidden": 32}}]},
        {"models": [{"model": "two_layer", "preset": "wide"}]},
        {"tasks": [{"vectors": {"dataset": {"blobs": {"size": 9}}}}]},
        {"tasks": [{"vectors": {"dataset": {"blobs": {"seed": 1}}}}]},
        {"train": {"epochs": 3, "lr": 0.01}},
        {"train": {"steps": 2, "lr": 0.01}},
        {"train": {"epochs": 2, "lr": 0.02}},
        {"train": {"epochs": 2, "lr": 0.01, "optimizer": "sgd"}},
        {"train": {"epochs": 2, "lr": 0.01, "threads": 2}},
        {"train": {"epochs": 2, "lr": 0.01, "keep": "last"}},
        {"seeds": [1]},
        {"precision": "bf16"},
        {"device": "cuda"},
    ],
    ids=str,
)
def test_train_ids_change_with_what_changes_results(plan: Plans, changes: dict[str, Any]) -> None:
    assert ids(plan(**changes)) != ids(plan())


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "another", "description": "in other words"},
        {"models": [{"model": "two_layer", "label": "mine"}]},
        {"models": [{"model": "two_layer", "params": {"hidden": 16, "dropout": 0.0}}]},
        {"models": [{"model": "two_layer", "params": {"dropout": 0, "hidden": 16}}]},
        {"models": ["two_layer", {"model": "two_layer", "label": "other", "params": {"hidden": 3}}]},
        {"tasks": [{"vectors": {"dataset": "blobs"}}]},
        {"tasks": [{"vectors": {"dataset": {"blobs": {"size": 8, "distance": 3.0}}}}]},
        {"tasks": [{"vectors": {"dataset": {"blobs": {"distance": 3}}}}]},
        {"train": {"lr": 0.01, "epochs": 2}},
        {"train": {"epochs": 2.0, "lr": 1e-2, "batch_size": 64, "betas": [0.9, 0.999], "threads": 1}},
        {"train": {}, "models": [{"model": "two_layer", "train": {"epochs": 2, "lr": 0.01}}]},
        {"vary": {"train.lr": [0.01]}},
        {"seeds": [0, 1]},
        {"cost": False},
        {"budget": "10m"},
        {"report": {"baseline": "two_layer"}},
    ],
    ids=str,
)
def test_train_ids_change_with_nothing_else(plan: Plans, changes: dict[str, Any]) -> None:
    assert ids(plan(**changes))[0] == ids(plan())[0]


def test_preset_is_its_parameters(plan: Plans) -> None:
    preset = plan(models=[{"model": "two_layer", "preset": "wide"}])
    assert ids(preset) == ids(plan(models=[{"model": "two_layer", "params": {"hidden": 64}}]))
    assert preset.entries[0].job.model.params == {"hidden": 64, "dropout": 0.0}
    over = plan(models=[{"model": "two_layer", "preset": "wide", "params": {"hidden": 16}}])
    assert ids(over) == ids(plan())


def test_train_ids_do_not_depend_on_the_machine(plan: Plans) -> None:
    other = {**HERE, "machine": {**MACHINE, "cpu": "Another", "cores": 64}, "versions": {"torch": "2.14.0"}}
    assert ids(plan(here=other)) == ids(plan())


@pytest.mark.parametrize("kind", ["train", "cost"])
def test_one_gpu_is_as_good_as_the_next(plan: Plans, kind: str) -> None:
    one, two, any_ = (plan(device=device) for device in ("cuda:0", "cuda:1", "cuda"))
    assert ids(one, kind) == ids(two, kind) == ids(any_, kind)
    assert {entry.job.device for entry in two.entries} == {"cuda:1"}
    assert ids(plan(device="auto"), kind) == ids(one, kind)


def test_plugins_count_by_what_is_in_them(plan: Plans, tmp_path: Path, plugins: dict[str, tuple[str, ...]]) -> None:
    before = ids(plan())
    copy = tmp_path / "elsewhere" / "two_layer.py"
    copy.parent.mkdir()
    source = next(Path(path) for path in plugins["models"] if path.endswith("two_layer.py"))
    copy.write_bytes(source.read_bytes())
    moved = {**plugins, "models": (str(copy),)}
    assert ids(plan(plugins=moved)) == before
    copy.write_bytes(source.read_bytes() + b"\n# changed\n")
    assert ids(plan(plugins=moved)) != before


# --- ids of cost jobs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": [5, 6]},
        {"train": {"epochs": 9, "lr": 0.5, "batch_size": 128, "schedule": "cosine", "weight_decay": 0.1}},
        {"train": {"steps": 100, "label_smoothing": 0.1, "target": 0.9, "patience": 2, "threads": 2}},
        {"cost": {"batch_sizes": [8], "rounds": 1, "phases": ["infer", "train"]}},
        {"cost": {"batch_sizes": [8], "rounds": 1, "threads": 4}},
        {"cost": {"batch_sizes": [8, 16], "rounds": 3}},
    ],
    ids=str,
)
def test_cost_ids_ignore_what_costs_nothing(plan: Plans, changes: dict[str, Any]) -> None:
    assert ids(plan(**changes), "cost")[0] == ids(plan(), "cost")[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"train": {"epochs": 2, "lr": 0.01, "optimizer": "sgd"}},
        {"train": {"epochs": 2, "lr": 0.01, "clip_norm": 1.0}},
        {"cost": {"batch_sizes": [16], "rounds": 1}},
        {"cost": {"batch_sizes": [8], "rounds": 1, "threads": 1}},
        {"cost": {"batch_sizes": [8], "rounds": 1, "phases": ["infer"]}},
        {"cost": {"batch_sizes": [8], "rounds": 1, "limit_s": 5}},
        {"cost": {"batch_sizes": [8], "rounds": 1, "memory_gib": 2}},
        {"models": [{"model": "two_layer", "params": {"hidden": 32}}]},
        {"precision": "bf16"},
        {"here": {**HERE, "machine": {**MACHINE, "cpu": "Another"}}},
        {"here": {**HERE, "machine": {**MACHINE, "cores": 8}}},
        {"here": {**HERE, "versions": {"torch": "2.14.0"}}},
    ],
    ids=str,
)
def test_cost_ids_change_with_what_changes_cost(plan: Plans, changes: dict[str, Any]) -> None:
    assert not set(ids(plan(**changes), "cost")) & set(ids(plan(), "cost"))


def test_a_search_for_the_largest_batch_is_a_job_for_each_phase_whatever_is_timed_beside_it(plan: Plans) -> None:
    def searches(**cost: Any) -> dict[str, tuple[str, ...]]:
        made = plan(cost={"batch_sizes": [8, 32], "rounds": 2, "largest_batch": True, **cost})
        points = {e.job.id: e.job.cost for e in made.entries if e.job.cost is not None}
        return {job_id: point.phases for job_id, point in points.items() if point.largest_batch}

    assert sorted(searches().values()) == [("infer",), ("train",)]
    assert searches(limit_s=5, rounds=3) == searches()
    assert not searches(memory_gib=2).keys() & searches().keys()


def test_cost_ids_on_a_gpu_know_the_gpu_and_its_driver(plan: Plans) -> None:
    def of(**machine: Any) -> list[str]:
        return ids(plan(device="cuda:0", here={**HERE, "machine": {**MACHINE, **machine}}), "cost")

    assert len({of()[0], of(driver="556")[0], of(gpus=[{"name": "Another"}])[0]}) == 3


def test_every_training_field_says_whether_it_costs() -> None:
    assert cost_fields() == {
        *("optimizer", "momentum", "nesterov", "clip_norm"),
        *("channels_last", "compile", "grad_checkpointing"),
    }


# --- order ----------------------------------------------------------------------------------------------------------


def test_seeds_come_first_then_rounds_all_contenders_beside_each_other(plan: Plans) -> None:
    models = ["two_layer", {"model": "two_layer", "label": "wide", "params": {"hidden": 32}}]
    entries = plan(models=models, seeds=3, cost={"batch_sizes": [1, 8], "rounds": 2}).entries
    train = [entry for entry in entries if entry.job.kind == "train"]
    cost = [entry for entry in entries if entry.job.kind == "cost"]
    assert list(entries) == train + cost
    assert facts(train, "seed", "label") == [(seed, label) for seed in range(3) for label in ("two_layer", "wide")]
    assert [(e.job.cost.round, e.job.cost.batch_size, e.label) for e in cost if e.job.cost] == [
        (round, size, label) for round in range(2) for size in (1, 8) for label in ("two_layer", "wide")
    ]
    assert len({entry.job.id for entry in entries}) == len(entries)
    assert not any(entry.job.exclusive for entry in train)
    assert all(entry.job.exclusive for entry in cost)


def test_everything_that_varies_is_crossed(plan: Plans) -> None:
    entries = plan(vary={"train.lr": [0.1, 0.2], "model.hidden": [4, 8]}, cost=False).entries
    assert facts(entries, "label", "train.lr", "model.hidden") == [
        ("two_layer lr=0.1 hidden=4", 0.1, 4),
        ("two_layer lr=0.1 hidden=8", 0.1, 8),
        ("two_layer lr=0.2 hidden=4", 0.2, 4),
        ("two_layer lr=0.2 hidden=8", 0.2, 8),
    ]
    assert [(e.job.train.lr, e.job.model.params["hidden"]) for e in entries] == [
        (0.1, 4), (0.1, 8), (0.2, 4), (0.2, 8),
    ]  # fmt: skip


def test_what_a_model_lacks_does_not_vary_for_it(plan: Plans) -> None:
    entries = plan(models=["two_layer", "explodes"], vary={"model.hidden": [4, 8]}, cost=False).entries
    assert facts(entries, "label") == [("two_layer hidden=4",), ("two_layer hidden=8",), ("explodes",)]
    assert entries[-1].varied == {}


def test_a_models_own_axes_are_its_own(plan: Plans) -> None:
    models = [{"model": "two_layer", "vary": {"hidden": [4, 8]}}, {"model": "two_layer", "label": "plain"}]
    entries = plan(models=models, cost=False).entries
    assert facts(entries, "label") == [("two_layer hidden=4",), ("two_layer hidden=8",), ("plain",)]


def test_what_varies_in_training_alone_is_measured_once(plan: Plans) -> None:
    cost = plan(vary={"train.lr": [0.1, 0.2]}, cost={"batch_sizes": [8], "rounds": 2})
    assert len(ids(cost, "cost")) == 4
    assert len(set(ids(cost, "cost"))) == 2


# --- what is left out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ({"model": "wide"}, ["two_layer lr=0.1", "two_layer lr=0.2"]),
        ({"model": "two_layer"}, []),  # the family of both
        ({"train.lr": 0.1}, ["two_layer lr=0.2", "wide lr=0.2"]),
        ({"model": "wide", "train.lr": 0.1}, ["two_layer lr=0.1", "two_layer lr=0.2", "wide lr=0.2"]),
        ({"model.hidden": 16}, ["wide lr=0.1", "wide lr=0.2"]),
        ({"dataset": "blobs", "model.hidden": 32}, ["two_layer lr=0.1", "two_layer lr=0.2"]),
        (
            {"precision": "fp32", "device": "cpu", "train.lr": 0.2},
            ["two_layer lr=0.1", "wide lr=0.1"],
        ),
    ],
    ids=str,
)
def test_exclusions_leave_out_what_is_all_of_that(plan: Plans, pattern: dict[str, Any], left: list[str]) -> None:
    models = ["two_layer", {"model": "two_layer", "label": "wide", "params": {"hidden": 32}}]
    entries = plan(models=models, vary={"train.lr": [0.1, 0.2]}, exclude=[pattern], cost=False).entries
    assert [entry.label for entry in entries] == left


def test_what_the_device_lacks_is_skipped_with_its_reason(plan: Plans) -> None:
    entries = plan(vary={"precision": ["fp32", "tf32"]}).entries
    assert [(e.job.kind, e.job.precision, e.skipped) for e in entries] == [
        ("train", "fp32", None),
        ("train", "tf32", "the CPU has none"),
        ("cost", "fp32", None),
        ("cost", "tf32", "the CPU has none"),
    ]


def test_auto_is_bf16_where_the_device_has_it(plan: Plans) -> None:
    old = {**HERE, "devices": {**HERE["devices"], "cpu": {**CAN_ALL, "bf16": "this CPU has no bf16 instructions"}}}
    auto: dict[str, Any] = {"here": old, "precision": "auto", "vary": {"device": ["cpu", "cuda"]}, "cost": False}
    assert facts(plan(**auto).entries, "device", "precision", "skipped") == [
        ("cpu", "fp32", None),
        ("cuda", "bf16", None),
    ]
    assert facts(plan(**auto, exclude=[{"precision": "bf16"}]).entries, "precision") == [("fp32",)]
    given = {**auto, "precision": "bf16", "vary": {}, "device": "cuda"}
    assert ids(plan(**given)) == ids(plan(**{**given, "precision": "auto"}))


def test_device_that_is_not_there_is_skipped(plan: Plans) -> None:
    few = {**HERE, "devices": {"cpu": CAN_ALL}}
    assert {e.skipped for e in plan(here=few, device="cuda").entries} == {
        "device cuda: this machine has no CUDA device"
    }
    (reason,) = {entry.skipped for entry in plan(device="cuda:7").entries}
    assert reason is not None
    assert "only 2 CUDA devices" in reason
    assert {entry.job.device for entry in plan(here=few, device="auto").entries} == {"cpu"}


def test_datasets_are_had_and_their_parameters_complete(plan: Plans) -> None:
    made = plan(vary={"dataset.size": [4, 8]}, cost=False)
    digests = [entry.job.dataset.digest for entry in made.entries]
    assert len(set(digests)) == 2
    assert [entry.job.dataset.params["size"] for entry in made.entries] == [4, 8]
    assert all(len(entry.job.dataset.params) == 7 for entry in made.entries)
    assert made.roots == dict.fromkeys(digests)
    assert made.choices == {"0 vectors": "blobs"}
    assert made.notes == ("vectors: blobs from dlbench itself (built-in)",)
