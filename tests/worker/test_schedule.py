"""The learning rate against its closed forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlbench.schema.train import TrainSettings
from dlbench.worker.schedule import Schedule


def factors(total: int = 100, **settings: object) -> list[float]:
    schedule = Schedule(TrainSettings.model_validate(settings), total)
    return [schedule.factor(step, (step + 0.5) / total) for step in range(total)]


def test_constant_is_one() -> None:
    assert set(factors()) == {1.0}


def test_cosine_falls_from_one_to_its_end() -> None:
    values = factors(schedule="cosine", final_lr=0.1)
    assert values[0] == pytest.approx(1, abs=1e-3)
    assert values[-1] == pytest.approx(0.1, abs=1e-3)
    assert values[50] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi * 0.505)) / 2)


def test_warm_up_rises_linearly_in_steps_or_as_a_fraction() -> None:
    assert factors(warmup=10)[:10] == pytest.approx([(n + 0.5) / 10 for n in range(10)])
    assert factors(warmup=0.1) == factors(warmup=10)
    assert factors(warmup=10)[10:] == [1.0] * 90


def test_one_cycle_rises_to_the_peak_at_thirty_percent() -> None:
    values = factors(total=1000, schedule="one_cycle")
    assert values[0] == pytest.approx(1 / 25, abs=1e-3)
    assert max(range(1000), key=values.__getitem__) in (299, 300)
    assert values[-1] == pytest.approx(0, abs=1e-4)


def test_multi_step_falls_at_its_milestones_behind_the_warm_up() -> None:
    values = factors(schedule="multi_step", milestones=[0.5, 0.75], lr_decay=0.1)
    assert values == pytest.approx([1.0] * 50 + [0.1] * 25 + [0.01] * 25)
    later = factors(schedule="multi_step", milestones=[0.5], warmup=20)
    assert later[20:60] == [1.0] * 40
    assert later[60:] == pytest.approx([0.1] * 40)


def test_warm_up_in_steps_works_with_a_budget_in_seconds() -> None:
    schedule = Schedule(TrainSettings(seconds=10, warmup=10, schedule="linear"), None)
    assert schedule.factor(4, 0.01) == 0.5
    assert schedule.factor(10, 0.25) == 0.75


@given(
    kind=st.sampled_from(["constant", "linear", "cosine", "one_cycle", "multi_step"]),
    warmup=st.one_of(st.floats(0, 0.99), st.integers(1, 500).map(float)),
    final=st.floats(0, 1),
    total=st.integers(1, 300),
)
def test_factors_stay_between_zero_and_one(kind: str, warmup: float, final: float, total: int) -> None:
    values = factors(total, schedule=kind, warmup=warmup, final_lr=final)
    assert all(0 <= value <= 1 + 1e-12 for value in values)


def test_noam_is_the_paper_s_formula_up_to_its_peak() -> None:
    size, warmup, total = 512, 40, 400

    def paper(step: float) -> float:
        return size**-0.5 * min(step**-0.5, step * warmup**-1.5)

    values = factors(total, schedule="noam", warmup=warmup)
    assert values == pytest.approx([paper(n + 0.5) / paper(warmup) for n in range(total)])
    of_seconds = Schedule(TrainSettings.model_validate({"schedule": "noam", "warmup": 40, "seconds": 9}), None)
    assert [of_seconds.factor(step, 0.0) for step in (19, 39, 159)] == pytest.approx([0.5, 1, 0.5])
    with pytest.raises(ValueError, match="needs a warmup above 0"):
        TrainSettings.model_validate({"schedule": "noam"})
