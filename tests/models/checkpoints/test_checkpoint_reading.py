import argparse
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from foreign_files import trained_encoder, training_state
from torch import Tensor

from pipeline.models.checkpoints.integrity import require_digest
from pipeline.models.checkpoints.reading import read_tensors
from pipeline.records.digests import file_digest
from pipeline.records.errors import UserError

WEIGHTS = {"norm.weight": torch.arange(3.0), "cls_token": torch.ones(1, 1, 3)}


class Malicious:
    """Make a folder when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = str(made)

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.made,)


def legacy_save(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


SAVES = pytest.mark.parametrize("save", [torch.save, legacy_save], ids=["zip", "legacy"])


def assert_same(read: dict[str, Tensor]) -> None:
    assert read.keys() == WEIGHTS.keys()
    assert all(torch.equal(tensor, WEIGHTS[name]) for name, tensor in read.items())


@SAVES
@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
def test_weights_are_read_alone_or_from_a_training_state(
    save: Callable[[Any, Path], None], wrapper: str | None, tmp_path: Path
) -> None:
    save({wrapper: WEIGHTS, **training_state(trained_encoder())} if wrapper else WEIGHTS, tmp_path / "weights")
    assert_same(read_tensors(tmp_path / "weights"))


def test_safetensors_are_known_by_their_content(tmp_path: Path) -> None:
    safetensors.torch.save_file(WEIGHTS, tmp_path / "checkpoint")
    assert_same(read_tensors(tmp_path / "checkpoint"))


def test_the_namespace_is_allowed_for_one_file_only(tmp_path: Path) -> None:
    before = set(torch.serialization.get_safe_globals())
    torch.save({"model": WEIGHTS, "args": argparse.Namespace(lr=1.0)}, tmp_path / "checkpoint.pth")
    read_tensors(tmp_path / "checkpoint.pth")
    assert set(torch.serialization.get_safe_globals()) == before


@SAVES
@pytest.mark.parametrize("place", ["optimizer", "args"])
def test_code_in_a_checkpoint_is_refused_by_name_and_never_runs(
    save: Callable[[Any, Path], None], place: str, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    hidden = Malicious(made) if place == "optimizer" else argparse.Namespace(lr=Malicious(made))
    save({"model": WEIGHTS, place: hidden}, tmp_path / "malicious.pth")
    with pytest.raises(
        UserError, match=r"malicious\.pth holds an object of 'posix\.mkdir', and only tensors"
    ) as refusal:
        read_tensors(tmp_path / "malicious.pth")
    assert "weights_only" not in str(refusal.value)
    assert not made.exists()
    pickle.loads(pickle.dumps(Malicious(made)))  # noqa: S301 - what a reader that trusts the file would have done
    assert made.exists()


def test_an_object_of_another_package_is_refused_by_name(tmp_path: Path) -> None:
    torch.save({"model": WEIGHTS, "args": argparse.Namespace(output=Path("out"))}, tmp_path / "paths.pth")
    with pytest.raises(UserError, match=r"holds an object of 'pathlib\.PosixPath'"):
        read_tensors(tmp_path / "paths.pth")


@pytest.mark.parametrize("save", [torch.save, legacy_save, safetensors.torch.save_file], ids=["zip", "legacy", "safe"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 0.5, 0.8, 0.99])
def test_a_truncated_file_is_called_damaged(save: Callable[[Any, Path], None], share: float, tmp_path: Path) -> None:
    save(WEIGHTS, tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "part.pth").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=r"part\.pth is no checkpoint of torch or safetensors, or a damaged one \("):
        read_tensors(tmp_path / "part.pth")


def test_a_page_in_place_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.pth").write_text("<html>please log in</html>")
    with pytest.raises(UserError, match="is no checkpoint of torch or safetensors"):
        read_tensors(tmp_path / "page.pth")


@pytest.mark.filterwarnings("ignore:.*looks like a TorchScript archive:UserWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_nobody_is_advised_to_read_a_file_without_checks(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / "script.pt"))
    with pytest.raises(UserError, match="TorchScript archives") as refusal:
        read_tensors(tmp_path / "script.pt")
    assert "`False`" not in str(refusal.value)


def test_a_training_state_without_known_weights_is_refused(tmp_path: Path) -> None:
    torch.save({"teacher": WEIGHTS, "epoch": 3, 0: torch.ones(1)}, tmp_path / "odd.pth")
    with pytest.raises(UserError, match="has 'teacher', 'epoch', 0 among its weights"):
        read_tensors(tmp_path / "odd.pth")


def test_a_file_of_one_tensor_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save(torch.ones(3), tmp_path / "tensor.pth")
    with pytest.raises(UserError, match="holds a Tensor and no state dict"):
        read_tensors(tmp_path / "tensor.pth")


def test_another_file_is_refused_with_both_digests(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "weights.pth")
    found = file_digest(tmp_path / "weights.pth")
    require_digest(tmp_path / "weights.pth", found)
    with pytest.raises(UserError, match=rf"weights\.pth has sha256 {found}, and its settings state {'0' * 64}"):
        require_digest(tmp_path / "weights.pth", "0" * 64)
