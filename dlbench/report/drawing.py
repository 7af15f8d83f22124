"""Vega-Lite specs → SVG, PNG and PDF; many of them in a process for each core, for drawing lets nothing run beside it.

A process of its own runs this file alone, so it imports nothing of dlbench: it reads specs as JSON from stdin, and
writes a line of JSON for each picture.
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

FEW = 8
"""So many figures are drawn in the time in which another process starts."""
MOST_PROCESSES = 8
"""Each takes 0.2 GB."""


class Drawing(NamedTuple):
    """One figure: as SVG, as PNG in twice as many pixels, and as PDF, its text still text."""

    svg: str
    png: bytes
    pdf: bytes


def draw(specs: Mapping[str, Spec]) -> dict[str, Drawing]:
    """All figures, by name, in the order given; the data in a spec cannot ask for anything from outside.

    Raises:
        ValueError: a spec cannot be drawn.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = min(cores, MOST_PROCESSES, len(specs) // FEW)
    if processes < 2:
        return {name: _drawn(spec) for name, spec in specs.items()}
    with ThreadPoolExecutor(processes) as waiting:
        shares = waiting.map(_elsewhere, _shares(specs, processes))
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


def _elsewhere(specs: Mapping[str, Spec]) -> dict[str, Drawing]:
    """The figures, drawn by a process of their own."""
    command = [sys.executable, "-P", __file__]  # -P: this folder has modules of the same names as Python's own
    done = subprocess.run(command, input=json.dumps(specs).encode(), capture_output=True)
    if done.returncode:
        raise ValueError(f"figures cannot be drawn: {done.stderr.decode(errors='replace').strip()[-2000:]}")
    found: dict[str, Drawing] = {}
    for line in done.stdout.splitlines():
        name, svg, png, pdf = json.loads(line)
        found[name] = Drawing(svg, base64.b64decode(png), base64.b64decode(pdf))
    return found


def _main(specs: Mapping[str, Spec]) -> None:
    for name, spec in specs.items():
        svg, *pictures = _drawn(spec)
        line = [name, svg, *(base64.b64encode(picture).decode() for picture in pictures)]
        sys.stdout.write(f"{json.dumps(line)}\n")


if __name__ == "__main__":
    _main(json.load(sys.stdin))
