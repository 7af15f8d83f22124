"""Calibrations: measured by a command, kept, handed to cost jobs, measured by a run that finds none."""

import json
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from terminal import QUIET, Terminal

from dlbench.cli.calibrations import keep, load_calibration, of_jobs, place
from dlbench.cli.repeating import METRICS, noise
from dlbench.executors._warm import Warm
from dlbench.plan.describe import Describer
from dlbench.schema.calibration import Calibration, Noise, Overhead, Rate

MACHINE: dict[str, Any] = {"cpu": "a processor", "cores": 2, "memory_bytes": 2**33, "gpus": [{"name": "one"}] * 2}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def calibration(**changes: Any) -> Calibration:
    about = {"device": "cpu", "threads": 2, "torch": "2", "hardware": {}, "copy_bytes_per_s": 1e10}
    rates = {"float32": Rate(flops_per_s=1e11, size=512)}
    return Calibration.model_validate({"schema": 1, "measured_at": NOW, "rates": rates, **about, **changes})


def jobs(terminal: Terminal) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in terminal.folder.glob(".dlbench/jobs/*/*/job.json")]


def test_a_quick_calibration_keeps_overhead_and_noise_of_a_full_one() -> None:
    overhead = Overhead(measured_at=NOW, ratio=0.9, quartiles=(0.8, 0.95), n=15, what="a step")
    floors = Noise(measured_at=NOW, metrics={"train_throughput": 0.04}, even_odd={}, rounds=12, what="a model")
    keep(calibration(overhead=overhead, noise=floors), MACHINE)
    later = datetime(2026, 2, 1, tzinfo=UTC)
    kept, path = keep(calibration(measured_at=later, copy_bytes_per_s=2e10), MACHINE)
    assert load_calibration(MACHINE, "cpu", "2", 2) == kept
    assert (kept.measured_at, kept.copy_bytes_per_s) == (later, 2e10)
    assert (kept.overhead, kept.noise) == (overhead, floors)
    path.unlink()


def test_what_was_disturbed_does_not_replace_what_was_not() -> None:
    def floors(*flags: str) -> Noise:
        return Noise(measured_at=NOW, metrics={}, even_odd={}, rounds=12, what="a model", flags=flags)

    def rates(flops_per_s: float) -> dict[str, Rate]:
        return {"float32": Rate(flops_per_s=flops_per_s, size=512)}

    machine = {**MACHINE, "cpu": "a busy one"}
    for copy, flops, flags, kept in (
        (5.0, 2.0, ("busy",), (5.0, 2.0)),
        (4.0, 3.0, ("busy",), (5.0, 3.0)),
        (3.0, 2.0, (), (3.0, 2.0)),
        (9.0, 1.0, ("busy",), (3.0, 2.0)),
    ):
        new = calibration(copy_bytes_per_s=copy, rates=rates(flops), flags=flags, noise=floors(*flags))
        found, _ = keep(new, machine)
        assert (found.copy_bytes_per_s, found.rates["float32"].flops_per_s) == kept
    assert found.noise == floors()
    assert found.flags == ()


def test_noise_comes_from_whole_cost_jobs(tmp_path: Path) -> None:
    with Warm() as warm:
        describe = Describer(lambda requests: warm.describe(list(requests)), tmp_path)
        found = noise(warm, describe, "cpu", 1, rounds=2, more=1, limit_s=0.02)
    assert found.rounds in (2, 3)
    assert set(found.metrics) == set(found.even_odd) == set(METRICS)
    assert all(floor >= 0 for floor in found.metrics.values())


def test_a_calibration_belongs_to_hardware_threads_and_torch() -> None:
    here = place(MACHINE, "cpu", "2", 2)
    assert here == place({**MACHINE, "host": "renamed"}, "cpu", "2", 2)
    assert place(MACHINE, "cuda:0", "2", 2) == place(MACHINE, "cuda:1", "2", 2) == place(MACHINE, "cuda", "2", 2)
    others = [place({**MACHINE, "cpu": "another"}, "cpu", "2", 2), place(MACHINE, "cpu", "3", 2)]
    others += [place(MACHINE, "cpu", "2", 1), place(MACHINE, "cuda:0", "2", 2)]
    assert len({here, *others}) == 5


def test_what_cannot_be_read_counts_as_not_there() -> None:
    path = place(MACHINE, "cpu", "damaged", 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"schema": 1')
    assert load_calibration(MACHINE, "cpu", "damaged", 2) is None


def test_a_device_that_cannot_be_calibrated_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where the machine's lock is: not the user's
    here = {"machine": MACHINE, "versions": {"torch": "none"}}
    with Warm() as warm:
        assert of_jobs(warm, here, {("cuda:99", 1)}) == {}
    assert "cuda:99 could not be calibrated" in capsys.readouterr().err


def test_a_run_measures_once_hands_cost_jobs_what_is_kept_and_doctor_shows_it(
    terminal: Terminal, tmp_path: Path
) -> None:
    environment = {"XDG_DATA_HOME": str(tmp_path / "data")}
    assert "calibrated cpu: none: `dlbench calibrate`" in terminal("doctor", **environment).out
    cost = {"batch_sizes": [8], "phases": ["infer"], "rounds": 1, "limit_s": 0.05}
    suite = terminal.write(cost=cost)
    first = terminal("run", suite, *QUIET, **environment)
    assert re.search(r"calibrating cpu \(\d+ threads?\) once", first.err)
    (measured,) = [job["calibration"] for job in jobs(terminal) if job["job"]["kind"] == "cost"]
    assert measured["rates"]["float32"]["flops_per_s"] > 0
    assert all(job["calibration"] is None for job in jobs(terminal) if job["job"]["kind"] == "train")
    (kept,) = terminal("calibrate", "--quick", "--json", "--device", "cpu", **environment).json
    assert Path(kept.pop("kept")).is_relative_to(tmp_path / "data")
    assert kept["rates"].keys() == measured["rates"].keys()
    assert kept["measured_at"] > measured["measured_at"]
    second = terminal("run", suite, "seeds=2", "cost.rounds=2", *QUIET, **environment)
    assert "calibrating" not in second.err
    handed = [job["calibration"] for job in jobs(terminal) if job["job"]["kind"] == "cost"]
    assert measured in handed
    assert kept in handed
    assert terminal("doctor", "--json", **environment).json["calibrations"]["cpu"] == kept


def test_a_smoke_run_is_not_calibrated(terminal: Terminal, tmp_path: Path) -> None:
    suite = terminal.write(cost={"batch_sizes": [8], "phases": ["infer"], "rounds": 1})
    assert "calibrating" not in terminal("run", suite, "--smoke", XDG_DATA_HOME=str(tmp_path / "data")).err
    assert not (tmp_path / "data").exists()


def test_calibrate_refuses_a_device_that_is_not_here(terminal: Terminal) -> None:
    assert "--device cuda:99: this machine has cpu" in terminal("calibrate", "--device", "cuda:99", code=2).err
