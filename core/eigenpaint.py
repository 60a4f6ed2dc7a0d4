"""What generators leave out of people's eyes, brows, noses and mouths, as principal components.

As eigenskins (:mod:`.eigenskin`), but added to the paint of these parts (:mod:`.paint`), texel by
texel of their maps, and a part at a time: somebody's eyes on another face bring their own along.
They are what renders of the people whom a model mixes have more than its pictures of them
(``python -m training eigenpaint``).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .components import EigenMaps
from .config import PartMapSpec


class EigenPaint(EigenMaps):
    """Of one part, where it is known.

    Attributes:
        texels: where that is, (T,) int16, rows from the top.
    """

    def __init__(self, people: int, components: int, texels: int, spec: PartMapSpec) -> None:
        """
        Args:
            people, components: as for :class:`.components.EigenMaps`.
            texels: T.
            spec: the part's map.
        """
        super().__init__(people, components, (3, texels))
        self.size = spec.height, spec.width
        self.register_buffer("texels", torch.zeros(texels, dtype=torch.int16))
        self.texels: Tensor

    def forward(self, amounts: Tensor) -> Tensor:
        """What is added to the paint of parts with amounts (B, N), (B, H, W, 3)."""
        known = super().forward(amounts)  # (B, 3, T)
        height, width = self.size
        whole = known.new_zeros(len(known), 3, height * width)
        # bounded, for files can be broken
        whole = whole.index_copy(2, self.texels.long().clamp(0, height * width - 1), known)
        return whole.unflatten(2, self.size).permute(0, 2, 3, 1)
