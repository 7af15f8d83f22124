"""Which points no other point beats in both respects. Knows nothing of models."""

from collections.abc import Sequence


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
