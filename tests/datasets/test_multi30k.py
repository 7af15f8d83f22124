"""Multi30k over small and false files; the real ones are in test_real_text.py."""

import gzip
from pathlib import Path

import pytest
from pydantic import ValidationError

from dlbench.datasets import multi30k
from dlbench.datasets.multi30k import Params
from dlbench.errors import DataError

SIZES = {"train": 29_000, "val": 1_014, "test_2016_flickr": 1_000}


def sentences(language: str, count: int) -> list[str]:
    return [f"{language} {number}" for number in range(count)]


def write(path: Path, lines: list[str]) -> None:
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), 1))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Every file with as many sentences as announced, each its language and its number."""
    for prefix, count in SIZES.items():
        for language in ("de", "en", "fr", "cs"):
            write(tmp_path / f"{prefix}.{language}.gz", sentences(language, count))
    return tmp_path


def test_the_files_are_those_of_the_three_splits_in_four_languages() -> None:
    languages = ("de", "en", "fr", "cs")
    assert {file.name for file in multi30k.FILES} == {f"{prefix}.{lang}.gz" for prefix in SIZES for lang in languages}
    assert all(file.sha256 and file.md5 and file.size for file in multi30k.FILES)


def test_sentences_of_a_pair_stand_in_the_same_line(root: Path) -> None:
    for split, count in zip(("train", "val", "test"), SIZES.values(), strict=True):
        pairs = multi30k.load(split, root, Params(source="fr", target="cs"))
        assert list(pairs.sources) == sentences("fr", count)
        assert list(pairs.targets) == sentences("cs", count)
        assert pairs.language
    assert list(multi30k.load("val", root, Params()).sources) == sentences("de", 1_014)
    assert list(multi30k.load("val", root, Params()).targets) == sentences("en", 1_014)


def test_only_a_line_feed_ends_a_sentence(root: Path) -> None:
    odd = ["zwei\u2028Zeilen", "ein\x85Zeichen", "ein\x0bSprung", "", " \u00a0Rand ", "Wagen\r", "über"]
    write(root / "val.de.gz", odd + sentences("de", 1_014)[len(odd) :])
    assert list(multi30k.load("val", root, Params()).sources)[: len(odd)] == odd
    text = "\n".join(sentences("en", 1_014))  # the last line is not ended
    (root / "val.en.gz").write_bytes(gzip.compress(text.encode(), 1))
    assert list(multi30k.load("val", root, Params()).targets) == sentences("en", 1_014)


def test_a_language_is_not_translated_into_itself() -> None:
    with pytest.raises(ValidationError, match="source and target are both en; take two of de, en, fr and cs"):
        Params(source="en")
    with pytest.raises(ValidationError):
        Params(source="it")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (gzip.compress(b"a dog\n" * 1_013), "it holds 1,013 sentences, not 1,014"),
        (gzip.compress(b"a dog\n" * 1_015), "it holds 1,015 sentences, not 1,014"),
        (gzip.compress(b""), "it holds 0 sentences, not 1,014"),
        (gzip.compress(b"a dog\n" * 1_000 + b"\xff dog\n" * 14), "byte 6,000 of its text is not UTF-8"),
        (gzip.compress(bytes(2**26)), r"it holds more than the 1,014,000 bytes that 1,014 sentences may take"),
        (b"a dog\n" * 1_014, "not a whole gzip file"),
        (gzip.compress(b"a dog\n" * 1_014)[:-9], "the file breaks off"),
        (gzip.compress(b"a dog\n" * 1_014)[:-8] + bytes(8), r"not a whole gzip file \(CRC check failed"),
    ],
    ids=["fewer", "more", "empty", "not_utf8", "bomb", "not_gzip", "short", "checksum"],
)
def test_a_file_that_is_not_what_it_should_be_is_named(root: Path, content: bytes, what: str) -> None:
    (root / "val.en.gz").write_bytes(content)
    with pytest.raises(DataError, match=rf"val\.en\.gz: {what}.* delete it and run `dlbench data fetch multi30k`"):
        multi30k.load("val", root, Params())
    assert len(multi30k.load("val", root, Params(target="cs")).targets) == 1_014  # the others are unharmed
    with pytest.raises(DataError, match=r"nowhere/test_2016_flickr\.de\.gz: cannot be read"):
        multi30k.load("test", root / "nowhere", Params())
