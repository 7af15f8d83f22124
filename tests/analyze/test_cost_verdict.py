"""What is said of costs where nothing is trained: who is told from whom, what varying does, and what is missing."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from synthetic import START, costs, job, quality, result, suite

from dlbench.analyze.cost_effects import effects, touches_cost
from dlbench.analyze.results import Results
from dlbench.analyze.verdict import headline, verdicts
from dlbench.schema.metric import Metric
from dlbench.schema.record import Result

WOBBLE = (0.0, 0.01, -0.01)
NOISE = (0.3, -0.2, 0.1)


def measured(
    label: str,
    trains: float,
    infers: float,
    memory: float,
    wobble: Sequence[float] = WOBBLE,
    decodes: float | None = None,
    **fields: Any,
) -> list[Result]:
    values: dict[str, Sequence[float | str]] = {
        "train_throughput": [trains * (1 + by) for by in wobble],
        "infer_throughput": [infers * (1 + by) for by in WOBBLE[: len(wobble)]],
        "train_peak_memory_bytes": [memory] * len(wobble),
    }
    if decodes is not None:
        values["decode_throughput"] = [decodes * (1 + by) for by in WOBBLE[: len(wobble)]]
    return costs(label, values, **fields)


def checkpointing(label: str, on: bool, speed: float, memory: float, **fields: Any) -> list[Result]:
    varied, train = {"train.grad_checkpointing": on}, {"grad_checkpointing": on}
    name = f"{label} grad_checkpointing={on}"
    return measured(name, speed, 3 * speed, memory, varied=varied, train=train, **fields)


def searched(
    label: str, batch: int, bounded_by: str = "memory", varied: dict[str, Any] | None = None, **fields: Any
) -> Result:
    detail = {"tried": [[batch, 1e8]], "limit_bytes": 1_000_000_000, "bounded_by": bounded_by}
    metric = Metric(name="train_largest_batch", value=batch, unit="samples", better="higher", detail=detail)
    point = {"largest_batch": True, "phases": ("train",)}
    return result(job(label, kind="cost", batch_size=1, point=point, **fields), label, [metric], varied=varied)


def said(results: list[Result]) -> str:
    return headline(Results(suite(), results))


def test_an_arena_of_costs_alone_is_known_as_one() -> None:
    assert Results(suite(), measured("a", 1, 1, 1)).arenas[0].measured_only
    assert not Results(suite(), [*measured("a", 1, 1, 1), *quality("a", [None])]).arenas[0].measured_only
    assert not Results(suite(), quality("a", [0.9])).arenas[0].measured_only


def test_who_decodes_is_ranked_in_that_too() -> None:
    found = [*measured("a", 300, 500, 1e7, decodes=20), *measured("b", 100, 400, 1e7, decodes=60)]
    assert "b is the fastest to decode (3.0 times as fast as a)" in said(found)


def test_the_fastest_and_the_smallest_are_told() -> None:
    found = Results(suite(), [*measured("a", 300, 500, 2e7), *measured("b", 100, 400, 1e7)])
    assert headline(found) == (
        "On ag_news, at batch 64, a is the fastest to train (3.0 times as fast as b) and to infer (25 % faster than b);"
        " b needs the least memory in training (10.0 MB, 50 % less than a)."
    )
    assert verdicts(found)[0].decided


def test_what_no_interval_supports_is_not_claimed() -> None:
    noisy = [*measured("a", 110, 500, 1e7, NOISE), *measured("b", 100, 500, 1e7), *measured("c", 10, 500, 1e7)]
    text = said(noisy)
    assert "a was the fastest to train, but is indistinguishable from b" in text
    assert "is the fastest" not in text
    assert "needs the least" not in text
    assert not verdicts(Results(suite(), noisy))[0].decided


def test_neither_the_noise_floor_nor_a_drift_nor_one_round_tells() -> None:
    loud: dict[str, Any] = {"machine": {"calibration": {"noise": {"metrics": {"train_throughput": 0.5}}}}}
    assert "is the fastest to train" in said([*measured("a", 130, 1, 1), *measured("b", 100, 1, 1)])
    assert "fastest to train, but is indistinguishable from b" in said(
        [*measured("a", 130, 1, 1, **loud), *measured("b", 100, 1, 1, **loud)]
    )
    once = said([*measured("a", 300, 1, 1, (0.0,)), *measured("b", 100, 1, 1, (0.0,))])
    assert "a was the fastest to train, but one round cannot tell it from b" in once
    twice = said([*measured("a", 300, 5, 1, (0.0, 0.5)), *measured("b", 100, 5, 1, (0.5, 0.0))])
    assert "a was the fastest to train, but 2 rounds cannot tell it from b; it was the fastest to infer, but" in twice
    later = {"started_at": START + timedelta(days=1)}
    drifted = [*measured("a", 300, 1, 1), *measured("b", 100, 1, 1, **later)]
    drifted += measured("a", 150, 1, 1, point={"anchor": True}, first=3, **later)
    assert "cannot be told from b, since the machine has drifted" in said(drifted)


def test_who_lacks_a_round_is_named_and_not_ranked() -> None:
    results = [*measured("a", 300, 1, 2), *measured("b", 100, 1, 1), *measured("c", 900, 1, 9, WOBBLE[:2])]
    skipped = [*results, result(job("d", kind="cost"), "d", skipped="there is no GPU")]
    verdict = verdicts(Results(suite(), skipped))[0]
    assert "a is the fastest to train" in verdict.sentence
    assert verdict.caveats == ("Not measured: d (there is no GPU).", "Not ranked: c (2 of 3 rounds at batch 64).")


def test_a_batch_that_one_alone_fits_ranks_nobody() -> None:
    results = [*measured("a", 300, 1, 2), *measured("b", 100, 1, 1), *measured("a", 400, 1, 3, batch_size=512)]
    assert "at batch 64, a is the fastest to train" in said(results)


def test_one_contender_has_nobody_to_be_held_against() -> None:
    assert said(measured("a", 1, 1, 1)) == "On ag_news, costs of one contender alone are known."
    unrun = [result(job("a", kind="cost"), "a", status=None)]
    assert said(unrun) == "On ag_news, no cost has been measured yet."
    unequal = [*measured("a", 1, 1, 1), *measured("b", 1, 1, 1, WOBBLE[:1], first=7)]
    assert said(unequal) == "On ag_news, costs cannot be compared on equal rounds."


def test_checkpointing_is_told_model_by_model() -> None:
    results = [
        *checkpointing("small", False, 400, 1e7),
        *checkpointing("small", True, 400, 8e6, wobble=NOISE),
        *checkpointing("large", False, 100, 1e8),
        *checkpointing("large", True, 72, 3.8e7),
    ]
    text = said(results)
    assert text.startswith(
        "On ag_news, with checkpointing (batch 64), large saves 62 % of its memory in training, loses 28 % of its "
        "training speed and 28 % of its inference speed; small saves 20 % of its memory in training and shows no clear "
        "difference in training speed and inference speed. "
    )


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ((("memory", 100), ("memory", 250)), ", with batches of up to 250 instead of 100"),
        ((("memory", 100), ("examples", 250)), ", with batches of 250 or more instead of 100"),
        ((("examples", 250), ("examples", 250)), "is 250 (all examples), for all contenders."),
    ],
)
def test_largest_batches_are_held_against_one_another(sizes: tuple[tuple[str, int], ...], told: str) -> None:
    results: list[Result] = []
    for on, (bound, batch) in zip((False, True), sizes, strict=True):
        varied, train = {"train.grad_checkpointing": on}, {"grad_checkpointing": on}
        results += checkpointing("a", on, 100, 1e7 if on else 2e7)
        results.append(searched(f"a grad_checkpointing={on}", batch, bound, varied, train=train))
    assert told in said(results)


def test_the_largest_batch_has_an_owner() -> None:
    results = [*measured("a", 300, 1, 2), *measured("b", 100, 1, 1), searched("a", 64), searched("b", 128)]
    assert said(results).endswith("The largest batch of training within 1.00 GB is 128, that of b; the next is 64.")
    every = said([*results[:-1], searched("b", 128, "examples")])
    assert every.endswith("is 128 (all examples), that of b; the next is 64.")
    failed = result(searched("c", 9).entry.job, "c", status="failed", reason="no")
    unknown = verdicts(Results(suite(), [*results, *measured("c", 9, 1, 3), failed]))[0]
    assert unknown.caveats == ("The largest batch is not known of c.",)


def test_many_that_were_not_measured_are_counted() -> None:
    gone = [result(job(name, kind="cost"), name, skipped="there is no GPU") for name in "abcde"]
    verdict = verdicts(Results(suite(), [*measured("f", 1, 1, 1), *gone]))[0]
    assert verdict.caveats == ("Not measured: 5 of 6 contenders (there is no GPU).",)


def test_devices_compare_in_speed_alone() -> None:
    results = [
        *measured("a", 100, 100, 1e7, device="cpu", varied={"device": "cpu"}),
        *measured("a", 1200, 800, 1e9, device="cuda", varied={"device": "cuda"}),
    ]
    text = said(results)
    assert "with" not in text
    assert text.startswith(
        "On ag_news, on cuda instead of cpu (batch 64), a trains 12 times as fast and infers 8.0 times as fast. "
    )


def test_contenders_that_share_cost_jobs_are_one_effect() -> None:
    results: list[Result] = []
    for lr in (0.1, 0.2):
        for on in (False, True):
            varied = {"train.lr": lr, "train.grad_checkpointing": on}
            label = f"a lr={lr} grad_checkpointing={on}"
            results += quality(label, [0.9], varied=varied, train={"lr": lr, "grad_checkpointing": on})
    shared = [*results, *costs("a", {"train_throughput": [1.0, 1.1]}, train={"grad_checkpointing": False})]
    shared += costs("a", {"train_throughput": [0.5, 0.6]}, train={"grad_checkpointing": True})
    arena = Results(suite(), shared).arenas[0]
    assert len(arena.contenders) == 4
    assert len(effects(arena, "train.grad_checkpointing")) == 1


def test_what_touches_cost() -> None:
    told = [
        key
        for key in ("train.lr", "train.compile", "train.batch_size", "device", "precision", "model.depth", "dataset.n")
        if touches_cost(key)
    ]
    assert told == ["train.compile", "device", "precision", "model.depth"]
