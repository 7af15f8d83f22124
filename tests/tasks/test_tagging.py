"""The task as the training loop and the scoring see it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlbench.contracts.batches import Batch
from dlbench.datasets import brackets
from dlbench.datasets._tagged import Tagged
from dlbench.errors import DataError
from dlbench.tasks import tagging
from dlbench.tasks.tagging import Params, Tagging
from dlbench.worker.data import BoundDataset
from dlbench.worker.evaluate import predict
from dlbench.worker.precision import Precision

CLASSES = ("thing", "deed", "other")
TEXTS = {
    "train": (["dogs bark", "the dog barks loudly", "cats"], ["thing deed", "other thing deed other", "thing"]),
    "val": (["birds bark"], ["thing deed"]),
    "test": (["the dog barks", "cats bark", "dogs"], ["other thing deed", "thing deed", "thing"]),
}


class Handmade:
    """A dataset of a few sentences."""

    name = "handmade"
    params = brackets.Params()
    source = "0123"
    revision = 1

    def __init__(self, **changed: tuple[list[str], list[str]]) -> None:
        self.splits = {**TEXTS, **changed}
        self.digest = f"sha256:{self.splits}"
        self.reads = 0

    def split(self, split: str) -> Tagged:
        self.reads += 1
        return Tagged(*self.splits[split], CLASSES)


class ByToken(nn.Module):
    """Logits that are a table of the token; on padding they are wild."""

    def __init__(self, vocabulary: int, classes: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, classes)
        nn.init.constant_(self.table.weight[0], 1e6)

    def forward(self, batch: Batch) -> torch.Tensor:
        return self.table(batch["tokens"])


def small(**params: Any) -> BoundDataset:
    sizes = {"train_size": 300, "val_size": 50, "test_size": 70}
    return BoundDataset(brackets, brackets.Params(**sizes, **params), None, "sha256:small")


def test_sizes_and_signature_are_those_of_the_data() -> None:
    task = tagging.build(Params(), small(kinds=3))
    assert task.sizes == {"train": 300, "val": 50, "test": 70}
    assert task.signature.input.vocabulary == 2 + 6  # padding, unknown, and three kinds of two brackets
    assert task.signature.input.length == 40
    assert task.signature.output.model_dump() == {"kind": "tags", "classes": 4}
    assert str(tagging.outline(Params())) == str(task.signature) == "tokens → tags"


def test_each_token_stands_beside_its_tag_and_padding_beside_none() -> None:
    task = tagging.build(Params(), small())
    examples = brackets.make("train", small().params)
    meaning: dict[int, str] = {0: "padding"}
    for batch in task.batches("train", 32, torch.Generator().manual_seed(0)):
        assert batch["tokens"].shape == batch["target"].shape == (len(batch["index"]), int(batch["lengths"].max()))
        assert torch.equal(batch["tokens"] == 0, batch["target"] == 0)
        for row, tokens, target in zip(*(batch[key].tolist() for key in ("index", "tokens", "target")), strict=True):
            text, tags = examples.texts[row].split(), examples.tags[row].split()
            assert [examples.classes[tag - 1] for tag in target if tag] == tags
            assert all(meaning.setdefault(token, word) == word for token, word in zip(tokens, text, strict=False))
    assert len(set(meaning.values())) == len(meaning) == 1 + 4


def test_padding_never_counts() -> None:
    task = tagging.build(Params(), Handmade())
    model = ByToken(task.signature.input.vocabulary, 3)
    scores = []
    for batch_size in (1, 3):
        rows = predict(task, model, "test", batch_size, Precision("fp32", torch.device("cpu")))
        scores.append([metric.value for metric in task.score(rows, "test")])
    assert scores[0] == pytest.approx(scores[1])
    whole = next(task.batches("train", 3))
    (loss,) = [task.loss(model(whole), whole)]
    single = [task.loss(model(batch), batch) * batch["lengths"] for batch in task.batches("train", 1)]
    torch.testing.assert_close(loss, torch.cat(single).sum() / 7)


def test_scores_are_counted_by_hand() -> None:
    task = tagging.build(Params(), Handmade())
    guess = {"dog": 1, "cats": 0, "dogs": 0, "barks": 1, "bark": 1, "the": 2}  # wrong of `dog` alone
    batch = next(task.batches("test", 3))
    words = {
        token: word
        for row, tokens in zip(batch["index"].tolist(), batch["tokens"].tolist(), strict=True)
        for token, word in zip(tokens, TEXTS["test"][0][row].split(), strict=False)
    }
    table = nn.Embedding(task.signature.input.vocabulary, 3)
    nn.init.zeros_(table.weight)
    with torch.no_grad():
        for token, word in words.items():
            table.weight[token, guess[word]] = 2.0

    class Guess(nn.Module):
        def forward(self, batch: Batch) -> torch.Tensor:
            return table(batch["tokens"])

    rows = predict(task, Guess(), "test", 2, Precision("fp32", torch.device("cpu")))
    accuracy, exact, loss = task.score(rows, "test")
    assert [accuracy.name, exact.name, loss.name] == list(tagging.SCORES)
    assert (accuracy.value, accuracy.n) == (5 / 6, 6)
    assert (exact.value, exact.n) == (2 / 3, 3)
    right, wrong = -np.log(np.exp(2) / (np.exp(2) + 2)), -np.log(1 / (np.exp(2) + 2))
    assert loss.value == pytest.approx((5 * right + wrong) / 6)
    kept = task.keep(rows, "test")
    assert {name: column.tolist() for name, column in kept.items()} == {
        "exact": [False, True, True],
        "correct": [2, 2, 1],
        "source_length": [3, 2, 1],
    }


def test_loss_is_cross_entropy_over_real_tokens_and_smoothing_mixes_in_the_uniform_one() -> None:
    task = tagging.build(Params(), small())
    batch = next(task.batches("train", 32))
    logits = torch.randn(*batch["tokens"].shape, 3, generator=torch.Generator().manual_seed(0))
    real = batch["target"] > 0
    log_probability = logits.log_softmax(2)[real]
    plain = F.nll_loss(log_probability, batch["target"][real] - 1)
    torch.testing.assert_close(task.loss(logits, batch), plain)
    smoothed = 0.9 * plain + 0.1 * -log_probability.mean()
    torch.testing.assert_close(task.loss(logits, batch, label_smoothing=0.1), smoothed)
    assert task.loss(logits.bfloat16(), batch).dtype == torch.float32


def test_the_second_job_reads_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = Handmade()
    first, reads = tagging.build(Params(), data), data.reads
    second = tagging.build(Params(), data)
    assert data.reads == reads > 0
    assert second.signature == first.signature
    for split in TEXTS:
        for one, two in zip(first.batches(split, 2), second.batches(split, 2), strict=True):
            assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["thing"], r"^dataset 'handmade', val: example 0 has 1 tags for 2 tokens; each token needs one"),
        (["thing sound"], r"^dataset 'handmade', val: example 0 has the tag 'sound', which is no class$"),
    ],
)
def test_tags_that_do_not_fit_are_refused_in_words(tags: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        tagging.build(Params(), Handmade(val=(["birds bark"], tags)))


def test_there_are_as_many_sequences_of_tags_as_of_tokens() -> None:
    with pytest.raises(ValueError, match="1 texts have 2 sequences of tags"):
        Tagged(["a"], ["b", "c"], ("b", "c"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_are_the_same_on_a_gpu() -> None:
    here, there = (tagging.build(Params(), small()) for _ in range(2))
    there.to(torch.device("cuda"))
    assert isinstance(there, Tagging)
    for one, two in zip(
        here.batches("train", 32, torch.Generator().manual_seed(0)),
        there.batches("train", 32, torch.Generator().manual_seed(0)),
        strict=True,
    ):
        assert all(torch.equal(one[key], two[key].cpu()) for key in one)
