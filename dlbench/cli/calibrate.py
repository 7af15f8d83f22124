"""`dlbench calibrate`: what this machine can do at best, what the harness costs here, how noisy it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlbench.cli.console import as_json, data, out, say, warn
from dlbench.cli.options import Json
from dlbench.cli.quantities import count
from dlbench.errors import UsageError

if TYPE_CHECKING:
    from dlbench.schema.calibration import Calibration, Noise, Rate


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: dlbench calibrate --device cpu")(calibrate)


def calibrate(
    device: Annotated[
        list[str] | None, typer.Option("--device", help="cpu or cuda:N, once or several times; default: all here.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the processor; default: all cores.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Matrix rates and copy bandwidth only; what else is kept stays.")
    ] = False,
    json: Json = False,
) -> None:
    """Measure matrix rates, copy bandwidth, the harness's overhead and the noise floor of this machine, and keep them.

    It holds the machine alone, and takes about a minute and a half for each device (--quick: seconds).
    """
    from dlbench.cli import calibrations
    from dlbench.cli.wiring import answered, describing

    found: list[tuple[Calibration, Path]] = []
    with describing() as (warm, describe):
        here = answered(describe([{"what": "machine"}])[0])
        machine = here["machine"]
        chosen = _devices(device or (), tuple(here["devices"]))
        with calibrations.alone():
            for name in chosen:
                cores = threads or int(machine["cores"])
                say(f"{name}, {count(cores, 'thread')}: rates and bandwidth{'' if quick else ', overhead'}")
                kept, path = calibrations.keep(calibrations.measure(warm, here, name, cores, quick=quick), machine)
                if not quick:
                    from dlbench.cli.repeating import noise

                    say(f"{name}, {count(cores, 'thread')}: noise")
                    whole = kept.model_copy(update={"noise": noise(warm, describe, name, cores)})
                    kept, path = calibrations.keep(whole, machine)
                found.append((kept, path))
    if any(part and part.flags for kept, _ in found for part in (kept, kept.overhead, kept.noise)):
        warn("the machine was not quiet: calibrate again when it is, and what was disturbed is replaced")
    if json:
        as_json([{**kept.model_dump(mode="json", by_alias=True), "kept": str(path)} for kept, path in found])
        return
    for kept, path in found:
        _show(kept, machine)
        data(f"kept       {path}")


def _devices(asked: Sequence[str], there: Sequence[str]) -> tuple[str, ...]:
    """The devices to calibrate.

    Raises:
        UsageError: this machine lacks one.
    """
    names = tuple(dict.fromkeys("cuda:0" if name == "cuda" else name for name in asked))
    for name in names:
        if name not in there:
            raise UsageError(f"--device {name}: this machine has {', '.join(there)}")
    return names or tuple(there)


def _show(kept: "Calibration", machine: dict[str, Any]) -> None:
    from rich.table import Table

    name = machine["cpu"] if kept.device == "cpu" else machine["gpus"][int(kept.device.partition(":")[2])]["name"]
    title = f"{kept.device}: {name}, {count(kept.threads, 'thread')}, torch {kept.torch}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("matrix products", "best rate", "at size", ""):
        table.add_column(column, justify="right" if column in ("best rate", "at size") else "left")
    for dtype, rate in kept.rates.items():
        table.add_row(dtype, _rate(dtype, rate), str(rate.size or ""), rate.reason or "")
    out().print(table)
    data(f"copy       {_bytes(kept.copy_bytes_per_s)} read and written")
    if kept.to_device_bytes_per_s and kept.from_device_bytes_per_s:
        back = _bytes(kept.from_device_bytes_per_s)
        data(f"transfer   {_bytes(kept.to_device_bytes_per_s)} from pinned memory to the device, {back} back")
    _flags(kept.flags)
    if kept.overhead is None:
        data("overhead   not measured: `dlbench calibrate` without --quick")
    else:
        (low, high), n = kept.overhead.quartiles, kept.overhead.n
        data(
            f"overhead   a training step through dlbench has {kept.overhead.ratio:.3f} times the throughput of one "
            f"written by hand (quartiles {low:.3f} to {high:.3f}, n = {n}; {kept.overhead.what})"
        )
        _flags(kept.overhead.flags)
    if kept.noise is None:
        data("noise      not measured: `dlbench calibrate` without --quick")
    else:
        _show_noise(kept.noise)


def _show_noise(noise: "Noise") -> None:
    floors = ", ".join(f"{_words(name)} {floor:.1%}" for name, floor in noise.metrics.items())
    itself = ", ".join(f"{_words(name)} {off:+.1%}" for name, off in noise.even_odd.items())
    data(f"noise      two rounds of the same differ by less than this in 95 % of cases: {floors}")
    data(f"           ({noise.rounds} rounds, each a process of its own; {noise.what})")
    data(f"           even against odd rounds: {itself}")
    _flags(noise.flags)


def _flags(flags: Sequence[str]) -> None:
    for flag in flags:
        data(f"           disturbed: {flag}")


def _words(metric: str) -> str:
    return metric.removesuffix("_ms").replace("_", " ")


def _rate(dtype: str, rate: "Rate") -> str:
    if rate.flops_per_s is None:
        return "none"
    unit = "OP/s" if dtype == "int8" else "FLOP/s"
    tera = rate.flops_per_s >= 1e12
    return f"{rate.flops_per_s / (1e12 if tera else 1e9):,.1f} {'T' if tera else 'G'}{unit}"


def _bytes(per_s: float) -> str:
    return f"{per_s / 1e9:,.1f} GB/s"
