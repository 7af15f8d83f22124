"""Which points no other point beats in both respects, and how sure that is. Knows nothing of models."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dlbench.analyze.bootstrap import draws


def pareto_front(points: Sequence[tuple[float, float]], *, cheaper_is_lower: bool = False) -> list[int]:
    """Indices of the points that no other dominates, in order of the first coordinate.

    Args:
        points: (cost, score); a higher score is better, and a higher cost too (a throughput) unless
            `cheaper_is_lower` (a memory). Equal points are all on the front.
    """
    sign = -1.0 if cheaper_is_lower else 1.0
    signed = [(sign * cost, score) for cost, score in points]
    front = [index for index, point in enumerate(signed) if not any(_dominates(other, point) for other in signed)]
    return sorted(front, key=lambda index: points[index])


def _dominates(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a != b


def hypervolume(points: Sequence[tuple[float, float]], reference: tuple[float, float]) -> float:
    """Area that points dominate up to a reference point, both coordinates losses (lower is better).

    Zitzler & Thiele 1998. Points beyond the reference in either coordinate add nothing.
    """
    area, ceiling = 0.0, reference[1]
    for x, y in sorted(point for point in points if point[0] < reference[0] and point[1] < reference[1]):
        if y < ceiling:
            area += (reference[0] - x) * (ceiling - y)
            ceiling = y
    return area


def front_probability(
    scores: NDArray[np.float64], costs: NDArray[np.float64], *, cheaper_is_lower: bool = False
) -> NDArray[np.float64]:
    """Share of resamples in which each contender is on the front, (contenders,).

    Args:
        scores: (resamples, contenders), higher is better.
        costs: likewise, as in `pareto_front`.
    """
    signed = -costs if cheaper_is_lower else costs
    shares = np.empty(scores.shape[1])
    for index in range(len(shares)):  # one at a time, so that memory is linear in contenders
        score, cost = scores[:, [index]], signed[:, [index]]
        nowhere_worse = (scores >= score) & (signed >= cost)
        shares[index] = 1 - (nowhere_worse & ((scores > score) | (signed > cost))).any(axis=1).mean()
    return shares


def resampled_medians(rounds: Sequence[Mapping[int, float]]) -> NDArray[np.float64]:
    """Medians of contenders over resampled rounds, (RESAMPLES, contenders).

    Rounds of one number were measured next to one another: where all contenders have the same, all get the same ones.

    Args:
        rounds: of each contender round → cost, of one round at least.
    """
    same = all(found.keys() == rounds[0].keys() for found in rounds)
    columns = []
    for index, found in enumerate(rounds):
        values = np.array([found[number] for number in sorted(found)])
        columns.append(np.median(values[draws(len(values), 1 if same else index + 1)], axis=1))
    return np.stack(columns, axis=1)
