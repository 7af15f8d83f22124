import pytest

from dlbench.plan.merge import default_label, train_settings
from dlbench.schema.suite import ModelEntry, Suite, TaskEntry


def test_suite_then_task_then_model() -> None:
    model = ModelEntry(name="net", train={"lr": 3, "seconds": 9})
    task = TaskEntry(name="sorting", train={"steps": 5, "lr": 2, "warmup": 2})
    suite = Suite(name="s", tasks=(task,), models=(model,), train={"epochs": 4, "lr": 1, "momentum": 0.5})
    assert train_settings(suite, task, model) == {"momentum": 0.5, "warmup": 2, "lr": 3, "seconds": 9}
    assert train_settings(suite, task, ModelEntry(name="net")) == {"momentum": 0.5, "warmup": 2, "lr": 2, "steps": 5}


def test_an_empty_budget_replaces_nothing() -> None:
    task = TaskEntry(name="sorting", train={"steps": None})
    suite = Suite(name="s", tasks=(task,), train={"epochs": 4})
    assert train_settings(suite, task, ModelEntry(name="net")) == {"epochs": 4, "steps": None}


@pytest.mark.parametrize(
    ("name", "preset", "label"),
    [("lstm", None, "lstm"), ("resnet", "resnet50", "resnet50"), ("transformer", "small", "transformer-small")],
)
def test_label(name: str, preset: str | None, label: str) -> None:
    assert default_label(name, preset) == label
