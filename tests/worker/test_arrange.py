"""How a model is executed changes its time and memory, never what it learns."""

import pytest
import torch
from torch import Tensor, nn

from dlbench.errors import Unsupported
from dlbench.schema.train import TrainSettings
from dlbench.worker.arrange import arrange, why_not_compile

CPU = torch.device("cpu")


class Blocks(nn.Module):
    """Convolutions with batch norm and dropout in two blocks."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.Sequential(
            nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(dropout)),
            nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.Tanh()),
        )
        self.head = nn.Linear(4, 3)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.head(self.blocks(batch["image"]).mean((2, 3)))


def trained(settings: TrainSettings, dropout: float = 0.5) -> dict[str, Tensor]:
    model = Blocks(dropout)
    arrange(model, settings, CPU)
    batch = {"image": torch.randn(8, 2, 9, 9, generator=torch.Generator().manual_seed(1))}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.manual_seed(2)
    for _ in range(3):
        optimizer.zero_grad()
        model(batch).square().sum().backward()
        optimizer.step()
    return model.state_dict()


def saved_bytes(settings: TrainSettings) -> int:
    model = Blocks(0.5)
    arrange(model, settings, CPU)
    seen: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model({"image": torch.randn(8, 2, 9, 9)})
    return sum(seen.values())


def test_computing_blocks_twice_trains_the_same_dropout_and_statistics_included() -> None:
    plain, twice = trained(TrainSettings()), trained(TrainSettings(grad_checkpointing=True))
    for key, value in plain.items():
        torch.testing.assert_close(twice[key], value, msg=key)


def test_channels_last_trains_the_same_in_another_layout() -> None:
    plain, last = trained(TrainSettings(), dropout=0), trained(TrainSettings(channels_last=True), dropout=0)
    assert last["blocks.1.0.weight"].is_contiguous(memory_format=torch.channels_last)
    for key, value in plain.items():
        torch.testing.assert_close(last[key], value, msg=key)


def test_computing_twice_keeps_less() -> None:
    assert saved_bytes(TrainSettings(grad_checkpointing=True)) < 0.5 * saved_bytes(TrainSettings())


def test_a_model_without_blocks_is_refused_in_words() -> None:
    with pytest.raises(Unsupported, match="no repeated blocks"):
        arrange(nn.Linear(2, 2), TrainSettings(grad_checkpointing=True), CPU)


def test_compiling_what_is_computed_twice_is_refused_in_words() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    model.blocks = nn.ModuleList(model)
    with pytest.raises(Unsupported, match="computes twice"):
        arrange(model, TrainSettings(grad_checkpointing=True, compile=True), CPU)


def test_a_missing_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(Unsupported, match=r"C\+\+ compiler"):
        arrange(nn.Linear(2, 2), TrainSettings(compile=True), CPU)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules
@pytest.mark.skipif(why_not_compile(CPU) is not None, reason=str(why_not_compile(CPU)))
def test_a_compiled_model_computes_the_same() -> None:
    plain, compiled = nn.Linear(3, 2), nn.Linear(3, 2)
    compiled.load_state_dict(plain.state_dict())
    arrange(compiled, TrainSettings(compile=True), CPU)
    vectors = torch.randn(4, 3)
    torch.testing.assert_close(compiled(vectors), plain(vectors))
    assert list(compiled.state_dict()) == list(plain.state_dict())
