"""The artifact of a classifier's surest mistakes, held against the predictions and the data that it is about."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dlbench.catalog import Catalog
from dlbench.contracts.batches import Shown
from dlbench.jobdir import JobDir
from dlbench.schema.job import DatasetRef, Job, ModelRef, TaskRef, Work
from dlbench.schema.mistake import MOST, Mistakes
from dlbench.schema.record import Record
from dlbench.schema.train import TrainSettings
from dlbench.tasks._classification import kept
from dlbench.worker.mistakes import mistakes_of
from dlbench.worker.png import png
from dlbench.worker.shown import LARGEST
from dlbench.worker.work import work

DIGITS = {"train_size": 200, "val_size": 50, "test_size": 300}
ORDER = {"length": 20, "train_size": 200, "val_size": 50, "test_size": 200}


MODELS = {"image_classification": ModelRef(name="mlp"), "text_classification": ModelRef(name="linear")}


def done(
    folder: Path, task: str, dataset: str, data: dict[str, Any], params: dict[str, Any] | None = None, **fields: Any
) -> tuple[Record, JobDir]:
    """A small model trained for a moment: it is often wrong."""
    job = Job(
        id="0123456789abcdef",
        kind="train",
        task=TaskRef(name=task, params=params or {}),
        dataset=DatasetRef(name=dataset, params=data, digest="sha256:0", source="built-in", official=True),
        model=MODELS[task],
        train=TrainSettings(epochs=1, batch_size=32, lr=0.01),
        seed=0,
        **fields,
    )
    jobdir = JobDir(folder)
    jobdir.create(Work(job=job, attempt=1, label="small"))
    work(jobdir.path)
    record = jobdir.record()
    assert record is not None
    assert record.status == "ok", record.reason
    return record, jobdir


def mistakes(jobdir: JobDir) -> Mistakes:
    return Mistakes.model_validate_json((jobdir.artifacts / "mistakes.json").read_bytes())


def examples(dataset: str, params: dict[str, Any]) -> Any:
    module = Catalog().load("datasets", dataset)
    return module.make("test", module.Params(**params))


@pytest.mark.parametrize(
    ("task", "dataset", "params"),
    [("image_classification", "digits", DIGITS), ("text_classification", "temporal_order", ORDER)],
)
def test_they_are_the_wrong_answers_with_the_highest_probability(
    tmp_path: Path, task: str, dataset: str, params: dict[str, Any]
) -> None:
    record, jobdir = done(tmp_path / "job", task, dataset, params)
    assert "mistakes" in {artifact.role for artifact in record.artifacts}
    found = mistakes(jobdir).mistakes
    with np.load(jobdir.artifacts / "predictions.npz") as columns:
        target, predicted, probability = (columns[name] for name in ("target", "predicted", "probability"))
    wrong = np.flatnonzero(target != predicted)
    assert len(found) == min(len(wrong), MOST)
    data = examples(dataset, params)
    for mistake in found:
        assert mistake.index in wrong
        assert mistake.target == data.classes[data.labels[mistake.index]]
        assert mistake.predicted == data.classes[predicted[mistake.index]]
        assert mistake.probability == pytest.approx(float(probability[mistake.index]), abs=1e-3)
    sureness = [mistake.probability for mistake in found]
    assert sureness == sorted(sureness, reverse=True)
    others = set(wrong) - {mistake.index for mistake in found}
    assert all(probability[row] <= sureness[-1] + 1e-3 for row in others)


def test_a_picture_has_the_pixels_of_the_dataset_whatever_the_task_does_to_them(tmp_path: Path) -> None:
    images = examples("digits", DIGITS).images
    settings: list[dict[str, Any]] = [{}, {"image_size": 20}, {"flip": True, "crop": 2, "cutout": 3}]
    for number, params in enumerate(settings):
        _, jobdir = done(tmp_path / str(number), "image_classification", "digits", DIGITS, params)
        found = mistakes(jobdir).mistakes
        assert found
        for mistake in found:
            assert mistake.text is None
            assert mistake.picture is not None
            picture = Image.open(io.BytesIO(mistake.picture))
            assert picture.mode == "L"
            np.testing.assert_array_equal(np.asarray(picture), images[mistake.index, 0])


def test_a_text_is_that_of_the_dataset(tmp_path: Path) -> None:
    texts = examples("temporal_order", ORDER).texts
    for number in range(2):  # the second job reads what the first has prepared
        _, jobdir = done(tmp_path / str(number), "text_classification", "temporal_order", ORDER)
        found = mistakes(jobdir).mistakes
        assert found
        assert all(mistake.text == texts[mistake.index] and mistake.picture is None for mistake in found)


def test_the_candidates_of_a_study_have_none_because_they_never_see_the_test_split(tmp_path: Path) -> None:
    record, jobdir = done(tmp_path / "job", "image_classification", "digits", DIGITS, splits=("val",))
    assert "mistakes" not in {artifact.role for artifact in record.artifacts}
    assert not (jobdir.artifacts / "mistakes.json").exists()


class Shows:
    """Four classes of things that are shown as they are given."""

    classes = ("a", "b", "c", "<script>")

    def __init__(self, shown: list[Shown], target: list[int]) -> None:
        self.shown, self.target = shown, torch.tensor(target)

    def keep(self, predictions: torch.Tensor, split: str) -> Any:
        assert split == "test"
        return kept(predictions, self.target)

    def show(self, row: int) -> Shown:
        return self.shown[row]


def of(shown: list[Shown], target: list[int], log_probabilities: torch.Tensor) -> Mistakes:
    return mistakes_of(Shows(shown, target), log_probabilities)  # type: ignore[arg-type]


def test_equally_sure_ones_come_in_the_split_s_order_and_nearly_equal_ones_by_sureness() -> None:
    logits = torch.zeros(60, 4)
    logits[:, 3] = 10.0  # a probability that half precision would call 1, as that of
    logits[50, 3] = 11.0  # this one
    logits[7, 0] = 30.0  # and this is right
    found = of([str(row) for row in range(60)], [0] * 60, logits.log_softmax(1))
    rows = [50, *(row for row in range(MOST) if row != 7)]
    assert [mistake.index for mistake in found.mistakes] == rows
    assert {(mistake.target, mistake.predicted) for mistake in found.mistakes} == {("a", "<script>")}
    assert [mistake.text for mistake in found.mistakes] == [str(row) for row in rows]


def test_without_mistakes_the_list_is_empty(tmp_path: Path) -> None:
    found = of(["x", "y"], [1, 2], torch.eye(4)[[1, 2]].log_softmax(1))
    assert json.loads(found.model_dump_json(by_alias=True)) == {"schema": 1, "split": "test", "mistakes": []}


@pytest.mark.parametrize("channels", [1, 3])
def test_a_large_picture_becomes_small_and_keeps_its_shape_and_brightness(channels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (300, 150, channels), np.uint8)
    (mistake,) = of([picture], [0], torch.tensor([[0.0, 1.0, 0.0, 0.0]]).log_softmax(1)).mistakes
    assert mistake.picture is not None
    seen = Image.open(io.BytesIO(mistake.picture))
    assert seen.size == (LARGEST // 2, LARGEST)
    assert np.asarray(seen).mean() == pytest.approx(picture.mean(), abs=0.6)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 9, 3), (28, 28, 1), (64, 1, 3)])
def test_a_png_file_holds_the_pixels(shape: tuple[int, int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    opened = Image.open(io.BytesIO(png(picture)))
    opened.load()  # checks every chunk's checksum
    assert opened.mode == ("L" if shape[2] == 1 else "RGB")
    np.testing.assert_array_equal(np.asarray(opened).reshape(shape), picture)
    assert png(picture) == png(picture.copy())
