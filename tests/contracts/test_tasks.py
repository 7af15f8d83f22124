"""What every task on the shelf promises, over its last dataset, which is built in."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from dlbench.catalog import Catalog
from dlbench.contracts.batches import Batch, Predictions
from dlbench.contracts.tasks import Classifier, Generator, Task
from dlbench.schema import base
from dlbench.worker.data import BoundDataset

CATALOG = Catalog()
NAMES = CATALOG.names("tasks")
SIZES = {"train": 50, "val": 20, "test": 30}


def build(name: str) -> Task:
    module = CATALOG.load("tasks", name)
    dataset = CATALOG.load("datasets", module.DATASETS[-1])
    params = dataset.Params(**{f"{split}_size": size for split, size in SIZES.items()})
    return module.build(module.Params(), BoundDataset(dataset, params, None, "sha256:contract"))


@pytest.mark.parametrize("name", NAMES)
def test_it_declares_what_it_is(name: str) -> None:
    module = CATALOG.load("tasks", name)
    assert isinstance(module.REVISION, int)
    assert issubclass(module.Params, base.Params)
    assert all(name in CATALOG.load("datasets", dataset).TASKS for dataset in module.DATASETS)
    assert not CATALOG.load("datasets", module.DATASETS[-1]).FILES, "the last dataset must be built in"
    assert len(CATALOG.summary("tasks", name)) > 20
    assert all(field.description for field in module.Params.model_fields.values())
    with pytest.raises(ValidationError):
        module.Params(no_such_parameter=1)


@pytest.mark.parametrize("name", NAMES)
def test_its_outline_agrees_with_what_is_built(name: str) -> None:
    module = CATALOG.load("tasks", name)
    outline = module.outline(module.Params()).model_dump()
    built = build(name).signature.model_dump()
    for side in ("input", "output"):
        assert all(value in (None, built[side][key]) for key, value in outline[side].items())
        assert None not in built[side].values()


@pytest.mark.parametrize("name", NAMES)
def test_every_example_comes_once_in_an_order_that_the_generator_draws(name: str) -> None:
    task = build(name)
    assert task.sizes == SIZES
    for split, size in SIZES.items():
        for generator in (None, torch.Generator().manual_seed(0)):
            batches = list(task.batches(split, 16, generator))
            assert len(batches) == math.ceil(size / 16)
            assert sorted(row for batch in batches for row in batch["index"].tolist()) == list(range(size))
    orders = [
        [
            row
            for batch in task.batches("train", 16, torch.Generator().manual_seed(seed))
            for row in batch["index"].tolist()
        ]
        for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_parts_of_a_split_are_fixed_and_disjoint_and_together_the_split(name: str, parts: int) -> None:
    task = build(name)
    for split, size in SIZES.items():
        seen: list[int] = []
        for number in range(parts):
            rows = []
            for generator in (None, torch.Generator().manual_seed(0), torch.Generator().manual_seed(2)):
                batches = list(task.batches(split, 16, generator, part=(number, parts)))
                assert len(batches) == math.ceil(math.ceil((size - number) / parts) / 16)
                rows.append([row for batch in batches for row in batch["index"].tolist()])
            assert len(rows[0]) == math.ceil((size - number) / parts)
            assert sorted(rows[0]) == sorted(rows[1]) == sorted(rows[2])
            assert rows[1] != rows[2]
            seen += rows[0]
        assert sorted(seen) == list(range(size))
    with pytest.raises(ValueError, match="counted from 0"):
        list(task.batches("train", 16, part=(parts, parts)))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_in_a_part_s_batch_belongs_to_its_rows(name: str) -> None:
    task = build(name)
    whole = next(task.batches("train", 50))
    expected = dict(zip(whole["index"].tolist(), targets(whole), strict=True))
    for batch in task.batches("train", 16, part=(1, 2)):
        assert targets(batch) == [expected[row] for row in batch["index"].tolist()]


def targets(batch: Batch) -> list[int | list[int]]:
    """What is right for each example, without padding."""
    rows = batch["target"].tolist()
    return [[token for token in row if token] if isinstance(row, list) else row for row in rows]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_has_a_row_for_every_example(name: str) -> None:
    task = build(name)
    predictions = guessed(task)
    columns = task.keep(predictions, "test")
    wanted = {
        "classes": {"target", "predicted"},
        "tokens": {"exact", "loss"},
        "tags": {"exact", "correct", "source_length"},
    }
    assert wanted[task.signature.output.kind] <= set(columns)
    assert {len(column) for column in columns.values()} == {SIZES["test"]}
    metrics = task.score(predictions, "test")
    assert all(not metric.name.startswith(("val_", "test_")) for metric in metrics)
    assert [(metric.name, metric.better) for metric in metrics] == list(task.scores.items())
    assert task.scores.items() <= CATALOG.load("tasks", name).SCORES.items()


def guessed(task: Task) -> Predictions:
    """Predictions for the test split, at random."""
    generator = torch.Generator().manual_seed(0)
    if task.signature.output.kind == "classes":
        return torch.randn(SIZES["test"], task.signature.output.classes, generator=generator).log_softmax(1)
    if task.signature.output.kind == "tags":
        correct = torch.randint(0, 3, (SIZES["test"],), generator=generator)
        return {"correct": correct, "loss": torch.rand(SIZES["test"], generator=generator)}
    written = task.signature.output
    generated = torch.randint(3, written.vocabulary, (SIZES["test"], written.length), generator=generator)
    return {"loss": torch.rand(SIZES["test"], generator=generator), "generated": generated}


@pytest.mark.parametrize("name", NAMES)
def test_what_it_classifies_can_be_looked_at(name: str) -> None:
    task = build(name)
    if task.signature.output.kind != "classes":
        pytest.skip("its answers are no classes")
    assert isinstance(task, Classifier)
    assert len(task.classes) == task.signature.output.classes
    again = build(name)
    assert isinstance(again, Classifier)
    seen: set[str | bytes] = set()
    for row in range(SIZES["test"]):
        shown = task.show(row)
        if isinstance(shown, str):
            assert len(shown) <= 1000
            assert again.show(row) == shown
            seen.add(shown)
        else:
            assert shown.dtype == np.uint8
            assert shown.ndim == 3
            assert shown.shape[2] in (1, 3)
            np.testing.assert_array_equal(again.show(row), shown)
            seen.add(shown.tobytes())
    assert len(seen) == SIZES["test"]


@pytest.mark.parametrize("name", NAMES)
def test_what_it_writes_can_be_looked_at(name: str) -> None:
    task = build(name)
    if task.signature.output.kind != "tokens":
        pytest.skip("its answers are no sequences")
    assert isinstance(task, Generator)
    for batch in task.batches("test", 16):
        rows = batch["index"].tolist()
        assert (batch["previous"][:, 0] == 2).all()
        assert all(ids[-1] == 3 and not {0, 2, 3} & set(ids[:-1]) for ids in targets(batch))
        written = task.written(batch["target"])
        assert written == [task.reference(row).lower() for row in rows]
        pieces = task.pieces(batch)
        assert [len(target) for _, target in pieces] == [len(ids) for ids in targets(batch)]
        if "tokens" in batch:
            assert [len(read) for read, _ in pieces] == batch["lengths"].tolist()
        for row in rows:
            shown, again = task.show(row), build(name).show(row)  # type: ignore[attr-defined]
            assert np.array_equal(shown, again)
