"""What every dataset on the shelf promises."""

import re

import numpy as np
import pytest
from pydantic import ValidationError

from dlbench.catalog import Catalog
from dlbench.datasets._images import Images
from dlbench.datasets._pairs import Pairs
from dlbench.datasets._tagged import Tagged
from dlbench.datasets._text import Text
from dlbench.schema import base

CATALOG = Catalog()
NAMES = CATALOG.names("datasets")
BUILT_IN = [name for name in NAMES if not CATALOG.load("datasets", name).FILES]
SIZES = {"train": 40, "val": 20, "test": 30}


def contents(split: Text | Images | Pairs | Tagged) -> list[str] | list[bytes]:
    """What a model gets to see of each example, in a form that compares."""
    if isinstance(split, Images):
        return [image.tobytes() for image in split.images]
    return list(split.sources if isinstance(split, Pairs) else split.texts)


def alike(split: Text | Images | Pairs | Tagged) -> tuple[object, ...]:
    """What all splits of a dataset have in common."""
    if isinstance(split, Images):
        return split.classes, split.names, split.images.shape[1:]
    if isinstance(split, Tagged):
        return (split.classes,)
    return (split.language,) if isinstance(split, Pairs) else (split.classes, split.language)


@pytest.mark.parametrize("name", NAMES)
def test_it_declares_what_it_is(name: str) -> None:
    module = CATALOG.load("datasets", name)
    assert isinstance(module.REVISION, int)
    assert issubclass(module.Params, base.Params)
    assert set(module.TASKS) <= set(CATALOG.names("tasks"))
    assert module.TASKS
    assert len(CATALOG.summary("datasets", name)) > 20
    assert all(field.description for field in module.Params.model_fields.values())
    with pytest.raises(ValidationError):
        module.Params(no_such_parameter=1)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_either_read_or_made(name: str) -> None:
    module = CATALOG.load("datasets", name)
    assert hasattr(module, "load") == bool(module.FILES)
    assert hasattr(module, "make") == (not module.FILES)
    assert {file.folder for file in module.FILES} <= {name}
    for file in module.FILES:
        assert file.url.startswith("https://")
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256 or "0" * 64)
        assert re.fullmatch(r"[0-9a-f]{32}", file.md5 or "0" * 32)
        assert ".." not in f"{file.folder}/{file.name}".split("/")


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_one_has_the_sizes_announced_and_splits_that_fit_together(name: str) -> None:
    module = CATALOG.load("datasets", name)
    params = module.Params(**{f"{split}_size": size for split, size in SIZES.items()})
    splits = {split: module.make(split, params) for split in SIZES}
    assert {split: len(contents(examples)) for split, examples in splits.items()} == SIZES
    assert len({content for examples in splits.values() for content in contents(examples)}) == sum(SIZES.values())
    assert len({alike(examples) for examples in splits.values()}) == 1
    for examples in splits.values():
        if isinstance(examples, Pairs):
            assert len(examples.targets) == len(examples.sources)
        elif isinstance(examples, Tagged):
            pairs = zip(examples.texts, examples.tags, strict=True)
            assert all(len(text.split()) == len(tags.split()) for text, tags in pairs)
            assert {tag for tags in examples.tags for tag in tags.split()} <= set(examples.classes)
        else:
            assert examples.labels.dtype == np.int64
        if isinstance(examples, Tagged) or (not isinstance(examples, Images) and not examples.language):
            texts = [*examples.sources, *examples.targets] if isinstance(examples, Pairs) else examples.texts
            assert all(text == " ".join(text.split()) != "" for text in texts)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_seed_of_a_built_in_one_decides_and_is_nought(name: str) -> None:
    module = CATALOG.load("datasets", name)
    assert module.Params().seed == 0
    params = module.Params(**{f"{split}_size": size for split, size in SIZES.items()})
    for split in SIZES:
        made = contents(module.make(split, params))
        assert contents(module.make(split, params)) == made
        assert contents(module.make(split, params.model_copy(update={"seed": 1}))) != made
