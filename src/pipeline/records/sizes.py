"""Sizes as a person reads them."""


def readable_bytes(count: float) -> str:
    """Return a number of bytes, or of bytes per second, in the unit that suits it: 570000000000 as `570.0 GB`."""
    for unit, digits in (("B", 0), ("kB", 1), ("MB", 1), ("GB", 1)):
        if abs(round(count, digits)) < 1000:
            return f"{count:.{digits}f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
