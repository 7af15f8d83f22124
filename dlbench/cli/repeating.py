"""The noise of this machine: one small configuration measured again and again, as a suite does by default.

Whole cost jobs, each in a process of its own, run through plan, loop and executor into a store that is then gone. A
round in which something disturbed the machine is made up for; if the machine does not become quiet, all rounds count,
and the result says so.
"""

import json
import tempfile
import time
from collections import Counter, deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from dlbench.analyze.repeats import even_against_odd, noise_floor
from dlbench.cli.console import say
from dlbench.errors import EnvironmentFault
from dlbench.executors._warm import Warm
from dlbench.executors.local import Local
from dlbench.plan.data import DataOptions
from dlbench.plan.describe import Describer
from dlbench.plan.load import load_suite
from dlbench.plan.plan import Datasets, make_plan
from dlbench.run.loop import Loop, RunOptions
from dlbench.schema.calibration import Noise
from dlbench.schema.event import Event
from dlbench.schema.job import Entry
from dlbench.schema.record import Record
from dlbench.schema.suite import CostSettings
from dlbench.store.folder import Store

METRICS = ("train_throughput", "infer_throughput", "infer_latency_p50_ms")
ROUNDS, LEAST_ROUNDS = 12, 10
"""Undisturbed rounds that are wanted, and how many are enough where others were disturbed."""

MORE_ROUNDS, MORE_S = 8, 60.0
"""At most so many are made up for, and after so many seconds ten rounds of any kind are enough."""

LIMIT_S: float = CostSettings.model_fields["limit_s"].default
BATCH = 64
WHAT = f"convolutional network on handwritten digits, batch {BATCH}, fp32"


def noise(
    warm: Warm,
    describe: Describer,
    device: str,
    threads: int,
    *,
    rounds: int = ROUNDS,
    more: int = MORE_ROUNDS,
    limit_s: float = LIMIT_S,
) -> Noise:
    """Noise floors of a device with so many threads; the caller holds the machine's lock.

    Args:
        rounds: undisturbed ones that are wanted, at least 2.
        more: that may be made up for.
        limit_s: of the cost jobs.

    Raises:
        EnvironmentFault: a job failed.
    """
    with tempfile.TemporaryDirectory(prefix="dlbench-calibrate-") as name:
        folder = Path(name)
        (folder / "suite.yaml").write_text(json.dumps(_suite(device, threads, rounds + more, limit_s)))  # JSON is YAML
        suite = load_suite(folder / "suite.yaml", (), describe)
        datasets = Datasets(describe, DataOptions.from_environment(None, True, None), {})
        plan = make_plan(suite, datasets, before={}, earlier=[], know=lambda job_id: "open")
        source = _Rounds(plan.entries, rounds)
        with Store.writing(folder / "store") as store:
            Loop(source, store, Local(warm), RunOptions(), source).run()
    return source.noise()


def _suite(device: str, threads: int, rounds: int, limit_s: float) -> dict[str, object]:
    return {
        "schema": 1,
        "name": "calibration",
        "tasks": [{"image_classification": {"dataset": "digits"}}],
        "models": [{"cnn": {"width": 32, "stages": 2}}],
        "device": device,
        "seeds": 0,
        "cost": {"batch_sizes": [BATCH], "rounds": rounds, "threads": threads, "limit_s": limit_s},
    }


class _Rounds:
    """Names rounds until enough of them were undisturbed; says how far it is."""

    def __init__(self, entries: Sequence[Entry], wanted: int) -> None:
        self.waiting, self.wanted = deque(entries), wanted
        self.began = time.monotonic()
        self.records: list[Record] = []

    def ask(self) -> Entry | None:
        """The next round, or None at the end."""
        return None if self.finished else self.waiting.popleft()

    def report(self, entry: Entry, event: Event) -> bool:
        """Cost jobs have no validations."""
        return True

    def tell(self, entry: Entry, record: Record) -> None:
        """A round has ended."""
        self.records.append(record)
        how = record.reason or ", ".join(_disturbances(record)) or f"undisturbed ({len(self.quiet)} of {self.wanted})"
        say(f"  round {len(self.records)}: {how}")

    @property
    def quiet(self) -> list[Record]:
        """Rounds that nothing disturbed."""
        return [record for record in self.records if record.status == "ok" and not _disturbances(record)]

    @property
    def finished(self) -> bool:
        """Whether there are enough, or one has failed, or no other may be made up for."""
        failed = bool(self.records) and self.records[-1].status != "ok"
        late = len(self.records) >= LEAST_ROUNDS and time.monotonic() - self.began > MORE_S
        return failed or late or len(self.quiet) >= self.wanted or not self.waiting

    def noise(self) -> Noise:
        """What the rounds come to.

        Raises:
            EnvironmentFault: one failed.
        """
        last = self.records[-1]
        if last.status != "ok":
            raise EnvironmentFault(f"a round of the noise floor {last.status}: {last.reason}")
        quiet = len(self.quiet) >= min(self.wanted, LEAST_ROUNDS)
        counted = self.quiet if quiet else self.records
        values = {
            name: [metric.value for record in counted if (metric := record.metric(name)) and metric.value is not None]
            for name in METRICS
        }
        what = Counter() if quiet else Counter(each for record in counted for each in _disturbances(record))
        return Noise(
            measured_at=datetime.now(UTC),
            metrics={name: noise_floor(found) for name, found in values.items() if len(found) > 1},
            even_odd={name: even_against_odd(found) for name, found in values.items() if len(found) > 1},
            rounds=len(counted),
            what=WHAT,
            flags=tuple(f"{each} in {n} of {len(counted)} rounds" for each, n in what.items()),
        )

    def on_start(self, entry: Entry, folder: Path) -> None:
        """Nothing to say."""

    def on_event(self, entry: Entry, events: Sequence[Event]) -> None:
        """Nothing to say."""

    def on_end(self, entry: Entry, record: Record) -> None:
        """The source has said it."""

    def on_note(self, text: str) -> None:
        """A line for the user."""
        say(text)


def _disturbances(record: Record) -> list[str]:
    """What disturbed the regions whose figures are wanted (`dlbench.worker.cost`)."""
    details = [metric.detail for metric in record.metrics if metric.name in METRICS]
    found = [each.get("disturbed", ()) for each in details if isinstance(each, dict)]
    return list(dict.fromkeys(what for each in found for what in each))
