"""`store.json`, which makes a folder a store: made safely when several processes start at once, and checked."""

import json
import os
import secrets
from pathlib import Path

from dlbench.errors import StoreError
from dlbench.jobdir import write_whole

FORMAT = 1


def make(root: Path) -> None:
    """Make a store; when several processes do so at once, one of them wins and all see its id."""
    root.mkdir(parents=True, exist_ok=True)
    foreign = [name for name in listdir(root) if name[0] != "." and name not in ("store.json", "lock")]
    if foreign and not (root / "store.json").exists():
        raise StoreError(f"{root}: is not a dlbench store, and not empty ({foreign[0]}). Name another folder.")
    draft = root / f".store.json.{os.getpid()}.{secrets.token_hex(4)}"
    write_whole(draft, json.dumps({"format": FORMAT, "id": secrets.token_hex(8)}).encode())
    try:
        os.link(draft, root / "store.json")
    except FileExistsError:
        return
    finally:
        draft.unlink()
    (root / ".gitignore").write_text("*\n")


def unmake(root: Path, bare: bool) -> None:
    """Take an empty store away, with its folder if that was made for it."""
    for name in ("store.json", ".gitignore", "lock"):
        (root / name).unlink(missing_ok=True)
    if bare:
        root.rmdir()


def check(root: Path, text: bytes) -> str:
    """The id in `store.json`."""
    try:
        content = json.loads(text)
        version, id = int(content["format"]), str(content["id"])
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{root / 'store.json'}: is damaged; it should hold a format and an id.") from None
    if version > FORMAT:
        raise StoreError(
            f"{root}: was made by a newer dlbench (store format {version}, this one knows {FORMAT}). "
            "Update dlbench, or take another store with --store."
        )
    return id


def listdir(folder: Path | str) -> list[str]:
    """Names in a folder, in no order; none if it is not there."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
