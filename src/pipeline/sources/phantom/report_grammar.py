"""Turn templates into sentences: `[a|b]` is a choice, `{name}` a slot."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

_CHOICE = re.compile(r"\[([^\[\]]*)\]")


class Writer:
    """Make every choice of one report, in order, from one generator."""

    def __init__(self, draw: np.random.Generator) -> None:
        self._draw = draw

    def chance(self, share: float) -> bool:
        """Return true in that share of the calls."""
        return float(self._draw.random()) < share

    def one_of(self, options: Sequence[str]) -> str:
        """Return one of the options, all alike in chance."""
        return options[int(self._draw.integers(len(options)))]

    def weighted(self, shares: Mapping[str, float]) -> str:
        """Return one of the keys by their shares, which sum to 1."""
        return str(self._draw.choice(list(shares), p=list(shares.values())))

    def shuffled(self, items: Sequence[str]) -> list[str]:
        """Return the items in a new order."""
        return [items[place] for place in self._draw.permutation(len(items))]

    def phrase(self, templates: Sequence[str], slots: Mapping[str, str] | None = None) -> str:
        """Return one template with its slots filled and its choices made, innermost first.

        A choice may be empty; blanks that are left over are closed.
        """
        text = self.one_of(templates)
        while choice := _CHOICE.search(text):
            text = text[: choice.start()] + self.one_of(choice[1].split("|")) + text[choice.end() :]
        return " ".join(text.format_map(slots or {}).split()).replace(" ,", ",").replace(" .", ".")

    def sentence(self, templates: Sequence[str], slots: Mapping[str, str] | None = None) -> str:
        """Return a phrase with a capital at its start and a full stop at its end."""
        text = self.phrase(templates, slots)
        return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")
