import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from PIL import Image
from tests.reporting.card_configuration import CONFIG, provenance, record_of, settings_of

from pipeline.models.encoder import build_encoder
from pipeline.models.encoder_folder import save_encoder
from pipeline.reporting.model_card import foreign_card, pixels_card, random_card, trained_card
from pipeline.settings.encoder import EncoderSettings
from pipeline.settings.encoders import ForeignEncoderSettings, PixelsEncoderSettings, RandomEncoderSettings
from pipeline.settings.methods import CxrMimSettings, MaskedAutoencoderSettings
from pipeline.stages.export_encoder import export_encoder

ENCODERS = [*CONFIG.pretrain, *CONFIG.controls]
IMAGENET_NUMBERS: dict[str, Any] = {"channels": 3, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def card(name: str, **record: Any) -> str:
    told = provenance(name)
    settings = told.itself.settings
    if isinstance(settings, ForeignEncoderSettings):
        return foreign_card(told, settings, "d" * 64)
    if isinstance(settings, RandomEncoderSettings):
        assert told.encoder is not None
        return random_card(told, settings, told.encoder, "d" * 64)
    if isinstance(settings, PixelsEncoderSettings):
        return pixels_card(told, settings)
    return trained_card(told, settings, record_of(name, **record))


def head(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(card(name).split("---\n")[1])
    return parsed


@pytest.mark.parametrize("name", ENCODERS)
def test_the_hub_reads_the_head_of_every_card(name: str) -> None:
    read = ModelCard(card(name))
    assert read.data.to_dict() == head(name)
    assert read.text.startswith(f"# {name}\n")


@pytest.mark.parametrize("name", ENCODERS)
def test_no_card_names_a_place_on_somebodys_machine(name: str) -> None:
    assert not re.search(r"/private|/home|data/", card(name).replace("/datasets/", ""))


def test_weights_learnt_from_credentialed_data_say_that_the_agreement_applies() -> None:
    for name in ("private", "after_private", "gaze", "xrays", "after_xrays"):
        assert "Sharing may be restricted" in card(name)
        assert "PhysioNet Credentialed Health Data License 1.5.0; credentialed access" in card(name)
        assert head(name)["license"] == "other"
        assert head(name)["license_name"] == "data-use-agreement"
        assert head(name)["license_link"].startswith("https://physionet.org/")
    assert {"reflacx", "mimic_cxr_jpg"} <= set(head("gaze")["datasets"])


def test_a_private_folder_restricts_its_weights_although_no_registry_names_it() -> None:
    assert "Sharing may be restricted" in card("owned")
    assert (head("owned")["license"], "datasets" in head("owned")) == ("other", False)


def test_open_and_synthetic_data_restrict_nothing() -> None:
    for name in ("synthetic", "mixed", "random", "pixels"):
        assert "Sharing may be restricted" not in card(name)
        assert "license" not in head(name)
    assert "synthetic: no publisher's terms apply" in card("synthetic")
    assert "synthetic: no publisher's terms apply" not in card("mixed")
    assert head("mixed")["datasets"] == ["nih_cxr14_samples"]


def test_the_data_stand_with_their_number_of_images_release_and_terms() -> None:
    rows = [line for line in card("mixed").splitlines() if line.startswith("| ")]
    (made,) = (row for row in rows if row.startswith("| made |"))
    (nih,) = (row for row in rows if row.startswith("| nih |"))
    assert "| 1,234 | synthetic" in made
    for told in ("1,234", "samples of kcr2019d1", "https://nihcc.app.box.com/v/ChestXray-NIHCC", "open"):
        assert told in nih
    assert "Views: PA, AP." in card("mixed")
    assert "Images of `nih` were normalised by mean 0.5, standard deviation 0.2" in card("mixed")


def test_the_digests_of_the_record_and_what_went_otherwise_than_planned_are_told() -> None:
    text = card("mixed", steps=150, quarantined=3)
    for digit in "12345":
        assert digit * 64 in text
    assert "150 of the 200 planned steps of 64 images" in text
    assert "3 damaged images were set aside" in text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mask_ratio": 0.75}, "Of the 16 patches of an image, 12 are hidden and 4 encoded."),
        ({"decoder": "mae"}, "all tokens attend to each other, predicts the pixels of the hidden patches;"),
        ({"decoder": "cross", "kept_ratio": 0.25}, "asks the encoded ones alone, predicts the pixels of 25 % of"),
        ({"norm_pix": True}, "each normalised by its own mean and variance"),
    ],
)
def test_a_masked_autoencoder_is_told_in_words(changes: dict[str, Any], sentence: str) -> None:
    task = MaskedAutoencoderSettings.model_validate(settings_of("synthetic").task.model_dump() | changes)
    settings = settings_of("synthetic").model_copy(update={"task": task})
    assert sentence in trained_card(provenance("synthetic"), settings, record_of("synthetic"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"clinical_ratio": 0.3}, "are hidden at 30 %"),
        ({"masking": "random"}, "All patches are hidden alike."),
        ({"gaze_weighting": "rescaled"}, "weighted by where readers looked (strength 1, temperature 0.1)"),
        ({"gaze_weighting": "off"}, "squared error, weighted alike"),
        ({"binning": "hard"}, "after blocks 1, 2, decoders of 1 block (width 256, 8 heads)"),
        ({"binning": "hard"}, "(9 orientations, hard binning) at 2, 1 cells"),
    ],
)
def test_cxr_mim_is_told_in_words(changes: dict[str, Any], sentence: str) -> None:
    task = CxrMimSettings.model_validate(settings_of("gaze").task.model_dump() | changes)
    settings = settings_of("gaze").model_copy(update={"task": task})
    assert sentence in trained_card(provenance("gaze"), settings, record_of("gaze"))


def test_initial_weights_are_followed_back_to_their_origin() -> None:
    text = card("gaze")
    for told in ("`imagenet`: trained by others", "ImageNet-21k", "`timm/vit_tiny`", "Apache License 2.0", "f" * 64):
        assert told in text
    assert head("gaze")["base_model"] == "timm/vit_tiny"
    assert "`private`: pretrained here on `mimic`" in card("after_private")
    assert "Fresh ones" in card("synthetic")


def test_a_foreign_encoder_tells_its_terms_file_and_digests() -> None:
    text = card("copied")
    for told in ("Apache License 2.0", "`checkpoint-799.pth`", "format `mae`", "f" * 64, "d" * 64, "ImageNet-21k"):
        assert told in text
    assert head("copied")["license"] == "other"


def test_what_others_are_known_to_have_trained_on_is_told() -> None:
    assert "Of the corpora here, it was trained on `mimic`. From the file `xrays.pth`" in card("xrays")
    assert "Of the corpora here" not in card("imagenet")


def test_only_encoders_known_to_be_trained_on_x_rays_are_tagged_so() -> None:
    tagged = {name for name in ENCODERS if {"chest-x-ray", "radiology"} & set(head(name)["tags"])}
    assert tagged == {*CONFIG.pretrain, "xrays"}


def test_limits_fit_the_kind_of_encoder() -> None:
    assert "traces of single training images" in card("private")
    assert "nothing was learnt" in card("random")
    assert "traces of single training images" not in card("random")
    for name in ("imagenet", "random"):
        assert "whoever was rare or missing there" not in card(name)
    assert "their publisher has to say" in card("imagenet")


@pytest.fixture(params=[{}, IMAGENET_NUMBERS], ids=["one channel", "three channels"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Publish an encoder, its ONNX file and its card in one folder, and an image beside them."""
    encoder = EncoderSettings.model_validate(settings_of("synthetic").encoder.model_dump() | request.param)
    settings = settings_of("synthetic").model_copy(update={"encoder": encoder})
    save_encoder(tmp_path, build_encoder(encoder, seed=0), encoder)
    export_encoder("synthetic", tmp_path, tmp_path / "model.onnx")
    text = trained_card(provenance("synthetic"), settings, record_of("synthetic"))
    (tmp_path / "README.md").write_text(text)
    gray = np.random.default_rng(0).integers(0, 256, (50, 41), dtype=np.uint8)
    Image.fromarray(gray).save(tmp_path / "image.png")
    return tmp_path


def code_blocks(folder: Path) -> list[str]:
    """Return the card's code with its paths put in: how an image is read, then each way to its features."""
    text = (folder / "README.md").read_text()
    text = text.replace("PATH_OF_THIS_FOLDER", str(folder)).replace("PATH_OF_AN_IMAGE", str(folder / "image.png"))
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_timm_code_of_a_card_runs_where_nothing_of_ours_is_loaded(folder: Path) -> None:
    reading, timm, *_ = code_blocks(folder)
    code = f"{reading}{timm}print(*class_token.shape, *patch_mean.shape)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=False)
    if "operator torchvision::nms does not exist" in ran.stderr:
        assert "`torchvision::nms`" in (folder / "README.md").read_text()
        pytest.skip("torch and torchvision are of different builds here, so timm cannot be imported; the card says so")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["1", "24"] * 2


def test_the_code_of_a_card_runs_and_its_three_ways_give_equal_features(folder: Path) -> None:
    reading, *ways = code_blocks(folder)
    features = []
    for way in ways:
        names: dict[str, Any] = {}
        exec(reading + way, names)  # noqa: S102 - whether it runs is the question
        features.append((np.asarray(names["class_token"]), np.asarray(names["patch_mean"])))
    assert len(features) == 3
    for other in features[1:]:
        for ours, theirs in zip(features[0], other, strict=True):
            assert ours.shape == (1, 24)
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5)
