"""The second opinion over test examples against scipy, and what it says beside the verdict over seeds."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from synthetic import quality, suite, with_artifact

from dlbench.analyze.examples import SecondOpinion, opinion, second_opinions, sign_flip
from dlbench.analyze.results import Results
from dlbench.analyze.verdict import headline
from dlbench.schema.record import Result


@pytest.mark.parametrize(("won", "lost"), [(14, 5), (0, 7), (6, 6), (120, 80)])
def test_one_seed_is_mcnemars_exact_test(won: int, lost: int) -> None:
    """Discordant pairs are a fair coin under the null hypothesis."""
    ours = np.array([True] * won + [False] * lost + [True] * 30)
    theirs = np.array([False] * won + [True] * lost + [True] * 30)
    found = opinion([ours], [theirs])
    assert found.p == pytest.approx(stats.binomtest(won, won + lost).pvalue)
    assert (found.won, found.lost, found.n) == (won, lost, won + lost + 30)
    assert found.difference == pytest.approx((won - lost) / found.n)


def test_several_seeds_are_scipys_permutation_test() -> None:
    """All 2¹² sign patterns of twelve differences."""
    gaps = np.array([3, -1, 2, 0, 2, 1, -2, 3, 1, 0, 1, -1])
    known = stats.permutation_test(
        (gaps,), lambda x: float(np.mean(x)), permutation_type="samples", n_resamples=10_000, vectorized=False
    )
    assert sign_flip(gaps) == pytest.approx(known.pvalue)


def test_nothing_differs() -> None:
    right = np.array([True, False, True])
    found = opinion([right, right], [right, right])
    assert (found.p, found.difference, found.low, found.high) == (1.0, 0.0, 0.0, 0.0)


def test_five_networks_are_no_five_test_sets() -> None:
    """The same network five times says what it says once."""
    rng = np.random.default_rng(5)
    ours, theirs = rng.random(400) < 0.9, rng.random(400) < 0.86
    once, five = opinion([ours], [theirs]), opinion([ours] * 5, [theirs] * 5)
    assert five.p == pytest.approx(once.p)
    assert (five.low, five.high) == pytest.approx((once.low, once.high))


def test_the_interval_is_that_of_a_mean() -> None:
    rng = np.random.default_rng(6)
    ours, theirs = rng.random((2, 5, 2000)) < np.array([0.9, 0.88])[:, None, None]
    found = opinion(list(ours), list(theirs))
    gaps = ours.mean(axis=0) - theirs.mean(axis=0)
    low, high = stats.norm.interval(0.95, gaps.mean(), stats.sem(gaps))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_false_alarms_are_as_rare_as_promised() -> None:
    """Twins of three networks each, 300 examples: at most 6.8 % of 1,000 differ at the 5 % level."""
    rng = np.random.default_rng(7)
    hard = rng.random(300)
    alarms = 0
    for _ in range(1000):
        right = rng.random((2, 3, 300)) > 0.3 * hard
        alarms += opinion(list(right[0]), list(right[1])).p < 0.05
    assert 20 <= alarms <= 68


def kept(label: str, right: NDArray[np.bool_], folder: Path) -> list[Result]:
    """Train results of networks, (seeds, examples), whose answers to the same questions were kept."""
    target = np.arange(right.shape[1]) % 10

    def saved(one: Result, answers: NDArray[np.int64]) -> Result:
        return with_artifact(
            one,
            folder,
            "predictions",
            "predictions.npz",
            lambda path: np.savez_compressed(path, target=target, predicted=answers),
        )

    lines = quality(label, [float(row.mean()) for row in right])
    return [saved(one, np.where(row, target, (target + 1) % 10)) for one, row in zip(lines, right, strict=True)]


def lucky(folder: Path, seeds: int = 5) -> Results:
    """A contender whose seeds vary so much that the recipe is not better, but whose networks are, taken together."""
    rng = np.random.default_rng(8)
    shift = np.array([0.06, -0.02, 0.05, -0.03, 0.08])[:seeds, None]
    ours, theirs = rng.random((seeds, 4000)) < 0.85 + shift, rng.random((seeds, 4000)) < 0.85
    return Results(suite(), [*kept("base", theirs, folder), *kept("new", ours, folder)])


def only(results: Results) -> SecondOpinion:
    (found,) = second_opinions(results).values()
    return found


def test_these_networks_may_differ_where_the_recipe_does_not(tmp_path: Path) -> None:
    results = lucky(tmp_path)
    assert results.comparisons[0].paired.word == "indistinguishable"
    found = only(results)
    assert (found.word, found.n, found.seeds) == ("better", 4000, (0, 1, 2, 3, 4))
    assert found.difference == pytest.approx(results.comparisons[0].paired.difference)


def test_one_common_seed_is_enough(tmp_path: Path) -> None:
    found = only(lucky(tmp_path, 1))
    assert (found.seeds, found.word) == ((0,), "better")


def test_only_answers_to_the_same_questions_are_compared(tmp_path: Path) -> None:
    right = np.ones((2, 50), dtype=bool)
    other = kept("new", ~right, tmp_path)
    elsewhere = other[0].model_copy(update={"folder": None})
    base = kept("base", right, tmp_path)
    assert only(Results(suite(), [*base, elsewhere, other[1]])).seeds == (1,)
    longer = kept("new", np.ones((2, 60), dtype=bool), tmp_path / "longer")
    assert second_opinions(Results(suite(), [*base, *longer])) == {}
    assert second_opinions(Results(suite(), [*quality("a", [0.9]), *quality("b", [0.8])])) == {}


def test_opinions_are_corrected_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    lines = [one for label in "abcd" for one in kept(label, rng.random((1, 500)) < 0.8, tmp_path)]
    found = list(second_opinions(Results(suite(), lines)).values())
    assert len(found) == 3
    least = min(found, key=lambda one: one.p)
    assert least.p_holm == pytest.approx(min(1.0, 3 * least.p))


def test_tokens_of_one_sequence_are_no_independent_ones(tmp_path: Path) -> None:
    """The tokens of a sequence are right or wrong together: twice as many of them tell nothing more."""
    rng = np.random.default_rng(10)
    length = rng.integers(1, 9, 400)
    ours, theirs = (rng.random((2, 400)) < np.array([0.9, 0.8])[:, None]) * length
    once, twice = opinion([ours], [theirs], of=length), opinion([2 * ours], [2 * theirs], of=2 * length)
    assert (twice.difference, twice.low, twice.high) == pytest.approx((once.difference, once.low, once.high))
    assert twice.p == pytest.approx(once.p)
    assert once.difference == pytest.approx((ours.sum() - theirs.sum()) / length.sum())
    drawn = rng.integers(0, 400, (4000, 400))
    ratios = (ours - theirs)[drawn].sum(axis=1) / length[drawn].sum(axis=1)
    assert (once.low, once.high) == pytest.approx(tuple(np.quantile(ratios, [0.025, 0.975])), abs=0.006)


def test_tags_have_an_opinion_in_the_unit_of_their_score(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    length = rng.integers(1, 9, 300)

    def tagged(label: str, chance: float) -> Result:
        correct = rng.binomial(length, chance)
        (one,) = quality(label, [float(correct.sum() / length.sum())])
        columns = {"source_length": length, "correct": correct, "exact": correct == length}
        return with_artifact(one, tmp_path, "predictions", "tags.npz", lambda path: np.savez(path, **columns))

    results = Results(suite(), [tagged("a", 0.7), tagged("b", 0.8)])
    found = only(results)
    assert found.word == "better"
    assert found.difference == pytest.approx(results.comparisons[0].paired.difference)


def test_the_verdict_over_few_seeds_tells_what_the_examples_say(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    chances = {"base": 0.8, "good": 0.9, "bad": 0.6, "twin": 0.802}
    lines = [one for label, p in chances.items() for one in kept(label, rng.random((3, 1000)) < p, tmp_path / label)]
    said = headline(Results(suite(), lines))
    gaps = {c.contender.name: 100 * c.paired.difference for c in Results(suite(), lines).comparisons}
    shown = {name: f"{name} ({'+' if gap > 0 else '−'}{abs(gap):.1f} points)" for name, gap in gaps.items()}
    assert said.endswith(
        "Of these trained networks, over the 1,000 test examples and against base, "
        f"{shown['good']} is better, {shown['bad']} is worse and {shown['twin']} is indistinguishable."
    )
    enough = [one for label in "ab" for one in kept(label, rng.random((5, 1000)) < 0.8, tmp_path / f"five {label}")]
    assert "trained networks" not in headline(Results(suite(), enough))
