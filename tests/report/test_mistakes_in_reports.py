"""The surest mistakes of a classifier in a report: counted over seeds, shown as they are, and never markup."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from poison import PAYLOADS
from synthetic import quality, suite, with_artifact

from dlbench.analyze.results import Results
from dlbench.catalog import Catalog
from dlbench.report.build import build_report
from dlbench.schema.blocks import Block, Heading, Pictures, Section, Text, TextPairs
from dlbench.schema.mistake import Mistake, Mistakes
from dlbench.schema.record import Result
from dlbench.worker.png import png

CLASSES = ("zero", "one", "two", "three")
ROWS = 40


def picture(row: int) -> bytes:
    return png(np.full((8, 8, 1), row, np.uint8))


def seeds(
    folder: Path,
    answers: Sequence[dict[int, tuple[int, float]]],
    label: str = "cnn",
    *,
    texts: Sequence[str] | None = None,
    classes: Sequence[str] = CLASSES,
    **fields: Any,
) -> list[Result]:
    """Results of a label whose seeds are wrong on some of the rows, all of which belong to class 0.

    Args:
        answers: of each seed: row → wrong class and its probability.
        texts: of the rows; None: they are pictures.
    """
    found = quality(label, [1 - len(wrong) / ROWS for wrong in answers], **fields)
    return [_left(one, wrong, folder, texts, classes) for one, wrong in zip(found, answers, strict=True)]


def _left(
    one: Result, wrong: dict[int, tuple[int, float]], folder: Path, texts: Sequence[str] | None, classes: Sequence[str]
) -> Result:
    predicted, probability = np.zeros(ROWS, np.int64), np.full(ROWS, 0.9, np.float16)
    for row, (number, sure) in wrong.items():
        predicted[row], probability[row] = number, sure
    surest = sorted(wrong.items(), key=lambda item: (-item[1][1], item[0]))[:24]
    kept = Mistakes(
        mistakes=tuple(
            Mistake(
                index=row,
                target=classes[0],
                predicted=classes[number],
                probability=sure,
                text=None if texts is None else texts[row],
                picture=picture(row) if texts is None else None,
            )
            for row, (number, sure) in surest
        )
    )
    target = np.zeros(ROWS, np.int64)
    one = with_artifact(
        one,
        folder,
        "predictions",
        "predictions.npz",
        lambda path: np.savez(path, target=target, predicted=predicted, probability=probability),
    )
    text = kept.model_dump_json(by_alias=True)
    return with_artifact(one, folder, "mistakes", "mistakes.json", lambda path: _write(path, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def section(results: list[Result]) -> Section | None:
    built = Catalog().load("sections", "mistakes").build(Results(suite(), results))
    assert built is None or isinstance(built, Section)
    return built


def blocks(results: list[Result]) -> tuple[Block, ...]:
    built = section(results)
    assert built is not None
    return built.blocks


def grid(results: list[Result]) -> Pictures:
    return next(block for block in blocks(results) if isinstance(block, Pictures))


def said(results: list[Result]) -> str:
    return " ".join(block.text for block in blocks(results) if isinstance(block, Text))


def test_mistakes_that_most_seeds_make_come_first_then_the_surest(tmp_path: Path) -> None:
    results = seeds(
        tmp_path,
        [
            {5: (1, 0.99), 6: (2, 0.5), 7: (3, 0.75)},
            {6: (2, 0.75), 7: (3, 0.5)},
            {6: (3, 0.875), 7: (3, 0.625)},
        ],
    )
    block = grid(results)
    assert [one.png for one in block.pictures] == [picture(7), picture(6), picture(5)]
    assert [one.caption for one in block.pictures] == [
        ("zero, taken for three", "62.5 %, 3 of 3 seeds"),
        ("zero, taken for two", "62.5 %, 2 of 3 seeds"),
        ("zero, taken for one", "99.0 %, 1 of 3 seeds"),
    ]
    assert block.pictures[0].alt == "Test example 7: zero, taken for three"
    assert "Of 40 test examples a seed answers 2 wrongly on average; all 3 seeds give 1 the same wrong class" in said(
        results
    )


def test_a_seed_counts_even_if_it_was_surer_of_24_other_mistakes(tmp_path: Path) -> None:
    unsure = dict.fromkeys(range(24), (1, 0.9)) | {30: (1, 0.5)}
    block = grid(seeds(tmp_path, [{30: (1, 0.75)}, unsure]))
    assert block.pictures[0].png == picture(30)
    assert block.pictures[0].caption[1] == "62.5 %, 2 of 2 seeds"
    assert len(block.pictures) == 12


def test_only_the_best_contender_is_shown(tmp_path: Path) -> None:
    worse = seeds(tmp_path / "a", [dict.fromkeys(range(9), (1, 0.9))] * 2, "mlp")
    better = seeds(tmp_path / "b", [{3: (2, 0.9)}] * 2, "cnn")
    headings = [block.text for block in blocks([*worse, *better]) if isinstance(block, Heading)]
    assert headings == ["cnn on ag_news"]
    assert [one.png for one in grid([*worse, *better]).pictures] == [picture(3)]


def test_of_one_seed_nothing_is_counted_over_seeds(tmp_path: Path) -> None:
    results = seeds(tmp_path, [{3: (2, 0.9999)}])
    assert grid(results).pictures[0].caption == ("zero, taken for two", "> 99.9 %, one seed")
    assert "the one seed answers 1 wrongly" in said(results)


def test_who_makes_no_mistakes_has_none_to_show(tmp_path: Path) -> None:
    results = seeds(tmp_path, [{}, {}])
    assert not [block for block in blocks(results) if isinstance(block, Pictures | TextPairs)]
    assert "No test example of 40 is answered wrongly by any seed." in said(results)


def test_texts_stand_beside_their_classes(tmp_path: Path) -> None:
    texts = [f"text {row}" for row in range(ROWS)]
    pairs = next(
        block for block in blocks(seeds(tmp_path, [{3: (2, 0.75)}], texts=texts)) if isinstance(block, TextPairs)
    )
    assert pairs.items == (("text 3", "zero", "two (75.0 %, one seed)"),)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("mistakes.json", lambda data: data[: len(data) // 2]),
        ("mistakes.json", lambda data: b"[]"),
        ("mistakes.json", lambda data: data.replace(b'"split":"test"', b'"split":"val"')),
        ("mistakes.json", lambda data: data.replace(b'"picture":"iVBOR', b'"picture":"AAAAA')),
        ("mistakes.json", lambda data: data.replace(b'"index":3', b'"index":3000')),
        ("predictions.npz", lambda data: data[: len(data) // 2]),
        ("predictions.npz", lambda data: b""),
    ],
)
def test_a_seed_whose_files_are_damaged_is_left_out(tmp_path: Path, name: str, damage: Any) -> None:
    results = seeds(tmp_path, [{3: (2, 0.9)}, {3: (2, 0.9)}])
    path = Path(str(results[0].folder)) / name
    before = path.read_bytes()
    assert damage(before) != before
    path.write_bytes(damage(before))
    assert "the one seed answers 1 wrongly" in said(results)
    path.unlink()
    assert "the one seed answers 1 wrongly" in said(results)


def test_records_from_before_have_no_section() -> None:
    assert section(quality("cnn", [0.9, 0.8])) is None


def test_texts_and_names_of_classes_stay_text(tmp_path: Path) -> None:
    texts = [PAYLOADS[row % len(PAYLOADS)] + "</svg>" for row in range(ROWS)]
    digits: dict[str, Any] = {"dataset": {"name": "digits"}, "task": "image_classification"}
    results = [
        *seeds(tmp_path / "a", [{row: (row % 7 + 1, 0.9) for row in range(9)}] * 2, texts=texts, classes=PAYLOADS),
        *seeds(tmp_path / "b", [{row: (row % 7 + 1, 0.9) for row in range(9)}] * 2, classes=PAYLOADS, **digits),
    ]
    tasks = [{"name": "text_classification"}, {"name": "image_classification"}]
    folder = build_report(Results(suite(tasks=tasks), results), tmp_path / "report").parent
    page = (folder / "index.html").read_text()
    part = page.partition('id="mistakes"')[2].partition("<section")[0]
    assert part.count('src="data:image/png;base64,') == 9
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;/svg&gt;" in part
    assert not re.search(r"<(script|svg|b)\b|<img (?!src=\"data:image/png;base64,)|</svg", part)
    told = (folder / "report.md").read_text().partition("## Surest mistakes")[2].partition("\n## ")[0]
    assert "<" not in told
    assert "\n# heading" not in told
    rows = [len(re.split(r"(?<!\\)\|", line)) for line in told.split("\n") if line.startswith("|")]
    assert rows.count(5) == 2 + 9 + 4
    assert len(list((folder / "figures").glob("mistakes_*.png"))) == 9
