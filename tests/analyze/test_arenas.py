"""Arenas, contenders and the words that come of them."""

from pathlib import Path

import pandas as pd
import pytest
from synthetic import costs, job, quality, result, suite, with_artifact

from dlbench.analyze.aggregates import aggregates
from dlbench.analyze.curves import Curve, pool
from dlbench.analyze.results import Results
from dlbench.analyze.table import job_rows
from dlbench.analyze.verdict import headline, verdicts
from dlbench.schema.metric import Metric
from dlbench.schema.record import Result

FIVE = [0.90, 0.91, 0.905, 0.912, 0.903]


def shifted(by: float) -> list[float | None]:
    return [value + by + 0.0003 * (-1) ** seed for seed, value in enumerate(FIVE)]


def sentence(results: list[Result], **fields: object) -> str:
    return headline(Results(suite(**fields), results))


def test_the_best_the_near_and_the_fast_are_named() -> None:
    results = [
        *quality("linear", shifted(-0.008)),
        *quality("gru", shifted(-0.0001)),
        *quality("transformer", shifted(0.0)),
        *costs("linear", {"infer_throughput": [1200.0, 1212.0, 1188.0]}),
        *costs("transformer", {"infer_throughput": [100.0, 101.0, 99.0]}),
    ]
    text = sentence(results)
    assert text == (
        "On ag_news, transformer is the most accurate (90.6 % ± 0.6, n = 5), ahead of all 2 others; "
        "linear infers 12 times as fast (batch 64) and is 0.8 points less accurate."
    )


def test_the_declared_baseline_is_in_the_verdict() -> None:
    results = [*quality("lstm", shifted(0.0)), *quality("rnn", shifted(-0.03)), *quality("gru", shifted(0.0))]
    text = sentence(results, report={"baseline": "lstm"})
    assert text.endswith("Against the baseline lstm: rnn is worse and gru is indistinguishable.")


def test_unequal_seeds_are_not_ranked() -> None:
    results = [*quality("a", [*shifted(0.0)[:3], None, None]), *quality("b", [*shifted(0.1)])]
    found = Results(suite(), results)
    assert found.arenas[0].ranked == ()
    assert headline(found) == "On ag_news, nothing is ranked yet: the contenders have unequal seeds (a 3 and b 5)."
    comparison = found.comparisons[0]
    assert (comparison.contender.name, comparison.paired.n, comparison.paired.word) == ("b", 3, "too few seeds")


def test_those_with_all_seeds_are_ranked_without_the_others() -> None:
    failed = [result(job("c", number=seed), "c", status="oom", reason="out of memory") for seed in range(5)]
    results = [*quality("a", shifted(0.0)), *quality("b", shifted(-0.1)), *failed]
    verdict = verdicts(Results(suite(), results))[0]
    assert verdict.sentence.startswith("On ag_news, a is the most accurate")
    assert verdict.caveats == ("Not ranked: c (out of memory).",)


def test_few_seeds_name_no_winner() -> None:
    text = sentence([*quality("a", [0.9, 0.91]), *quality("b", [0.1, 0.11])])
    assert "a has the highest mean accuracy" in text
    assert "fewer than 5 seeds are too few to name a winner" in text


def test_equal_contenders_share_the_first_place() -> None:
    text = sentence([one for label in ("a", "b", "c") for one in quality(label, [0.1 if label == "b" else 1.0])])
    assert "a and c have the highest mean accuracy (100.0 %, n = 1)" in text


def test_a_single_contender_and_nothing_at_all() -> None:
    assert "there is nothing yet to compare it with" in sentence(quality("a", [0.9]))
    assert sentence(quality("a", [None])) == "On ag_news, no training has finished yet."
    assert sentence([]) == "The suite has no jobs yet."


def test_a_score_that_is_better_lower() -> None:
    results = [
        *quality("a", [3.0, 3.1, 3.05, 3.02, 3.04], name="perplexity", better="lower"),
        *quality("b", [9.0, 9.1, 9.05, 9.02, 9.04], name="perplexity", better="lower"),
    ]
    found = Results(suite(), results)
    assert found.arenas[0].best is found.arenas[0].contenders[0]
    assert found.comparisons[0].paired.word == "worse"
    assert "a is the best by perplexity" in headline(found)


def test_data_that_is_not_what_it_seems_is_told() -> None:
    unofficial = quality("a", [0.9], dataset={"official": False})
    assert "unofficial copy of ag_news" in verdicts(Results(suite(), unofficial))[0].caveats[0]
    tasks = [{"name": "text_classification", "dataset": [{"name": "ag_news"}, {"name": "temporal_order"}]}]
    stand_in = quality("a", [0.9], dataset={"name": "temporal_order", "source": "built-in"})
    caveat = verdicts(Results(suite(tasks=tasks), stand_in))[0].caveats[0]
    assert "ag_news could not be had: temporal_order, a built-in dataset, stands in for it." in caveat


def test_arenas_are_told_apart_by_what_differs() -> None:
    results = [
        result
        for length in (30, 60)
        for result in quality("rnn", [0.5], dataset={"name": "temporal_order", "params": {"length": length, "seed": 0}})
    ]
    arenas = Results(suite(), results).arenas
    assert [arena.title for arena in arenas] == ["temporal_order (length 30)", "temporal_order (length 60)"]
    assert [arena.anchor for arena in arenas] == ["temporal-order-length-30", "temporal-order-length-60"]


def test_precisions_are_contenders_against_their_own_model() -> None:
    results = [
        one
        for precision, by in (("fp32", 0.0), ("bf16", -0.1))
        for label in ("lstm", "gru")
        for one in quality(label, shifted(by), precision=precision)
    ]
    found = Results(suite(), results)
    assert found.series == ("lstm · fp32", "gru · fp32", "lstm · bf16", "gru · bf16")
    pairs = [(c.contender.name, c.baseline.name, c.paired.word) for c in found.comparisons]
    assert pairs == [
        ("gru · fp32", "lstm · fp32", "indistinguishable"),
        ("lstm · bf16", "lstm · fp32", "worse"),
        ("gru · bf16", "gru · fp32", "worse"),
    ]
    assert headline(found).endswith("Compared with fp32, bf16 is worse for lstm and gru.")


def test_emulated_precision_is_never_ranked() -> None:
    results = [
        *quality("a", shifted(0.0)),
        *quality("b", shifted(0.1), flags=("emulated: bf16",)),
        *quality("c", shifted(-0.1)),
    ]
    found = Results(suite(), results)
    assert [contender.name for contender in found.arenas[0].ranked] == ["a", "c"]
    assert [comparison.contender.name for comparison in found.comparisons] == ["c"]


def test_cost_jobs_are_shared_by_contenders_of_one_configuration() -> None:
    results = [
        *quality("lstm lr=0.01", [0.9], train={"lr": 0.01}),
        *quality("lstm lr=0.1", [0.8], train={"lr": 0.1}),
        *costs("lstm", {"infer_throughput": [100.0]}),
    ]
    arena = Results(suite(), results).arenas[0]
    assert [contender.name for contender in arena.contenders] == ["lstm lr=0.01", "lstm lr=0.1"]
    assert [contender.rounds("infer_throughput", 64) for contender in arena.contenders] == [{0: 100.0}, {0: 100.0}]


def test_skipped_jobs_give_no_value() -> None:
    results = quality("a", [0.9, 0.8], skipped="bf16 has no kernel here")
    assert Results(suite(), results).arenas[0].contenders[0].seeds == frozenset()


def test_an_unreached_target_is_infinite() -> None:
    metric = Metric(name="time_to_target_s", value=None, unit="s", better="lower", reason="never reached 0.9")
    arena = Results(suite(), [result(job("a"), "a", [metric])]).arenas[0]
    assert arena.contenders[0].reached("time_to_target_s") == {0: float("inf")}
    assert arena.contenders[0].values("time_to_target_s") == {}


def test_a_varied_baseline_stands_for_its_first() -> None:
    results = [*quality("lstm lr=0.1", [0.8]), *quality("lstmish", [0.8]), *quality("gru", [0.7])]
    found = Results(suite(report={"baseline": "lstm"}), results)
    assert found.baseline_label(found.arenas[0]) == "lstm lr=0.1"
    absent = Results(suite(report={"baseline": "resnet"}), results)
    assert absent.baseline_label(absent.arenas[0]) is None
    assert absent.comparisons == ()


def test_aggregates_have_names_that_a_tracker_takes() -> None:
    results = [*quality("lstm <b>", [0.9, 0.8]), *costs("lstm <b>", {"infer_throughput": [100.0, 300.0, 200.0]})]
    values = aggregates(Results(suite(), results))
    assert values["lstm _b/test_accuracy_mean"] == pytest.approx(0.85)
    assert values["lstm _b/test_accuracy_n"] == 2
    assert values["lstm _b/infer_throughput_b64"] == 200


def test_the_table_has_a_line_for_every_job() -> None:
    results = [*quality("a", [0.9, None]), *costs("a", {"infer_throughput": [100.0]}, varied={"train.lr": 0.1})]
    table = pd.DataFrame(job_rows(Results(suite(), results)))
    assert list(table["status"]) == ["ok", "missing", "ok"]
    assert table["test_accuracy"][0] == 0.9
    assert table["vary.train.lr"][2] == 0.1


def test_curves_are_pooled_over_the_steps_that_all_reached(tmp_path: Path) -> None:
    long = curve(tmp_path, "step,epoch,elapsed_s,val_accuracy\n10,1.0,1.0,0.5\n20,2.0,2.0,0.7\n")
    short = curve(tmp_path, "step,epoch,elapsed_s,lr,val_accuracy\n5,0.5,1.5,0.1,\n10,1.0,3.0,0.1,0.6\n20,2.0")
    pooled = pool([long, short], "val_accuracy")
    assert pooled.to_dict("records") == [
        {"step": 10, "epoch": 1.0, "elapsed_s": 2.0, "mean": pytest.approx(0.55), "low": 0.5, "high": 0.6, "n": 2}
    ]
    assert pool([], "val_accuracy").empty
    assert pool([long], "val_bleu").empty


def curve(folder: Path, text: str) -> Curve:
    """The curve of a file with that content."""
    one = with_artifact(quality("a", [0.9])[0], folder, "curve", "curve.csv", lambda path: path.write_text(text))
    found = Results(suite(), [one]).curve(one)
    assert found is not None
    return found


def test_artifacts_that_are_missing_or_broken_are_none(tmp_path: Path) -> None:
    plain = quality("a", [0.9])[0]
    found = Results(suite(), [plain])
    assert found.curve(plain) is None
    assert found.predictions(plain) is None
    broken = with_artifact(plain, tmp_path, "curve", "curve.csv", lambda path: path.write_text(""))
    assert found.curve(broken) is None
