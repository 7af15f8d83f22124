"""YAML 1.2 text → a tree of nodes with places, within limits that no honest suite reaches.

ruamel.yaml parses; scalars are resolved here by the core schema of the YAML 1.2.2 specification (§10.3.2), so that
`1e-3` is a number, `no` is text and a date is text. Aliases share nodes and are never expanded, so that a file that
would unfold to billions of nodes is refused at once. Knows nothing of suites.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from dlbench.catalog import did_you_mean
from dlbench.errors import SuiteError
from dlbench.plan.nodes import Node, Place, Problems

MAX_BYTES = 2**18
MAX_NODES = 10_000
MAX_DEPTH = 20
MAX_DIGITS = 300  # of one number; more would overflow a float

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {**dict.fromkeys(("true", "True", "TRUE"), True), **dict.fromkeys(("false", "False", "FALSE"), False)}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_STR_TAGS = {"!", "tag:yaml.org,2002:str"}
_IMPLIED_TAGS = {"tag:yaml.org,2002:seq", "tag:yaml.org,2002:map", "!"}

_PARSER_FAULTS = (YAMLError, ValueError, OverflowError, IndexError, AttributeError, AssertionError, TypeError)
"""What ruamel.yaml raises on malformed escapes and directives, none of which a suite uses."""

Placer = Callable[[int, int], Place]
"""(line, column), both from 1 → place."""


class _Refused(Exception):
    """Text that cannot become a tree."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def read_file(path: Path, problems: Problems) -> Node:
    """Read a suite file; what does not stop the reading (a key given twice) goes to `problems`.

    Raises:
        SuiteError: there is no such file, or it is not YAML within the limits.
    """
    name = str(path)
    node = read_text(_text_of(path), lambda line, column: Place((0, line, column), f"{name}:{line}:{column}"), problems)
    if node is None:
        problems.raise_if_any()
        raise SuiteError([f"{name}: the file is empty."], ["`dlbench init` writes a suite to start from."])
    return node


def _text_of(path: Path) -> str:
    try:
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise SuiteError([f"{path}: the file is larger than {MAX_BYTES // 1024} KiB, which no suite needs."])
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        siblings = [str(found) for found in sorted(path.parent.glob("*.y*ml"))]
        raise SuiteError([f"{path}: there is no such file.{did_you_mean(str(path), siblings)}"]) from None
    except IsADirectoryError:
        raise SuiteError([f"{path}: this is a folder; a suite is a YAML file."]) from None
    except UnicodeDecodeError as error:
        raise SuiteError([f"{path}: not UTF-8 text (byte {error.start})."]) from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise SuiteError([f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}."]) from None


def read_text(text: str, placer: Placer, problems: Problems) -> Node | None:
    """Read one YAML document; None when there is nothing in the text.

    Raises:
        SuiteError: the text is not YAML, or beyond the limits.
    """
    try:
        return _Builder(placer, problems).build(YAML(typ="safe", pure=True).parse(text))
    except _Refused as error:
        line, column, message = error.line, error.column, str(error)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        message = f"not valid YAML: {_plain_words(error)}"
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        message = "not valid YAML: a control character stands here"
    except _PARSER_FAULTS as error:
        line, column, message = 0, 0, f"not valid YAML: {error}".partition("\n")[0]
    problems.at(placer(line + 1, column + 1), f"{message}.")
    problems.raise_if_any()
    return None


def _plain_words(error: Any) -> str:
    problem = (error.problem or error.context or "it cannot be parsed").partition("\n")[0].strip()
    if "\\t" in problem or "\t" in problem:
        return "a tab stands here; YAML is indented with spaces"
    context = (error.context or "").partition("\n")[0].strip()
    return f"{problem} ({context})" if context and context != problem else problem


@dataclass
class _Open:
    """A sequence or mapping whose end has not come yet."""

    place: Place
    is_mapping: bool
    anchor: str | None
    items: list[Node] = field(default_factory=list)
    values: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    key: str | None = None
    merged: list[Node] = field(default_factory=list)


class _Builder:
    """Folds parser events into nodes, with a stack of its own instead of recursion."""

    def __init__(self, placer: Placer, problems: Problems) -> None:
        self._placer = placer
        self._problems = problems
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._documents = 0
        self._nodes = 0
        self._root: Node | None = None

    def build(self, events: Iterable[Any]) -> Node | None:
        for event in events:
            mark = event.start_mark
            try:
                self._take(event, self._placer(mark.line + 1, mark.column + 1))
            except _Refused as error:
                raise _Refused(str(error), mark.line, mark.column) from None
        return self._root

    def _take(self, event: Any, place: Place) -> None:
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _Refused("a second document begins here; a suite is one document")
        elif isinstance(event, SequenceStartEvent | MappingStartEvent):
            self._open(event, place)
        elif isinstance(event, SequenceEndEvent | MappingEndEvent):
            self._close()
        elif isinstance(event, ScalarEvent):
            if not (self._stack or event.value or event.style):
                return  # an empty document
            self._add(Node(place, self._scalar(event, place)), event.anchor, is_key=True)
        elif isinstance(event, AliasEvent):
            self._add(self._aliased(event.anchor, place), None, is_key=False)

    def _open(self, event: Any, place: Place) -> None:
        if event.tag is not None and event.tag not in _IMPLIED_TAGS:
            raise _Refused("a tag (`!…`) stands here; suites have none")
        if len(self._stack) >= MAX_DEPTH:
            raise _Refused(f"nested deeper than {MAX_DEPTH} levels")
        is_mapping = isinstance(event, MappingStartEvent)
        if self._stack and self._stack[-1].is_mapping and self._stack[-1].key is None:
            raise _Refused(f"a key must be text, not a {'mapping' if is_mapping else 'list'}")
        if event.anchor:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(place, is_mapping, event.anchor))

    def _close(self) -> None:
        done = self._stack.pop()
        if not done.is_mapping:
            self._add(Node.sequence(done.place, tuple(done.items)), done.anchor, is_key=False)
            return
        for merged in done.merged:
            assert isinstance(merged.value, dict)
            for key, node in merged.value.items():
                if key not in done.values:
                    done.values[key], done.keys[key] = node, merged.keys[key]
        self._add(Node.mapping(done.place, done.values, done.keys), done.anchor, is_key=False)

    def _add(self, node: Node, anchor: str | None, *, is_key: bool) -> None:
        """Put a finished node where it belongs."""
        if anchor:
            self._anchors[anchor] = node
        self._nodes += 1
        if self._nodes > MAX_NODES or node.size > MAX_NODES:
            raise _Refused(f"more than {MAX_NODES:,} values, aliases expanded")
        if len(self._stack) + node.depth > MAX_DEPTH:
            raise _Refused(f"nested deeper than {MAX_DEPTH} levels")
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        if not parent.is_mapping:
            parent.items.append(node)
        elif parent.key is None:
            self._take_key(parent, node, is_key=is_key)
        elif parent.key == "<<":
            self._merge(parent, node)
        else:
            parent.values[parent.key], parent.key = node, None

    def _take_key(self, parent: _Open, node: Node, *, is_key: bool) -> None:
        if not isinstance(node.value, str) or not is_key:
            raise _Refused(f"a key must be text, not {json.dumps(node.value) if is_key else 'an alias'}")
        if node.value in parent.keys:
            first = parent.keys[node.value].text
            self._problems.at(node.place, f"the key {node.value!r} is given twice; the first is at {first}.")
        parent.key = node.value
        if node.value != "<<":
            parent.keys[node.value] = node.place

    def _merge(self, parent: _Open, node: Node) -> None:
        """`<<: *defaults`: keys that the mapping itself does not give."""
        for source in node.value if isinstance(node.value, tuple) else (node,):
            if not isinstance(source.value, dict):
                raise _Refused("`<<` takes a mapping, or a list of mappings")
            parent.merged.append(source)
        parent.key = None

    def _aliased(self, anchor: str, place: Place) -> Node:
        if anchor not in self._anchors:
            raise _Refused(f"there is no anchor '&{anchor}' before this alias")
        node = self._anchors[anchor]
        if node is None:
            raise _Refused(f"the alias '*{anchor}' stands inside of what it repeats")
        return node

    def _scalar(self, event: Any, place: Place) -> bool | int | float | str | None:
        text: str = event.value
        if event.tag is not None and event.tag not in _STR_TAGS:
            raise _Refused("a tag (`!…`) stands here; suites have none")
        if _SURROGATE.search(text):
            raise _Refused("half of a surrogate pair is no character")
        if event.style not in (None, "") or event.tag is not None:
            return text
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _NOT_FINITE.fullmatch(text):
            return self._not_finite(text, place)
        if _INT.fullmatch(text) or _FLOAT.fullmatch(text):
            return self._number(text, place)
        return text

    def _number(self, text: str, place: Place) -> int | float:
        if len(text) > MAX_DIGITS:
            raise _Refused(f"a number of {len(text)} characters")
        if text.startswith(("0o", "0x")):
            return int(text, 0)
        if _INT.fullmatch(text):
            return int(text)
        value = float(text)
        if not math.isfinite(value):
            return self._not_finite(text, place)
        whole = "." not in text and value.is_integer() and abs(value) < 2**53
        return int(value) if whole else value  # 1e6 counts things, 1.0 does not

    def _not_finite(self, text: str, place: Place) -> int:
        """Note the number, and put one in its place that most settings accept, so that nothing else is said of it."""
        self._problems.at(place, f"{text} is not a finite number.")
        return 1
