import pytest
import torch

from pipeline.settings.pretraining import PretrainingSettings
from pipeline.tasks.cxr_mim import CxrMim
from pipeline.tasks.masked_autoencoding import MaskedAutoencoding
from pipeline.tasks.methods import build_task


@pytest.fixture
def pyramid_run(small_run: PretrainingSettings) -> PretrainingSettings:
    """Return a run of CXR-MIM that trains in a second."""
    task = {"kind": "cxr_mim", "taps": [0, 1], "scales": [2, 1], "decoder_width": 16, "decoder_heads": 2}
    return PretrainingSettings.model_validate(small_run.model_dump() | {"task": task})


def test_each_kind_of_settings_builds_its_method(
    small_run: PretrainingSettings, pyramid_run: PretrainingSettings
) -> None:
    assert isinstance(build_task(small_run), MaskedAutoencoding)
    assert isinstance(build_task(pyramid_run), CxrMim)


def test_a_method_does_not_take_the_settings_of_another(
    small_run: PretrainingSettings, pyramid_run: PretrainingSettings
) -> None:
    with pytest.raises(TypeError, match="settings of mae"):
        CxrMim(small_run)
    with pytest.raises(TypeError, match="settings of cxr_mim"):
        MaskedAutoencoding(pyramid_run)


def test_weights_are_drawn_under_the_seed_of_the_run_alone(pyramid_run: PretrainingSettings) -> None:
    torch.manual_seed(0)
    first = build_task(pyramid_run).state_dict()
    torch.manual_seed(1)
    again = build_task(pyramid_run).state_dict()
    other = build_task(pyramid_run.model_copy(update={"seed": pyramid_run.seed + 1})).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["model.encoder.cls_token"], other["model.encoder.cls_token"])
