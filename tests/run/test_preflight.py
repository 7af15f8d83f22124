"""Whether every configuration can be built, asked of a real warm process."""

from typing import Any

from tiny_jobs import TINY, check, entry

from dlbench.executors._warm import Warm
from dlbench.run.preflight import preflight


def test_each_configuration_is_built_once() -> None:
    asked: list[Any] = []

    def counted(works: list[dict[str, Any]]) -> list[dict[str, Any]]:
        asked.extend(works)
        return check(works)

    entries = [entry(seed=seed) for seed in range(5)] + [entry("unbuildable", seed=seed) for seed in range(3)]
    entries += [entry("unbuildable", size=9, skipped="the plan knew")]
    fine, wrong = preflight(entries, counted)
    assert len(asked) == 2
    assert (fine.ok, fine.parameters, len(fine.entries)) == (True, 7, 5)
    assert (wrong.ok, wrong.status, wrong.reason, len(wrong.entries)) == (False, "failed", "too big", 3)


def test_the_warm_process_is_asked_and_only_if_there_is_something() -> None:
    with Warm(**TINY) as warm:
        assert preflight([], warm.check) == []
        assert warm.pid is None
        assert [finding.ok for finding in preflight([entry(), entry("unbuildable")], warm.check)] == [True, False]
