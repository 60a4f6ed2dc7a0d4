"""The surface of a face: one for all of its parts, linear in their codes.

Each part's generator places its shell by itself, and what is seen of a shell is not its depth d̂ but
its front, which half of the light does not pass: with the optical depth τ of all shells that lie
there together, it lies

    t(τ) = erfinv(1 - 2 ln 2 / τ) / √α

before d̂ (:mod:`.surfaces`). So the noise of densities and the edges between parts are bumps. Here
a face has one surface, as in a morphable model (Blanz and Vetter 1999):

    Z = Z_skin(w_base, w^s_skin) + Σ_k r_k(w_base, w^s_k),    d̂_k = Z - t(τ)

over the parts k that it shows: brows, eyes, nose and mouth rise out of the skin, or lie in it.
Where faces end (:func:`face_share`) parts go over to the depths that their generators give.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blur import gaussian_means
from .components import MOST
from .config import ModelConfig
from .parts import PART_NAMES

SIZES = {
    PART_NAMES.index(name): size
    for name, size in {
        "skin": (64, 48),
        "brows": (15, 42),
        "eyes": (12, 32),
        "nose": (26, 20),
        "mouth": (26, 30),
    }.items()
}
"""Cells of each part's map down and across, on the window of its feature map: 0.02 units each, on
the skin 0.03."""
_CENTRE = 0.0, -0.04
_HALF_AXES = 0.46, 0.58
"""Of the oval in lifting coordinates outside of which the depths are the generators'."""
_INNER = 0.75
"""Share of its half axes within which the surface alone counts."""
_OUTER = 1.5
"""Half axes up to which the generators' skin moves with the face that it goes on from."""
_NEARBY = 0.11
"""Standard deviation of the means that say how far it has moved nearby, in units."""
_LEAST_SHARE = 1e-3
_LEAST_TAU = 1.05 * math.log(2)
"""Optical depth below which shells have no front."""
DENSE = 3.0
"""Optical depth from which on the surface counts in full."""
_GAP = 0.03
"""Half the width of gaps between parts that are closed."""
_SAMPLES = 16
"""Of lifting lines, where shells hide each other."""


class LinearMap(nn.Module):
    """A map that is linear in codes.

    Attributes:
        mean: with codes of zero, (h, w).
        planes: what each code adds, (Z, h, w) int8.
        steps: what 1 means in each plane, (Z,).
    """

    def __init__(self, codes: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("planes", torch.zeros(codes, *size, dtype=torch.int8))
        self.register_buffer("steps", torch.zeros(codes))
        self.mean: Tensor
        self.planes: Tensor
        self.steps: Tensor

    def forward(self, codes: Tensor) -> Tensor:
        """Maps (B, h, w) of codes (B, Z), float32."""
        with torch.autocast(codes.device.type, enabled=False):
            added = (codes.float() * self.steps) @ self.planes.flatten(1).float()
            return self.mean + added.unflatten(1, self.mean.shape)

    def put(self, rows: Tensor) -> None:
        """Take what each code adds, and the mean, (Z + 1, h, w), from now on."""
        steps = rows[:-1].abs().amax((1, 2)).clamp_min(1e-12) / MOST
        self.steps.copy_(steps)
        self.planes.copy_((rows[:-1] / steps[:, None, None]).round())
        self.mean.copy_(rows[-1])


class Relief(nn.Module):
    """Maps of the parts of a face that are linear in w_base and the part's shape code."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        codes = config.base_dim + config.code_dim
        self.maps = nn.ModuleDict(
            {PART_NAMES[part]: LinearMap(codes, size) for part, size in SIZES.items()}
        )

    def forward(self, part: int, base: Tensor, shape: Tensor) -> Tensor | None:
        """Z_skin or r_k in model units, (B, h, w); None of parts that are not the face's.

        Args:
            base, shape: the part's codes, (B, Zb) and (B, Z).
        """
        if part not in SIZES:
            return None
        found: Tensor = self.maps[PART_NAMES[part]](torch.cat([base, shape], 1))
        return found

    def put(self, part: int, rows: Tensor) -> None:
        """Take what each code adds to a part's map, and its mean, (Zb + Z + 1, h, w)."""
        own = self.maps[PART_NAMES[part]]
        assert isinstance(own, LinearMap)
        own.put(rows)


def on_one_surface(
    depth: Tensor, density: Tensor, reliefs: Tensor, config: ModelConfig
) -> tuple[Tensor, Tensor]:
    """Depth and density of the parts in ``parts.FACE`` on the common grid, on one surface.

    Each part has the share of it that is seen from in front where their generators place them.
    Between two parts shells are thin: what is missing there of what is all around (a closing) is
    made up for. Beyond the oval skin moves as far as it has moved at its edge, less and less, lest
    the edge be a step.

    Args:
        depth, density: as the generators give them, (B, 5, G, G).
        reliefs: Z_skin, then r_k, (B, 5, G, G).
    """
    rows, columns, share, fading = _oval(config, depth.device)
    near = (..., rows, columns)
    old_depth, old_density = depth[near], density[near]
    whole = _closed(old_density.sum(1), config)
    tau = whole * math.sqrt(math.pi / config.shell_alpha)
    share = share * ((tau - _LEAST_TAU) / (DENSE - _LEAST_TAU)).clamp(0, 1)  # (B, h, w)
    own = shares_in_front(old_depth, old_density, config)
    # a rise is a mean over people, whose parts end elsewhere
    rises = reliefs[near][:, 1:] * _greatest(own[:, 1:], config)
    wanted = reliefs[near][:, 0] + rises.sum(1) - front_of(tau, config)
    moved = torch.stack([(wanted - old_depth[:, 0]) * share, share], 1)
    moved, around = gaussian_means(moved, _NEARBY / _texel(config)).unbind(1)
    moved = moved / around.clamp_min(_LEAST_SHARE) * fading * (1 - share)
    share = share[:, None]
    depth, density = depth.clone(), density.clone()
    depth[near] = old_depth.lerp(wanted[:, None], share) + moved[:, None]
    density[near] = old_density.lerp(own * whole[:, None], share)
    return depth, density


def shares_in_front(depth: Tensor, density: Tensor, config: ModelConfig) -> Tensor:
    """What is seen of shells along lifting lines from in front, (B, n, h, w); sums to 1 at most.

    Args:
        depth, density: of n shells, (B, n, h, w).
    """
    reach = 2.5 / math.sqrt(2 * config.shell_alpha)
    nearest, farthest = depth.amax(1) + reach, depth.amin(1) - reach
    left, found = torch.ones_like(nearest), torch.zeros_like(density)
    step = (nearest - farthest) / _SAMPLES
    for sample in range(_SAMPLES):
        z = nearest - (sample + 0.5) * step
        sigma = density * torch.exp((depth - z[:, None]).square() * -config.shell_alpha)
        total = sigma.sum(1)
        passed = torch.exp(-total * step)
        found = found + sigma * (left * (1 - passed) / total.clamp_min(1e-8))[:, None]
        left = left * passed
    return found / (1 - left).clamp_min(1e-4)[:, None]


def front_of(tau: Tensor, config: ModelConfig) -> Tensor:
    """t(τ): how far before its middle a shell of an optical depth is seen, in units."""
    passed = 1 - 2 * math.log(2) / tau.clamp_min(_LEAST_TAU)
    return torch.erfinv(passed) / math.sqrt(config.shell_alpha)


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def _oval(config: ModelConfig, device: torch.device) -> tuple[slice, slice, Tensor, Tensor]:
    """Rows and columns of the common grid around the face, how much its surface counts there, and
    how much of what it has moved moves there as well, (h, w) each.
    """
    radius = _radius(config.geometry_size, config)
    near = radius < _OUTER
    rows, columns = (
        slice(int(which[0]), int(which[-1]) + 1)
        for which in (near.any(1).nonzero()[:, 0], near.any(0).nonzero()[:, 0])
    )
    radius = radius[rows, columns].to(device)
    return rows, columns, _falling(radius, _INNER, 1), _falling(radius, 1, _OUTER)


def face_share(size: int, config: ModelConfig) -> Tensor:
    """How much the surface of the face counts on a grid in the common grid's window, (size, size).

    1 within most of an oval, falling to 0 at its edge.
    """
    return _falling(_radius(size, config), _INNER, 1)


def _radius(size: int, config: ModelConfig) -> Tensor:
    """Distance from the middle of the face over that of the oval's edge, (size, size)."""
    u0, u1, v0, v1 = config.geometry_window
    line = (torch.arange(size) + 0.5) / size
    u = (u0 + line * (u1 - u0) - _CENTRE[0]) / _HALF_AXES[0]
    v = (v1 - line * (v1 - v0) - _CENTRE[1]) / _HALF_AXES[1]
    return torch.hypot(u, v[:, None])


def _falling(radius: Tensor, first: float, last: float) -> Tensor:
    """1 up to a radius, 0 from another one on."""
    share = ((last - radius) / (last - first)).clamp(0, 1)
    return share.square() * (3 - 2 * share)


def _texel(config: ModelConfig) -> float:
    left, right, *_ = config.geometry_window
    return (right - left) / config.geometry_size


def _closed(maps: Tensor, config: ModelConfig) -> Tensor:
    """Greatest and then least of the values around each of (B, h, w)."""
    return -_greatest(-_greatest(maps, config), config)


def _greatest(maps: Tensor, config: ModelConfig) -> Tensor:
    """Greatest of the values around each of (…, h, w), as far as ``_GAP``."""
    reach = max(round(_GAP / _texel(config)), 1)
    return F.max_pool2d(maps, 2 * reach + 1, 1, reach)
