"""The base of every frozen value."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value without behaviour; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Params(BaseModel):
    """Base of the parameters that a model, task or dataset declares; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), validate_default=True)


Json = Any
"""Whatever `json.loads` can return."""
