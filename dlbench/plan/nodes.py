"""A suite file as a tree of values that know where they stand, and the list of what is wrong with them.

Nothing here knows YAML or the grammar of suites.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dlbench.errors import SuiteError
from dlbench.schema.base import Json

MAX_PROBLEMS = 50
"""A file with more problems than this is not read to the end by anybody."""


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """Where something stands: a position in the file, or an override.

    Attributes:
        order: sorts places in the order in which a user reads them; overrides come after the file.
        text: `suites/cifar.yaml:7:5`, or `override 'train.epochs=1'`.
    """

    order: tuple[int, int, int]
    text: str

    @property
    def in_file(self) -> bool:
        """Whether the place is in the file, not in an override."""
        return self.order[0] == 0


@dataclass(frozen=True, slots=True)
class Node:
    """A scalar, a sequence or a mapping, with places. Immutable: an alias may share it.

    Attributes:
        place: where the value begins.
        value: None, bool, int, float, str, a tuple of nodes, or a dict of key → node.
        keys: of a mapping, where each key stands.
        size: nodes below and including this one, aliases expanded.
        depth: nesting below this one.
    """

    place: Place
    value: bool | int | float | str | tuple[Node, ...] | dict[str, Node] | None
    keys: Mapping[str, Place] = field(default_factory=dict)
    size: int = 1
    depth: int = 0

    @staticmethod
    def sequence(place: Place, items: tuple[Node, ...]) -> Node:
        """A sequence."""
        return Node(place, items, {}, 1 + sum(item.size for item in items), _deeper_than(items))

    @staticmethod
    def mapping(place: Place, items: dict[str, Node], keys: Mapping[str, Place]) -> Node:
        """A mapping."""
        below = tuple(items.values())
        return Node(place, items, keys, 1 + sum(item.size for item in below), _deeper_than(below))

    def having(self, key: str, node: Node, place: Place) -> Node:
        """A mapping like this one, with one key set."""
        items = self.value if isinstance(self.value, dict) else {}
        return Node.mapping(self.place, {**items, key: node}, {**self.keys, key: place})

    def plain(self) -> Json:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        return self.value


def _deeper_than(nodes: tuple[Node, ...]) -> int:
    return 1 + max((node.depth for node in nodes), default=0)


def as_node(value: Json, place: Place) -> Node:
    """A plain value as a tree, all of it at one place."""
    if isinstance(value, Mapping):
        items = {str(key): as_node(below, place) for key, below in value.items()}
        return Node.mapping(place, items, dict.fromkeys(items, place))
    if isinstance(value, list | tuple):
        return Node.sequence(place, tuple(as_node(below, place) for below in value))
    return Node(place, value)


@dataclass(frozen=True, slots=True)
class Spot:
    """A node, and the way to it from the top of the suite.

    Attributes:
        place: of the key that leads to the node, or of the node itself.
        path: `models[1].params.heads`; empty for the whole file.
    """

    node: Node
    place: Place
    path: str = ""

    def child(self, key: str | int) -> Spot | None:
        """What stands under a key or index, or None."""
        value = self.node.value
        if isinstance(value, dict) and isinstance(key, str) and key in value:
            path = f"{self.path}.{key}" if self.path else key
            return Spot(value[key], self.node.keys[key], path)
        if isinstance(value, tuple) and isinstance(key, int) and 0 <= key < len(value):
            return Spot(value[key], value[key].place, f"{self.path}[{key}]")
        return None

    def given(self, key: str) -> Spot | None:
        """What stands under a key; a key without a value counts as not given."""
        found = self.child(key)
        return found if found is not None and found.node.value is not None else None

    def items(self) -> Iterator[Spot]:
        """The items of a sequence."""
        for index in range(len(self.node.value)) if isinstance(self.node.value, tuple) else ():
            found = self.child(index)
            assert found is not None
            yield found

    def at(self, *keys: str | int) -> Spot:
        """The deepest spot that exists on the way along keys."""
        spot = self
        for key in keys:
            below = spot.child(key)
            if below is None:
                break
            spot = below
        return spot


class Problems:
    """Collects what is wrong with a suite, so that a user sees all of it at once."""

    def __init__(self) -> None:
        self._found: dict[str, Place] = {}
        self._hints: dict[str, None] = {}

    def add(self, spot: Spot, message: str, hint: str | None = None) -> None:
        """Note a problem; the same line is kept once."""
        self.at(spot.place, f"{spot.path}: {message}" if spot.path else message, hint)

    def at(self, place: Place, text: str, hint: str | None = None) -> None:
        """Note a problem at a place without a path."""
        self._found.setdefault(f"{place.text} {text}", place)
        if hint is not None:
            self._hints[hint] = None

    def __len__(self) -> int:
        return len(self._found)

    def raise_if_any(self) -> None:
        """Raise all problems, in the order of their places.

        Raises:
            SuiteError: there is a problem.
        """
        if not self._found:
            return
        lines = [line for line, _ in sorted(self._found.items(), key=lambda found: found[1].order)]
        left_out = len(lines) - MAX_PROBLEMS
        if left_out > 0:
            lines[MAX_PROBLEMS:] = [f"… and {left_out} more problem{'s' if left_out > 1 else ''}."]
        raise SuiteError(lines, tuple(self._hints))
