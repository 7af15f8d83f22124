"""The short forms of a suite, opened up: every task, dataset and model becomes one mapping with the same keys.

    text_classification                   {task: text_classification}
    text_classification: {params: …}      {task: text_classification, params: …}
    ag_news                               [{dataset: ag_news}]
    temporal_order: {length: 60}          [{dataset: temporal_order, params: {length: 60}}]
    lstm                                  {model: lstm}
    resnet: {preset: resnet50, width: 2}  {model: resnet, preset: resnet50, params: {width: 2}}
    vary: {heads: [2, 4]}                 vary: {model.heads: [2, 4]}, in a model

Opened forms are left as they are. What has no known form is left as it is too, for the grammar to refuse.
"""

from dlbench.plan.nodes import Node

LIST_KEYS = {"tasks": "task", "models": "model", "dataset": "dataset"}
"""Key of a list → the key that names an item of it."""

ITEM_KEYS = {
    "task": ("task", "dataset", "params", "models", "train"),
    "dataset": ("dataset", "params"),
    "model": ("model", "label", "preset", "params", "vary", "train"),
}
"""Kind of item → the keys of its long form."""


def open_item(kind: str, node: Node) -> Node:
    """The long form of a task, dataset or model."""
    if isinstance(node.value, str):
        return Node.mapping(node.place, {kind: node}, {kind: node.place})
    if not isinstance(node.value, dict) or kind in node.value or len(node.value) != 1:
        return node
    ((name, below),) = node.value.items()
    if below.value is not None and not isinstance(below.value, dict):
        return node
    place = node.keys[name]
    opened = Node.mapping(node.place, {kind: Node(place, name)}, {kind: place})
    inside = below.value if isinstance(below.value, dict) else {}
    if kind == "task":
        for key, value in inside.items():
            opened = opened.having(key, value, below.keys[key])
        return opened
    if kind == "model" and "preset" in inside:
        opened = opened.having("preset", inside["preset"], below.keys["preset"])
    params = {key: value for key, value in inside.items() if not (kind == "model" and key == "preset")}
    keys = {key: below.keys[key] for key in params}
    return opened.having("params", Node.mapping(below.place, params, keys), place) if params else opened


def open_list(key: str, node: Node) -> Node:
    """The long form of `tasks:`, `models:` or `dataset:`."""
    kind = LIST_KEYS[key]
    if key == "dataset" and isinstance(node.value, str | dict):
        node = Node.sequence(node.place, (node,))
    if not isinstance(node.value, tuple):
        return node
    items = (open_item(kind, item) for item in node.value)
    return Node.sequence(node.place, tuple(_open_vary(_open_below(kind, item)) for item in items))


def open_suite(root: Node) -> Node:
    """The long form of a whole suite."""
    return _open_below("suite", root)


def _open_below(kind: str, node: Node) -> Node:
    inner = {"suite": ("tasks", "models"), "task": ("dataset", "models")}.get(kind, ())
    for key in inner:
        if isinstance(node.value, dict) and key in node.value and node.value[key].value is not None:
            node = node.having(key, open_list(key, node.value[key]), node.keys[key])
    return node


def _open_vary(item: Node) -> Node:
    """In a model's own `vary:`, a key without a dot is one of its parameters."""
    vary = item.value.get("vary") if isinstance(item.value, dict) else None
    if vary is None or not isinstance(vary.value, dict):
        return item
    names = {key: key if "." in key or key in ("precision", "device") else f"model.{key}" for key in vary.value}
    values = {names[key]: below for key, below in vary.value.items()}
    opened = Node.mapping(vary.place, values, {names[key]: place for key, place in vary.keys.items()})
    assert isinstance(item.value, dict)
    return item.having("vary", opened, item.keys["vary"])
