"""Multi30k: captions of photographs in English, German, French and Czech, as pairs of two (Elliott et al. 2016).

29,000 pairs for training, 1,014 for validation, and the 1,000 of test_2016_flickr. German is the paper's; French
was added by Elliott et al. 2017 and Czech by Barrault et al. 2018, all translated from the same English sentences.
The texts are as published: neither tokenised nor lower-cased.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from dlbench.datasets._gzip import damaged, gunzipped
from dlbench.datasets._pairs import Pairs
from dlbench.schema import base
from dlbench.schema.data import DataFile

REVISION = 1
TASKS = ("translation",)

_BASE = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"


def _file(name: str, sha256: str, md5: str, size: int) -> DataFile:
    return DataFile(folder="multi30k", name=name, url=_BASE + name, sha256=sha256, md5=md5, size=size)


FILES = (
    _file(
        "train.de.gz",
        "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
        "81ff90b99829c0cd4b1b587d394afd39",
        637_044,
    ),
    _file(
        "train.en.gz",
        "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
        "0065d13af80720a55ca8153d126e6627",
        568_929,
    ),
    _file(
        "train.fr.gz",
        "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
        "6cb767741dcad3931f966fefbc05203f",
        604_242,
    ),
    _file(
        "train.cs.gz",
        "a65adb8b32e3bc664f21ecba7a6e7f6950fd1f405e135f7c312faabdb6255077",
        "d9a5fc268917725a2b0efce3a0cc8607",
        593_827,
    ),
    _file(
        "val.de.gz",
        "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
        "6e0e229eb049e3fc99a1ef02fb2d5f91",
        24_681,
    ),
    _file(
        "val.en.gz",
        "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
        "2b69aa9253948ac9f67e94917272dd40",
        21_650,
    ),
    _file(
        "val.fr.gz",
        "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
        "93fc564584b7e5ba410c761ea5a1c682",
        23_001,
    ),
    _file(
        "val.cs.gz",
        "b63226e05c4bd5dd6a42897d74b86a1b9d2c31498252c572b1ea7f7996927fcc",
        "83cdc082f646b769095615384cf5c0ca",
        22_096,
    ),
    _file(
        "test_2016_flickr.de.gz",
        "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
        "efd67d314d98489b716b145475101932",
        22_890,
    ),
    _file(
        "test_2016_flickr.en.gz",
        "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
        "ff2c0fcb4893a13bd73414306bc250ae",
        21_077,
    ),
    _file(
        "test_2016_flickr.fr.gz",
        "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
        "08dc7cd4a662f31718412de95ca9bfe3",
        22_310,
    ),
    _file(
        "test_2016_flickr.cs.gz",
        "200a4a74cc9560f051924abb9803be008d1908d77f747e9141aeb86dfd2797f1",
        "3104872229daa1bef3b401d44dd2220b",
        22_572,
    ),
)

PREFIX = {"train": "train", "val": "val", "test": "test_2016_flickr"}
SENTENCES = {"train": 29_000, "val": 1_014, "test": 1_000}
LONGEST_BYTES = 1000
"""Bytes a sentence that a file may take at most; as published it takes 67, and the longest sentence 257."""

Language = Literal["de", "en", "fr", "cs"]


class Params(base.Params):
    """From which language into which."""

    source: Language = Field("de", description="language that is read")
    target: Language = Field("en", description="language that is written")

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.source == self.target:
            raise ValueError(f"source and target are both {self.source}; take two of de, en, fr and cs")
        return self


def load(split: str, root: Path, params: Params) -> Pairs:
    """Sentences of a split in two languages.

    Raises:
        DataError: a file is damaged, or does not hold as many sentences as its name says.
    """
    sources, targets = (_read(root, split, language) for language in (params.source, params.target))
    return Pairs(sources, targets, language=True)


def _read(root: Path, split: str, language: Language) -> list[str]:
    path, count = root / f"{PREFIX[split]}.{language}.gz", SENTENCES[split]
    most = count * LONGEST_BYTES
    with gunzipped(path, "multi30k") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise damaged(path, f"it holds more than the {most:,} bytes that {count:,} sentences may take", "multi30k")
    try:
        lines = content.decode("utf-8").split("\n")  # other marks of a line's end are text
    except UnicodeDecodeError as error:
        raise damaged(path, f"byte {error.start:,} of its text is not UTF-8", "multi30k") from error
    if not lines[-1]:  # behind the last line's end
        lines.pop()
    if len(lines) != count:
        raise damaged(path, f"it holds {len(lines):,} sentences, not {count:,}", "multi30k")
    return lines
