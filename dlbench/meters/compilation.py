"""What torch.compile costs before it pays: seconds of the first step, and after how many steps they are won back."""

import itertools
import math
import statistics

from dlbench.contracts.meters import Rig
from dlbench.schema.metric import Metric

REVISION = 1
PHASES = ("train", "infer")
CLOCKED = True

WARM_UP_STEPS = 3
STEPS = 10


class Compilation:
    """Times ten compiled steps against ten of an equal model that is not compiled."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.compiled_s: list[float] = []
        self.eager_s: list[float] = []

    def __enter__(self) -> "Compilation":
        eager = self.rig.eager()
        for number, batch in enumerate(itertools.islice(itertools.cycle(self.rig.batches), WARM_UP_STEPS + STEPS)):
            eager.synchronize()
            began = eager.clock()
            eager.step(batch)
            eager.synchronize()
            if number >= WARM_UP_STEPS:
                self.eager_s.append(eager.clock() - began)
        self._last = self.rig.clock()
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to put back."""

    def step(self, samples: int) -> bool:
        """Take the step's time."""
        self.rig.synchronize()
        now = self.rig.clock()
        self.compiled_s.append(now - self._last)
        self._last = self.rig.clock()
        return len(self.compiled_s) < STEPS

    def read(self) -> list[Metric]:
        """`compile_s` and `break_even_steps`: None where compiled steps are not faster."""
        compiled, eager = statistics.median(self.compiled_s), statistics.median(self.eager_s)
        compile_s = max(0.0, (self.rig.first_step_s or 0.0) - compiled)
        won = eager - compiled
        detail = {"eager_step_s": eager, "compiled_step_s": compiled}
        steps = math.ceil(compile_s / won) if won > 0 else None
        why = (
            None if steps is not None else f"a compiled step ({compiled:.3g} s) is no faster than one of {eager:.3g} s"
        )
        return [
            Metric(name="compile_s", value=compile_s, unit="s", better="lower", n=1, detail=detail),
            Metric(name="break_even_steps", value=steps, unit="steps", better="lower", n=1, reason=why),
        ]


def build(rig: Rig) -> Compilation | None:
    """A meter for one phase; None where nothing is compiled."""
    return Compilation(rig) if rig.compiled else None
