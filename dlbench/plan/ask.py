"""How this stage asks about models, tasks and datasets without importing them: the type of that question."""

from collections.abc import Callable, Sequence

from dlbench.schema.base import Json

Ask = Callable[[Sequence[dict[str, Json]]], list[dict[str, Json]]]
"""Requests in, as many answers out, in the same order. Every call may start a process, so requests are batched.

| request | answer |
|---|---|
| `{"what": "module", "shelf", "name", "plugins"}` | `{"revision", "schema", "defaults", "presets"}`, of a dataset also `tasks` and `files`, of a task also `datasets`; or `{"error": message}` |
| `{"what": "params", "shelf", "name", "preset", "params", "plugins"}` | `{"params": complete or None, "errors": [{"loc", "message", "type"}]}` |
| `{"what": "pair", "task": {"name", "params"}, "model": {"name", "preset", "params"}, "plugins"}` | `{"accepts": bool, "offers": "tokens → classes"}` |
"""  # noqa: E501
