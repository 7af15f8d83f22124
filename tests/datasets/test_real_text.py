"""The real files: sizes, splits, and what the task makes of them."""

import hashlib
from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from dlbench.datasets import ag_news, multi30k, sst2
from dlbench.errors import DataError
from dlbench.plan.data import DataOptions, obtain
from dlbench.tasks import text_classification
from dlbench.worker.data import BoundDataset


def test_ag_news_has_the_announced_sizes_and_disjoint_rows(mirror: Path) -> None:
    splits = {split: ag_news.load(split, mirror / "ag_news", ag_news.Params()) for split in ("train", "val", "test")}
    assert {split: len(text.texts) for split, text in splits.items()} == {"train": 19_930, "val": 1_048, "test": 7_600}
    assert all(
        text.classes == ("World", "Sports", "Business", "Sci/Tech") and text.language for text in splits.values()
    )
    # The official test file has 1,900 rows of each class.
    assert Counter(splits["test"].labels.tolist()) == dict.fromkeys(range(4), 1900)
    rows = (mirror / "ag_news" / "train.csv").read_bytes().count(b"\n")
    assert len(splits["train"].texts) + len(splits["val"].texts) == rows


def test_the_validation_rows_of_ag_news_never_move(mirror: Path) -> None:
    val = ag_news.load("val", mirror / "ag_news", ag_news.Params())
    lines = "\n".join(f"{label} {text}" for label, text in zip(val.labels, val.texts, strict=True))
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == "b556789790186c1b"


def test_ag_news_texts_are_as_published(mirror: Path) -> None:
    texts = ag_news.load("test", mirror / "ag_news", ag_news.Params()).texts
    assert texts[0] == (
        "Fears for T N pension after talks Unions representing workers at Turner   Newall say they are 'disappointed' "
        "after talks with stricken parent firm Federal Mogul."
    )
    assert sum("#39;" in text for text in texts) > 500


def test_sst2_has_the_sizes_of_kim_2014(mirror: Path) -> None:
    splits = {split: sst2.load(split, mirror / "sst2", sst2.Params()) for split in ("train", "val", "test")}
    assert [len(splits[split].texts) for split in ("train", "val", "test")] == [6_920, 872, 1_821]
    assert splits["train"].texts[0].startswith("a stirring , funny")
    assert splits["train"].labels[:2].tolist() == [1, 0]


@pytest.mark.parametrize(("source", "target"), list(permutations(("de", "en", "fr", "cs"), 2)))
def test_multi30k_has_the_announced_sizes_in_every_pair(mirror: Path, source: str, target: str) -> None:
    params = multi30k.Params(source=source, target=target)
    splits = {split: multi30k.load(split, mirror / "multi30k", params) for split in ("train", "val", "test")}
    for split, size in (("train", 29_000), ("val", 1_014), ("test", 1_000)):
        pairs = splits[split]
        assert len(pairs.sources) == len(pairs.targets) == size
        assert all(text.strip() for text in (*pairs.sources, *pairs.targets))
        # Long sentences have long translations, and do so only if both stand in the same line.
        lengths = np.array([[len(text) for text in side] for side in (pairs.sources, pairs.targets)])
        assert np.corrcoef(lengths)[0, 1] > 0.8
        assert np.corrcoef(lengths[0], np.roll(lengths[1], 1))[0, 1] < 0.2


def test_multi30k_sentences_are_as_published(mirror: Path) -> None:
    first = {
        language: multi30k.load("test", mirror / "multi30k", multi30k.Params(target=language)).targets[0]
        for language in ("en", "fr", "cs")
    }
    german = multi30k.load("test", mirror / "multi30k", multi30k.Params()).sources[0]
    assert german == "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt."
    assert first == {
        "en": "A man in an orange hat starring at something.",
        "fr": "Un homme avec un chapeau orange regardant quelque chose.",
        "cs": "Muž v oranžovém klobouku na něco zírá.",
    }


def test_the_mirror_is_official_only_where_it_is(mirror: Path, tmp_path: Path) -> None:
    options = DataOptions(mirror=str(mirror), offline=True, cache=tmp_path)
    assert obtain("ag_news", ag_news.FILES, params={}, revision=1, options=options).data is None
    for name, files in (("sst2", sst2.FILES), ("multi30k", multi30k.FILES)):
        found = obtain(name, files, params={}, revision=1, options=options).data
        assert found is not None
        assert found.official


def test_classes_match_their_texts_through_the_whole_task(mirror: Path) -> None:
    task = text_classification.build(
        text_classification.Params(), BoundDataset(ag_news, ag_news.Params(), mirror / "ag_news", "sha256:mirror")
    )
    assert task.sizes == {"train": 19_930, "val": 1_048, "test": 7_600}
    assert task.signature.input.vocabulary == 20_000
    assert task.signature.input.length == 64
    batch = next(task.batches("test", 512))
    labels = ag_news.load("test", mirror / "ag_news", ag_news.Params()).labels
    np.testing.assert_array_equal(batch["target"].numpy(), labels[batch["index"].numpy()])


def test_a_row_that_is_not_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("World\nSports\nBusiness\nSci/Tech\n")
    (tmp_path / "test.csv").write_text('"1","a","b"\n"9","a","b"\n')
    with pytest.raises(DataError, match=r"test\.csv:2: not a row of label \(1 to 4\), title, description"):
        ag_news.load("test", tmp_path, ag_news.Params())
    (tmp_path / "dev.tsv").write_text("fine\t1\nnot fine\n")
    with pytest.raises(DataError, match=r"dev\.tsv:2: not a line of sentence, tab, 0 or 1"):
        sst2.load("val", tmp_path, sst2.Params())
