"""What is known of how long jobs take."""

from tiny_jobs import entry, record

from dlbench.run.estimate import Estimator
from dlbench.schema.train import TrainSettings


def test_the_same_configuration_of_any_seed() -> None:
    known = Estimator(record(entry(seed=seed).job, duration_s=duration) for seed, duration in enumerate([1, 2, 9]))
    assert known.seconds(entry(seed=99)) == 2
    assert known.seconds(entry("other", seed=99)) == 2, "a similar one: the same family"
    assert known.seconds(entry(seed=99, threads=2)) == 2


def test_rounds_of_a_cost_job() -> None:
    known = Estimator([record(entry(round=0).job, duration_s=3.0)])
    assert known.seconds(entry(round=4)) == 3
    assert known.seconds(entry(seed=0)) is None, "training says nothing about measuring"


def test_another_length_of_training_is_scaled() -> None:
    known = Estimator([record(entry(train=TrainSettings(epochs=2)).job, duration_s=3.0)])
    assert known.seconds(entry(train=TrainSettings(epochs=6))) == 9
    assert known.seconds(entry(train=TrainSettings(steps=6))) is None


def test_only_what_went_through_counts() -> None:
    assert Estimator([record(entry().job, status="failed", duration_s=3.0)]).seconds(entry()) is None


def test_together_side_by_side() -> None:
    known = Estimator([record(entry().job, duration_s=3.0), record(entry(round=0).job, duration_s=1.0)])
    jobs = [entry(seed=seed) for seed in range(4)] + [entry(round=1), entry(device="cuda")]
    assert known.total(jobs, slots=2) == (4 * 3 / 2 + 1, 1)
