"""Vision Transformer against the published sizes, and its parts against second formulations."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.models import _attention, _image, vit
from dlbench.schema.signature import Classes, Image, Signature

PARAMETERS = {
    "vit_ti16": 5_717_416,
    "vit_s16": 22_050_664,
    "vit_b16": 86_567_656,
    "vit_b32": 88_224_232,
    "vit_l16": 304_326_632,
    "vit_l32": 306_535_400,
}
SMALL = {"layers": 2, "heads": 2, "hidden_size": 8, "mlp_size": 12}


def build(signature: Signature = _image.CIFAR10, **params: Any) -> nn.Module:
    torch.manual_seed(0)
    return vit.build(vit.Params(**params), signature)


def sized(height: int, width: int, channels: int = 3) -> Signature:
    return Signature(input=Image(channels=channels, height=height, width=width), output=Classes(classes=7))


def images(height: int, width: int, channels: int = 3) -> dict[str, Tensor]:
    return {"image": torch.randn(3, channels, height, width)}


def test_every_preset_is_counted() -> None:
    assert PARAMETERS.keys() == vit.PRESETS.keys()


@pytest.mark.parametrize(("preset", "parameters"), PARAMETERS.items())
def test_parameters(preset: str, parameters: int) -> None:
    with torch.device("meta"):
        model = vit.build(vit.Params(**vit.PRESETS[preset]), vit.signature(preset))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_a_patch_becomes_a_vector_by_one_matrix() -> None:
    model = build(sized(8, 12), **SMALL)
    image = torch.randn(1, 3, 8, 12)
    patches = [image[0, :, 4 * row : 4 * row + 4, 4 * col : 4 * col + 4] for row in range(2) for col in range(3)]
    expected = [model.patches.weight.flatten(1) @ patch.flatten() for patch in patches]
    torch.testing.assert_close(model.patches(image).flatten(2)[0].T, torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_a_block_equals_torch_s_encoder_layer_with_gelu() -> None:
    torch.manual_seed(0)
    block = build(**SMALL).blocks[0]
    theirs = nn.TransformerEncoderLayer(
        8, 2, 12, dropout=0.0, activation=F.gelu, layer_norm_eps=1e-6, batch_first=True, norm_first=True
    )
    pairs = {
        "attention.project": "self_attn.in_proj_",
        "attention.out": "self_attn.out_proj.",
        "feed_forward.widen": "linear1.",
        "feed_forward.narrow": "linear2.",
        "attention_norm": "norm1.",
        "ff_norm": "norm2.",
    }
    own = block.state_dict()
    theirs.load_state_dict({f"{b}{end}": own[f"{a}.{end}"] for a, b in pairs.items() for end in ("weight", "bias")})
    states = torch.randn(3, 7, 8)
    torch.testing.assert_close(block(states), theirs(states), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["class", "mean"])
def test_what_is_classified(pooling: str) -> None:
    model = build(sized(8, 12), pooling=pooling, **SMALL).eval()
    batch = images(8, 12)
    states = model.patches(batch["image"]).flatten(2).transpose(1, 2)
    with torch.no_grad():
        if pooling == "class":
            states = torch.cat([model.class_token.expand(3, 1, 8), states], 1)
        states = states + model.add_positions.table.weight
        assert states.shape == (3, 7 if pooling == "class" else 6, 8)
        for block in model.blocks:
            states = block(states)
        states = model.norm(states)
        pooled = states[:, 0] if pooling == "class" else states.sum(1) / 6
        torch.testing.assert_close(model(batch), model.head(pooled))
    assert hasattr(model, "class_token") == (pooling == "class")


@pytest.mark.parametrize(("heads", "size", "positions"), [(2, 8, 5), (3, 16, 40)])
def test_attention_in_sixteen_bits_is_that_in_thirty_two(heads: int, size: int, positions: int) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, heads, positions, size).bfloat16()
    short = _attention.attend(q, k, v, None)
    assert short.dtype == torch.bfloat16
    exact = F.scaled_dot_product_attention(q.float(), k.float(), v.float())
    torch.testing.assert_close(short.float(), exact, rtol=0.02, atol=0.02)


def test_sinusoidal_positions_tell_row_and_column() -> None:
    table = vit.GridPositions(2, 3, before=1, size=8).table
    assert table.shape == (7, 8)
    assert not table[0].any()
    for row in range(2):
        for column in range(3):
            angle = [row, row / 100, column, column / 100]
            expected = [*map(math.sin, angle), *map(math.cos, angle)]
            assert table[1 + 3 * row + column].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_places_of_patches_matter(positions: str) -> None:
    model = build(sized(8, 8), positions=positions, pooling="mean", **SMALL).eval()
    batch = images(8, 8)
    moved = {"image": torch.cat([batch["image"][:, :, 4:], batch["image"][:, :, :4]], 2)}
    assert not torch.allclose(model(batch), model(moved), atol=1e-6)


def test_dropout_stands_after_every_dense_layer_but_the_projection() -> None:
    model = build(dropout=0.3, **SMALL)
    chances = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    assert chances == [0.3] * (1 + 2 * 2)  # after positions; in each block after both parts, and within the second


def test_stochastic_depth_grows_and_ends_with_training() -> None:
    model = build(stochastic_depth=0.4, layers=3)
    assert [block.dropout[1].chance for block in model.blocks] == pytest.approx([0, 0.2, 0.4])
    batch = images(32, 32)
    assert not torch.equal(model(batch), model(batch))
    model.eval()
    assert torch.equal(model(batch), model(batch))


def test_weights_start_as_in_the_authors_code() -> None:
    model = build(hidden_size=256)
    assert not model.class_token.any()
    assert model.add_positions.table.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.patches.weight.std().item() == pytest.approx(1 / math.sqrt(48), rel=0.05)
    assert model.blocks[0].feed_forward.widen.weight.std().item() == pytest.approx(math.sqrt(2 / 512), rel=0.05)
    assert isinstance(model.blocks[0], _attention.EncoderBlock)


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (3, 32, 32), (1, 8, 20)])
@pytest.mark.parametrize("pooling", ["class", "mean"])
def test_other_images(channels: int, height: int, width: int, pooling: str) -> None:
    model = build(sized(height, width, channels), pooling=pooling)
    logits = model(images(height, width, channels))
    assert logits.shape == (3, 7)
    F.cross_entropy(logits, torch.tensor([0, 1, 6])).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_images_that_do_not_divide_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="images of 30×32 cannot be cut into patches of 4×4"):
        build(sized(30, 32))


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"hidden_size": 100, "heads": 3}, "hidden_size 100 cannot be shared evenly by heads 3"),
        ({"hidden_size": 6, "heads": 2, "positions": "sinusoidal"}, "a multiple of 4, not 6"),
    ],
)
def test_impossible_sizes_are_refused_in_words(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        vit.Params(**params)
