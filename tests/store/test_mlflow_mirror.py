"""What a person finds in MLflow after a run, and that syncing again, at once or after a kill adds nothing."""

import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import pytest
from mlflow_store import STARTED, child_env, end, entry, invocation, store_with

from dlbench.schema.job import Entry
from dlbench.schema.suite import Suite
from dlbench.store.address import unreachable
from dlbench.store.folder import Store
from dlbench.store.mirror import Mirror
from dlbench.store.pending import pending_count
from dlbench.store.sync import SyncReport, sync
from dlbench.store.ui import ui_command, ui_environment
from dlbench.worker.lock import machine_lock

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:DeprecationWarning"
)  # mlflow's use of it

LINES = [entry("lstm", 0), entry("lstm", 1), entry("lstm", cost=1)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_with(tmp_path / "store", LINES)


def _client(uri: str):  # type: ignore[no-untyped-def]
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _runs(uri: str, suite: str = "s"):  # type: ignore[no-untyped-def]
    client = _client(uri)
    experiment = client.get_experiment_by_name(suite)
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])} if experiment else {}


def _full(store: Store, lines: list[Entry] = LINES) -> None:
    invocation(store, [end(store, line) for line in lines])


def test_a_person_finds_what_the_store_knows(store: Store, uri: str, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "index.html").write_text("<p>lstm wins</p>")
    made = [end(store, LINES[0]), end(store, LINES[1], "failed"), end(store, LINES[2])]
    invocation(store, made, report=str(tmp_path / "report"))

    assert sync(store.root, uri) == SyncReport(created=4)

    runs = _runs(uri)
    parent = next(run for name, run in runs.items() if name.startswith("s · "))
    assert set(runs) == {parent.info.run_name, "lstm · seed 0", "lstm · seed 1", "lstm · cost b64 round 2"}
    assert parent.info.status == "FAILED"  # one of its jobs did
    assert parent.data.tags["mlflow.note.content"] == "Which one?\n\n**lstm wins.**"
    assert parent.data.metrics == {"lstm/test_accuracy_mean": 0.91}

    run = runs["lstm · seed 0"]
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (STARTED.timestamp() * 1000, STARTED.timestamp() * 1000 + 12500)
    tags = run.data.tags
    assert tags["mlflow.parentRunId"] == parent.info.run_id
    assert tags["dlbench.job_id"] == made[0][0]
    assert tags["dlbench.store"] == store.id
    assert (tags["dlbench.suite"], tags["dlbench.attempt"], tags["dlbench.status"]) == ("s", "1", "ok")
    assert tags["mlflow.source.git.commit"] == "c0ffee"
    assert tags["dlbench.missing"] == "mfu: no ceiling was measured"
    params = run.data.params
    assert params["model.hidden_size"] == "128"
    assert params["model.pooling.kind"] == "mean"
    assert params["model.kernels"] == "[3, 5]"
    assert params["train.lr"] == "0.002"
    assert params["train.epochs"] == "4.0"
    assert not {"train.betas", "train.compile", "train.threads", "dataset.digest"} & set(params)  # few columns
    assert tags["dlbench.data"] == "mirror, unofficial copy"
    assert params["seed"] == "0"
    assert run.data.metrics["test_accuracy"] == 0.91
    assert "mfu" not in run.data.metrics
    history = _client(uri).get_metric_history(run.info.run_id, "curve/val_accuracy")
    assert [(point.step, point.value, point.timestamp - run.info.start_time) for point in history] == [
        (100, 0.8, 2000),
        (200, 0.9, 4000),
    ]
    assert [run.data.metrics[f"val_accuracy_{end}"] for end in ("best", "final")] == [0.9, 0.9]
    used = run.inputs.dataset_inputs[0]
    assert (used.dataset.name, used.dataset.digest) == ("ag_news", "ab" * 18)
    assert used.tags[0].value == "train"
    attached = {file.path for file in _client(uri).list_artifacts(run.info.run_id)}
    assert attached == {"curve.csv", "model_card.md", "record.json"}
    assert [file.path for file in _client(uri).list_artifacts(parent.info.run_id, "report")] == ["report/index.html"]

    assert runs["lstm · seed 1"].info.status == "FAILED"
    assert runs["lstm · seed 1"].data.tags["dlbench.reason"] == "it broke"
    assert runs["lstm · cost b64 round 2"].data.params["cost.batch_size"] == "64"


def test_syncing_again_adds_nothing_with_or_without_the_ledger(store: Store, uri: str) -> None:
    _full(store)
    assert pending_count(store, uri) == 4
    assert sync(store.root, uri).created == 4
    assert pending_count(store, uri) == 0
    assert sync(store.root, uri) == SyncReport()
    shutil.rmtree(store.root / "mlflow")
    assert sync(store.root, uri) == SyncReport()
    assert len(_runs(uri)) == 4


def test_a_cached_job_keeps_its_run_and_a_new_attempt_gets_its_own(store: Store, uri: str) -> None:
    first = end(store, LINES[0])
    lost = end(store, LINES[1], "lost")
    invocation(store, [first, lost], 1)
    sync(store.root, uri)
    invocation(store, [end(store, LINES[1])], 2)
    invocation(store, [], 3)
    assert sync(store.root, uri) == SyncReport(created=2)
    runs = _runs(uri)
    assert len([name for name in runs if name.startswith("s · ")]) == 2  # the third changed nothing
    assert runs["lstm · seed 1 · attempt 2"].info.status == "FINISHED"


def test_a_new_database_gets_everything_though_the_ledger_remembers_another(
    store: Store, uri: str, template: Path, tmp_path: Path
) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    _full(store)
    sync(store.root, uri)
    (tmp_path / "mlflow.db").unlink()
    SqlAlchemyStore._get_or_create_engine(uri).dispose()  # as in a new process
    assert pending_count(store, uri) == 4
    shutil.copy(template, tmp_path / "mlflow.db")
    assert sync(store.root, uri).created == 4


def test_a_run_that_was_deleted_by_hand_stays_deleted(store: Store, uri: str) -> None:
    _full(store)
    sync(store.root, uri)
    _client(uri).delete_run(_runs(uri)["lstm · seed 0"].info.run_id)
    shutil.rmtree(store.root / "mlflow")
    assert sync(store.root, uri) == SyncReport()


def test_a_deleted_experiment_is_told_of(store: Store, uri: str) -> None:
    _full(store)
    sync(store.root, uri)
    client = _client(uri)
    client.delete_experiment(client.get_experiment_by_name("s").experiment_id)
    end(store, LINES[0])
    report = sync(store.root, uri)
    assert report.pending == 1
    assert report.error is not None
    assert "mlflow experiments restore --experiment-id 1" in report.error


def test_odd_names_long_values_and_long_curves_fit(store: Store, uri: str) -> None:
    line = entry("lstm (d=½, ~π) // x")
    store.write_suite(store.suite("s"), [line])
    made = end(store, line, reason="r" * 9000)
    rows = "\n".join(f"{step},{step},0.5,{0.1 * step}" for step in range(2500))
    curve = store.jobdir(*made).artifacts / "curve.csv"
    curve.write_text(f"step,elapsed_s,train loss [%],lr\n{rows}\n")
    invocation(store, [made], metrics={"lstm (d=½)/../acc%": 0.5})
    report = sync(store.root, uri)
    assert (report.created, report.error) == (2, None)
    run = _runs(uri)["lstm (d=½, ~π) // x · seed 0"]
    assert len(run.data.tags["dlbench.reason"]) == 5000
    points = _client(uri).get_metric_history(run.info.run_id, "curve/train loss ___")
    assert len(points) == 1000
    assert (points[0].step, points[-1].step) == (0, 2499)


def test_a_sync_killed_at_any_point_is_completed_by_the_next(store: Store, uri: str) -> None:
    _full(store)
    body = """
        from mlflow import MlflowClient
        calls, last = 0, (2, 4, 7)[number]
        def dying(name):
            real = getattr(MlflowClient, name)
            def call(*args, **kwargs):
                global calls
                calls += 1
                if calls > last:
                    shutil.rmtree(root / "mlflow")  # the ledger is lost, too
                    os._exit(9)
                return real(*args, **kwargs)
            setattr(MlflowClient, name, call)
        for name in ("create_run", "log_batch", "log_inputs", "log_artifact", "set_terminated"):
            dying(name)
        sync(root, uri)
    """
    _in_children(body, store, uri, 3, together=False)
    report = sync(store.root, uri)
    assert (report.pending, report.error) == (0, None)
    runs = _runs(uri)
    assert len(runs) == 4
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    for name in ("lstm · seed 0", "lstm · seed 1"):
        assert len(_client(uri).get_metric_history(runs[name].info.run_id, "curve/train_loss")) == 3


def test_two_syncs_at_once_write_every_run_once(store: Store, uri: str) -> None:
    lines = [entry("gru", seed) for seed in range(25)]  # more than are searched for one by one
    store.write_suite(store.suite("s"), lines)
    _full(store, lines)
    body = "os.write(1, sync(root, uri).model_dump_json().encode() + b'\\n')"
    reports = [SyncReport.model_validate_json(line) for line in _in_children(body, store, uri, 2, together=True)]
    assert sum(report.created for report in reports) == 26
    assert all(report.pending == 0 and report.error is None for report in reports)
    client = _client(uri)
    assert len(client.search_runs([client.get_experiment_by_name("s").experiment_id])) == 26


def test_the_database_is_made_once_by_processes_that_start_together(store: Store, tmp_path: Path) -> None:
    (tmp_path / ".mlflow.db.new").write_bytes(b"left by one that was killed")
    body = "os.write(1, Tracker(uri).experiment('s', '').identity.encode() + b'\\n')"
    answers = _in_children(body, store, f"sqlite:///{tmp_path / 'mlflow.db'}", 4, together=True)
    assert len(answers) == 4
    assert len(set(answers)) == 1
    assert not (tmp_path / ".mlflow.db.new").exists()


def _in_children(body: str, store: Store, uri: str, count: int, *, together: bool) -> list[str]:
    """Lines written by children of one process that has imported mlflow, which takes long, but opened nothing."""
    code = """
        import os, shutil, sys
        from pathlib import Path
        from dlbench.store.mlflow import Tracker
        from dlbench.store.sync import sync
        root, uri, count, together, body = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
        for number in range(count):
            if os.fork() == 0:
                exec(body)
                os._exit(0)
            if together == "False":
                os.wait()
        if together == "True":
            for number in range(count):
                os.wait()
    """
    arguments = [str(store.root), uri, str(count), str(together), textwrap.dedent(body)]
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    done = subprocess.run(command, env=child_env(), stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().splitlines()


def test_a_file_that_is_no_database_is_told_of_and_left_alone(store: Store, tmp_path: Path) -> None:
    _full(store)
    (tmp_path / "other.db").write_text("a diary, not a database")
    report = sync(store.root, f"sqlite:///{tmp_path / 'other.db'}")
    assert report.pending == 4
    assert report.error is not None
    assert "is not an SQLite database: 4 runs are pending" in report.error
    assert (tmp_path / "other.db").read_text() == "a diary, not a database"


def test_a_run_is_followed_to_its_end(store: Store, uri: str) -> None:
    with store.writer():
        invocation(store, [], ended_at=None, verdict=None, metrics={})
        mirror = Mirror(store, uri, "s")
        made = []
        for line in LINES:
            made.append(end(store, line))
            invocation(store, made, ended_at=None, verdict=None, metrics={})
            mirror.tell(*made[-1])
        deadline = time.monotonic() + 30
        statuses: list[str] = []
        while statuses != ["FINISHED"] * 3 + ["RUNNING"] and time.monotonic() < deadline:
            time.sleep(0.1)
            runs = _runs(uri)
            statuses = sorted(run.info.status for run in runs.values())
        assert statuses == ["FINISHED"] * 3 + ["RUNNING"]
        invocation(store, made)
        report = mirror.finish()
    assert (report.created, report.updated, report.pending, report.error) == (4, 0, 0, None)
    assert mirror.log.read_bytes() == b""
    assert {run.info.status for run in _runs(uri).values()} == {"FINISHED"}


def test_a_measurement_is_not_disturbed(store: Store, uri: str, tmp_path: Path) -> None:
    _full(store)
    with machine_lock(tmp_path, exclusive=True):
        mirror = Mirror(store, uri, "s", tmp_path)
        mirror.tell(LINES[0].job.id, 1)
        time.sleep(2)
        assert _runs(uri) == {}
    mirror.drain()
    report = mirror.finish()
    assert (report.created, report.error) == (4, None)


def test_measurements_of_others_keep_a_run_only_for_a_while(store: Store, uri: str, tmp_path: Path) -> None:
    _full(store)
    heard: list[int] = []
    with machine_lock(tmp_path, exclusive=True):
        mirror = Mirror(store, uri, "s", tmp_path)
        began = time.monotonic()
        report = mirror.finish(on_wait=heard.append)
        assert 8 < time.monotonic() - began < 20
    assert heard == [4]
    assert report.error is not None
    assert "measurements on this machine" in report.error
    assert report.pending == 4


def test_the_mirror_is_gone_soon_after_its_parent(store: Store, uri: str) -> None:
    _full(store)
    code = """
        import sys, time
        from pathlib import Path
        from dlbench.store.folder import Store
        from dlbench.store.mirror import Mirror
        mirror = Mirror(Store.open(Path(sys.argv[1]), create=False), sys.argv[2], "s")
        print(mirror.pid, flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), store.root, uri]
    parent = subprocess.Popen(command, env=child_env(), stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout as stdout:
        pid = int(stdout.readline())
    time.sleep(1)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    killed = time.monotonic()
    while _lives(pid):
        assert time.monotonic() - killed < 2
        time.sleep(0.02)
    sync(store.root, uri)  # whatever it was doing, the next one completes it
    assert len(_runs(uri)) == 4


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_port_where_nobody_listens(store: Store) -> None:
    _full(store)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://user:secret@127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    report = sync(store.root, uri)
    assert time.monotonic() - began < 1
    assert report.error is not None
    assert "cannot be reached (Connection refused): 4 runs are pending; `dlbench sync`" in report.error
    assert "secret" not in report.error
    assert report.pending == pending_count(store, uri) == 4


def test_a_server_that_never_answers_keeps_nobody(store: Store) -> None:
    _full(store)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        uri = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        mirror = Mirror(store, uri, "s")
        began = time.monotonic()
        mirror.tell(LINES[0].job.id, 1)
        assert time.monotonic() - began < 0.1
        report = mirror.finish()
        assert time.monotonic() - began < 7
    assert report.error is not None
    assert report.error.endswith("4 runs are pending; `dlbench sync` brings them in later.")
    assert report.pending == 4


def test_a_server_shows_what_was_sent_to_it_and_what_was_written_beside_it(
    store: Store, uri: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _full(store)
    store.write_suite(Suite(name="t", tasks=store.suite("s").tasks), LINES[:1])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    sync(store.root, uri, suites=["s"])
    with open(tmp_path / "server.log", "wb") as log:
        server = subprocess.Popen(
            ui_command(uri, port=port), env={**child_env(), **ui_environment(uri)}, stdout=log, stderr=log
        )
    try:
        while unreachable(address):
            assert server.poll() is None, (tmp_path / "server.log").read_text()
            time.sleep(0.1)
        # The server looks into the same database: one suite is there, the other is sent to it.
        assert sync(store.root, address) == SyncReport(created=1)
        for suite in ("s", "t"):
            run_id = _runs(uri, suite)["lstm · seed 0"].info.run_id
            with urllib.request.urlopen(f"{address}/get-artifact?path=model_card.md&run_uuid={run_id}") as answer:
                assert answer.read() == b"# lstm\n"
        # Its experiment keeps artifacts where the server does, also when the database is written without it.
        store.write_suite(Suite(name="t", tasks=store.suite("s").tasks), LINES[:2])
        assert sync(store.root, uri, suites=["t"]) == SyncReport(created=1)
        run_id = _runs(uri, "t")["lstm · seed 1"].info.run_id
        with urllib.request.urlopen(f"{address}/get-artifact?path=model_card.md&run_uuid={run_id}") as answer:
            assert answer.read() == b"# lstm\n"
    finally:
        server.terminate()
        server.wait()
    assert capfd.readouterr().out == ""
