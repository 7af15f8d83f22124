"""What similar lengths in a batch, remembered states, and the harness itself cost or bring in translation.

    python tests/benchmarks/bench_translation.py buckets [rounds]   training on Multi30k: batches of similar lengths
    python tests/benchmarks/bench_translation.py cache [rounds]     writing 50 tokens step by step, with begin and step
    python tests/benchmarks/bench_translation.py step [rounds]      the harness's training step against a bare one

Each prints medians with quartiles of ratios measured in turn in one process, in fp32 with one thread. `buckets`
compares tokens in the same time with those of the same batches padded to the split's longest, and with examples in
random order padded to the longest of their batch; needs Multi30k, from the cache, a mirror (`DLBENCH_DATA_MIRROR`) or
the network. `cache` compares with a forward pass over all that is written for each token. `step` takes steps of some
milliseconds, on short sequences of symbols. Aims: 1.5 times (the first), 3 times, 0.97.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dlbench.catalog import Catalog
from dlbench.contracts.batches import Batch
from dlbench.errors import DlbenchError
from dlbench.models._sequence import MULTI30K
from dlbench.plan.data import DataOptions, obtain
from dlbench.schema.signature import Signature
from dlbench.schema.train import TrainSettings
from dlbench.tasks._decoding import BEGIN, END, PADDING, greedy
from dlbench.tasks.translation import Translation
from dlbench.worker.data import BoundDataset
from dlbench.worker.precision import Precision
from dlbench.worker.step import TrainStep

CPU = torch.device("cpu")
CATALOG = Catalog()
BATCH = 64
WRITTEN = 50
"""Tokens that are written in `cache`."""

MODELS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "GRU without attention": ("gru", {"attention": "none"}),
    "GRU with additive attention": ("gru", {"attention": "additive"}),
    "Transformer": ("transformer", {"hidden_size": 128, "heads": 4, "ff_size": 512, "layers": 3}),
    "convolutional": ("conv_seq2seq", {}),
}

Run = Callable[[], float]
"""Does some work, and returns how much of it was done in a second."""


def build(model: str, signature: Signature) -> Any:
    """A model in training mode."""
    name, params = MODELS[model]
    family = CATALOG.load("models", name)
    torch.manual_seed(0)
    return family.build(family.Params(**params), signature).train()


def compared(runs: Mapping[str, Run], rounds: int) -> dict[str, list[float]]:
    """What each did in a second, in turn, after one that is not counted."""
    for run in runs.values():
        run()
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in list(runs)[:: 1 if number % 2 else -1]:
            rates[name].append(runs[name]())
    return rates


def ratio(one: Sequence[float], other: Sequence[float]) -> str:
    """Median and quartiles of one over the other."""
    low, middle, high = statistics.quantiles([a / b for a, b in zip(one, other, strict=True)], n=4)
    return f"{middle:.3f} (quartiles {low:.3f} to {high:.3f}, n = {len(one)})"


def multi30k() -> Translation:
    """German into English, 8,000 subwords on either side."""
    dataset = CATALOG.load("datasets", "multi30k")
    params = dataset.Params()
    given = {"params": params.model_dump(), "revision": dataset.REVISION}
    found = obtain("multi30k", dataset.FILES, **given, options=DataOptions.from_environment(None, None, None))
    if found.data is None or found.data.root is None:
        sys.exit("; ".join(["Multi30k could not be had", *found.notes]))
    return translation(BoundDataset(dataset, params, found.data.root, found.data.digest))


def translation(dataset: BoundDataset) -> Translation:
    """The task with its defaults."""
    module = CATALOG.load("tasks", "translation")
    task: Translation = module.build(module.Params(), dataset)
    return task


def widened(batch: Batch, source: int, target: int) -> Batch:
    """The same batch, padded to other lengths."""
    widths = {"tokens": source, "target": target, "previous": target}
    return {
        key: F.pad(rows, (0, widths[key] - rows.shape[1])) if key in widths else rows for key, rows in batch.items()
    }


def together(batches: Sequence[Batch]) -> Batch:
    """All examples of some batches."""
    widths = [max(batch[key].shape[1] for batch in batches) for key in ("tokens", "target")]
    wide = [widened(batch, *widths) for batch in batches]
    return {key: torch.cat([batch[key] for batch in wide]) for key in batches[0]}


def shuffled(batches: Sequence[Batch]) -> list[Batch]:
    """The same examples in random order, each batch as wide as its longest."""
    every = together(batches)
    order = torch.randperm(len(every["index"]), generator=torch.Generator().manual_seed(1))
    drawn = [{key: rows[index] for key, rows in every.items()} for index in order.split(BATCH)]
    return [
        {
            key: rows[:, : int((batch["tokens" if key == "tokens" else "target"] != 0).sum(1).max())]
            if rows.ndim == 2
            else rows
            for key, rows in batch.items()
        }
        for batch in drawn
    ]


def buckets(rounds: int = 9, steps: int = 8) -> None:
    """Tokens of training a second with batches of similar lengths, and without."""
    task = multi30k()
    stream = task.batches("train", BATCH, torch.Generator().manual_seed(0))
    bucketed = [next(stream) for _ in range(steps)]
    sides = [task.signature.input, task.signature.output]
    longest = [max(int(rows.shape[1]) for rows in split) for split in _of_training(task)]
    ways = {
        "similar lengths": bucketed,
        "random": shuffled(bucketed),
        "longest": [widened(batch, *longest) for batch in bucketed],
    }
    tokens = sum(int((batch[key] != 0).sum()) for batch in bucketed for key in ("tokens", "target"))
    places = {
        way: sum(batch[k].numel() for batch in found for k in ("tokens", "target")) for way, found in ways.items()
    }
    shares = ", ".join(f"{way} {1 - tokens / count:.0%}" for way, count in places.items())
    print(f"Multi30k de→en, batch {BATCH}, up to {longest[0]} and {longest[1]} tokens ({sides[0].vocabulary:,} ids)")
    print(f"padding: {shares}")
    for model in MODELS:
        step = TrainStep(task, build(model, task.signature), TrainSettings(), Precision("fp32", CPU))

        def rate(batches: list[Batch], step: TrainStep = step) -> float:
            began = time.perf_counter()
            for batch in batches:
                step([batch])
            return tokens / (time.perf_counter() - began)

        rates = compared({way: lambda found=found, rate=rate: rate(found) for way, found in ways.items()}, rounds)
        similar = rates["similar lengths"]
        print(
            f"{model}: {statistics.median(similar):,.0f} tokens/s; over padding to the split's longest "
            f"{ratio(similar, rates['longest'])}, over random order {ratio(similar, rates['random'])}"
        )


def _of_training(task: Translation) -> list[list[Tensor]]:
    batches = list(task.batches("train", 1024))
    return [[batch[key] for batch in batches] for key in ("tokens", "target")]


def cache(rounds: int = 7) -> None:
    """Tokens written in a second by steps that remember, and by forward passes over all that was written."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(8, 20, (BATCH,), generator=generator)
    tokens = torch.randint(4, 8000, (BATCH, int(lengths.max())), generator=generator)
    tokens[torch.arange(tokens.shape[1]) >= lengths[:, None]] = PADDING
    batch = {"tokens": tokens, "lengths": lengths, "index": torch.arange(BATCH)}
    for name in MODELS:
        model = build(name, MULTI30K).eval()
        written = {
            "cached": lambda model=model: greedy(model, batch, WRITTEN, exactly=True),
            "again": lambda model=model: from_scratch(model, batch),
        }

        def rate(write: Callable[[], Tensor]) -> float:
            began = time.perf_counter()
            with torch.inference_mode():
                write()
            return BATCH * WRITTEN / (time.perf_counter() - began)

        with torch.inference_mode():
            same = (written["cached"]() == written["again"]()).all(1).float().mean()
        rates = compared({way: lambda write=write: rate(write) for way, write in written.items()}, rounds)
        print(
            f"{name}: {statistics.median(rates['cached']):,.0f} tokens/s of {BATCH} sequences at once; cached over "
            f"uncached {ratio(rates['cached'], rates['again'])}; {same:.0%} of the sequences are the same"
        )


def from_scratch(model: Any, batch: Batch) -> Tensor:
    """Greedy decoding as `greedy` does it, by forward passes alone."""
    previous_BT = torch.full((BATCH, 1), BEGIN)
    for _ in range(WRITTEN):
        logits_BV = model({**batch, "previous": previous_BT})[:, -1]
        logits_BV[:, [PADDING, BEGIN, END]] = -torch.inf
        previous_BT = torch.cat([previous_BT, logits_BV.argmax(1, keepdim=True)], 1)
    return previous_BT[:, 1:]


def step(rounds: int = 15, steps: int = 40) -> None:
    """Training steps a second of the harness over those of what one would write by hand."""
    dataset = CATALOG.load("datasets", "reverse")
    sizes = dataset.Params(train_size=steps * BATCH, val_size=10, test_size=10)
    task = translation(BoundDataset(dataset, sizes, None, "sha256:benchmark"))
    batches = list(task.batches("train", BATCH, torch.Generator().manual_seed(0)))
    settings = TrainSettings()
    for name in MODELS:
        ours = TrainStep(task, build(name, task.signature), settings, Precision("fp32", CPU))
        bare = build(name, task.signature)
        optimizer = torch.optim.AdamW(bare.parameters(), lr=settings.lr, weight_decay=0.0, fused=True)

        def harness(ours: TrainStep = ours) -> float:
            began = time.perf_counter()
            for batch in batches:
                ours([batch])
            return steps / (time.perf_counter() - began)

        def by_hand(bare: Any = bare, optimizer: torch.optim.Optimizer = optimizer) -> float:
            began = time.perf_counter()
            for batch in batches:
                logits = bare(batch)
                loss = F.cross_entropy(logits.flatten(0, 1), batch["target"].flatten(), ignore_index=PADDING)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            return steps / (time.perf_counter() - began)

        rates = compared({"harness": harness, "bare": by_hand}, rounds)
        took = 1000 / statistics.median(rates["harness"])
        print(f"{name}: harness/bare {ratio(rates['harness'], rates['bare'])}; {took:.1f} ms a step")


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        {"buckets": buckets, "cache": cache, "step": step}[sys.argv[1]](*map(int, sys.argv[2:3]))
    except DlbenchError as error:
        sys.exit(str(error))
