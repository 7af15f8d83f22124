"""JSON Schema of a suite's `search:`, for editors; laxer than reading, never stricter."""

from collections.abc import Sequence
from typing import Any, get_args

from dlbench.schema.search import PrunerName

Schema = dict[str, Any]

NUMBER: Schema = {"type": "number"}
SOME: Schema = {"type": "array", "minItems": 1}


def search_schema(vary: Schema, strategies: Sequence[str]) -> Schema:
    """The schema of the block.

    Args:
        vary: the schema of `vary:`, whose keys are what can be searched.
        strategies: names of all strategies.
    """
    axes = {key: {"anyOf": [listed, AXIS]} for key, listed in vary["properties"].items()}
    strategy = _strategy(strategies)
    return _closed(
        "Makes the suite a study: looks for the best candidate of a space.",
        {
            "space": {
                **_closed("What is searched; default: what the models themselves declare.", axes),
                "properties": {**axes, "model.*": {"const": "own", "description": "All that the models declare."}},
            },
            "strategy": {"anyOf": [strategy, {**SOME, "items": strategy}], "description": "How it is searched."},
            "pruner": _pruner(),
            "objectives": {"anyOf": [OBJECTIVE, {**SOME, "items": OBJECTIVE}], "description": "What is made better."},
            "constraints": {
                "type": "object",
                "additionalProperties": {"anyOf": [NUMBER, BOUND]},
                "description": "Metric and its bound: what breaks it is not trained, where that can be told before.",
            },
            "budget": {"anyOf": [{"type": "integer", "minimum": 1}, BUDGET], "description": "When a study ends."},
            "seeds": {**SEEDS, "description": "How often each candidate is trained, or the seeds."},
            "study_seeds": {**SEEDS, "description": "How many studies each strategy has, or their seeds."},
            "first": {**SOME, "items": {"type": "object"}, "description": "Candidates to try first."},
            "warm_start": {
                "anyOf": [{"type": "string"}, {**SOME, "items": {"type": "string"}}],
                "description": "Suites whose studies are told beforehand.",
            },
            "winners": {"type": "integer", "minimum": 0, "maximum": 100, "description": "How many are trained anew."},
            "table": {"type": "string", "description": "A table of trainings that answers instead of training."},
        },
    )


def _closed(description: str, properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "description": description,
    }


def _one_of(names: Sequence[str]) -> Schema:
    settings = {name: {"anyOf": [{"type": "object"}, {"type": "null"}]} for name in names}
    return {**_closed("One name, with its parameters.", settings), "minProperties": 1, "maxProperties": 1}


def _pruner() -> Schema:
    names = get_args(PrunerName)
    return {"anyOf": [{"enum": [*names, "none"]}, _one_of(names)], "description": "Ends what has no promise."}


def _strategy(names: Sequence[str]) -> Schema:
    long = {
        "strategy": {"enum": list(names)},
        "label": {"type": "string"},
        "times": {"type": "number", "exclusiveMinimum": 0, "description": "How many times the budget it has."},
        "params": {"type": "object"},
        "pruner": _pruner(),
    }
    form = {**_closed("A strategy with a name of its own.", long), "required": ["strategy"]}
    return {"anyOf": [{"enum": list(names)}, _one_of(names), form]}


AXIS = _closed(
    "A range of numbers, or choices; perhaps only where other axes have certain values.",
    {
        "low": NUMBER,
        "high": NUMBER,
        "log": {"type": "boolean", "description": "Search evenly in the logarithm."},
        "step": NUMBER,
        "choices": SOME,
        "when": {"type": "object", "description": "Other axis and its value, or values, with which this applies."},
    },
)
OBJECTIVE: Schema = {
    "anyOf": [
        {"type": "string"},
        {
            **_closed(
                "A metric and which way is better.",
                {
                    "metric": {"type": "string"},
                    "goal": {"enum": ["maximize", "minimize"]},
                    "batch_size": {"type": "integer", "minimum": 1},
                },
            ),
            "required": ["metric"],
        },
    ]
}
BOUND = _closed("A bound.", {"at_most": NUMBER, "at_least": NUMBER, "batch_size": {"type": "integer", "minimum": 1}})
BUDGET = _closed(
    "Limits of a study: it ends at the first one.",
    {
        "trials": {"type": "integer", "minimum": 1, "description": "Distinct candidates."},
        "epochs": {**NUMBER, "description": "Passes over the training split, of all candidates together."},
        "seconds": {"type": ["number", "string"], "description": "Running time of all jobs together: 90s, 10m."},
        "flops": {**NUMBER, "description": "Operations of all trainings together."},
    },
)
SEEDS: Schema = {"anyOf": [{"type": "integer", "minimum": 1}, {**SOME, "items": {"type": "integer", "minimum": 0}}]}
