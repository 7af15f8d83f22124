"""Elman network over tokens or rows of an image: plain recurrence, one hidden state and no gates.

Elman 1990, Finding Structure in Time: h' = f(W x + b + U h + c), f is tanh, or relu as in Le, Jaitly & Hinton 2015.
The recurrent weight starts orthogonal, or as the identity (their IRNN); input weights Xavier-uniform, biases at 0.
What lies many steps back reaches neither state nor gradient (Bengio et al. 1994): expect it to fail at long lags.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from pydantic import Field
from torch import nn

from dlbench.models import _recurrent, _recurrent_writer, _sequence
from dlbench.schema.signature import Signature

REVISION = 2


class Params(_recurrent.RecurrentParams):
    """Size and shape of the network."""

    activation: Literal["tanh", "relu"] = Field("tanh", description="what squashes the hidden state")
    start: Literal["orthogonal", "identity"] = Field("orthogonal", description="recurrent weight before training")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "irnn": {"hidden_size": 100, "activation": "relu", "start": "identity", "pooling": "last", "dropout": 0.0},
}
"""`irnn`: Le, Jaitly & Hinton 2015, A Simple Way to Initialize Recurrent Networks, §4.1 (100 units, identity)."""


def space(params: Params) -> dict[str, Any]:
    """What all recurrent classifiers search."""
    return _recurrent.space()


def accepts(signature: Signature) -> bool:
    """Token sequences or images to classes or token sequences; token sequences to a class for each token."""
    return _recurrent.reads(signature) or _recurrent_writer.accepts(signature)


def signature(preset: str | None) -> Signature:
    """AG News (the paper of `irnn` reads numbers and pixels, no text)."""
    return _sequence.AG_NEWS


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier, the tagger, or the encoder–decoder."""
    if _recurrent_writer.accepts(signature):
        return _recurrent_writer.build(params, partial(layer, params), signature)
    return _recurrent.build_reader(params, partial(layer, params), signature)


def layer(params: Params, input_size: int, hidden_size: int) -> nn.RNN:
    """One layer in one direction, initialised as the module says."""
    rnn = nn.RNN(input_size, hidden_size, nonlinearity=params.activation, batch_first=True)
    _recurrent.start(rnn, gates=1)
    if params.start == "identity":
        nn.init.eye_(rnn.all_weights[0][1])
    return rnn
