"""A suite like a real one on translations, drawn from a fixed generator: what networks wrote, and where they looked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from synthetic import job, result, with_artifact

from dlbench.analyze.sentences import bleu
from dlbench.schema.attention import Attended, AttentionMaps, Weights
from dlbench.schema.metric import Metric
from dlbench.schema.record import Result
from dlbench.schema.sample import Sample, Samples

TRUTH = {
    "lstm attention=none": 0.5,
    "lstm attention=additive": 0.8,
    "lstm attention=hard": 0.75,
    "transformer": 0.85,
}
"""Model → the chance that a word of its is right in a sentence of five words; the first falls with length."""
SENTENCES = (
    ("Ein Mann mit einem orangefarbenen Hut starrt etwas an .", "A man in an orange hat starring at something ."),
    ("Ein Boston Terrier läuft über saftig-grünes Gras .", "A Boston Terrier is running on lush green grass ."),
    ("Ein Mädchen in einem Karateanzug bricht ein Brett .", "A girl in karate uniform breaking a stick ."),
    ("Leute Reparieren das Dach eines Hauses .", "People are fixing the roof of a house ."),
)
WORDS = ("a", "man", "dog", "is", "running", "in", "the", "red", "grass", "house")


def translations(
    folder: Path,
    *,
    seeds: int = 3,
    n: int = 240,
    score: str = "bleu",
    sentences: Sequence[tuple[str, str]] = SENTENCES,
    models: Sequence[str] = tuple(TRUTH),
    **fields: Any,
) -> list[Result]:
    """All results; artifacts go below `folder`."""
    rng = np.random.default_rng(11)
    lengths = np.random.default_rng(12).integers(4, 30, n)
    found: list[Result] = []
    for number, label in enumerate(models):
        right = list(TRUTH.values())[number % len(TRUTH)]
        for seed in range(seeds):
            columns = _columns(lengths, right, number == 0, rng)
            exact = float(columns["exact"].mean())
            value, unit = (float(bleu(columns["bleu_statistics"].sum(axis=0))), "number")
            metric = Metric(name="test_bleu", value=value, unit=unit, better="higher", n=n)
            if score == "exact_match":
                metric = Metric(name="test_exact_match", value=exact, unit="fraction", better="higher", n=n)
            fields_here = {"task": "translation", "dataset": {"name": "multi30k"}, **fields}
            one = result(job(label, number=seed, **fields_here), label, [metric])
            one = with_artifact(
                one, folder, "predictions", "predictions.npz", lambda path, columns=columns: np.savez(path, **columns)
            )
            one = _with_json(one, folder, "samples", _samples(sentences, right, rng))
            if number:
                one = _with_json(one, folder, "attention", _attention(sentences, label, rng))
            found.append(one)
    return found


def _with_json(one: Result, folder: Path, role: str, kept: Samples | AttentionMaps) -> Result:
    text = kept.model_dump_json(by_alias=True, exclude_none=True)
    return with_artifact(one, folder, role, f"{role}.json", lambda path: _write(path, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _columns(lengths: NDArray[np.int64], right: float, falls: bool, rng: np.random.Generator) -> dict[str, Any]:
    chance = right - 0.012 * falls * (lengths - 5)
    hits = rng.binomial(lengths, np.clip(chance, 0.05, 1))
    orders = np.arange(4)
    total = np.maximum(lengths[:, None] - orders, 0)
    correct = np.minimum(np.floor(hits[:, None] * chance[:, None] ** orders), total).astype(np.int64)
    return {
        "source_length": lengths,
        "target_length": lengths + 1,
        "exact": hits == lengths,
        "bleu_statistics": np.concatenate([lengths[:, None], lengths[:, None], correct, total], axis=1),
    }


def _samples(sentences: Sequence[tuple[str, str]], right: float, rng: np.random.Generator) -> Samples:
    return Samples(
        samples=tuple(
            Sample(index=10 * row, text=source, reference=target, output=_garbled(target, right, rng))
            for row, (source, target) in enumerate(sentences)
        )
    )


def _garbled(text: str, right: float, rng: np.random.Generator) -> str:
    return " ".join(word if rng.random() < right else str(rng.choice(WORDS)) for word in text.lower().split(" "))


def _attention(sentences: Sequence[tuple[str, str]], label: str, rng: np.random.Generator) -> AttentionMaps:
    examples = []
    for row, (source, target) in enumerate(sentences[:3]):
        pieces, wanted = tuple(source.split(" ")), (*target.split(" "), "[EOS]")
        encoder = _weights(len(pieces), len(pieces), 0.2, rng) if label == "transformer" else None
        cross = _weights(len(wanted), len(pieces), 30.0 if "hard" in label else 1.2, rng)
        examples.append(Attended(index=10 * row, source=pieces, target=wanted, cross=cross, encoder=encoder))
    return AttentionMaps(examples=tuple(examples))


def _weights(rows: int, columns: int, sharpness: float, rng: np.random.Generator) -> Weights:
    """Near the diagonal."""
    apart = np.abs(np.linspace(0, columns - 1, rows)[:, None] - np.arange(columns)) + 0.3 * rng.random((rows, columns))
    weights = np.exp(-sharpness * apart)
    return tuple(tuple(round(float(one), 4) for one in row) for row in weights / weights.sum(axis=1, keepdims=True))
