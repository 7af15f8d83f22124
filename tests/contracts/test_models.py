"""What every model on the shelf promises, for every preset; here over classification of token sequences."""

import json
import random
from types import ModuleType
from typing import Any, get_args

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.catalog import Catalog
from dlbench.schema import base
from dlbench.schema.signature import Boxes, Classes, Image, Input, Output, Signature, Tags, Tokens, Vector
from dlbench.schema.space import Axis

CATALOG = Catalog()
NAMES = CATALOG.names("models")
PRESETS = [(name, preset) for name in NAMES for preset in (None, *CATALOG.load("models", name).PRESETS)]
TEXT = Signature(input=Tokens(vocabulary=50, length=12), output=Classes(classes=3))
UNKNOWN_SIZES = Signature(input=Tokens(), output=Classes())
READERS = [name for name in NAMES if CATALOG.load("models", name).accepts(TEXT)]
LENGTHS = [1, 2, 5, 9, 3]


def preset_params(name: str, preset: str | None) -> tuple[ModuleType, Any]:
    module = CATALOG.load("models", name)
    return module, module.Params(**(module.PRESETS[preset] if preset else {}))


def build(name: str, seed: int = 0, signature: Signature = TEXT) -> nn.Module:
    module, params = preset_params(name, None)
    torch.manual_seed(seed)
    return module.build(params, signature)


def randomised(name: str) -> nn.Module:
    """In evaluation mode, every weight moved at random, so that nothing cancels and no row of padding is 0."""
    model = build(name).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model


def padded(rows: list[list[int]], width: int | None = None) -> dict[str, Tensor]:
    width = width or max(map(len, rows))
    return {
        "tokens": torch.tensor([row + [0] * (width - len(row)) for row in rows]),
        "lengths": torch.tensor([len(row) for row in rows]),
        "target": torch.arange(len(rows)) % 3,
        "index": torch.arange(len(rows)),
    }


def random_rows(lengths: list[int] = LENGTHS) -> list[list[int]]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randint(1, 50, (length,), generator=generator).tolist() for length in lengths]


@pytest.mark.parametrize("name", NAMES)
def test_it_declares_what_it_is(name: str) -> None:
    module = CATALOG.load("models", name)
    assert isinstance(module.REVISION, int)
    assert issubclass(module.Params, base.Params)
    assert 20 < len(CATALOG.summary("models", name)) <= 100
    assert all(field.description for field in module.Params.model_fields.values())
    with pytest.raises(ValidationError):
        module.Params(no_such_parameter=1)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_its_parameters_survive_json(name: str, preset: str | None) -> None:
    module, params = preset_params(name, preset)
    assert module.Params(**json.loads(json.dumps(params.model_dump()))) == params


@pytest.mark.parametrize(
    ("name", "preset"), [each for each in PRESETS if hasattr(CATALOG.load("models", each[0]), "space")]
)
def test_every_point_of_its_own_space_is_made_of_its_parameters(name: str, preset: str | None) -> None:
    module, params = preset_params(name, preset)
    base = params.model_dump(mode="json")
    axes = {key: Axis(name=key, **_kind(raw)) for key, raw in module.space(params).items()}
    assert axes
    assert set(axes) <= set(module.Params.model_fields)
    ends = {key: [axis.low, axis.high] if axis.values is None else axis.values for key, axis in axes.items()}
    assert all(len(values) > 1 for values in ends.values())
    draw = random.Random(0)
    points = [
        {**{other: draw.choice(choices) for other, choices in ends.items()}, key: value}
        for key, values in ends.items()
        for value in values
        for _ in range(20)
    ]
    for point in points:
        whole = module.Params.model_validate({**base, **json.loads(json.dumps(point))})
        assert all(whole.model_dump(mode="json")[key] == value for key, value in point.items())


def _kind(raw: Any) -> dict[str, Any]:
    """A declared axis as fields of `Axis`: a list is its choices."""
    return {"choices": tuple(raw)} if isinstance(raw, list) else {k: v for k, v in raw.items() if k != "when"}


@pytest.mark.parametrize("name", NAMES)
def test_what_it_accepts_it_builds_and_sizes_do_not_matter(name: str) -> None:
    module, params = preset_params(name, None)
    inputs = (Tokens(vocabulary=9, length=6), Vector(size=9), Image(channels=1, height=8, width=8))
    outputs = (Classes(classes=2), Tags(classes=2), Tokens(vocabulary=9, length=6), Boxes(classes=2), inputs[2])
    kinds = {type(member) for member in (*inputs, *outputs)}
    assert kinds <= {*get_args(get_args(Input)[0]), *get_args(get_args(Output)[0])}
    accepted = 0
    for input_ in inputs:
        for output in outputs:
            known = Signature(input=input_, output=output)
            unknown = Signature(input=type(input_)(), output=type(output)())
            assert module.accepts(known) == module.accepts(unknown), known
            if module.accepts(known):
                accepted += 1
                module.build(params, known)
    assert accepted, "it accepts nothing that is tried here; try what it reads"


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_it_builds_on_the_meta_device_with_its_paper_s_signature(name: str, preset: str | None) -> None:
    module, params = preset_params(name, preset)
    signature = module.signature(preset)
    assert module.accepts(signature)
    with torch.device("meta"):
        model = module.build(params, signature).eval()
    tensors = [*model.parameters(), *model.buffers()]
    assert tensors
    assert all(tensor.is_meta for tensor in tensors)
    if isinstance(signature.input, Tokens):
        shape = (2, min(4, signature.input.length))  # longer ones cost time and tell no more
        batch = {"tokens": torch.empty(shape, dtype=torch.long, device="meta")}
        batch["lengths"] = torch.empty(2, dtype=torch.long, device="meta")
        if isinstance(signature.output, Tokens):
            batch["previous"] = torch.empty(2, 3, dtype=torch.long, device="meta")
            assert model(batch).shape == (2, 3, signature.output.vocabulary)
        else:
            assert model(batch).shape == (2, signature.output.classes)


@pytest.mark.parametrize("name", READERS)
def test_logits_have_a_row_for_every_text_and_gradients_reach_every_parameter(name: str) -> None:
    model = build(name)
    batch = padded(random_rows())
    logits = model(batch)
    assert logits.shape == (len(LENGTHS), 3)
    F.cross_entropy(logits, batch["target"]).backward()
    silent = [key for key, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert not silent


@pytest.mark.parametrize("name", READERS)
def test_padding_and_neighbours_change_nothing(name: str) -> None:
    model = randomised(name)
    rows = random_rows()
    with torch.no_grad():
        alone = torch.cat([model(padded([row])) for row in rows])
        together = model(padded(rows))
        widened = model(padded(rows, width=12))
        reversed_ = model(padded(rows[::-1])).flip(0)
    assert alone.std() > 0.01
    for logits in (together, widened, reversed_):
        torch.testing.assert_close(logits, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", READERS)
def test_padding_changes_no_gradient_either(name: str) -> None:
    model = randomised(name)
    gradients = []
    for width in (9, 12):
        model.zero_grad()
        batch = padded(random_rows(), width)
        F.cross_entropy(model(batch), batch["target"]).backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", READERS)
def test_texts_of_one_token_work(name: str) -> None:
    logits = randomised(name)(padded([[3], [4]]))
    assert logits.isfinite().all()
    assert not torch.equal(logits[0], logits[1])


@pytest.mark.parametrize("name", READERS)
def test_a_seed_decides_weights_and_dropout(name: str) -> None:
    batch = padded(random_rows())
    models = [build(name, seed) for seed in (0, 0)]
    outputs = []
    for model in models:
        torch.manual_seed(5)
        outputs.append(model(batch))
    assert all(map(torch.equal, models[0].state_dict().values(), models[1].state_dict().values()))
    assert torch.equal(*outputs)


@pytest.mark.parametrize("name", READERS)
def test_it_learns_a_word_that_tells_the_class(name: str) -> None:
    model = build(name)
    generator = torch.Generator().manual_seed(3)
    rows = [[*torch.randint(10, 50, (6,), generator=generator).tolist(), 1 + i % 3] for i in range(60)]
    batch = padded(rows)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(batch), batch["target"]).backward()
        optimizer.step()
    assert (model.eval()(batch).argmax(1) == batch["target"]).float().mean() > 0.95


@pytest.mark.parametrize("name", READERS)
def test_it_runs_under_bf16_autocast(name: str) -> None:
    model = build(name)
    batch = padded(random_rows())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = F.cross_entropy(model(batch), batch["target"])
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("name", READERS)
def test_unknown_sizes_are_refused_in_words(name: str) -> None:
    module, params = preset_params(name, None)
    assert module.accepts(UNKNOWN_SIZES)
    with pytest.raises(ValueError, match="every size is known"):
        module.build(params, UNKNOWN_SIZES)
