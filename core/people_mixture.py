"""From a random vector to a portrait whose codes are mixed from those of training portraits."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .mapping import ALWAYS
from .parts import PART_COUNT, PART_NAMES, PARTS

SHARPNESS = 20.0
"""Softmax inverse temperature of the mix: nearly all of a part comes from one or two people."""
FACE_SHARPNESS = 10.0
"""The same for the face, which blends two or three people."""
TOGETHER = 0.6
"""Share of a part's choice that the whole portrait decides: hair that goes with the skin."""
FACE_PARTS = ("skin", "brows", "eyes", "nose", "mouth", "ears", "neck")
"""Parts of one blend, which w_base follows too: a mouth lies where its face has room for it, and
skin holds the light and the shadow of a beard around it."""
_HIDDEN = -1e4
"""Added to the choice of people who lack a part."""


class PeopleMixture(nn.Module):
    """z → (w_base, w^s, w^t, presence), in place of the paper's mapping network.

    A Gaussian of the codes, however well fitted, draws what lies between two hair styles as often
    as either. Here each part's codes are a convex mix of few people's, who are chosen by the inner
    products of z with their keys: continuous in z, and no further from portraits than those are
    from each other. The face is one blend; hair, clothes and the rest take other people (z is read
    from another place for each), so that a portrait is nobody's.

    Attributes:
        keys: (S, z_dim), unit vectors, one for each of the S = ``config.people`` people.
        base, shape, texture: their codes, (S, base_dim), (S, K, code_dim) twice.
        presence: (S, K), 1 where they have a part. Rows of zeros are empty.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        count = config.people
        # sizes by hand: nothing here is a parameter, all is set from codes that training found
        for name, shape in {
            "keys": (count, config.z_dim),
            "base": (count, config.base_dim),
            "shape": (count, PART_COUNT, config.code_dim),
            "texture": (count, PART_COUNT, config.code_dim),
            "presence": (count, PART_COUNT),
        }.items():
            self.register_buffer(name, torch.zeros(shape))
        face = torch.tensor([[name in FACE_PARTS] for name in PART_NAMES])  # (K, 1)
        always = torch.tensor([not part.optional for part in PARTS])  # (K,)
        self.register_buffer("_in_face", face, persistent=False)
        self.register_buffer("_always", always, persistent=False)
        self._in_face: Tensor
        self._always: Tensor
        self.keys: Tensor
        self.base: Tensor
        self.shape: Tensor
        self.texture: Tensor
        self.presence: Tensor

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Map z (B, z_dim), drawn from N(0, 1).

        Returns:
            w_base (B, base_dim), w^s and w^t (B, K, code_dim), and a presence score (B, K) that is
            positive where the portrait has the part.
        """
        empty = ~self.presence.bool().any(1)  # (S,)
        everyone = torch.zeros_like(self.presence).masked_fill_(empty[:, None], _HIDDEN).T  # (K, S)
        owners = everyone.masked_fill(~self.presence.bool().T, _HIDDEN)
        face = FACE_SHARPNESS * z @ self.keys.T  # (B, S)
        others = SHARPNESS * self._choices(z) @ self.keys.T  # (B, K, S)
        choice = torch.where(self._in_face, face[:, None], others)
        weights = (choice + owners).softmax(-1)
        base = (face + everyone[0]).softmax(-1) @ self.base
        shape = torch.einsum("bks,skc->bkc", weights, self.shape)
        texture = torch.einsum("bks,skc->bkc", weights, self.texture)
        share = torch.einsum("bks,sk->bk", (choice + everyone).softmax(-1), self.presence)
        return base, shape, texture, share - 0.5 + ALWAYS * self._always

    def _choices(self, z: Tensor) -> Tensor:
        """What a part reads of z: N(0, 1) vectors, correlated by ``TOGETHER``, (B, K, z_dim)."""
        length = z.shape[1]
        own = torch.stack(
            [z.roll((part + 1) * length // (PART_COUNT + 1), 1) for part in range(PART_COUNT)], 1
        )
        return math.sqrt(TOGETHER) * z[:, None] + math.sqrt(1 - TOGETHER) * own
