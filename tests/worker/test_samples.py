"""What a trained generator wrote, and where it looked, held against a task whose sentences are written down here."""

from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dlbench.analyze.sentences import bleu
from dlbench.catalog import Catalog
from dlbench.contracts.batches import Batch, Shown
from dlbench.jobdir import JobDir
from dlbench.schema.attention import Attended, AttentionMaps
from dlbench.schema.job import DatasetRef, Job, ModelRef, TaskRef, Work
from dlbench.schema.sample import MOST, Samples
from dlbench.schema.train import TrainSettings
from dlbench.worker.attention import attention_of
from dlbench.worker.precision import Precision
from dlbench.worker.samples import samples_of
from dlbench.worker.shown import LARGEST
from dlbench.worker.work import work

CPU = Precision("fp32", torch.device("cpu"))


class Says:
    """Sources of given lengths, two pieces of target for each; batches of like lengths, as a task may make them."""

    def __init__(self, lengths: list[int], shown: list[Shown] | None = None) -> None:
        self.lengths = lengths
        self.shown = shown or [f"source {row}" for row in range(len(lengths))]

    def show(self, row: int) -> Shown:
        return self.shown[row]

    def reference(self, row: int) -> str:
        return f"reference {row}"

    def written(self, generated_NT: torch.Tensor) -> list[str]:
        return [" ".join(f"w{number}" for number in row if number > 3) for row in generated_NT.tolist()]

    def batches(self, split: str, batch_size: int) -> Iterator[Batch]:
        assert split == "test"
        order = sorted(range(len(self.lengths)), key=lambda row: -self.lengths[row])
        for start in range(0, len(order), 5):
            rows = order[start : start + 5]
            lengths = torch.tensor([self.lengths[row] for row in rows])
            index = torch.tensor(rows)
            tokens = torch.arange(int(lengths.max()))[None, :] < lengths[:, None]
            target = torch.tensor([[4, 3, 0]] * len(rows))
            yield {"index": index, "lengths": lengths, "tokens": tokens.long() * (index[:, None] + 4), "target": target}

    def pieces(self, batch: Batch) -> list[tuple[list[str], list[str]]]:
        return [
            ([f"s{row}.{place}" for place in range(length)], [f"t{row}", "[EOS]"])
            for row, length in zip(batch["index"].tolist(), batch["lengths"].tolist(), strict=True)
        ]


class Looks(torch.nn.Module):
    """Weights that name their example, their row and their column."""

    def __init__(self, spoilt: int | None = None) -> None:
        super().__init__()
        self.spoilt = spoilt

    def attention(self, batch: Batch) -> Mapping[str, torch.Tensor]:
        assert not self.training
        assert torch.is_inference_mode_enabled()
        columns, rows = batch["tokens"].shape[1], batch["target"].shape[1]
        place = torch.arange(rows)[:, None] / 10 + torch.arange(columns) / 1000
        weights = place + batch["index"][:, None, None]
        weights[batch["index"] == (-1 if self.spoilt is None else self.spoilt)] = torch.nan
        return {"cross": weights + 1e-6, "encoder": torch.ones(len(weights), columns, columns) / 3}


def samples(task: Says, generated: torch.Tensor) -> Samples:
    found = samples_of(task, {"generated": generated})  # type: ignore[arg-type]
    return Samples.model_validate_json(found.model_dump_json(by_alias=True, exclude_none=True))


def attended(task: Says, model: torch.nn.Module) -> tuple[Attended, ...] | None:
    found = attention_of(task, model, CPU)  # type: ignore[arg-type]
    if found is None:
        return None
    return AttentionMaps.model_validate_json(found.model_dump_json(by_alias=True, exclude_none=True)).examples


@pytest.mark.parametrize("size", [1, MOST - 1, MOST, MOST + 1, 1000])
def test_samples_are_spread_over_the_whole_split(size: int) -> None:
    generated = torch.stack([torch.full((size,), 4), torch.arange(size) + 4, torch.full((size,), 3)], 1)
    found = samples(Says([3] * size), generated).samples
    rows = [one.index for one in found]
    assert len(rows) == len(set(rows)) == min(size, MOST)
    assert rows == sorted(rows)
    widest = max(np.diff([-1, *rows, size]))
    assert widest <= max(1, np.ceil(size / MOST))
    for one in found:
        written = (f"source {one.index}", f"reference {one.index}", f"w4 w{one.index + 4}")
        assert (one.text, one.reference, one.output) == written
        assert one.picture is None


def test_a_picture_that_is_read_is_kept_as_one() -> None:
    pictures: list[Any] = [np.full((8, 9, 1), row, np.uint8) for row in range(3)]
    pictures.append(np.full((2 * LARGEST, LARGEST, 3), 7, np.uint8))
    found = samples(Says([3] * 4, pictures), torch.full((4, 2), 5)).samples
    opened = [Image.open(BytesIO(one.picture or b"")) for one in found]
    assert [picture.size for picture in opened] == [(9, 8)] * 3 + [(LARGEST // 2, LARGEST)]
    assert [np.asarray(picture).max() for picture in opened] == [0, 1, 2, 7]
    assert [one.text for one in found] == [None] * 4


def test_attention_is_that_of_the_first_sources_of_a_length_that_reads_well() -> None:
    lengths = [3, 20, 9, 5, 15, 6, 14, 7, 8]
    found = attended(Says(lengths), Looks())
    assert found is not None
    assert [one.index for one in found] == [2, 5, 6]
    for one in found:
        assert one.source == tuple(f"s{one.index}.{place}" for place in range(lengths[one.index]))
        assert one.target == (f"t{one.index}", "[EOS]")
        assert one.cross is not None
        assert one.encoder is not None
        assert one.cross[1][3] == pytest.approx(one.index + 0.103)
        assert one.cross[0][0] == one.index  # four decimals
        assert {len(row) for row in one.cross} == {len(row) for row in one.encoder} == {lengths[one.index]}
        assert (len(one.cross), len(one.encoder)) == (2, lengths[one.index])


def test_where_no_source_reads_well_the_nearest_ones_are_taken_and_endless_ones_never() -> None:
    found = attended(Says([2, 41, 100, 4, 17, 30, 3]), Looks())
    assert found is not None
    assert [one.index for one in found] == [3, 4, 6]
    assert attended(Says([41, 100]), Looks()) is None


def test_weights_that_are_not_finite_are_left_out() -> None:
    found = attended(Says([9, 8, 7]), Looks(spoilt=1))
    assert found is not None
    assert [one.cross is None for one in found] == [False, True, False]
    assert [one.encoder is None for one in found] == [False] * 3


def test_a_model_that_looks_nowhere_and_a_task_without_pieces_have_none() -> None:
    assert attended(Says([9, 8]), torch.nn.Linear(2, 2)) is None

    class Pictures(Says):
        def batches(self, split: str, batch_size: int) -> Iterator[Batch]:
            for batch in super().batches(split, batch_size):
                yield {name: part for name, part in batch.items() if name != "lengths"}

    assert attended(Pictures([9, 8]), Looks()) is None


def test_a_map_that_does_not_fit_its_pieces_is_refused() -> None:
    with pytest.raises(ValueError, match="cross weights have another shape than 1 by 2 pieces"):
        Attended(index=0, source=("a", "b"), target=("c",), cross=((0.5,),))


REVERSE = {"train_size": 500, "val_size": 50, "test_size": 100, "max_length": 9}


def trained(folder: Path, model: str, params: dict[str, Any]) -> JobDir:
    """A small network that has learnt to reverse a little."""
    job = Job(
        id="0123456789abcdef",
        kind="train",
        task=TaskRef(name="translation"),
        dataset=DatasetRef(name="reverse", params=REVERSE, digest="sha256:0", source="built-in", official=True),
        model=ModelRef(name=model, params=params),
        train=TrainSettings(epochs=1, batch_size=32, lr=0.01),
        seed=0,
    )
    jobdir = JobDir(folder)
    jobdir.create(Work(job=job, attempt=1, label="small"))
    work(jobdir.path)
    return jobdir


@pytest.mark.parametrize(
    ("model", "params", "kinds"),
    [
        ("gru", {"attention": "none"}, set()),
        ("gru", {"attention": "additive"}, {"cross"}),
        ("lstm", {"attention": "hard"}, {"cross"}),
        ("transformer", {"layers": 1}, {"cross", "encoder"}),
    ],
)
def test_a_job_leaves_both_of_the_same_examples_whatever_the_model(
    tmp_path: Path, model: str, params: dict[str, Any], kinds: set[str]
) -> None:
    jobdir = trained(tmp_path / "job", model, params)
    record = jobdir.record()
    assert record is not None
    assert record.status == "ok", record.reason
    roles = {artifact.role for artifact in record.artifacts}
    assert {"samples", "predictions"} <= roles
    assert ("attention" in roles) == bool(kinds)
    module = Catalog().load("datasets", "reverse")
    data = module.make("test", module.Params(**REVERSE))
    with np.load(jobdir.artifacts / "predictions.npz") as columns:
        exact, counts = columns["exact"], columns["bleu_statistics"]
        assert columns["source_length"].tolist() == [len(text.split()) for text in data.sources]
    found = Samples.model_validate_json((jobdir.artifacts / "samples.json").read_bytes()).samples
    assert [one.index for one in found] == [(2 * k + 1) * 100 // 48 for k in range(MOST)]
    for one in found:
        assert (one.text, one.reference) == (data.sources[one.index], data.targets[one.index])
        assert (one.output == one.reference) == exact[one.index]
    score = record.metric("test_bleu")
    assert score is not None
    assert float(bleu(counts.sum(axis=0))) == pytest.approx(score.value)
    if not kinds:
        return
    maps = AttentionMaps.model_validate_json((jobdir.artifacts / "attention.json").read_bytes()).examples
    long = [row for row, text in enumerate(data.sources) if len(text.split()) >= 6]
    assert [one.index for one in maps] == long[:3]
    for example in maps:
        assert " ".join(example.source) == data.sources[example.index]
        assert " ".join(example.target[:-1]) == data.targets[example.index]
        assert {kind for kind in ("cross", "encoder") if getattr(example, kind)} == kinds
        for kind in kinds:
            assert np.sum(getattr(example, kind), axis=1) == pytest.approx(1, abs=1e-3)
