"""B against A: which rows there are, what is told of them, and how often two equal runs are told apart."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from synthetic import costs, quality, result, suite

from dlbench.analyze.changes import CODE, changes, machine_changes
from dlbench.analyze.compare import holm
from dlbench.analyze.logratio import paired_logs, welch_logs
from dlbench.analyze.partners import Partners, across, joined, within
from dlbench.analyze.results import Results
from dlbench.analyze.versus import found, versus
from dlbench.analyze.versus_jobs import JOBS
from dlbench.analyze.versus_rows import Row, Settings, summary
from dlbench.schema.metric import Metric
from dlbench.schema.record import Record, Result

SCORES = (0.90, 0.905, 0.912, 0.899, 0.907, 0.903)
SPEEDS = (1000.0, 1012.0, 995.0, 1004.0, 990.0)
USUAL = Settings()


def side(*results: Sequence[Result], **fields: Any) -> Results:
    return Results(suite(**fields), [one for some in results for one in some])


def judged(a: Results, b: Results, settings: Settings = USUAL) -> dict[tuple[str, int | None], Row]:
    """The rows by metric and batch size, of sides with one contender."""
    return {(row.metric, row.batch_size): row for row in versus(across(a, b).matches, settings)}


def speeds(values: Sequence[float], **fields: Any) -> list[Result]:
    made: list[Result] = costs("lstm", {"train_throughput": list(values)}, **fields)
    return made


def recorded(results: Sequence[Result], change: Callable[[Record], dict[str, Any]]) -> list[Result]:
    """The same results with other records."""
    return [
        one
        if one.record is None
        else one.model_copy(update={"record": one.record.model_copy(update=change(one.record))})
        for one in results
    ]


# --- arithmetic -----------------------------------------------------------------------------------------------------


def test_independent_rounds_are_compared_by_welch() -> None:
    ours, theirs = [10.0, 11.0, 12.5, 9.8], [14.0, 13.1, 20.0, 15.5, 16.0]
    ratio, p = welch_logs(ours, theirs)
    known = stats.ttest_ind(np.log(ours), np.log(theirs), equal_var=False)
    interval = known.confidence_interval(0.95)
    assert ratio is not None
    assert p == pytest.approx(known.pvalue)
    assert ratio.ratio == pytest.approx(stats.gmean(ours) / stats.gmean(theirs))
    assert (ratio.low, ratio.high) == pytest.approx((math.exp(interval.low), math.exp(interval.high)))


def test_rounds_side_by_side_are_pairs() -> None:
    """A slow minute that both had is nobody's."""
    ours, theirs = {0: 10.1, 1: 20.3, 2: 40.1, 5: 9.0}, {0: 20.0, 1: 40.2, 2: 80.5, 7: 1.0}
    ratio, p = paired_logs(ours, theirs)
    known = stats.ttest_rel(np.log([10.1, 20.3, 40.1]), np.log([20.0, 40.2, 80.5]))
    assert ratio is not None
    assert p == pytest.approx(known.pvalue)
    assert ratio.ratio == pytest.approx(0.502, abs=0.003)
    _, unpaired = welch_logs(list(ours.values()), list(theirs.values()))
    assert unpaired is not None
    assert unpaired > 0.1 > 0.001 > known.pvalue


def test_rounds_that_never_vary() -> None:
    assert welch_logs([5.0] * 3, [5.0] * 3)[1] == 1.0
    assert welch_logs([5.0] * 3, [6.0] * 3)[1] == 0.0
    assert paired_logs({0: 2.0, 1: 4.0}, {0: 1.0, 1: 2.0})[1] == 0.0
    assert welch_logs([5.0], [6.0, 7.0])[1] is None
    assert welch_logs([0.0, 1.0], [6.0, 7.0]) == (None, None)
    assert welch_logs([], [6.0]) == (None, None)


# --- verdicts -------------------------------------------------------------------------------------------------------


def test_a_worse_score_is_a_regression_and_its_p_value_that_of_scipy() -> None:
    lower = [score - drop for score, drop in zip(SCORES, (0.02, 0.021, 0.019, 0.022, 0.018, 0.02), strict=True)]
    row = judged(side(quality("lstm", SCORES)), side(quality("lstm", lower)))["test_accuracy", None]
    assert (row.word, row.judgement, row.n) == ("worse", "regression", (6, 6))
    assert row.p == pytest.approx(stats.ttest_rel(lower, SCORES).pvalue)
    assert (row.change, row.a, row.b) == pytest.approx((-0.02, np.mean(SCORES), np.mean(lower)))


def test_direction_belongs_to_the_metric() -> None:
    less = [score - 0.02 - 0.001 * (n % 2) for n, score in enumerate(SCORES)]
    settings = Settings(metrics=("test_loss",))
    a, b = (side(quality("lstm", scores, name="loss", better="lower")) for scores in (SCORES, less))
    assert judged(a, b, settings)["test_loss", None].judgement == "improvement"
    assert judged(b, a, settings)["test_loss", None].judgement == "regression"


def test_words_are_corrected_over_all_rows() -> None:
    """One contender of six differs, at a p value that is none among six."""
    weak = [score + shift for score, shift in zip(SCORES, (0.004, 0.011, 0.001, 0.009, 0.012, 0.003), strict=True)]
    p = float(stats.ttest_rel(weak, SCORES).pvalue)
    assert 0.05 / 6 < p < 0.05
    names = [f"m{n}" for n in range(6)]
    same = [[score + 1e-4 * (-1) ** (n + i) for n, score in enumerate(SCORES)] for i in range(5)]
    a = side(*(quality(name, SCORES) for name in names))
    b = side(*(quality(name, scores) for name, scores in zip(names, [weak, *same], strict=True)))
    rows = versus(across(a, b).matches, USUAL)
    assert [row.p_holm for row in rows] == pytest.approx(holm([row.p or 0 for row in rows]))
    assert {row.word for row in rows} == {"indistinguishable"}
    assert versus(across(a, b).matches[:1], USUAL)[0].word == "better"


def test_too_few_seeds_decide_nothing() -> None:
    few = judged(side(quality("lstm", SCORES[:3])), side(quality("lstm", [0.1, 0.11, 0.12])))["test_accuracy", None]
    assert (few.word, few.judgement) == ("too few seeds", "undecided")
    assert few.note == "3 of 5 common seeds"
    none = judged(side(quality("lstm", [None, *SCORES])), side(quality("lstm", SCORES[:1])))["test_accuracy", None]
    assert (none.word, none.judgement, none.note, none.change) == ("too few seeds", "undecided", "no common seed", None)


def test_a_slowdown_is_a_regression_and_a_speed_up_is_not() -> None:
    a, b = side(speeds(SPEEDS)), side(speeds([0.8 * speed for speed in reversed(SPEEDS)]))
    slower, faster = judged(a, b)["train_throughput", 64], judged(b, a)["train_throughput", 64]
    assert (slower.word, slower.judgement) == ("slower", "regression")
    assert slower.change == pytest.approx(0.8)
    assert (slower.a, slower.b) == pytest.approx((np.median(SPEEDS), 0.8 * np.median(SPEEDS))), "as everywhere else"
    assert slower.p == pytest.approx(stats.ttest_ind(np.log(SPEEDS), np.log(SPEEDS) + np.log(0.8), equal_var=False)[1])
    assert (faster.word, faster.judgement) == ("faster", "improvement")


@pytest.mark.parametrize(
    ("metric", "word", "judgement"),
    [
        ("infer_latency_p50_ms", "slower", "regression"),
        ("train_peak_memory_bytes", "more", "regression"),
        ("energy_per_sample_j", "more", "regression"),
        ("infer_throughput", "faster", "improvement"),
    ],
)
def test_words_for_more_of_each_cost(metric: str, word: str, judgement: str) -> None:
    a, b = (side(costs("lstm", {metric: [factor * speed for speed in SPEEDS]})) for factor in (1.0, 1.5))
    row = judged(a, b)[metric, 64]
    assert (row.word, row.judgement) == (word, judgement)


def test_what_is_within_the_noise_of_the_noisier_side_is_no_change() -> None:
    """4 % slower: less than the usual 5 %, though significant; floors of 3 % tell it, one of 8 % on a side does not."""
    slow = [0.96 * speed for speed in (1000.0, 1001.0, 999.0, 1000.5, 999.5)]
    fast = [speed / 0.96 for speed in slow]

    def at(a: float | None, b: float | None, **settings: Any) -> Row:
        machines = [
            {"machine": {"calibration": {"noise": {"metrics": {"train_throughput": floor}}}} if floor else {}}
            for floor in (a, b)
        ]
        sides = side(speeds(fast, **machines[0])), side(speeds(slow, **machines[1]))
        return judged(*sides, Settings(**settings))["train_throughput", 64]

    assert (at(None, None).judgement, at(None, None).note) == ("unchanged", "within the noise floor of 5 %")
    assert at(0.03, 0.02).judgement == "regression"
    assert at(0.02, 0.08).judgement == "unchanged"
    assert at(0.08, 0.02, thresholds={"train_throughput": 0.01}).judgement == "regression"
    assert at(0.01, 0.01, thresholds={"train_throughput": 0.1}).judgement == "unchanged"


def test_memory_of_another_run_must_differ_by_more_than_that_of_the_same() -> None:
    """3 % more: told of two contenders of one run, and noise between two runs. What is counted has no noise."""
    more = [1.03 * speed for speed in SPEEDS]
    peak = "train_peak_memory_bytes"
    a, b = side(costs("lstm", {peak: SPEEDS})), side(costs("lstm", {peak: more}))
    assert judged(a, b)[peak, 64].note == "within the noise floor of 5 %"
    both = side(costs("lstm", {peak: SPEEDS}), costs("gru", {peak: more}))
    (row,) = versus(within(both, "lstm", "gru").matches, USUAL)
    assert (row.word, row.judgement, row.threshold) == ("more", "regression", 0.01)
    one, other = (side(costs("lstm", {"parameters": [count] * 3})) for count in (1000.0, 1001.0))
    (row,) = versus(across(one, other).matches, Settings(metrics=("parameters",)))
    assert (row.word, row.judgement) == ("more", "regression")


def test_a_threshold_of_a_score_is_in_its_unit() -> None:
    lower = [score - 0.02 - 1e-4 * (n % 2) for n, score in enumerate(SCORES)]
    a, b = side(quality("lstm", SCORES)), side(quality("lstm", lower))
    for threshold, judgement in ((0.01, "regression"), (0.03, "unchanged")):
        row = judged(a, b, Settings(thresholds={"test_accuracy": threshold}))["test_accuracy", None]
        assert (row.word, row.judgement) == ("worse", judgement)


def test_two_rounds_decide_nothing() -> None:
    row = judged(side(speeds(SPEEDS[:2])), side(speeds([1.0, 1.01])))["train_throughput", 64]
    assert (row.word, row.judgement, row.note) == ("too few rounds", "undecided", "2 of 3 rounds")


def test_what_many_rows_make_doubtful_is_said() -> None:
    """Significant alone, but one of ten: neither a regression nor silently fine."""
    a = side(*(costs("lstm", {"train_throughput": SPEEDS}, batch_size=2**n) for n in range(10)))
    wide = [0.85 * speed for speed in (1000.0, 1100.0, 950.0, 1080.0, 900.0)]
    b = side(*(costs("lstm", {"train_throughput": SPEEDS if n else wide}, batch_size=2**n) for n in range(10)))
    row = judged(a, b)["train_throughput", 1]
    assert row.p is not None
    assert 0.05 / 10 < row.p < 0.05
    assert (row.word, row.judgement) == ("not told", "undecided")
    assert "not among 10 costs" in row.note


def test_costs_of_another_machine_are_not_judged_unless_wanted() -> None:
    slow = speeds([0.5 * speed for speed in SPEEDS])
    for changed, key in (
        (speeds([0.5 * speed for speed in SPEEDS], machine={"cpu": "Another CPU"}), "cpu"),
        (recorded(slow, lambda record: {"versions": {**record.versions, "torch": "2.12.0"}}), "torch"),
        (recorded(slow, lambda record: {"threads": 8}), "threads"),
    ):
        a, b = side(speeds(SPEEDS)), side(changed)
        (match,) = across(a, b).matches
        assert machine_changes(match.a, match.b) == (key,)
        row = judged(a, b)["train_throughput", 64]
        assert (row.word, row.judgement, row.note) == ("not told", "undecided", f"another machine: {key}")
        assert judged(a, b, Settings(across_machines=True))["train_throughput", 64].judgement == "regression"
        assert key in found("a", "b", across(a, b), USUAL).warnings[0]


def test_disturbed_rounds_do_not_count_where_others_are_enough() -> None:
    busy = ("other processes kept cores busy while this was measured: train throughput, infer latency",)
    slow = [0.5 * speed for speed in SPEEDS]
    some = [*speeds(SPEEDS[:3]), *speeds(slow[3:], first=3, flags=busy)]
    row = judged(side(speeds(SPEEDS)), side(some))["train_throughput", 64]
    assert (row.judgement, row.n) == ("unchanged", (5, 3))
    assert row.change == pytest.approx(1, abs=0.01)
    row = judged(side(speeds(SPEEDS)), side(speeds(slow, flags=busy)))["train_throughput", 64]
    assert (row.judgement, row.note) == ("undecided", "too few rounds that nothing disturbed")
    memory = costs("lstm", {"train_peak_memory_bytes": [2 * speed for speed in SPEEDS]}, flags=busy)
    a = side(costs("lstm", {"train_peak_memory_bytes": SPEEDS}))
    assert judged(a, side(memory))["train_peak_memory_bytes", 64].judgement == "regression"


def test_jobs_that_fail_where_they_did_not_are_a_regression() -> None:
    broken = [
        one if number < 3 else result(one.entry.job, "lstm", status="diverged", reason="nan")
        for number, one in enumerate(quality("lstm", SCORES))
    ]
    a, b = side(quality("lstm", SCORES)), side(broken)
    row = judged(a, b)[f"{JOBS} (train)", None]
    assert (row.word, row.judgement, row.a, row.b, row.note) == ("fails", "regression", 6, 3, "B: 3 diverged")
    assert judged(b, a)[f"{JOBS} (train)", None].judgement == "improvement"
    waiting = side(quality("lstm", [*SCORES[:3], None, None, None]))
    assert (f"{JOBS} (train)", None) not in judged(a, waiting)


def test_other_metrics_can_be_asked_for() -> None:
    a = side(quality("lstm", SCORES), speeds(SPEEDS))
    rows = judged(a, a, Settings(metrics=("train_time_s", "test_accuracy")))
    assert set(rows) == {("train_time_s", None), ("test_accuracy", None)}
    assert rows["train_time_s", None].kind == "ratio"


def test_summary_counts_what_was_told() -> None:
    a, b = side(quality("lstm", SCORES), speeds(SPEEDS)), side(quality("lstm", SCORES), speeds([2 * s for s in SPEEDS]))
    assert summary(versus(across(a, b).matches, USUAL)) == "no regressions, 1 improvement, 1 unchanged"
    assert summary(()) == "nothing compared"


# --- targets --------------------------------------------------------------------------------------------------------


def reached(times: Sequence[float | None], label: str = "lstm", *, per_s: float = 10.0, **fields: Any) -> list[Result]:
    """Trainings with a target: steps until each seed reached it, None where it never did; all of one score."""

    def to_target(name: str, unit: str, value: float | None) -> Metric:
        return Metric(name=name, value=value, unit=unit, better="lower", reason=None if value else "not reached")

    results = []
    for one, steps in zip(quality(label, [0.9] * len(times), train={"target": 0.8}, **fields), times, strict=True):
        assert one.record is not None
        times_to = (
            to_target("steps_to_target", "steps", steps),
            to_target("time_to_target_s", "s", steps and steps / per_s),
        )
        results.append(
            one.model_copy(
                update={"record": one.record.model_copy(update={"metrics": (*one.record.metrics, *times_to)})}
            )
        )
    return results


STEPS: tuple[float, ...] = (1000, 1012, 995, 1004, 990, 1007, 998, 1001, 993, 1010)
TIMES = Settings(metrics=("steps_to_target", "time_to_target_s"))


def half(steps: Sequence[float]) -> list[float | None]:
    """Faster, where it gets there: every second seed."""
    return [step - 100 if number % 2 else None for number, step in enumerate(steps)]


def test_missing_half_of_the_targets_is_worse_however_fast_the_rest() -> None:
    a, b = side(reached(STEPS)), side(reached(half(STEPS)))
    for settings in (USUAL, TIMES):
        row = judged(a, b, settings)["steps_to_target", None]
        assert (row.word, row.judgement, row.note) == ("worse", "regression", "B misses 5 of 10 seeds")
        assert row.p == pytest.approx(stats.barnard_exact([[5, 10], [5, 0]]).pvalue)
        assert (row.n, row.a, row.b, row.change) == ((10, 10), pytest.approx(1000.5), math.inf, None)
        assert judged(b, a, settings)["steps_to_target", None].judgement == "improvement"
    row = judged(a, b, TIMES)["time_to_target_s", None]
    assert (row.word, row.judgement, row.note) == ("worse", "regression", "B misses 5 of 10 seeds")


@pytest.mark.parametrize("contenders", [1, 20])
def test_missing_all_that_was_reached_is_a_regression_among_however_many(contenders: int) -> None:
    names = [f"m{n}" for n in range(contenders)]
    a = side(*(reached(STEPS[:5], name) for name in names))
    b = side(*(reached([None] * 5 if name == "m0" else STEPS[:5], name) for name in names))
    rows = [row for row in versus(across(a, b).matches, USUAL) if row.metric == "steps_to_target"]
    assert [row.judgement for row in rows] == ["regression"] + ["unchanged"] * (contenders - 1)
    assert rows[0].note == "B misses 5 of 5 seeds"
    few = judged(side(reached(STEPS[:4])), side(reached([None] * 4)))["steps_to_target", None]
    assert (few.word, few.judgement, few.note) == (
        "too few seeds",
        "undecided",
        "B misses 4 of 4 seeds; 4 of 5 common seeds",
    )


def test_who_misses_more_is_never_called_better() -> None:
    """One miss may be chance, and nine seeds that are faster do not outweigh it."""
    a, b = side(reached(STEPS)), side(reached([None, *(step / 2 for step in STEPS[1:])]))
    row = judged(a, b)["steps_to_target", None]
    assert (row.word, row.judgement) == ("not told", "undecided")
    assert row.note == "B misses 1 of 10 seeds, which may be chance"
    row = judged(b, a)["steps_to_target", None]
    assert (row.word, row.judgement) == ("not told", "undecided")
    assert row.note == "A misses 1 of 10 seeds, which may be chance"


def test_equally_many_misses_leave_it_to_who_is_first() -> None:
    """The sign test over seeds, a miss being last: eight of nine decide."""
    a = side(reached([None, *STEPS[1:]]))
    slower = judged(a, side(reached([None, *(step + 50 for step in STEPS[1:])])))["steps_to_target", None]
    assert (slower.word, slower.judgement) == ("worse", "regression")
    assert slower.p == pytest.approx(stats.binomtest(0, 9).pvalue)
    assert slower.note == "A misses 1 of 10 seeds; B misses 1 of 10 seeds"
    lenient = Settings(thresholds={"steps_to_target": 60})
    assert (
        judged(a, side(reached([None, *(step + 50 for step in STEPS[1:])])), lenient)["steps_to_target", None].judgement
        == "unchanged"
    )
    none = judged(side(reached([None] * 5)), side(reached([None] * 5)))["steps_to_target", None]
    assert (none.word, none.judgement) == ("not told", "undecided")


def test_a_training_that_broke_has_missed_its_target() -> None:
    steps = [step - 100 for step in STEPS]
    broken = [
        one if number % 2 else result(one.entry.job, "lstm", status="diverged", reason="nan")
        for number, one in enumerate(reached(steps))
    ]
    row = judged(side(reached(STEPS)), side(broken))["steps_to_target", None]
    assert (row.judgement, row.note) == ("regression", "B misses 5 of 10 seeds")


def test_times_of_another_machine_are_no_times_but_a_miss_is_a_miss() -> None:
    other = {"machine": {"cpu": "Another CPU"}}
    row = judged(side(reached(STEPS)), side(reached(half(STEPS), **other)), TIMES)["time_to_target_s", None]
    assert row.judgement == "regression"
    once = [None, *STEPS[1:]]
    slow = side(reached(once, per_s=1.0, **other))
    row = judged(side(reached(once)), slow, TIMES)["time_to_target_s", None]
    assert (row.judgement, row.p) == ("undecided", 1.0)
    assert row.note == "A misses 1 of 10 seeds; B misses 1 of 10 seeds; another machine: cpu"
    row = judged(side(reached(once)), slow, replace(TIMES, across_machines=True))["time_to_target_s", None]
    assert row.judgement == "regression"
    near = judged(side(reached(once)), side(reached(once, per_s=9.8)), TIMES)["time_to_target_s", None]
    assert near.judgement == "unchanged"


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5])
def test_equal_sides_that_miss_are_seldom_told_apart(share: float) -> None:
    """Of 150 pairs of ten seeds, of which a share misses, at most 5 % are called worse or better, and slack."""
    rng = np.random.default_rng(5)
    told = 0
    for _ in range(150):
        a, b = (
            side(reached([float(t) if rng.random() >= share else None for t in rng.normal(1000, 20, size=10)]))
            for _ in range(2)
        )
        told += judged(a, b)["steps_to_target", None].judgement in ("regression", "improvement")
    assert told <= stats.binom.ppf(0.999, 150, 0.05)


# --- partners -------------------------------------------------------------------------------------------------------


def test_what_has_no_partner_is_listed() -> None:
    a = side(quality("lstm", SCORES), quality("gru", SCORES), speeds(SPEEDS, batch_size=1), speeds(SPEEDS))
    b = side(quality("lstm", SCORES), quality("rnn", SCORES, precision="bf16"), speeds(SPEEDS))
    comparison = found("a", "b", across(a, b), USUAL)
    assert [(one.side, one.what) for one in comparison.alone] == [
        ("A", "gru on ag_news"),
        ("B", "rnn · bf16 on ag_news"),
        ("A", "lstm on ag_news at batch 1"),
    ]
    assert {row.where for row in comparison.rows} == {"lstm on ag_news"}


def test_where_nothing_has_finished_is_listed() -> None:
    a = side(quality("lstm", SCORES), quality("gru", [None] * 5))
    comparison = found("a", "a", across(a, a), USUAL)
    assert [(one.side, one.what) for one in comparison.alone] == [("neither", "gru on ag_news")]


def test_other_data_is_no_partner() -> None:
    other = {"digest": "sha256:" + "cd" * 32}
    partners = across(side(quality("lstm", SCORES)), side(quality("lstm", SCORES, dataset=other)))
    assert partners.matches == ()
    assert "the digest of ag_news is sha256:abababababab… in A and sha256:cdcdcdcdcdcd… in B" in partners.alone[0].why


def test_two_contenders_of_a_suite_are_paired_by_what_varies() -> None:
    results = side(
        *(quality(label, SCORES, precision=precision) for label in ("lstm", "gru") for precision in ("fp32", "bf16"))
    )
    partners = within(results, "lstm", "gru")
    assert [match.name for match in partners.matches] == ["lstm · fp32 → gru · fp32", "lstm · bf16 → gru · bf16"]
    assert all(match.together for match in partners.matches)
    (one,) = within(results, "lstm · fp32", "lstm · bf16").matches
    assert [(change.key, change.old, change.new) for change in changes(one)] == [("precision", "fp32", "bf16")]
    lonely = within(results, "lstm", "rnn")
    assert (lonely.matches, [one.side for one in lonely.alone]) == ((), ["A", "A"])


def presets(*models: str) -> Results:
    """Two sizes of each model, which no varied key tells apart."""
    return side(
        *(quality(f"{model} {size}", SCORES, params={"h": size}) for model in models for size in ("small", "large"))
    )


def reasons(partners: Partners) -> dict[str, str]:
    return {f"{one.side}: {one.what}": one.why for one in partners.alone}


def test_several_of_the_same_settings_are_not_paired() -> None:
    """Which lstm belongs to which gru nothing but their labels says: none is guessed and none is dropped."""
    partners = within(presets("lstm", "gru"), "lstm", "gru")
    assert partners.matches == ()
    assert reasons(partners) == {
        **{
            f"A: lstm {size} on ag_news": "several have the same settings: name one of them instead of 'gru'"
            for size in ("small", "large")
        },
        **{
            f"B: gru {size} on ag_news": "several have the same settings: name one of them instead of 'lstm'"
            for size in ("small", "large")
        },
    }
    (match,) = within(presets("lstm", "gru"), "lstm small", "gru large").matches
    assert match.name == "lstm small → gru large"
    (lonely,) = (one for one in within(presets("lstm", "gru"), "lstm small", "gru").alone if one.side == "A")
    assert lonely.why == "several have the same settings: name one of them instead of 'gru'"


def test_nobody_is_compared_with_itself() -> None:
    for words in (("gru large", "gru"), ("gru", "gru large")):
        partners = within(presets("gru"), *words)
        assert partners.matches == ()
        assert reasons(partners)["neither: gru large on ag_news"] == f"both {words[0]!r} and {words[1]!r} mean it"
        (small,) = (one for one in partners.alone if one.side != "neither")
        assert (small.what, small.why) == ("gru small on ag_news", "there is no other 'gru large' to match")


def test_a_partner_of_other_settings_is_not_said_to_be_missing() -> None:
    results = side(
        *(quality("lstm", SCORES, precision=precision) for precision in ("fp32", "bf16")),
        quality("gru", SCORES, precision="fp32"),
    )
    partners = within(results, "lstm", "gru")
    assert [match.name for match in partners.matches] == ["lstm · fp32 → gru · fp32"]
    assert reasons(partners) == {"A: lstm · bf16 on ag_news": "there is no 'gru' with the same settings"}
    assert reasons(within(results, "gru", "rnn")) == {"A: gru · fp32 on ag_news": "there is no 'rnn' to match"}


def test_contenders_of_one_label_are_told_apart_by_what_varies() -> None:
    def rates(*values: int) -> Results:
        return side(*(quality("lstm", SCORES, varied={"train.lr": lr}, train={"lr": lr}) for lr in values))

    partners = across(rates(1, 2), rates(2, 1))
    assert [match.name for match in partners.matches] == ["lstm · lr 1", "lstm · lr 2"]
    assert all(changes(match) == () for match in partners.matches)
    partners = across(rates(1, 2), rates(1, 3))
    assert [match.name for match in partners.matches] == ["lstm · lr 1"]
    assert reasons(partners) == {
        "A: lstm · lr 2 on ag_news": "several have its name, and none in B its settings",
        "B: lstm · lr 3 on ag_news": "several have its name, and none in A its settings",
    }
    partners = across(rates(1, 2), rates(3))
    assert partners.matches == ()
    assert reasons(partners)["B: lstm on ag_news"] == "several have its name, and none in A its settings"
    assert len(across(rates(1), rates(3)).matches) == 1


def test_devices_of_one_kind_are_not_mixed_up() -> None:
    two = side(*(quality("lstm", SCORES, device=f"cuda:{n}") for n in range(2)))
    assert [match.a.device for match in across(two, two).matches] == ["cuda:0", "cuda:1"]
    (match,) = across(
        side(quality("lstm", SCORES, device="cuda:0")), side(quality("lstm", SCORES, device="cuda:1"))
    ).matches
    assert (match.a.device, match.b.device) == ("cuda:0", "cuda:1")


def test_contenders_that_share_cost_jobs_get_one_row() -> None:
    """The learning rate changes no cost."""
    trained = [quality(f"lstm lr={lr}", SCORES, train={"lr": lr}, varied={"train.lr": lr}) for lr in (0.1, 0.2)]
    a = side(*trained, speeds(SPEEDS))
    rows = versus(across(a, a).matches, USUAL)
    assert [(row.where, row.metric) for row in rows] == [
        ("lstm lr=0.1 on ag_news", "test_accuracy"),
        ("lstm lr=0.1, lstm lr=0.2 on ag_news", "train_throughput"),
        ("lstm lr=0.2 on ag_news", "test_accuracy"),
    ]


def test_suites_that_share_jobs_show_them_in_each_and_count_them_once() -> None:
    """What was measured once is one test among all, whoever lists it."""
    weak = [score + shift for score, shift in zip(SCORES, (0.004, 0.011, 0.001, 0.009, 0.012, 0.003), strict=True)]
    wide = [0.85 * speed for speed in (1000.0, 1030.0, 980.0, 1025.0, 985.0)]
    a = side(quality("lstm", SCORES), speeds(SPEEDS))
    b = side(quality("lstm", weak), speeds(wide))
    alone = versus(across(a, b).matches, USUAL)
    assert [row.judgement for row in alone] == ["improvement", "regression"]
    twice = versus(joined([across(a, b, suffix=" in one"), across(a, b, suffix=" in two")]).matches, USUAL)
    assert [(row.where, row.metric) for row in twice] == [
        (f"lstm on ag_news in {name}", row.metric) for name in ("one", "two") for row in alone
    ]
    assert [(row.p_holm, row.word) for row in twice] == 2 * [(row.p_holm, row.word) for row in alone]


def test_a_metric_that_was_asked_for_and_is_not_there_is_listed() -> None:
    words = quality("lm", [3 + 0.01 * n for n in range(6)], task="language_modelling", name="loss", better="lower")
    both = side(quality("lstm", SCORES), words, speeds(SPEEDS))
    comparison = found("a", "b", across(both, both), Settings(metrics=("test_accuracy", "train_throughput")))
    assert {(row.where, row.metric) for row in comparison.rows} == {
        ("lstm on text_classification on ag_news", "test_accuracy"),
        ("lstm on text_classification on ag_news", "train_throughput"),
    }
    assert [(one.side, one.what, one.why) for one in comparison.alone] == [
        ("neither", f"{metric} of lm on language_modelling on ag_news", "neither side has a value")
        for metric in ("test_accuracy", "train_throughput")
    ]


# --- configuration --------------------------------------------------------------------------------------------------


def test_only_what_changed_is_named() -> None:
    a = side(quality("lstm", SCORES), speeds(SPEEDS))
    (same,) = across(a, side(quality("lstm", SCORES), speeds(SPEEDS))).matches
    assert changes(same) == ()
    trained = quality("lstm", SCORES[:5], train={"lr": 0.01}, params={"hidden_size": 128})
    b = side(recorded(trained, lambda _: {"code": {"git_commit": "fedc", "git_dirty": True}}), speeds(SPEEDS))
    (match,) = across(a, b).matches
    named = {change.key: (change.old, change.new) for change in changes(match)}
    assert named["train.lr"] == ("0.001", "0.01")
    assert named["seeds"] == ("0, 1, 2, 3, 4, 5", "0, 1, 2, 3, 4")
    assert "128" in named["model.hidden_size"][1]
    assert set(named) == {"train.lr", "seeds", "model.hidden_size", "code.git_commit", "code.git_dirty"}
    assert "Records of B were made with uncommitted changes." in found("a", "b", across(a, b), USUAL).warnings


def test_another_revision_of_the_code_shows_in_the_ids() -> None:
    a = side(quality("lstm", SCORES))
    again = [
        one.model_copy(
            update={"entry": one.entry.model_copy(update={"job": one.entry.job.model_copy(update={"id": "x"})})}
        )
        for one in quality("lstm", SCORES)
    ]
    (match,) = across(a, side(again)).matches
    assert [change.key for change in changes(match)] == [CODE]


def test_shared_records_are_said() -> None:
    a = side(quality("lstm", SCORES), speeds(SPEEDS))
    (warning,) = found("a", "a", across(a, a), USUAL).warnings
    assert "share all of their records" in warning


# --- false alarms ---------------------------------------------------------------------------------------------------

METRICS = ("train_throughput", "infer_throughput", "infer_latency_p50_ms", "train_peak_memory_bytes")


@pytest.mark.parametrize("rounds", [3, 5])
def test_equal_runs_are_seldom_told_apart(rounds: int) -> None:
    """Three contenders, four costs, no help from a noise floor: at most 5 % of 200 gates fail, and slack."""
    rng = np.random.default_rng(rounds)
    nothing = Settings(thresholds=dict.fromkeys(METRICS, 0.0))
    template = _run(rng, rounds)
    failed = 0
    for _ in range(200):
        a, b = (_fresh(template, rng) for _ in range(2))
        rows = versus(joined([across(a, b), Partners((), ())]).matches, nothing)
        assert len(rows) == 15
        failed += any(row.judgement == "regression" for row in rows)
    assert failed <= stats.binom.ppf(0.999, 200, 0.05)


def test_a_real_slowdown_is_found() -> None:
    """12 % slower in one of twelve costs, with 2 % noise and five rounds: found in at least 80 % of 100 gates."""
    rng = np.random.default_rng(7)
    template = _run(rng, 5)
    told = 0
    for _ in range(100):
        a, b = _fresh(template, rng), _fresh(template, rng, slower=0.88)
        rows = versus(across(a, b).matches, USUAL)
        told += any(row.judgement == "regression" and row.metric == "train_throughput" for row in rows)
    assert told >= 80


def _run(rng: np.random.Generator, rounds: int) -> list[Result]:
    results: list[Result] = []
    for label in ("lstm", "gru", "rnn"):
        results += quality(label, [0.9] * 5)
        results += costs(label, {metric: [100.0] * rounds for metric in METRICS})
    return results


def _fresh(template: Sequence[Result], rng: np.random.Generator, slower: float = 1.0) -> Results:
    """The same jobs with new noise: 0.5 points of accuracy, 2 % of a cost."""
    made = []
    for one in template:
        assert one.record is not None
        metrics = tuple(
            metric.model_copy(
                update={
                    "value": metric.value + rng.normal(0, 0.005)
                    if one.record.kind == "train"
                    else metric.value
                    * math.exp(rng.normal(0, 0.02))
                    * (slower if (metric.name, one.entry.label) == ("train_throughput", "gru") else 1.0)
                }
            )
            for metric in one.record.metrics
            if metric.value is not None
        )
        record = one.record.model_copy(update={"metrics": metrics})
        made.append(Result.model_construct(entry=one.entry, record=record, folder=None))
    return Results(suite(), made)
