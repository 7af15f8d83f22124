"""Readers of the keys of a suite that stand for one thing: from a spot to a value, problems noted on the way."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from dlbench.catalog import SHELVES
from dlbench.plan.duration import seconds
from dlbench.plan.merge import BUDGETS
from dlbench.plan.nodes import Node, Problems, Spot
from dlbench.plan.words import check, expected, show, tell, unknown_key, validate
from dlbench.schema.base import Json
from dlbench.schema.suite import AskedPrecision, CostSettings, Device, Name, Precision, ReportSettings
from dlbench.schema.train import TrainSettings

MAX_SEEDS = 100_000
VARIED = ("train.", "model.", "task.", "dataset.", "precision", "device")
"""What can vary: settings and parameters by their prefix, and two keys of the suite."""

Reader = Callable[[Spot, Problems], Any]


def read_keys(spot: Spot, known: Iterable[str], problems: Problems) -> dict[str, Spot]:
    """What stands under the known keys of a mapping; keys without a value are left out."""
    known = tuple(known)
    for key in spot.node.value if isinstance(spot.node.value, dict) else ():
        if key not in known:
            unknown_key(problems, spot, key, known)
    found = {key: spot.given(key) for key in known}
    return {key: below for key, below in found.items() if below is not None}


def is_mapping(spot: Spot, problems: Problems) -> bool:
    """Whether a mapping stands there, as it must."""
    if isinstance(spot.node.value, dict):
        return True
    expected(problems, spot, "a mapping (`key: value`)")
    return False


def is_list(spot: Spot, problems: Problems) -> bool:
    """Whether a list of at least one item stands there, as it must."""
    if isinstance(spot.node.value, tuple) and spot.node.value:
        return True
    if isinstance(spot.node.value, tuple):
        problems.add(spot, "the list is empty; it needs at least one item.")
    else:
        expected(problems, spot, "a list (`[a, b]`, or lines that begin with `- `)")
    return False


def read_train(spot: Spot, problems: Problems) -> dict[str, Json]:
    """A `train:` block, of the suite or over it."""
    if not is_mapping(spot, problems):
        return {}
    budgets = [key for key in BUDGETS if spot.given(key) is not None]
    if len(budgets) > 1:
        second = spot.at(budgets[1])
        problems.add(second, f"{' and '.join(budgets)} are both given; training has one budget.")
    node = spot.node
    assert isinstance(node.value, dict)
    kept = {key: below for key, below in node.value.items() if key not in budgets[1:]}
    block = Spot(Node.mapping(node.place, kept, node.keys), spot.place, spot.path)
    _, errors = validate(TrainSettings, block.node.plain())
    # What concerns several settings is judged when those of all levels are merged.
    tell(problems, block, [error for error in errors if error["loc"]], TrainSettings.model_fields)
    plain: dict[str, Json] = node.plain()
    return plain


def read_vary(spot: Spot, problems: Problems) -> dict[str, tuple[Json, ...]]:
    """A `vary:` block; values of `train.*`, precision and device are checked, those of parameters only listed."""
    if not is_mapping(spot, problems):
        return {}
    assert isinstance(spot.node.value, dict)
    varied: dict[str, tuple[Json, ...]] = {}
    for key in spot.node.value:
        below = spot.at(key)
        if not can_vary(key):
            refuse_vary(spot, key, problems)
        elif is_list(below, problems):
            unique(below, problems)
            for item in below.items():
                check_varied(key, item, problems)
            varied[key] = tuple(below.node.plain())
    budgets = [key for key in varied if key.removeprefix("train.") in BUDGETS]
    if len(budgets) > 1:
        problems.add(spot.at(budgets[1]), f"{' and '.join(budgets)} both vary; training has one budget.")
    return varied


def can_vary(key: str) -> bool:
    """Whether a key names something that can have several values."""
    if key.startswith("train."):
        return key.removeprefix("train.") in TrainSettings.model_fields
    return key in VARIED[-2:] or any(key.startswith(prefix) and key != prefix for prefix in VARIED[1:-2])


def refuse_vary(spot: Spot, key: str, problems: Problems) -> None:
    """Note a key that names nothing that can vary."""
    settings = [f"train.{name}" for name in TrainSettings.model_fields]
    if key.startswith("train."):
        unknown_key(problems, spot, key, settings, "there is no setting")
    elif key == "model":
        problems.add(spot.at(key), "'model' is no setting: list the models under `models:`, and each is a choice.")
    elif key in TrainSettings.model_fields:
        problems.add(spot.at(key), f"{key!r} cannot vary by this name. Did you mean 'train.{key}'?")
    else:
        names = "train.*, model.*, task.*, dataset.*, precision and device"
        problems.add(spot.at(key), f"{key!r} cannot vary; {names} can. Did you mean 'model.{key}'?")


def check_varied(key: str, item: Spot, problems: Problems) -> None:
    """Note a value that a setting, precision or device cannot have."""
    if key == "precision" and item.node.value == "auto":
        problems.add(item, "`auto` is bf16 or fp32, as the device has it: name those that are to be compared.")
    elif key == "precision":
        check(Precision, item, problems)
    elif key == "device":
        READERS[key][1](item, problems)
    elif key.startswith("train."):
        _, errors = validate(TrainSettings, {key.removeprefix("train."): item.node.plain()})
        tell(problems, item, [{**error, "loc": error["loc"][1:]} for error in errors if error["loc"]])


def read_plugins(spot: Spot, folder: Path, problems: Problems) -> dict[str, tuple[str, ...]]:
    """A `plugins:` block: shelf → absolute paths; relative ones are relative to the suite's folder."""
    if not is_mapping(spot, problems):
        return {}
    plugins = {}
    for shelf, below in read_keys(spot, SHELVES, problems).items():
        if not is_list(below, problems):
            continue
        files = []
        for item in below.items():
            name = item.node.value
            if not isinstance(name, str):
                expected(problems, item, "the path of a Python file")
                continue
            path = folder / name
            if not _is_file(path):
                problems.add(item, f"there is no file {str(path)!r}.")
            elif path.suffix != ".py":
                problems.add(item, f"{name!r} is not a Python file (*.py).")
            else:
                files.append(str(path.resolve()))
        plugins[shelf] = tuple(files)
    return plugins


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a null character
        return False


def _exclude(spot: Spot, problems: Problems) -> tuple[dict[str, Json], ...]:
    if not isinstance(spot.node.value, tuple):
        expected(problems, spot, "a list of mappings, such as [{model: linear, precision: bf16}]")
        return ()
    for item in spot.items():
        if is_mapping(item, problems) and not item.node.value:
            problems.add(item, "is empty, which would exclude everything.")
    return tuple(item for item in spot.node.plain() if isinstance(item, dict))


def _in_words(kind: Any, what: str) -> Reader:
    """A reader of a value whose pattern is better said in words."""

    def read(spot: Spot, problems: Problems) -> Any:
        errors = Problems()
        value = check(kind, spot, errors)
        if errors:
            expected(problems, spot, what)
        return value

    return read


def _of(kind: Any) -> Reader:
    return lambda spot, problems: check(kind, spot, problems)


def _schema(spot: Spot, problems: Problems) -> int:
    if spot.node.value is True or spot.node.value != 1:
        expected(problems, spot, "1, the only format there is")
    return 1


def _duration(spot: Spot, problems: Problems) -> float | None:
    value = seconds(spot.node.plain())
    if value is None:
        expected(problems, spot, "a time such as 90s, 10m or 2h, or a number of seconds")
    return value


def _cost(spot: Spot, problems: Problems) -> CostSettings | None:
    if isinstance(spot.node.value, bool):
        return CostSettings() if spot.node.value else None
    if not isinstance(spot.node.value, dict):
        expected(problems, spot, "false, true, or a mapping with batch_sizes, phases, rounds and threads")
        return None
    for key in ("batch_sizes", "phases"):
        if (below := spot.child(key)) is not None:
            unique(below, problems)
    cost: CostSettings | None = check(CostSettings, spot, problems)
    return cost


def read_seeds(spot: Spot, problems: Problems) -> tuple[int, ...]:
    """A number of seeds, or the seeds themselves."""
    value = spot.node.value
    if isinstance(value, tuple):
        if is_list(spot, problems):
            unique(spot, problems)
        for item in spot.items():
            seed = item.node.value
            if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
                expected(problems, item, "a whole number from 0 to 2147483647")
        return tuple(spot.node.plain())
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        expected(problems, spot, "a number of seeds, such as 5, or a list of them, such as [0, 1, 2]")
        return (0,)
    if value > MAX_SEEDS:
        problems.add(spot, f"{show(value)} seeds are more than {MAX_SEEDS:,}, the most that a suite can have.")
        return (0,)
    return tuple(range(value))


def _seeds(spot: Spot, problems: Problems) -> tuple[int, ...]:
    """Those of the suite: 0 of them where nothing is trained and costs alone are measured."""
    none = spot.node.value == 0 and not isinstance(spot.node.value, bool)
    return () if none else read_seeds(spot, problems)


def unique(spot: Spot, problems: Problems) -> None:
    """Note items of a list that stand there twice."""
    seen = set()
    for item in spot.items():
        value = repr(item.node.plain())  # repr tells True from 1 and takes lists
        if value in seen:
            problems.add(item, f"{show(item.node.plain())} is listed twice.")
        seen.add(value)


READERS: Mapping[str, tuple[str, Reader]] = {
    "schema": ("schema", _schema),
    "name": ("name", _in_words(Name, "lower-case letters, digits, `_` and `-`, at most 80")),
    "description": ("description", _of(str)),
    "train": ("train", read_train),
    "precision": ("precision", _of(AskedPrecision)),
    "device": ("device", _in_words(Device, "auto, cpu, cuda or cuda:N")),
    "vary": ("vary", read_vary),
    "exclude": ("exclude", _exclude),
    "seeds": ("seeds", _seeds),
    "cost": ("cost", _cost),
    "budget": ("budget_s", _duration),
    "timeout": ("timeout_s", _duration),
    "report": ("report", _of(ReportSettings)),
}
"""Key of a suite → (field of `Suite`, its reader), for all keys that need no shelf."""
