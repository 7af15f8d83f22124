"""Calibrations that are kept of this machine, one file for each device, number of threads and version of torch.

They stand in the user's data folder, not in the cache: a full one took a minute and a half of a quiet machine.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlbench.cli.console import say
from dlbench.cli.quantities import count
from dlbench.errors import DlbenchError
from dlbench.jobdir import write_whole
from dlbench.plan.identity import digest, hardware
from dlbench.schema.base import Json
from dlbench.schema.calibration import Calibration, Rate
from dlbench.worker.lock import lock_dir, machine_lock

if TYPE_CHECKING:
    from dlbench.executors._warm import Warm

Here = Mapping[str, Any]
"""What `{"what": "machine"}` is answered with: machine, versions, devices."""


def place(machine: Mapping[str, Any], device: str, torch: str, threads: int) -> Path:
    """The file of a calibration; two GPUs that are alike share one."""
    import platformdirs

    about = {"hardware": hardware(machine, device), "device": device.partition(":")[0]}
    key = digest({**about, "torch": torch, "threads": threads})
    return platformdirs.user_data_path("dlbench") / "calibrations" / f"{key}.json"


def load_calibration(machine: Mapping[str, Any], device: str, torch: str, threads: int) -> Calibration | None:
    """What is kept of a device with so many threads; None if nothing is, or nothing that this dlbench can read.

    Args:
        machine: as `dlbench.worker.machine.machine` tells it.
        device: `cpu`, `cuda` or `cuda:1`.
        torch: its version.
    """
    try:
        return Calibration.model_validate_json(place(machine, device, torch, threads).read_bytes())
    except (OSError, ValueError):  # measured again, at the price of some seconds
        return None


def keep(calibration: Calibration, machine: Mapping[str, Any]) -> tuple[Calibration, Path]:
    """Keep a calibration, with what an earlier one has and this one lacks: a quick one leaves overhead and noise alone.

    What was disturbed never takes the place of what was not. Of two disturbed ceilings the higher figures stay:
    disturbance only lowers them.

    Returns:
        What is kept now, and where.

    Raises:
        OSError: the folder cannot be written.
    """
    at = (machine, calibration.device, calibration.torch, calibration.threads)
    earlier, path = load_calibration(*at), place(*at)
    if earlier is not None:
        calibration = _joined(calibration, earlier)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, calibration.model_dump_json(indent=1, by_alias=True).encode())
    return calibration, path


def _joined(new: Calibration, old: Calibration) -> Calibration:
    parts: dict[str, Any] = {}
    for name in ("overhead", "noise"):
        ours, theirs = getattr(new, name), getattr(old, name)
        parts[name] = theirs if ours is None or (theirs is not None and ours.flags and not theirs.flags) else ours
    if not new.flags:
        return new.model_copy(update=parts)
    if not old.flags:
        return old.model_copy(update=parts)
    names = ("copy_bytes_per_s", "to_device_bytes_per_s", "from_device_bytes_per_s")
    parts |= {name: max(getattr(new, name) or 0.0, getattr(old, name) or 0.0) or None for name in names}
    rates = {name: max(rate, old.rates.get(name, rate), key=_rate) for name, rate in new.rates.items()}
    return new.model_copy(update={**parts, "rates": rates})


def _rate(rate: Rate) -> float:
    return rate.flops_per_s or 0.0


def measure(warm: "Warm", here: Here, device: str, threads: int, *, quick: bool) -> Calibration:
    """Measure a device in a child of the warm process; the caller holds the machine's lock.

    Args:
        quick: rates and bandwidths only.

    Raises:
        DlbenchError: it cannot be measured.
    """
    (answer,) = warm.describe([{"what": "calibrate", "device": device, "threads": threads, "quick": quick}])
    if "error" in answer:
        raise DlbenchError(str(answer["error"]))
    about = {"device": device, "threads": threads, "torch": here["versions"]["torch"]}
    return Calibration.model_validate({"schema": 1, **about, "hardware": hardware(here["machine"], device), **answer})


def of_jobs(warm: "Warm", here: Here, kinds: Iterable[tuple[str, int]]) -> dict[tuple[str, int], dict[str, Json]]:
    """What is kept of devices and threads, as cost jobs are handed it; quickly measured first where nothing is.

    A device that cannot be calibrated is left out, and said: no run fails for it.

    Args:
        kinds: (device, threads) of cost jobs.
    """
    found = {}
    for device, threads in sorted(kinds):
        calibration = load_calibration(here["machine"], device, here["versions"]["torch"], threads)
        try:
            if calibration is None:
                calibration = _first(warm, here, device, threads)
        except (DlbenchError, OSError) as error:
            say(f"{device} could not be calibrated, so its jobs have no ceiling to be compared with: {error}")
        else:
            if calibration.flags:
                say(f"the ceilings kept of {device} may be too low: {'; '.join(calibration.flags)}")
            found[device, threads] = calibration.model_dump(mode="json", by_alias=True)
    return found


def _first(warm: "Warm", here: Here, device: str, threads: int) -> Calibration:
    say(
        f"calibrating {device} ({count(threads, 'thread')}) once: matrix rates and copy bandwidth (about 3 s); "
        "`dlbench calibrate` adds overhead and noise floor"
    )
    with alone():
        measured = measure(warm, here, device, threads, quick=True)
    return keep(measured, here["machine"])[0]


def alone() -> AbstractContextManager[None]:
    """Hold the machine alone, like a job whose clock is a result."""
    return machine_lock(lock_dir(), exclusive=True, on_wait=lambda: say("waiting until nothing else runs here"))
