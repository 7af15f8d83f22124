"""The task as the training loop and the scoring see it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dlbench.contracts.batches import Batch
from dlbench.datasets import listops, temporal_order
from dlbench.datasets._text import Text
from dlbench.tasks import text_classification
from dlbench.tasks._shown_texts import LONGEST, ShownTexts, packed
from dlbench.tasks.text_classification import Params, TextClassification
from dlbench.worker.data import BoundDataset


class Handmade:
    """A dataset of a few sentences."""

    name = "handmade"
    params = temporal_order.Params()
    digest = "sha256:handmade"
    source = "0123"
    revision = 1
    reads = 0

    def split(self, split: str) -> Text:
        type(self).reads += 1
        texts = {
            "train": ["good film", "bad film", "good good good", "bad, bad!", ""],
            "val": ["good unseen", "bad"],
            "test": ["unseen words only " * 100, "film"],
        }[split]
        return Text(texts, np.arange(len(texts)) % 2, ("bad", "good"), language=True)


class ByFirstToken(nn.Module):
    """Logits that are a table of the first token; long texts and padding do not matter."""

    def __init__(self, vocabulary: int, classes: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, classes)

    def forward(self, batch: Batch) -> torch.Tensor:
        return self.table(batch["tokens"][:, 0])


def small_order(**params: int) -> BoundDataset:
    sizes = {"train_size": 300, "val_size": 50, "test_size": 70}
    chosen = temporal_order.Params(**{"length": 20, **sizes, **params})
    return BoundDataset(temporal_order, chosen, None, "sha256:small")


def test_sizes_and_signature_are_those_of_the_data() -> None:
    task = text_classification.build(Params(), small_order(relevant=3))
    assert task.sizes == {"train": 300, "val": 50, "test": 70}
    assert (task.signature.input.vocabulary, task.signature.input.length) == (10, 22)  # 8 symbols; 20 to 22 long
    assert task.signature.output.classes == 8
    assert str(text_classification.outline(Params())) == str(task.signature) == "tokens → classes"


def test_symbols_are_not_cut_however_short_texts_must_be() -> None:
    task = text_classification.build(Params(max_length=5), small_order())
    assert task.signature.input.length == 22


def test_predictions_are_log_probabilities_whose_scores_fit_the_rows() -> None:
    task = text_classification.build(Params(), small_order())
    model = ByFirstToken(10, 4)
    rows = torch.full((70, 4), torch.nan)
    with torch.inference_mode():
        for batch in task.batches("test", 16):
            rows[batch["index"]] = task.predict(model, batch)
    torch.testing.assert_close(rows.exp().sum(1), torch.ones(70))
    guess = int(model.table.weight[task_start(task)].argmax())
    labels = temporal_order.make("test", small_order().params).labels
    accuracy = task.score(rows, "test")[0]
    assert accuracy.value == pytest.approx(float((labels == guess).mean()))
    np.testing.assert_array_equal(task.keep(rows, "test")["target"], labels)


def task_start(task: TextClassification) -> int:
    """Id of the start symbol E."""
    return int(next(task.batches("val", 1))["tokens"][0, 0])


def test_loss_is_cross_entropy_and_smoothing_mixes_in_the_uniform_one() -> None:
    task = text_classification.build(Params(), small_order())
    batch = next(task.batches("train", 32))
    logits = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    log_probability = logits.log_softmax(1)
    plain = -log_probability[torch.arange(32), batch["target"]].mean()
    torch.testing.assert_close(task.loss(logits, batch), plain)
    smoothed = 0.9 * plain + 0.1 * -log_probability.mean()
    torch.testing.assert_close(task.loss(logits, batch, label_smoothing=0.1), smoothed)
    assert task.loss(logits.bfloat16(), batch).dtype == torch.float32


def test_the_second_job_reads_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = text_classification.build(Params(), Handmade())
    reads = Handmade.reads
    second = text_classification.build(Params(), Handmade())
    assert Handmade.reads == reads
    assert second.signature == first.signature
    assert second.classes == first.classes == ("bad", "good")
    for split in ("train", "val", "test"):
        for one, two in zip(first.batches(split, 2), second.batches(split, 2), strict=True):
            assert all(torch.equal(one[key], two[key]) for key in one)
    text_classification.build(Params(min_frequency=1), Handmade())
    assert Handmade.reads > reads


def test_empty_and_long_texts_go_through() -> None:
    task = text_classification.build(Params(max_length=10, min_frequency=1), Handmade())
    lengths = {int(batch["index"]): int(batch["lengths"]) for batch in task.batches("train", 1)}
    assert lengths[4] == 1
    assert task.signature.input.length == 10
    # padding, unknown; good bad film , ! from the training split, and nothing of the others
    assert task.signature.input.vocabulary == 7


def test_test_texts_are_shown_as_the_dataset_has_them_and_long_ones_are_cut() -> None:
    task = text_classification.build(Params(max_length=2), Handmade())
    assert task.show(1) == "film"
    assert len(task.show(0)) == LONGEST
    assert task.show(0) == ("unseen words only " * 100)[: LONGEST - 1] + "…"


def test_shown_texts_come_back_whatever_they_are() -> None:
    texts = ["", "é|<b>\n", "x" * LONGEST, "😀" * (LONGEST + 1), "", "a\ud800"]
    shown = ShownTexts(*packed(texts))
    assert [shown[row] for row in range(6)] == [*texts[:3], "😀" * (LONGEST - 1) + "…", "", "a?"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_are_the_same_on_a_gpu() -> None:
    here, there = (
        text_classification.build(Params(), BoundDataset(listops, SMALL, None, "sha256:l")) for _ in range(2)
    )
    there.to(torch.device("cuda"))
    for one, two in zip(
        here.batches("train", 32, torch.Generator().manual_seed(0)),
        there.batches("train", 32, torch.Generator().manual_seed(0)),
        strict=True,
    ):
        assert all(torch.equal(one[key], two[key].cpu()) for key in one)


SMALL = listops.Params(train_size=500, val_size=50, test_size=50)
