"""The task as the training loop and the scoring see it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlbench.contracts.batches import Batch, State
from dlbench.contracts.tasks import Generator
from dlbench.datasets import digits
from dlbench.datasets._images import Images
from dlbench.datasets._numerals import WORDS
from dlbench.tasks import captioning, image_classification
from dlbench.tasks.captioning import Captioning, Params
from dlbench.worker.data import BoundDataset
from dlbench.worker.evaluate import predict
from dlbench.worker.precision import Precision

CPU = Precision("fp32", torch.device("cpu"))
SIZES = {"train": 120, "val": 40, "test": 60}


class Clothes:
    """A dataset whose classes are words, with spaces and capitals, and have no other names."""

    name = "clothes"
    params = digits.Params()
    digest = "sha256:clothes"
    source = "0123"
    revision = 1
    reads = 0

    def split(self, split: str) -> Images:
        type(self).reads += 1
        labels = np.arange(4) % 2
        images = np.full((4, 1, 3, 2), 50, np.uint8) * (1 + labels[:, None, None, None]).astype(np.uint8)
        return Images(images, labels, ("Ankle boot", "Bag"))


class Says(nn.Module):
    """A writer that spells a fixed answer for each image, whatever stands before."""

    def __init__(self, task: Captioning, answers: list[str]) -> None:
        super().__init__()
        spelled = [[*task._tokenizer.encode(answer).ids, 3] for answer in answers]
        longest = max(map(len, spelled))
        self.ids_NT = torch.tensor([ids + [0] * (longest - len(ids)) for ids in spelled])
        self.vocabulary = task.signature.output.vocabulary

    def forward(self, batch: Batch) -> Tensor:
        width = batch["previous"].shape[1]
        ids_BT = nn.functional.pad(self.ids_NT, (0, width))[batch["index"], :width]
        return 20.0 * nn.functional.one_hot(ids_BT, self.vocabulary)

    def begin(self, batch: Batch) -> tuple[State, State]:
        return {"index": batch["index"]}, {}

    def step(self, previous_B: Tensor, position: int, memory: State, state: State) -> tuple[Tensor, State]:
        row = min(position, self.ids_NT.shape[1] - 1)
        return 20.0 * nn.functional.one_hot(self.ids_NT[memory["index"], row], self.vocabulary), state


def small(**params: Any) -> Captioning:
    sizes = {f"{split}_size": size for split, size in SIZES.items()}
    return captioning.build(Params(**params), BoundDataset(digits, digits.Params(**sizes), None, "sha256:small"))


def test_sizes_and_signature_are_those_of_the_data() -> None:
    task = small()
    assert task.sizes == SIZES
    assert task.signature.input.model_dump() == {"kind": "image", "channels": 1, "height": 8, "width": 8}
    letters = {letter for word in WORDS for letter in word}
    assert task.signature.output.vocabulary == 4 + len(letters)
    assert task.signature.output.length == len("three") + 1
    assert str(captioning.outline(Params())) == str(task.signature) == "image → tokens"
    assert captioning.outline(Params(image_size=12)).input.height == 12
    assert isinstance(task, Generator)


def test_images_are_those_of_image_classification_with_the_names_of_their_classes() -> None:
    task = small()
    data = BoundDataset(digits, digits.Params(**{f"{s}_size": n for s, n in SIZES.items()}), None, "sha256:small")
    classes = image_classification.build(image_classification.Params(), data)
    for split in SIZES:
        orders = [torch.Generator().manual_seed(3) for _ in range(2)]
        pairs = zip(task.batches(split, 16, orders[0]), classes.batches(split, 16, orders[1]), strict=True)
        for written, told in pairs:
            assert torch.equal(written["image"], told["image"])
            assert torch.equal(written["index"], told["index"])
            assert task.written(written["target"]) == [WORDS[label] for label in told["target"].tolist()]
            assert (written["previous"][:, 0] == 2).all()
            assert torch.equal(written["previous"][:, 1:], written["target"][:, :-1])
            ends = (written["target"] == 3).sum(1)
            assert ends.eq(1).all()


def test_scores_are_those_of_names_exact_match_first() -> None:
    task = small()
    references = [WORDS[label] for label in digits.make("test", task_params()).labels]
    model = Says(task, ["seven" if word == "six" else word for word in references])
    found = predict(task, model, "test", 16, CPU)
    exact, chrf, perplexity = task.score(found, "test")
    assert [exact.name, chrf.name, perplexity.name] == list(captioning.SCORES)
    wrong = references.count("six")
    assert 0 < wrong < 60
    assert exact.value == pytest.approx(1 - wrong / 60)
    assert 80 < (chrf.value or 0) < 100
    assert (perplexity.value or 0) > 1
    kept = task.keep(found, "test")
    assert kept["exact"].tolist() == [word != "six" for word in references]
    assert kept["target_length"].tolist() == [len(word) + 1 for word in references]
    assert "bleu_statistics" not in kept


def task_params() -> digits.Params:
    return digits.Params(**{f"{split}_size": size for split, size in SIZES.items()})


@pytest.mark.parametrize("beam", [1, 3])
def test_what_is_written_comes_back_as_text(beam: int) -> None:
    task = captioning.build(Params(beam=beam), Clothes())
    said = ["Ankle boot", "Ankle Bag", "", "Bag"]
    model = Says(task, said)
    found = predict(task, model, "test", 2, CPU)
    assert isinstance(found, dict)
    assert task.written(found["generated"]) == said
    assert task.score(found, "test")[0].value == 0.5
    assert task.reference(1) == "Bag"
    (batch,) = task.batches("test", 4)
    assert task.pieces(batch)[1] == ([], ["B", "a", "g", "[EOS]"])


def test_a_picture_is_shown_as_the_dataset_has_it() -> None:
    task = small(image_size=20)
    assert task.signature.input.height == 20
    images = digits.make("test", task_params()).images
    assert all((task.show(row)[:, :, 0] == images[row, 0]).all() for row in range(60))


def test_names_are_compared_without_regard_to_case() -> None:
    task = captioning.build(Params(), Clothes())
    said = ["Ankle boot", "Bag", "ankle boot", "bag"]  # of letters that occur in other places
    found = predict(task, Says(task, said), "test", 4, CPU)
    assert isinstance(found, dict)
    assert task.written(found["generated"]) == said
    assert task.score(found, "test")[0].value == 1


def test_images_are_prepared_once_for_both_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    image_classification.build(image_classification.Params(), Clothes())
    reads = Clothes.reads
    captioning.build(Params(), Clothes())
    assert Clothes.reads == reads
    captioning.build(Params(image_size=5), Clothes())
    assert Clothes.reads > reads


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_are_the_same_on_a_gpu() -> None:
    here, there = small(), small()
    there.to(torch.device("cuda"))
    for one, two in zip(
        here.batches("train", 32, torch.Generator().manual_seed(0)),
        there.batches("train", 32, torch.Generator().manual_seed(0)),
        strict=True,
    ):
        torch.testing.assert_close(one["image"], two["image"].cpu())
        assert all(torch.equal(one[key], two[key].cpu()) for key in ("target", "previous", "index"))
