"""Vision Transformer: an image is a sequence of patches, read by a Transformer encoder.

Dosovitskiy et al. 2021, An Image is Worth 16×16 Words, §3.1: patches become vectors by one linear map, a learned class
token stands before them, learned positions are added, blocks have their norm before each part and GELU, and a norm
ends them. Instead of the class token's, the mean of all states can be classified (appendix D.3); instead of learned
ones, positions can be sines and cosines of row and column (Beyer et al. 2022, Better plain ViT baselines). Dropout acts
after positions and after every dense layer but the projection to queries, keys and values (appendix B.1). Ti and S are
DeiT's (Touvron et al. 2021, table 1), with its stochastic depth and without dropout (table 9).

Weights start as in the authors' code (google-research/vision_transformer, `models_vit.py`): matrices Xavier-uniform,
query, key and value each by itself, the patches' map normal (cut at two) with variance 1/fan_in, positions normal with
standard deviation 0.02, class token and biases at 0. There the classifier starts at 0, too; here Xavier-uniform, so
that the first step already teaches all layers.

Shapes: B examples, T patches (and the class token), D = hidden_size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.models import _attention, _image, _stochastic_depth
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.signature import Signature

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch

REVISION = 1

NORM_EPS = 1e-6
"""Added to variances in layer norm, as in the authors' code."""


class Params(BaseParams):
    """Size and shape of the network."""

    patch_size: int = Field(4, ge=1, le=1024, description="pixels a side of a patch; image sides are multiples of it")
    layers: int = Field(4, ge=1, le=256, description="blocks of self-attention and feed-forward")
    heads: int = Field(2, ge=1, le=256, description="attention heads; they share hidden_size evenly")
    hidden_size: int = Field(64, ge=1, le=65_536, description="size of a patch's vector throughout")
    mlp_size: int = Field(256, ge=1, le=262_144, description="inner size of the feed-forward part")
    dropout: float = Field(0.0, ge=0, lt=1, description="after positions and after dense layers")
    stochastic_depth: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="chance in training that the last block's parts are left out; less for earlier ones",
    )
    positions: Literal["learned", "sinusoidal"] = Field("learned", description="how a patch's place is told")
    pooling: Literal["class", "mean"] = Field(
        "class", description="what is classified: the state of a class token, or the mean over patches"
    )

    @model_validator(mode="after")
    def _sizes_fit(self) -> Params:
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} cannot be shared evenly by heads {self.heads}")
        if self.positions == "sinusoidal" and self.hidden_size % 4:
            raise ValueError(
                "positions sinusoidal are sines and cosines of rows and of columns: hidden_size must be a multiple "
                f"of 4, not {self.hidden_size}"
            )
        return self


def _published(patch_size: int, layers: int, heads: int, hidden_size: int, **regularisation: float) -> dict[str, Any]:
    return {
        "patch_size": patch_size, "layers": layers, "heads": heads, "hidden_size": hidden_size,
        "mlp_size": 4 * hidden_size, **regularisation,
    }  # fmt: skip


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "vit_ti16": _published(16, 12, 3, 192, stochastic_depth=0.1),
    "vit_s16": _published(16, 12, 6, 384, stochastic_depth=0.1),
    "vit_b16": _published(16, 12, 12, 768, dropout=0.1),
    "vit_b32": _published(32, 12, 12, 768, dropout=0.1),
    "vit_l16": _published(16, 24, 16, 1024, dropout=0.1),
    "vit_l32": _published(32, 24, 16, 1024, dropout=0.1),
}
"""Dosovitskiy et al. 2021, table 1, with table 3's dropout for training on ImageNet; Touvron et al. 2021, table 1."""


def space(params: Params) -> dict[str, Any]:
    """Depth, width and their shares; any number of heads here shares any size evenly."""
    return {"layers": [2, 3, 4], "heads": [2, 4], "hidden_size": [32, 64, 96], "mlp_size": [64, 128, 256]}


def accepts(signature: Signature) -> bool:
    """Images to classes."""
    return _image.reads_image_tells_class(signature)


def signature(preset: str | None) -> Signature:
    """ImageNet for the papers' presets, else CIFAR-10."""
    return _image.IMAGENET if preset else _image.CIFAR10


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier.

    Raises:
        ValueError: the image cannot be cut into whole patches.
    """
    channels, height, width, classes = _image.sizes(signature)
    size = params.patch_size
    if height % size or width % size:
        raise ValueError(
            f"images of {height}×{width} cannot be cut into patches of {size}×{size}: "
            "height and width must be multiples of patch_size"
        )
    return VisionTransformer(params, channels, height // size, width // size, classes)


class GridPositions(nn.Module):
    """Adds sines and cosines of the row and of the column (Beyer et al. 2022), half of D each; nothing to other tokens.

    Args:
        rows: of patches.
        columns: of patches.
        before: tokens before the patches.
        size: D, a multiple of 4.
    """

    table: Tensor

    def __init__(self, rows: int, columns: int, before: int, size: int) -> None:
        super().__init__()
        row_angle = _attention.angles(rows, size // 4)[:, None].expand(-1, columns, -1)
        column_angle = _attention.angles(columns, size // 4)[None].expand(rows, -1, -1)
        angle = torch.cat([row_angle, column_angle], 2).flatten(0, 1)
        table = torch.cat([torch.zeros(before, size), torch.cat([angle.sin(), angle.cos()], 1)])
        self.register_buffer("table", table, persistent=False)

    def forward(self, states_BTD: Tensor) -> Tensor:
        """States that know their position, (B, T, D)."""
        return states_BTD + self.table


class VisionTransformer(nn.Module):
    """Patches to logits through encoder blocks."""

    def __init__(self, params: Params, channels: int, rows: int, columns: int, classes: int) -> None:
        super().__init__()
        size, patch = params.hidden_size, params.patch_size
        self.patches = nn.Conv2d(channels, size, patch, stride=patch)
        self.pooling = params.pooling
        if params.pooling == "class":
            self.class_token = nn.Parameter(torch.zeros(size))
        tokens = 1 if params.pooling == "class" else 0
        self.add_positions: nn.Module
        if params.positions == "learned":
            self.add_positions = _attention.LearnedPositions(tokens + rows * columns, size)
        else:
            self.add_positions = GridPositions(rows, columns, tokens, size)
        self.dropout = nn.Dropout(params.dropout)
        self.blocks = nn.ModuleList(
            _attention.EncoderBlock(
                size,
                params.heads,
                params.mlp_size,
                params.dropout,
                pre_norm=True,
                activation=F.gelu,
                inner_dropout=params.dropout,
                stochastic_depth=chance,
                norm_eps=NORM_EPS,
            )
            for chance in _stochastic_depth.rising(params.stochastic_depth, params.layers)
        )
        self.norm = nn.LayerNorm(size, eps=NORM_EPS)
        self.head = nn.Linear(size, classes)
        self._start()

    def _start(self) -> None:
        cut_normal_std = 0.87962566  # of a standard normal cut at ±2, which JAX's initialisers make up for
        std = 1 / math.sqrt(self.patches.weight[0].numel()) / cut_normal_std
        nn.init.trunc_normal_(self.patches.weight, std=std, a=-2 * std, b=2 * std)
        nn.init.xavier_uniform_(self.head.weight)
        for bias in ("patches.bias", "head.bias"):
            nn.init.zeros_(self.get_parameter(bias))

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        states_BTD: Tensor = self.patches(batch["image"]).flatten(2).transpose(1, 2)
        if self.pooling == "class":
            states_BTD = torch.cat([self.class_token.expand(len(states_BTD), 1, -1), states_BTD], 1)
        states_BTD = self.dropout(self.add_positions(states_BTD))
        for block in self.blocks:
            states_BTD = block(states_BTD)
        states_BTD = self.norm(states_BTD)
        logits: Tensor = self.head(states_BTD[:, 0] if self.pooling == "class" else states_BTD.mean(1))
        return logits
