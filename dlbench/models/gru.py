"""GRU over tokens or rows of an image: two gates and no cell, three quarters of an LSTM.

Cho et al. 2014, Learning Phrase Representations, §2.3, in the form that fused kernels compute: the reset gate acts
after the recurrent product, n = tanh(W x + b + r ∘ (U h + c)), h' = (1 - z) ∘ n + z ∘ h. Each gate's recurrent
block starts orthogonal, its input block Xavier-uniform, biases at 0. For long lags the update gate's, which keeps the
state, should start at about the logarithm of the lag (Tallec & Ollivier 2018, §2).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import Field
from torch import nn

from dlbench.models import _recurrent, _recurrent_writer, _sequence
from dlbench.schema.signature import Classes, Signature, Tokens

REVISION = 2


class Params(_recurrent.RecurrentParams):
    """Size and shape of the GRU."""

    update_bias: float = Field(0.0, description="first bias of the update gate; higher remembers longer at the start")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "yang2016": {"embedding_size": 200, "hidden_size": 50, "bidirectional": True, "pooling": "attention"},
}
"""`yang2016`: the word level of the hierarchical attention network, Yang et al. 2016, §2.2 and §3.3."""


def space(params: Params) -> dict[str, Any]:
    """What all recurrent classifiers search."""
    return _recurrent.space()


def accepts(signature: Signature) -> bool:
    """Token sequences or images to classes or token sequences; token sequences to a class for each token."""
    return _recurrent.reads(signature) or _recurrent_writer.accepts(signature)


def signature(preset: str | None) -> Signature:
    """AG News; `yang2016` with the sizes of Yelp 2013 (Yang et al. 2016, table 1)."""
    if preset is None:
        return _sequence.AG_NEWS
    return Signature(input=Tokens(vocabulary=211_245, length=1_184), output=Classes(classes=5))


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier, the tagger, or the encoder–decoder."""
    if _recurrent_writer.accepts(signature):
        return _recurrent_writer.build(params, partial(layer, params), signature)
    return _recurrent.build_reader(params, partial(layer, params), signature)


def layer(params: Params, input_size: int, hidden_size: int) -> nn.GRU:
    """One layer in one direction, initialised as the module says."""
    gru = nn.GRU(input_size, hidden_size, batch_first=True)
    _recurrent.start(gru, gates=3)
    input_bias = gru.all_weights[0][2]
    nn.init.constant_(input_bias[hidden_size : 2 * hidden_size], params.update_bias)
    return gru
