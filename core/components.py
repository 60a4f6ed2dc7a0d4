"""Maps that are a mean and as much of each principal component as a person has.

What a generator that serves a thousand people leaves out of one of them has patterns: what one face
has, another has in part. So a few dozen components hold most of it (eigenfaces: Turk and Pentland
1991). They are what renders of the people whom a model mixes have more than its pictures of them;
how much of each a person has is kept with the people, as traits are (:mod:`.traits`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MOST = 127
"""Planes are kept as whole numbers from minus to plus this many steps."""
_PIECE = 4096
"""Texels that are added up at once."""


class EigenMaps(nn.Module):
    """Components, and how much of each the people have.

    Attributes:
        amounts: of the N components, (S, N).
        planes: the mean, then the components, (N + 1, …) int8.
        steps: what 1 means in each plane, (N + 1,).
    """

    def __init__(self, people: int, components: int, shape: Sequence[int]) -> None:
        """
        Args:
            people: S.
            components: N.
            shape: of a map.
        """
        super().__init__()
        self.register_buffer("amounts", torch.zeros(people, components))
        planes = torch.zeros(components + 1, *shape, dtype=torch.int8)
        self.register_buffer("planes", planes)
        self.register_buffer("steps", torch.zeros(components + 1))
        self.amounts: Tensor
        self.planes: Tensor
        self.steps: Tensor

    def forward(self, amounts: Tensor) -> Tensor:
        """The mean and amounts (B, N) of the components: (B, …), float32."""
        shares = torch.cat([torch.ones_like(amounts[:, :1]), amounts], 1).float() * self.steps
        with torch.autocast(self.planes.device.type, enabled=False):
            # piece by piece: all as floats at once would not fit a processor's cache
            pieces = self.planes.flatten(1).split(_PIECE, 1)
            whole = torch.cat([shares @ piece.float() for piece in pieces], 1)
        return whole.unflatten(1, self.planes.shape[1:])
