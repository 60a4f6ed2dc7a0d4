"""Cameras → ray samples → features with shapes that hang on nothing but the number of views.

``volume`` and ``raymarch`` compute what matters: they ask which parts cover a ray, and go on with
those. A GPU would have to be waited for at every such question, and a CUDA graph cannot hold one.
Here all parts are looked up at all rays, those that cover next to nothing with weight zero: the
results are the same. Nothing is made on the CPU in between, and what does not change is made once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .camera import Camera
from .config import ModelConfig
from .generators import PartMap
from .lifting import model_to_map
from .parts import PART_COUNT
from .volume import FETCH_THRESHOLD, RayBatch, RayWeights, picture_positions, sample_offsets

FRAME = 19
"""Numbers that a camera's rays are made from; see :func:`ray_frames`."""


def ray_frames(cameras: Sequence[Camera]) -> np.ndarray:
    """What cameras' rays are linear in, (V, ``FRAME``) float32.

    The first 18 are a matrix (3, 6) by which the row (1, x, y) of a pixel in [-1, 1], y up, gives
    its ray: where it meets the plane through the origin that faces the camera, and its direction of
    planar unit length. The last is the planar depth of that plane.
    """
    frames = np.empty((len(cameras), FRAME), np.float32)
    for row, camera in zip(frames, cameras, strict=True):
        left, right, bottom, top = camera.window
        axes, position = camera.pose[:3, :3], camera.position
        plane = np.array(
            [
                [(left + right) / 2, (bottom + top) / 2],
                [(right - left) / 2, 0],
                [0, (top - bottom) / 2],
            ]
        )
        across = plane @ axes[:, :2].T  # (3, 3): of 1, x, y
        directions, origins = np.zeros((3, 3)), np.zeros((3, 3))
        directions[0], origins[0] = -axes[:, 2], position
        if camera.orthographic:
            origins += across
        else:
            directions += across
        depth = position @ axes[:, 2]
        row[:18] = np.concatenate([origins + depth * directions, directions], 1).reshape(-1)
        row[18] = depth
    return frames


class RayGrid:
    """The rays of one model's ray grid; R rays, N samples."""

    def __init__(self, config: ModelConfig, device: torch.device) -> None:
        self.config = config
        positions = picture_positions(config.ray_size, device)
        self.x, self.y = positions[:, :1].contiguous(), positions[:, 1:].contiguous()  # (R, 1)
        offsets, self.spacing = sample_offsets(config)
        self.offsets = offsets.to(device)  # (N,)

    def samples(self, frames: Tensor) -> RayBatch:
        """What :func:`.volume.sample_rays` gives for one portrait, from frames (V, ``FRAME``)."""
        matrix = frames[:, :18].unflatten(1, (3, 1, 6))
        rays = torch.addcmul(matrix[:, 0], self.x, matrix[:, 1])
        rays = torch.addcmul(rays, self.y, matrix[:, 2])  # (V, R, 6)
        near, directions = rays[..., None, :3], rays[..., None, 3:]
        points = torch.addcmul(near, directions, self.offsets[:, None])  # (V, R, N, 3)
        depth = frames[:, 18:, None] + self.offsets  # (V, 1, N)
        step = torch.linalg.vector_norm(directions, dim=-1) * self.spacing  # (V, R, 1)
        uv = model_to_map(points, self.config)
        return RayBatch(uv[None], points[None, ..., 2], depth[None], step[None])


class FixedTable:
    """What :class:`.volume.FeatureTable` is, of one portrait, in memory that stays where it is.

    Attributes:
        rows: the texels of all parts, (N, C + T).
    """

    def __init__(self, config: ModelConfig, dtype: torch.dtype, device: torch.device) -> None:
        self.config = config
        specs = config.maps
        sizes = [spec.height * spec.width for spec in specs]
        self.spans = [slice(sum(sizes[:k]), sum(sizes[: k + 1])) for k in range(PART_COUNT)]
        channels = config.features + config.detail_tiles
        self.rows = torch.zeros(sum(sizes), channels, dtype=dtype, device=device)

        def by_part(values: list[list[float]]) -> Tensor:
            return torch.tensor(values, device=device)

        widths = by_part([[spec.width, spec.height] for spec in specs])
        self.last = widths - 1.0  # (K, 2): largest x and y
        self.last_corner = widths - 2
        self.strides = by_part([[1, spec.width] for spec in specs])  # of x and y in rows
        self.starts = torch.tensor([span.start for span in self.spans], device=device)
        # (u, v) → texels
        windows = by_part([list(spec.window) for spec in specs])
        self.corner = torch.stack([windows[:, 0], windows[:, 3]], 1)  # (K, 2): left, top
        extent = torch.stack([windows[:, 1] - windows[:, 0], windows[:, 2] - windows[:, 3]], 1)
        self.scale = widths / extent
        self.taps = by_part([[0, 1, spec.width, spec.width + 1] for spec in specs])  # (K, 4)
        positions = picture_positions(config.ray_size, device)
        self.background = positions[None, None, :, None]  # (1, 1, R, 1, 2)

    def put(self, part: int, part_map: PartMap) -> None:
        """Take a part's features from now on."""
        self.rows[self.spans[part]].copy_(part_map.features[0].flatten(0, 1))

    def composite(self, weights: RayWeights) -> Tensor:
        """f_render = Σ_k m_k f_k(u_k, v_k): (1, V, C + T, r, r), channels last."""
        _, views, _, count = weights.mask.shape
        mask = weights.mask.transpose(2, 3)  # (1, V, R, K)
        share = mask.masked_fill(mask <= FETCH_THRESHOLD, 0)
        background = self.background.expand(1, views, -1, -1, -1)
        uv = torch.cat([background, weights.uv.transpose(2, 3)], 3)  # (1, V, R, K, 2)
        texel = (uv - self.corner) * self.scale - 0.5
        texel = torch.minimum(texel.clamp_min(0), self.last)
        corner = torch.minimum(texel.long(), self.last_corner)
        right = texel - corner
        both = torch.stack([1 - right, right], -1)  # (1, V, R, K, 2, 2): of x and y
        weight = (both[..., 1, :] * share[..., None])[..., None] * both[..., 0, None, :]
        first = (corner * self.strides).sum(-1) + self.starts  # (1, V, R, K)
        taps = first[..., None] + self.taps  # (1, V, R, K, 4)
        features = F.embedding_bag(
            taps.reshape(views * count, -1),
            self.rows,
            mode="sum",
            per_sample_weights=weight.reshape(views * count, -1).to(self.rows.dtype),
        )  # (V R, C + T)
        side = self.config.ray_size
        return features.reshape(1, views, side, side, -1).permute(0, 1, 4, 2, 3)
