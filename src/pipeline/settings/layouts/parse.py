"""From a resolved configuration to the settings of one layout."""

from importlib import import_module
from typing import Any

from pipeline.settings.base import parse
from pipeline.settings.layouts.base import LayoutSettings


def parse_layout(plain: Any) -> LayoutSettings:
    """Return the settings of a layout, of the class its `format` names."""
    # Imported by name so that an edit to one publisher's layout makes only that publisher's corpora stale.
    layout: LayoutSettings = parse(import_module("pipeline.settings.layouts.union").Layout, plain)
    return layout
