"""Every section keeps the contract, whatever the results hold."""

import re
from pathlib import Path

import pytest
from studies import arena_results, recipe_study
from studies import cases as searches
from synthetic import costs, job, quality, result, suite
from synthetic_costs import anatomy, anchors, checkpointed, everything, largest
from synthetic_news import news
from synthetic_translation import translations

from dlbench.analyze.results import Results
from dlbench.catalog import Catalog
from dlbench.schema.blocks import Figure, Section
from dlbench.schema.record import Result

NAMES = Catalog().names("sections")


def cases(folder: Path) -> dict[str, list[Result]]:
    failed = [result(job("lstm", number=seed), "lstm", status="failed", reason="no") for seed in range(3)]
    return {
        "nothing": [],
        "all": news(folder),
        "one seed": [*quality("a", [0.9]), *quality("b", [0.8])],
        "half": [*quality("a", [0.9, 0.91, None]), *quality("b", [None, None, None])],
        "failed": failed,
        "cost alone": costs("a", {"infer_throughput": [100.0], "parameters": [10.0]}),
        "constant": [*quality("a", [0.5] * 5), *quality("b", [0.5] * 5)],
        "varied": [
            one for lr in (0.1, 1.0, 10.0) for one in quality(f"a lr={lr}", [0.9, 0.8], varied={"train.lr": lr})
        ],
        "every cost": everything(),
        "varied costs": checkpointed(),
        "varied costs of one": checkpointed()[:3],
        "costs of one contender": costs("lstm", anatomy("lstm", 8), batch_size=8),
        "costs without values": costs("a", {name: ["no counter"] for name in anatomy("lstm", 8)}),
        "one round": costs("lstm", {name: values[:1] for name, values in anatomy("lstm", 8).items()}),
        "costs of nothing": costs("a", {name: [0.0, 0.0] for name in anatomy("lstm", 8)}),
        "anchors alone": anchors("lstm", 64, 1.1),
        "largest batch alone": [largest("lstm", 64), largest("lstm", 1, "infer")],
        "another precision alone": [
            *quality("a", [0.9, 0.8], precision="bf16"),
            *quality("b", [0.9], precision="bf16"),
        ],
        "translations": translations(folder / "translations"),
        "symbols": translations(folder / "symbols", score="exact_match", models=["rnn"], seeds=1),
        "emulated": [*quality("a", [0.9]), *quality("a", [0.8], precision="fp8_emulated")],
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_section_is_built_from_anything(name: str, tmp_path: Path) -> None:
    module = Catalog().load("sections", name)
    assert isinstance(module.POSITION, int)
    for results in (*(Results(suite(), lines) for lines in cases(tmp_path).values()), *searches().values()):
        section = module.build(results)
        assert section is None or isinstance(section, Section)
        if section is not None:
            assert section.blocks
            assert re.fullmatch(r"[a-z0-9-]+", section.anchor)
            for figure in (block for block in section.blocks if isinstance(block, Figure)):
                assert re.fullmatch(r"[a-z0-9_-]+", figure.name)
                assert figure.spec["data"]["values"]
                assert not {"width", "config", "background"} & figure.spec.keys()
                assert figure.alt


def test_anchors_positions_and_figures_are_unique(tmp_path: Path) -> None:
    lines = [*news(tmp_path), *everything(), *checkpointed(), result(job("x"), "x", status="failed", reason="no")]
    lines += translations(tmp_path)
    lines += translations(tmp_path, dataset={"name": "scan"}, score="exact_match")
    results = Results(suite(), lines, [*arena_results(2).studies, recipe_study(40, dataset="sst2")])
    modules = [Catalog().load("sections", name) for name in NAMES]
    built = [section for module in modules if (section := module.build(results)) is not None]
    assert len({module.POSITION for module in modules}) == len(modules)
    assert len({section.anchor for section in built}) == len(built)
    figures = [block.name for section in built for block in section.blocks if isinstance(block, Figure)]
    assert len(set(figures)) == len(figures)
