"""When to kill: at times spread over the whole work, and at operations on the files of each of its parts."""

from benchmarks.resuming.killing import AfterSeconds, AtOperation, Ending, Moment

from pipeline.records.randomness import keyed_generator

ANY_TIME = ""
AIMS = 8 * [ANY_TIME] + 4 * ["saving"] + 4 * ["publishing"] + 2 * ["features"] + 2 * ["evaluation"]
"""What each kill is aimed at: the files of a part, or no file."""


def shuffled_aims(key: int) -> list[str]:
    """Return the aims in an order of their own for each key."""
    return [AIMS[place] for place in keyed_generator(0, "order of kills", key).permutation(len(AIMS))]


def draw_moment(undisturbed: Ending, aim: str, *key: int) -> Moment:
    """Draw when to kill, anywhere from the beginning to the end of what the undisturbed work took."""
    share = keyed_generator(0, "moment of a kill", *key).random()
    if aim == ANY_TIME:
        return AfterSeconds(share * undisturbed.seconds)
    return AtOperation(aim, 1 + int(share * undisturbed.operations[aim]))
