"""What networks that write made of the test split in a report: side by side, by length, and never markup."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from poison import PAYLOADS
from synthetic import quality, suite, with_artifact
from synthetic_translation import SENTENCES, TRUTH, translations

from dlbench.analyze.results import Results
from dlbench.analyze.sentences import bleu, share_interval
from dlbench.catalog import Catalog
from dlbench.report.build import build_report
from dlbench.schema.attention import AttentionMaps
from dlbench.schema.blocks import Block, Cell, Figure, Pictures, Section, Table, Text, TextPairs
from dlbench.schema.record import Result
from dlbench.schema.sample import Sample, Samples
from dlbench.worker.png import png

NAMES = ("samples", "attention", "by_length")


def results(lines: list[Result]) -> Results:
    return Results(suite(tasks=[{"name": "translation"}], seeds=[0, 1, 2]), lines)


def blocks(name: str, lines: list[Result]) -> tuple[Block, ...]:
    built = Catalog().load("sections", name).build(results(lines))
    assert isinstance(built, Section)
    return built.blocks


def figures(name: str, lines: list[Result]) -> list[Figure]:
    return [block for block in blocks(name, lines) if isinstance(block, Figure)]


def pairs(lines: list[Result]) -> TextPairs:
    return next(block for block in blocks("samples", lines) if isinstance(block, TextPairs))


def kept(one: Result) -> tuple[Sample, ...]:
    return Samples.model_validate_json((Path(str(one.folder)) / "samples.json").read_bytes()).samples


def rewrite(one: Result, samples: tuple[Sample, ...]) -> None:
    text = Samples(samples=samples).model_dump_json(by_alias=True, exclude_none=True)
    (Path(str(one.folder)) / "samples.json").write_text(text, encoding="utf-8")


def test_each_sentence_stands_with_what_every_contender_made_of_it_the_best_first(tmp_path: Path) -> None:
    lines = translations(tmp_path)
    found = pairs(lines)
    assert found.labels[:3] == ("Source", "Reference", "transformer")
    assert found.labels[-1] == "lstm attention=none"
    assert [item[:2] for item in found.items] == list(SENTENCES)
    first = {one.entry.label: kept(one) for one in lines if one.entry.job.seed == 0}
    for row, item in enumerate(found.items):
        for label, output in zip(found.labels[2:], item[2:], strict=True):
            sample = first[label][row]
            right = sample.output.split() == sample.reference.lower().split()
            assert output == ("✓ the reference" if right else sample.output)


def test_only_sentences_that_all_were_asked_are_shown_eight_of_them_and_six_contenders(tmp_path: Path) -> None:
    many = tuple((f"quelle {row}", f"source {row}") for row in range(24))
    lines = translations(tmp_path, seeds=1, sentences=many, models=[f"m{number}" for number in range(9)])
    found = pairs(lines)
    assert len(found.items) == 8
    assert len(found.labels) == 2 + 6
    assert "Of 9 contenders the first 6" in next(b.text for b in blocks("samples", lines) if isinstance(b, Text))
    asked = [item[0] for item in found.items]
    assert asked == [f"quelle {row}" for row in range(1, 24, 3)]
    best = next(one for one in lines if one.entry.label == found.labels[2])
    rewrite(best, tuple(one for one in kept(best) if one.text != "quelle 7"))
    assert "quelle 7" not in [item[0] for item in pairs(lines).items]
    other = kept(best)[0].model_copy(update={"reference": "another question"})
    rewrite(best, (other,))
    assert Catalog().load("sections", "samples").build(results(lines)) is None


def test_a_picture_that_was_read_stands_over_what_was_written(tmp_path: Path) -> None:
    lines = translations(tmp_path, seeds=1, models=["lstm", "gru"])
    for one in lines:
        rewrite(
            one,
            tuple(
                Sample(
                    index=row,
                    picture=png(np.full((8, 8, 1), row, np.uint8)),
                    reference="seven",
                    output="seven" if row else "",
                )
                for row in range(3)
            ),
        )
    grid = next(block for block in blocks("samples", lines) if isinstance(block, Pictures))
    assert [picture.png for picture in grid.pictures] == [png(np.full((8, 8, 1), row, np.uint8)) for row in range(3)]
    assert grid.pictures[0].caption == ("seven", "gru: (nothing)", "lstm: (nothing)")
    assert grid.pictures[1].caption == ("seven", "gru: ✓ the reference", "lstm: ✓ the reference")


def test_attention_of_all_contenders_over_one_sentence_is_in_one_figure(tmp_path: Path) -> None:
    lines = translations(tmp_path)
    found = figures("attention", lines)
    assert [one.name for one in found] == [
        f"attention_{kind}_{number}_multi30k" for number in (1, 2) for kind in ("cross", "encoder")
    ]
    cells = found[0].spec["data"]["values"]
    source, target = SENTENCES[0][0].split(" "), [*SENTENCES[0][1].split(" "), "[EOS]"]
    for label in list(TRUTH)[1:]:
        mine = [cell for cell in cells if cell["model"] == label]
        assert [cell["column"] for cell in mine[: len(source)]] == source
        assert [cell["row"] for cell in mine[:: len(source)]] == target
        one = next(line for line in lines if line.entry.label == label and line.entry.job.seed == 0)
        maps = AttentionMaps.model_validate_json((Path(str(one.folder)) / "attention.json").read_bytes())
        weights = np.array(maps.examples[0].cross)
        assert np.allclose([cell["weight"] for cell in mine], weights.ravel())
        strongest = float(weights.max(axis=1).mean())
        assert f"{100 * strongest:.0f} % ({label})" in found[0].alt
    assert len(cells) == 3 * len(source) * len(target)
    assert {cell["model"] for cell in found[1].spec["data"]["values"]} == {"transformer"}


def test_a_piece_that_comes_twice_has_two_columns_and_two_rows(tmp_path: Path) -> None:
    (figure, *_) = figures("attention", translations(tmp_path, sentences=[("a b a b a", "c c d c")]))
    cells = [cell for cell in figure.spec["data"]["values"] if cell["model"] == "transformer"]
    assert len({cell["x"] for cell in cells}) == 5
    assert len({cell["y"] for cell in cells}) == 5
    rect = figure.spec["layer"][0]["encoding"]
    assert {cell["x"] for cell in figure.spec["data"]["values"]} < set(rect["x"]["scale"]["domain"])
    assert {cell["y"] for cell in figure.spec["data"]["values"]} < set(rect["y"]["scale"]["domain"])


def test_the_score_by_length_is_that_of_the_sentences_of_each_length(tmp_path: Path) -> None:
    lines = translations(tmp_path)
    (figure,) = figures("by_length", lines)
    rows = figure.spec["data"]["values"]
    assert len(rows) == 6 * len(TRUTH)
    assert sum(row["n"] for row in rows if row["model"] == "transformer") == 240
    assert max(row["n"] for row in rows) < 2 * min(row["n"] for row in rows)
    for row in rows:
        seeds = []
        for one in (line for line in lines if line.entry.label == row["model"]):
            with np.load(Path(str(one.folder)) / "predictions.npz") as columns:
                low, _, high = row["tokens"].partition("–")
                length = columns["source_length"]
                within = (length >= int(low)) & (length <= int(high or low))
                seeds.append(float(bleu(columns["bleu_statistics"][within].sum(axis=0))))
        assert row["mean"] == pytest.approx(np.mean(seeds))
        assert row["low"] < row["mean"] < row["high"]
    (table,) = (block for block in blocks("by_length", lines) if isinstance(block, Table))
    best = table.rows[0][0]
    assert isinstance(best, Cell)
    assert best.value == "transformer"
    assert re.search(r"goes: transformer from \d+\.\d to \d+\.\d, lstm attention=additive from", figure.alt)


def test_exact_match_by_length_is_a_share(tmp_path: Path) -> None:
    lines = translations(tmp_path, score="exact_match", seeds=1)
    with np.load(Path(str(lines[0].folder)) / "predictions.npz") as columns:
        kept_columns = dict(columns)
    for one in lines:
        exact = kept_columns["source_length"] % 5 != 0
        short = kept_columns | {"source_length": kept_columns["source_length"] % 5, "exact": exact}
        np.savez(Path(str(one.folder)) / "predictions.npz", **short)
    (figure,) = figures("by_length", lines)
    rows = [row for row in figure.spec["data"]["values"] if row["model"] == "transformer"]
    assert [(row["tokens"], row["mean"]) for row in rows] == [("0", 0), ("1", 1), ("2", 1), ("3", 1), ("4", 1)]
    assert rows[0]["low"] == 0
    assert 0.02 < rows[0]["high"] < 0.2  # of fifty, none is not nothing
    assert "transformer from 0.0 % to 100.0 %" in figure.alt


def test_accuracy_by_length_is_that_of_the_tokens(tmp_path: Path) -> None:
    length = np.repeat([2, 4], 120)
    columns = {"source_length": length, "correct": np.where(np.arange(240) % 2, length, 0)}
    (one,) = quality("gru", [0.5])
    lines = [with_artifact(one, tmp_path, "predictions", "tags.npz", lambda path: np.savez(path, **columns))]
    (figure,) = figures("by_length", lines)
    rows = figure.spec["data"]["values"]
    assert [(row["tokens"], row["mean"], row["n"]) for row in rows] == [("2", 0.5, 120), ("4", 0.5, 120)]
    # Tokens of a sequence are right together, so that an interval is as wide as that of so many sequences.
    for row in rows:
        assert (row["low"], row["high"]) == pytest.approx(share_interval(0.5, 120), abs=0.001)


@pytest.mark.parametrize("name", ["samples.json", "attention.json", "predictions.npz"])
@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"[]", lambda data: b""])
def test_a_seed_whose_file_is_damaged_is_left_out(tmp_path: Path, name: str, damage: Any) -> None:
    lines = translations(tmp_path, models=["lstm", "transformer"], seeds=2)
    section = {"samples.json": "samples", "attention.json": "attention", "predictions.npz": "by_length"}[name]
    whole = blocks(section, lines)
    for one in lines:
        if one.entry.job.seed == 0 and (Path(str(one.folder)) / name).exists():
            path = Path(str(one.folder)) / name
            path.write_bytes(damage(path.read_bytes()))
    left = blocks(section, lines)
    assert left != whole  # the second seed
    assert len(left) == len(whole)
    for one in lines:
        (Path(str(one.folder)) / name).unlink(missing_ok=True)
    assert Catalog().load("sections", section).build(results(lines)) is None


def test_bleu_is_written_as_everybody_writes_it(tmp_path: Path) -> None:
    report = build_report(results(translations(tmp_path / "runs")), tmp_path / "report").parent / "report.md"
    told = report.read_text()
    assert "transformer has the highest mean BLEU" in told
    assert "BLEU of every seed" in told
    assert "| BLEU |" in told
    assert "Bleu" not in told


@pytest.mark.parametrize("name", NAMES)
def test_other_tasks_have_no_such_section(name: str) -> None:
    assert Catalog().load("sections", name).build(results(quality("cnn", [0.9, 0.8]))) is None


def test_sentences_and_pieces_stay_text(tmp_path: Path) -> None:
    sentences = [(payload + " $x_1^2$ \\input{x} % &", payload + " </svg>") for payload in PAYLOADS]
    lines = translations(tmp_path / "runs", sentences=sentences, models=list(PAYLOADS[:4]), seeds=1)
    folder = build_report(results(lines), tmp_path / "report").parent
    page = (folder / "index.html").read_text()
    for anchor in ("samples", "attention", "by-length"):
        part = page.partition(f'id="{anchor}"')[2].partition("<section")[0]
        assert part
        plain = re.sub(r'<img src="data:image/svg\+xml,[^"<]*"|<svg class="mark".*?</svg>', "", part)
        assert not re.search(r"<(script|svg|b|img)\b|</svg", plain)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &lt;/svg&gt;" in page
    assert "\x1b" not in page
    told = (folder / "report.md").read_text().partition("## Sample outputs")[2].partition("\n## ")[0]
    assert "<" not in told
    assert "\n# heading" not in told
    rows = [len(re.split(r"(?<!\\)\|", line)) for line in told.split("\n") if line.startswith("|")]
    assert rows == [2 + 2 + 4] * (2 + 8)
    for drawing in (folder / "figures").glob("attention_*.svg"):
        assert "<script" not in drawing.read_text()
        assert "\x1b" not in drawing.read_text()
    assert len(list((folder / "figures").glob("attention_*.svg"))) >= 2
