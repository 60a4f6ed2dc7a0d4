"""Errors whose message is meant for the person at the screen."""

from __future__ import annotations


class PortraitError(ValueError):
    """Something that the user can put right; the message says what, and how.

    Attributes:
        text: the message, with fields of ``str.format`` where ``values`` come in: what a user
            interface looks up to tell it in another language.
        values: what fills the fields. None: the text is the message as it stands.
    """

    def __init__(self, text: str = "", *values: object) -> None:
        super().__init__(text.format(*values) if values else text)
        self.text, self.values = text, values


class PackageError(PortraitError):
    """A Python package that only some work needs is not installed.

    Attributes:
        package: how package indices call it.
    """

    def __init__(self, what: str, package: str) -> None:
        """
        Args:
            what: cannot be done without it, as the beginning of a sentence.
        """
        super().__init__(
            "{0} needs the Python package {1}, which is not installed. Install it with: "
            "python -m pip install {1}",
            what,
            package,
        )
        self.package = package


class CheckpointError(PortraitError):
    """A model file is missing, broken, or not one of ours."""


class LatentsError(PortraitError):
    """A portrait file or recipe is broken or does not fit the model."""


class CameraRangeError(PortraitError):
    """A camera stands outside the range that the model was trained on."""
