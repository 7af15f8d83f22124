"""What of A is compared with what of B: arenas and contenders matched by content; what finds no partner is listed.

Between two suites a contender meets itself: the same label, precision and device, on the same task and data. Within
one suite two contenders meet in every arena that has both. A pair is made only of what its key names on either side
alone: of several that could be meant none is guessed. Knows nothing of statistics.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dlbench.analyze.contenders import OWN_AXES, Arena, Contender, canonical
from dlbench.analyze.results import Results
from dlbench.analyze.varied import entry_of
from dlbench.schema.job import Entry
from dlbench.schema.metric import Metric

Side = Literal["A", "B", "neither"]
_TURNS: tuple[tuple[Side, Side], ...] = (("A", "B"), ("B", "A"))
"""Each side, and the one across."""


@dataclass(frozen=True, eq=False)
class Match:
    """A contender of A and the one of B that it is compared with.

    Attributes:
        arena: title of their arena.
        name: of the contender, or `lstm → gru`.
        score: the task's own metric; None while neither has finished a training.
        floors: metric → noise floor, the larger of both sides; what nobody calibrated is missing.
        together: whether rounds of the same number were measured side by side, so that they are pairs.
        drifted: whether the machine is known to have drifted between the one's costs and the other's.
    """

    arena: str
    name: str
    score: Metric | None
    a: Contender
    b: Contender
    floors: Mapping[str, float]
    together: bool = False
    drifted: bool = False

    @property
    def title(self) -> str:
        """Who, and where."""
        return f"{self.name} on {self.arena}"


@dataclass(frozen=True)
class Alone:
    """What one side has and the other cannot be compared in: what it is, and why."""

    side: Side
    what: str
    why: str


@dataclass(frozen=True)
class Partners:
    """All that is compared, and all that is not."""

    matches: tuple[Match, ...]
    alone: tuple[Alone, ...]


def joined(parts: Iterable[Partners]) -> Partners:
    """Several as one."""
    found = list(parts)
    return Partners(
        tuple(match for part in found for match in part.matches), tuple(one for part in found for one in part.alone)
    )


def across(a: Results, b: Results, *, suffix: str = "") -> Partners:
    """Every contender of a suite with itself in another run, store or suite.

    Args:
        suffix: set behind the titles of arenas, where several suites are compared.
    """
    floors = larger(a.noise_floors, b.noise_floors)
    matches: list[Match] = []
    alone: list[Alone] = []
    pairs, lonely = _arena_pairs(a.arenas, b.arenas)
    for ours, theirs in pairs:
        title, score = ours.title + suffix, ours.score or theirs.score
        if ours.score and theirs.score and ours.score.name != theirs.score.name:
            alone.append(Alone("B", f"{theirs.score.name} on {title}", f"A is scored by {ours.score.name}"))
        met = _met(ours.contenders, theirs.contenders, _ACROSS)
        matches += [Match(title, a.name, score, a, b, floors) for a, b in met.items()]
        sides: dict[Side, Sequence[Contender]] = {"A": ours.contenders, "B": theirs.contenders}
        for side, there in _TURNS:
            left = [one for one in sides[side] if one not in {*met, *met.values()}]
            alone += [Alone(side, f"{one.name} on {title}", _why_lonely(one, sides[there], there)) for one in left]
    return Partners(tuple(matches), (*alone, *(Alone(one.side, one.what + suffix, one.why) for one in lonely)))


def within(results: Results, one: str, other: str) -> Partners:
    """Two contenders of one suite, in every arena that has either."""
    matches: list[Match] = []
    alone: list[Alone] = []
    for arena in results.arenas:
        ours, theirs = named(arena.contenders, one), named(arena.contenders, other)
        both = [contender for contender in ours if contender in theirs]
        alone += [Alone("neither", f"{c.name} on {arena.title}", f"both {one!r} and {other!r} mean it") for c in both]
        words: dict[Side, str] = {"A": one, "B": other}
        sides: dict[Side, list[Contender]] = {
            "A": [contender for contender in ours if contender not in both],
            "B": [contender for contender in theirs if contender not in both],
        }
        met = _met(sides["A"], sides["B"], _WITHIN)
        for a, b in met.items():
            drifted = any(drift.separates(a, b) for drift in results.drifts)
            name = f"{a.name} → {b.name}"
            matches.append(Match(arena.title, name, arena.score, a, b, results.noise_floors, True, drifted))
        for side, there in _TURNS:
            left = [contender for contender in sides[side] if contender not in {*met, *met.values()}]
            nobody = f"there is no {'other ' if both else ''}{words[there]!r} to match"
            whys = [_why_unmet(contender, sides[there], words[side], words[there]) or nobody for contender in left]
            alone += [Alone(side, f"{c.name} on {arena.title}", why) for c, why in zip(left, whys, strict=True)]
    return Partners(tuple(matches), tuple(alone))


def named(contenders: Sequence[Contender], word: str) -> list[Contender]:
    """Those whom a word means: by name, else by label, else by the model's own name."""
    for known in (
        lambda contender: contender.name,
        lambda contender: contender.label,
        lambda contender: entry_of(contender).job.model.name,
    ):
        found = [contender for contender in contenders if known(contender) == word]
        if found:
            return found
    return []


def larger(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """For each metric the larger noise floor of two machines or runs."""
    return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in {**one, **other}}


Key = Callable[[Contender], tuple[str, ...]]


def _met(ours: Sequence[Contender], theirs: Sequence[Contender], keys: Sequence[Key]) -> dict[Contender, Contender]:
    """One of ours → the one of theirs with the same key, where each is the only one on its side that has it.

    Args:
        keys: from the most exact on; what has met by one is left alone by the next.
    """
    found: dict[Contender, Contender] = {}
    for key in keys:
        left, right = _only(ours, key), _only(theirs, key)
        for name, a in left.items():
            if name in right and a not in found and right[name] not in found.values():
                found[a] = right[name]
    return {a: found[a] for a in ours if a in found}


def _only(contenders: Sequence[Contender], key: Key) -> dict[tuple[str, ...], Contender]:
    """By key, those whose key no other has."""
    times = Counter(map(key, contenders))
    return {key(contender): contender for contender in contenders if times[key(contender)] == 1}


def _setting(contender: Contender) -> tuple[str, str, str]:
    varied = {key: value for key, value in entry_of(contender).varied.items() if not key.startswith(OWN_AXES)}
    return contender.precision, contender.device, canonical(varied)


def _named_alike(contender: Contender) -> tuple[str, str, str]:
    return contender.label, contender.precision, contender.device.partition(":")[0]


_ACROSS: tuple[Key, ...] = (lambda contender: (contender.label, *_setting(contender)), _named_alike)
"""A contender and itself in another run: with all that varies; or, where one has its name, by that alone."""
_WITHIN: tuple[Key, ...] = (_setting, lambda _: ())
"""Two models of a run: at the same precision, device and whatever else varies; or the only ones that are meant."""


def _why_lonely(contender: Contender, others: Sequence[Contender], there: Side) -> str:
    if any(_named_alike(other) == _named_alike(contender) for other in others):
        return f"several have its name, and none in {there} its settings"
    return f"{there} has no such contender"


def _why_unmet(contender: Contender, others: Sequence[Contender], word: str, other: str) -> str:
    """Empty where there is nobody to meet."""
    if not others:
        return ""
    partners = sum(_setting(one) == _setting(contender) for one in others)
    if not partners:
        return f"there is no {other!r} with the same settings"
    return f"several have the same settings: name one of them instead of {other if partners > 1 else word!r}"


def _entry(arena: Arena) -> Entry:
    return entry_of(arena.contenders[0])


def _data(arena: Arena) -> tuple[str, str, str, str]:
    job = _entry(arena).job
    return job.task.name, job.dataset.name, canonical(job.dataset.params), job.dataset.digest


def _arena_pairs(ours: Sequence[Arena], theirs: Sequence[Arena]) -> tuple[list[tuple[Arena, Arena]], list[Alone]]:
    """Arenas of the same task and data; where a task's parameters tell several apart, those count too."""
    pairs: list[tuple[Arena, Arena]] = []
    left, right = list(ours), list(theirs)
    for exact in (True, False):
        for a in tuple(left):
            same = [b for b in right if _data(a) == _data(b) and (not exact or _params(a) == _params(b))]
            rivals = [one for one in left if _data(one) == _data(a)]
            if same and (exact or len(same) == len(rivals) == 1):
                pairs.append((a, same[0]))
                left.remove(a)
                right.remove(same[0])
    order = list(ours)
    pairs.sort(key=lambda pair: order.index(pair[0]))
    lonely = [Alone("A", one.title, _why(one, right, "A", "B")) for one in left]
    return pairs, [*lonely, *(Alone("B", one.title, _why(one, left, "B", "A")) for one in right)]


def _params(arena: Arena) -> str:
    return canonical(_entry(arena).job.task.params)


def _why(arena: Arena, others: Sequence[Arena], here: Side, there: Side) -> str:
    """Why an arena has no partner; other data under the same name is no partner."""
    for other in others:
        if (other.task, other.dataset) != (arena.task, arena.dataset):
            continue
        if other.digest != arena.digest:
            return (
                f"not comparable: the digest of {arena.dataset} is {_short(arena.digest)} in {here} "
                f"and {_short(other.digest)} in {there}"
            )
    return f"{there} has no such task and data"


def _short(digest: str) -> str:
    return f"{digest[:19]}…" if len(digest) > 20 else digest
