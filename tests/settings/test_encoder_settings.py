import copy
import re
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY
from pydantic import ValidationError

from pipeline.records.errors import UserError
from pipeline.settings.config import resolve
from pipeline.settings.encoder import EncoderSettings, Normalisation
from pipeline.settings.encoders import ForeignEncoderSettings

IMAGENET_MEAN = (0.485, 0.456, 0.406)
FOREIGN: dict[str, Any] = {
    "kind": "foreign",
    "format": "timm",
    "encoder": {"architecture": "vit_tiny_patch16_224", "channels": 3, "mean": 0.5, "std": 0.5},
    "repository": "somebody/vit_tiny",
    "sha256": "0" * 64,
    "licence": "Apache 2.0",
    "provenance": "somebody, on photographs",
}
DEMO = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())


def changed(**places: Any) -> dict[str, Any]:
    """Return the demo's configuration with values replaced or added; a double underscore stands for a dot."""
    config = copy.deepcopy(DEMO)
    for place, value in places.items():
        *parts, last = place.split("__")
        block = config
        for part in parts:
            block = block.setdefault(part, {})
        block[last] = value
    return config


def test_one_number_is_for_every_channel() -> None:
    assert Normalisation().of_channels(1) == ((0.5056,), (0.252,))
    assert Normalisation(mean=0.5, std=0.25).of_channels(3) == ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    assert Normalisation(mean=IMAGENET_MEAN, std=0.2).of_channels(3) == (IMAGENET_MEAN, (0.2, 0.2, 0.2))


def test_three_numbers_of_one_channel_are_refused() -> None:
    with pytest.raises(ValueError, match="3 numbers each, for 1 channel; give one"):
        Normalisation(mean=IMAGENET_MEAN).of_channels(1)


@pytest.mark.parametrize(
    ("encoder", "sentence"),
    [
        ({"image_size": 64, "patch_size": 7}, "patch_size 7 does not divide image_size 64"),
        ({"width": 128, "heads": 3}, "heads 3 does not divide width 128"),
        ({"width": 6, "heads": 2}, "width 6 is not a multiple of 4, which the sine-cosine positions need"),
        ({"mean": IMAGENET_MEAN}, "mean and std have 3 numbers each, for 1 channel; give one"),
        ({"std": [0.2, 0.2, 0.2]}, "mean and std have 3 numbers each, for 1 channel; give one"),
        ({"channels": 2}, "1 or 3"),
        ({"channels": 3, "mean": [0.5, 0.5]}, "mean"),
        ({"mean": 1.5}, "less than or equal to 1"),
        ({"std": 0.0}, "greater than 0"),
    ],
)
def test_an_encoder_that_cannot_be_is_refused(encoder: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(sentence)):
        EncoderSettings.model_validate(encoder)


@pytest.mark.parametrize(
    ("architecture", "patch_size", "image_size", "blocks"),
    [
        ("vit_huge_patch14_224", 14, 224, 32),
        ("vit_small_patch16_384", 16, 384, 12),
        ("vit_base_patch16_rope_224", 16, 224, None),
        ("vit_small_patch16_36x1_224", 16, 224, None),
    ],
)
def test_sizes_that_are_not_given_are_those_of_the_name(
    architecture: str, patch_size: int, image_size: int, blocks: int | None
) -> None:
    named = EncoderSettings(architecture=architecture)
    assert (named.patch_size, named.image_size, named.blocks) == (patch_size, image_size, blocks)
    chosen = EncoderSettings(architecture=architecture, patch_size=8, image_size=64, depth=3)
    assert (chosen.patch_size, chosen.image_size, chosen.blocks) == (8, 64, 3)


def test_rows_of_patches_fill_the_image() -> None:
    assert EncoderSettings().rows == 14
    assert EncoderSettings(image_size=64, patch_size=8).rows == 8


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"file": "model.pth"}, "give either file or repository: where the checkpoint comes from"),
        ({"repository": None}, "give either file or repository: where the checkpoint comes from"),
        ({"repository": "vit_tiny"}, "repository"),
        ({"sha256": "unknown"}, "sha256"),
        ({"format": "torchvision"}, "'timm', 'mae', 'medical_mae' or 'cxr_mim'"),
    ],
)
def test_a_foreign_checkpoint_of_unclear_origin_is_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(sentence)):
        ForeignEncoderSettings.model_validate(FOREIGN | change)


@pytest.mark.parametrize("missing", ["sha256", "licence", "provenance", "encoder"])
def test_a_foreign_checkpoint_says_what_it_is(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        ForeignEncoderSettings.model_validate({key: value for key, value in FOREIGN.items() if key != missing})


def test_a_run_may_start_from_a_foreign_encoder_a_random_one_or_another_run() -> None:
    for start in ("foreign", "random", "mae_demo"):
        shape = changed()["pretrain"]["cxr_mim_demo"]["encoder"]
        foreign = FOREIGN | {"encoder": shape | {"channels": 3}}
        config = resolve(changed(controls__foreign=foreign, pretrain__cxr_mim_demo__initial=start))
        assert config.pretrain["cxr_mim_demo"].initial == start


def test_a_random_control_may_have_the_shape_of_a_foreign_encoder() -> None:
    assert resolve(changed(controls__foreign=FOREIGN, controls__random__like="foreign")).controls["random"]


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        (
            {"pretrain__cxr_mim_demo__initial": "mae_dmeo"},
            "pretrain.cxr_mim_demo.initial: there is no vision transformer 'mae_dmeo'; did you mean 'mae_demo'?",
        ),
        (
            {"pretrain__cxr_mim_demo__initial": "pixels"},
            "pretrain.cxr_mim_demo.initial: there is no vision transformer 'pixels'",
        ),
        (
            {"pretrain__mae_demo__initial": "mae_demo"},
            "pretrain.mae_demo.initial leads back to 'mae_demo'; let one run start anew",
        ),
        (
            {"pretrain__mae_demo__initial": "cxr_mim_demo"},
            "pretrain.mae_demo.initial leads back to 'mae_demo'; let one run start anew",
        ),
        (
            {"controls__random__like": "pixels"},
            "controls.random.like: there is no pretraining run or foreign encoder 'pixels'",
        ),
        (
            {"controls__mae_demo": {"kind": "pixels"}},
            "'mae_demo' names both a pretraining run and a control; rename one",
        ),
        (
            {"comparisons__random": ["mae_demo"]},
            "comparisons: there is no pretraining run 'random'",
        ),
        (
            {"comparisons__cxr_mim_demo": ["mae_dem"]},
            "comparisons.cxr_mim_demo: there is no other run 'mae_dem'; did you mean 'mae_demo'?",
        ),
        (
            {"comparisons__cxr_mim_demo": ["cxr_mim_demo"]},
            "comparisons.cxr_mim_demo: there is no other run 'cxr_mim_demo'",
        ),
        (
            {"comparisons__cxr_mim_demo": ["pixels"]},
            "comparisons.cxr_mim_demo: there is no other run 'pixels'",
        ),
        (
            {"comparisons__cxr_mim_demo": ["mae_demo", "mae_demo"]},
            "comparisons.cxr_mim_demo names a run twice",
        ),
        (
            {"protocols__linear_probe__encoders": ["mae_demo", "cxr_mim_demo", "random"]},
            "comparisons.cxr_mim_demo: no protocol evaluates both 'cxr_mim_demo' and 'cxr_mim_random_demo'; add them",
        ),
        (
            {"pretrain__cxr_mim_demo__encoder": DEMO["pretrain"]["cxr_mim_demo"]["encoder"] | {"width": 64}},
            "pretrain.cxr_mim_demo.initial: 'mae_demo' has width 128, the run's own encoder 64; make them equal",
        ),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(places: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        resolve(changed(**places))


def test_runs_may_start_from_each_other_in_a_chain() -> None:
    config = resolve(changed(pretrain__cxr_mim_random_demo__initial="cxr_mim_demo"))
    assert config.pretrain["cxr_mim_random_demo"].initial == "cxr_mim_demo"
