"""What everything on a shelf must look like, and what Source and Executor promise.

Modules on shelves are checked against these by `tests/contracts/test_<shelf>.py`, over every name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from dlbench.schema.base import Params, Value
from dlbench.schema.data import DataFile
from dlbench.schema.event import Event
from dlbench.schema.job import Entry
from dlbench.schema.metric import Direction, Metric
from dlbench.schema.record import Record
from dlbench.schema.search import Objective
from dlbench.schema.signature import Signature
from dlbench.schema.space import Point, Space
from dlbench.schema.study import Proposal, Told

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from dlbench.schema.blocks import Section

Batch = dict[str, "torch.Tensor"]

Part = tuple[int, int]
"""Part k of n of a split, `(k, n)`, counted from 0."""

Predictions: TypeAlias = "torch.Tensor | Mapping[str, torch.Tensor]"
"""What a task scores: a tensor, or several under their names, each with one row an example."""

State = dict[str, "torch.Tensor"]
"""What a model that answers with sequences remembers while it writes; the rows of every tensor are examples."""

Shown: TypeAlias = "str | NDArray[np.uint8]"
"""An example as a person sees it: a text, or a picture, (height, width, 1 or 3): grey, or red, green and blue."""


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


class Task(Protocol):
    """A built task: examples in memory, on one device."""

    signature: Signature
    sizes: Mapping[str, int]

    def to(self, device: torch.device) -> None:
        """Move every split to the device."""

    def batches(
        self, split: str, batch_size: int, generator: torch.Generator | None = None, part: Part | None = None
    ) -> Iterator[Batch]:
        """Batches of a split, ceil(size / batch_size) of them, each example once.

        With a generator (on the CPU) the order is drawn from it; without one it is fixed and similar lengths may
        share a batch. Every batch has `index`, the rows of its examples in the split, (B,).

        With a part (k, n) only its examples come, ceil((size - k) / n) of them; the n parts are fixed, disjoint and
        together the split.
        """

    def loss(self, output: Any, batch: Batch, *, label_smoothing: float = 0.0) -> torch.Tensor:
        """Mean loss of the model's forward output over the batch, a scalar."""

    def predict(self, model: torch.nn.Module, batch: Batch) -> Predictions:
        """What is scored of one forward pass, one row an example."""

    def score(self, predictions: Predictions, split: str) -> list[Metric]:
        """Metrics of a split's predictions (rows in the split's order), the task's own first, names unprefixed."""

    def keep(self, predictions: Predictions, split: str) -> dict[str, NDArray[np.generic]]:
        """Columns of the per-example file, one row an example; of classes at least `target` and `predicted`."""


@runtime_checkable
class Classifier(Task, Protocol):
    """A task that finds the class of things which a person can look at; its worst mistakes are kept and reported.

    Its `predict` gives log-probabilities of the classes, (B, C); a task without `classes` or `show` is just a task.
    """

    classes: tuple[str, ...]

    def show(self, row: int) -> Shown:
        """The test example of that row as it was before the task made it fit for a model; long texts are cut."""


@runtime_checkable
class Generator(Task, Protocol):
    """A task whose answers are written token by token by a `Writer`; samples of them are kept and reported.

    Its `predict` gives several tensors under their names; `score` and `keep` get them with those of `generate`.
    """

    def generate(self, model: torch.nn.Module, batch: Batch, length: int | None = None) -> Mapping[str, torch.Tensor]:
        """What the model writes for each example: `generated`, ids (B, longest answer), 0 behind the end.

        Args:
            model: a `Writer`.
            batch: what it reads.
            length: write so many tokens, whatever they are, one after the other (for measuring); None: until each
                sequence ends, searching as the task's parameters say.
        """

    def show(self, row: int) -> Shown:
        """What is read in the test example of that row, as it was before it was made fit for a model."""

    def reference(self, row: int) -> str:
        """What should be written in the test example of that row."""

    def written(self, generated_NT: torch.Tensor) -> list[str]:
        """Rows of ids as text."""

    def pieces(self, batch: Batch) -> list[tuple[list[str], list[str]]]:
        """The tokens of each example of a batch as a person reads them: of the input (or none), and of the target."""


class TaskModule(Protocol):
    """A file in `tasks/`: a kind of learning problem.

    Attributes:
        DATASETS: datasets used when a suite names none, in order of preference; the last is built in.
        SCORES: name and direction of every metric that `score` can give, the task's own first: what a search looks for
            when it is not told, and what it can be told to look for.
    """

    REVISION: int
    Params: type[Params]
    DATASETS: tuple[str, ...]
    SCORES: Mapping[str, Direction]

    def outline(self, params: Any) -> Signature:
        """The signature as far as it is known before any data is read."""

    def build(self, params: Any, dataset: Dataset) -> Task:
        """The task over a dataset."""


class Dataset(Protocol):
    """A dataset module bound to parameters and a folder (`dlbench.worker.data`)."""

    name: str
    params: Params
    digest: str
    revision: int
    source: str

    def split(self, split: str) -> Any:
        """The examples of `train`, `val` or `test`, in the form that the dataset's tasks agree on."""


class DatasetModule(Protocol):
    """A file in `datasets/`: either `FILES` and `load(split, root, params)`, or, built in, `make(split, params)`.

    The seed of a built-in dataset is one of its parameters (`seed`, default 0), never the job's.
    """

    REVISION: int
    Params: type[Params]
    TASKS: tuple[str, ...]
    FILES: tuple[DataFile, ...]

    def load(self, split: str, root: Path, params: Any) -> Any:
        """Examples of a split, read from files below `root`."""

    def make(self, split: str, params: Any) -> Any:
        """Examples of a split, generated."""


class Resources(Value):
    """What a job needs while it runs.

    Attributes:
        devices: numbers of the GPUs that are kept for it, among those that this process sees; empty: it sees all.
        asks: whether the job asks after each validation if it should go on, and waits for the answer.
    """

    processes: int = 1
    gpus: int = 0
    threads: int = 1
    exclusive: bool = False
    devices: tuple[int, ...] = ()
    asks: bool = False


class News(Value):
    """Something that an executor saw: an attempt has ended, or asks whether to go on.

    Attributes:
        how: for the reason of a `lost` record: `exit code 1`, `killed by signal 9 (SIGKILL)`.
        asks: the attempt goes on, and waits for `Executor.answer`.
    """

    folder: Path
    how: str = ""
    asks: bool = False


class Executor(Protocol):
    """Works the folders of jobs somewhere; knows nothing of stores and suites."""

    def start(self, folder: Path, resources: Resources) -> None:
        """Begin to work a folder; returns at once."""

    def poll(self, timeout_s: float) -> list[News]:
        """Wait until something ends or asks, at most so long; a passive wait."""

    def answer(self, folder: Path, *, go: bool) -> None:
        """Answer a job that asked whether to go on.

        An executor that cannot carry questions never lets a job ask: its curve is judged when it has ended.
        """

    def kill(self, folder: Path) -> None:
        """End the work on a folder at once; `poll` then tells of it."""

    def stop(self) -> None:
        """End everything at once; the executor cannot be used afterwards."""


class Source(Protocol):
    """Decides the next job."""

    def ask(self) -> Entry | None:
        """The next entry, or None: nothing more can be named now."""

    def report(self, entry: Entry, event: Event) -> bool:
        """A job of this source has a validation score: whether it should go on.

        Called for every validation in order before the job's record is told, whether the job was just asking, went
        on without asking, or left its curve in the store long ago; the same validation may come again.
        """

    def tell(self, entry: Entry, record: Record) -> None:
        """A job of this source has a record (new, or from the store)."""

    @property
    def finished(self) -> bool:
        """Whether `ask` will never name another entry."""


class Strategy(Protocol):
    """One study's search: names candidates, hears what became of them.

    A pure function of (study seed, number, all that was told so far), spelled as an object so that it may remember
    what it has already worked out: after the same calls of `ask` and `tell` in the same order it gives the same answer,
    whether it was asked just now or is being brought back from a log.
    """

    def ask(self, number: int, seed: int) -> Proposal | None:
        """The next candidate, or None: nothing more until another candidate has been told (or at all).

        Args:
            number: of the candidate, counted up by the study.
            seed: of all that is random in this one answer; depends on study seed, number and what was told.
        """

    def asked(self, number: int, point: Point, seed: int) -> None:
        """Take in a candidate that has its number already: from the log, from `first:`, from earlier records.

        A strategy that leaves marks of its own on a candidate when it is asked for one makes them again here.
        """

    def tell(self, number: int, told: Told) -> None:
        """What became of a candidate."""


class StrategyModule(Protocol):
    """A file in `strategies/`: a way to search.

    Attributes:
        MANY: whether it can search for several objectives at once.
        APART: whether it needs torch, and is therefore asked in a child of the warm process.
    """

    MANY: bool
    APART: bool
    Params: type[Params]

    def complaint(self, params: Any, space: Space) -> str | None:
        """Why it cannot search a space; None if it can."""

    def build(self, params: Any, space: Space, objectives: Sequence[Objective], seed: int) -> Strategy:
        """A study's strategy; `seed` is the study's."""


class SectionModule(Protocol):
    """A file in `sections/`: one part of a report.

    Attributes:
        POSITION: where it stands among the others; lower is earlier.
    """

    POSITION: ClassVar[int]

    def build(self, results: Any) -> Section | None:
        """The section, or None when the results hold nothing for it."""


class Rig(Protocol):
    """What a meter is given: one model in one phase on one device, ready to step.

    Attributes:
        phase: `train`, `infer`, `decode`, `sample`; or `model`, in which nothing is stepped.
        baseline_bytes: memory of the process (CPU) or of the device (CUDA) before the model was built.
        batches: the batches that the steps cycle through.
        limit_s: seconds after which a timing that has not settled ends.
        mark: called in a step at the end of each of its parts, with the part's name: `forward`, and in training
            `backward` and `optimizer`, as often as the step has such a part. A meter sets it, and puts it back.
        compiled: whether the model runs through torch.compile.
        first_step_s: how long the phase's very first step took in this process, compilation included.
        recomputed: modules whose inputs alone are kept for the backward pass.
    """

    phase: str
    device: torch.device
    model: torch.nn.Module
    batches: list[Batch]
    baseline_bytes: int
    limit_s: float
    precision: str
    mark: Callable[[str], None]
    compiled: bool
    first_step_s: float | None
    recomputed: Sequence[torch.nn.Module]

    def clock(self) -> float:
        """Seconds, monotonic."""

    def synchronize(self) -> None:
        """Wait until the device has done all that was asked of it."""

    def step(self, batch: Batch) -> None:
        """One step of the phase."""

    def draw(self) -> Batch:
        """The next full batch, made as training makes it, wherever the task keeps its data."""

    def optimizer_state(self) -> list[torch.Tensor]:
        """What the optimisers remember, on any device; empty outside training and before its first step."""

    def trim(self) -> None:
        """Hand freed memory back to the system or the device, so that it does not count as in use."""

    def eager(self) -> Rig:
        """The same phase of an equal model without torch.compile."""

    def build_on_meta(self) -> torch.nn.Module:
        """The same model on the meta device."""


class Meter(Protocol):
    """Measures one thing over a region of steps."""

    def __enter__(self) -> Any:
        """The region begins."""

    def __exit__(self, *exc: object) -> None:
        """The region has ended."""

    def step(self, samples: int) -> bool:
        """A step over so many samples has ended; whether the meter wants another."""

    def read(self) -> list[Metric]:
        """What was measured; names without the phase."""


class MeterModule(Protocol):
    """A file in `meters/`.

    Attributes:
        PHASES: the phases it measures; `model` for what needs no step.
        CLOCKED: whether it measures time or what depends on it. Then it steps through all batches, and a region that
            something disturbed is measured again; else it steps the largest batch over and over.
    """

    REVISION: int
    PHASES: tuple[str, ...]
    CLOCKED: bool

    def build(self, rig: Rig) -> Meter | None:
        """A meter for one phase; None where there is nothing to measure."""
