"""What the shelves hold, asked of a process that has torch; answers are remembered until a source changes."""

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import dlbench
from dlbench.jobdir import write_whole
from dlbench.plan.ask import Ask
from dlbench.schema.base import Json

ANSWERS_DEPEND_ON = ("torch", "numpy", "pydantic", "tokenizers", "scikit-learn", "nvidia-ml-py", "torchao")


class Describer:
    """Answers describe requests from the cache; asks only for what it does not know.

    Args:
        ask: asks the process that has torch, which is slow to start.
        cache: folder of remembered answers.
    """

    def __init__(self, ask: Ask, cache: Path) -> None:
        self.ask = ask
        self.cache = cache
        self._heard: dict[str, dict[str, Json]] = {}

    def __call__(self, requests: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
        """Answers in the order of the requests; one question to the other process at most."""
        keys = [self._key(request) for request in requests]
        unknown = {key: request for key, request in zip(keys, requests, strict=True) if key not in self._known}
        if unknown:
            answers = dict(zip(unknown, self.ask(list(unknown.values())), strict=True))
            self._known.update(answers)
            self._keep({key: answer for key, answer in answers.items() if answer.get("ok", "error" not in answer)})
        return [self._known[key] for key in keys]

    def once(self, requests: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
        """Answers that nobody will ask for after this run; those about parameters are remembered until then."""
        keys = [json.dumps(request, sort_keys=True) for request in requests]
        new = {k: r for k, r in zip(keys, requests, strict=True) if k not in self._heard}
        answers = dict(zip(new, self.ask(list(new.values())) if new else (), strict=True))
        self._heard.update({key: answer for key, answer in answers.items() if new[key]["what"] == "params"})
        return [answers[key] if key in answers else self._heard[key] for key in keys]

    def _key(self, request: dict[str, Json]) -> str:
        text = json.dumps(request, sort_keys=True, default=str)
        for paths in request.get("plugins", {}).values():
            text += "".join(digest_of_plugin(Path(path)) for path in paths)
        if request["what"] == "machine":
            text += _this_boot()
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @cached_property
    def _file(self) -> Path:
        return self.cache / f"{self._digest_of_sources()}.json"

    @cached_property
    def _known(self) -> dict[str, dict[str, Json]]:
        return self._read()

    def _read(self) -> dict[str, dict[str, Json]]:
        try:
            known = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _keep(self, answers: dict[str, dict[str, Json]]) -> None:
        """Remember; another process may have remembered others meanwhile, and a lost answer is only asked again."""
        stored = self._read()
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            for old in sorted(self.cache.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-8]:
                old.unlink(missing_ok=True)  # answers about sources that are long gone
            write_whole(self._file, json.dumps(stored | answers).encode())
        except OSError:
            return  # a full or read-only cache costs time, not results

    def _digest_of_sources(self) -> str:
        digest = hashlib.sha256(f"{platform.python_version()} {dlbench.__version__}".encode())
        for package in ANSWERS_DEPEND_ON:
            try:
                digest.update(f"{package} {version(package)}".encode())
            except PackageNotFoundError:
                digest.update(package.encode())
        root = Path(dlbench.__file__).parent
        for path in sorted(root.rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()[:24]


def digest_of_plugin(path: Path) -> str:
    """SHA-256, hexadecimal, of a file and of the shared parts (`_*.py`) beside it, which it may import."""
    digest = hashlib.sha256()
    for file in (path, *sorted(path.parent.glob("_*.py"))):
        try:
            digest.update(file.name.encode() + file.read_bytes())
        except OSError:
            digest.update(b"missing")
    return digest.hexdigest()


def _this_boot() -> str:
    """What must be the same for an answer about the machine to hold: host, boot, visible GPUs."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        boot = ""
    gpus = sorted(str(path) for path in Path("/dev").glob("nvidia[0-9]*"))
    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.node()} {boot} {gpus} {affinity} {os.environ.get('CUDA_VISIBLE_DEVICES')}"
