import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.settings.base import parse
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.methods import CxrMimSettings, MaskedAutoencoderSettings, MethodSettings
from pipeline.settings.pretraining import PretrainingSettings, visible_patches

OPTIMIZATION = {"steps": 10, "batch_size": 4}
SIDES = {"image_size": 64, "patch_size": 8, "depth": 6}


def pretraining(task: dict[str, object], encoder: dict[str, object], **more: object) -> PretrainingSettings:
    """Return a run of one method on one encoder."""
    plain = {"task": task, "encoder": encoder, "corpora": ["made"], "optimization": OPTIMIZATION}
    return PretrainingSettings.model_validate(plain | more)


def test_defaults_are_those_of_the_papers() -> None:
    mae = parse(MethodSettings, {"kind": "mae"})
    assert (mae.mask_ratio, mae.norm_pix, mae.decoder, mae.kept_ratio) == (0.9, False, "mae", 1.0)
    mim = parse(MethodSettings, {"kind": "cxr_mim"})
    assert (mim.mask_ratio, mim.masking, mim.clinical_ratio, mim.gaze_weighting) == (0.75, "gaze", 0.5, "rescaled")
    assert (mim.taps, mim.scales, mim.orientations, mim.gaze_temperature) == ((1, 3, 9, 11), (4, 2, 1, 0.5), 9, 0.1)
    assert (mim.decoder_width, mim.decoder_depth, mim.decoder_heads) == (256, 1, 8)


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ({"kind": "mae", "decoder_heads": 7}, "decoder_heads 7 does not divide decoder_width 512"),
        ({"kind": "mae", "decoder_width": 6, "decoder_heads": 2}, "decoder_width 6 is not a multiple of 4"),
        ({"kind": "mae", "kept_ratio": 0.25}, "kept_ratio below 1 needs decoder 'cross'"),
        ({"kind": "mae", "mask_ratio": 1}, "less than 1"),
        ({"kind": "mae", "kept_ratio": 0}, "greater than 0"),
        ({"kind": "cxr_mim", "decoder_heads": 3}, "decoder_heads 3 does not divide decoder_width 256"),
        ({"kind": "cxr_mim", "taps": [1, 3]}, "taps names 2 blocks and scales 4 scales; pair them"),
        ({"kind": "cxr_mim", "taps": [], "scales": []}, "taps names 0 blocks and scales 0 scales"),
        ({"kind": "cxr_mim", "taps": [3, 1, 9, 11]}, "taps [3, 1, 9, 11] must ascend from 0 or above"),
        ({"kind": "cxr_mim", "taps": [1, 1, 9, 11]}, "must ascend"),
        ({"kind": "cxr_mim", "taps": [-1, 1, 9, 11]}, "must ascend"),
        ({"kind": "cxr_mim", "scales": [4, 3, 1, 0.5]}, "scales holds 3; a decoder can predict 4, 2, 1, 0.5"),
        ({"kind": "cxr_mim", "clinical_ratio": 1.5}, "less than or equal to 1"),
        ({"kind": "cxr_mim", "gaze_temperature": 0}, "greater than 0"),
        ({"kind": "cxr_mim", "orientations": 1}, "greater than 1"),
        ({"kind": "cxr_mim", "gaze_weighting": "none"}, "'rescaled', 'published' or 'off'"),
    ],
)
def test_a_method_that_cannot_be_is_refused(task: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(sentence)):
        parse(MethodSettings, task)


def test_a_kept_ratio_is_allowed_where_hidden_patches_are_independent() -> None:
    task = parse(MethodSettings, {"kind": "mae", "decoder": "cross", "kept_ratio": 0.25})
    assert task.kept_ratio == 0.25


@pytest.mark.parametrize(
    ("masking", "weighting", "reads"),
    [
        ("gaze", "off", True),
        ("random", "rescaled", True),
        ("random", "published", True),
        ("random", "off", False),
        ("gaze", "rescaled", True),
    ],
)
def test_gaze_maps_are_read_only_where_something_uses_them(masking: str, weighting: str, *, reads: bool) -> None:
    task = CxrMimSettings.model_validate({"kind": "cxr_mim", "masking": masking, "gaze_weighting": weighting})
    assert task.reads_gaze is reads


@pytest.mark.parametrize(
    ("task", "encoder", "sentence"),
    [
        ({"kind": "mae", "mask_ratio": 0.99}, SIDES, "mask_ratio 0.99 leaves 0 of 64 patches visible"),
        ({"kind": "cxr_mim", "mask_ratio": 0.001}, {"depth": 12}, "mask_ratio 0.001 leaves 196 of 196 patches visible"),
        (
            {"kind": "cxr_mim", "taps": [1, 5], "scales": [4, 1]},
            {"image_size": 60, "patch_size": 6, "depth": 6},
            "scale 4 does not cut 10 rows of patches of 6 pixels into whole cells",
        ),
        (
            {"kind": "cxr_mim", "taps": [1, 5], "scales": [1, 0.5]},
            {"image_size": 56, "patch_size": 8, "depth": 6},
            "scale 0.5 does not cut 7 rows of patches of 8 pixels into whole cells",
        ),
        ({"kind": "cxr_mim"}, SIDES, "taps [1, 3, 9, 11] do not end with block 5, the encoder's last"),
        (
            {"kind": "cxr_mim"},
            {"architecture": "vit_large_patch16_224"},
            "taps [1, 3, 9, 11] do not end with block 23, the encoder's last",
        ),
        ({"kind": "cxr_mim", "taps": [0, 1, 2, 3]}, SIDES, "taps [0, 1, 2, 3] do not end with block 5"),
    ],
)
def test_a_method_that_does_not_fit_the_encoder_is_refused(
    task: dict[str, object], encoder: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=re.escape(sentence)):
        pretraining(task, encoder)


@pytest.mark.parametrize("taps", [[0, 1, 4, 5], [2, 3, 4, 5]])
def test_taps_end_with_the_last_block(taps: list[int]) -> None:
    assert pretraining({"kind": "cxr_mim", "taps": taps}, SIDES).task.kind == "cxr_mim"


@pytest.mark.parametrize(
    ("task", "visible"),
    [
        (MaskedAutoencoderSettings(kind="mae", mask_ratio=0.9), 19),
        (MaskedAutoencoderSettings(kind="mae", mask_ratio=0.75), 49),
        (CxrMimSettings(kind="cxr_mim", mask_ratio=0.75), 49),
    ],
)
def test_as_many_patches_are_visible_as_in_the_originals(task: MethodSettings, visible: int) -> None:
    assert visible_patches(task, EncoderSettings().rows ** 2) == visible


@given(st.integers(4, 1024), st.floats(0.01, 0.99))
def test_the_two_methods_round_to_either_side_of_the_same_share(patches: int, ratio: float) -> None:
    mae = visible_patches(MaskedAutoencoderSettings(kind="mae", mask_ratio=ratio), patches)
    mim = visible_patches(CxrMimSettings(kind="cxr_mim", mask_ratio=ratio), patches)
    assert 0 <= mim - mae <= 1
    assert abs(mae - patches * (1 - ratio)) < 1


@pytest.mark.parametrize(
    ("normalisation", "channels", "sentence"),
    [
        ({"other": {"mean": 0.4}}, 1, "normalisation names 'other', which is not among the corpora; remove it"),
        ({"made": {"mean": [0.4, 0.4, 0.4]}}, 1, "mean and std have 3 numbers each, for 1 channel; give one"),
        ({"made": {"std": 0}}, 3, "greater than 0"),
    ],
)
def test_a_normalisation_of_no_use_is_refused(normalisation: dict[str, object], channels: int, sentence: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(sentence)):
        pretraining({"kind": "mae"}, {"channels": channels}, normalisation=normalisation)


def test_what_only_watches_a_run_is_no_part_of_its_recipe() -> None:
    run = pretraining({"kind": "mae"}, {})
    watched = run.model_copy(update={"log_every": 1, "max_bad": 3, "validate_every": 7, "validation_images": 9})
    assert watched.recipe == run.recipe
    assert pretraining({"kind": "mae"}, {}, initial="another").recipe != run.recipe
    assert pretraining({"kind": "mae"}, {}, normalisation={"made": {"mean": 0.4}}).recipe != run.recipe
