"""The convolutional encoder–decoder against plain convolutions, its reach, and what §3.4 and §3.5 of its paper say."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from dlbench.contracts.batches import Batch
from dlbench.models.conv_seq2seq import ConvSeq2Seq, GatedConvolution, Params, build
from dlbench.schema.signature import Signature, Tokens
from dlbench.tasks._decoding import greedy

SIGNATURE = Signature(input=Tokens(vocabulary=40, length=30), output=Tokens(vocabulary=50, length=20))


def model(**params: float) -> ConvSeq2Seq:
    torch.manual_seed(0)
    built = build(Params.model_validate({"embedding_size": 16, "hidden_size": 24, **params}), SIGNATURE)
    assert isinstance(built, ConvSeq2Seq)
    return built.eval()


def batch(examples: int = 2, source: int = 30, target: int = 20) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return {
        "tokens": torch.randint(4, 40, (examples, source), generator=generator),
        "lengths": torch.full((examples,), source),
        "previous": torch.randint(4, 50, (examples, target), generator=generator),
        "index": torch.arange(examples),
    }


def changed_positions(before: Tensor, after: Tensor) -> set[int]:
    """Where two (B, T, D) differ."""
    return set((before != after).any(2).any(0).nonzero().flatten().tolist())


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_products_over_windows_are_a_convolution(kernel: int) -> None:
    torch.manual_seed(0)
    convolution = GatedConvolution(6, kernel, 0.0)
    inputs = torch.randn(2, 11, 6)
    weight = convolution.linear.weight.unflatten(1, (kernel, 6)).transpose(1, 2)
    expected = F.glu(F.conv1d(inputs.transpose(1, 2), weight, convolution.linear.bias), 1).transpose(1, 2)
    torch.testing.assert_close(convolution(inputs), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("layers", "kernel"), [(1, 3), (3, 3), (2, 5)])
def test_the_encoder_sees_as_many_positions_on_either_side(layers: int, kernel: int) -> None:
    network = model(encoder_layers=layers, kernel=kernel)
    asked = batch()
    with torch.no_grad():
        before = network.begin(asked)[0]["keys"]
        asked["tokens"][:, 15] = (asked["tokens"][:, 15] - 3) % 36 + 4
        after = network.begin(asked)[0]["keys"]
    reach = layers * (kernel // 2)
    assert changed_positions(before, after) == set(range(15 - reach, 16 + reach))


@pytest.mark.parametrize(("layers", "kernel"), [(1, 3), (3, 3), (2, 5), (2, 1)])
def test_the_decoder_remembers_as_many_positions_as_its_convolutions_reach(layers: int, kernel: int) -> None:
    network = model(decoder_layers=layers, kernel=kernel)
    asked = batch()
    with torch.no_grad():
        before = network(asked)
        asked["previous"][:, 6] = (asked["previous"][:, 6] - 3) % 46 + 4
        after = network(asked)
    assert changed_positions(before, after) == set(range(6, 7 + layers * (kernel - 1)))


@pytest.mark.parametrize("layers", [1, 4])
def test_gradients_into_the_encoder_are_shared_among_the_attentions(layers: int) -> None:
    gradients = []
    for scale in (None, 1.0):
        network = model(decoder_layers=layers)
        network.gradient_scale = scale or network.gradient_scale
        logits = network(batch())
        logits.square().mean().backward()
        gradients.append((network.source_in.weight.grad, network.in_.weight.grad, logits))
    (encoder, decoder, logits), (whole, same, again) = gradients
    torch.testing.assert_close(encoder * 2 * layers, whole, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(decoder, same)
    assert torch.equal(logits, again)


def test_weights_start_as_the_paper_says_and_keep_the_scale_of_what_flows() -> None:
    network = model(embedding_size=256, hidden_size=256, encoder_layers=6, dropout=0.2)
    gated, plain = network.blocks[0].convolution.linear, network.source_out  # type: ignore[union-attr]
    assert gated.weight.std().item() == pytest.approx(math.sqrt(4 * 0.8 / (3 * 256)), rel=0.01)
    assert plain.weight.std().item() == pytest.approx(math.sqrt(1 / 256), rel=0.01)
    assert network.head.weight.std().item() == pytest.approx(math.sqrt(0.8 / 256), rel=0.03)
    for table in (network.embedding.tokens.weight[1:], network.source_embedding.positions.weight):
        assert table.std().item() == pytest.approx(0.1, rel=0.03)
    assert not network.embedding.tokens.weight[0].any()
    with torch.no_grad():
        asked = batch()
        read = network.source_embedding(asked["tokens"], 0).std()
        assert 0.3 < network.begin(asked)[0]["keys"].std() / read < 1


def test_it_writes_beyond_the_longest_target_it_was_built_for() -> None:
    written = greedy(model(), batch(), 45, exactly=True)
    assert written.shape == (2, 45)


def test_even_kernels_are_refused_in_words() -> None:
    with pytest.raises(ValidationError, match="kernel 4 is even"):
        Params(kernel=4)
