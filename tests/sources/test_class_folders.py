"""Keys of samples that are made of file names, and what a folder of images holds."""

import string
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.class_folders import image_key, list_images, list_others

SAFE = string.ascii_letters + string.digits + "_-"


@given(st.text(SAFE, min_size=1))
def test_a_name_that_may_be_a_key_stays_as_it_is(name: str) -> None:
    assert image_key(name) == name


@given(st.lists(st.text(st.sampled_from("ab1_-. ()+é"), min_size=1), min_size=2, unique=True))
def test_names_that_differ_keep_keys_of_their_own(names: list[str]) -> None:
    keys = [image_key("train", name) for name in names]
    assert len(set(keys)) == len(names)
    assert all(set(key) <= set(SAFE) for key in keys)


def test_each_file_of_a_folder_is_an_image_or_another_file(tmp_path: Path) -> None:
    images = {"a.png", "b.JPG", "c.jpeg"}
    others = {"d.bmp", "e.webp", "f.jfif", "g.tif", "h.tiff", "i.dcm", "j.PNG.txt", "k"}
    for name in images | others | {".DS_Store", "._a.png"}:
        (tmp_path / name).touch()
    (tmp_path / "folder.tif").mkdir()
    assert {path.name for path in list_images(tmp_path)} == images
    assert {path.name for path in list_others(tmp_path)} == others


def test_an_image_in_a_folder_inside_a_class_does_not_vanish(tmp_path: Path) -> None:
    for name in ("a.png", "more/b.png", "more/deeper/c.jpg", ".hidden/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list_images(tmp_path) == [tmp_path / "a.png"]
    assert list_others(tmp_path) == [tmp_path / "more" / "b.png", tmp_path / "more" / "deeper" / "c.jpg"]
