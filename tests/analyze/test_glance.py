"""What a tracker is told of a suite: words and few numbers."""

import numpy as np
import pytest
from scipy import stats
from studies import recipe_results, recipe_study, searched, two_objectives
from synthetic import costs, quality, suite

from dlbench.analyze.aggregates import account, aggregates
from dlbench.analyze.results import Results
from dlbench.schema.blocks import Cell, Table
from dlbench.sections import leaderboard

FIVE: list[float | None] = [0.90, 0.91, 0.905, 0.912, 0.903]
LESS: list[float | None] = [0.80, 0.82, 0.805, 0.811, 0.803]


def results() -> Results:
    return Results(
        suite(),
        [
            *quality("lstm", LESS),
            *quality("gru", FIVE),
            *costs("lstm", {"infer_throughput": [100.0, 300.0, 200.0], "train_peak_memory_bytes": [2e6, 2e6, 2e6]}),
            *costs("lstm", {"infer_throughput": [20.0], "infer_latency_p50_ms": [3.0]}, batch_size=1),
        ],
    )


def test_an_account_tells_the_comparison() -> None:
    found = account(results())
    assert found["verdict"].startswith("On ag_news, gru is the most accurate")
    assert found["scores"] == {"test_accuracy": "higher"}
    (board,) = found["leaderboards"]
    assert board.columns == (
        "model",
        "accuracy",
        "n",
        "against baseline",
        "infer/s, batch 1",
        "infer/s, batch 64",
        "training memory, batch 64",
    )
    gru, lstm = board.rows
    assert gru == ("gru", "90.6 % ± 0.6", "5", "better", "", "", "")
    assert lstm == ("lstm", "80.8 % ± 1.0", "5", "baseline", "20", "200", "2.00 MB")
    (compared,) = found["comparisons"].rows
    told = dict(zip(found["comparisons"].columns, compared, strict=True))
    assert (told["contender"], told["against"], told["verdict"]) == ("gru", "lstm", "better")
    assert (told["difference"], told["wins"], told["seeds"]) == ("+9.8 points", "100 %", "5")
    low, _, high = told["95 % interval"].partition(" to ")
    assert float(low.split()[0]) < 9.8 < float(high.split()[0])


def test_speeds_of_decoding_stand_in_the_leaderboard_of_models_that_write() -> None:
    whole = Results(suite(), [*quality("gru", FIVE), *costs("gru", {"decode_throughput": [40.0, 60.0, 50.0]})])
    (board,) = account(whole)["leaderboards"]
    told = dict(zip(board.columns, board.rows[0], strict=True))
    assert told["decode/s, batch 64"] == "50"
    section = leaderboard.build(whole)
    assert section is not None
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    (speed,) = [at for at, column in enumerate(table.columns) if column.name == "Decoding speed"]
    cell = table.rows[0][speed]
    assert isinstance(cell, Cell)
    assert cell.value == 50


def test_costs_are_told_once_each_with_their_batch_size() -> None:
    values = aggregates(results())
    assert {name: value for name, value in values.items() if "_b" in name} == {
        "lstm/infer_throughput_b64": 200,
        "lstm/train_peak_memory_bytes_b64": 2e6,
        "lstm/infer_latency_p50_ms_b1": 3.0,
    }
    low, high = stats.t.interval(0.95, 4, loc=0.906, scale=stats.sem(np.array(FIVE, dtype=float)))
    assert values["gru/test_accuracy_margin"] == pytest.approx((high - low) / 2)
    assert values["gru/test_accuracy_n"] == 5


def test_before_a_search_has_trained_a_winner_its_goal_is_the_score() -> None:
    """As with `winners: 0`, where there never is one; a cost that is a goal too is no score."""
    study = recipe_study(12)
    assert account(Results(suite(), searched(study), [study]))["scores"] == {"test_accuracy": "higher"}
    assert account(Results(suite(), [], two_objectives(1)))["scores"] == {"test_accuracy": "higher"}
    assert account(recipe_results())["scores"] == {"test_accuracy": "higher"}
    assert account(Results(suite(), []))["scores"] == {}
