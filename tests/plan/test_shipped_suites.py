"""Every suite in `suites/` can be read, and editors agree."""

from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from dlbench.catalog import Catalog
from dlbench.plan.jsonschema import suite_schema
from dlbench.plan.load import load_suite
from dlbench.plan.starter import starter_suite
from dlbench.worker.describe import describe

SUITES = sorted((Path(__file__).parents[2] / "suites").glob("*.yaml"))


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_shipped_suite_is_right(path: Path) -> None:
    suite = load_suite(path, [], describe)
    assert suite.name == path.stem
    assert suite.description


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_shipped_suite_follows_the_schema(path: Path) -> None:
    schema = suite_schema(Catalog(), describe)
    errors = jsonschema.Draft202012Validator(schema).iter_errors(YAML(typ="safe", pure=True).load(path.read_text()))
    assert [error.json_path for error in errors] == []
    assert path.read_text().startswith("# yaml-language-server: $schema=")


@pytest.mark.parametrize("task", Catalog().names("tasks"))
def test_starter_of_every_task_is_right(task: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(starter_suite("mine", task, "schema.json", Catalog(), describe))
    suite = load_suite(tmp_path / "mine.yaml", [], describe)
    (dataset,) = describe([{"what": "module", "shelf": "datasets", "name": suite.tasks[0].dataset[0].name}])
    assert dataset["files"] == []  # built in
