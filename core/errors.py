"""Errors whose message is meant for the person at the screen."""

from __future__ import annotations


class PortraitError(ValueError):
    """Something that the user can put right; the message says what, and how."""


class CheckpointError(PortraitError):
    """A model file is missing, broken, or not one of ours."""


class LatentsError(PortraitError):
    """A portrait file or recipe is broken or does not fit the model."""


class CameraRangeError(PortraitError):
    """A camera stands outside the range that the model was trained on."""
