"""What each format calls an encoder's tensors, and which of its tensors are not the encoder's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from pipeline.records.errors import UserError


@dataclass(frozen=True)
class Names:
    """Tell an encoder's tensors in a checkpoint by how their names begin."""

    left_out: tuple[str, ...]
    """Beginnings of what is known not to be the encoder's: heads, decoders, targets."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """What a beginning is in timm; all other names are timm's already."""

    def of_encoder(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the encoder's tensors, and those that are unknown, under timm's names."""
        return {self._in_timm(name): tensor for name, tensor in tensors.items() if not name.startswith(self.left_out)}

    def _in_timm(self, name: str) -> str:
        for theirs, ours in self.renamed.items():
            if name.startswith(theirs):
                return ours + name.removeprefix(theirs)
        return name


_HEADS = ("head.", "fc_norm.")
_MAE = Names(
    left_out=(
        *_HEADS,
        "mask_token",
        "decoder_pos_embed",
        "decoder_embed.",
        "decoder_blocks.",
        "decoder_norm.",
        "decoder_pred.",
    )
)
_CXR_MIM = Names(
    left_out=("decoder.", "hog_enc.", "norm.0.", "norm.1.", "norm.2."),
    # The last of its four taps is the output of the last block, so that this is the encoder's final normalisation.
    renamed={"norm.3.": "norm."},
)

FORMATS: Mapping[str, Names] = {"timm": Names(left_out=_HEADS), "mae": _MAE, "medical_mae": _MAE, "cxr_mim": _CXR_MIM}
"""The names of each format: of timm's models, of He et al.'s code and Medical MAE's, which is built on it (spec Medical
MAE A2), and of CXR-MIM's (spec B1)."""


def encoder_tensors(path: Path, tensors: Mapping[str, Tensor], checkpoint_format: str) -> dict[str, Tensor]:
    """Return the encoder's tensors of a checkpoint under timm's names, and those that the format does not know.

    Raises `UserError` for a fine-tuned encoder that normalises the mean of its patch tokens, by `fc_norm`, in place of
    every token: the mean of normalised tokens is another function, so that no `norm` can be had from it.
    """
    found = FORMATS[checkpoint_format].of_encoder(tensors)
    if "norm.weight" not in found and "fc_norm.weight" in tensors:
        raise UserError(
            f"{path} was fine-tuned with fc_norm, which normalises the mean of the patch tokens, and has no norm of "
            "the tokens themselves, without which its encoder is incomplete; take the checkpoint of its pretraining"
        )
    return found
