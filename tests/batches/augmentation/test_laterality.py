from dataclasses import replace

import pytest
import torch

from pipeline.batches.augmentation import augment, require_unflipped
from pipeline.batches.batch import Boxes, Companions, ImageBatch
from pipeline.batches.planes import Planes
from pipeline.records.errors import UserError
from pipeline.settings.augmentation import AugmentationSettings

FLIPPING, UPRIGHT = AugmentationSettings(flip=True), AugmentationSettings(flip=False)


@pytest.mark.parametrize(
    "companions",
    [
        Companions(texts=("findings",)),
        Companions(masks=("heart", "left_lung")),
        Companions(masks=("Right Lung",)),
        Companions(masks=("lungRIGHT",)),
        Companions(masks=("upright_lung",)),
        Companions(masks=("lung_l",)),
        Companions(masks=("LLung",)),
        Companions(masks=("clavicleR",)),
        Companions(masks=("RUL",)),
        Companions(masks=("lll-opacity",)),
        Companions(masks=("hemidiaphragm_lt",)),
        Companions(masks=("RUZ",)),
        Companions(boxes=True),
    ],
)
def test_flips_are_refused_where_what_is_read_tells_left_from_right(companions: Companions) -> None:
    with pytest.raises(UserError, match=r"augmentation\.flip"):
        require_unflipped(FLIPPING, companions)
    require_unflipped(UPRIGHT, companions)


@pytest.mark.parametrize("structure", ["lungs", "heart", "Lobe", "rib", "pulmonary_vessels"])
def test_other_structures_may_be_flipped(structure: str) -> None:
    require_unflipped(FLIPPING, Companions(masks=(structure,), gaze=True))


def test_a_batch_with_reports_or_boxes_is_not_flipped_and_no_label_is_quoted() -> None:
    pixels = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    zero = torch.zeros(1, dtype=torch.int64)
    plain = ImageBatch(Planes.of(pixels), *[zero.numpy()] * 3)
    boxes = Boxes(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), zero, ("Left lower lobe",))
    for batch, reason in ((replace(plain, texts=("Clear.",)), "reports"), (replace(plain, boxes=boxes), "boxes")):
        with pytest.raises(UserError, match=f"^{reason} are read") as refused:
            augment(batch, FLIPPING, 0, 8)
        assert "lower lobe" not in str(refused.value)
        assert augment(batch, UPRIGHT, 0, 8).images.shape == (1, 1, 8, 8)
