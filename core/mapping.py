"""From a random vector to the codes of a whole portrait (the W+ space of the paper)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import ModelConfig
from .parts import PART_COUNT, PARTS

ALWAYS = 100.0
"""Presence score of parts that every portrait has: positive, whatever z adds."""


class MappingNetwork(nn.Module):
    """z → (w_base, w^s, w^t, presence).

    A linear map plus an MLP: the linear map can be fitted in closed form to codes that a warm start
    found (a joint Gaussian of all parts' codes, so that parts of one portrait agree), and the MLP
    lets adversarial training bend that Gaussian. With the linear map at zero it is the paper's MLP.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.sizes = (
            config.base_dim,
            PART_COUNT * config.code_dim,
            PART_COUNT * config.code_dim,
            PART_COUNT,
        )
        width, layers = config.mapping_width, []
        for index in range(config.mapping_layers):
            layers += [nn.Linear(config.z_dim if index == 0 else width, width), nn.LeakyReLU(0.2)]
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(width if layers else config.z_dim, sum(self.sizes))
        self.linear = nn.Linear(config.z_dim, sum(self.sizes), bias=False)
        nn.init.zeros_(self.head.bias)
        nn.init.normal_(self.linear.weight, std=config.z_dim**-0.5)
        with torch.no_grad():
            optional = torch.tensor([part.optional for part in PARTS])
            self.head.weight[-PART_COUNT:] = 0
            self.head.bias[-PART_COUNT:] = torch.where(optional, 0.0, ALWAYS)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Map z (B, z_dim), drawn from N(0, 1).

        Returns:
            w_base of each part (B, K, base_dim), one for all, w^s and w^t (B, K, code_dim), and a
            presence score (B, K) that is positive where the portrait has the part.
        """
        scaled = F.normalize(z, dim=1) * z.shape[1] ** 0.5
        codes = self.head(self.trunk(scaled)) + self.linear(z)
        base, shape, texture, presence = codes.split(self.sizes, 1)
        rows = (z.shape[0], PART_COUNT, self.config.code_dim)
        base = base[:, None].expand(-1, PART_COUNT, -1)
        return base, shape.reshape(rows), texture.reshape(rows), presence
