"""What `A` and `B` of `dlbench compare` stand for: a store, a suite, a contender of a suite, or a git revision.

In this order, the first that fits; `store:`, `suite:`, `model:` or `rev:` before the word settles it:

1. `STORE:SUITE`, a suite of another store;
2. a folder that is a store, or holds a `.dlbench`;
3. a suite of the store of `--store`, by name or file;
4. a contender of a suite in that store, by name, label or model;
5. a git revision that records in that store were made at.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlbench.errors import UsageError

if TYPE_CHECKING:
    from dlbench.analyze.partners import Partners
    from dlbench.analyze.results import Results
    from dlbench.store.folder import Store
    from dlbench.store.revisions import Revisions

Kind = Literal["store", "suite", "model", "rev"]
KINDS: tuple[Kind, ...] = ("store", "suite", "model", "rev")


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        title: what it is, in words.
        suites: of the store, those that are meant.
        word: the contender, or the commit in full.
        revisions: of the store, for a commit.
    """

    kind: Kind
    title: str
    store: "Store"
    suites: tuple[str, ...]
    word: str = ""
    revisions: "Revisions | None" = None


class Sides:
    """Finds what words stand for.

    Args:
        root: the folder of `--store`, which need not exist where both words are stores.
        suite: the one suite that is meant; None: all.
    """

    def __init__(self, root: Path, suite: str | None) -> None:
        self.root, self.suite = root, suite
        self._named: dict[str, frozenset[str]] = {}

    @cached_property
    def own(self) -> "Store":
        """The store of `--store`.

        Raises:
            StoreError: there is none.
        """
        from dlbench.store.folder import Store

        return Store.open(_store_folder(self.root) or self.root, create=False)

    @cached_property
    def revisions(self) -> "Revisions":
        """What the own store says of commits."""
        from dlbench.store.revisions import Revisions

        return Revisions(self.own)

    def find(self, word: str) -> Side:
        """What a word stands for.

        Raises:
            UsageError: nothing that it could.
            StoreError: a store cannot be read.
        """
        kind, colon, rest = word.partition(":")
        if colon and rest and kind in KINDS:
            side = self._as(kind, rest)
            if side is None:
                raise UsageError(self._unknown(rest, kind))
            return side
        for each in KINDS:
            if each == "suite" and _store_folder(self.root) is None:
                raise UsageError(
                    f"{word!r} is no folder with a dlbench store, and {self.root.absolute()} is none either, in which "
                    "it could be a suite, a contender or a git revision. Name a store with --store."
                )
            side = self._as(each, word)
            if side is not None:
                return side
        raise UsageError(self._unknown(word, None))

    def _as(self, kind: str, word: str) -> Side | None:
        match kind:
            case "store":
                return self._foreign_suite(word) or self._store(word)
            case "suite":
                return self._foreign_suite(word) or self._suite(word)
            case "model":
                return self._model(word)
            case _:
                return self._revision(word)

    def _store(self, word: str) -> Side | None:
        from dlbench.store.folder import Store

        folder = _store_folder(Path(word))
        if folder is None:
            return None
        store = Store.open(folder, create=False)
        return Side("store", word, store, self._narrowed(store))

    def _foreign_suite(self, word: str) -> Side | None:
        from dlbench.cli.wiring import suite_name
        from dlbench.store.folder import Store

        path, colon, name = word.rpartition(":")
        folder = _store_folder(Path(path)) if colon and path and name else None
        if folder is None:
            return None
        store = Store.open(folder, create=False)
        return self._one(store, suite_name(store, name), word)

    def _suite(self, word: str) -> Side | None:
        from dlbench.cli.wiring import suite_name

        is_file = Path(word).suffix in (".yaml", ".yml")
        if not is_file and word not in self.own.suites():
            return None
        return self._one(self.own, suite_name(self.own, word), word)

    def _one(self, store: "Store", name: str, title: str) -> Side:
        if self.suite is not None and self.suite != name:
            raise UsageError(f"{title!r} is a suite already; --suite {self.suite} says another one")
        return Side("suite", title, store, (name,))

    def _model(self, word: str) -> Side | None:
        having = tuple(name for name in self._narrowed(self.own) if word in self._names(name))
        return Side("model", word, self.own, having, word) if having else None

    def _revision(self, word: str) -> Side | None:
        from dlbench.store.revisions import matching

        commit = _commit(word)
        known = self.revisions.commits if commit or _is_hex(word) else ()
        found = [commit] if commit else matching(known, word)
        if not found:
            return None
        if len(found) > 1:
            raise UsageError(f"{word!r} begins several commits: {_listed(found)}")
        if found[0] not in known:
            raise UsageError(_without_records(self.own, word, found[0], known))
        title = f"{word}, {found[0][:12]}" if not found[0].startswith(word) else found[0][:12]
        return Side("rev", title, self.own, self._narrowed(self.own), found[0], self.revisions)

    def _narrowed(self, store: "Store") -> tuple[str, ...]:
        """The suites of a store that are meant.

        Raises:
            UsageError: the store lacks the one of `--suite`.
        """
        from dlbench.cli.wiring import suite_name

        return tuple(store.suites()) if self.suite is None else (suite_name(store, self.suite),)

    def _names(self, suite: str) -> frozenset[str]:
        """All by which a contender of a suite of the own store can be called."""
        from dlbench.analyze.contenders import arenas_of
        from dlbench.schema.record import Result

        if suite not in self._named:
            results = [Result(entry=entry) for entry in self.own.entries(suite) if entry.study is None]
            contenders = [contender for arena in arenas_of(results, {}) for contender in arena.contenders]
            models = {result.entry.job.model.name for result in results}
            names = {name for contender in contenders for name in (contender.name, contender.label)}
            self._named[suite] = frozenset(names | models)
        return self._named[suite]

    def _unknown(self, word: str, kind: str | None) -> str:
        from dlbench.catalog import did_you_mean

        suites = self.own.suites()
        models = sorted({name for suite in self._narrowed(self.own) for name in self._names(suite)})
        near = {"suite": suites, "model": models}.get(kind or "", [*suites, *models] if kind is None else [])
        what = {
            "store": "no folder with a dlbench store",
            "suite": f"no suite of the store {self.own.root}",
            "model": f"no contender of a suite in the store {self.own.root}",
            "rev": f"neither a revision that git knows here nor a commit in the records of {self.own.root}",
        }
        is_not = what[kind] if kind else f"no store, and no suite, contender or git revision in {self.own.root}"
        has = f" It has the suites {_listed(suites)}." if suites and kind != "store" else ""
        return f"{word!r} is {is_not}.{did_you_mean(word, near)}{has}"


def partners(a: Side, b: Side) -> "Partners":
    """What of the one is compared with what of the other.

    Raises:
        UsageError: the two are not of a kind, or no suite has both.
    """
    if (a.kind == "model") != (b.kind == "model"):
        one, other = (a, b) if a.kind == "model" else (b, a)
        raise UsageError(
            f"{one.title!r} is a contender and {other.title!r} a {_KIND_WORDS[other.kind]}: compare two of a kind. "
            "`store:`, `suite:`, `model:` or `rev:` before a word says which it is."
        )
    return _contenders(a, b) if a.kind == "model" else _suites(a, b)


_KIND_WORDS = {"store": "store", "suite": "suite", "model": "contender", "rev": "revision"}


def _contenders(a: Side, b: Side) -> "Partners":
    from dlbench.analyze.partners import within

    if a.word == b.word:
        raise UsageError(f"{a.word!r} is compared with itself: name two contenders")
    both = [name for name in a.suites if name in b.suites]
    if not both:
        raise UsageError(f"no suite has both: {a.word!r} is in {_listed(a.suites)}, {b.word!r} in {_listed(b.suites)}")
    if len(both) > 1:
        raise UsageError(f"{_listed(both)} have both {a.word!r} and {b.word!r}: say which with --suite NAME")
    return within(_load(a, both[0]), a.word, b.word)


def _suites(a: Side, b: Side) -> "Partners":
    from dlbench.analyze.partners import Alone, Partners, across, joined

    pairs = [(name, name) for name in a.suites if name in b.suites]
    if len(a.suites) == len(b.suites) == 1:
        pairs = [(a.suites[0], b.suites[0])]
    for one, other in ((a, b), (b, a)):
        if not pairs and one.kind == "suite" and len(other.suites) > 1:
            raise UsageError(f"{other.title!r} has no suite {one.suites[0]!r}; it has {_listed(other.suites)}")
    prefixed = len(pairs) > 1
    found = [across(_load(a, x), _load(b, y), suffix=f" in {x}" if prefixed else "") for x, y in pairs]
    alone = [] if "suite" in (a.kind, b.kind) else [
        *(Alone("A", f"suite {name}", "B has no such suite") for name in a.suites if name not in {x for x, _ in pairs}),
        *(Alone("B", f"suite {name}", "A has no such suite") for name in b.suites if name not in {y for _, y in pairs}),
    ]  # fmt: skip
    return joined([*found, Partners((), tuple(alone))])


def _load(side: Side, name: str) -> "Results":
    from dlbench.analyze.results import Results
    from dlbench.cli.console import warn
    from dlbench.cli.report import load
    from dlbench.cli.unreadable import unreadable

    if side.revisions is None:
        return load(side.store, name)
    results = Results(side.store.suite(name), side.revisions.results(name, side.word))
    for line in unreadable(side.store):
        warn(line)
    return results


def _store_folder(path: Path) -> Path | None:
    """The store at a folder, or in it; None where there is none."""
    return next((folder for folder in (path, path / ".dlbench") if (folder / "store.json").is_file()), None)


def _commit(word: str) -> str | None:
    """The commit that a word means to git in the working folder; None where it means none."""
    from dlbench.cli.wiring import git

    if word.startswith("-"):
        return None  # git would take it for an option
    try:
        return git("rev-parse", "--verify", "--quiet", f"{word}^{{commit}}")
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _is_hex(word: str) -> bool:
    return 4 <= len(word) <= 40 and set(word.lower()) <= set("0123456789abcdef")


def _without_records(store: "Store", word: str, commit: str, known: Sequence[str]) -> str:
    has = f"It has those of {_listed([c[:12] for c in known[:8]])}." if known else "Its records name no commit."
    return (
        f"the store {store.root} has no records of revision {word!r} ({commit[:12]}). {has} "
        "What is done is not run again at another revision: give each a store of its own with --store."
    )


def _listed(words: Sequence[str]) -> str:
    from dlbench.analyze.quantities import listed
    from dlbench.cli.console import inert

    return inert(listed(list(words)))
