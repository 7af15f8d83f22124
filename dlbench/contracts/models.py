"""What a file in `models/` must look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dlbench.contracts.batches import Batch, Part, State
from dlbench.schema.base import Params
from dlbench.schema.signature import Signature

if TYPE_CHECKING:
    import torch


class GradientOfItsOwn(Protocol):
    """What a turn does instead of differentiating its loss."""

    def __call__(
        self, loss: Callable[[Batch], torch.Tensor], batch: Batch, main_batch: Batch, main_lr: float
    ) -> torch.Tensor:
        """Fill `grad` of the turn's parameters, and of no others; nothing may wait for the device.

        Args:
            loss: of a batch, as the turn is trained for, in the job's precision, with its graph.
            batch: the turn's own.
            main_batch: on which the main turn is about to be taken.
            main_lr: the learning rate with which it will be.

        Returns:
            The loss over the turn's batch, a detached scalar.
        """


@dataclass(frozen=True)
class Turn:
    """One of several optimisations that train a model by turns: a GAN's two players, the two levels of DARTS.

    A model names the main turn first. It is taken in every step, an epoch is a pass over its part, and the training
    loss is its loss. The others are taken before it, in their order. Each has its own optimiser over its own
    parameters, which its backward pass alone touches.

    Attributes:
        name: of the turn, unique in the model; the order of its examples is drawn from a stream of this name.
        parameters: what it trains; no other turn does.
        every: in every so-many-th step, counted from 1; the main turn in every step.
        part: of the training split, from which its batches come; None: the whole.
        settings: fields of the suite's `train:` that are different for it, like `{"optimizer": "adam", "lr": 3e-4}`.
        scheduled: whether its learning rate follows the suite's schedule; else it stays at its peak.
        loss: of a batch; None: the model's own loss or the task's, as without turns.
        gradient: instead of differentiating the loss; not for the main turn.
    """

    name: str
    parameters: Sequence[torch.nn.Parameter]
    every: int = 1
    part: Part | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    scheduled: bool = True
    loss: Callable[[Batch], torch.Tensor] | None = None
    gradient: GradientOfItsOwn | None = None


class ModelModule(Protocol):
    """A file in `models/`: an architecture family.

    The built module's `forward(batch)` takes a task's batch (a dict of tensors) and returns what the signature's
    output asks for. A module whose loss is its own also defines `loss(batch)`, with a keyword `label_smoothing` if it
    can smooth its targets. One whose body repeats calls the parts `blocks` (a ModuleList or Sequential): gradient
    checkpointing keeps their inputs only. One with heads that only training uses names them in `auxiliary`.

    One that trains by turns defines `turns() -> Sequence[Turn]`. One that finds something that later jobs need (a
    genotype) defines `outputs() -> dict[str, Json]`, asked once after training. One that holds many models at once
    defines `alternatives() -> Iterator[tuple[dict[str, Json], ContextManager]]`: the name of each, and a context within
    which the module is that one; the worker scores each on the validation split.

    Attributes:
        REVISION: raised when a change to the file changes results; part of every job id.
        PRESETS: preset → parameters, spelled as in the papers.

    A file may also define `space(params) -> Mapping[str, Any]`, its own search space around given parameters, in the
    grammar of a suite's `search: space:` but without `model.` before the names.
    """

    REVISION: int
    Params: type[Params]
    PRESETS: Mapping[str, Mapping[str, Any]]

    def accepts(self, signature: Signature) -> bool:
        """Whether the model can be built for a signature; sizes of None are not known yet."""

    def signature(self, preset: str | None) -> Signature:
        """The signature that the preset's own paper used, all sizes known."""

    def build(self, params: Any, signature: Signature) -> torch.nn.Module:
        """The model, initialised from torch's global generator; must work on the meta device."""


@runtime_checkable
class Writer(Protocol):
    """A model whose answers are sequences of tokens, beside its `forward(batch)`, which is for training.

    `forward` gives the logits of all positions at once, (B, T, vocabulary), each from the tokens that really stand
    before it, `batch["previous"]` (B, T), and from nothing behind. Position by position, `begin` and `step` give the
    same logits, and remember what would otherwise be computed again. It may also define
    `attention(batch) -> Mapping[str, Tensor]`: weights over the input's positions, `cross` (B, T, S) for each position
    of the output, or `encoder` (B, S, S) for each of the input; over several heads their mean.
    """

    def begin(self, batch: Batch) -> tuple[State, State]:
        """What is known of the input, and the state before the first token.

        Neither reads `previous` or `target`. The first part never changes; the second is what `step` passes on.
        """

    def step(self, previous_B: torch.Tensor, position: int, memory: State, state: State) -> tuple[torch.Tensor, State]:
        """Logits of the next token (B, vocabulary), and the state behind it.

        Args:
            previous_B: the token before; at position 0 the one that begins every sequence.
            position: of the next token, from 0.
            memory: the first part of `begin`, rows as in `previous_B`.
            state: as `begin` or the last step left it, rows as in `previous_B`; it is not changed.
        """
