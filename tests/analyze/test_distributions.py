"""Student's t and the binomial against scipy.stats, and that `dlbench results` waits for no heavy package."""

import subprocess
import sys

import pytest
from scipy import stats

from dlbench.analyze.distributions import at_most, t_quantile, t_tail


@pytest.mark.parametrize("freedom", [1, 2, 4, 9, 3.7, 29, 999])
def test_students_t_is_that_of_scipy(freedom: float) -> None:
    for probability in (0.01, 0.5, 0.8, 0.975, 0.99975):
        assert t_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), abs=1e-12)
    for value in (-3.0, 0.0, 0.2, 2.5, 40.0):
        assert t_tail(value, freedom) == pytest.approx(stats.t.sf(value, freedom), rel=1e-9)


@pytest.mark.parametrize("trials", [1, 2, 5, 6, 50])
def test_the_binomial_is_that_of_scipy(trials: int) -> None:
    for successes in range(trials + 1):
        assert at_most(successes, trials) == pytest.approx(stats.binom.cdf(successes, trials, 0.5), rel=1e-12)


def test_a_table_of_results_needs_neither_pandas_nor_the_whole_of_scipy() -> None:
    code = (
        "import sys, dlbench.cli.results, dlbench.cli.report, dlbench.cli.best, dlbench.analyze.verdict\n"
        "import dlbench.analyze.results, dlbench.store.studies\n"
        "print(*{'pandas', 'scipy.stats', 'scipy.optimize', 'pyarrow', 'optuna', 'altair'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
