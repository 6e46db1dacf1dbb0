"""Utilisation: the operations of the spec's models, a ceiling that is measured, and a count that leaves no trace."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.masked_autoencoder import MaskedAutoencoder
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.methods import MaskedAutoencoderSettings
from pipeline.training.utilisation import Utilisation, peak_memory, product_rate

CPU = torch.device("cpu")


class Attending(nn.Module):
    """Attend once, project once, and drop at random."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(16, 16)

    def forward(self, tokens: Tensor) -> Tensor:
        attended = functional.scaled_dot_product_attention(tokens, tokens, tokens)
        return functional.dropout(self.project(attended), 0.5)


ATTENDING_FLOPS = 2 * 4 * 8 * (2 * 8 * 16) + 2 * 4 * 8 * 16 * 16
"""Of the forward pass of `Attending` with 4 sequences of 8 tokens: two products of attention, one of the layer."""


def counted(model: nn.Module, inputs: Tensor) -> float:
    """Return the operations of a training step per sequence."""
    utilisation = Utilisation(CPU, "float32")
    utilisation.count(lambda: model(inputs).square().mean(), len(inputs))
    share = utilisation.share(1.0)
    assert share is not None
    return share * product_rate(CPU, torch.float32)


@pytest.mark.parametrize(
    ("architecture", "decoder_depth", "billions"),
    [("vit_small_patch16_224", 2, 10.3), ("vit_small_patch16_224", 8, 34.4), ("vit_base_patch16_224", 8, 42.1)],
)
def test_masked_autoencoders_cost_what_the_spec_derives(architecture: str, decoder_depth: int, billions: float) -> None:
    # The spec lets visible tokens through the last block, too, whose outputs nobody reads.
    settings = MaskedAutoencoderSettings(kind="mae", mask_ratio=0.9, decoder_depth=decoder_depth)
    model = MaskedAutoencoder(EncoderSettings(architecture=architecture), settings, seed=0)
    utilisation = Utilisation(CPU, "float32")

    def loss() -> Tensor:
        prediction = model(torch.zeros(1, 1, 224, 224), torch.rand(1, 196))
        error: Tensor = prediction.predicted - prediction.target
        return error.square().mean()

    utilisation.count(loss, images=1)
    share = utilisation.share(1.0)
    assert share is not None
    assert share * product_rate(CPU, torch.float32) == pytest.approx(billions * 1e9, rel=0.01)


def test_fused_attention_and_linear_layers_count() -> None:
    tokens = torch.randn(4, 1, 8, 16)
    assert counted(Attending(), tokens) == pytest.approx(3 * ATTENDING_FLOPS / 4)


def test_a_compiled_model_counts_as_much_and_is_compiled_no_more_often() -> None:
    compilations = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> torch.fx.GraphModule:
        compilations.append(graph)
        return graph

    model, tokens = Attending(), torch.randn(4, 1, 8, 16)
    model.compile(backend=backend)
    assert counted(model, tokens) == pytest.approx(3 * ATTENDING_FLOPS / 4)
    assert not compilations
    model(tokens)
    assert counted(model, tokens) == pytest.approx(3 * ATTENDING_FLOPS / 4)
    model(tokens)
    assert len(compilations) == 1


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_trained_after_a_count_is_what_would_have_been_trained_without(precision: str) -> None:
    def trained(counts: bool) -> tuple[list[Tensor], Tensor]:
        torch.manual_seed(7)
        model, tokens = Attending(), torch.randn(4, 1, 8, 16)
        optimizer = torch.optim.AdamW(model.parameters())

        def loss() -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                outputs: Tensor = model(tokens)
            return outputs.float().square().mean()

        if counts:
            Utilisation(CPU, precision).count(loss, 4)
        for _ in range(2):
            loss().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()
        return list(model.parameters()), torch.get_rng_state()

    (counted_weights, counted_state), (weights, state) = trained(counts=True), trained(counts=False)
    assert all(torch.equal(one, other) for one, other in zip(counted_weights, weights, strict=True))
    assert torch.equal(counted_state, state)


def test_the_share_grows_with_the_rate_and_is_unknown_until_counted() -> None:
    utilisation = Utilisation(CPU, "float32")
    assert utilisation.share(1.0) is None
    layer, inputs = nn.Linear(512, 512), torch.randn(512, 512)
    utilisation.count(lambda: layer(inputs).sum(), 512)
    at_ceiling = product_rate(CPU, torch.float32) / (3 * 2 * 512 * 512)
    assert utilisation.share(at_ceiling) == pytest.approx(1.0)
    assert utilisation.share(at_ceiling / 4) == pytest.approx(0.25)


def test_the_ceiling_is_measured_once_and_is_one_of_a_processor() -> None:
    rate = product_rate(CPU, torch.float32)
    assert 1e8 < rate < 1e13
    assert product_rate(CPU, torch.float32) == rate


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the kernel's own account is Linux's")
def test_the_peak_of_memory_is_what_the_kernel_says() -> None:
    number, unit = peak_memory(CPU).split()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    kernel = int(status["VmHWM"].split()[0]) * 1024
    assert float(number) * {"MB": 1e6, "GB": 1e9}[unit] >= 0.9 * kernel
    assert float(number) * {"MB": 1e6, "GB": 1e9}[unit] < 1e12
