"""rnn, lstm and gru against their cells written out as loops, and against torch's own packed sequences."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from dlbench.catalog import Catalog
from dlbench.models import _recurrent, gru, lstm, rnn
from dlbench.schema.signature import Classes, Signature, Tokens

TEXT = Signature(input=Tokens(vocabulary=30, length=16), output=Classes(classes=3))
NAMES = ("rnn", "lstm", "gru")
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
LENGTHS = torch.tensor([7, 1, 4])


def build(name: str, **params: Any) -> _recurrent.RecurrentClassifier:
    module = Catalog().load("models", name)
    torch.manual_seed(0)
    model = module.build(module.Params(embedding_size=6, hidden_size=5, **params), TEXT).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model


def rnn_cell(f: Callable[[Tensor], Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    """Elman 1990."""

    def cell(x: Tensor, h: Tensor, c: Tensor, w: Tensor, u: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return f(w @ x + u @ h + b), c

    return cell


def lstm_cell(x: Tensor, h: Tensor, c: Tensor, w: Tensor, u: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000."""
    i, f, g, o = (w @ x + u @ h + b).chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru_cell(x: Tensor, h: Tensor, c: Tensor, w: Tensor, u: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Cho et al. 2014, reset gate after the product; `c` carries the second bias."""
    r, z, n = (w @ x + b).chunk(3)
    r_h, z_h, n_h = (u @ h + c).chunk(3)
    new = (n + (r + r_h).sigmoid() * n_h).tanh()
    keep = (z + z_h).sigmoid()
    return (1 - keep) * new + keep * h, c


CELLS: list[tuple[str, dict[str, Any], Callable[..., tuple[Tensor, Tensor]]]] = [
    ("rnn", {}, rnn_cell(torch.tanh)),
    ("rnn", {"activation": "relu"}, rnn_cell(torch.relu)),
    ("lstm", {}, lstm_cell),
    ("gru", {}, gru_cell),
]


@pytest.mark.parametrize(("name", "params", "cell"), CELLS)
def test_a_layer_computes_its_cell_step_by_step(name: str, params: dict[str, Any], cell: Any) -> None:
    body = build(name, **params).body
    vectors = torch.randn(3, 7, 6)
    with torch.no_grad():
        states = body(vectors, LENGTHS)
        w, u, b_w, b_u = body.forwards[0].all_weights[0]
        for row, length in enumerate(LENGTHS.tolist()):
            h, c = torch.zeros(5), b_u if name == "gru" else torch.zeros(5)
            for t in range(length):
                h, c = cell(vectors[row, t], h, c, w, u, b_w if name == "gru" else b_w + b_u)
                torch.testing.assert_close(states[row, t], h)
        torch.testing.assert_close(body.final(states, LENGTHS)[0], states[0, 6])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("layers", [1, 2])
def test_both_directions_equal_torch_s_own_over_packed_sequences(name: str, layers: int) -> None:
    body = build(name, layers=layers, bidirectional=True).body
    oracle = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[name](
        6, 5, num_layers=layers, bidirectional=True, batch_first=True
    )
    vectors = torch.randn(3, 7, 6)
    with torch.no_grad():
        for i in range(layers):
            for own, theirs in ((body.forwards[i], 2 * i), (body.backwards[i], 2 * i + 1)):
                for source, target in zip(own.all_weights[0], oracle.all_weights[theirs], strict=True):
                    target.copy_(source)
        packed, final = oracle(pack_padded_sequence(vectors, LENGTHS, batch_first=True, enforce_sorted=False))
        expected, _ = pad_packed_sequence(packed, batch_first=True)
        states = body(vectors, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(states[row, :length], expected[row, :length])
    hidden = final[0] if name == "lstm" else final
    torch.testing.assert_close(body.final(states, LENGTHS), torch.cat([hidden[-2], hidden[-1]], 1))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_no_pooling_sees_padding(name: str, pooling: str, bidirectional: bool) -> None:
    model = build(name, pooling=pooling, bidirectional=bidirectional, layers=2)
    tokens = torch.randint(1, 30, (3, 9)) * (torch.arange(9) < LENGTHS[:, None])
    with torch.no_grad():
        together = model({"tokens": tokens, "lengths": LENGTHS})
        alone = [
            model({"tokens": tokens[row : row + 1, :length], "lengths": LENGTHS[row : row + 1]})
            for row, length in enumerate(LENGTHS.tolist())
        ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("pooling", "reduce"), [("mean", Tensor.mean), ("max", Tensor.amax)])
def test_pooling_of_a_text_without_padding_is_torch_s_own(pooling: str, reduce: Callable[..., Tensor]) -> None:
    model = build("gru", pooling=pooling)
    tokens, lengths = torch.randint(1, 30, (2, 6)), torch.tensor([6, 6])
    with torch.no_grad():
        pooled = reduce(model.body(model.embedding(tokens), lengths), 1)
        torch.testing.assert_close(model({"tokens": tokens, "lengths": lengths}), model.head(pooled))


def test_attention_pooling_is_the_weighted_sum_of_yang_2016() -> None:
    model = build("gru", pooling="attention")
    tokens, lengths = torch.randint(1, 30, (1, 6)), torch.tensor([6])
    with torch.no_grad():
        states = model.body(model.embedding(tokens), lengths)[0]
        weight = torch.stack([model.attention.query(torch.tanh(model.attention.project(h)))[0] for h in states]).exp()
        pooled = sum(w * h for w, h in zip(weight / weight.sum(), states, strict=True))
        torch.testing.assert_close(model({"tokens": tokens, "lengths": lengths})[0], model.head(pooled))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_parameter_count(name: str, bidirectional: bool) -> None:
    directions = 2 if bidirectional else 1
    first = GATES[name] * 5 * (6 + 5 + 2)
    second = GATES[name] * 5 * (5 * directions + 5 + 2)
    expected = 30 * 6 + directions * (first + second) + 5 * directions * 3 + 3
    model = build(name, layers=2, bidirectional=bidirectional)
    assert sum(p.numel() for p in model.parameters()) == expected


@pytest.mark.parametrize(("family", "gates"), [(lstm, 4), (gru, 3), (rnn, 1)], ids=["lstm", "gru", "rnn"])
def test_recurrent_blocks_start_orthogonal(family: Any, gates: int) -> None:
    for block in family.layer(family.Params(), 6, 8).all_weights[0][1].chunk(gates):
        torch.testing.assert_close(block @ block.T, torch.eye(8), rtol=0, atol=1e-5)


def test_gates_start_as_open_to_the_past_as_asked() -> None:
    kept = lstm.layer(lstm.Params(forget_bias=2.5), 6, 8).all_weights[0][2]
    assert torch.equal(kept[8:16], torch.full((8,), 2.5))
    kept = gru.layer(gru.Params(update_bias=1.5), 6, 8).all_weights[0][2]
    assert torch.equal(kept, torch.cat([torch.zeros(8), torch.full((8,), 1.5), torch.zeros(8)]))


def test_a_fresh_lstm_remembers() -> None:
    _, _, input_bias, recurrent_bias = lstm.layer(lstm.Params(), 6, 8).all_weights[0]
    assert (input_bias + recurrent_bias).tolist() == [0.0] * 8 + [1.0] * 8 + [0.0] * 16


def test_a_fresh_irnn_copies_its_state() -> None:
    params = rnn.Params(**rnn.PRESETS["irnn"])
    assert torch.equal(rnn.layer(params, 6, 8).all_weights[0][1], torch.eye(8))
