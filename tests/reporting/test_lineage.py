import pytest
from conftest import TINY_ENCODER
from tests.reporting.card_configuration import CONFIG, provenance

from pipeline.reporting.provenance import Provenance
from pipeline.settings.encoder import EncoderSettings


def test_an_encoder_is_bound_by_the_data_of_all_whose_weights_are_in_it() -> None:
    heir = provenance("after_private")
    assert [one.name for one in heir.lineage] == ["after_private", "private"]
    assert heir.bound == ["mimic"]
    assert set(heir.releases(bound=True)) == {"mimic_cxr_jpg"}
    assert set(heir.releases(bound=False)) == {"nih_cxr14_samples"}


def test_an_encoder_is_bound_by_the_data_that_others_are_known_to_have_trained_it_on() -> None:
    assert provenance("xrays").bound == ["mimic"]
    assert provenance("after_xrays").bound == ["mimic"]
    assert list(provenance("after_xrays").corpora) == ["nih", "mimic"]
    assert provenance("imagenet").corpora == {}


def test_a_corpus_is_bound_by_those_it_borrows_images_of() -> None:
    readers = provenance("gaze").corpora["readers"]
    assert set(readers.releases) == {"reflacx", "mimic_cxr_jpg"}
    assert readers.access == "credentialed"


def test_a_synthetic_corpus_in_the_layout_of_a_private_one_is_open() -> None:
    (made,) = provenance("synthetic").corpora.values()
    assert (made.synthetic, made.access, made.releases) == (True, "open", {})


def test_a_folder_of_ones_own_is_as_private_as_its_layout() -> None:
    (own,) = provenance("owned").corpora.values()
    assert (own.synthetic, own.access, own.releases) == (False, "registration", {})


def test_a_random_control_has_the_shape_of_what_it_is_like() -> None:
    assert provenance("random").encoder == EncoderSettings.model_validate(TINY_ENCODER)
    assert provenance("like_foreign").encoder == provenance("imagenet").encoder
    assert provenance("pixels").encoder is None


@pytest.mark.parametrize("name", [*CONFIG.pretrain, *CONFIG.controls])
def test_it_travels_as_plain_data(name: str) -> None:
    plain = provenance(name).model_dump(mode="json")
    assert Provenance.model_validate(plain) == provenance(name)
