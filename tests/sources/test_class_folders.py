"""Keys of samples that are made of file names."""

import string

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.class_folders import image_key

SAFE = string.ascii_letters + string.digits + "_-"


@given(st.text(SAFE, min_size=1))
def test_a_name_that_may_be_a_key_stays_as_it_is(name: str) -> None:
    assert image_key(name) == name


@given(st.lists(st.text(st.sampled_from("ab1_-. ()+é"), min_size=1), min_size=2, unique=True))
def test_names_that_differ_keep_keys_of_their_own(names: list[str]) -> None:
    keys = [image_key("train", name) for name in names]
    assert len(set(keys)) == len(names)
    assert all(set(key) <= set(SAFE) for key in keys)
