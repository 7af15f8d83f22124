from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_describe import PLUGINS, FakeDescribe, make_files

from dlbench.errors import SuiteError
from dlbench.plan.load import load_suite
from dlbench.schema.suite import Suite

TEXT = """\
name: s
tasks:
  - sorting: {dataset: [words, digits]}
models:
  - net
  - wide: {layers: 2}
  - {model: attention, label: att, vary: {heads: [2, 4]}}
train: {epochs: 4, lr: 1e-3}
exclude: [{model: wide, precision: fp32}]
report: {baseline: net}
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Suite]:
    make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(TEXT + PLUGINS)
    return lambda *overrides: load_suite(Path("s.yaml"), overrides, FakeDescribe())


@pytest.mark.parametrize(
    ("override", "look", "value"),
    [
        ("seeds=2", lambda s: s.seeds, (0, 1)),
        ("train.epochs=1", lambda s: s.train, {"epochs": 1, "lr": 0.001}),
        ("train.lr=1e-4", lambda s: s.train["lr"], 0.0001),
        ("precision=bf16", lambda s: s.precision, "bf16"),
        ("budget=10m", lambda s: s.budget_s, 600),
        ("cost=false", lambda s: s.cost, None),
        ("cost.rounds=7", lambda s: s.cost.rounds, 7),
        ("description=", lambda s: s.description, ""),
        ("description=a=b", lambda s: s.description, "a=b"),
        ("models=[wide]", lambda s: ([m.label for m in s.models], s.report.baseline), (["wide"], None)),
        ("models.0.train.lr=3", lambda s: s.models[0].train, {"lr": 3}),
        ("models.net.params.layers=3", lambda s: s.models[0].params, {"layers": 3}),
        ("models.net.layers=3", lambda s: s.models[0].params, {"layers": 3}),
        ("models.wide.hidden_size=3", lambda s: s.models[1].params, {"layers": 2, "hidden_size": 3}),
        ("models.net.preset=small", lambda s: (s.models[0].label, s.models[0].preset), ("net-small", "small")),
        ("models.att.vary.heads=[8]", lambda s: s.models[2].vary, {"model.heads": (8,)}),
        ("models.attention.label=b", lambda s: s.models[2].label, "b"),
        ("tasks.sorting.dataset=digits", lambda s: [d.name for d in s.tasks[0].dataset], ["digits"]),
        ("tasks.0.dataset.digits.length=9", lambda s: s.tasks[0].dataset[1].params, {"length": 9}),
        ("tasks.sorting.params.max_length=9", lambda s: s.tasks[0].params, {"max_length": 9}),
        ("vary.train.lr=[1, 2]", lambda s: s.vary, {"train.lr": (1, 2)}),
        ("exclude.0.model=net", lambda s: s.exclude, ({"model": "net", "precision": "fp32"},)),
        ("report.baseline=att", lambda s: s.report.baseline, "att"),
    ],
)
def test_override(load: Callable[..., Suite], override: str, look: Any, value: Any) -> None:
    assert look(load(override)) == value


def test_later_overrides_go_over_earlier_ones(load: Callable[..., Suite]) -> None:
    assert load("models=[net]", "models.net.layers=2", "models.net.layers=3").models[0].params == {"layers": 3}


def test_an_override_leaves_the_other_uses_of_an_alias_alone(tmp_path: Path) -> None:
    make_files(tmp_path)
    text = "name: s\ntasks: [sorting]\nmodels: [{model: net, train: &t {lr: 1}}, {model: wide, train: *t}]\n"
    (tmp_path / "s.yaml").write_text(text + PLUGINS)
    suite = load_suite(tmp_path / "s.yaml", ["models.net.train.lr=2"], FakeDescribe())
    assert [model.train["lr"] for model in suite.models] == [2, 1]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=1", "override 'train.epoch=1' train: there is no setting 'epoch'. Did you mean 'epochs'?"),
        ("sedes=1", "override 'sedes=1' there is no key 'sedes'. Did you mean 'seeds'?"),
        ("seeds", "override 'seeds' must look like key.path=value, such as train.epochs=1."),
        ("train..lr=1", "override 'train..lr=1' must look like key.path=value, such as train.epochs=1."),
        (
            "models.nett.layers=1",
            "override 'models.nett.layers=1' models has no item 'nett'. Did you mean 'net'?",
        ),
        ("models.7.label=a", "override 'models.7.label=a' models has no item 7; it has 3, counted from 0."),
        ("name.x=1", "override 'name.x=1' name is 's', there is nothing below it to set."),
        (
            "models.net.layer=1",
            "override 'models.net.layer=1' models[0].params: net has no parameter 'layer'. Did you mean 'layers'?",
        ),
        (
            "models=[nett]",
            "override 'models=[nett]' models[0]: there is no model 'nett'. Did you mean 'net' or 'resnet'?",
        ),
        ("train.lr=[", "override 'train.lr=[' not valid YAML: expected the node content, but found '<stream end>'"),
        ("train.seconds=5", "override 'train.seconds=5' train.seconds: epochs and seconds are both given; training "),
        (
            "report.baseline=nobody",
            "override 'report.baseline=nobody' report.baseline: no model of this suite is called",
        ),
    ],
)
def test_wrong_override(load: Callable[..., Suite], override: str, message: str) -> None:
    with pytest.raises(SuiteError) as error:
        load(override)
    assert str(error.value).split("\n")[0].startswith(message)
