"""Vega-Lite specs → SVG, PNG and PDF, in a process for each core, for drawing lets nothing run beside it.

A process of its own runs this file alone, so it imports nothing of dlbench: it warms up, reads specs as JSON from
stdin, and writes a line of JSON for each picture.
"""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import vl_convert

Spec = Mapping[str, Any]

MOST_PROCESSES = 4
"""Each takes 0.2 GB."""


class Drawing(NamedTuple):
    """One figure: as SVG, as PNG in twice as many pixels, and as PDF, its text still text."""

    svg: str
    png: bytes
    pdf: bytes


class Artists:
    """Processes that draw; started early, they are warm when there is something to draw.

    On a single core there are none, and the caller's own process draws.

    Args:
        many: whether there will be so many figures that other processes are worth their start.
    """

    def __init__(self, *, many: bool = True) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        command = [sys.executable, "-P", __file__]  # -P: this folder has modules of the same names as Python's own
        self._children = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(min(cores, MOST_PROCESSES) if many and cores > 1 else 0)
        ]

    def __enter__(self) -> "Artists":
        return self

    def __exit__(self, *exc: object) -> None:
        for child in self._children:
            child.kill()
            child.communicate()

    def draw(self, specs: Mapping[str, Spec]) -> dict[str, Drawing]:
        """All figures, by name, in the order given; the data in a spec cannot ask for anything from outside.

        Called once.

        Raises:
            ValueError: a spec cannot be drawn.
        """
        if not self._children or not specs:
            return {name: _drawn(spec) for name, spec in specs.items()}
        with ThreadPoolExecutor(len(self._children)) as waiting:
            shares = waiting.map(_drawn_by, self._children, _shares(specs, len(self._children)))
            found = {name: drawing for share in shares for name, drawing in share.items()}
        return {name: found[name] for name in specs}


def newest() -> str:
    """The newest Vega-Lite that vl-convert brings."""
    versions: list[str] = vl_convert.get_vegalite_versions()
    return versions[-1]


def _drawn(spec: Spec) -> Drawing:
    svg = str(vl_convert.vegalite_to_svg(dict(spec), vl_version=newest(), allowed_base_urls=[]))
    return Drawing(svg, bytes(vl_convert.svg_to_png(svg, scale=2)), bytes(vl_convert.svg_to_pdf(svg)))


def _shares(specs: Mapping[str, Spec], count: int) -> list[dict[str, Spec]]:
    """The specs in shares of like length: the longest first, each to the share that is the shortest so far."""
    lengths = {name: len(json.dumps(spec)) for name, spec in specs.items()}
    usual = sum(lengths.values()) / len(lengths)
    shares: list[dict[str, Spec]] = [{} for _ in range(count)]
    loads = [0.0] * count
    for name in sorted(specs, key=lambda name: -lengths[name]):
        least = loads.index(min(loads))
        shares[least][name] = specs[name]
        loads[least] += lengths[name] + usual
    return shares


def _drawn_by(child: "subprocess.Popen[bytes]", specs: Mapping[str, Spec]) -> dict[str, Drawing]:
    """The figures, drawn by a process of its own, which then ends."""
    out, err = child.communicate(json.dumps(specs).encode())
    if child.returncode:
        raise ValueError(f"figures cannot be drawn: {err.decode(errors='replace').strip()[-2000:]}")
    found: dict[str, Drawing] = {}
    for line in out.splitlines():
        name, svg, png, pdf = json.loads(line)
        found[name] = Drawing(svg, base64.b64decode(png), base64.b64decode(pdf))
    return found


def _main(specs: Mapping[str, Spec]) -> None:
    for name, spec in specs.items():
        svg, *pictures = _drawn(spec)
        line = [name, svg, *(base64.b64encode(picture).decode() for picture in pictures)]
        sys.stdout.write(f"{json.dumps(line)}\n")


if __name__ == "__main__":
    _drawn({"data": {"values": []}, "mark": "point"})  # the first picture takes half a second more than others
    _main(json.load(sys.stdin))
