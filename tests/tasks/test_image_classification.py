"""The task as the training loop and the scoring see it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dlbench.contracts.batches import Batch
from dlbench.datasets import temporal_order
from dlbench.datasets._images import Images
from dlbench.errors import DataError
from dlbench.tasks import image_classification
from dlbench.tasks._images import resized, statistics
from dlbench.tasks.image_classification import ImageClassification, Params

SIZES = {"train": 150, "val": 40, "test": 30}
EVERYTHING = {
    **{"flip": True, "crop": 2, "cutout": 4, "random_erasing": 0.5},
    **{"rand_augment": 2, "magnitude": 15, "mixup": 0.5},
}


class Handmade:
    """A dataset of noise around a colour for each class."""

    name = "handmade"
    params = temporal_order.Params()
    source = "0123"
    revision = 1

    def __init__(self, shape: tuple[int, int, int] = (3, 10, 8), classes: int = 4, **splits: Images) -> None:
        self.digest = f"sha256:{shape}{classes}"
        self.reads = 0
        self.splits = {split: noise(size, shape, classes) for split, size in SIZES.items()} | splits

    def split(self, split: str) -> Images:
        self.reads += 1
        return self.splits[split]


def noise(size: int, shape: tuple[int, int, int], classes: int) -> Images:
    rng = np.random.default_rng(size)
    labels = rng.integers(0, classes, size)
    images = (rng.integers(0, 150, (size, *shape)) + 100 * labels[:, None, None, None] // classes).astype(np.uint8)
    images.flags.writeable = False
    return Images(images, labels, tuple(f"class {label}" for label in range(classes)))


def build(dataset: Handmade | None = None, **params: Any) -> ImageClassification:
    return image_classification.build(Params(**params), dataset or Handmade())


def epoch(task: ImageClassification, seed: int | None = 0, split: str = "train", batch_size: int = 32) -> list[Batch]:
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return list(task.batches(split, batch_size, generator))


def in_order(batches: list[Batch], column: str) -> torch.Tensor:
    """A column of all batches, rows in the split's order."""
    index = torch.cat([batch["index"] for batch in batches])
    return torch.cat([batch[column] for batch in batches])[index.argsort()]


def test_sizes_and_signature_are_those_of_the_data() -> None:
    task = build()
    assert task.sizes == SIZES
    assert task.signature.input.model_dump() == {"kind": "image", "channels": 3, "height": 10, "width": 8}
    assert task.signature.output.classes == 4
    assert str(image_classification.outline(Params())) == str(task.signature) == "image → classes"


def test_the_training_split_is_normalised_and_the_others_in_the_same_way() -> None:
    data, task = Handmade(), build()
    images = in_order(epoch(task), "image")
    assert images.dtype == torch.float32
    torch.testing.assert_close(images.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(images.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)
    train = data.splits["train"].images.astype(np.float64)
    mean, std = train.mean((0, 2, 3), keepdims=True)[0], train.std((0, 2, 3), keepdims=True)[0]
    for split in SIZES:
        for seed in (None, 1):
            batches = epoch(task, seed, split)
            expected = (data.splits[split].images - mean) / std
            np.testing.assert_allclose(in_order(batches, "image"), expected, atol=1e-5)
            np.testing.assert_array_equal(in_order(batches, "target"), data.splits[split].labels)
            assert all(batch["image"].is_contiguous() for batch in batches)
    assert [len(batch["index"]) for batch in epoch(task, None, "val")] == [32, 8]


def test_statistics_are_exact() -> None:
    images = noise(100, (3, 10, 8), 4).images
    mean, std = statistics(images)
    np.testing.assert_allclose(mean, images.astype(np.float64).mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, images.astype(np.float64).std((0, 2, 3)), rtol=1e-12)


def test_the_same_seed_means_the_same_batches_whatever_is_switched_on() -> None:
    for params in ({}, EVERYTHING):
        task = build(**params)
        one, two, other = epoch(task), epoch(task), epoch(task, 1)
        for a, b in zip(one, two, strict=True):
            assert all(torch.equal(a[key], b[key]) for key in a)
        assert not torch.equal(one[0]["index"], other[0]["index"])
    plain, augmented = (torch.Generator().manual_seed(0) for _ in range(2))
    for _ in range(3):  # epochs
        orders = [
            [batch["index"].tolist() for batch in task.batches("train", 32, generator)]
            for task, generator in ((build(), plain), (task, augmented))
        ]
        assert orders[0] == orders[1]


@pytest.mark.parametrize("switched", EVERYTHING)
def test_every_augmentation_changes_training_batches_and_no_others(switched: str) -> None:
    params = {switched: EVERYTHING[switched]} | ({"rand_augment": 1} if switched == "magnitude" else {})
    plain, augmented = build(), build(**params)
    for split in ("val", "test"):
        for seed in (None, 0):
            for a, b in zip(epoch(plain, seed, split), epoch(augmented, seed, split), strict=True):
                assert all(torch.equal(a[key], b[key]) for key in a)
    for a, b in zip(epoch(plain, None), epoch(augmented, None), strict=True):
        assert all(torch.equal(a[key], b[key]) for key in a)
    one, two = in_order(epoch(plain), "image"), in_order(epoch(augmented), "image")
    assert not torch.equal(one, two)
    assert one.shape == two.shape
    assert torch.isfinite(two).all()


def test_two_epochs_differ() -> None:
    task = build(crop=2)
    generator = torch.Generator().manual_seed(0)
    one, two = (in_order(list(task.batches("train", 32, generator)), "image") for _ in range(2))
    assert not torch.equal(one, two)


def test_what_is_resident_is_never_modified() -> None:
    data = Handmade()
    task = build(data, **EVERYTHING)
    for seed in range(3):
        for batch in epoch(task, seed):
            batch["image"].zero_()
    for split, examples in data.splits.items():
        np.testing.assert_array_equal(task.splits[split]._images, examples.images)
        np.testing.assert_array_equal(task.splits[split].target, examples.labels)


def test_what_comes_from_outside_has_the_mean_colour() -> None:
    data = Handmade()
    std = statistics(data.splits["train"].images)[1]
    cropped = in_order(epoch(build(data, crop=40)), "image")
    outside = cropped[(cropped.abs() < 0.5 / std.min() + 1e-6).all(3).all(2).all(1)]
    assert len(outside) > 30  # most windows lie beside the image altogether
    cut = in_order(epoch(build(data, cutout=100)), "image")
    assert (cut == 0).all()


def test_mixed_classes_are_shares() -> None:
    task = build(mixup=1.0)
    for batch in epoch(task):
        assert batch["target"].shape == (len(batch["index"]), 4)
        torch.testing.assert_close(batch["target"].sum(1), torch.ones(len(batch["index"])))
    assert epoch(task, split="val")[0]["target"].dtype == torch.int64


def test_loss_takes_indices_and_shares_and_smooths_both() -> None:
    task = build()
    batch = epoch(task)[0]
    logits = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    log_probability = logits.log_softmax(1)
    plain = -log_probability[torch.arange(32), batch["target"]].mean()
    torch.testing.assert_close(task.loss(logits, batch), plain)
    smoothed = 0.9 * plain + 0.1 * -log_probability.mean()
    torch.testing.assert_close(task.loss(logits, batch, label_smoothing=0.1), smoothed)
    one_hot = {**batch, "target": torch.nn.functional.one_hot(batch["target"], 4).float()}
    torch.testing.assert_close(task.loss(logits, one_hot), plain)
    torch.testing.assert_close(task.loss(logits, one_hot, label_smoothing=0.1), smoothed)
    assert task.loss(logits.bfloat16(), batch).dtype == torch.float32


@pytest.mark.parametrize("classes", [10, 12])
def test_scores_fit_the_rows_and_top5_appears_where_it_tells_something(classes: int) -> None:
    task = build(Handmade(classes=classes))
    rows = torch.randn(30, classes, generator=torch.Generator().manual_seed(0)).log_softmax(1)
    labels = task.splits["test"].target
    metrics = {metric.name: metric for metric in task.score(rows, "test")}
    names = ["accuracy", "f1_macro", "ece", "loss"]
    assert list(metrics) == (names if classes <= 10 else [*names, "top5"])
    assert metrics["accuracy"].value == pytest.approx(float((rows.argmax(1) == labels).double().mean()))
    assert len(metrics["accuracy"].detail["confusion"]) == classes
    if classes > 10:
        ranks = (rows > rows.gather(1, labels[:, None])).sum(1)
        assert metrics["top5"].value == pytest.approx(float((ranks < 5).double().mean()))
    columns = task.keep(rows, "test")
    np.testing.assert_array_equal(columns["target"], labels)
    assert set(columns) == {"target", "predicted", "probability"}


@pytest.mark.parametrize("side", [4, 16])
def test_images_are_resized_as_pillow_does(side: int) -> None:
    data = Handmade(shape=(3, 12, 9))
    task = build(data, image_size=side)
    assert (task.signature.input.height, task.signature.input.width) == (side, side)
    outline = image_classification.outline(Params(image_size=side))
    assert (outline.input.channels, outline.input.height, outline.input.width) == (None, side, side)
    for image, other in zip(data.splits["val"].images, task.splits["val"]._images, strict=True):
        picture = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
        expected = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        assert np.abs(expected.astype(int) - other.numpy().astype(int)).max() <= 1
    batches = in_order(epoch(task), "image")
    torch.testing.assert_close(batches.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)


def test_resizing_in_chunks_is_resizing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise(50, (1, 8, 8), 2).images.copy()
    whole = resized(images, 5)
    monkeypatch.setattr("dlbench.tasks._images.CHUNK", 7)
    np.testing.assert_array_equal(resized(images, 5), whole)
    np.testing.assert_array_equal(statistics(images)[0], images.mean((0, 2, 3)))


def test_the_second_job_reads_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = Handmade()
    first = build(data)
    reads = data.reads
    second = build(data, crop=2, flip=True)  # augmentation changes nothing that is prepared
    assert data.reads == reads
    assert second.signature == first.signature
    assert second.classes == first.classes
    for split in ("val", "test"):
        for one, two in zip(epoch(first, None, split), epoch(second, None, split), strict=True):
            assert all(torch.equal(one[key], two[key]) for key in one)
    build(data, image_size=4)
    assert data.reads > reads


@pytest.mark.parametrize(
    ("shape", "classes", "told"),
    [
        ((3, 10, 9), 4, "3 × 10 × 9"),
        ((1, 10, 8), 4, "1 × 10 × 8"),
        ((3, 10, 8), 5, "5 classes"),
    ],
    ids=["size", "channels", "classes"],
)
def test_splits_that_do_not_fit_are_refused(shape: tuple[int, int, int], classes: int, told: str) -> None:
    data = Handmade(val=noise(20, shape, classes))
    data.digest = f"sha256:misfit{shape}{classes}"
    with pytest.raises(DataError, match=r"'handmade': its splits do not fit together: train has 3 × 10 × 8") as error:
        build(data)
    assert told in str(error.value)


def test_a_split_without_images_is_refused() -> None:
    data = Handmade(val=noise(0, (3, 10, 8), 4))
    data.digest = "sha256:empty"
    with pytest.raises(DataError, match=r"'handmade': no images in its split val"):
        build(data)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_no_batch_but_the_first_waits_for_the_gpu() -> None:
    task = build(**EVERYTHING)
    task.to(torch.device("cuda"))
    batches = task.batches("train", 32, torch.Generator().manual_seed(0))
    next(batches)
    torch.cuda.set_sync_debug_mode("error")
    try:
        assert len(list(batches)) == 4
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_are_the_same_on_a_gpu() -> None:
    here, there = build(**EVERYTHING), build(**EVERYTHING)
    there.to(torch.device("cuda"))
    for one, two in zip(epoch(here), epoch(there), strict=True):
        assert torch.equal(one["index"], two["index"].cpu())
        torch.testing.assert_close(one["target"], two["target"].cpu())
        close = (one["image"] - two["image"].cpu()).abs() < 0.05  # a level more or less where rounding differs
        assert close.double().mean() > 0.99
