"""What all layouts share: who may see the data, and whose files they borrow."""

from typing import ClassVar, Literal

from pipeline.settings.base import Settings

Access = Literal["open", "registration", "restricted", "credentialed"]
"""What a publisher asks for: nothing; an account; a signed agreement; identity, training and agreement."""

Role = Literal["images", "ecg"]
"""What a layout may take from another corpus's folder."""


class LayoutSettings(Settings):
    """Describe how a publisher lays out the raw files of a corpus."""

    access: ClassVar[Access]
    """What the publisher asks for before the data may be read."""
    format: str
    """Names the adapter."""

    def borrowed(self) -> dict[Role, str]:
        """Name, by role, the corpora of the configuration whose folders hold files of this one."""
        roles: tuple[Role, ...] = ("images", "ecg")
        return {role: lender for role in roles if (lender := getattr(self, f"{role}_of", None))}
