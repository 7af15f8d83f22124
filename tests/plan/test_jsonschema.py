"""The schema for editors, checked with an independent validator against what reading accepts and refuses."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fake_describe import PLUGINS, SHELF, FakeDescribe, make_files
from ruamel.yaml import YAML

from dlbench.catalog import Catalog
from dlbench.errors import UsageError
from dlbench.plan.jsonschema import suite_schema
from dlbench.plan.load import load_suite
from dlbench.plan.starter import starter_suite


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    make_files(tmp_path)
    shelves = dict.fromkeys(shelf for shelf, _ in SHELF)
    catalog = Catalog({shelf: [str(tmp_path / f"{n}.py") for s, n in SHELF if s == shelf] for shelf in shelves})
    for shelf in shelves:  # only the shelf of the tests, whatever dlbench itself holds
        catalog._files[shelf] = {name: tmp_path / f"{name}.py" for own, name in SHELF if own == shelf}
    return catalog


@pytest.fixture
def errors(catalog: Catalog) -> Any:
    schema = suite_schema(catalog, FakeDescribe())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    return lambda text: list(validator.iter_errors(YAML(typ="safe", pure=True).load(text)))


HEAD = "name: s\ntasks: [sorting]\n"
GOOD = {
    "short": HEAD + "models: [net, {net: {preset: net2, layers: 2}}, {wide: }, {attention: {positions: none}}]",
    "long": HEAD
    + "models: [{model: net, label: a, preset: net2, params: {layers: 2}, vary: {layers: [1]}, train: {lr: 1}}]",
    "tasks": "name: s\ntasks: [{sorting: {dataset: [words, {digits: {length: 5}}], params: {max_length: 3}, "
    "models: [net], train: {steps: 1}}}]",
    "long task": "name: s\ntasks: [{task: sorting, dataset: {dataset: digits, params: {length: 5}}, "
    "params: {max_length: 3}, models: [net], train: {steps: 1}}]",
    "one dataset": "name: s\ntasks: [{sorting: {dataset: {digits: {length: 5}}}}]\nmodels: [net]",
    "rest": HEAD + "models: [net]\nschema: 1\ndescription: d\ntrain: {epochs: 0.5, betas: [0.9, 0.99], target: null}\n"
    "precision: bf16\ndevice: cuda:0\nvary: {train.lr: [1e-3], model.layers: [1], precision: [fp32], "
    "task.max_length: [9]}\n"
    "exclude: [{model: net}]\nseeds: [1, 2]\ncost: {batch_sizes: [1]}\nbudget: 1h30m\ntimeout: 60\nsearch: {}\n"
    "report: {baseline: net}",
    "no cost": HEAD + "models: [net]\ncost: false\nseeds: 3\nbudget: 2.5",
}
BAD = {
    "key": HEAD + "modles: [net]",
    "no name": "tasks: [sorting]\nmodels: [net]",
    "model": HEAD + "models: [nett]",
    "parameter": HEAD + "models: [{net: {layer: 2}}]",
    "value": HEAD + "models: [{net: {layers: 0}}]",
    "preset": HEAD + "models: [{net: {preset: big}}]",
    "long parameter": HEAD + "models: [{model: net, params: {heads: 2}}]",
    "long preset": HEAD + "models: [{model: net, preset: big}]",
    "two in one": HEAD + "models: [{net: {}, wide: {}}]",
    "long task's dataset": "name: s\ntasks: [{task: sorting, dataset: {dataset: shapes}}]\nmodels: [net]",
    "long task's parameter": "name: s\ntasks: [{task: sorting, params: {max_lenth: 3}}]\nmodels: [net]",
    "dataset of another task": "name: s\ntasks: [{sorting: {dataset: shapes}}]\nmodels: [net]",
    "setting": HEAD + "models: [net]\ntrain: {epoch: 1}",
    "vary": HEAD + "models: [net]\nvary: {lr: [1]}",
    "vary value": HEAD + "models: [net]\nvary: {train.lr: [-1]}",
    "seeds": HEAD + "models: [net]\nseeds: -1",
    "budget": HEAD + "models: [net]\nbudget: ten minutes",
    "device": HEAD + "models: [net]\ndevice: gpu",
    "format": HEAD + "models: [net]\nschema: 2",
    "broken model": HEAD + "models: [broken]",
}


@pytest.mark.parametrize("case", GOOD)
def test_schema_takes_what_reading_takes(errors: Any, tmp_path: Path, case: str) -> None:
    (tmp_path / "s.yaml").write_text(f"{GOOD[case]}\n{PLUGINS}")
    load_suite(tmp_path / "s.yaml", [], FakeDescribe())
    assert errors(GOOD[case]) == []


@pytest.mark.parametrize("case", BAD)
def test_schema_refuses_what_reading_refuses(errors: Any, tmp_path: Path, case: str) -> None:
    (tmp_path / "s.yaml").write_text(f"{BAD[case]}\n{PLUGINS}")
    with pytest.raises(UsageError):
        load_suite(tmp_path / "s.yaml", [], FakeDescribe())
    assert errors(BAD[case])


def test_everything_has_a_description(catalog: Catalog) -> None:
    schema = suite_schema(catalog, FakeDescribe())
    blocks = [schema["properties"], schema["$defs"]["train"]["properties"]]
    for block in blocks:
        for key, value in block.items():
            assert value.get("description") or "$ref" in value, key
    assert schema["$defs"]["model.net"]["description"] == "The net of the models."


def test_starter_is_a_suite_that_explains_itself(errors: Any, catalog: Catalog, tmp_path: Path) -> None:
    text = starter_suite("first", "sorting", ".dlbench/suite.schema.json", catalog, FakeDescribe())
    assert text.startswith("# yaml-language-server: $schema=.dlbench/suite.schema.json\n")
    assert errors(text) == []
    (tmp_path / "first.yaml").write_text(text + PLUGINS)
    suite = load_suite(tmp_path / "first.yaml", [], FakeDescribe())
    assert suite.name == "first"
    assert [task.dataset[0].name for task in suite.tasks] == ["digits"]  # the last of the list is built in
    assert len(suite.models) == 3
    assert suite.report.baseline == suite.models[0].label
    keys = [line for line in text.split("\n") if line and line[0].isalpha()]
    assert len([line for line in keys if "#" in line]) >= len(keys) - 3


def test_starter_without_comments_marks_is_a_suite_too(errors: Any, catalog: Catalog, tmp_path: Path) -> None:
    text = starter_suite("first", "sorting", "x.json", catalog, FakeDescribe())
    for commented in ("# vary:", "#   train.lr:", "#   precision:", "# exclude:", "  # schedule:", "  # patience:"):
        assert commented in text
        text = text.replace(commented, commented.replace("# ", "", 1) if commented[0] == " " else commented[2:])
    (tmp_path / "first.yaml").write_text(text + PLUGINS)
    suite = load_suite(tmp_path / "first.yaml", [], FakeDescribe())
    assert suite.vary["precision"] == ("fp32", "bf16")
    assert errors(text) == []


def test_starter_for_an_unknown_task(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"there is no task 'sortin'. Did you mean 'sorting'\?"):
        starter_suite("s", "sortin", "x.json", catalog, FakeDescribe())
