"""What is found out about a job before anything is spent on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlbench.catalog import Catalog
from dlbench.errors import UsageError
from dlbench.schema.job import Work
from dlbench.worker.check import check

MODEL = '''
"""A linear model."""
from torch import nn
from dlbench.schema.base import Params as Base
REVISION = 1
class Params(Base):
    """None."""
def accepts(signature):
    return True
class Linear(nn.Linear):
    def forward(self, batch):
        return super().forward(batch["vector"]){behind}
def build(params, signature):
    return Linear(signature.input.size, signature.output.classes{more})
'''


@pytest.fixture
def answer(make_work: Callable[..., Work], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """What a check says of a model of one's own."""

    def of(behind: str = "", more: str = "") -> dict[str, Any]:
        file = tmp_path / f"mine{len(list(tmp_path.iterdir()))}.py"
        file.write_text(MODEL.format(behind=behind, more=more))
        work = make_work(model=file.stem)
        plugins = {**work.plugins, "models": (*work.plugins["models"], str(file))}
        (found,) = check([work.model_copy(update={"plugins": plugins}).model_dump(mode="json")])
        return found

    return of


def test_a_model_that_fits_its_task(answer: Callable[..., dict[str, Any]]) -> None:
    found = answer()
    assert found["ok"]
    assert found["flops_per_sample"] == 2 * 8 * 3
    assert found["elements_per_sample"] == 3 + 8 + 2, "logits, and the batch that is moved: vector, target and index"
    assert found["scores"] == {"accuracy": "higher", "loss": "lower"}


@pytest.mark.parametrize(
    ("behind", "more", "shape"),
    [("", " + 1", "32 × 4"), (".sum(1)", "", "32"), (".unsqueeze(1)", "", "32 × 1 × 3")],
)
def test_logits_of_another_shape_are_refused(
    answer: Callable[..., dict[str, Any]], behind: str, more: str, shape: str
) -> None:
    found = answer(behind, more)
    assert found == {
        "ok": False,
        "status": "failed",
        "reason": f"its forward pass gives {shape} numbers, where batch × classes are asked for, 3 classes",
    }


def test_a_file_that_lacks_what_its_shelf_needs_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "half.py"
    file.write_text('"""Half a model."""\nREVISION = 1\n')
    with pytest.raises(UsageError, match=r"half.py: has no Params and no accepts and no build; a file in"):
        Catalog({"models": (str(file),)}).load("models", "half")
