"""Studies with known truth, as a store would hand them over: nothing is searched and nothing trained."""

import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from synthetic import job, quality, result, suite

from dlbench.analyze.results import Results
from dlbench.schema.base import Json
from dlbench.schema.metric import Metric
from dlbench.schema.record import Result
from dlbench.schema.search import Constraint, Objective, SearchBudget, StrategyEntry
from dlbench.schema.space import Axis, Point, Space
from dlbench.schema.study import Origin, State, Study, StudyHead, Told, Trial

ACCURACY = Objective(metric="val_accuracy", better="higher")
LATENCY = Objective(metric="infer_latency_p50_ms", better="lower")

RECIPE = Space(
    axes=(
        Axis(name="train.lr", low=1e-4, high=1e-1, log=True),
        Axis(name="train.optimizer", choices=("adamw", "sgd")),
        Axis(name="train.momentum", low=0.0, high=0.99, when={"train.optimizer": ("sgd",)}),
        Axis(name="model.layers", low=1, high=4, integer=True),
        Axis(name="model.hidden_size", choices=(32, 64, 128, 256)),
    )
)
OPERATIONS = ("none", "skip", "conv_1x1", "conv_3x3", "pool")
EDGES = ("edge_1_0", "edge_2_0", "edge_2_1")
CELL = Space(axes=tuple(Axis(name=f"model.{edge}", choices=OPERATIONS) for edge in EDGES))


def head(space: Space, label: str = "tpe", seed: int = 0, **fields: Any) -> StudyHead:
    """A study's head; objectives are accuracy alone unless given."""
    values: dict[str, Any] = {
        "id": f"{label}-{seed}-{fields.get('dataset', 'ag_news')}",
        "suite": "synthetic",
        "task": "text_classification",
        "dataset": "ag_news",
        "strategy": StrategyEntry(name=fields.pop("name", label), label=label, times=fields.pop("times", 1.0)),
        "seed": seed,
        "space": space,
        "objectives": (ACCURACY,),
        "budget": SearchBudget(trials=100),
        "seeds": (1000,),
        **fields,
    }
    return StudyHead(**values)


def trial(
    number: int,
    point: Point,
    value: float | Sequence[float] | None = None,
    state: State = "ok",
    *,
    origin: Origin = "strategy",
    same_as: int | None = None,
    order: int | None = None,
    **told: Any,
) -> Trial:
    """A candidate that was told; running ones were not."""
    if state == "running":
        return Trial(number=number, point=point, origin=origin, same_as=same_as)
    values = None if value is None else (value,) if isinstance(value, int | float) else tuple(value)
    told = {"epochs": 4.0, "seconds": 20.0, **told}
    ended = Told(state=state, values=values, **told)
    place = number if order is None else order
    return Trial(number=number, point=point, origin=origin, same_as=same_as, told=ended, order=place)


def recipe_accuracy(point: Point) -> float:
    """What a recipe reaches: the learning rate decides nearly everything."""
    lr = math.log10(float(point["train.lr"]))
    depth = 0.004 * abs(int(point["model.layers"]) - 3)
    sgd = 0.01 if point["train.optimizer"] == "sgd" else 0.0
    return 0.93 - 0.06 * (lr + 2.3) ** 2 - depth - sgd


def drawn(space: Space, rng: random.Random) -> Point:
    """A point of a space at random."""

    def choose(axis: Axis) -> Json:
        if axis.values is not None and (axis.choices is not None or axis.integer):
            return rng.choice(axis.values)
        low, high = float(axis.low or 0), float(axis.high or 0)
        return math.exp(rng.uniform(math.log(low), math.log(high))) if axis.log else rng.uniform(low, high)

    return space.walk(choose)


def recipe_study(count: int = 60, seed: int = 0, **fields: Any) -> Study:
    """One study with candidates in every state, equal ones and a strategy that closes in on the best."""
    rng = random.Random(seed)
    trials: list[Trial] = []
    for number in range(count):
        point = drawn(RECIPE, rng)
        if number > count // 3:
            point["train.lr"] = 10 ** rng.gauss(-2.3, 0.35)
        value = recipe_accuracy(point) + rng.gauss(0, 0.002)
        metrics = {"parameters": float(int(point["model.hidden_size"]) ** 2 * int(point["model.layers"]))}
        if number % 7 == 3:
            curve = ((0, value - 0.2), (1, value - 0.12))
            trials.append(trial(number, point, None, "pruned", curve=curve, epochs=1.0, seconds=5.0, reason="median"))
        elif number % 19 == 5:
            trials.append(trial(number, point, None, "failed", reason="diverged: the loss is not finite", epochs=0.5))
        elif metrics["parameters"] > 150_000:
            broken = {"parameters": metrics["parameters"] / 150_000 - 1}
            reason = "parameters 196,608 are more than 150,000"
            given = {"violations": broken, "reason": reason, "epochs": 0.0, "seconds": 0.1, "metrics": metrics}
            trials.append(trial(number, point, None, "infeasible", **given))
        else:
            trials.append(trial(number, point, value, metrics=metrics, violations={"parameters": -0.1}))
    limits = (Constraint(metric="parameters", at_most=150_000),)
    return Study(head=head(RECIPE, **{"seed": seed, "constraints": limits, **fields}), trials=tuple(trials))


def final(label: str, study: Study, scores: Sequence[float], *, seeds: Sequence[int] | None = None) -> list[Result]:
    """The winner of a study, retrained."""
    (winner,) = study.best(1)
    params = {axis.partition(".")[2]: value for axis, value in winner.point.items() if axis.startswith("model.")}
    train = {axis.partition(".")[2]: value for axis, value in winner.point.items() if axis.startswith("train.")}
    found = []
    for seed, score in zip(seeds if seeds is not None else range(len(scores)), scores, strict=True):
        metrics = [
            Metric(name="test_accuracy", value=score, unit="fraction", better="higher", n=7600),
            Metric(name="val_accuracy", value=score + 0.003, unit="fraction", better="higher", n=1048),
            Metric(name="train_time_s", value=12.0, unit="s", better="lower"),
        ]
        found.append(result(job(label, number=seed, params=params, train=train), label, metrics))
    return found


def searched(study: Study) -> list[Result]:
    """The candidates' jobs of a study, as the index has them."""
    found = []
    for one in study.distinct:
        status = {"ok": "ok", "pruned": "pruned", "failed": "diverged", "infeasible": None, "running": None}[one.state]
        if status is None:
            continue
        value = one.told.values[0] if one.told is not None and one.told.values else 0.0
        metric = Metric(name="val_accuracy", value=value, unit="fraction", better="higher", n=1048)
        line = result(
            job("lstm", number=1000, params={"number": one.number, "study": study.head.id}),
            "lstm",
            [metric],
            status=status,
        )
        entry = line.entry.model_copy(update={"study": study.head.id, "candidate": one.number})
        found.append(line.model_copy(update={"entry": entry}))
    return found


def recipe_results() -> Results:
    """A suite with one study: a default, candidates, a winner that is better."""
    study = recipe_study()
    default = quality("lstm", [0.881, 0.884, 0.879, 0.882, 0.883])
    winner = final("best", study, [0.921, 0.925, 0.919, 0.923, 0.922])
    return Results(suite(), [*default, *winner, *searched(study)], [study])


def cell_accuracy(point: Point) -> float:
    """What an architecture reaches."""
    worth = {"none": 0.0, "skip": 0.4, "conv_1x1": 0.7, "conv_3x3": 1.0, "pool": 0.3}
    chosen = [worth[str(point[f"model.{edge}"])] for edge in EDGES]
    return 0.6 + 0.1 * chosen[0] + 0.06 * chosen[1] + 0.15 * chosen[2] + 0.03 * chosen[0] * chosen[2]


def cell_study(
    label: str, seed: int, ask: Callable[[random.Random, list[Trial]], Point], count: int, **fields: Any
) -> Study:
    """A study over cells; equal candidates cost nothing."""
    rng = random.Random(f"{label} {seed}")
    trials: list[Trial] = []
    while len({str(t.point) for t in trials}) < count:
        point = ask(rng, trials)
        same = next((t.number for t in trials if t.point == point), None)
        cost = {"epochs": 0.0, "seconds": 0.0} if same is not None else {}
        trials.append(trial(len(trials), point, cell_accuracy(point), same_as=same, **cost))
    return Study(head=head(CELL, label, seed, **fields), trials=tuple(trials))


def at_random(rng: random.Random, trials: list[Trial]) -> Point:
    """Random search."""
    return drawn(CELL, rng)


def mutated(rng: random.Random, trials: list[Trial]) -> Point:
    """A neighbour of the best so far."""
    if len(trials) < 5:
        return drawn(CELL, rng)
    best = max(trials, key=lambda one: one.told.values[0] if one.told and one.told.values else 0.0)
    point = dict(best.point)
    point[rng.choice(CELL.axes).name] = rng.choice(OPERATIONS)
    return point if rng.random() < 0.8 else drawn(CELL, rng)


def one_shot(seed: int) -> Study:
    """A one-shot study: a helper with scores under shared weights, and one candidate."""
    rng = random.Random(seed)
    lines = []
    for operations in itertools.product(OPERATIONS, repeat=3):
        point = {f"model.{edge}": operation for edge, operation in zip(EDGES, operations, strict=True)}
        score = 0.5 * cell_accuracy(point) + rng.gauss(0, 0.03)
        lines.append({**dict(zip(EDGES, operations, strict=True)), "score": score})
    helper = trial(
        0, {"model.kind": "supernet"}, None, origin="helper", epochs=50.0, seconds=600.0, outputs={"shared": lines}
    )
    best = max(lines, key=lambda line: float(str(line["score"])))
    point = {f"model.{edge}": best[edge] for edge in EDGES}
    return Study(head=head(CELL, "darts", seed), trials=(helper, trial(1, point, cell_accuracy(point))))


def arena_studies(seeds: int = 5, *, grid: bool = True) -> list[Study]:
    """Strategies with a study for each seed, and an exhaustive one."""
    found = []
    for seed in range(seeds):
        found.append(cell_study("random", seed, at_random, 40))
        found.append(cell_study("random-2x", seed, at_random, 80, name="random", times=2.0))
        found.append(cell_study("evolution", seed, mutated, 40))
        found.append(one_shot(seed))
    if grid:
        trials = tuple(trial(n, point, cell_accuracy(point)) for n, point in enumerate(CELL.points()))
        found.append(Study(head=head(CELL, "grid", 0), trials=trials))
    return found


def arena_results(seeds: int = 5, *, grid: bool = True) -> Results:
    """A suite whose strategies are contenders, their study seeds its seeds."""
    studies = arena_studies(seeds, grid=grid)
    lines = quality("cell", [0.78 + 0.002 * seed for seed in range(seeds)])
    for study in studies:
        value = study.best(1)[0].told
        assert value is not None
        assert value.values is not None
        score = value.values[0] - 0.006 - 0.001 * (study.head.seed % 3)
        lines += final(study.head.strategy.label, study, [score], seeds=[study.head.seed])
    return Results(suite(), lines, studies)


def two_objectives(seeds: int = 2) -> list[Study]:
    """Accuracy against latency."""
    found = []
    for label, seed in itertools.product(("tpe", "nsga2"), range(seeds)):
        rng = random.Random(f"{label}{seed}")
        trials = []
        for number in range(40):
            point = drawn(RECIPE, rng)
            latency = 0.2 * int(point["model.layers"]) * (int(point["model.hidden_size"]) / 32) ** 0.7
            value = recipe_accuracy(point) + 0.02 * math.log(latency + 1) + rng.gauss(0, 0.002)
            trials.append(trial(number, point, (value, latency * (1 + 0.05 * rng.random()))))
        found.append(Study(head=head(RECIPE, label, seed, objectives=(ACCURACY, LATENCY)), trials=tuple(trials)))
    return found


def cases() -> dict[str, Results]:
    """Searches in every condition that a report must bear."""
    point: Point = {"train.lr": 0.01, "train.optimizer": "adamw", "model.layers": 2, "model.hidden_size": 64}
    default = quality("lstm", [0.9, 0.91, 0.9, 0.92, 0.9])
    odd = Space(
        axes=(
            Axis(name="model.<b>x|y</b>", choices=("</script>", "a|b", None, True)),
            Axis(name="model", choices=("é ☃", "b")),
        )
    )
    strange = [trial(i, p, 0.1 * i) for i, p in enumerate(odd.points())]
    studies: dict[str, list[Study]] = {
        "not begun": [Study(head=head(RECIPE), trials=())],
        "running": [Study(head=head(RECIPE), trials=(trial(0, point, state="running"),))],
        "none ok": [
            Study(
                head=head(RECIPE),
                trials=(trial(0, point, None, "failed", reason="no"), trial(1, point, None, "pruned")),
            )
        ],
        "one": [Study(head=head(RECIPE), trials=(trial(0, point, 0.9),))],
        "half": [recipe_study(7), Study(head=head(RECIPE, "random", 1), trials=())],
        "equal": [
            Study(
                head=head(RECIPE),
                trials=tuple(
                    trial(i, {**point, "model.layers": 1 + i % 4, "train.lr": 0.001 * (1 + i)}, 0.9) for i in range(30)
                ),
            )
        ],
        "odd names": [Study(head=head(odd, "<i>|s"), trials=tuple(strange))],
        "two objectives": two_objectives(),
        "arena without grid": arena_studies(2, grid=False),
        "one objective, many tasks": [recipe_study(20), recipe_study(20, dataset="sst2")],
    }
    found = {name: Results(suite(), default, members) for name, members in studies.items()}
    return {
        **found,
        "recipe": recipe_results(),
        "arena": arena_results(3),
        "no default": Results(suite(), searched(recipe_study()), [recipe_study()]),
    }
