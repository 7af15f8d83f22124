"""The image pipeline against torch's DataLoader, and what augmentation adds to a training step.

    python tests/benchmarks/bench_images.py [rounds]

Whole shuffled epochs of random uint8 images at batch 128, one thread, one process, measured in turn. Prints the ratio
of throughputs to a DataLoader over a TensorDataset of the same uint8 tensors that normalises each batch (aim: 3.5), and
to one whose dataset does to each image what torchvision's datasets do with `ToTensor` and `Normalize` (aim: 20). Then
the time that augmentation adds to a batch, as a share of a step of a small convolutional model on plain batches. Each
is the median with quartiles over rounds.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from dlbench.datasets._images import Images
from dlbench.schema import base
from dlbench.tasks import image_classification
from dlbench.tasks.image_classification import ImageClassification, Params

BATCH = 128
COUNT = 100 * BATCH
SHAPES = {"28×28×1": (1, 28, 28), "32×32×3": (3, 32, 32)}
AUGMENTATIONS = {
    "crop + flip": {"crop": 4, "flip": True},
    "crop + flip + cutout": {"crop": 4, "flip": True, "cutout": 8},
    "rand_augment 2": {"rand_augment": 2},
    "all of these, random erasing and mixup": {
        **{"crop": 4, "flip": True, "cutout": 8, "random_erasing": 0.5, "rand_augment": 2, "mixup": 0.2}
    },
}
STEPS = 20
"""Training steps that are timed at once."""


class Noise:
    """A dataset of random images."""

    name = "noise"
    params = base.Params()
    source = "0"
    revision = 1

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape, self.digest = shape, f"sha256:{shape}"

    def split(self, split: str) -> Images:
        """Images of ten classes."""
        rng = np.random.default_rng(0)
        size = COUNT if split == "train" else 10
        pixels = rng.integers(0, 256, (size, *self.shape), dtype=np.uint8)
        return Images(pixels, rng.integers(0, 10, size), tuple("0123456789"))


class OneByOne(Dataset[tuple[torch.Tensor, int]]):
    """torchvision's `CIFAR10` or `MNIST` with `ToTensor` and `Normalize`, written out: its work on each image."""

    def __init__(self, images: NDArray[np.uint8], target: NDArray[np.int64]) -> None:
        channels = images.shape[1]
        whole = images.transpose(0, 2, 3, 1) if channels == 3 else images[:, 0]
        self.images, self.target = np.ascontiguousarray(whole), target.tolist()
        self.mean, self.std = [0.5] * channels, [0.29] * channels

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self.normalize(self.to_tensor(Image.fromarray(self.images[row]))), self.target[row]

    def to_tensor(self, picture: Image.Image) -> torch.Tensor:
        pixels = torch.from_numpy(np.array(picture, np.uint8, copy=True))
        pixels = pixels.view(picture.size[1], picture.size[0], len(picture.getbands()))
        return pixels.permute((2, 0, 1)).contiguous().to(torch.float32).div(255)

    def normalize(self, image: torch.Tensor) -> torch.Tensor:
        mean, std = (torch.as_tensor(value, dtype=image.dtype) for value in (self.mean, self.std))
        if (std == 0).any():
            raise ValueError("a channel without deviation")
        return image.clone().sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))


def normalised(loader: Iterable[list[torch.Tensor]], channels: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of a loader of uint8 images, as floats."""
    mean, std = (torch.full((channels, 1, 1), value) for value in (127.5, 74.0))
    for image, target in loader:
        yield image.float().sub_(mean).div_(std), target


def seconds(run: Callable[[], Iterable[object]]) -> float:
    """Of going through all that it gives."""
    began = time.perf_counter()
    for _ in run():
        pass
    return time.perf_counter() - began


def told(values: list[float], form: str) -> str:
    """Median, quartiles and n."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:{form}} (quartiles {low:{form}} to {high:{form}}, n = {len(values)})"


def pipelines(name: str, shape: tuple[int, int, int], rounds: int) -> None:
    """Print a line for each DataLoader."""
    task = image_classification.build(Params(), Noise(shape))
    generator = torch.Generator().manual_seed(0)
    whole = Noise(shape).split("train")
    tensors = torch.from_numpy(whole.images), torch.from_numpy(whole.labels)
    batched = DataLoader(TensorDataset(*tensors), BATCH, shuffle=True)
    single = DataLoader(OneByOne(whole.images, whole.labels), BATCH, shuffle=True)
    runs: dict[str, Callable[[], Iterable[object]]] = {
        "ours": lambda: task.batches("train", BATCH, generator),
        "a DataLoader that normalises batches (aim 3.5)": lambda: normalised(batched, shape[0]),
        "a DataLoader that transforms images (aim 20)": lambda: single,
    }
    times: dict[str, list[float]] = {run: [] for run in runs}
    for number in range(rounds + 1):  # the first does not count
        for run in list(runs) if number % 2 else list(runs)[::-1]:
            times[run].append(seconds(runs[run]))
    ours = times.pop("ours")[1:]
    print(f"{name}: {told([COUNT / value for value in ours], ',.0f')} images/s")
    for run, values in times.items():
        ratios = [value / own for value, own in zip(values[1:], ours, strict=True)]
        print(f"{name}: throughput over that of {run}: {told(ratios, '.1f')}")


def convolutional(channels: int, side: int) -> nn.Module:
    """Two convolutions and a linear layer: about the least that is worth augmenting for."""
    return nn.Sequential(
        *(nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64 * (side // 4) ** 2, 10)),
    )


def step_s(model: nn.Module, task: ImageClassification) -> float:
    """Seconds of a training step over a batch that is there."""
    batch = next(task.batches("train", BATCH, torch.Generator().manual_seed(0)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    began = 0.0
    for step in range(STEPS + 2):
        if step == 2:
            began = time.perf_counter()
        F.cross_entropy(model(batch["image"]), batch["target"]).backward()
        optimizer.step()
        optimizer.zero_grad()
    return (time.perf_counter() - began) / STEPS


def augmentation(name: str, shape: tuple[int, int, int], rounds: int) -> None:
    """Print a line for each augmentation."""
    channels, side, _ = shape
    task = image_classification.build(Params(), Noise(shape))
    augmented = {
        key: image_classification.build(Params(**params), Noise(shape)) for key, params in AUGMENTATIONS.items()
    }
    model = convolutional(channels, side)
    generator = torch.Generator().manual_seed(0)
    added: dict[str, list[float]] = {key: [] for key in augmented}
    shares: dict[str, list[float]] = {key: [] for key in augmented}
    for number in range(rounds + 1):
        step = step_s(model, task)
        plain = seconds(lambda: task.batches("train", BATCH, generator))
        for key, other in augmented.items():
            batch_s = (seconds(partial(other.batches, "train", BATCH, generator)) - plain) / (COUNT / BATCH)
            if number:
                added[key].append(1e6 * batch_s)
                shares[key].append(100 * batch_s / (step + plain / (COUNT / BATCH)))
    print(f"{name}: a step of the small convolutional model takes {1e3 * step:.1f} ms")
    for key in augmented:
        print(f"{name}: {key} adds {told(added[key], ',.0f')} µs to a batch, {told(shares[key], '.2f')} % of the step")


def main() -> None:
    """Print lines for each shape."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder  # noise has no place in the user's cache
        for name, shape in SHAPES.items():
            pipelines(name, shape, rounds)
        for name, shape in SHAPES.items():
            augmentation(name, shape, rounds)


if __name__ == "__main__":
    main()
