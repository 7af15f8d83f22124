"""Encoder and decoder against torch's own layers, and positions against second formulations."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from dlbench.models import _attention, transformer
from dlbench.models._decoder import DecoderBlock, causal_mask
from dlbench.schema.signature import Classes, Signature, Tokens

TEXT = Signature(input=Tokens(vocabulary=30, length=16), output=Classes(classes=3))
LENGTHS = torch.tensor([7, 1, 4])
REAL = torch.arange(7) < LENGTHS[:, None]


def build(**params: Any) -> transformer.TransformerClassifier:
    torch.manual_seed(0)
    built = transformer.build(transformer.Params(heads=2, hidden_size=8, ff_size=12, **params), TEXT).eval()
    assert isinstance(built, transformer.TransformerClassifier)
    return built


@pytest.mark.parametrize("pre_norm", [True, False])
def test_a_block_equals_torch_s_encoder_layer(pre_norm: bool) -> None:
    torch.manual_seed(0)
    block = _attention.EncoderBlock(8, 2, 12, 0.0, pre_norm=pre_norm)
    theirs = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True, norm_first=pre_norm)
    pairs = {
        "attention.project": "self_attn.in_proj_",
        "attention.out": "self_attn.out_proj.",
        "feed_forward.widen": "linear1.",
        "feed_forward.narrow": "linear2.",
        "attention_norm": "norm1.",
        "ff_norm": "norm2.",
    }
    state = {
        f"{b}{end}": torch.randn_like(block.get_parameter(f"{a}.{end}"))
        for a, b in pairs.items()
        for end in ("weight", "bias")
    }
    theirs.load_state_dict(state)
    block.load_state_dict({f"{a}.{end}": state[f"{b}{end}"] for a, b in pairs.items() for end in ("weight", "bias")})
    states = torch.randn(3, 7, 8)
    own = block(states, REAL[:, None, None])
    expected = theirs(states, src_key_padding_mask=~REAL)
    torch.testing.assert_close(own[REAL], expected[REAL], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pre_norm", [True, False])
def test_a_decoder_s_block_equals_torch_s(pre_norm: bool) -> None:
    torch.manual_seed(0)
    block = DecoderBlock(8, 2, 12, 0.0, pre_norm=pre_norm)
    theirs = nn.TransformerDecoderLayer(8, 2, 12, dropout=0.0, batch_first=True, norm_first=pre_norm)
    pairs = {
        "attention.project.": "self_attn.in_proj_",
        "attention.out.": "self_attn.out_proj.",
        "cross.out.": "multihead_attn.out_proj.",
        "feed_forward.widen.": "linear1.",
        "feed_forward.narrow.": "linear2.",
        **{f"norms.{number}.": f"norm{number + 1}." for number in range(3)},
    }
    own = {name: torch.randn_like(parameter) for name, parameter in block.named_parameters()}
    block.load_state_dict(own)
    state = {f"{b}{end}": own[f"{a}{end}"] for a, b in pairs.items() for end in ("weight", "bias")}
    state |= {
        f"multihead_attn.in_proj_{end}": torch.cat([own[f"cross.query.{end}"], own[f"cross.key_value.{end}"]])
        for end in ("weight", "bias")
    }
    theirs.load_state_dict(state)
    written, read = torch.randn(3, 5, 8), torch.randn(3, 7, 8)
    causal = causal_mask(5, written.device)
    expected = theirs(written, read, tgt_mask=~causal[0, 0], memory_key_padding_mask=~REAL)
    torch.testing.assert_close(block(written, causal, read, REAL[:, None, None]), expected, rtol=1e-4, atol=1e-4)


def test_rotary_turns_complex_numbers() -> None:
    rotary = _attention.Rotary(16, 6)
    states = torch.randn(2, 3, 7, 6)
    frequency = 10_000.0 ** (-torch.arange(0, 6, 2) / 6)
    turn = torch.polar(torch.ones(7, 3), torch.arange(7)[:, None] * frequency)
    expected = torch.view_as_real(torch.view_as_complex(states.unflatten(3, (3, 2))) * turn).flatten(3)
    torch.testing.assert_close(rotary(states), expected)


def test_rotary_products_depend_on_distance_alone() -> None:
    rotary = _attention.Rotary(16, 6)
    query, key = (torch.randn(6).expand(1, 1, 16, 6) for _ in range(2))
    product = (rotary(query) @ rotary(key).transpose(2, 3))[0, 0]
    for distance in (0, 1, 5):
        diagonal = product.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [8, 7])
def test_sinusoids_are_those_of_the_paper(size: int) -> None:
    table = _attention.SinusoidalPositions(9, size).table
    pairs = (size + 1) // 2
    for position in range(9):
        for feature in range(size):
            angle = position / 10_000 ** ((feature // 2) / pairs)
            expected = math.cos(angle) if feature % 2 else math.sin(angle)
            assert table[position, feature].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
def test_order_matters_with_positions(positions: str) -> None:
    assert not torch.allclose(*forward_and_back(build(positions=positions)), atol=1e-4)


def test_order_is_invisible_without_positions() -> None:
    torch.testing.assert_close(*forward_and_back(build(positions="none")))


def forward_and_back(model: nn.Module) -> tuple[Tensor, Tensor]:
    """Logits of a text and of the same text reversed."""
    tokens, lengths = torch.tensor([[3, 1, 4, 15, 9]]), torch.tensor([5])
    with torch.no_grad():
        return model({"tokens": tokens, "lengths": lengths}), model({"tokens": tokens.flip(1), "lengths": lengths})


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
@pytest.mark.parametrize("pooling", ["mean", "max", "first", "attention"])
def test_no_variant_sees_padding(norm: str, positions: str, pooling: str) -> None:
    model = build(norm=norm, positions=positions, pooling=pooling)
    tokens = torch.randint(1, 30, (3, 9)) * (torch.arange(9) < LENGTHS[:, None])
    with torch.no_grad():
        together = model({"tokens": tokens, "lengths": LENGTHS})
        alone = [
            model({"tokens": tokens[row : row + 1, :length], "lengths": LENGTHS[row : row + 1]})
            for row, length in enumerate(LENGTHS.tolist())
        ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)


def block_parameters(size: int, ff_size: int) -> int:
    attention, feed_forward, norms = 4 * size * (size + 1), 2 * size * ff_size + size + ff_size, 4 * size
    return attention + feed_forward + norms


@pytest.mark.parametrize(
    ("preset", "layers", "size", "ff_size"), [("transformer_base", 6, 512, 2048), ("transformer_big", 6, 1024, 4096)]
)
def test_presets_have_the_paper_s_encoder_and_decoder(preset: str, layers: int, size: int, ff_size: int) -> None:
    with torch.device("meta"):
        model = transformer.build(transformer.Params(**transformer.PRESETS[preset]), transformer.signature(preset))
    cross_attention_and_its_norm = 4 * size * (size + 1) + 2 * size
    expected = 37_000 * size + layers * (2 * block_parameters(size, ff_size) + cross_attention_and_its_norm)
    assert sum(p.numel() for p in model.parameters()) == expected
    published = {"transformer_base": 63_082_496, "transformer_big": 213e6}[preset]  # table 3 rounds the latter
    assert expected == pytest.approx(published, rel=0 if preset == "transformer_base" else 0.01)


@pytest.mark.parametrize(
    ("params", "more"),
    [({"norm": "pre"}, 16), ({"norm": "post"}, 0), ({"norm": "post", "positions": "learned"}, 16 * 8)],
)
def test_parameter_count(params: dict[str, str], more: int) -> None:
    expected = 30 * 8 + 2 * block_parameters(8, 12) + 8 * 3 + 3 + more
    assert sum(p.numel() for p in build(**params).parameters()) == expected


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"hidden_size": 100, "heads": 3}, "hidden_size 100 cannot be shared evenly by heads 3"),
        ({"hidden_size": 6, "heads": 2, "positions": "rotary"}, "hidden_size 6 over heads 2 is odd"),
    ],
)
def test_impossible_sizes_are_refused_in_words(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        transformer.Params(**params)
