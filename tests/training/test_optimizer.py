import io

import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from timm.optim import param_groups_layer_decay
from torch import nn

from pipeline.models.layers import layer_numbers
from pipeline.settings.pretraining import PretrainingSettings
from pipeline.settings.training import OptimizationSettings
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding
from pipeline.training.optimizer import build_optimizer, set_learning_rate
from pipeline.training.schedule import learning_rate

FINE_TUNING = OptimizationSettings(
    steps=75, warmup_steps=5, batch_size=1024, base_learning_rate=2.5e-4, min_learning_rate=1e-5, layer_decay=0.55
)


@pytest.fixture(scope="module")
def classifier() -> VisionTransformer:
    """Return a vision transformer of twelve blocks, as it is fine-tuned."""
    return timm.create_model(
        "vit_tiny_patch16_224", img_size=32, depth=12, embed_dim=24, num_heads=2, num_classes=14, global_pool="avg"
    )


def layers(model: nn.Module) -> dict[str, int]:
    return layer_numbers((name for name, _ in model.named_parameters()), "", 12)


def of_each_parameter(model: nn.Module, groups: list[dict[str, object]], key: str) -> dict[str, object]:
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {names[parameter]: group[key] for group in groups for parameter in group["params"]}  # type: ignore[attr-defined]


def test_scales_and_weight_decays_are_those_of_timm(classifier: VisionTransformer) -> None:
    expected = param_groups_layer_decay(classifier, weight_decay=FINE_TUNING.weight_decay, layer_decay=0.55)
    groups = build_optimizer(classifier, layers(classifier), FINE_TUNING).param_groups
    for ours, theirs in (("scale", "lr_scale"), ("weight_decay", "weight_decay")):
        assert of_each_parameter(classifier, groups, ours) == of_each_parameter(classifier, expected, theirs)


# Golden values of spec Medical MAE G.
def test_the_scales_of_layers_are_the_published_golden_values(classifier: VisionTransformer) -> None:
    groups = build_optimizer(classifier, layers(classifier), FINE_TUNING).param_groups
    golden = [0.000421, 0.000766, 0.001393, 0.002533, 0.004605, 0.008373, 0.015224]
    golden += [0.027681, 0.050328, 0.091506, 0.166375, 0.3025, 0.55, 1]
    assert sorted({group["scale"] for group in groups}) == pytest.approx(golden, abs=5e-7)
    assert len(groups) == 2 * len(golden)


# Golden values of spec Patch-IB 2.6, whose heads have the rate of the last block.
def test_parameters_without_weight_decay_have_the_rate_of_their_layer(classifier: VisionTransformer) -> None:
    settings = FINE_TUNING.model_copy(update={"layer_decay": 0.85})
    numbers = {name: min(layer, 12) for name, layer in layers(classifier).items()}
    optimizer = build_optimizer(classifier, numbers, settings)
    set_learning_rate(optimizer, 1.0)
    rates = of_each_parameter(classifier, optimizer.param_groups, "lr")
    golden = {"blocks.0.norm1.weight": 0.1673, "blocks.0.attn.qkv.bias": 0.1673, "patch_embed.proj.bias": 0.1422}
    golden |= {"blocks.11.norm2.bias": 1.0, "head.bias": 1.0}
    assert {name: rates[name] for name in golden} == pytest.approx(golden, abs=5e-5)


@pytest.mark.parametrize("step", [0, 3, 5, 40, 75])
def test_every_layer_follows_the_schedule_down_to_its_own_floor(classifier: VisionTransformer, step: int) -> None:
    optimizer = build_optimizer(classifier, layers(classifier), FINE_TUNING)
    rate = learning_rate(step, FINE_TUNING)
    set_learning_rate(optimizer, rate)
    rates = of_each_parameter(classifier, optimizer.param_groups, "lr")
    assert rates["head.weight"] == rate
    assert rates["pos_embed"] == pytest.approx(rate * 0.55**13)


def test_biases_and_norms_do_not_decay_and_positions_are_not_trained(small_run: PretrainingSettings) -> None:
    task = MaskedAutoencoding(small_run)
    groups = build_optimizer(task, task.layers(), small_run.optimization).param_groups
    decay = of_each_parameter(task, groups, "weight_decay")
    assert len(groups) == 2
    assert all((decay[name] == 0.0) == (name.endswith(".bias") or "norm" in name) for name in decay)
    assert decay["model.encoder.cls_token"] == decay["model.decoder.mask_token"] == 0.05
    untrained = {name for name, _ in task.named_parameters()} - decay.keys()
    assert untrained == {"model.encoder.pos_embed", "model.decoder.positions"}


def test_a_decoder_learns_at_the_whole_rate(small_run: PretrainingSettings) -> None:
    task = MaskedAutoencoding(small_run)
    settings = small_run.optimization.model_copy(update={"layer_decay": 0.5})
    scales = of_each_parameter(task, build_optimizer(task, task.layers(), settings).param_groups, "scale")
    assert {scales[name] for name in scales if name.startswith("model.decoder.")} == {1.0}
    assert scales["model.encoder.norm.weight"] == 1.0
    assert scales["model.encoder.blocks.1.attn.qkv.weight"] == 0.5
    assert scales["model.encoder.patch_embed.proj.weight"] == 0.125


def test_a_resumed_optimiser_takes_the_same_steps(small_run: PretrainingSettings) -> None:
    settings = small_run.optimization.model_copy(update={"layer_decay": 0.5})

    def begin() -> tuple[MaskedAutoencoding, torch.optim.AdamW]:
        task = MaskedAutoencoding(small_run)
        return task, build_optimizer(task, task.layers(), settings)

    def step(task: nn.Module, optimizer: torch.optim.AdamW, number: int) -> None:
        set_learning_rate(optimizer, learning_rate(number, settings))
        generator = torch.Generator().manual_seed(number)
        for parameter in task.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()

    undisturbed, optimizer = begin()
    saved = io.BytesIO()
    for number in range(6):
        if number == 3:
            torch.save({"task": undisturbed.state_dict(), "optimizer": optimizer.state_dict()}, saved)
        step(undisturbed, optimizer, number)
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    resumed, optimizer = begin()
    resumed.load_state_dict(state["task"])
    optimizer.load_state_dict(state["optimizer"])
    for number in range(3, 6):
        step(resumed, optimizer, number)
    for one, other in zip(undisturbed.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
