"""What every model that reads images promises; what holds for all models is in `test_models.py`."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.catalog import Catalog
from dlbench.schema.signature import Classes, Image, Signature
from dlbench.schema.train import TrainSettings
from dlbench.worker.arrange import arrange, recompute

CATALOG = Catalog()
GREY = Signature(input=Image(channels=1, height=28, width=28), output=Classes(classes=10))
COLOUR = Signature(input=Image(channels=3, height=32, width=32), output=Classes(classes=7))
UNKNOWN_SIZES = Signature(input=Image(), output=Classes())
READERS = [name for name in CATALOG.names("models") if CATALOG.load("models", name).accepts(GREY)]
CPU = torch.device("cpu")
TRAINED_SMALLER = {"nas_cell": {"cells": 1}}
"""Parameters with which a test trains what is slow at its default size."""


def build(name: str, signature: Signature = GREY, seed: int = 0, **params: Any) -> nn.Module:
    module = CATALOG.load("models", name)
    torch.manual_seed(seed)
    return module.build(module.Params(**params), signature)


def random_batch(signature: Signature = GREY, size: int = 4) -> dict[str, Tensor]:
    image, classes = signature.input, signature.output.classes
    generator = torch.Generator().manual_seed(1)
    return {
        "image": torch.randn(size, image.channels, image.height, image.width, generator=generator),
        "target": torch.arange(size) % classes,
        "index": torch.arange(size),
    }


def loss_of(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    own = getattr(model, "loss", None)
    return own(batch) if own is not None else F.cross_entropy(model(batch), batch["target"])


@pytest.mark.parametrize("signature", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("name", READERS)
def test_logits_have_a_row_for_every_image_and_gradients_reach_every_parameter(name: str, signature: Signature) -> None:
    model = build(name, signature)
    batch = random_batch(signature)
    assert model(batch).shape == (4, signature.output.classes)
    loss_of(model, batch).backward()
    silent = [
        key
        for key, parameter in model.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.abs().sum() > 0)
    ]
    assert not silent


@pytest.mark.parametrize("name", READERS)
def test_in_evaluation_neighbours_change_nothing(name: str) -> None:
    model = build(name)
    batch = random_batch(size=8)
    model(batch)  # statistics of batch norm, where there is any, leave their first values
    model.eval()
    with torch.no_grad():
        together = model(batch)
        alone = torch.cat([model({key: value[row : row + 1] for key, value in batch.items()}) for row in range(8)])
    assert together.std() > 0
    torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-4 * together.abs().max().item())


@pytest.mark.parametrize("name", READERS)
def test_a_seed_decides_weights_and_dropout(name: str) -> None:
    models = [build(name, seed=seed) for seed in (0, 0, 1)]
    outputs = []
    for model in models[:2]:
        torch.manual_seed(5)
        outputs.append(model(random_batch()))
    first, again, other = [list(model.parameters()) for model in models]
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, other))
    assert torch.equal(*outputs)


@pytest.mark.parametrize("name", READERS)
def test_it_learns_in_which_third_the_bright_stripe_is(name: str) -> None:
    """Three classes, 15 images: noise, and 9 brighter rows at the top, in the middle or at the bottom."""
    model = build(name, **TRAINED_SMALLER.get(name, {}))
    generator = torch.Generator().manual_seed(3)
    images = 0.5 * torch.randn(15, 1, 28, 28, generator=generator)
    target = torch.arange(15) % 3
    for row, place in enumerate(target.tolist()):
        images[row, :, 9 * place : 9 * place + 9] += 1.0
    batch = {"image": images, "target": target, "index": torch.arange(15)}
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(40):
        optimizer.zero_grad()
        loss_of(model, batch).backward()
        optimizer.step()
    assert (model(batch).argmax(1) == target).float().mean() > 0.7  # chance is a third


@pytest.mark.parametrize("name", READERS)
def test_it_runs_under_bf16_autocast(name: str) -> None:
    model = build(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = loss_of(model, random_batch())
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


@pytest.mark.parametrize("name", READERS)
def test_soft_targets_and_smoothing_are_understood_by_a_loss_of_its_own(name: str) -> None:
    model = build(name).eval()
    own = getattr(model, "loss", None)
    if own is None:
        return  # the task's loss is tested with the task
    batch = random_batch()
    soft = {**batch, "target": F.one_hot(batch["target"], 10).float()}
    torch.testing.assert_close(own(soft), own(batch))
    expected = F.cross_entropy(model(batch), batch["target"], label_smoothing=0.1)
    torch.testing.assert_close(own(batch, label_smoothing=0.1), expected)


@pytest.mark.parametrize("name", READERS)
def test_channels_last_changes_the_layout_only(name: str) -> None:
    plain, arranged = build(name), build(name)
    arrange(arranged, TrainSettings(channels_last=True), CPU)
    batch = random_batch()
    outputs = [model.eval()(batch) for model in (plain, arranged)]  # in training, dropout draws other places
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-3, atol=1e-4 * outputs[0].abs().max().item())


@pytest.mark.parametrize("name", [name for name in READERS if hasattr(build(name), "blocks")])
def test_blocks_computed_twice_give_the_same_training(name: str) -> None:
    plain, twice = build(name), build(name)
    recompute(twice)
    batch = random_batch()
    for model in (plain, twice):
        torch.manual_seed(5)
        loss_of(model, batch).backward()
    for (key, one), other in zip(plain.named_parameters(), twice.parameters(), strict=True):
        if one.grad is not None:
            scale = one.grad.abs().max().item()
            torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-5 * scale + 1e-8, msg=key)
    for one, other in zip(plain.buffers(), twice.buffers(), strict=True):
        torch.testing.assert_close(other, one)


@pytest.mark.parametrize("name", READERS)
def test_unknown_sizes_are_refused_in_words(name: str) -> None:
    module = CATALOG.load("models", name)
    assert module.accepts(UNKNOWN_SIZES)
    with pytest.raises(ValueError, match="every size is known"):
        module.build(module.Params(), UNKNOWN_SIZES)
