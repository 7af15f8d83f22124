"""The suite that `dlbench init` writes: it runs as it is, in about a minute, and explains every key it uses."""

from dlbench.catalog import Catalog
from dlbench.errors import UsageError
from dlbench.plan.ask import Ask

MODELS = 3
"""Contenders in the suite; the others that fit are named in a comment."""

COLUMN = 30
"""Where comments begin."""

_TEXT = """\
# yaml-language-server: $schema={schema}
# The line above lets editors complete and check this file.
#   dlbench plan {path}                         what would run, and how long
#   dlbench run {path}                          run it, and write a report
#   dlbench run {path} seeds=5 train.lr=1e-3    the same with other values, just once

schema: 1
name: {name} ## names the report's folder and the MLflow experiment
description: Which of these should I use?

tasks: ## what is to be learned: `dlbench list tasks`
  - {task}:
      dataset: {dataset} ## its parameters: `dlbench show dataset {dataset}`
{datasets}
models: ## what is compared: `dlbench list models`
{models}
train: ## how each is trained; a task or a model may have its own
  steps: 300 ## or epochs, or seconds
  batch_size: 32
  optimizer: adamw
  lr: 2e-3
  # schedule: cosine ## how the learning rate falls
  # patience: 3 ## stop early: validations without a better score
  # target: 0.9 ## take the time until the validation score is reached

precision: fp32 ## or tf32, bf16, bf16_pure, fp16, fp8, int8 where the device can; auto: bf16 if it can
device: auto ## a GPU if there is one; or cpu, cuda, cuda:1

# vary: ## every combination of these becomes a contender
#   train.lr: [1e-3, 4e-3]
#   precision: [fp32, bf16]
# exclude: [{{model: {first}, precision: bf16}}]

# search: ## look for the best candidate instead; its winner is then trained beside the above
#   space: {{train.lr: {{low: 1e-4, high: 1e-1, log: true}}}}
#   strategy: tpe ## `dlbench list strategies`
#   budget: {{trials: 20}}

seeds: 2 ## how often each is trained; verdicts need 5
cost: ## speed and memory, measured apart; or false
  batch_sizes: [1, 32]
  rounds: 2
budget: 5m ## of the whole run: what does not fit is left out

report:
  baseline: {first} ## the others are compared with it
"""


def starter_suite(
    name: str, task: str, schema_path: str, catalog: Catalog, describe: Ask, path: str | None = None
) -> str:
    """The text of a suite to start from, on the task's built-in data.

    Args:
        name: of the suite: lower-case letters, digits, `_` and `-`.
        task: what to learn.
        schema_path: where the editor finds the schema, as seen from the suite.
        catalog: the shelves.
        describe: answers questions about them.
        path: where the suite will be, as a shell wants it; default: its name in the working folder.

    Raises:
        UsageError: there is no such task, it cannot be used, or no model can do it.
    """
    catalog.require("tasks", task)
    names = catalog.names("models")
    about_task = {"what": "module", "shelf": "tasks", "name": task, "plugins": catalog.plugins}
    pairs = [
        {
            "what": "pair",
            "task": {"name": task, "params": {}},
            "model": {"name": model, "preset": None, "params": {}},
            "plugins": catalog.plugins,
        }
        for model in names
    ]
    module, *answers = describe([about_task, *pairs])
    if "error" in module:
        raise UsageError(f"the task {task!r} cannot be used: {module['error']}")
    fitting = [model for model, answer in zip(names, answers, strict=True) if answer.get("accepts")]
    if not fitting:
        raise UsageError(f"no model can do {task}; `dlbench list models` shows all of them.")
    fitting.sort(key=lambda model: model != "linear")  # where it fits, the simplest baseline goes first
    first, others = fitting[0], fitting[MODELS:]
    models = [f"  - {model}" for model in fitting[:MODELS]]
    models += [f"  # - {model}" for model in others]
    models += [f"  # - {first}: {{preset: …}} ## presets and parameters: `dlbench show model {first}`"]
    models += [f"  # - {{model: {first}, label: mine, params: {{…}}, train: {{lr: 1e-2}}}}", ""]
    real = [f"      # dataset: [{', '.join(module['datasets'])}] ## the first that can be had"]
    text = _TEXT.format(
        schema=schema_path,
        name=name,
        path=path or f"{name}.yaml",
        task=task,
        dataset=module["datasets"][-1],
        datasets="\n".join([*(real if module["datasets"][1:] else []), ""]),
        models="\n".join(models),
        first=first,
    )
    return "\n".join(_aligned(line) for line in text.split("\n"))


def _aligned(line: str) -> str:
    code, mark, comment = line.partition(" ## ")
    return f"{code:<{COLUMN - 2}}  # {comment}" if mark else line
