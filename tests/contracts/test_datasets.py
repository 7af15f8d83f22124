"""What every dataset on the shelf promises."""

import re

import pytest
from pydantic import ValidationError

from dlbench.catalog import Catalog
from dlbench.schema import base

CATALOG = Catalog()
NAMES = CATALOG.names("datasets")
BUILT_IN = [name for name in NAMES if not CATALOG.load("datasets", name).FILES]


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
    assert len({file.folder for file in module.FILES}) <= 1
    for file in module.FILES:
        assert file.url.startswith("https://")
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256 or "0" * 64)
        assert re.fullmatch(r"[0-9a-f]{32}", file.md5 or "0" * 32)
        assert ".." not in f"{file.folder}/{file.name}".split("/")


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_one_has_a_seed_and_the_sizes_asked_for(name: str) -> None:
    module = CATALOG.load("datasets", name)
    assert module.Params().seed == 0
    sizes = {"train": 40, "val": 20, "test": 30}
    params = module.Params(**{f"{split}_size": size for split, size in sizes.items()})
    splits = {split: module.make(split, params) for split in sizes}
    assert {split: len(examples.labels) for split, examples in splits.items()} == sizes
    assert len({examples.classes for examples in splits.values()}) == 1
    other = module.make("train", params.model_copy(update={"seed": 1}))
    assert list(other.texts) != list(splits["train"].texts)
    assert list(module.make("train", params).texts) == list(splits["train"].texts)
