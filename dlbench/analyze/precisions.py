"""What a precision really was: the dtypes that ran, layer by layer, against the one that was asked for."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from dlbench.analyze.contenders import Contender, finished

ASKED = {
    "fp32": "float32",
    "tf32": "tf32",
    "bf16": "bfloat16",
    "bf16_pure": "bfloat16",
    "fp16": "float16",
    "fp8": "float8",
    "int8": "int8",
}
"""Precision → how the names of the dtypes that it asks for begin; an emulation asks for none."""


@dataclass(frozen=True)
class Ran:
    """What ran in the jobs of a contender.

    Attributes:
        asked: the precision.
        dtypes: of all matrix operators, sorted; empty where nothing has finished.
        layers: dtypes of a layer → how many layers ran in them; empty where nobody looked.
    """

    asked: str
    dtypes: tuple[str, ...]
    layers: dict[tuple[str, ...], int]

    @property
    def astray(self) -> str | None:
        """What ran in another dtype than was asked for, in words; None if nothing did, or it is not known."""
        asked = ASKED.get(self.asked)
        if asked is None or not self.dtypes:
            return None
        if not any(_is(dtype, asked) for dtype in self.dtypes):
            return "nothing of it ran so"
        others = sum(count for dtypes, count in self.layers.items() if not all(_is(dtype, asked) for dtype in dtypes))
        if others:
            return f"{others} of {sum(self.layers.values())} layers ran wholly or partly in another"
        if not all(_is(dtype, asked) for dtype in self.dtypes):
            return "a part of it ran in another"
        return None

    @property
    def words(self) -> str:
        """`bfloat16 in 5 layers, float32 in 1`; the dtypes alone where layers are not known."""
        if not self.layers:
            return ", ".join(self.dtypes)
        told = sorted(self.layers.items(), key=lambda item: -item[1])
        parts = [f"{'+'.join(dtypes)} in {count}" for dtypes, count in told]
        first = told[0][1]
        return ", ".join([f"{parts[0]} layer{'s' if first > 1 else ''}", *parts[1:]])


def ran(contender: Contender) -> Ran:
    """What ran, over all its finished jobs; the layers are those of the first that tells of them."""
    records = [record for _, record in finished((*contender.train, *contender.cost))]
    dtypes = {dtype for record in records for dtype in record.precision.ran}
    layers = next((record.precision.layers for record in records if record.precision.layers), {})
    return Ran(contender.precision, tuple(sorted(dtypes)), dict(Counter(_key(found) for found in layers.values())))


def _key(dtypes: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(dtypes)))


def _is(dtype: str, asked: str) -> bool:
    return dtype.removeprefix("q").startswith(asked) or (asked == "int8" and dtype == "quint8")
