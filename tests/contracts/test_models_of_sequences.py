"""What every model on the shelf promises that reads token sequences and writes others, in each of its kinds."""

import itertools
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.catalog import Catalog
from dlbench.contracts.batches import Batch, State
from dlbench.contracts.models import Writer
from dlbench.schema.signature import Signature, Tokens
from dlbench.tasks._decoding import BEGIN, END, greedy

CATALOG = Catalog()
VOCABULARY = 60
PAIRS = Signature(
    input=Tokens(vocabulary=VOCABULARY, length=12), output=Tokens(vocabulary=VOCABULARY, length=10, shared=True)
)
LARGE = Signature(input=Tokens(vocabulary=8000, length=64), output=Tokens(vocabulary=7000, length=50))
UNKNOWN_SIZES = Signature(input=Tokens(), output=Tokens())
NAMES = [name for name in CATALOG.names("models") if CATALOG.load("models", name).accepts(UNKNOWN_SIZES)]
FIRST_ID = 20
"""Tokens of the tests are above it, so that no position has their number."""

Case = tuple[str, dict[str, Any]]


def kinds(name: str) -> Iterator[dict[str, Any]]:
    """The default, then every other value of each parameter that makes another kind of model, then more layers.

    Input feeding goes with any attention, so both are varied together; what a model refuses together is left out.
    """
    fields = CATALOG.load("models", name).Params.model_fields
    options = {
        key: _values(fields[key].annotation)
        for key in ("attention", "input_feeding", "bidirectional", "norm", "positions", "tie")
        if key in fields
    }
    yield {}
    fed = [key for key in ("attention", "input_feeding") if key in options]
    together = [dict(zip(fed, values, strict=True)) for values in itertools.product(*(options[key] for key in fed))]
    others = [{key: value} for key in options if key not in fed for value in options[key]]
    for chosen in [*(together if fed else []), *others, *([{"layers": 2}] if "layers" in fields else [])]:
        changed = {key: value for key, value in chosen.items() if value != fields[key].default}
        if changed and _fits(name, changed):
            yield changed


def _values(annotation: Any) -> tuple[Any, ...]:
    return (False, True) if annotation is bool else get_args(annotation)


def _fits(name: str, params: dict[str, Any]) -> bool:
    try:
        CATALOG.load("models", name).Params(**params)
    except ValidationError:
        return False
    return True


CASES = [(name, params) for name in NAMES for params in kinds(name)]


def told(case: Case) -> str:
    """Name of the test with a case."""
    return "-".join([case[0], *(f"{key}={value}" for key, value in case[1].items())])


each_case = pytest.mark.parametrize("case", CASES, ids=told)


def build(case: Case, seed: int = 0, signature: Signature = PAIRS) -> Any:
    """The model, in training mode."""
    name, params = case
    module = CATALOG.load("models", name)
    torch.manual_seed(seed)
    return module.build(module.Params(**params), signature)


def randomised(case: Case) -> Any:
    """In evaluation mode, every weight moved at random, so that nothing cancels and no row of padding is 0.

    In double precision: what such weights make of rounding in fp32 depends on the processor.
    """
    model = build(case).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model.double()


def padded(rows: list[list[int]], width: int | None = None) -> Tensor:
    width = width or max(map(len, rows))
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def batch_of(
    sources: list[list[int]], targets: list[list[int]], widths: tuple[int | None, int | None] = (None, None)
) -> Batch:
    """A batch as the task makes it; the ends of the targets are added."""
    tokens, target = padded(sources, widths[0]), padded([[*row, END] for row in targets], widths[1])
    begin = torch.full((len(targets), 1), BEGIN)
    return {
        "tokens": tokens,
        "lengths": torch.tensor([len(row) for row in sources]),
        "target": target,
        "previous": torch.cat([begin, target[:, :-1]], 1),
        "index": torch.arange(len(sources)),
    }


def pairs(lengths: list[tuple[int, int]] = [(1, 3), (2, 0), (5, 6), (9, 2), (3, 7)]) -> tuple[Any, Any]:  # noqa: B006
    """Random sources and targets of these lengths."""
    generator = torch.Generator().manual_seed(2)
    rows = [
        torch.randint(FIRST_ID, VOCABULARY, (length,), generator=generator).tolist()
        for both in lengths
        for length in both
    ]
    return rows[::2], rows[1::2]


def loss(model: Any, batch: Batch) -> Any:
    """The model's own, or cross entropy."""
    own = getattr(model, "loss", None)
    if own is not None:
        return own(batch)
    return F.cross_entropy(model(batch).flatten(0, 1).float(), batch["target"].flatten(), ignore_index=0)


def stepped(model: Writer, batch: Batch) -> Tensor:
    """The logits of all positions, written one after the other; (B, T, V)."""
    memory, state = model.begin({key: batch[key] for key in ("tokens", "lengths", "index")})
    logits = []
    for position, previous_B in enumerate(batch["previous"].unbind(1)):
        logits_BV, state = model.step(previous_B, position, memory, state)
        logits.append(logits_BV)
    return torch.stack(logits, 1)


def test_every_architecture_that_writes_is_tried_in_its_kinds() -> None:
    assert {"conv_seq2seq", "gru", "lstm", "rnn", "transformer"} <= set(NAMES)
    assert {("gru", "hard"), ("rnn", "none")} <= {(name, params.get("attention")) for name, params in CASES}
    assert all(isinstance(build(case), Writer) for case in CASES)


@each_case
def test_on_the_meta_device_it_gives_logits_of_every_position_and_waits_for_nothing(case: Case) -> None:
    """A tensor of the meta device cannot be read, so whatever would make a GPU wait fails there."""
    signature = LARGE if case[1].get("tie") != "all" else PAIRS
    with torch.device("meta"):
        model = build(case, signature=signature).eval()
    assert all(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    batch = {key: value.to("meta") for key, value in batch_of(*pairs()).items()}
    shape = (*batch["previous"].shape, signature.output.vocabulary)  # type: ignore[union-attr]
    assert model(batch).shape == stepped(model, batch).shape == shape


@each_case
def test_gradients_reach_every_parameter(case: Case) -> None:
    model = build(case)
    loss(model, batch_of(*pairs())).backward()
    silent = [key for key, weight in model.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    assert not silent


@each_case
def test_padding_and_neighbours_change_nothing(case: Case) -> None:
    model = randomised(case)
    sources, targets = pairs()
    real = batch_of(sources, targets)["target"] > 0
    with torch.no_grad():
        alone = [model(batch_of([source], [target]))[0] for source, target in zip(sources, targets, strict=True)]
        together = model(batch_of(sources, targets))[real]
        widened = model(batch_of(sources, targets, (12, 10)))[:, : real.shape[1]][real]
        reversed_ = model(batch_of(sources[::-1], targets[::-1])).flip(0)[real]
    expected = torch.cat(alone)
    assert expected.std() > 0.01
    for logits in (together, widened, reversed_):
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-9)


@each_case
def test_padding_changes_no_gradient_either(case: Case) -> None:
    model = randomised(case)
    gradients = []
    for widths in ((None, None), (12, 10)):
        model.zero_grad()
        loss(model, batch_of(*pairs(), widths)).backward()
        gradients.append({key: weight.grad.clone() for key, weight in model.named_parameters()})
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


@each_case
def test_what_stands_at_padding_of_the_source_is_not_read(case: Case) -> None:
    model = randomised(case)
    batch = batch_of(*pairs())
    with torch.no_grad():
        before = model(batch)
        real = torch.arange(batch["tokens"].shape[1]) < batch["lengths"][:, None]
        other = torch.where(real, batch["tokens"], VOCABULARY - 1)
        after = model({**batch, "tokens": other})
        shorter = model({**batch, "lengths": batch["lengths"].clamp(max=4)})
    torch.testing.assert_close(after, before, rtol=0, atol=1e-9)
    assert not torch.allclose(shorter, before, atol=1e-3)


@each_case
def test_the_future_changes_no_logits_of_the_past(case: Case) -> None:
    model = randomised(case)
    batch = batch_of(*pairs())
    with torch.no_grad():
        before = model(batch)
        for position in range(1, batch["previous"].shape[1]):
            previous = batch["previous"].clone()
            previous[:, position:] = FIRST_ID + (previous[:, position:] + 1) % (VOCABULARY - FIRST_ID)
            after = model({**batch, "previous": previous})
            torch.testing.assert_close(after[:, :position], before[:, :position], rtol=0, atol=1e-9)
            assert not torch.allclose(after[:, position], before[:, position], atol=1e-3)
        assert torch.equal(model({**batch, "target": batch["target"].flip(0)}), before)


@each_case
def test_no_gradient_flows_from_the_past_into_the_future(case: Case) -> None:
    model = randomised(case).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    early, late = [BEGIN, 30, 31, 32], [40, 41, 42]
    batch = batch_of([[50, 51, 52, 53]], [[*early[1:], *late]])
    embedded: list[tuple[Tensor, Tensor]] = []

    def remember(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        output.retain_grad()
        embedded.append((inputs[0], output))

    for module in model.modules():
        if isinstance(module, nn.Embedding):
            module.register_forward_hook(remember)
    logits = model(batch)
    (logits[:, : len(early)] * torch.randn(logits[:, : len(early)].shape)).sum().backward()

    def gradient_at(ids: list[int]) -> Tensor:
        """Of all vectors that were looked up for these tokens."""
        found = [
            (torch.zeros_like(vectors) if vectors.grad is None else vectors.grad)[
                torch.isin(looked_up, torch.tensor(ids))
            ]
            for looked_up, vectors in embedded
        ]
        return torch.cat([each for each in found if len(each)])

    assert len(gradient_at(late)) == len(late)
    assert torch.equal(gradient_at(late), torch.zeros_like(gradient_at(late)))
    assert (gradient_at(early[1:]).abs().sum(1) > 0).all()


@each_case
def test_steps_give_the_logits_of_the_forward_pass(case: Case) -> None:
    model = randomised(case)
    batch = batch_of(*pairs())
    with torch.no_grad():
        torch.testing.assert_close(stepped(model, batch), model(batch), rtol=0, atol=1e-9)


@each_case
def test_a_step_changes_neither_memory_nor_state(case: Case) -> None:
    model = randomised(case)
    with torch.no_grad():
        memory, state = model.begin(batch_of(*pairs()))
        for position, token in enumerate((BEGIN, FIRST_ID, FIRST_ID + 1)):
            kept = [{key: rows.clone() for key, rows in part.items()} for part in (memory, state)]
            previous_B = torch.full((5,), token)
            logits, behind = model.step(previous_B, position, memory, state)
            again, _ = model.step(previous_B, position, memory, state)
            assert torch.equal(logits, again)
            for part, before in zip((memory, state), kept, strict=True):
                assert all(torch.equal(part[key], before[key]) for key in before)
            state = behind


@each_case
def test_rows_of_the_state_can_change_places_between_steps_as_beams_do(case: Case) -> None:
    model = randomised(case)
    batch = batch_of(*pairs())
    turn, origin = 3, torch.tensor([2, 0, 0, 4, 1, 4])
    generator = torch.Generator().manual_seed(3)
    behind = torch.randint(FIRST_ID, VOCABULARY, (len(origin), 3), generator=generator)

    def select(part: State) -> State:
        return {key: rows.index_select(0, origin) for key, rows in part.items()}

    moved = {key: rows.index_select(0, origin) for key, rows in batch.items()}
    moved["previous"] = torch.cat([moved["previous"][:, :turn], behind], 1)
    with torch.no_grad():
        expected = model(moved)[:, turn:]
        memory, state = model.begin(batch)
        for position in range(turn):
            _, state = model.step(batch["previous"][:, position], position, memory, state)
        memory, state = select(memory), select(state)
        for place in range(behind.shape[1]):
            logits, state = model.step(behind[:, place], turn + place, memory, state)
            torch.testing.assert_close(logits, expected[:, place], rtol=0, atol=1e-9)


@each_case
def test_what_it_attends_to_is_a_distribution_over_real_positions(case: Case) -> None:
    model = randomised(case)
    if not hasattr(model, "attention"):
        pytest.skip("it shows no attention")
    batch = batch_of(*pairs(), (11, 10))
    with torch.no_grad():
        weights = model.attention(batch)
    if not weights:
        pytest.skip("this kind attends to nothing")
    real = torch.arange(11) < batch["lengths"][:, None]
    rows = {"cross": batch["target"] > 0, "encoder": real}
    assert set(weights) <= set(rows)
    for name, weight in weights.items():
        of_real = weight[rows[name]]
        torch.testing.assert_close(of_real.float().sum(1), torch.ones(len(of_real)), rtol=0, atol=1e-4)
        assert (weight.masked_select(~real[:, None] & rows[name][..., None]) == 0).all()
        assert (of_real >= 0).all()


@each_case
def test_a_seed_decides_weights_and_dropout(case: Case) -> None:
    batch = batch_of(*pairs())
    models = [build(case, seed) for seed in (0, 0, 1)]
    outputs = []
    for model in models:
        torch.manual_seed(5)
        outputs.append(model(batch))
    weights = [torch.cat([weight.flatten() for weight in model.state_dict().values()]) for model in models]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(models[0](batch), models[0](batch)), "dropout is drawn anew"


@each_case
def test_it_trains_and_writes_under_bf16_autocast(case: Case) -> None:
    model = build(case)
    batch = batch_of(*pairs())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(model, batch)
    value.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    model.eval()
    with torch.inference_mode():
        exact = model(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = stepped(model, batch)
            written = greedy(model, batch, 5, exactly=True)
    assert written.shape == (5, 5)
    assert (rounded.float() - exact).abs().max() < 0.1 * exact.abs().max()


@pytest.mark.parametrize("name", NAMES)
def test_unknown_sizes_are_refused_in_words(name: str) -> None:
    with pytest.raises(ValueError, match="every size is known"):
        build((name, {}), signature=UNKNOWN_SIZES)


def teachable(name: str, params: dict[str, Any]) -> bool:
    """Each architecture once, and one that is recurrent with each kind of attention."""
    return not params or (name == "gru" and set(params) == {"attention"})


@pytest.mark.parametrize("case", [case for case in CASES if teachable(*case)], ids=told)
def test_it_learns_to_write_a_sequence_backwards(case: Case) -> None:
    small = Tokens(vocabulary=10, length=5, shared=True)
    model = build(case, signature=Signature(input=small.model_copy(update={"shared": False}), output=small))
    generator = torch.Generator().manual_seed(3)
    sources = [torch.randint(4, 10, (1 + i % 4,), generator=generator).tolist() for i in range(200)]
    batch = batch_of(sources, [source[::-1] for source in sources])
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    right = 0.0
    for _ in range(20):
        model.train()
        for _ in range(20):
            optimizer.zero_grad()
            loss(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        with torch.inference_mode():
            written = greedy(model.eval(), batch, 5)
        right = float((written == batch["target"]).all(1).float().mean())
        if right > 0.9:
            break
    assert right > 0.9
