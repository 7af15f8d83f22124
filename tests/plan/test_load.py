import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_describe import PLUGINS, FakeDescribe, make_files

from dlbench.errors import SuiteError
from dlbench.plan.load import load_suite
from dlbench.schema.search import Objective
from dlbench.schema.suite import CostSettings, DatasetEntry, ModelEntry, Suite, TaskEntry

Load = Callable[..., Suite]
HEAD = "name: s\ntasks: [sorting]\n"
OK = "name: s\ntasks: [sorting]\nmodels: [net]\n"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    make_files(tmp_path)
    monkeypatch.chdir(tmp_path)

    def load(text: str, *overrides: str, plugins: str = PLUGINS) -> Suite:
        Path("s.yaml").write_text(text + plugins)
        return load_suite(Path("s.yaml"), overrides, FakeDescribe())

    return load


def problems(load: Load, text: str, *overrides: str, plugins: str = PLUGINS) -> list[str]:
    with pytest.raises(SuiteError) as error:
        load(text, *overrides, plugins=plugins)
    assert error.value.exit_code == 2
    return str(error.value).split("\n")


def test_everything_in_its_long_form(load: Load, tmp_path: Path) -> None:
    suite = load(
        """\
schema: 1
name: everything
description: All of it?
tasks:
  - sorting:
      dataset: [words, {digits: {length: 10}}]
      params: {max_length: 32}
      models: [attention, {model: net, label: mine}]
      train: {steps: 10}
  - drawing: {dataset: shapes, models: [painter]}
models:
  - wide
  - net: {preset: net2, hidden_size: 128}
  - net: {preset: small}
  - model: attention
    label: att
    params: {heads: 2}
    vary: {heads: [2, 4], train.lr: [1e-3]}
    train: {lr: 1e-3}
train: {epochs: 4, lr: 2e-3, betas: [0.9, 0.95]}
precision: bf16
device: cuda:1
vary: {train.lr: [3e-4, 1e-3], precision: [fp32, bf16], task.max_length: [10, 20]}
exclude: [{model: mine, precision: bf16}, {model: net, train.lr: 1e-3}]
seeds: [3, 5]
cost: {batch_sizes: [8], phases: [infer], rounds: 2}
budget: 1h30m
timeout: 90
search: {budget: {trials: 5}, seeds: 2, objectives: [val_loss]}
report: {baseline: mine}
"""
    )
    assert suite.name == "everything"
    assert suite.description == "All of it?"
    sorting, drawing = suite.tasks
    assert sorting == TaskEntry(
        name="sorting",
        dataset=(DatasetEntry(name="words"), DatasetEntry(name="digits", params={"length": 10})),
        params={"max_length": 32},
        models=(ModelEntry(name="attention", label="attention"), ModelEntry(name="net", label="mine")),
        train={"steps": 10},
    )
    assert drawing.dataset == (DatasetEntry(name="shapes"),)
    assert suite.models == (
        ModelEntry(name="wide", label="wide"),
        ModelEntry(name="net", label="net2", preset="net2", params={"hidden_size": 128}),
        ModelEntry(name="net", label="net-small", preset="small"),
        ModelEntry(
            name="attention",
            label="att",
            params={"heads": 2},
            vary={"model.heads": (2, 4), "train.lr": (0.001,)},
            train={"lr": 0.001},
        ),
    )
    assert suite.train == {"epochs": 4, "lr": 0.002, "betas": [0.9, 0.95]}
    assert suite.vary["precision"] == ("fp32", "bf16")
    assert suite.exclude == ({"model": "mine", "precision": "bf16"}, {"model": "net", "train.lr": 0.001})
    assert suite.seeds == (3, 5)
    assert suite.cost == CostSettings(batch_sizes=(8,), phases=("infer",), rounds=2)
    assert (suite.budget_s, suite.timeout_s) == (5400, 90)
    assert suite.search is not None
    assert (suite.search.budget.trials, suite.search.seeds) == (5, (1000, 1001))
    assert suite.search.objectives == (Objective(metric="val_loss", better="lower"),)
    assert suite.plugins["tasks"] == (str(tmp_path / "sorting.py"), str(tmp_path / "drawing.py"))
    assert suite.report.baseline == "mine"


def test_the_shortest_suite(load: Load) -> None:
    suite = load("name: s\ntasks: [sorting]\nmodels: [net]\n")
    assert suite.seeds == (0,)
    assert suite.cost == CostSettings()
    assert suite.device == "auto"


@pytest.mark.parametrize(
    ("text", "cost"), [("cost: false\n", None), ("cost: true\n", CostSettings()), ("cost:\n", CostSettings())]
)
def test_cost_is_a_switch_too(load: Load, text: str, cost: CostSettings | None) -> None:
    assert load(OK + text).cost == cost


def test_merge_keys_and_aliases(load: Load) -> None:
    suite = load(
        "name: s\ntasks: [sorting]\nmodels:\n"
        "  - model: net\n    train: &fast {epochs: 1, lr: 1e-2}\n"
        "  - model: wide\n    train: {<<: *fast, lr: 1e-3}\n"
    )
    assert [model.train for model in suite.models] == [{"epochs": 1, "lr": 0.01}, {"lr": 0.001, "epochs": 1}]


def test_settings_that_fit_once_they_are_merged_or_excluded(load: Load) -> None:
    assert load(HEAD + "models: [{model: net, train: {optimizer: sgd}}]\ntrain: {nesterov: true}\n")
    vary = "vary: {train.optimizer: [sgd, adam], train.nesterov: [false, true]}\n"
    assert load(OK + vary + "exclude: [{train.optimizer: adam, train.nesterov: true}]\n")


def test_at_most_three_questions(load: Load, tmp_path: Path) -> None:
    Path("s.yaml").write_text(f"{OK}vary: {{model.layers: [1, 2], dataset.length: [5, 6]}}\nseeds: 2\n{PLUGINS}")
    describe = FakeDescribe()
    load_suite(Path("s.yaml"), [], describe)
    assert len(describe.calls) == 3


def test_all_problems_at_once_in_file_order(load: Load) -> None:
    assert problems(load, "nmae: s\ntasks: [sortin]\nmodels: [net, nett]\nseeds: none\n") == [
        "s.yaml:1:1 there is no key 'nmae'. Did you mean 'name'?",
        "s.yaml:1:1 a suite needs `name:`.",
        "s.yaml:2:9 tasks[0]: there is no task 'sortin'. Did you mean 'sorting'?",
        "s.yaml:3:15 models[1]: there is no model 'nett'. Did you mean 'net' or 'resnet'?",
        "s.yaml:4:1 seeds: must be a number of seeds, such as 5, or a list of them, such as [0, 1, 2], not 'none'.",
        "`dlbench list tasks` shows all of them.",
        "`dlbench list models` shows all of them.",
    ]


WRONG = {
    # what is no YAML, or beyond the limits
    "syntax": ("name: s: t\n", "s.yaml:1:8 not valid YAML: mapping values are not allowed here."),
    "tab": (
        "name: s\ntrain:\n\tlr: 1\n",
        "s.yaml:3:1 not valid YAML: a tab stands here; YAML is indented with spaces.",
    ),
    "twice": (OK + "name: t\n", "s.yaml:4:1 the key 'name' is given twice; the first is at s.yaml:1:1."),
    "number as key": ("1: s\n", "s.yaml:1:1 a key must be text, not 1."),
    "list as key": ("? [a]\n: s\n", "s.yaml:1:3 a key must be text, not a list."),
    "tag": ("name: !!python/name:os.system s\n", "s.yaml:1:7 a tag (`!…`) stands here; suites have none."),
    "two documents": ("name: s\n---\n", "s.yaml:2:1 a second document begins here; a suite is one document."),
    "unknown alias": ("name: *s\n", "s.yaml:1:7 there is no anchor '&s' before this alias."),
    "endless alias": ("name: &s [*s]\n", "s.yaml:1:11 the alias '*s' stands inside of what it repeats."),
    "nan": (OK + "train: {lr: .nan}\n", "s.yaml:4:13 .nan is not a finite number."),
    "infinite": (OK + "train: {lr: 1e999}\n", "s.yaml:4:13 1e999 is not a finite number."),
    "control character": ("name: \x07\n", "s.yaml:1:7 not valid YAML: a control character stands here."),
    # the grammar
    "format": (OK + "schema: 2\n", "s.yaml:4:1 schema: must be 1, the only format there is, not 2."),
    "name": (
        "name: My Suite\ntasks: [sorting]\nmodels: [net]\n",
        "s.yaml:1:1 name: must be lower-case letters, digits, `_` and `-`, at most 80, not 'My Suite'.",
    ),
    "no list": (
        "name: s\ntasks: sorting\nmodels: [net]\n",
        "s.yaml:2:1 tasks: must be a list (`[a, b]`, or lines that begin with `- `), not 'sorting'.",
    ),
    "empty list": (HEAD + "models: []\n", "s.yaml:3:1 models: the list is empty; it needs at least one item."),
    "no models": (HEAD, "s.yaml:1:1 a suite needs `models:`, of its own or in each of its tasks."),
    "model without mapping": (
        HEAD + "models: [{net: 128}]\n",
        "s.yaml:3:10 models[0]: must be a name, `name: {parameter: value}`, or `model: name` with label, preset, "
        "params, vary and train, not 'net' with 128 below it.",
    ),
    "long form misspelt": (
        HEAD + "models: [{modle: net, label: a}]\n",
        "s.yaml:3:10 models[0]: a model is a name, `name: {parameter: value}`, or `model: name` with label, preset, "
        "params, vary and train. Did you mean 'model' by 'modle'?",
    ),
    "unknown key of a model": (
        HEAD + "models: [{model: net, lable: a}]\n",
        "s.yaml:3:23 models[0]: there is no key 'lable'. Did you mean 'label'?",
    ),
    "model is a number": (
        HEAD + "models: [3]\n",
        "s.yaml:3:10 models[0]: must be a name, `name: {parameter: value}`, or `model: name` with label, preset, "
        "params, vary and train, not 3.",
    ),
    "two labels": (
        HEAD + "models: [net, {net: {layers: 2}}]\n",
        "s.yaml:3:15 models[1]: two models are called 'net', this one and models[0]; give one a `label:`.",
    ),
    "task twice": (
        "name: s\ntasks: [sorting, sorting]\nmodels: [net]\n",
        "s.yaml:2:18 tasks[1]: says the same as tasks[0].",
    ),
    "unknown setting": (
        OK + "train: {epoch: 3}\n",
        "s.yaml:4:9 train: there is no setting 'epoch'. Did you mean 'epochs'?",
    ),
    "text for a number": (OK + 'train: {lr: "1e-3"}\n', "s.yaml:4:9 train.lr: must be a number, not '1e-3'."),
    "fraction for a whole": (OK + "train: {steps: 1.5}\n", "s.yaml:4:9 train.steps: must be a whole number, not 1.5."),
    "no is text": (OK + "train: {nesterov: no}\n", "s.yaml:4:9 train.nesterov: must be true or false, not 'no'."),
    "choice": (
        OK + "train: {optimizer: admw}\n",
        "s.yaml:4:9 train.optimizer: must be 'sgd', 'adam', 'adamw' or 'muon', not 'admw'. "
        "Did you mean 'adamw' or 'adam'?",
    ),
    "limit": (OK + "train: {lr: -1}\n", "s.yaml:4:9 train.lr: must be more than 0, not -1."),
    "item of a list": (
        OK + "train: {betas: [0.9, 1.0]}\n",
        "s.yaml:4:22 train.betas[1]: must be less than 1, not 1.0.",
    ),
    "two budgets": (
        OK + "train: {epochs: 3, steps: 100}\n",
        "s.yaml:4:20 train.steps: epochs and steps are both given; training has one budget.",
    ),
    "settings together": (
        HEAD + "models: [net, {model: wide, train: {nesterov: true}}]\ntrain: {optimizer: adam}\n",
        "s.yaml:3:15 models[1]: training on sorting: nesterov needs optimizer: sgd with momentum above 0.",
    ),
    "varied settings together": (
        OK + "vary: {train.optimizer: [sgd, adam], train.nesterov: [false, true]}\n",
        's.yaml:3:10 models[0]: training on sorting, train.optimizer="adam", train.nesterov=true: nesterov needs '
        "optimizer: sgd with momentum above 0.",
    ),
    "precision": (
        OK + "precision: fp23\n",
        "s.yaml:4:1 precision: must be 'fp32', 'tf32', 'bf16', 'fp16', 'bf16_pure', 'fp8', 'fp8_emulated', 'int8' or "
        "'auto', not 'fp23'. Did you mean 'fp32'?",
    ),
    "precision varied by itself": (
        OK + "vary: {precision: [auto]}\n",
        "s.yaml:4:20 vary.precision[0]: `auto` is bf16 or fp32, as the device has it: name those that are to be "
        "compared.",
    ),
    "precision that auto never is": (
        OK + "precision: auto\nexclude: [{precision: fp16}]\n",
        "s.yaml:5:12 exclude[0].precision: no job of this suite has the precision 'fp16'. Did you mean 'bf16'?",
    ),
    "device": (OK + "device: gpu\n", "s.yaml:4:1 device: must be auto, cpu, cuda or cuda:N, not 'gpu'."),
    "budget": (
        OK + "budget: 10 parsecs\n",
        "s.yaml:4:1 budget: must be a time such as 90s, 10m or 2h, or a number of seconds, not '10 parsecs'.",
    ),
    "cost": (OK + "cost: {rounds: 0}\n", "s.yaml:4:8 cost.rounds: must be more than 0, not 0."),
    "batch sizes": (OK + "cost: {batch_sizes: [8, 8]}\n", "s.yaml:4:25 cost.batch_sizes[1]: 8 is listed twice."),
    "no phase": (OK + "cost: {phases: []}\n", "s.yaml:4:8 cost.phases: needs at least 1 item."),
    "phase": (
        OK + "cost: {phases: [trian]}\n",
        "s.yaml:4:17 cost.phases[0]: must be 'train', 'infer', 'decode' or 'sample', not 'trian'. "
        "Did you mean 'train'?",
    ),
    "seeds": (OK + "seeds: [1, 1]\n", "s.yaml:4:12 seeds[1]: 1 is listed twice."),
    "search": (OK + "search: [lr]\n", "s.yaml:4:1 search: must be a mapping (`key: value`), not a list."),
    # the shelves
    "unknown dataset": (
        "name: s\ntasks: [{sorting: {dataset: digit}}]\nmodels: [net]\n",
        "s.yaml:2:29 tasks[0].dataset[0]: there is no dataset 'digit'. Did you mean 'digits'?",
    ),
    "dataset of another task": (
        "name: s\ntasks: [{sorting: {dataset: shapes}}]\nmodels: [net]\n",
        "s.yaml:2:29 tasks[0].dataset[0]: the dataset 'shapes' is not for sorting; by default that uses words, digits.",
    ),
    "broken plugin": (
        HEAD + "models: [broken]\n",
        "s.yaml:3:10 models[0]: the model 'broken' cannot be used: ImportError: no module named 'nothing' in line 3",
    ),
    "unknown parameter": (
        HEAD + "models: [{net: {hiden_size: 8}}]\n",
        "s.yaml:3:17 models[0].params: net has no parameter 'hiden_size'. Did you mean 'hidden_size'?",
    ),
    "parameter of a model": (
        HEAD + "models: [{model: net, params: {layers: many}}]\n",
        "s.yaml:3:32 models[0].params.layers: must be a whole number, not 'many'.",
    ),
    "parameter of a dataset": (
        "name: s\ntasks: [{sorting: {dataset: {digits: {length: 1}}}}]\nmodels: [net]\n",
        "s.yaml:2:39 tasks[0].dataset[0].params.length: must be at least 2, not 1.",
    ),
    "parameter of a task": (
        "name: s\ntasks: [{sorting: {params: {max_length: 0}}}]\nmodels: [net]\n",
        "s.yaml:2:29 tasks[0].params.max_length: must be at least 1, not 0.",
    ),
    "choice of a parameter": (
        HEAD + "models: [{net: {pooling: men}}]\n",
        "s.yaml:3:17 models[0].params.pooling: must be 'last', 'mean' or 'max', not 'men'. Did you mean 'mean'?",
    ),
    "one of two types": (
        HEAD + "models: [{attention: {positions: [1]}}]\n",
        "s.yaml:3:23 models[0].params.positions: must be a whole number or 'none', not a list.",
    ),
    "parameters together": (
        HEAD + "models: [{attention: {heads: 3}}]\n",
        "s.yaml:3:11 models[0].params: heads (3) must divide size (64).",
    ),
    "preset": (
        HEAD + "models: [{net: {preset: net3}}]\n",
        "s.yaml:3:17 models[0].preset: the model 'net' has no preset 'net3'. Did you mean 'net2'?",
    ),
    "no presets": (
        HEAD + "models: [{wide: {preset: big}}]\n",
        "s.yaml:3:18 models[0].preset: the model 'wide' has no preset 'big'. It has: none.",
    ),
    "impossible pair": (
        HEAD + "models: [net, painter]\n",
        "s.yaml:3:15 models[1]: the model 'painter' cannot do sorting (tokens → tokens).",
    ),
    # what varies, and what is left out
    "vary without prefix": (
        OK + "vary: {lr: [1]}\n",
        "s.yaml:4:8 vary.lr: 'lr' cannot vary by this name. Did you mean 'train.lr'?",
    ),
    "vary nothing known": (
        OK + "vary: {layers: [1]}\n",
        "s.yaml:4:8 vary.layers: 'layers' cannot vary; train.*, model.*, task.*, dataset.*, precision and device can. "
        "Did you mean 'model.layers'?",
    ),
    "vary a setting": (
        OK + "vary: {train.lrr: [1]}\n",
        "s.yaml:4:8 vary: there is no setting 'train.lrr'. Did you mean 'train.lr' or 'train.lr_decay'?",
    ),
    "vary a value": (OK + "vary: {train.lr: [1, 0]}\n", "s.yaml:4:22 vary.train.lr[1]: must be more than 0, not 0."),
    "vary no list": (
        OK + "vary: {train.lr: 1}\n",
        "s.yaml:4:8 vary.train.lr: must be a list (`[a, b]`, or lines that begin with `- `), not 1.",
    ),
    "vary twice": (OK + "vary: {train.lr: [1, 1]}\n", "s.yaml:4:22 vary.train.lr[1]: 1 is listed twice."),
    "vary a parameter": (
        OK + "vary: {model.layer: [1]}\n",
        "s.yaml:4:8 vary: no model of this suite has the parameter 'model.layer'. Did you mean 'model.layers'?",
    ),
    "vary a parameter's value": (
        OK + "vary: {model.layers: [1, 9]}\n",
        "s.yaml:4:26 vary.model.layers[1]: for net: must be at most 8, not 9.",
    ),
    "vary what does not fit": (
        HEAD + "models: [{model: attention, vary: {heads: [2, 3]}}]\n",
        "s.yaml:3:47 models[0].vary.model.heads[1]: for attention: heads (3) must divide size (64).",
    ),
    "vary a dataset": (
        OK + "vary: {dataset.lenth: [1]}\n",
        "s.yaml:4:8 vary: no dataset of this suite has the parameter 'dataset.lenth'. "
        "Did you mean 'dataset.length' or 'dataset.seed'?",
    ),
    "exclude an unknown key": (
        OK + "exclude: [{modle: net}]\n",
        "s.yaml:4:12 exclude[0]: nothing is excluded by 'modle'. Did you mean 'model'?",
    ),
    "exclude nobody": (
        OK + "exclude: [{model: nett}]\n",
        "s.yaml:4:12 exclude[0].model: no job of this suite has the model 'nett'. Did you mean 'net'?",
    ),
    "exclude no combination": (
        HEAD + "models: [net, {model: wide, vary: {layers: [1, 2]}}]\nexclude: [{model: net, model.layers: 2}]\n",
        "s.yaml:4:11 exclude[0]: no job of this suite is all of this at once, so nothing is excluded.",
    ),
    "exclude everything": (OK + "exclude: [{}]\n", "s.yaml:4:11 exclude[0]: is empty, which would exclude everything."),
    "baseline": (
        OK + "report: {baseline: nt}\n",
        "s.yaml:4:10 report.baseline: no model of this suite is called 'nt'. Did you mean 'net'?",
    ),
    # what is too much
    "seeds beyond": (
        OK + "seeds: 1000000000000\n",
        "s.yaml:4:1 seeds: 1000000000000 seeds are more than 100,000, the most that a suite can have.",
    ),
    "grid": (
        OK + f"vary: {{train.lr: {list(range(1, 501))}, train.batch_size: {list(range(1, 501))}}}\nseeds: 5\n",
        "s.yaml:4:1 vary: 250,000 settings (up to 250,000 of each of 1 pair of task and model) × 5 seeds = 1,250,000 "
        "train jobs, more than 100,000, the most that a suite can have.",
    ),
    "cost grid": (
        OK + f"cost: {{batch_sizes: {[1 + i for i in range(500)]}, rounds: 1000}}\n",
        "s.yaml:4:1 cost: 1 setting × 500 batch sizes × 1,000 rounds = 500,000 cost jobs, more than 100,000, the most "
        "that a suite can have.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_suite(load: Load, case: str) -> None:
    text, message = WRONG[case]
    lines = problems(load, text)
    found = [line for line in lines if not line.startswith("`")]
    assert found == [message]


PLUGIN_PROBLEMS = {
    "shelf": ("plugins: {model: [a.py]}\n", "s.yaml:4:11 plugins: there is no key 'model'. Did you mean 'models'?"),
    "missing": ("plugins: {models: [sub/a.py]}\n", "s.yaml:4:20 plugins.models[0]: there is no file 'sub/a.py'."),
    "not python": (
        "plugins: {models: [s.yaml]}\n",
        "s.yaml:4:20 plugins.models[0]: 's.yaml' is not a Python file (*.py).",
    ),
    "number": ("plugins: {models: [3]}\n", "s.yaml:4:20 plugins.models[0]: must be the path of a Python file, not 3."),
}


@pytest.mark.parametrize("case", PLUGIN_PROBLEMS)
def test_wrong_plugins(load: Load, case: str) -> None:
    plugins, message = PLUGIN_PROBLEMS[case]
    assert message in problems(load, OK, plugins=plugins)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def message(path: str) -> str:
        with pytest.raises(SuiteError) as error:
            load_suite(Path(path), [], FakeDescribe())
        return str(error.value)

    Path("suites").mkdir()
    Path("suites/cifar.yaml").touch()
    Path("latin.yaml").write_bytes(b"name: caf\xe9\n")
    Path("large.yaml").write_text("# " + "x" * 2**20)
    Path("comment.yaml").write_text("# nothing\n")
    assert message("suites/cifr.yaml") == ("suites/cifr.yaml: there is no such file. Did you mean 'suites/cifar.yaml'?")
    assert message("suites") == "suites: this is a folder; a suite is a YAML file."
    assert message("latin.yaml") == "latin.yaml: not UTF-8 text (byte 9)."
    assert message("large.yaml") == "large.yaml: the file is larger than 256 KiB, which no suite needs."
    empty = "the file is empty.\n`dlbench init` writes a suite to start from."
    assert message("suites/cifar.yaml") == f"suites/cifar.yaml: {empty}"
    assert message("comment.yaml") == f"comment.yaml: {empty}"
    assert message("a\0b.yaml").endswith("null byte.") or "embedded null" in message("a\0b.yaml")
    if os.geteuid() != 0:  # root reads everything
        Path("latin.yaml").chmod(0)
        assert message("latin.yaml") == "latin.yaml: cannot be read: Permission denied."


BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "more than 10,000 values"),
        ("x: &a {k: v}\ny: [" + "*a, " * 50_000 + "]\n", "more than 10,000 values"),
        ("x: " + "[" * 200_000, "nested deeper than 20 levels"),
        ("- " * 100_000, "nested deeper than 20 levels"),
        ("".join(f"{'  ' * i}a:\n" for i in range(300)), "nested deeper than 20 levels"),
        (
            "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 300)),
            "nested deeper than 20 levels",
        ),
        ("name: " + "9" * 100_000 + "\n", "a number of 100000 characters"),
    ],
    ids=["alias bomb", "many aliases", "flow nesting", "list nesting", "block nesting", "alias nesting", "long number"],
)
def test_bombs_are_refused_at_once(load: Load, text: str, words: str) -> None:
    start = time.perf_counter()
    (line,) = problems(load, text, plugins="")
    assert time.perf_counter() - start < 1
    assert words in line


def test_many_problems_are_cut(load: Load) -> None:
    lines = problems(load, OK + "".join(f"key{i}: 1\n" for i in range(200)))
    assert len(lines) == 51
    assert lines[-1] == "… and 150 more problems."
