"""Against the paper's figures, examples of its files, and a plain reader of commands."""

import hashlib
from collections import Counter

import pytest
from pydantic import ValidationError

from dlbench.datasets import scan
from dlbench.datasets._pairs import Pairs
from dlbench.datasets.scan import Params

SPLITS = ("train", "val", "test")

# Lake & Baroni 2018, figure 1, and lines of the authors' tasks.txt; L, R, J, W, N and K stand for the six actions.
LETTERS = {"L": "I_TURN_LEFT", "R": "I_TURN_RIGHT", "J": "I_JUMP", "W": "I_WALK", "N": "I_RUN", "K": "I_LOOK"}
PUBLISHED = {
    "jump": "J",
    "jump left": "LJ",
    "jump around right": "RJRJRJRJ",
    "turn left twice": "LL",
    "jump thrice": "JJJ",
    "jump opposite left and walk thrice": "LLJWWW",
    "jump opposite left after walk around left": "LWLWLWLWLLJ",
    "turn opposite left twice after look opposite right twice": "RRKRRKLLLL",
    "jump left twice after turn around right twice": "RRRRRRRRLJLJ",
    "walk opposite left twice and run": "LLWLLWN",
    "run thrice after look right thrice": "RKRKRKNNN",
    "jump and turn left": "JL",
    "look right twice and turn around left twice": "RKRKLLLLLLLL",
}


def read(command: str) -> str:
    """A command's actions by their letters, read from its text alone."""
    for word, order in ((" and ", 1), (" after ", -1)):
        if word in command:
            return "".join([read(part) for part in command.split(word)][::order])
    for word, times in ((" twice", 2), (" thrice", 3)):
        if command.endswith(word):
            return read(command.removesuffix(word)) * times
    verb, *rest = command.split(" ")
    done = {"turn": "", "jump": "J", "walk": "W", "run": "N", "look": "K"}[verb]
    if not rest:
        return done
    turn = rest[-1][0].upper()
    return {("opposite",): turn + turn + done, ("around",): (turn + done) * 4, (): turn + done}[tuple(rest[:-1])]


def spelled(letters: str) -> str:
    return " ".join(LETTERS[letter] for letter in letters)


def made(**params: object) -> dict[str, Pairs]:
    return {split: scan.make(split, Params.model_validate(params)) for split in SPLITS}


def everything(splits: dict[str, Pairs]) -> dict[str, str]:
    return {
        command: actions
        for pairs in splits.values()
        for command, actions in zip(pairs.sources, pairs.targets, strict=True)
    }


def test_the_commands_are_all_of_the_paper_s() -> None:
    every = everything(made())
    assert len(every) == 20_910
    assert {command: every[command] for command in PUBLISHED} == {
        command: spelled(letters) for command, letters in PUBLISHED.items()
    }
    # The authors' tasks.txt has as many characters.
    assert sum(len(f"IN: {command} OUT: {actions}\n") for command, actions in every.items()) == 4_080_388
    # As the paper says: 13 words, at most 9 in a command; 6 actions, at most 48 for a command.
    words = [command.split(" ") for command in every]
    assert len({word for command in words for word in command}) == 13
    assert max(map(len, words)) == 9
    assert set(" ".join(every.values()).split(" ")) == set(LETTERS.values())
    assert max(actions.count(" ") + 1 for actions in every.values()) == 48


def test_actions_are_what_the_commands_say() -> None:
    wrong = [command for command, actions in everything(made()).items() if actions != spelled(read(command))]
    assert wrong == []


def test_the_simple_split_is_drawn_and_shares_nothing() -> None:
    splits = made(split="simple")
    assert [len(splits[split].sources) for split in SPLITS] == [16_728 - 836, 836, 4_182]
    assert sum(len(set(pairs.sources)) for pairs in splits.values()) == len(everything(splits))
    assert not any(pairs.language for pairs in splits.values())
    # Long commands and jumps are tested as often as they are trained on.
    jumps = [sum("jump" in command for command in pairs.sources) / len(pairs.sources) for pairs in splits.values()]
    assert jumps == pytest.approx([7_707 / 20_910] * 3, abs=0.03)


def test_the_split_by_length_trains_on_at_most_22_actions() -> None:
    splits = made(split="length")
    lengths = {split: [actions.count(" ") + 1 for actions in pairs.targets] for split, pairs in splits.items()}
    assert [len(lengths[split]) for split in SPLITS] == [16_990 - 849, 849, 3_920]
    assert max(lengths["train"]) == max(lengths["val"]) == 22
    assert (min(lengths["test"]), max(lengths["test"])) == (24, 48)
    assert len(everything(splits)) == 20_910


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_add_jump_trains_on_jump_alone_and_often(seed: int) -> None:
    splits = made(split="add_jump", seed=seed)
    assert [len(splits[split].sources) for split in SPLITS] == [14_670 - 733, 733, 7_706]
    trained = Counter(splits["train"].sources)
    assert trained.pop("jump") == 1_467
    assert set(trained.values()) == {1}
    assert not any("jump" in command for command in (*trained, *splits["val"].sources))
    assert all("jump" in command and command != "jump" for command in splits["test"].sources)
    assert len(everything(splits)) == 20_910


def test_fewer_rows_are_drawn_from_the_same_split() -> None:
    whole, few = made(split="length"), made(split="length", train_size=500, val_size=20, test_size=300)
    assert [len(few[split].sources) for split in SPLITS] == [500, 20, 300]
    for split in SPLITS:
        assert everything({split: few[split]}).items() <= everything({split: whole[split]}).items()
    lengths = [actions.count(" ") + 1 for actions in few["test"].targets]
    assert max(lengths) > 40 > 26 > min(lengths)  # from all over the split
    jumps = scan.make("train", Params(split="add_jump", train_size=1_000)).sources.count("jump")
    assert jumps == pytest.approx(105, abs=40)


def test_the_seed_decides_what_is_drawn() -> None:
    for split in ("simple", "length", "add_jump"):
        assert set(made(split=split)["val"].sources) != set(made(split=split, seed=1)["val"].sources)
    assert set(made()["test"].sources) != set(made(seed=1)["test"].sources)
    assert set(made(split="length")["test"].sources) == set(made(split="length", seed=1)["test"].sources)
    # These rows are those of seed 0 for ever.
    lines = "\n".join(command for pairs in made().values() for command in pairs.sources)
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == "93780e161d07c1f1"


def test_no_more_can_be_asked_for_than_there_are() -> None:
    with pytest.raises(ValidationError, match="val_size asks for 837 rows; split simple has 836"):
        Params(val_size=837)
    with pytest.raises(ValidationError, match="train_size asks for 15,000 rows; split add_jump has 13,937"):
        Params(split="add_jump", train_size=15_000)
    assert len(scan.make("val", Params(val_size=836)).sources) == 836
