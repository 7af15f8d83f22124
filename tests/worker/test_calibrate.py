"""A calibration: rates, bandwidths and overhead are plausible, missing kernels have reasons."""

from typing import Any

import pytest
import torch

from dlbench.errors import Unsupported
from dlbench.schema.calibration import Calibration
from dlbench.worker.calibrate import calibrate
from dlbench.worker.ceiling import KINDS, copy_bandwidth, matrix_rate
from dlbench.worker.precision import unsupported

CPU = torch.device("cpu")
TINY: dict[str, Any] = {
    "device": "cpu", "threads": 1, "quick": True, "limit_s": 0.01, "sizes": (32, 64), "copy_bytes": 2**16,
}  # fmt: skip


def whole(answer: dict[str, Any]) -> Calibration:
    about = {"device": "cpu", "threads": 1, "torch": torch.__version__, "hardware": {"cpu": "a processor"}}
    return Calibration.model_validate({"schema": 1, **about, **answer})


def test_rates_and_bandwidth_are_positive_or_have_a_reason() -> None:
    found = whole(calibrate(TINY))
    assert set(found.rates) == set(KINDS)
    for rate in found.rates.values():
        assert (rate.flops_per_s or 0) > 0 or rate.reason
        assert (rate.flops_per_s is None) == (rate.size is None)
        assert rate.reason is not None or not rate.emulated
    for dtype in ("float32", "float64"):
        assert found.rates[dtype].size in (32, 64)
    assert found.copy_bytes_per_s > 0
    assert (found.to_device_bytes_per_s, found.overhead, found.noise) == (None, None, None)
    assert Calibration.model_validate_json(found.model_dump_json(by_alias=True)) == found


def test_a_cpu_has_no_tf32_and_says_so() -> None:
    rate = matrix_rate("tf32", CPU, 0.01, (32,))
    assert rate.flops_per_s is None
    assert "tensor cores" in str(rate.reason)


@pytest.mark.parametrize(("dtype", "asked"), [("bfloat16", "bf16"), ("float16", "fp16")])
def test_dtypes_without_instructions_are_called_emulated(dtype: str, asked: str) -> None:
    rate, missing = matrix_rate(dtype, CPU, 0.01, (32,)), unsupported(asked, CPU)
    assert (rate.flops_per_s or 0) > 0
    assert rate.reason == (missing and f"emulated: {missing}")
    assert rate.emulated == (missing is not None)


def test_larger_sizes_are_left_out_when_time_is_up() -> None:
    assert matrix_rate("float32", CPU, 0.0, (32, 2**15)).size == 32


def test_a_copy_is_never_empty() -> None:
    assert copy_bandwidth(CPU, 0.0, most_bytes=0) > 0


def test_a_full_calibration_compares_the_step_with_a_bare_one() -> None:
    found = whole(calibrate({**TINY, "quick": False, "pairs": 3, "window_s": 0.01})).overhead
    assert found is not None
    assert found.n == 3
    assert 0 < found.quartiles[0] <= found.ratio <= found.quartiles[1]


def test_a_device_that_is_not_here() -> None:
    with pytest.raises(Unsupported, match="cuda:99"):
        calibrate({**TINY, "device": "cuda:99"})
