"""Commands that show and explain: help, shelves, data, machine, schema, a first suite."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest
from terminal import QUIET, Finished, Terminal
from typer.main import get_command
from typer.testing import CliRunner

from dlbench import __version__
from dlbench.cli.app import app

COMMANDS = (
    "run", "sweep", "plan", "results", "report", "list", "show", "ui", "sync", "init", "schema", "calibrate", "doctor",
    "compare", "verify", "data list", "data fetch", "data verify",
)  # fmt: skip


# --- help -----------------------------------------------------------------------------------------------------------


def test_help_names_every_command_and_a_first_step(terminal: Terminal) -> None:
    said = terminal("--help")
    assert said.err == ""
    for command in COMMANDS:
        assert f"\n  {command.partition(' ')[0]} " in said.out
    assert "dlbench run suites/quickstart.yaml" in said.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    said = CliRunner().invoke(app, [*command.split(), "--help"], prog_name="dlbench")
    assert said.exit_code == 0
    assert f"Usage: dlbench {command}" in said.output
    assert re.search(rf"Example: .*dlbench {command}", said.output)
    assert "--help" in said.output


def test_no_command_was_forgotten_above() -> None:
    assert set(get_command(app).commands) == {command.partition(" ")[0] for command in COMMANDS}


def test_version(terminal: Terminal) -> None:
    assert terminal("--version").out == f"dlbench {__version__}\n"


@pytest.mark.parametrize(
    "line", ["frobnicate", "run", "run x.yaml --bogus", "run x.yaml --slots 0", "list models --jsn", "show model"]
)
def test_wrong_usage(terminal: Terminal, line: str) -> None:
    said = terminal(*line.split(), code=2)
    assert said.out == ""
    assert "Usage: dlbench" in said.err
    assert "Traceback" not in said.err


def test_completion_can_be_shown_and_works(terminal: Terminal) -> None:
    shown = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m dlbench --show-completion; true"],
        env=terminal.environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "complete -o default -F _dlbench_completion dlbench" in shown.stdout
    completed = terminal("", _DLBENCH_COMPLETE="complete_bash", COMP_WORDS="dlbench re", COMP_CWORD="1")
    assert completed.out.split() == ["results", "report"]


def shown_in_a_terminal(terminal: Terminal, *arguments: str, **environment: str) -> str:
    """What a command writes when it writes to a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "dlbench", *arguments],
        cwd=terminal.folder, env={**terminal.environment, "TERM": "xterm-256color", **environment},
        stdin=slave, stdout=slave, stderr=slave,
    ):  # fmt: skip
        os.close(slave)
        said = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            said += part
    os.close(master)
    return said.decode()


def test_colours_are_for_terminals_that_want_them(finished: Finished) -> None:
    terminal = finished.terminal
    assert "\x1b[31m" in shown_in_a_terminal(terminal, "results", "nothing")
    for arguments in (("results", "nothing"), ("results", "tiny"), ("plan", "tiny.yaml")):
        text = shown_in_a_terminal(terminal, *arguments, NO_COLOR="1")
        assert "\x1b[3" not in text.replace("\x1b[3m", "")  # italics are no colour
    assert "\x1b" not in finished.said.out + finished.said.err


def test_narrow_terminals_still_show_every_name(finished: Finished) -> None:
    for arguments in (("plan", "tiny.yaml"), ("results", "tiny")):
        text = shown_in_a_terminal(finished.terminal, *arguments, COLUMNS="80")
        assert "two_layer" in text
        assert "wide" in text


# --- shelves --------------------------------------------------------------------------------------------------------


def test_list_shows_all_shelves_or_one(terminal: Terminal) -> None:
    everything = terminal("list").out
    for name in ("models:", "  lstm ", "tasks:", "  text_classification ", "datasets:", "  ag_news ", "executors:"):
        assert name in everything
    models = terminal("list", "models", "--json").json
    assert {"linear", "rnn", "lstm", "gru", "transformer"} <= set(models)
    assert all(summary.endswith(".") for summary in models.values())
    assert terminal("list", "--json").json["models"] == models


def test_list_offers_a_near_name(terminal: Terminal) -> None:
    assert "there is no shelf 'model'. Did you mean 'models'?" in terminal("list", "model", code=2).err


def test_show_counts_parameters_as_the_closed_form_does(terminal: Terminal) -> None:
    hidden, size = 24, 10
    shown = terminal("show", "model", "lstm", f"hidden_size={hidden}", f"embedding_size={size}", "--json").json
    vocabulary, classes = shown["signature"]["input"]["vocabulary"], shown["signature"]["output"]["classes"]
    layers, ways = shown["params"]["layers"], 1 + shown["params"]["bidirectional"]
    inputs = [size] + [hidden * ways] * (layers - 1)
    recurrent = sum(ways * 4 * hidden * (into + hidden + 2) for into in inputs)
    assert shown["parameters"] == vocabulary * size + recurrent + (hidden * ways + 1) * classes
    assert shown["trainable_parameters"] == shown["parameters"]
    assert shown["params"]["hidden_size"] == hidden
    assert shown["flops_per_sample"] > 0


def test_show_explains_tasks_and_datasets(terminal: Terminal) -> None:
    task = terminal("show", "task", "text_classification", "--json").json
    assert "max_length" in task["schema"]["properties"]
    assert task["datasets"][0] == "ag_news"
    dataset = terminal("show", "dataset", "ag_news", "--json").json
    assert all(file["url"].startswith("https://") for file in dataset["files"])
    assert "max_length" in terminal("show", "task", "text_classification").out


def test_show_tells_what_can_be_searched_and_how() -> None:
    shown = CliRunner().invoke(app, ["show", "strategy", "reinforce", "--json"])
    assert json.loads(shown.output)["defaults"]["entropy"] == 0.2
    assert "entropy" in CliRunner().invoke(app, ["show", "strategy", "reinforce"]).output


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("show model lstn", "there is no model 'lstn'. Did you mean 'lstm'?"),
        ("show modl lstm", "there is no kind 'modl'. Did you mean 'model'?"),
        ("show model lstm hidden_siz=3", "hidden_siz"),
        ("show model lstm hidden_size=-3", "hidden_size"),
        ("show model lstm hidden_size", "'hidden_size' is not KEY=VALUE"),
        ("show model lstm preset=nothing", "nothing"),
        ("show model lstm hidden_size=[1", "hidden_size"),
        ("show model transformer heads=3", "hidden_size 64 cannot be shared evenly by heads 3"),
    ],
)
def test_show_refuses_what_is_not_there(terminal: Terminal, line: str, complaint: str) -> None:
    said = terminal(*line.split(), code=2)
    assert complaint in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


# --- data -----------------------------------------------------------------------------------------------------------


def test_data_says_what_is_here(terminal: Terminal) -> None:
    found = {row["name"]: row for row in terminal("data", "list", "--json", "--offline").json}
    assert found["temporal_order"]["here"] == "built-in"
    assert found["ag_news"]["here"] == "no"
    assert found["ag_news"]["tasks"] == ["text_classification"]
    assert "temporal_order" in terminal("data", "list", "--offline").out


def test_data_tells_copies_from_originals(terminal: Terminal) -> None:
    (file, *_) = terminal("show", "dataset", "sst2", "--json").json["files"]
    folder = terminal.folder / "mirror" / file["folder"]
    folder.mkdir(parents=True)
    (folder / file["name"]).write_bytes(b"something else")
    said = terminal("data", "verify", "sst2", "--mirror", terminal.folder / "mirror", code=1)
    assert f"{file['name']}: other" in said.out
    assert said.err == "1 file not as officially published\n"
    assert "there is no dataset 'sst'. Did you mean 'sst2'?" in terminal("data", "verify", "sst", code=2).err


# --- the rest -------------------------------------------------------------------------------------------------------


def test_doctor_knows_machine_store_and_tracking(finished: Finished) -> None:
    facts = finished.terminal("doctor", "--json").json
    assert facts["machine"]["cores"] >= 1
    assert facts["devices"]["cpu"]["fp32"] is None
    assert "tensor cores" in facts["devices"]["cpu"]["tf32"]
    assert facts["store"]["suites"] == ["tiny"]
    assert facts["mlflow"]["pending"] == 0
    assert "torch" in facts["versions"]
    said = finished.terminal("doctor").out
    assert "cpu        can fp32" in said
    for line in ("now        ", "threads    cost jobs take ", "calibrated cpu: "):
        assert f"\n{line}" in said


def test_doctor_says_of_every_sensor_whether_it_works_and_why(terminal: Terminal) -> None:
    sensors = terminal("doctor", "--json").json["sensors"]
    abilities = {each["what"]: each for each in sensors["abilities"]}
    assert all(isinstance(each["can"], bool) and each["why"] for each in abilities.values())
    for what in ("measure peak memory on the CPU", "measure energy of the processor", "limit the memory of a job"):
        assert what in abilities
    assert sensors["waiting"]["OMP_WAIT_POLICY"] == "PASSIVE"
    assert sensors["now"]["cpu"]["seconds"] >= 0.5
    assert sensors["now"]["available_bytes"] > 0


def test_doctor_needs_no_store(terminal: Terminal) -> None:
    assert "there is no dlbench store" in terminal("doctor").out
    assert list(terminal.folder.iterdir()) == []


def test_first_suite_fits_the_schema_and_runs_with_overrides(terminal: Terminal) -> None:
    schema = terminal("schema").json
    assert {"name", "tasks", "models"} <= set(schema["properties"])
    terminal("init", "suites/My First.yaml")
    text = (terminal.folder / "suites" / "My First.yaml").read_text()
    assert "name: my_first" in text
    assert json.loads((terminal.folder / "suites" / ".dlbench.schema.json").read_text()) == schema
    assert "exists; --force overwrites it" in terminal("init", "suites/My First.yaml", code=2).err
    terminal("init", "suites/My First.yaml", "--force")
    overrides = ("train.steps=2", "train.lr=5e-3", "seeds=[7]", "cost=false", "tasks.0.params.max_length=16")
    records = terminal("run", "suites/My First.yaml", *overrides, "--json", *QUIET).json  # nothing else is on stdout
    assert [(record["suite"], record["status"], record["seed"]) for record in records] == [("my_first", "ok", 7)] * 3
    for record in records:
        assert (record["train"]["steps"], record["train"]["lr"]) == (2, 5e-3)
        assert record["task"]["params"]["max_length"] == 16


def test_first_suite_for_a_task_that_is_not_there(terminal: Terminal) -> None:
    assert "there is no task 'text'" in terminal("init", "--task", "text", code=2).err
    assert list(terminal.folder.iterdir()) == []
