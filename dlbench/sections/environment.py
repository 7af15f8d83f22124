"""Environment: machine, versions, data and commands, so that the run can be made again."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from dlbench.analyze.contenders import assignments, canonical
from dlbench.analyze.floors import calibration
from dlbench.analyze.quantities import quantity
from dlbench.analyze.results import Results
from dlbench.schema.base import Json
from dlbench.schema.blocks import Block, Cell, Code, Column, Heading, KeyValues, Section, Table, Text
from dlbench.schema.record import Record, Result

POSITION = 90

_BANDWIDTHS = {
    "copy_bytes_per_s": "Copying on the device",
    "to_device_bytes_per_s": "To the device",
    "from_device_bytes_per_s": "From the device",
}


def build(results: Results) -> Section | None:
    """Data, machine, versions, commands and code of every record; None while there is no record."""
    records = [result.record for result in results.results if result.record is not None]
    if not records:
        return None
    blocks: list[Block] = [Heading(text="Data"), _data(results), Heading(text="Machine and software")]
    machines = _distinct(records, _machine)
    versions = _distinct(records, lambda record: record.versions)
    if len(machines) > 1 or len(versions) > 1:
        text = "The records come from several machines or versions: compare costs across them with care."
        blocks.append(Text(text=text, tone="warning"))
    for number, machine in enumerate(machines, start=1):
        caption = f"Machine {number} of {len(machines)}" if len(machines) > 1 else "Machine"
        blocks.append(
            KeyValues(
                items=tuple((_words(key), _value(key, v)) for key, v in machine.items() if v not in (None, "", [])),
                caption=caption,
            )
        )
    blocks += [_ceilings(found) for found in _distinct(records, calibration)]
    for number, found in enumerate(versions, start=1):
        caption = f"Versions {number} of {len(versions)}" if len(versions) > 1 else "Versions"
        blocks.append(KeyValues(items=tuple((key, str(v)) for key, v in found.items()), caption=caption))
    blocks += [Heading(text="How it was run"), _run(results, records)]
    if results.written:
        caption = (
            "The whole suite as it was run, overrides included: dlbench run suite.yaml (beside this page) repeats it"
        )
        blocks.append(Code(text=results.written, caption=caption, language="yaml"))
    return Section(title="Environment and reproduction", anchor="environment", blocks=tuple(blocks))


def _machine(record: Record) -> Mapping[str, Json]:
    """The machine without its calibration, which has a box of its own and may be newer than the machine."""
    return {key: value for key, value in record.machine.items() if key != "calibration"}


def _ceilings(found: Mapping[str, Json]) -> KeyValues:
    """What a calibration found, as far as it is there."""
    rates = found.get("rates")
    items = [("Calibrated", str(found.get("measured_at", "")))]
    if flags := found.get("flags"):
        items.append(("Disturbed", "; ".join(map(str, flags)) if isinstance(flags, list) else str(flags)))
    for dtype, rate in rates.items() if isinstance(rates, dict) else ():
        flops = rate.get("flops_per_s") if isinstance(rate, dict) else None
        emulated = " (emulated)" if isinstance(rate, dict) and rate.get("emulated") else ""
        if isinstance(flops, int | float):
            items.append((f"Matrix products, {dtype}{emulated}", f"{quantity(flops, 'flop')}/s"))
    for key, what in _BANDWIDTHS.items():
        if isinstance(bandwidth := found.get(key), int | float):
            items.append((what, f"{quantity(bandwidth, 'bytes')}/s"))
    overhead = found.get("overhead")
    if isinstance(overhead, dict) and isinstance(ratio := overhead.get("ratio"), int | float):
        items.append(("Speed of dlbench's loop against a bare one", quantity(ratio, "fraction")))
    where = f"{found.get('device', 'the machine')} with {found.get('threads', '?')} threads"
    return KeyValues(items=tuple(items), caption=f"What {where} can do at best, by dlbench calibrate")


def _distinct(records: Iterable[Record], part: Callable[[Record], Mapping[str, Json]]) -> list[dict[str, Json]]:
    seen: dict[str, dict[str, Json]] = {}
    for record in records:
        value = dict(part(record))
        if value:
            seen.setdefault(canonical(value), value)
    return list(seen.values())


def _words(key: str) -> str:
    return {"os": "OS", "cpu": "CPU", "gpus": "GPUs"}.get(
        key, key.removesuffix("_bytes").replace("_", " ").capitalize()
    )


def _value(key: str, value: Json) -> str:
    if key.endswith("_bytes") and isinstance(value, int | float):
        return quantity(value, "bytes")
    if isinstance(value, list):
        return "; ".join(_value("", item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{_value(k, v)}" if k == "name" else f"{_words(k)} {_value(k, v)}" for k, v in value.items())
    return str(value)


def _data(results: Results) -> Table:
    rows = []
    for arena in results.arenas:
        members = [result for contender in arena.contenders for result in contender.train + contender.cost]
        known = [result.record.dataset for result in members if result.record is not None]
        used = next((dataset for dataset in known if dataset.train is not None), None)
        official = Cell(value="yes") if arena.official else Cell(value="no", tone="warning")
        sizes: tuple[int | None, ...] = (used.train, used.val, used.test) if used else (None, None, None)
        params = assignments(members[0].entry.job.dataset.params)
        rows.append((arena.title, arena.source, official, *sizes, params, arena.digest))
    return Table(
        columns=(
            Column(name="Data"),
            Column(name="Source", tooltip="Where the copy came from"),
            Column(name="Official", tooltip="Every file has the digest that the official source publishes"),
            Column(name="Train", format="count"),
            Column(name="Validation", format="count"),
            Column(name="Test", format="count"),
            Column(name="Parameters"),
            Column(name="Digest", format="code"),
        ),
        rows=tuple(rows),
        caption="What was trained on and scored, in examples.",
        sortable=False,
    )


def _run(results: Results, records: Sequence[Record]) -> KeyValues:
    items: list[tuple[str, str]] = [("Suite", results.suite.name)]
    items += [("Command", command) for command in sorted({record.command for record in records if record.command})]
    commits = {
        f"{record.code['git_commit']}{' (with uncommitted changes)' if record.code.get('git_dirty') else ''}"
        for record in records
        if record.code.get("git_commit")
    }
    items += [("Git commit", commit) for commit in sorted(commits)]
    items.append(("Seeds", _seeds(results.compared)))
    if results.candidates:
        items.append(("Seeds of candidates", _seeds(results.candidates)))
    threads = sorted({(record.kind, record.threads) for record in records})
    items += [(f"Threads of {kind} jobs", str(count)) for kind, count in threads]
    items.append(("Devices", ", ".join(sorted({record.device for record in records}))))
    ran: dict[str, set[str]] = {}
    for record in records:
        ran.setdefault(record.precision.asked, set()).update(record.precision.ran)
    precisions = [f"{asked} ({', '.join(sorted(dtypes))})" if dtypes else asked for asked, dtypes in ran.items()]
    items.append(("Precision (what ran)", ", ".join(precisions)))
    items.append(("First started", min(record.started_at for record in records).strftime("%Y-%m-%d %H:%M:%S %Z")))
    items.append(("Time of all jobs", quantity(sum(record.duration_s for record in records), "seconds")))
    return KeyValues(items=tuple(items), caption="How it was run")


def _seeds(results: Iterable[Result]) -> str:
    seeds = sorted({result.entry.job.seed for result in results if result.entry.job.seed is not None})
    return ", ".join(map(str, seeds)) or "none"
