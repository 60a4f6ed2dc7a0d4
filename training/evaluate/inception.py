"""Features of the Inception network, where the user has its file: so that figures compare."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from core.errors import PortraitError
from training.evaluate.pictures import resized
from training.sheets import to_uint8

_CALL = "features = network(pictures uint8 (N, 3, H, W), return_features=True)"
_MIN_SIDE = 75  # the network's convolutions without padding need so much


class InceptionFeatures:
    """A TorchScript file of Inception-v3 that is called as the common metric scripts call theirs.

    The best known one is ``inception-2015-12-05.pt``: papers' Fréchet distances use its features.
    TorchScript is run as restricted code and loaded without Python's pickle, yet use a file that
    you trust.

    Raises:
        PortraitError: the file is no such network.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._network = torch.jit.load(str(path), map_location="cpu").eval()
        except (OSError, RuntimeError, ValueError) as error:
            raise PortraitError(
                f"{path} is not a TorchScript file ({str(error).splitlines()[0]}): --inception "
                f"takes a network that is called as {_CALL}."
            ) from error
        self._path = path

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, S, S) in [-1, 1] → (N, D), D = 2048 for Inception-v3."""
        rows = []
        for chunk in images.split(16):
            pixels = to_uint8(resized(chunk.float(), max(chunk.shape[-1], _MIN_SIDE)))
            try:
                with torch.inference_mode():
                    features = self._network(pixels.movedim(-1, -3), return_features=True)
            except RuntimeError as error:
                raise PortraitError(
                    f"{self._path} cannot be called as {_CALL}: choose another file."
                ) from error
            rows.append(features.flatten(1).float())
        return torch.cat(rows)
