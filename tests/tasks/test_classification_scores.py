"""Scores against their definitions, written a second time in plain Python."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlbench.tasks._classification import calibration_error, kept, scores


def plain_f1_macro(target: list[int], predicted: list[int]) -> float:
    values = []
    for label in set(target) | set(predicted):
        hit = sum(t == p == label for t, p in zip(target, predicted, strict=True))
        miss = sum(t == label != p for t, p in zip(target, predicted, strict=True))
        false = sum(p == label != t for t, p in zip(target, predicted, strict=True))
        values.append(2 * hit / (2 * hit + miss + false))
    return sum(values) / len(values)


def plain_ece(confidence: list[float], right: list[bool]) -> float:
    total = 0.0
    for number in range(15):
        inside = [k for k, c in enumerate(confidence) if number / 15 < c <= (number + 1) / 15]
        if inside:
            accuracy = sum(right[k] for k in inside) / len(inside)
            total += abs(accuracy - sum(confidence[k] for k in inside) / len(inside)) * len(inside)
    return total / len(confidence)


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 80), classes=st.integers(2, 6), seed=st.integers(0, 2**31))
def test_scores_follow_their_definitions(n: int, classes: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    log_probability = (3 * torch.randn(n, classes, generator=generator)).log_softmax(1)
    target = torch.randint(classes, (n,), generator=generator)
    names = [f"class {label}" for label in range(classes)]
    accuracy, f1_macro, ece, loss = scores(log_probability, target, names)
    predicted = log_probability.argmax(1).tolist()
    confidence = log_probability.double().exp().max(1).values.tolist()
    right = [t == p for t, p in zip(target.tolist(), predicted, strict=True)]
    assert accuracy.name == "accuracy"
    assert accuracy.value == pytest.approx(sum(right) / n)
    assert f1_macro.value == pytest.approx(plain_f1_macro(target.tolist(), predicted))
    assert ece.value == pytest.approx(plain_ece(confidence, right))
    rows = zip(log_probability.tolist(), target.tolist(), strict=True)
    assert loss.value == pytest.approx(-sum(row[label] for row, label in rows) / n)
    assert [metric.better for metric in (accuracy, f1_macro, ece, loss)] == ["higher", "higher", "lower", "lower"]
    assert {metric.n for metric in (accuracy, f1_macro, ece, loss)} == {n}
    confusion = accuracy.detail["confusion"]
    assert accuracy.detail["classes"] == names
    assert sum(map(sum, confusion)) == n
    assert all(
        confusion[t][p] == sum((a, b) == (t, p) for a, b in zip(target.tolist(), predicted, strict=True))
        for t in range(classes)
        for p in range(classes)
    )


def test_a_confident_and_wrong_classifier_is_badly_calibrated() -> None:
    sure = torch.tensor([1.0, 1.0, 1.0, 1.0])
    assert calibration_error(sure, torch.tensor([True] * 4)) == 0
    assert calibration_error(sure, torch.tensor([False] * 4)) == 1
    assert calibration_error(torch.tensor([0.75] * 4), torch.tensor([True, True, True, False])) == 0


def test_what_is_kept_is_small_and_complete() -> None:
    columns = kept(torch.tensor([[0.9, 0.1], [0.2, 0.8]]).log(), torch.tensor([0, 0]))
    assert columns["target"].tolist() == [0, 0]
    assert columns["predicted"].tolist() == [0, 1]
    assert columns["probability"].dtype == np.float16
    np.testing.assert_allclose(columns["probability"], [0.9, 0.8], rtol=1e-3)
