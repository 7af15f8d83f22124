"""Where data comes from: cache, mirror, download, built-in; real files, and a real server on this machine."""

import hashlib
import http.server
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlbench.errors import DataError, UsageError
from dlbench.plan.data import Candidate, DataOptions, Obtained, choose, located, obtain
from dlbench.plan.fetch import NotFetched, fetch
from dlbench.schema.data import DataCopy, DataFile

CONTENT = {"train.csv": b"one\n" * 5000, "test.csv": b"two\n" * 100}
OTHER = b"three\n" * 4000


class Server:
    """Serves `/good/…`, `/bad/…` (train.csv is another file), `/short/…` (breaks off), `/stall/…`, `/slow/…`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                kind, _, name = self.path.strip("/").partition("/")
                body = CONTENT.get(name.rpartition("/")[2])
                if body is None or kind == "none":
                    self.send_error(404)
                    return
                if kind == "bad" and name.endswith("train.csv"):
                    body = OTHER
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body if kind in ("good", "bad") else body[:100])
                self.wfile.flush()
                if kind == "stall":
                    time.sleep(1)
                if kind == "slow":
                    time.sleep(0.2)
                    self.wfile.write(body[100:])

            def log_message(self, *args: object) -> None:
                """Nothing on stderr."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    yield running
    running.close()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def files(server: Server, kind: str = "good", *, md5: bool = False, known: bool = True) -> tuple[DataFile, ...]:
    """What a dataset module declares; its official addresses are on the server."""
    digests = {
        name: {"md5": hashlib.md5(content).hexdigest()} if md5 else {"sha256": hashlib.sha256(content).hexdigest()}
        for name, content in CONTENT.items()
    }
    return tuple(
        DataFile(folder="set", name=name, url=f"{server.address}/{kind}/set/{name}", **(digests[name] if known else {}))
        for name in CONTENT
    )


def get(declared: tuple[DataFile, ...], cache: Path, **options: object) -> Obtained:
    return obtain("set", declared, params={}, revision=1, options=DataOptions(cache=cache, **options))


def copy(declared: tuple[DataFile, ...], cache: Path, **options: object) -> DataCopy:
    found = get(declared, cache, **options)
    assert found.data is not None, found.notes
    return found.data


def lay_out(folder: Path, **changed: bytes) -> Path:
    """A mirror folder."""
    (folder / "set").mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / "set" / name).write_bytes(changed.get(name.partition(".")[0], content))
    return folder


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file() and path.name != "digests.json")


@pytest.mark.parametrize("md5", [False, True], ids=["sha256", "md5 only"])
def test_a_download_is_verified_and_then_found_in_the_cache(server: Server, cache: Path, md5: bool) -> None:
    declared = files(server, md5=md5)
    first = copy(declared, cache)
    assert (first.source, first.official, first.root) == ("download", True, cache / "set")
    assert {name: (cache / "set" / name).read_bytes() for name in CONTENT} == CONTENT
    asked = len(server.asked)
    second = copy(declared, cache, offline=True)
    assert (second.source, second.digest, second.root) == ("cache", first.digest, first.root)
    assert len(server.asked) == asked == 2


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("bad", "what came is not the official file"),
        ("short", "the connection broke off"),
        ("none", "the server answered 404 Not Found"),
    ],
)
def test_a_failed_download_leaves_nothing_and_says_why(server: Server, cache: Path, kind: str, reason: str) -> None:
    found = get(files(server, kind), cache)
    assert found.data is None
    assert found.notes == ("not in the cache", f"{server.address}/{kind}/set/train.csv: {reason}")
    assert left_in(cache) == []
    assert len(server.asked) == 1  # the others are of no use alone


def test_a_stalled_download_is_given_up_and_a_slow_one_is_not(server: Server, tmp_path: Path) -> None:
    with pytest.raises(NotFetched, match=r"the server sent nothing for 0\.5 s"):
        fetch(f"{server.address}/stall/set/train.csv", tmp_path / "x" / "train.csv", None, stall_s=0.5)
    assert list((tmp_path / "x").iterdir()) == []
    fetch(f"{server.address}/slow/set/train.csv", tmp_path / "x" / "train.csv", None, stall_s=5)
    assert (tmp_path / "x" / "train.csv").read_bytes() == CONTENT["train.csv"]


def test_nobody_listening_is_no_error(server: Server, cache: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}"
        declared = tuple(file.model_copy(update={"url": f"{nobody}/{file.name}"}) for file in files(server))
        assert get(declared, cache).notes == ("not in the cache", f"{nobody}/train.csv: no connection")


def test_a_damaged_cached_file_is_fetched_again(server: Server, cache: Path) -> None:
    declared = files(server)
    first = copy(declared, cache)
    (cache / "set" / "train.csv").write_bytes(CONTENT["train.csv"][:-1])
    assert get(declared, cache, offline=True).notes == ("damaged in the cache: train.csv", "network off")
    again = get(declared, cache)
    assert again.data is not None
    assert (again.data.source, again.data.digest) == ("download", first.digest)
    assert again.notes == ("damaged in the cache: train.csv",)
    assert (cache / "set" / "train.csv").read_bytes() == CONTENT["train.csv"]
    assert server.asked.count("/good/set/test.csv") == 1


def test_a_folder_mirror_is_used_in_place_and_offline(server: Server, cache: Path, tmp_path: Path) -> None:
    mirror = lay_out(tmp_path / "mirror")
    found = copy(files(server), cache, mirror=str(mirror), offline=True)
    assert (found.source, found.official, found.root) == ("mirror", True, mirror / "set")
    assert left_in(cache) == server.asked == []
    # The same content has the same digest wherever it comes from.
    assert found.digest == copy(files(server), cache).digest


def test_an_unofficial_copy_is_passed_over_unless_it_is_allowed(server: Server, cache: Path, tmp_path: Path) -> None:
    mirror = lay_out(tmp_path / "mirror", train=OTHER)
    declared = files(server)
    refused = get(declared, cache, mirror=str(mirror), offline=True)
    assert refused.data is None
    assert refused.notes == (
        "not in the cache",
        "the mirror's train.csv: not official (--unofficial-data would use it)",
        "network off",
    )
    allowed = get(declared, cache, mirror=str(mirror), offline=True, unofficial=True)
    assert allowed.data is not None
    assert (allowed.data.source, allowed.data.official) == ("mirror", False)
    assert allowed.notes == ("the mirror's train.csv: not official (used because of --unofficial-data)",)
    official = get(declared, cache, mirror=str(mirror))
    assert official.data is not None
    assert (official.data.source, official.data.official) == ("download", True)
    assert official.data.digest != allowed.data.digest
    assert "not official" in official.notes[0]


def test_an_unofficial_copys_digest_follows_its_bytes(server: Server, cache: Path, tmp_path: Path) -> None:
    mirror = lay_out(tmp_path / "mirror", train=OTHER)
    options = {"mirror": str(mirror), "unofficial": True}
    one = copy(files(server), cache, **options).digest
    assert copy(files(server), cache, **options).digest == one
    (mirror / "set" / "train.csv").write_bytes(OTHER + b"x")
    assert copy(files(server), cache, **options).digest != one
    (cache / "digests.json").write_text("{torn")
    (mirror / "set" / "train.csv").write_bytes(OTHER)
    assert copy(files(server), cache, **options).digest == one


def test_an_incomplete_or_absent_mirror_is_said(server: Server, cache: Path, tmp_path: Path) -> None:
    mirror = lay_out(tmp_path / "mirror")
    (mirror / "set" / "test.csv").unlink()
    notes = get(files(server), cache, mirror=str(mirror), offline=True).notes
    assert notes == ("not in the cache", "the mirror has no set/test.csv", "network off")
    notes = get(files(server), cache, mirror=str(tmp_path / "no"), offline=True).notes
    assert notes == ("not in the cache", f"the mirror {tmp_path / 'no'} is not a folder", "network off")


def test_a_web_mirror_is_asked_before_the_official_source(server: Server, cache: Path) -> None:
    declared = files(server, "none")
    mirror = f"{server.address}/good/"
    assert get(declared, cache, mirror=mirror, offline=True).data is None
    assert server.asked == []
    found = copy(declared, cache, mirror=mirror)
    assert (found.source, found.official) == ("mirror", True)
    assert copy(declared, cache, offline=True).source == "cache"


def test_a_web_mirrors_unofficial_copy_never_enters_the_cache(server: Server, cache: Path) -> None:
    declared = files(server, "none")
    mirror = f"{server.address}/bad"
    refused = get(declared, cache, mirror=mirror)
    assert refused.data is None
    assert refused.notes[1] == (
        f"{mirror}/set/train.csv: what came is not the official file (--unofficial-data would use it)"
    )
    assert left_in(cache) == []
    allowed = copy(declared, cache, mirror=mirror, unofficial=True)
    assert (allowed.source, allowed.official) == ("mirror", False)
    assert allowed.root is not None
    assert (allowed.root / "train.csv").read_bytes() == OTHER
    assert get(declared, cache, offline=True).data is None
    # What the mirror gave is kept, and serves again without it.
    assert copy(declared, cache, mirror=mirror, unofficial=True, offline=True) == allowed


def test_without_a_published_digest_only_the_official_address_is_trusted(
    server: Server, cache: Path, tmp_path: Path
) -> None:
    declared = files(server, known=False)
    mirror = str(lay_out(tmp_path / "mirror"))
    notes = get(declared, cache, mirror=mirror, offline=True).notes
    assert "train.csv, test.csv: without a published digest (--unofficial-data would use it)" in notes[1]
    from_mirror = copy(declared, cache, mirror=mirror, offline=True, unofficial=True)
    downloaded = copy(declared, cache)
    assert [from_mirror.official, downloaded.official] == [False, True]
    assert from_mirror.digest == downloaded.digest
    assert copy(declared, cache, offline=True).source == "cache"


def test_a_built_in_dataset_is_its_name_revision_and_parameters(cache: Path) -> None:
    def digest(name: str = "order", revision: int = 1, **params: object) -> str:
        found = obtain(name, (), params=params, revision=revision, options=DataOptions(cache=cache, offline=True)).data
        assert found is not None
        assert (found.root, found.source, found.official) == (None, "built-in", True)
        return found.digest

    assert digest(length=1, seed=0) == digest(seed=0, length=1)
    assert len({digest(length=1), digest(length=2), digest("other", length=1), digest(revision=2, length=1)}) == 4


def test_the_first_that_can_be_had_is_chosen_and_the_others_are_accounted_for(
    server: Server, cache: Path, tmp_path: Path
) -> None:
    mirror = lay_out(tmp_path / "mirror", train=OTHER)
    real = Candidate(name="set", files=files(server))
    order = Candidate(name="order", params={"length": 60})
    options = DataOptions(mirror=str(mirror), offline=True, cache=cache)
    fallback = choose([real, order], options)
    assert (fallback.index, fallback.data.source) == (1, "built-in")
    assert fallback.notes == (
        "set: not in the cache; the mirror's train.csv: not official (--unofficial-data would use it); network off",
    )
    told: list[str] = []
    best = choose([real, order], options.model_copy(update={"offline": False}), told.append)
    assert (best.index, best.data.source) == (0, "download")
    assert told[0].startswith(f"fetching {server.address}/good/set/train.csv")
    assert choose([order, real], options).notes == ()
    with pytest.raises(DataError, match=r"no dataset can be had\nset: not in the cache; .*network off\nGive a folder"):
        choose([real], options.model_copy(update={"cache": tmp_path / "empty"}))


def test_a_listing_shows_every_place_and_a_fresh_one_sees_through_an_unchanged_time(
    server: Server, cache: Path, tmp_path: Path
) -> None:
    mirror = lay_out(tmp_path / "mirror", train=OTHER)
    options = DataOptions(mirror=str(mirror), cache=cache)
    states = [(status.place, status.state) for status in located(files(server), options)]
    assert states == [("cache", "missing"), ("cache", "missing"), ("mirror", "other"), ("mirror", "official")]
    path = mirror / "set" / "test.csv"
    stat = path.stat()
    path.write_bytes(b"owt\n" * 100)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert located(files(server), options)[3].state == "official"
    assert located(files(server), options, fresh=True)[3].state == "other"
    assert located(files(server), options)[3].state == "other"


def test_flags_go_before_the_environment() -> None:
    environ = {"DLBENCH_DATA_MIRROR": "/mirror", "DLBENCH_OFFLINE": "1", "DLBENCH_UNOFFICIAL_DATA": "yes"}
    told = DataOptions.from_environment(environ=environ)
    assert (told.mirror, told.offline, told.unofficial) == ("/mirror", True, True)
    flags = DataOptions.from_environment("http://m/", False, False, environ=environ)
    assert (flags.web_mirror, flags.offline, flags.unofficial) == ("http://m", False, False)
    assert DataOptions.from_environment(environ={}).mirror is None
    with pytest.raises(UsageError, match="DLBENCH_OFFLINE=maybe: say 1 or 0"):
        DataOptions.from_environment(environ={"DLBENCH_OFFLINE": "maybe"})
