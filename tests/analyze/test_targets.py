"""Time to target against closed forms and scipy; failures are infinite."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from synthetic import job, result, suite

from dlbench.analyze.results import Results
from dlbench.analyze.targets import performance_ratios, profile, reaching, share_reached
from dlbench.schema.metric import Metric
from dlbench.schema.record import Result

TIME = "time_to_target_s"


def timed(label: str, times: list[float | str | None], target: float = 0.9, **fields: Any) -> list[Result]:
    """Train results with a target; inf missed it, a text is a status without a score, None has not run."""
    lines = []
    for seed, time in enumerate(times):
        one = job(label, number=seed, train={"target": target}, **fields)
        if time is None or isinstance(time, str):
            lines.append(result(one, label, status=time, reason=None if time is None else "no"))
            continue
        found = {"value": None, "reason": "the best was 0.8"} if math.isinf(time) else {"value": time}
        metrics = [
            Metric(name="test_accuracy", value=0.9, unit="fraction", better="higher", n=100),
            Metric.model_validate({"name": TIME, "unit": "s", "better": "lower", **found}),
            Metric.model_validate({"name": "steps_to_target", "unit": "steps", "better": "lower", **found}),
        ]
        lines.append(result(one, label, metrics))
    return lines


def test_what_failed_never_got_there_and_what_has_not_run_says_nothing() -> None:
    lines = timed("a", [3.0, math.inf, "diverged", None, "skipped", 5.0])
    (found,) = reaching(Results(suite(), lines).arenas[0], TIME)
    assert dict(found.times) == {0: 3.0, 1: math.inf, 2: math.inf, 5: 5.0}
    assert (found.reached, found.median.median, found.median.high) == (2, math.inf, math.inf)


def test_a_failure_without_a_target_is_no_missed_target() -> None:
    lines = [result(job("a"), "a", status="failed", reason="no")]
    assert reaching(Results(suite(), lines).arenas[0], TIME) == ()


def test_the_share_reached_is_scipys_distribution_function() -> None:
    times = [4.0, 2.0, 2.0, 7.0, 3.0]
    known = stats.ecdf(times).cdf
    found = share_reached(times)
    assert [end for end, _ in found] == known.quantiles.tolist()
    assert [share for _, share in found] == pytest.approx(known.probabilities.tolist())
    censored = share_reached([*times, math.inf, math.inf])
    assert censored[-1] == pytest.approx((7.0, 5 / 7))
    assert share_reached([math.inf]) == []


def test_performance_ratios_by_hand() -> None:
    """The worked rules of Dolan & Moré: the fastest has 1, who fails has ∞, an unsolved task has only ∞."""
    inf = math.inf
    times = np.array([[2.0, 9.0, inf, inf], [4.0, 3.0, 5.0, inf]])
    assert performance_ratios(times).tolist() == [[1.0, 3.0, inf, inf], [2.0, 1.0, 1.0, inf]]


def test_who_was_there_before_it_began_is_the_fastest_and_all_others_took_for_ever_as_long() -> None:
    inf = math.inf
    times = np.array([[0.0, 0.0], [3.0, 0.0], [inf, inf]])
    assert performance_ratios(times).tolist() == [[1.0, 1.0], [inf, 1.0], [inf, inf]]


def test_a_profile_takes_medians_and_only_equal_seeds() -> None:
    lines: list[Result] = []
    for dataset, factor in (("ag_news", 1.0), ("sst2", 10.0)):
        data = {"dataset": {"name": dataset, "digest": f"sha256:{dataset}"}}
        lines += timed("fast", [factor * t for t in (1.0, 2.0, 9.0)], **data)
        lines += timed("slow", [factor * t for t in (4.0, 6.0, 5.0)], **data)
        lines += timed("some", [1.0, 1.0, None if dataset == "sst2" else 1.0], **data)
    found = profile(Results(suite(), lines).arenas, TIME)
    assert found is not None
    assert found.names == ("fast", "slow")
    assert found.ratios.tolist() == [[1.0, 1.0], [2.5, 2.5]]
    assert profile(Results(suite(), lines[:9]).arenas, TIME) is None


def test_times_to_different_targets_are_not_compared() -> None:
    lines: list[Result] = []
    for dataset, other in (("ag_news", 0.9), ("sst2", 0.5), ("imdb", 0.9)):
        data = {"dataset": {"name": dataset, "digest": f"sha256:{dataset}"}}
        lines += [*timed("slow", [4.0, 5.0, 6.0], **data), *timed("fast", [1.0, 2.0, 3.0], target=other, **data)]
    arenas = Results(suite(), lines).arenas
    found = profile(arenas, TIME)
    assert found is not None
    assert [arena.dataset for arena in found.arenas] == ["ag_news", "imdb"]
    assert [arena.dataset for arena in found.left_out] == ["sst2"]
    assert found.ratios.shape == (2, 2)
    assert profile(arenas[:2], TIME) is None
