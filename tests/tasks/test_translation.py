"""The task as the training loop and the scoring see it; scores against sacrebleu's public functions."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
import torch
from torch import Tensor, nn

from dlbench.contracts.batches import Batch, State
from dlbench.contracts.tasks import Generator
from dlbench.datasets import reverse
from dlbench.datasets._pairs import Pairs
from dlbench.models import transformer
from dlbench.schema.base import Params as NoParams
from dlbench.tasks import translation
from dlbench.tasks.translation import Params, Translation
from dlbench.worker.data import BoundDataset

SENTENCES: dict[str, list[tuple[str, str]]] = {
    "train": [
        ("Ein Hund läuft.", "A dog runs."),
        ("Eine Frau läuft im Park.", "A woman runs in the park."),
        ("Zwei Männer sitzen im Park, und ein Hund schläft.", "Two men sit in the park, and a dog sleeps."),
        ("Ein Mann schläft.", "A man sleeps."),
        ("Der Hund des Mannes sitzt.", "The man's dog sits."),
    ],
    "val": [("Ein Hund sitzt im Park.", "A dog sits in the park."), ("", "A man")],
    "test": [
        ("Ein Mann läuft im Park.", "A man runs in the park."),
        ("Zwei Hunde schlafen, und eine Frau sitzt im Park.", "Two dogs sleep, and a woman sits in the park."),
        ("Eine Frau schläft.", "A woman sleeps."),
        ("Der Mann und der Hund.", "The man and the dog."),
        ("Ein Zebra!", "A zebra!"),
    ],
}
SYMBOLS = {
    "train": [("a b B", "B b a"), ("b a", "a b"), ("c", "c")],
    "val": [("a c", "c a")],
    "test": [("a b c a b c a b", "b a c b a c b a"), ("B", "B"), ("c b z", "z b c")],
}
WORDS = Params(tokenizer="words", min_frequency=1)


class Handmade:
    """A dataset of a few pairs."""

    name = "handmade"
    params = NoParams()
    source = "0123"
    revision = 1

    def __init__(self, pairs: dict[str, list[tuple[str, str]]] = SENTENCES, *, language: bool = True) -> None:
        self.pairs, self.language, self.reads = pairs, language, 0
        self.digest = hashlib.sha256(json.dumps([pairs, language]).encode()).hexdigest()

    def split(self, split: str) -> Pairs:
        self.reads += 1
        return Pairs(*zip(*self.pairs[split], strict=True), language=self.language)


class Knows(nn.Module):
    """Writes what it is told for each example of a split, (N, L), with near certainty; unsure of nothing else."""

    def __init__(self, answers_NL: Tensor, vocabulary: int) -> None:
        super().__init__()
        self.logits = 30.0 * nn.functional.one_hot(answers_NL, vocabulary).float()

    def forward(self, batch: Batch) -> Tensor:
        return self.logits[batch["index"], : batch["previous"].shape[1]]

    def begin(self, batch: Batch) -> tuple[State, State]:
        return {"row": batch["index"]}, {}

    def step(self, previous_B: Tensor, position: int, memory: State, state: State) -> tuple[Tensor, State]:
        return self.logits[memory["row"], position], state


def build(params: Params = WORDS, data: Handmade | None = None) -> Translation:
    return translation.build(params, data or Handmade())


def symbols(**params: Any) -> Translation:
    return build(Params(**params), Handmade(SYMBOLS, language=False))


def by_row(task: Translation, split: str) -> dict[int, dict[str, list[int]]]:
    """Of each example its ids without padding, on both sides, and what stands before each."""
    return {
        row: {
            "tokens": batch["tokens"][at, : batch["lengths"][at]].tolist(),
            "target": [token for token in batch["target"][at].tolist() if token],
            "previous": batch["previous"][at].tolist(),
        }
        for batch in task.batches(split, 2)
        for at, row in enumerate(batch["index"].tolist())
    }


def targets(task: Translation, split: str = "test") -> Tensor:
    """Ids of all targets of a split, in its order, padded to the longest of the task, (N, L)."""
    rows = by_row(task, split)
    width = task.signature.output.length  # type: ignore[union-attr]
    return torch.tensor([rows[row]["target"] + [0] * (width - len(rows[row]["target"])) for row in range(len(rows))])


def answered(task: Translation, model: nn.Module, split: str = "test") -> dict[str, Tensor]:
    """What is scored, in the order of the split."""
    parts, index = [], []
    for batch in task.batches(split, 2):
        parts.append({**task.predict(model, batch), **task.generate(model, batch)})
        index.append(batch["index"])
    order = torch.cat(index).argsort()
    return {key: torch.cat([part[key] for part in parts])[order] for key in parts[0]}


def changed(answers_NL: Tensor) -> Tensor:
    """Other answers than the right ones, each wrong in its own way: one shorter, one that never ends, two exchanged."""
    wrong = answers_NL.clone()
    wrong[0, 2:] = torch.cat([wrong[0, 3:], torch.zeros(1, dtype=torch.long)])
    wrong[1] = torch.where(wrong[1] <= 3, wrong[1, 0], wrong[1])
    wrong[2:4] = wrong[[3, 2]]
    return wrong


def values(task: Translation, predictions: dict[str, Tensor]) -> dict[str, float]:
    return {metric.name: metric.value for metric in task.score(predictions, "test")}  # type: ignore[misc]


def random_losses(task: Translation) -> Tensor:
    return torch.rand(task.sizes["test"], generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shared", [False, True])
def test_every_pair_comes_once_with_what_stands_before_each_token(shared: bool) -> None:
    task = build(Params(tokenizer="words", min_frequency=1, shared_vocabulary=shared))
    assert isinstance(task, Generator)
    for split, pairs in SENTENCES.items():
        rows = by_row(task, split)
        assert sorted(rows) == list(range(len(pairs)))
        for row, both in rows.items():
            assert both["target"].count(3) == 1
            assert both["target"][-1] == 3
            assert both["previous"][: len(both["target"])] == [2, *both["target"][:-1]]
            if split == "train":
                assert task.written(torch.tensor([both["target"]])) == [pairs[row][1].lower()]
                spelled = task.pieces({key: torch.tensor([ids]) for key, ids in both.items()})
                assert [word.strip() for word in spelled[0][0]] == _apart(pairs[row][0])
                assert [word.strip() for word in spelled[0][1]] == [*_apart(pairs[row][1]), "[EOS]"]
    widest = {split: max(len(both["target"]) for both in by_row(task, split).values()) for split in SENTENCES}
    assert task.signature.output.length == max(widest.values()) == 13  # type: ignore[union-attr]
    assert task.signature.input.length == 11  # type: ignore[union-attr]


def _apart(text: str) -> list[str]:
    """Words and punctuation in lower case; `man's` is one."""
    for mark in ".,!":
        text = text.replace(mark, f" {mark}")
    return text.lower().split()


def test_vocabularies_are_learnt_from_the_training_split_alone() -> None:
    german, english = ({word for pair in SENTENCES["train"] for word in _apart(pair[side])} for side in (0, 1))
    apart = build()
    assert apart.signature.input.vocabulary == 4 + len(german)  # type: ignore[union-attr]
    assert apart.signature.output.vocabulary == 4 + len(english)  # type: ignore[union-attr]
    assert not apart.signature.output.shared  # type: ignore[union-attr]
    together = build(Params(tokenizer="words", min_frequency=1, shared_vocabulary=True))
    for side in (together.signature.input, together.signature.output):
        assert side.vocabulary == 4 + len(german | english)  # type: ignore[union-attr]
    assert together.signature.output.shared  # type: ignore[union-attr]
    source = by_row(together, "train")[2]["tokens"]
    assert together.written(torch.tensor([source])) == [SENTENCES["train"][2][0].lower()], "ids mean the same"
    zebra = by_row(apart, "test")[4]
    assert zebra["target"][1:] == [*zebra["tokens"][1:], 3] == [1, 1, 3], "neither zebra nor ! was in training"
    assert by_row(apart, "val")[1]["tokens"] == [1], "a source without any word"


def test_rare_words_and_those_beyond_the_size_get_no_id() -> None:
    assert build(Params(tokenizer="words", min_frequency=3)).signature.output.vocabulary == 4 + 4  # type: ignore[union-attr]
    assert build(Params(tokenizer="words", vocabulary=7)).signature.input.vocabulary == 7  # type: ignore[union-attr]


def test_texts_come_back_from_subwords_too() -> None:
    task = build(Params(vocabulary=80, min_frequency=1))
    assert task.signature.input.vocabulary == 80  # type: ignore[union-attr]
    references = [target for _, target in SENTENCES["test"]]
    written = task.written(targets(task))
    assert [text.replace("[unk]", "") for text in written[:4]] == [text.lower() for text in references[:4]]
    assert len(by_row(task, "test")[1]["target"]) < len(references[1])


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("language", [False, True])
def test_one_who_knows_the_targets_scores_all(beam: int, language: bool) -> None:
    pairs = SENTENCES if language else SYMBOLS
    pairs = {**pairs, "train": pairs["train"] + pairs["test"]}
    task = build(Params(tokenizer="words", min_frequency=1, beam=beam), Handmade(pairs, language=language))
    knows = Knows(targets(task), task.signature.output.vocabulary)  # type: ignore[union-attr, arg-type]
    predictions = answered(task, knows)
    assert torch.equal(predictions["generated"], targets(task))
    scores = values(task, predictions)
    assert scores["exact_match"] == 1
    assert (scores["bleu"], scores["chrf"]) == pytest.approx((100, 100))
    assert scores["perplexity"] == pytest.approx(1, abs=1e-6)


def test_bleu_and_chrf_are_those_of_sacrebleu_s_own_functions() -> None:
    task = build()
    answers = changed(targets(task))
    texts, references = task.written(answers), [target for _, target in SENTENCES["test"]]
    bleu, chrf, exact, perplexity = task.score({"generated": answers, "loss": random_losses(task)}, "test")
    assert (bleu.name, chrf.name, exact.name, perplexity.name) == ("bleu", "chrf", "exact_match", "perplexity")
    assert bleu.value == pytest.approx(sacrebleu.corpus_bleu(texts, [references], lowercase=True).score, rel=1e-12)
    assert 5 < bleu.value < 95
    lowered = [reference.lower() for reference in references]
    assert chrf.value == pytest.approx(sacrebleu.corpus_chrf(texts, [lowered]).score, rel=1e-12)
    assert chrf.value < 95
    assert bleu.detail["signature"] == f"nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}"
    assert chrf.detail["signature"].startswith("nrefs:1|case:lc|eff:yes|nc:6|nw:0")
    assert task.score({"generated": answers, "loss": random_losses(task)}, "test")[0] == bleu
    assert (exact.value, exact.n, exact.better) == (0.0, 5, "higher")


def test_exact_match_overlooks_case_and_runs_of_spaces_in_language_only() -> None:
    pairs = {**SENTENCES, "test": [("ein hund", "A  DOG"), ("ein hund", "a dog runs"), ("hund", "dog")]}
    task = build(data=Handmade(pairs))
    answers = targets(task)
    answers[1] = answers[0]
    kept = task.keep({"generated": answers, "loss": torch.zeros(3)}, "test")
    assert kept["exact"].tolist() == [True, False, True]
    assert values(task, {"generated": answers, "loss": torch.zeros(3)})["exact_match"] == pytest.approx(2 / 3)
    of_symbols = symbols()
    ids = targets(of_symbols, "train")
    upper, lower = ids[0, 0], ids[0, 1]
    answers = torch.tensor([[lower, 3], [upper, 3], [upper, 3]])
    kept = of_symbols.keep({"generated": answers, "loss": torch.zeros(3)}, "test")
    assert kept["exact"].tolist() == [False, True, False], "b is not B"


def test_the_perplexity_of_one_who_knows_nothing_is_the_size_of_the_vocabulary() -> None:
    task = build()
    vocabulary = task.signature.output.vocabulary  # type: ignore[union-attr]
    clueless = Knows(targets(task), vocabulary)  # type: ignore[arg-type]
    clueless.logits.zero_()
    predictions = answered(task, clueless)
    lengths = [len(by_row(task, "test")[row]["target"]) for row in range(5)]
    torch.testing.assert_close(predictions["loss"], torch.tensor(lengths) * math.log(vocabulary))
    perplexity = task.score(predictions, "test")[-1]
    assert perplexity.value == pytest.approx(vocabulary, rel=1e-6)
    assert (perplexity.n, perplexity.better) == (sum(lengths), "lower")


def test_what_is_kept_sums_to_the_corpus_s_bleu() -> None:
    task = build()
    answers, losses = changed(targets(task)), random_losses(task)
    kept = task.keep({"generated": answers, "loss": losses}, "test")
    assert set(kept) == {"source_length", "target_length", "exact", "loss", "bleu_statistics"}
    rows = by_row(task, "test")
    assert kept["source_length"].tolist() == [len(rows[row]["tokens"]) for row in range(5)]
    assert kept["target_length"].tolist() == [len(rows[row]["target"]) for row in range(5)]
    np.testing.assert_allclose(kept["loss"], losses.numpy())
    statistics = kept["bleu_statistics"]
    assert statistics.shape == (5, 10)
    written, references, *rest = statistics.sum(0).tolist()
    matched, all_there = rest[:4], rest[4:]
    assert min(matched) > 0
    brevity = min(1.0, math.exp(1 - references / written))
    bleu = 100 * brevity * math.prod(m / n for m, n in zip(matched, all_there, strict=True)) ** 0.25
    assert bleu == pytest.approx(values(task, {"generated": answers, "loss": losses})["bleu"], rel=1e-9)


def test_symbols_are_scored_by_exact_match_first_and_never_cut() -> None:
    task = symbols(max_length=2)
    assert task.signature.input.length == 8  # type: ignore[union-attr]
    assert task.signature.output.length == 9  # type: ignore[union-attr]
    assert task.signature.output.vocabulary == 4 + 4, "a b B c"  # type: ignore[union-attr]
    metrics = task.score({"generated": targets(task), "loss": torch.zeros(3)}, "test")
    assert [metric.name for metric in metrics] == ["exact_match", "bleu", "chrf", "perplexity"]
    assert metrics[0].value == pytest.approx(2 / 3), "z was not in training"
    assert "tok:none" in metrics[1].detail["signature"]
    assert "case:mixed" in metrics[1].detail["signature"]
    references = [target for _, target in SYMBOLS["test"]]
    expected = sacrebleu.corpus_bleu(task.written(targets(task)), [references], tokenize="none", force=True)
    assert metrics[1].value == pytest.approx(expected.score, rel=1e-12)


def test_long_sentences_are_cut_on_both_sides_but_not_what_they_are_compared_with() -> None:
    task = build(Params(tokenizer="words", min_frequency=1, max_length=3))
    assert task.signature.input.length == 3  # type: ignore[union-attr]
    assert task.signature.output.length == 4  # type: ignore[union-attr]
    assert all(both["target"][-1] == 3 for both in by_row(task, "test").values())
    assert task.reference(1) == SENTENCES["test"][1][1]
    assert task.show(1) == SENTENCES["test"][1][0]
    assert values(task, {"generated": targets(task), "loss": torch.zeros(5)})["exact_match"] == 0.0


def test_an_empty_target_ends_at_once() -> None:
    task = build(data=Handmade({**SENTENCES, "test": [("ein Hund", ""), ("", "a dog")]}))
    assert by_row(task, "test")[0]["target"] == [3]
    kept = task.keep({"generated": targets(task), "loss": torch.zeros(2)}, "test")
    assert kept["exact"].tolist() == [True, True]


def test_loss_is_the_mean_over_tokens_and_smoothing_mixes_in_the_uniform_one() -> None:
    task = build()
    batch = next(task.batches("train", 5))
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(*batch["target"].shape, task.signature.output.vocabulary, generator=generator)  # type: ignore[union-attr]
    log_probability = logits.log_softmax(2)
    real = batch["target"] > 0
    plain = -log_probability.gather(2, batch["target"][..., None])[..., 0][real].mean()
    torch.testing.assert_close(task.loss(logits, batch), plain)
    smoothed = 0.9 * plain + 0.1 * -log_probability[real].mean()
    torch.testing.assert_close(task.loss(logits, batch, label_smoothing=0.1), smoothed)
    assert task.loss(logits.bfloat16(), batch).dtype == torch.float32


def test_as_many_tokens_are_written_as_are_asked_for() -> None:
    for beam in (1, 2):
        task = build(Params(tokenizer="words", min_frequency=1, beam=beam))
        long = torch.full((5, 40), 3)
        batch = next(task.batches("test", 5))
        model = Knows(long, task.signature.output.vocabulary)  # type: ignore[union-attr, arg-type]
        written = task.generate(model, batch, 40)["generated"]
        assert written.shape == (5, 40)
        assert not torch.isin(written, torch.tensor([0, 2, 3])).any()
        assert task.generate(model, batch)["generated"].tolist() == [[3, *[0] * 12]] * 5


def test_the_second_job_reads_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = Handmade()
    first, reads = build(data=data), data.reads
    assert reads > 0
    second = build(Params(tokenizer="words", min_frequency=1, beam=4), data)
    assert data.reads == reads, "how answers are found changes no token"
    assert by_row(second, "test") == by_row(first, "test")
    build(Params(tokenizer="words", min_frequency=1, shared_vocabulary=True), data)
    assert data.reads > reads


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
def test_more_tokens_can_be_measured_than_the_longest_answer_has(beam: int, positions: str) -> None:
    made = BoundDataset(reverse, reverse.Params(max_length=3, train_size=20, val_size=5, test_size=5), None, "sha256:x")
    task = translation.build(translation.Params(beam=beam), made)
    params = transformer.Params(hidden_size=8, heads=2, positions=positions)
    model = transformer.build(params, task.signature).eval()
    with torch.inference_mode():
        written = task.generate(model, next(task.batches("test", 4)), 9)["generated"]
    assert written.shape == (4, 9)
    assert (written > 3).any()
    assert not (written == 0).any()
