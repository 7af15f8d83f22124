"""LSTM over tokens or rows of an image: a memory cell behind gates keeps what others forget.

Hochreiter & Schmidhuber 1997 with the forget gate of Gers, Schmidhuber & Cummins 2000 (no peepholes, torch's gate
order input, forget, cell, output). Each gate's recurrent block starts orthogonal, its input block Xavier-uniform,
biases at 0 but the forget gate's at 1, so that a fresh cell remembers (Gers 2000, §4; Jozefowicz et al. 2015). For lags
of hundreds of steps it should start higher, about the logarithm of the lag (Tallec & Ollivier 2018, §2).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import Field
from torch import nn

from dlbench.models import _recurrent, _recurrent_writer, _sequence
from dlbench.schema.signature import Signature

REVISION = 2


class Params(_recurrent.RecurrentParams):
    """Size and shape of the LSTM."""

    forget_bias: float = Field(1.0, description="first bias of the forget gate; higher remembers longer at the start")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "zhang2015": {"embedding_size": 300, "hidden_size": 512, "dropout": 0.0, "pooling": "mean"},
}
"""`zhang2015`: the LSTM baseline of Zhang, Zhao & LeCun 2015, §3.2 (13.94 % error on AG News), without word2vec."""


def space(params: Params) -> dict[str, Any]:
    """What all recurrent classifiers search."""
    return _recurrent.space()


def accepts(signature: Signature) -> bool:
    """Token sequences or images to classes or token sequences; token sequences to a class for each token."""
    return _recurrent.reads(signature) or _recurrent_writer.accepts(signature)


def signature(preset: str | None) -> Signature:
    """AG News."""
    return _sequence.AG_NEWS


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier, the tagger, or the encoder–decoder."""
    if _recurrent_writer.accepts(signature):
        return _recurrent_writer.build(params, partial(layer, params), signature)
    return _recurrent.build_reader(params, partial(layer, params), signature)


def layer(params: Params, input_size: int, hidden_size: int) -> nn.LSTM:
    """One layer in one direction, initialised as the module says."""
    lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
    _recurrent.start(lstm, gates=4)
    input_bias = lstm.all_weights[0][2]
    nn.init.constant_(input_bias[hidden_size : 2 * hidden_size], params.forget_bias)
    return lstm
