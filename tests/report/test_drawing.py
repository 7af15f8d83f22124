"""Figures drawn in processes of their own are those that one process draws."""

from collections.abc import Mapping
from typing import Any

import pytest

from dlbench.report import drawing
from dlbench.report.drawing import Artists, Drawing, Spec


def spec(number: int) -> dict[str, Any]:
    """A chart of a few points and a name that is not ASCII."""
    rows = [{"x": x, "y": x * number, "model": "λ <b>"} for x in range(5)]
    field = {"field": "x", "type": "quantitative"}
    encoding = {"x": field, "y": {**field, "field": "y"}, "color": {"field": "model", "type": "nominal"}}
    return {"data": {"values": rows}, "mark": "line", "encoding": encoding, "width": 100, "height": 50}


def draw(specs: Mapping[str, Spec]) -> dict[str, Drawing]:
    """All of them, by as many processes as there are cores."""
    with Artists() as artists:
        return artists.draw(specs)


def test_many_figures_come_from_several_processes_and_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = {f"figure{number}": spec(number) for number in range(6)}
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1})
    several = draw(specs)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    alone = draw(specs)
    assert list(several) == list(specs)
    assert [one.svg for one in several.values()] == [one.svg for one in alone.values()]
    assert [one.png for one in several.values()] == [one.png for one in alone.values()]
    assert all(one.pdf.startswith(b"%PDF") for one in several.values())


def test_shares_hold_every_figure_once_and_are_of_like_length() -> None:
    specs = {f"figure{number}": {"data": "x" * length} for number, length in enumerate([9000, 10, 10, 10, 8000, 10])}
    shares = drawing._shares(specs, 2)
    assert sorted(name for share in shares for name in share) == sorted(specs)
    assert not any({"figure0", "figure4"} <= set(share) for share in shares)


def test_processes_that_draw_end_when_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1})
    with Artists() as artists:
        children = list(artists._children)
    assert len(children) == 2
    assert all(child.returncode is not None for child in children)


@pytest.mark.parametrize("count", [1, 6])
def test_a_figure_that_cannot_be_drawn_is_an_error(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1})
    specs = {f"figure{number}": spec(number) for number in range(count)}
    specs["figure0"] = {"mark": 3, "encoding": 4}
    with pytest.raises(ValueError, match="Vega-Lite"):
        draw(specs)
