"""How often a verdict is a false alarm, and how often a true difference is found, over whole simulated suites.

    python tests/benchmarks/bench_verdicts.py alarms [suites]     # two equal contenders: share that are told apart
    python tests/benchmarks/bench_verdicts.py power [suites]      # one is better by a spread of the paired differences

Every suite is a set of records that goes through `Results`, as a store's would. Bars: at most 6.8 % false alarms at the
5 % level (5 % and two and a half standard errors of 1,000 suites), at least 80 % found with 12 seeds and normal noise.
Intervals are exact binomial ones. `power` also prints what the t test alone finds, and the closed form of that: what is
missing between the two is the price of asking for three of four seeds won besides.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from synthetic import quality, suite

from dlbench.analyze.certainty import exact_share
from dlbench.analyze.results import Comparison, Results

Noise = Callable[[np.random.Generator, int], NDArray[np.float64]]
NOISES: dict[str, Noise] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy-tailed (t, 3 degrees)": lambda rng, n: rng.standard_t(3, n) / np.sqrt(3),
    "skewed (log-normal)": lambda rng, n: (rng.lognormal(0, 1, n) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e),
}
"""Of standard deviation 1 and mean 0."""
SEEDS = (5, 10, 12)
MOST_ALARMS, LEAST_POWER = 0.068, 0.8


def compared(rng: np.random.Generator, noise: Noise, seeds: int, shift: float) -> Comparison:
    """Of a suite of two contenders whose paired differences have standard deviation 1 and mean `shift`, in points.

    Half of the variance of each is the seed's own, which both share, as where a seed is an easy split.
    """
    shared = rng.standard_normal(seeds)
    one, other = (0.5 + 0.01 * (shared + noise(rng, seeds) / np.sqrt(2)) for _ in range(2))
    lines = [*quality("one", list(map(float, one))), *quality("other", list(map(float, other + 0.01 * shift)))]
    (comparison,) = Results(suite(), lines).comparisons
    return comparison


def alarms(suites: int) -> bool:
    """Whether equal contenders are told apart as rarely as promised."""
    good = True
    for name, noise in NOISES.items():
        for seeds in SEEDS:
            rng = np.random.default_rng(seeds)
            words = [compared(rng, noise, seeds, 0.0).paired.word for _ in range(suites)]
            count = sum(word != "indistinguishable" for word in words)
            good &= count / suites <= MOST_ALARMS
            print(f"{name:28} {seeds:3} seeds: {share(count, suites)} told apart", flush=True)
    return good


def power(suites: int) -> bool:
    """Whether a difference of one standard deviation is found with 12 seeds as often as promised."""
    good = True
    for name, noise in NOISES.items():
        for seeds in SEEDS:
            rng = np.random.default_rng(100 + seeds)
            found = [compared(rng, noise, seeds, 1.0).paired for _ in range(suites)]
            better = sum(paired.word == "better" for paired in found)
            significant = sum(paired.p is not None and paired.p < 0.05 and paired.difference > 0 for paired in found)
            point = stats.t.ppf(0.975, seeds - 1)
            closed = float(stats.nct.sf(point, seeds - 1, np.sqrt(seeds)))
            if (name, seeds) == ("normal", 12):
                good &= better / suites >= LEAST_POWER
            print(
                f"{name:28} {seeds:3} seeds: {share(better, suites)} better, "
                f"{share(significant, suites)} by the t test alone (closed form for normal noise {closed:.1%})",
                flush=True,
            )
    return good


def share(count: int, suites: int) -> str:
    """`5.1 % (3.8 to 6.7)`."""
    low, high = exact_share(count, suites)
    return f"{100 * count / suites:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def main() -> None:
    """Run what was asked for; exit 1 below a bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("alarms", "power"))
    parser.add_argument("suites", type=int, nargs="?", default=1000)
    given = parser.parse_args()
    sys.exit(0 if {"alarms": alarms, "power": power}[given.what](given.suites) else 1)


if __name__ == "__main__":
    main()
