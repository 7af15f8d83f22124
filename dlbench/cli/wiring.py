"""What the commands share: the warm process, the describer on top of it, and plans."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dlbench
from dlbench.cli.console import say
from dlbench.errors import DlbenchError, UsageError
from dlbench.schema.base import Json

if TYPE_CHECKING:
    from dlbench.executors._warm import Warm
    from dlbench.plan.data import DataOptions
    from dlbench.plan.describe import Describer
    from dlbench.store.folder import Store


def cache() -> Path:
    """Folder of what dlbench remembers between calls."""
    import platformdirs

    return platformdirs.user_cache_path("dlbench")


@contextmanager
def describing() -> Iterator[tuple["Warm", "Describer"]]:
    """The warm process (started only when something is asked of it) and the describer that asks it."""
    from dlbench.executors._warm import Warm
    from dlbench.plan.describe import Describer

    warm = Warm()
    try:
        yield warm, Describer(lambda requests: warm.describe(list(requests)), cache() / "describe")
    finally:
        warm.close()


def data_options(mirror: str | None, offline: bool, unofficial: bool) -> "DataOptions":
    """Where data may come from: flags, then the environment."""
    from dlbench.plan.data import DataOptions

    return DataOptions.from_environment(mirror, offline or None, unofficial or None)


def answered(answer: dict[str, Json]) -> dict[str, Json]:
    """An answer of a describer.

    Raises:
        UsageError: it is an error.
    """
    if "error" in answer:
        raise UsageError(str(answer["error"]))
    return answer


def suite_name(store: "Store", suite: str) -> str:
    """The name of a suite in the store, given as that name or as its file; says where the file differs by now.

    Raises:
        UsageError: the store knows no such suite.
    """
    from dlbench.catalog import did_you_mean

    known = store.suites()
    file = Path(suite) if Path(suite).suffix in (".yaml", ".yml") else None
    name = suite if file is None else _name_in_file(file)
    if name not in known:
        raise UsageError(
            f"the store {store.root} has nothing of a suite {name!r}.{did_you_mean(name, known)} "
            + (f"It has {', '.join(known)}." if known else "It is empty: `dlbench run SUITE` fills it.")
        )
    if file is not None:
        _tell_differences(store, name, file)
    return name


def _tell_differences(store: "Store", name: str, file: Path) -> None:
    """Say so if a suite was last run otherwise than its file has it: what is shown is what was run."""
    from dlbench.plan.load import load_suite

    try:
        then = store.suite(name).model_dump(by_alias=True)
        with describing() as (_, describe):
            now = load_suite(file, (), describe).model_dump(by_alias=True)
    except DlbenchError:
        return  # a file that has errors by now takes nothing from what was run
    if differing := [key for key in now if now[key] != then[key]]:
        say(f"{name}: shown as it was last run; {file} differs in {', '.join(differing)}")


def _name_in_file(path: Path) -> str:
    """The `name:` of a suite file; the suite may have errors elsewhere.

    Raises:
        SuiteError: there is no such file, or it is not YAML.
    """
    from dlbench.plan.document import read_file
    from dlbench.plan.nodes import Problems

    suite = read_file(path, Problems()).plain()
    return str(suite.get("name", path.stem)) if isinstance(suite, dict) else path.stem


def command_line() -> str:
    """The command as the user gave it."""
    return shlex.join(["dlbench", *sys.argv[1:]])


def code() -> dict[str, Json]:
    """Version of dlbench, and the git commit of the working folder, if it is in a repository."""
    found: dict[str, Json] = {"dlbench": dlbench.__version__, "git_commit": None, "git_dirty": None}
    try:
        found["git_commit"] = git("rev-parse", "HEAD")
        found["git_dirty"] = bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return found  # no git, or no repository: then there is no commit to name
    return found


def git(*arguments: str) -> str:
    """What git answers in the working folder.

    Raises:
        OSError: there is no git.
        subprocess.SubprocessError: it refuses, or takes more than 5 s.
    """
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=5, env=environment)
    return answer.stdout.strip()


def parse_assignments(pairs: Sequence[str]) -> dict[str, Json]:
    """`hidden_size=64 preset=base` → a mapping; values are YAML 1.2.

    Raises:
        UsageError: a pair has no `=`, or a value is no YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    found: dict[str, Json] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{pair!r} is not KEY=VALUE")
        try:
            found[key] = YAML(typ="safe", pure=True).load(value)
        except YAMLError as error:
            problem = error.problem if isinstance(error, MarkedYAMLError) else error
            raise UsageError(f"{pair!r}: the value is not YAML: {problem}") from error
    return found
