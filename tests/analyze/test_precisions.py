"""What a precision really was."""

import pytest
from synthetic import quality, suite

from dlbench.analyze.precisions import Ran, ran
from dlbench.analyze.results import Results


@pytest.mark.parametrize(
    ("asked", "dtypes", "layers", "told"),
    [
        ("fp32", ("float32",), {}, None),
        ("tf32", ("tf32",), {}, None),
        ("tf32", ("float32",), {}, "nothing of it ran so"),
        ("bf16", ("bfloat16",), {("bfloat16",): 4}, None),
        ("bf16", ("float32",), {("float32",): 4}, "nothing of it ran so"),
        ("bf16", ("bfloat16", "float32"), {}, "a part of it ran in another"),
        (
            "bf16_pure",
            ("bfloat16", "float32"),
            {("bfloat16",): 3, ("float32",): 1},
            "1 of 4 layers ran wholly or partly in another",
        ),
        ("fp8", ("float8_e4m3fn",), {}, None),
        ("fp8_emulated", ("float32",), {("float32",): 4}, None),
        ("int8", ("qint8",), {}, None),
        ("fp16", (), {}, None),
    ],
)
def test_what_ran_otherwise_is_told(
    asked: str, dtypes: tuple[str, ...], layers: dict[tuple[str, ...], int], told: str | None
) -> None:
    assert Ran(asked, dtypes, layers).astray == told


def test_layers_are_counted_by_dtype() -> None:
    layers = {"a": ("bfloat16",), "b": ("bfloat16",), "c": ("float32",), "d": ("float32", "bfloat16")}
    results = quality("lstm", [0.9, 0.8], precision="bf16", ran=("bfloat16", "float32"), layers=layers)
    (lstm,) = Results(suite(), results).arenas[0].contenders
    assert ran(lstm).words == "bfloat16 in 2 layers, float32 in 1, bfloat16+float32 in 1"
    assert Ran("bf16", ("bfloat16", "float32"), {}).words == "bfloat16, float32"


def test_an_emulated_precision_is_known_by_its_name() -> None:
    results = Results(suite(), [*quality("a", [0.9]), *quality("a", [0.9], precision="fp8_emulated")])
    assert [contender.emulated for contender in results.arenas[0].contenders] == [False, True]
