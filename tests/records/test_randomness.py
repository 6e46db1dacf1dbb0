"""Keyed random numbers of the phantom."""

from pipeline.records.randomness import keyed_generator


def test_the_same_key_gives_the_same_numbers() -> None:
    assert keyed_generator(3, "pose", 7, 1).random() == keyed_generator(3, "pose", 7, 1).random()


def test_every_part_of_the_key_matters() -> None:
    keys = [
        (0, "pose", (7, 1)),
        (1, "pose", (7, 1)),
        (0, "dose", (7, 1)),
        (0, "pose", (71,)),
        (0, "pose", (7, 2)),
    ]
    first = {keyed_generator(seed, purpose, *index).random() for seed, purpose, index in keys}
    assert len(first) == len(keys)
