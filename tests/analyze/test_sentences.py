"""BLEU from statistics and its two tests over sentences, held against sacrebleu and against all sign patterns."""

import time
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest
from scipy import stats
from synthetic import quality, result, suite, with_artifact

from dlbench.analyze.examples import bleu_opinion, second_opinions
from dlbench.analyze.results import Results
from dlbench.analyze.sentences import bleu, bleu_interval, gap_interval, randomisation, share_interval
from dlbench.catalog import Catalog
from dlbench.schema.blocks import Section, Table
from dlbench.schema.metric import Metric
from dlbench.schema.record import Result

WORDS = [f"w{number}" for number in range(30)]

sentences = st.lists(st.sampled_from(WORDS[:5]), max_size=8).map(" ".join)


def statistics(written: list[str], references: list[str]) -> NDArray[np.int64]:
    """As sacrebleu counts them."""
    return np.array(BLEU(force=True)._extract_corpus_statistics(written, [references]))


def references(n: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(2, 15))) for _ in range(n)]


def spoilt(texts: list[str], share: float, seed: int) -> list[str]:
    """Texts of which that share of the words is another one, and a few are missing."""
    rng = np.random.default_rng(seed)
    return [
        " ".join(rng.choice(WORDS) if rng.random() < share else word for word in text.split() if rng.random() > 0.05)
        for text in texts
    ]


@given(st.lists(st.tuples(sentences, sentences.filter(bool)), min_size=1, max_size=4))
def test_bleu_is_sacrebleus_of_a_corpus_and_of_a_sentence(pairs: list[tuple[str, str]]) -> None:
    written, wanted = [one for one, _ in pairs], [other for _, other in pairs]
    counts = statistics(written, wanted)
    known = BLEU(force=True).corpus_score(written, [wanted]).score
    assert float(bleu(counts.sum(axis=0))) == pytest.approx(known, abs=1e-9)
    alone = BLEU(effective_order=True)
    each = [alone.sentence_score(one, [other]).score for one, other in pairs]
    assert bleu(counts, effective_order=True) == pytest.approx(each, abs=1e-9)


def test_the_p_value_is_sacrebleus_within_what_random_signs_differ() -> None:
    wanted = references(200)
    for share in (0.3, 0.33, 0.36):
        ours, theirs = spoilt(wanted, 0.3, 1), spoilt(wanted, share, 2)
        _, scores = PairedTest(
            [("theirs", theirs), ("ours", ours)], {"BLEU": BLEU(references=[wanted])}, None, "ar", n_samples=2000
        )()
        known = scores["BLEU"][1].p_value
        found = randomisation(statistics(ours, wanted)[None], statistics(theirs, wanted)[None])
        assert known is not None
        assert found == pytest.approx(known, abs=4 * (2 * known * (1 - known) / 2000) ** 0.5 + 1e-3)


def test_eight_sentences_by_hand_over_all_256_sign_patterns() -> None:
    wanted = references(8, seed=3)
    ours = np.stack([statistics(spoilt(wanted, 0.2, seed), wanted) for seed in (1, 2)])
    theirs = np.stack([statistics(spoilt(wanted, 0.4, seed), wanted) for seed in (3, 4)])

    def gap(swapped: tuple[bool, ...]) -> float:
        places = np.array(swapped)[None, :, None]
        one, other = np.where(places, theirs, ours), np.where(places, ours, theirs)
        return float(np.mean([bleu(a.sum(axis=0)) - bleu(b.sum(axis=0)) for a, b in zip(one, other, strict=True)]))

    seen = abs(gap((False,) * 8))
    every = np.mean([abs(gap(signs)) >= seen - 1e-9 for signs in product([False, True], repeat=8)])
    assert 0.02 < every < 0.8
    assert randomisation(ours, theirs) == pytest.approx(every, abs=4 * (every * (1 - every) / 2000) ** 0.5 + 1e-3)


def test_equal_systems_and_the_same_one_twice() -> None:
    wanted = references(300)
    counts = statistics(spoilt(wanted, 0.3, 1), wanted)[None]
    same = bleu_opinion([counts[0]], [counts[0]])
    assert (same.p, same.difference, same.low, same.high, same.won, same.lost) == (1.0, 0.0, 0.0, 0.0, 0, 0)
    other = statistics(spoilt(wanted, 0.6, 2), wanted)[None]
    assert randomisation(counts, other) == pytest.approx(1 / 2001)
    five = np.repeat(counts, 5, axis=0), np.repeat(other, 5, axis=0)
    assert gap_interval(*five) == pytest.approx(gap_interval(counts, other))


def test_false_alarms_are_as_rare_as_promised() -> None:
    """Of 200 pairs of alike systems of two seeds, 100 sentences each, at most 20 differ at the 5 % level."""
    wanted = references(100)
    pool = [statistics(spoilt(wanted, 0.4, seed), wanted) for seed in range(40)]
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        a, b, c, d = rng.choice(40, 4, replace=False)
        alarms += randomisation(np.stack([pool[a], pool[b]]), np.stack([pool[c], pool[d]])) < 0.05
    assert 1 <= alarms <= 20


def test_the_interval_is_sacrebleus_bootstrap_and_holds_the_difference() -> None:
    wanted = references(400)
    ours = spoilt(wanted, 0.3, 1)
    counts, other = statistics(ours, wanted)[None], statistics(spoilt(wanted, 0.4, 2), wanted)[None]
    low, high = bleu_interval(counts)
    known = BLEU(references=[wanted]).corpus_score(ours, None, n_bootstrap=2000)
    assert (high - low) / 2 == pytest.approx(known._ci, rel=0.1)
    assert (high + low) / 2 == pytest.approx(known._mean, abs=0.15)
    low, high = gap_interval(counts, other)
    seen = float(bleu(counts[0].sum(axis=0)) - bleu(other[0].sum(axis=0)))
    assert 0 < low < seen < high
    assert (high - low) < np.hypot(*(np.ptp(bleu_interval(one)) for one in (counts, other))) * 1.1


@pytest.mark.parametrize(("right", "n"), [(0, 20), (20, 20), (3, 17), (500, 1000)])
def test_the_interval_of_a_share_is_scipys(right: int, n: int) -> None:
    known = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert share_interval(right / n, n) == pytest.approx((known.low, known.high))


def test_a_thousand_sentences_of_three_seeds_take_well_under_a_second() -> None:
    wanted = references(1000)
    ours = [statistics(spoilt(wanted, 0.30, seed), wanted) for seed in range(3)]
    theirs = [statistics(spoilt(wanted, 0.31, seed), wanted) for seed in range(3, 6)]
    began = time.process_time()
    bleu_opinion(ours, theirs)
    assert time.process_time() - began < 1.0


def translated(label: str, share: float, folder: Path, *, seeds: int = 3, n: int = 300) -> list[Result]:
    """Train results whose networks wrote sentences in which that share of the words is wrong."""
    wanted = references(n)
    found = []
    for seed, line in enumerate(quality(label, [0.5] * seeds, task="translation")):
        written = spoilt(wanted, share, 1000 + seed + round(share * 1e6))
        counts = statistics(written, wanted)
        columns = {
            "source_length": np.array([len(text.split()) for text in wanted]),
            "target_length": np.array([len(text.split()) + 1 for text in wanted]),
            "exact": np.array([one == other for one, other in zip(written, wanted, strict=True)]),
            "bleu_statistics": counts,
        }
        score = Metric(name="test_bleu", value=float(bleu(counts.sum(axis=0))), unit="number", better="higher", n=n)
        one = result(line.entry.job, label, [score])
        found.append(
            with_artifact(
                one, folder, "predictions", "predictions.npz", lambda path, columns=columns: np.savez(path, **columns)
            )
        )
    return found


def test_of_few_seeds_a_reader_gets_the_opinion_over_sentences_in_bleu(tmp_path: Path) -> None:
    results = Results(
        suite(tasks=[{"name": "translation"}]),
        [*translated("plain", 0.4, tmp_path), *translated("attentive", 0.3, tmp_path)],
    )
    (comparison,) = results.comparisons
    assert comparison.paired.word == "too few seeds"
    (found,) = second_opinions(results).values()
    assert (found.word, found.n, found.seeds) == ("better", 300, (0, 1, 2))
    assert found.difference == pytest.approx(comparison.paired.difference)
    assert found.low < found.difference < found.high
    assert found.won > found.lost > 0
    section = Catalog().load("sections", "comparisons").build(results)
    assert isinstance(section, Section)
    table = next(block for block in section.blocks if isinstance(block, Table) and "second opinion" in block.caption)
    cells = {
        column.name: getattr(cell, "text", None) or getattr(cell, "value", cell)
        for column, cell in zip(table.columns, table.rows[0], strict=True)
    }
    assert cells["Difference"] == f"+{found.difference:.2f}"  # of 100, not per cent of one
    assert cells["95 % interval"] == f"+{found.low:.2f} to +{found.high:.2f}"
    assert cells["These networks"] == "better"
    assert "trained networks" in table.caption


def test_of_exact_match_it_is_mcnemars_test(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    length = rng.integers(1, 9, 200)

    def lines(label: str, exact: NDArray[np.bool_]) -> Result:
        (one,) = quality(label, [float(exact.mean())], name="exact_match", task="translation")
        columns = {"source_length": length, "target_length": length, "exact": exact}
        return with_artifact(one, tmp_path, "predictions", "predictions.npz", lambda path: np.savez(path, **columns))

    ours, theirs = rng.random(200) < 0.8, rng.random(200) < 0.6
    results = Results(suite(tasks=[{"name": "translation"}]), [lines("a", theirs), lines("b", ours)])
    (found,) = second_opinions(results).values()
    won, lost = int(np.sum(ours & ~theirs)), int(np.sum(theirs & ~ours))
    assert (found.won, found.lost) == (won, lost)
    assert found.p == pytest.approx(stats.binomtest(won, won + lost).pvalue)


@pytest.mark.parametrize(
    ("name", "value"),
    [("bleu_statistics", np.zeros((300, 9))), ("target_length", np.zeros(299)), ("target_length", np.arange(300))],
)
def test_columns_of_another_shape_or_of_other_sentences_give_no_opinion(
    tmp_path: Path, name: str, value: NDArray[np.float64]
) -> None:
    lines = [*translated("plain", 0.4, tmp_path, seeds=1), *translated("attentive", 0.3, tmp_path, seeds=1)]
    path = Path(str(lines[0].folder)) / "predictions.npz"
    with np.load(path) as columns:
        kept = dict(columns)
    np.savez(path, **{**kept, name: value})
    assert second_opinions(Results(suite(tasks=[{"name": "translation"}]), lines)) == {}
