"""`key.path=value` over a suite's tree. The value is YAML; a list is entered by index or by name.

`models.lstm.params.layers=2`, `models.0.train.lr=1e-3`, `tasks.text_classification.params.max_length=32`,
`vary.train.lr=[1e-3]`, `exclude.0.model=gru`. Short forms are opened on the way. Whether a key means anything is
for the grammar to say, which then names the override as the place.
"""

from collections.abc import Sequence

from dlbench.catalog import did_you_mean
from dlbench.plan.document import MAX_DEPTH, read_text
from dlbench.plan.nodes import Node, Place, Problems
from dlbench.plan.shorthand import ITEM_KEYS, LIST_KEYS, open_list


class _NoWay(Exception):
    """The path of an override leads nowhere."""


def apply_overrides(root: Node, overrides: Sequence[str], problems: Problems) -> Node:
    """The tree with each override laid over it, in order."""
    for number, text in enumerate(overrides):
        place = Place((1, number, 0), f"override {text!r}")
        path, equals, value = text.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys) or len(keys) > MAX_DEPTH:
            problems.at(place, "must look like key.path=value, such as train.epochs=1.")
            continue
        node = read_text(value, lambda line, column, place=place: place, problems)  # type: ignore[misc]
        try:
            root = _set(root, keys, node or Node(place, None), place, "")
        except _NoWay as error:
            problems.at(place, f"{error}")
    return root


def _set(node: Node, keys: Sequence[str], new: Node, place: Place, way: str) -> Node:
    """The node with what stands at the end of `keys` replaced; `way` is the path that led here."""
    if not keys:
        return new
    if isinstance(node.value, tuple):
        index = _index(node, keys[0], way)
        item = _set(node.value[index], _into_item(node.value[index], keys[1:], way), new, place, f"{way}[{index}]")
        return Node.sequence(node.place, (*node.value[:index], item, *node.value[index + 1 :]))
    if not isinstance(node.value, dict) and node.value not in (None, True, False):
        raise _NoWay(f"{way} is {node.plain()!r}, there is nothing below it to set.")
    if way.rpartition(".")[2] == "vary" or way.startswith("exclude["):
        keys = [".".join(keys)]
    key, rest = keys[0], keys[1:]
    below = node.value.get(key) if isinstance(node.value, dict) else None
    if below is None:
        below = Node(place, None)
    elif key in LIST_KEYS and rest:
        below = open_list(key, below)
    return node.having(key, _set(below, rest, new, place, f"{way}.{key}" if way else key), place)


def _index(node: Node, key: str, way: str) -> int:
    """Which item of a list a key means: an index, or the name or label of an item."""
    assert isinstance(node.value, tuple)
    if key.isdecimal() and key.isascii():
        if int(key) < len(node.value):
            return int(key)
        raise _NoWay(f"{way} has no item {key}; it has {len(node.value)}, counted from 0.")
    names = [_names(item) for item in node.value]
    found = [index for index, own in enumerate(names) if key in own]
    if len(found) > 1:
        raise _NoWay(f"{way} has {key!r} {len(found)} times; say which by its index ({', '.join(map(str, found))}).")
    if not found:
        known = {name: None for own in names for name in own}
        raise _NoWay(f"{way} has no item {key!r}.{did_you_mean(key, known)}")
    return found[0]


def _names(item: Node) -> list[str]:
    if not isinstance(item.value, dict):
        return []
    named = [item.value[key].value for key in ("label", *ITEM_KEYS) if key in item.value]
    return [name for name in named if isinstance(name, str)]


def _into_item(item: Node, keys: Sequence[str], way: str) -> Sequence[str]:
    """The keys below an item; what is no key of a dataset's or model's long form is one of its parameters."""
    kind = LIST_KEYS.get(way.rpartition(".")[2], "")
    if kind in ("model", "dataset") and keys and keys[0] not in ITEM_KEYS[kind]:
        return ["params", *keys]
    return keys
