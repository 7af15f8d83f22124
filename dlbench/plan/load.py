"""A suite file → a checked `Suite`, or everything that is wrong with it, in one pass."""

from collections.abc import Sequence
from pathlib import Path

from dlbench.catalog import Catalog
from dlbench.plan.ask import Ask
from dlbench.plan.document import read_file
from dlbench.plan.extent import check_baseline, check_exclude, check_extent
from dlbench.plan.grammar import ReadSuite, read_suite
from dlbench.plan.nodes import Problems, as_node
from dlbench.plan.overrides import apply_overrides
from dlbench.plan.searched import check_search
from dlbench.plan.shelves import ask_modules, check_fit, check_pairs, check_params
from dlbench.plan.shorthand import open_suite
from dlbench.plan.training import check_training
from dlbench.schema.suite import Suite


def load_suite(path: Path, overrides: Sequence[str], describe: Ask, *, sweep: bool = False) -> Suite:
    """Read and check a suite.

    Short forms are opened, every model has its label, plugins have absolute paths. Names, parameters, presets and
    pairs are checked against the shelves through `describe`, in at most three calls.

    Args:
        path: the suite file; messages show it as it is given.
        overrides: `key.path=value`, laid over the file in order.
        describe: answers questions about models, tasks and datasets.
        sweep: search what the suite varies even if it has no `search:`.

    Raises:
        SuiteError: with every problem of the file and the overrides.
    """
    problems = Problems()
    node = apply_overrides(read_file(path, problems), overrides, problems)
    if sweep and isinstance(node.value, dict) and node.value.get("search") is None:
        node = node.having("search", as_node({}, node.place), node.place)
    read = read_suite(open_suite(node), path.parent, problems)
    _check_repeated(read, problems)
    shelves = ask_modules(read, Catalog(read.plugins), describe, problems)
    check_fit(read, shelves, problems)
    small = check_extent(read, shelves, problems)
    wrong = check_params(read, shelves, describe, problems, values=small)
    overridden = {text.partition("=")[0].partition(".")[0].strip() for text in overrides}
    check_baseline(read, overridden, problems)
    check_search(read, shelves, Catalog(read.plugins), describe, problems)
    if small:
        check_training(read, problems)
        check_exclude(read, shelves, overridden, problems)
        check_pairs(read, shelves, wrong, describe, problems)
    problems.raise_if_any()
    return read.suite()


def _check_repeated(read: ReadSuite, problems: Problems) -> None:
    first: dict[str, str] = {}
    for task in read.tasks:
        said = first.setdefault(task.entry.model_dump_json(), task.spot.path)
        if said != task.spot.path:
            problems.add(task.spot, f"says the same as {said}.")
