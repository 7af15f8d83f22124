"""Precisions: what really runs in each, layer by layer; what each changes, and what it leaves alone."""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.catalog import Catalog
from dlbench.contracts.batches import Batch
from dlbench.errors import Unsupported
from dlbench.schema.signature import Classes, Image, Signature, Tokens
from dlbench.schema.train import TrainSettings
from dlbench.worker.arrange import arrange, why_not_compile
from dlbench.worker.build import set_up
from dlbench.worker.precision import NAMES, Precision, evaluating, unsupported
from dlbench.worker.step import TrainStep

Do = Callable[..., Any]

CPU = torch.device("cpu")
TEXT = Signature(input=Tokens(vocabulary=20, length=6), output=Classes(classes=4))
IMAGE = Signature(input=Image(channels=3, height=8, width=8), output=Classes(classes=10))
TINY: dict[str, tuple[Signature, dict[str, Any]]] = {
    "lstm": (TEXT, {"embedding_size": 16, "hidden_size": 16}),
    "gru": (TEXT, {"embedding_size": 16, "hidden_size": 16}),
    "rnn": (TEXT, {"embedding_size": 16, "hidden_size": 16}),
    "transformer": (TEXT, {"hidden_size": 16, "heads": 2, "ff_size": 32, "layers": 1}),
    "linear": (TEXT, {"buckets": 8}),
    "mlp": (IMAGE, {"hidden_sizes": (16,)}),
    "cnn": (IMAGE, {"width": 4, "stages": 1}),
    "vit": (IMAGE, {"hidden_size": 16, "heads": 2, "mlp_size": 32, "layers": 1, "patch_size": 4}),
}
F32, BF16, F8, INT8 = ("float32",), ("bfloat16",), ("float8_e4m3fn",), ("int8",)


def encoder(linear: tuple[str, ...], products: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The layers of one encoder block: its linear ones, and attention's own products."""
    block = "blocks.0."
    return {
        f"{block}attention.project": linear,
        f"{block}attention": products,
        f"{block}attention.out": linear,
        f"{block}feed_forward.widen": linear,
        f"{block}feed_forward.narrow": linear,
    }


RECURRENT = ("body.forwards.0", "head")
LAYERS: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {
    "lstm": {
        "fp32": dict.fromkeys(RECURRENT, F32),
        "bf16": dict.fromkeys(RECURRENT, BF16),
        "fp8_emulated": dict.fromkeys(RECURRENT, BF16),
        "int8": dict.fromkeys(RECURRENT, INT8),
    },
    "gru": {"fp32": dict.fromkeys(RECURRENT, F32), "int8": dict.fromkeys(RECURRENT, INT8)},
    "rnn": {"fp32": dict.fromkeys(RECURRENT, F32), "int8": {"body.forwards.0": F32, "head": INT8}},
    "transformer": {
        "fp32": {**encoder(F32, F32), "head": F32},
        "bf16": {**encoder(BF16, BF16), "head": BF16},
        "bf16_pure": {**encoder(BF16, BF16), "head": BF16},
        "fp8_emulated": {**encoder(F8, BF16), "head": BF16},
        "int8": {**encoder(INT8, F32), "head": INT8},
    },
    "linear": {"fp32": {}, "bf16_pure": {}, "int8": {}},
    "mlp": {
        "fp32": {"blocks.0.0": F32, "head": F32},
        "fp8_emulated": {"blocks.0.0": F8, "head": BF16},
        "int8": {"blocks.0.0": INT8, "head": INT8},
    },
    "cnn": {
        "fp32": {"blocks.0.0": F32, "head.1": F32},
        "bf16_pure": {"blocks.0.0": BF16, "head.1": BF16},
        "fp8_emulated": {"blocks.0.0": BF16, "head.1": BF16},
        "int8": {"blocks.0.0": F32, "head.1": INT8},
    },
    "vit": {
        "fp32": {"patches": F32, **encoder(F32, F32), "head": F32},
        "bf16_pure": {"patches": BF16, **encoder(BF16, BF16), "head": BF16},
        "fp8_emulated": {"patches": BF16, **encoder(F8, BF16), "head": BF16},
        "int8": {"patches": F32, **encoder(INT8, F32), "head": INT8},
    },
}


def precision_of(name: str) -> Precision:
    """The precision on the CPU; the test is skipped where it has none."""
    reason = unsupported(name, CPU)
    if reason is not None:
        pytest.skip(reason)
    return Precision(name, CPU)


def model_of(name: str, precision: Precision, device: str = "cpu") -> nn.Module:
    """A tiny model, the same at each call, as a job would get it."""
    signature, params = TINY[name]
    module = Catalog().load("models", name)
    torch.manual_seed(0)
    with torch.device(device):
        return precision.prepare(module.build(module.Params(**params), signature).train())


def batch_of(name: str, size: int = 5) -> Batch:
    """Random examples for a tiny model."""
    generator = torch.Generator().manual_seed(1)
    batch = {"index": torch.arange(size)}
    if TINY[name][0] is TEXT:
        batch["lengths"] = torch.full((size,), 6)
        batch["tokens"] = torch.randint(1, 20, (size, 6), generator=generator)
    else:
        batch["image"] = torch.randn(size, 3, 8, 8, generator=generator)
    return batch


@pytest.mark.parametrize(("name", "precision_name"), [(name, p) for name, by in LAYERS.items() for p in by])
def test_what_ran_is_told_layer_by_layer_and_nothing_is_changed_by_looking(name: str, precision_name: str) -> None:
    precision = precision_of(precision_name)
    model, batch = model_of(name, precision), batch_of(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = torch.get_rng_state()
    ran = precision.ran(model, batch)
    expected = LAYERS[name][precision_name]
    assert ran.layers == expected
    assert ran.dtypes == tuple(sorted({dtype for dtypes in expected.values() for dtype in dtypes}))
    assert torch.equal(state, torch.get_rng_state())
    assert model.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    lowest = {"int8": "int8", "fp8_emulated": "float8_e4m3fn"}.get(precision_name)
    missed = precision.missed(ran)
    assert (missed is None) == (lowest is None or lowest in ran.dtypes)
    assert missed is None or "nothing ran in" in missed


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("precision_name", ["bf16", "bf16_pure", "int8", "fp8_emulated"])
def test_a_lower_precision_answers_nearly_the_same(name: str, precision_name: str) -> None:
    exact, precision = Precision("fp32", CPU), precision_of(precision_name)
    batch = batch_of(name)
    fp32, model = model_of(name, exact), model_of(name, precision)
    answers = precision.for_inference(model)
    with evaluating(fp32, exact):
        right = fp32(batch)
    with evaluating(answers, precision):
        near = answers(batch)
    assert not near.requires_grad
    assert (near.float() - right).norm() <= 0.15 * right.norm()  # e4m3 has 4 bits of significand


def test_every_precision_that_a_suite_can_ask_for_is_known_here() -> None:
    assert {"fp32", "tf32", "bf16", "bf16_pure", "fp16", "fp8", "fp8_emulated", "int8"} == set(NAMES)
    assert unsupported("fp32", CPU) is None


@pytest.mark.parametrize(("name", "words"), [("tf32", "tensor cores"), ("fp8", "8.9; precision fp8_emulated")])
def test_what_no_processor_has_is_refused_with_what_to_do(name: str, words: str) -> None:
    assert words in (unsupported(name, CPU) or "")
    with pytest.raises(Unsupported, match=words):
        Precision(name, CPU)


def test_int8_is_for_processors() -> None:
    assert "only for the CPU" in (unsupported("int8", torch.device("cuda")) or "")


@pytest.mark.skipif(find_spec("torchao") is not None, reason="torchao is installed")
def test_fp8_without_torchao_says_how_to_get_it() -> None:
    assert "pip install 'dlbench[fp8]'" in (unsupported("fp8_emulated", CPU) or "")


class OwnLoss(nn.Module):
    """A model with a loss of its own, an integer buffer and one that is not saved."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(4, 3), nn.BatchNorm1d(3)
        self.register_buffer("scale", torch.ones(3), persistent=False)
        self.seen: list[torch.dtype] = []

    def forward(self, batch: Batch) -> dict[str, Any]:
        self.seen.append(batch["vector"].dtype)
        return {"all": [self.norm(self.layer(batch["vector"])) * self.scale], "index": batch["index"]}

    def loss(self, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
        self.seen.append(batch["target"].dtype)
        return F.cross_entropy(self(batch)["all"][0], batch["index"], label_smoothing=label_smoothing)


def test_pure_bf16_casts_floats_on_the_way_in_and_out_also_of_a_loss_of_the_models_own() -> None:
    precision = precision_of("bf16_pure")
    model: Any = precision.prepare(OwnLoss())
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert {name: b.dtype for name, b in model.named_buffers()} == {
        "norm.running_mean": torch.bfloat16,
        "norm.running_var": torch.bfloat16,
        "norm.num_batches_tracked": torch.int64,
        "scale": torch.bfloat16,
    }
    batch = {"vector": torch.randn(3, 4), "target": torch.randn(3), "index": torch.arange(3)}
    output = model(batch)
    assert output["all"][0].dtype == torch.float32
    assert output["index"] is batch["index"]
    assert model.loss(batch, label_smoothing=0.1).dtype == torch.float32
    assert set(model.seen) == {torch.bfloat16}
    assert batch["vector"].dtype == torch.float32
    meta = precision.prepare(OwnLoss().to("meta"))
    assert {p.dtype for p in meta.parameters()} == {torch.bfloat16}


def test_pure_bf16_keeps_parameters_gradients_and_optimiser_state_in_bf16(make_work: Any) -> None:
    precision_of("bf16_pure")
    bench = set_up(make_work(precision="bf16_pure", train={"steps": 1, "batch_size": 8, "lr": 0.1}))
    model = bench.model()
    gradients: list[torch.dtype] = []
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda p: gradients.append(p.grad.dtype))  # type: ignore[union-attr]
    step = TrainStep(bench.task, model, bench.job.train, bench.precision)
    step([next(bench.task.batches("train", 8))])
    (optimizer,) = step.main.optimizers.members
    moments = [value for state in optimizer.state.values() for key, value in state.items() if key != "step"]
    assert len(moments) == 2 * len(list(model.parameters()))
    assert {tensor.dtype for tensor in (*model.parameters(), *moments)} == {torch.bfloat16}
    assert gradients == [torch.bfloat16] * 4
    assert step.loss_sum.dtype == torch.float32


def test_a_job_in_pure_bf16_learns(do: Do) -> None:
    precision_of("bf16_pure")
    record, _ = do(precision="bf16_pure", train={"epochs": 3, "batch_size": 32, "lr": 0.02})
    assert record.status == "ok", record.reason
    assert record.precision.ran == BF16
    assert record.precision.layers == {"0": BF16, "3": BF16}
    assert (record.metrics[0].value or 0) > 0.8


def test_an_int8_job_trains_what_fp32_trains_and_is_scored_quantised(do: Do, make_work: Any) -> None:
    settings = {"params": {"dropout": 0.3}, "train": {"epochs": 2, "batch_size": 32, "lr": 0.01, "checkpoint": True}}
    exact, exact_folder = do(**settings)
    rounded, folder = do(**settings, precision="int8")
    assert rounded.status == "ok", rounded.reason
    assert rounded.fingerprint == exact.fingerprint
    assert rounded.precision.ran == INT8
    assert rounded.precision.layers == {"0": INT8, "3": INT8}
    assert rounded.flags == ()
    assert rounded.metric("train_loss") == exact.metric("train_loss")
    columns = ("val_accuracy", "val_loss", "train_loss")
    curves = [np.genfromtxt(f.artifacts / "curve.csv", delimiter=",", names=True) for f in (exact_folder, folder)]
    assert all((curves[0][column] == curves[1][column]).all() for column in columns)

    bench = set_up(make_work(**settings, precision="int8"))
    model = bench.model()
    model.load_state_dict(torch.load(folder.path / "checkpoint.pt", weights_only=True))
    for split in ("val", "test"):
        answers = bench.precision.for_inference(model).eval()
        with torch.inference_mode():
            predictions = torch.cat([bench.task.predict(answers, b) for b in bench.task.batches(split, 256)])
        loss = bench.task.score(predictions, split)[1].value
        assert rounded.metric(f"{split}_loss").value == loss
        assert exact.metric(f"{split}_loss").value != loss


class ReadsWeights(nn.Module):
    """Uses a layer's weights without its forward pass; may also be wrong by itself."""

    def __init__(self, wrong: bool) -> None:
        super().__init__()
        self.layer, self.wrong = nn.Linear(4, 3), wrong

    def forward(self, batch: Batch) -> Tensor:
        if self.wrong:
            raise RuntimeError("wrong by itself")
        return F.linear(batch["vector"], self.layer.weight)


def test_a_model_that_breaks_when_quantised_is_refused_in_words_and_one_broken_before_is_not() -> None:
    precision = precision_of("int8")
    batch = {"vector": torch.randn(2, 4)}
    with pytest.raises(Unsupported, match="int8: this model does not run with quantised layers"):
        precision.ran(ReadsWeights(wrong=False), batch)
    with pytest.raises(Unsupported, match="int8: this model does not run with quantised layers"):
        precision.for_inference(ReadsWeights(wrong=False))(batch)
    with pytest.raises(RuntimeError, match=r"^wrong by itself"):
        precision.ran(ReadsWeights(wrong=True), batch)


def test_blocks_that_are_computed_twice_are_quantised_too() -> None:
    precision = precision_of("int8")
    model = model_of("transformer", precision)
    arrange(model, TrainSettings(grad_checkpointing=True), CPU)
    assert precision.ran(model, batch_of("transformer")).layers == LAYERS["transformer"]["int8"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules
@pytest.mark.skipif(why_not_compile(CPU) is not None, reason=str(why_not_compile(CPU)))
@pytest.mark.parametrize("precision_name", ["bf16_pure", "int8"])
def test_a_compiled_model_runs_in_the_same_dtypes(precision_name: str) -> None:
    precision = precision_of(precision_name)
    model, batch = model_of("mlp", precision), batch_of("mlp")
    plain = model_of("mlp", precision)
    arrange(model, TrainSettings(compile=True), CPU)
    assert precision.ran(model, batch) == precision.ran(plain, batch)
    model(batch).sum().backward()
    assert {p.grad.dtype for p in model.parameters() if p.grad is not None} == {p.dtype for p in model.parameters()}
    answers, expected = precision.for_inference(model), precision.for_inference(plain)
    with evaluating(answers, precision), evaluating(expected, precision):
        torch.testing.assert_close(answers(batch), expected(batch), atol=0.02, rtol=0.02)


def test_emulated_fp8_trains_fp32_weights_keeps_torchao_quiet_and_is_left_out_on_meta(
    capfd: pytest.CaptureFixture[str],
) -> None:
    precision = precision_of("fp8_emulated")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, batch = model_of("vit", precision), batch_of("vit", size=3)  # 15 rows: no multiple of 16
        with precision.autocast():
            loss = F.cross_entropy(model(batch), batch["index"])
        loss.backward()
    assert capfd.readouterr() == ("", "")
    assert {p.dtype for p in model.parameters()} == {p.grad.dtype for p in model.parameters()} == {torch.float32}  # type: ignore[union-attr]
    assert type(model.get_submodule("blocks.0.feed_forward.widen")).__name__ == "Float8Linear"
    meta = model_of("vit", precision, device="meta")
    assert type(meta.get_submodule("blocks.0.feed_forward.widen")) is nn.Linear
    assert model.state_dict().keys() == meta.state_dict().keys()


def test_an_emulated_precision_is_flagged_and_so_is_one_in_which_nothing_ran(do: Do) -> None:
    precision_of("fp8_emulated")
    record, _ = do(precision="fp8_emulated", data={"size": 32}, params={"hidden": 48})
    assert record.status == "ok", record.reason
    assert record.precision.layers == {"0": F8, "3": BF16}
    assert record.precision.ran == ("bfloat16", "float8_e4m3fn")
    assert [flag.partition(":")[0] for flag in record.flags] == ["emulated"]
    small, _ = do(precision="fp8_emulated", data={"size": 8})
    assert small.precision.ran == BF16
    assert small.flags[1:] == ("nothing ran in float8_e4m3fn: this model has no layer that can",)
    assert all(
        Precision(name, CPU).emulated is None
        for name in NAMES
        if unsupported(name, CPU) is None and name != "fp8_emulated"
    )


WRITTEN = Tokens(vocabulary=20, length=5)
TRANSLATORS = ("lstm", "transformer", "conv_seq2seq")
WRITERS: dict[str, tuple[str, Signature]] = {
    **{f"{name} of tokens": (name, Signature(input=TEXT.input, output=WRITTEN)) for name in TRANSLATORS},
    **{f"{name} of images": (name, Signature(input=IMAGE.input, output=WRITTEN)) for name in ("rnn", "lstm", "gru")},
}


@pytest.mark.parametrize("what", WRITERS)
@pytest.mark.parametrize("precision_name", ["fp32", "bf16", "bf16_pure", "int8"])
def test_what_writes_says_the_same_step_by_step_in_every_precision(what: str, precision_name: str) -> None:
    name, signature = WRITERS[what]
    precision = precision_of(precision_name)
    module = Catalog().load("models", name)
    torch.manual_seed(0)
    trained = precision.prepare(
        module.build(module.Params(**TINY.get(name, (TEXT, {}))[1], dropout=0.0), signature).train()
    )
    images = isinstance(signature.input, Image)
    batch = batch_of("mlp" if images else "lstm") | {"previous": torch.randint(3, 20, (5, 4))}
    written = []
    model: Any = precision.for_inference(trained)
    with evaluating(model, precision):
        logits = model(batch).float()
        memory, state = model.begin(batch)
        for position in range(4):
            step, state = model.step(batch["previous"][:, position], position, memory, state)
            written.append(step.float())
        looked = model.attention(batch)
    tolerance = {"fp32": 1e-5, "int8": 0.05}.get(precision_name, 0.03) * logits.abs().max()
    assert (torch.stack(written, 1) - logits).abs().max() <= tolerance
    assert bool(looked) != images  # there is nothing to choose from in a single state
    if precision_name == "int8":
        assert {type(layer).__module__ for layer in model.modules() if type(layer).__name__ == "Linear"} == {
            "torch.ao.nn.quantized.dynamic.modules.linear"
        }
    if precision_name == "bf16_pure":
        assert {kept.dtype for kept in (*state.values(), *memory.values())} <= {torch.bfloat16, torch.bool}
        assert {weights.dtype for weights in looked.values()} <= {torch.float32}


class WritesByWeights(ReadsWeights):
    """Would begin to write so, too."""

    begin = ReadsWeights.forward


def test_a_model_that_cannot_write_when_quantised_is_refused_in_words() -> None:
    model: Any = precision_of("int8").for_inference(WritesByWeights(wrong=False))
    with pytest.raises(Unsupported, match="int8: this model does not run with quantised layers"):
        model.begin({"vector": torch.randn(2, 4)})
