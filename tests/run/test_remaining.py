"""What is left of a run."""

import pytest
from tiny_jobs import entry, record

from dlbench.run.estimate import Estimator
from dlbench.run.remaining import Remaining


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_jobs_side_by_side_then_one_alone() -> None:
    trained, measured = [entry(seed=seed) for seed in range(3)], entry(round=0)
    known = Estimator([record(trained[0].job, duration_s=8.0), record(measured.job, duration_s=5.0)])
    clock = Clock()
    left = Remaining([*trained, measured], known, slots=2, clock=clock)
    assert left.seconds == 3 * 8 / 2 + 5
    left.start(trained[0])
    left.start(trained[1])
    clock.now = 6.0
    assert left.seconds == pytest.approx(17 - 6)
    left.end(trained[0])
    assert left.seconds == pytest.approx((8 - 6 + 8) / 2 + 5)
    clock.now = 60.0
    assert left.seconds == pytest.approx(8 / 2 + 5), "a job that takes longer than it should has nothing left"
    for each in trained:
        left.end(each)
    left.start(measured)
    clock.now = 62.0
    assert left.seconds == pytest.approx(3)
    left.end(measured)
    assert left.seconds == 0


def test_what_nothing_is_known_of_says_nothing_until_something_is() -> None:
    known = Estimator()
    left = Remaining([entry(seed=seed) for seed in range(3)], known, slots=1)
    assert left.seconds is None
    left.end(entry(seed=0))
    known.learn(record(entry(seed=0).job, duration_s=4.0))
    assert left.seconds == 8
