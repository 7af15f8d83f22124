"""Unequal tuning is said where a winner is named."""

from studies import arena_results, final, recipe_results, recipe_study
from synthetic import quality, suite

from dlbench.analyze.results import Results
from dlbench.analyze.verdict import verdicts
from dlbench.schema.record import Result
from dlbench.schema.study import Study

FIVE = [0.90, 0.91, 0.905, 0.912, 0.903]


def caveats(lines: list[Result], *studies: Study) -> tuple[str, ...]:
    return verdicts(Results(suite(), lines, studies))[0].caveats


def test_a_winner_beside_a_default() -> None:
    (caveat,) = verdicts(recipe_results())[0].caveats
    assert caveat.startswith("Tuning is unequal: best was found by a search among 60 candidates (")
    assert "epochs), lstm was not tuned." in caveat


def test_searches_of_unequal_size() -> None:
    small, large = recipe_study(20, 0, label="random"), recipe_study(60, 0, label="tpe")
    lines = [
        *final("random", small, FIVE[:1], seeds=[0]),
        *final("tpe", large, [0.92], seeds=[0]),
    ]
    (caveat,) = caveats(lines, small, large)
    assert caveat.startswith("The searches had unequal budgets: random had 20 candidates (")
    assert "; tpe had 60 candidates (" in caveat


def test_searches_of_equal_size_are_no_matter() -> None:
    one, other = recipe_study(40, 0, label="random"), recipe_study(40, 0, label="tpe")
    assert caveats([*final("random", one, [0.9], seeds=[0]), *final("tpe", other, [0.92], seeds=[0])], one, other) == ()


def test_strategies_with_studies_of_their_own_seeds() -> None:
    """Random search with twice the budget, and a default: two caveats."""
    found = verdicts(arena_results(5))[0].caveats
    assert any("cell was not tuned" in caveat for caveat in found)
    assert any("random and evolution had 40 candidates (160 epochs); random-2x had 80 cand" in one for one in found)


def test_more_settings_of_one_model_than_of_another() -> None:
    lines = [*quality("lstm", FIVE)]
    for lr in (0.001, 0.003, 0.01):
        lines += quality(f"transformer lr={lr}", FIVE, varied={"train.lr": lr})
    (caveat,) = caveats(lines)
    assert "unequal numbers of settings (lstm 1 and transformer 3)" in caveat


def test_what_varies_for_all_alike_is_equal() -> None:
    lines = []
    for lr in (0.001, 0.003):
        for label in ("lstm", "gru"):
            lines += quality(f"{label} lr={lr}", FIVE, varied={"train.lr": lr})
    assert caveats(lines) == ()
    two = [*quality("lstm", FIVE), *quality("lstm", FIVE, precision="bf16"), *quality("gru", FIVE)]
    assert caveats(two) == ()
