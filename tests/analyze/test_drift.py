"""Anchors against first rounds, and what the noise floor lets be told."""

from datetime import timedelta

import numpy as np
import pytest
from scipy import stats
from synthetic import START, costs, quality, suite
from synthetic_costs import CALIBRATION, anatomy, anchors, everything

from dlbench.analyze.drift import welch_ratio, worst
from dlbench.analyze.results import Results
from dlbench.analyze.verdict import headline
from dlbench.schema.record import Result

FIRST = [100.0, 103.0, 98.0, 101.0, 99.5]
AGAIN = [91.0, 93.5, 92.2]


def test_the_ratio_and_its_interval_are_welchs() -> None:
    """By hand: means of logarithms, their squared standard errors, and the Welch–Satterthwaite freedom."""
    ours, theirs = np.log(AGAIN), np.log(FIRST)
    a, b = ours.var(ddof=1) / 3, theirs.var(ddof=1) / 5
    margin = stats.t.ppf(0.975, (a + b) ** 2 / (a**2 / 2 + b**2 / 4)) * np.sqrt(a + b)
    middle = ours.mean() - theirs.mean()
    found = welch_ratio(AGAIN, FIRST)
    assert found == pytest.approx((np.exp(middle), np.exp(middle - margin), np.exp(middle + margin)))
    known = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert np.log(found[1:]) == pytest.approx((known.low, known.high))  # type: ignore[arg-type]


def test_constant_and_single_rounds_have_ratios() -> None:
    assert welch_ratio([50.0, 50.0], [100.0, 100.0]) == pytest.approx((0.5, 0.5, 0.5))
    assert welch_ratio([50.0], [100.0, 101.0])[1:] == (None, None)


def drifting(again: list[float], first: list[float] = FIRST, **fields: object) -> Results:
    """lstm, measured first; gru a day later, beside anchors of lstm; rnn a day later still, beside others."""
    found: list[Result] = costs("lstm", {"infer_throughput": first}, **fields)
    found += costs("linear", {"infer_throughput": [500.0, 505.0, 495.0]}, **fields)
    for day, label, values in ((1, "gru", again), (2, "rnn", first[:3])):
        when = START + timedelta(days=day)
        found += costs("lstm", {"infer_throughput": values}, first=5 * day, started_at=when, point={"anchor": True})
        found += costs(label, {"infer_throughput": [50.0, 51.0]}, started_at=when + timedelta(minutes=1))
    return Results(suite(), found)


def test_a_slower_machine_is_found_between_those_whom_it_concerns() -> None:
    results = drifting(AGAIN)
    there, back = results.drifts
    assert (there.drifted, back.drifted) == (True, False)
    assert there.ratio == pytest.approx(welch_ratio(AGAIN, FIRST)[0])
    assert [contender.name for contender in there.before] == ["lstm", "linear"]
    assert [contender.name for contender in there.after] == ["gru"]
    lstm, linear, gru, rnn = results.arenas[0].contenders
    assert there.separates(linear, gru)
    assert there.separates(gru, linear)
    assert not there.separates(lstm, linear)
    assert not there.separates(gru, rnn)
    assert worst(results.drifts) == (there,)


@pytest.mark.parametrize(
    ("again", "drifted"),
    [
        ([100.0, 103.0, 98.0], False),
        ([96.0, 96.1, 95.9], False),
        ([91.0, 93.0, 92.0], True),
        ([109.0, 108.0, 110.0], True),
    ],
)
def test_drift_is_clear_and_beyond_the_noise(again: list[float], drifted: bool) -> None:
    """Four per cent are clear, but within the usual 5 % of noise."""
    assert drifting(again).drifts[0].drifted == drifted


def test_a_calibrated_floor_counts_instead() -> None:
    machine = {"calibration": CALIBRATION}
    steady = [100.0, 100.2, 99.8, 100.1, 99.9]
    assert not drifting([96.0, 96.1, 95.9], steady).drifts[0].drifted
    assert drifting([96.0, 96.1, 95.9], steady, machine=machine).drifts[0].drifted


def test_latency_is_speed_upside_down() -> None:
    found = costs("lstm", {"infer_latency_p50_ms": [10.0, 10.1, 9.9]})
    again = {"infer_latency_p50_ms": [12.0, 12.1, 11.9]}
    found += costs("lstm", again, first=3, started_at=START + timedelta(days=1), point={"anchor": True})
    (drift,) = Results(suite(), found).drifts
    assert drift.ratio == pytest.approx(10 / 12, rel=1e-3)


def test_anchors_are_no_rounds() -> None:
    results = Results(suite(), [*costs("lstm", anatomy("lstm", 64)), *anchors("lstm", 64, 2.0)])
    (lstm,) = results.arenas[0].contenders
    assert set(lstm.rounds("train_throughput", 64)) == {0, 1, 2}
    assert len(lstm.cost) == 6
    assert [drift.ratio for drift in results.drifts] == pytest.approx([0.5, 0.5])


def test_anchors_that_contenders_share_are_compared_once() -> None:
    found = [*costs("lstm", anatomy("lstm", 64)), *anchors("lstm", 64, 1.2)]
    found += [one for lr in (0.1, 0.2) for one in quality(f"lstm lr={lr}", [0.9], train={"lr": lr})]
    results = Results(suite(), found)
    assert len(results.arenas[0].contenders) == 2
    assert len(results.drifts) == 2
    assert len(results.drifts[0].before) == 2


def scores(label: str, by: float) -> list[Result]:
    return quality(label, [0.9 + by + 0.001 * seed for seed in range(5)])


def test_nobody_is_faster_within_the_noise_or_across_a_drift() -> None:
    def told(machine: dict[str, object], when: timedelta = timedelta(0)) -> str:
        found = [*scores("a", 0.0), *scores("b", -0.01)]
        found += costs("a", {"infer_throughput": [100.0, 101.0, 99.0]}, machine=machine)
        found += costs("b", {"infer_throughput": [130.0, 131.0, 129.0]}, machine=machine, started_at=START + when)
        again = {"infer_throughput": [80.0, 81.0, 79.0]}
        return headline(
            Results(
                suite(),
                found + (costs("a", again, first=3, started_at=START + when, point={"anchor": True}) if when else []),
            )
        )

    assert "b infers 1.3 times as fast" in told({})
    quiet = {"calibration": {"noise": {"metrics": {"infer_throughput": 0.1}}}}
    loud = {"calibration": {"noise": {"metrics": {"infer_throughput": 0.4}}}}
    assert "b infers 1.3 times as fast" in told(quiet)
    assert "times as fast" not in told(loud)
    assert "times as fast" not in told({}, timedelta(days=1))


DISTURBED = {"noise": {"metrics": {"infer_throughput": 4.2}, "flags": ["other processes kept cores busy"]}}


@pytest.mark.parametrize(
    "calibration", [None, "x", {}, {"noise": None}, {"noise": []}, {"noise": {"metrics": {"a": "b"}}}, DISTURBED]
)
def test_a_calibration_may_lack_anything(calibration: object) -> None:
    results = Results(suite(), costs("a", {"infer_throughput": [1.0]}, machine={"calibration": calibration}))
    assert results.noise_floors == {}


def test_of_several_floors_the_largest_counts() -> None:
    def of(floor: float) -> dict[str, object]:
        return {"calibration": {"noise": {"metrics": {"mfu": floor}}}}

    found = [*costs("a", {"mfu": [0.1]}, machine=of(0.02)), *costs("b", {"mfu": [0.1]}, machine=of(0.07))]
    assert Results(suite(), found).noise_floors == {"mfu": 0.07}


def test_searches_for_the_largest_batch_are_no_rounds() -> None:
    results = Results(suite(), everything())
    lstm = next(contender for contender in results.arenas[0].contenders if contender.name == "lstm · fp32")
    assert lstm.batch_sizes == (1, 8, 64, 256)
    found = lstm.largest_batch("train")
    assert found is not None
    assert found.value == 2048
    assert lstm.largest_batch("infer") is None
