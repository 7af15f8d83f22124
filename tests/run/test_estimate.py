"""What is known of how long jobs take."""

import pytest
from tiny_jobs import entry, record

from dlbench.run.estimate import ELEMENT_S, OPERATION_S, START_S, STEP_S, Estimator
from dlbench.run.preflight import Finding
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


def test_what_there_is_no_record_of_is_guessed_from_its_forward_pass() -> None:
    short, long = (entry(train=TrainSettings(epochs=epochs, batch_size=50)) for epochs in (1, 3))
    facts = {"train_size": 1000, "flops_per_sample": 2e7, "elements_per_sample": 3e4}
    known = Estimator(findings=[Finding(entries=(short, long), **facts)])
    a_step_s = STEP_S + 50 * (2e7 * OPERATION_S + 3e4 * ELEMENT_S)
    assert known.seconds(short) == pytest.approx(START_S + 20 * a_step_s)
    assert known.seconds(long) == pytest.approx(START_S + 60 * a_step_s)
    assert known.guesses([short])
    timed = entry(train=TrainSettings(seconds=9))
    assert Estimator(findings=[Finding(entries=(timed,), **facts)]).seconds(timed) == 9 + START_S
    assert Estimator(findings=[Finding(entries=(short,), train_size=1000)]).seconds(short) is None


def test_a_record_of_the_same_is_better_than_a_guess() -> None:
    finding = Finding(entries=(entry(),), train_size=1000, flops_per_sample=2e7, elements_per_sample=3e4)
    known = Estimator([record(entry().job, duration_s=3.0)], [finding])
    assert known.seconds(entry()) == 3
    assert not known.guesses([entry()])
