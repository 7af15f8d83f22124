"""The noise floor in records: by how much a cost on this machine differs from itself when nothing has changed.

`dlbench calibrate` measures it, and every cost record carries it. A cost that differs by less says nothing. It is the
floor of one round against one, hence on the safe side for means over rounds.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from dlbench.schema.record import Record

USUAL = 0.05
"""What counts as noise in the search for drift where no calibration says better."""


def calibration(record: Record) -> Mapping[str, Any]:
    """What was known of the record's machine when it was made; empty for a machine that was not calibrated."""
    found = record.machine.get("calibration")
    return found if isinstance(found, dict) else {}


def noise_floors(records: Iterable[Record]) -> dict[str, float]:
    """Metric → noise floor as a fraction; of several machines, or several calibrations, the largest.

    A floor that was measured beside other load is that load's, not the machine's: it is as good as unknown.
    """
    floors: dict[str, float] = {}
    for record in records:
        noise = calibration(record).get("noise")
        of = noise.get("metrics") if isinstance(noise, dict) and not noise.get("flags") else None
        for name, value in of.items() if isinstance(of, dict) else ():
            if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
                floors[name] = max(floors.get(name, 0.0), float(value))
    return floors
