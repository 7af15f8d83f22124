"""The shape of the house (arrows point down, heavy packages stay in their rooms), read from the imports."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dlbench

ROOT = Path(dlbench.__file__).parent
LAYERS = (
    {"__main__"},
    {"cli"},
    {"plan", "run", "store", "report"},
    {"executors", "sections", "strategies"},
    {"worker", "analyze"},
    {"models", "tasks", "datasets", "meters"},
    {"catalog"},
    {"contracts"},
    {"jobdir"},
    {"schema"},
    {"errors"},
    {"__init__"},
)
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
ROOMS = {
    "torch": {"worker", "models", "tasks", "datasets", "meters"},
    "mlflow": {"store/mlflow.py"},
    "optuna": {"plan/search.py", "strategies", "analyze/importance.py"},
    "jinja2": {"report"},
    "vl_convert": {"report"},
    "pandas": {"analyze", "report", "sections"},
    "scipy": {"analyze", "report", "strategies"},
    "typer": {"cli"},
    "rich": {"cli"},
    "ray": {"executors"},
}
FILES = sorted(ROOT.rglob("*.py"))


TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def imports(tree: ast.Module) -> Iterator[str]:
    """Modules that a file imports; those for type checking alone are no arrows."""
    checking = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in checking:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import of {node.module}"
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


IMPORTS = {path: list(imports(tree)) for path, tree in TREES.items()}


def part(path: Path) -> str:
    """The layer's member that a file belongs to."""
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def test_every_file_is_part_of_the_design() -> None:
    assert not [path for path in FILES if part(path) not in RANK]


def test_arrows_point_down() -> None:
    wrong = []
    for path, names in IMPORTS.items():
        for name in names:
            head, _, rest = name.partition(".")
            there = rest.partition(".")[0]
            if head == "dlbench" and there in RANK and there != part(path) and RANK[there] <= RANK[part(path)]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}: that points up or sideways")
    assert not wrong


def test_heavy_packages_stay_in_their_rooms() -> None:
    wrong = []
    for path, names in IMPORTS.items():
        where = str(path.relative_to(ROOT))
        for name in names:
            rooms = ROOMS.get(name.partition(".")[0])
            if rooms is not None and where not in rooms and part(path) not in rooms:
                wrong.append(f"{where} imports {name}, which belongs in {sorted(rooms)}")
    assert not wrong


def test_only_the_command_line_prints() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in TREES.items()
        if part(path) not in ("cli", "__main__")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]
    assert not wrong


def test_the_parent_has_no_way_to_torch() -> None:
    """Everything that the parent process imports at the top of a file, together: no torch, mlflow or optuna."""
    modules = [
        "dlbench." + ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in FILES
        if part(path) in ("cli", "plan", "run", "store", "executors", "catalog", "contracts", "jobdir", "schema")
        and path.name not in ("__init__.py", "mlflow.py")
    ]
    heavy = ["torch", "mlflow", "optuna", "vl_convert", "sklearn", "tokenizers"]
    code = f"import sys\nfor name in {modules}: __import__(name)\nprint([n for n in {heavy} if n in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_no_drawer_for_odds_and_ends() -> None:
    drawers = {"utils.py", "util.py", "common.py", "helpers.py", "misc.py"}
    assert not [path for path in FILES if path.name in drawers]


def test_shared_code_does_not_ask_which_task_it_is() -> None:
    for path in FILES:
        if part(path) in ("tasks", "datasets", "models"):
            continue
        text = path.read_text(encoding="utf-8")
        names = [p.stem for p in (ROOT / "tasks").glob("*.py") if not p.stem.startswith("_")]
        assert not [name for name in names if f'== "{name}"' in text], path
