import pytest
import timm
from timm.models import group_parameters
from timm.models.vision_transformer import VisionTransformer

from pipeline.models.layers import layer_numbers


def vision_transformer(**arguments: object) -> VisionTransformer:
    return timm.create_model("vit_tiny_patch16_224", depth=12, embed_dim=24, num_heads=2, **arguments)


def names(model: VisionTransformer) -> list[str]:
    return [name for name, _ in model.named_parameters()]


@pytest.mark.parametrize("arguments", [{}, {"reg_tokens": 2, "pre_norm": True}, {"class_token": False}])
def test_a_fine_tuned_encoder_has_the_layers_that_timm_gives_it(arguments: dict[str, object]) -> None:
    model = vision_transformer(num_classes=14, global_pool="avg", **arguments)
    expected = group_parameters(model, model.group_matcher(coarse=False), reverse=True)
    assert layer_numbers(names(model), "", 12) == expected


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("cls_token", 0),
        ("pos_embed", 0),
        ("patch_embed.proj.weight", 0),
        ("blocks.0.norm1.bias", 1),
        ("blocks.11.mlp.fc2.weight", 12),
        ("norm.weight", 13),
        ("head.bias", 13),
    ],
)
def test_layers_are_those_of_medical_mae(name: str, layer: int) -> None:
    assert layer_numbers([name], "", 12) == {name: layer}


def test_what_is_not_the_encoder_follows_it_whatever_its_names() -> None:
    given = ["model.encoder.blocks.1.attn.qkv.weight", "model.decoder.blocks.0.attn.qkv.weight", "blocks.0.x"]
    assert list(layer_numbers(given, "model.encoder.", 2).values()) == [2, 3, 3]
