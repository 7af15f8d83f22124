"""Training steps on handwritten digits, for benchmarks: a model by its name, and batches that are there already."""

from typing import Any

import torch

from dlbench.catalog import Catalog
from dlbench.contracts.batches import Batch
from dlbench.schema.train import TrainSettings
from dlbench.tasks.image_classification import ImageClassification
from dlbench.worker.data import BoundDataset
from dlbench.worker.precision import Precision
from dlbench.worker.step import TrainStep

BATCHES = 8


def digit_steps(name: str, params: dict[str, Any], batch_size: int) -> tuple[TrainStep, list[Batch]]:
    """A training step in fp32 on the CPU, and batches of 28×28×1 images for it."""
    catalog = Catalog()
    digits = catalog.load("datasets", "digits")
    sizes = digits.Params(train_size=BATCHES * batch_size, val_size=10, test_size=10)
    module = catalog.load("tasks", "image_classification")
    task: ImageClassification = module.build(
        module.Params(image_size=28), BoundDataset(digits, sizes, None, "sha256:benchmark")
    )
    family = catalog.load("models", name)
    torch.manual_seed(0)
    model = family.build(family.Params(**params), task.signature).train()
    step = TrainStep(task, model, TrainSettings(), Precision("fp32", torch.device("cpu")))
    return step, list(task.batches("train", batch_size, torch.Generator().manual_seed(0)))
