"""Colours of meshes, taken from the pictures that the model makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .camera import Camera
from .config import ModelConfig
from .latents import PortraitLatents
from .lifting import model_to_map, window_coordinates
from .parts import part_index

if TYPE_CHECKING:
    import trimesh

    from .engine import PartFields, PortraitEngine
    from .picture import Rendering

COLOR_VIEWS: tuple[tuple[float, float], ...] = ((0.0, 0.0), (-0.7, 0.0), (0.7, 0.0), (0.0, 0.3))
"""Yaw and pitch in radians of the pictures that colours are taken from."""
_VISIBLE_SLACK = 0.1
_COARSE_WEIGHT = 1.0e-3


def color_meshes(
    engine: PortraitEngine,
    latents: PortraitLatents,
    fields: PartFields,
    meshes: dict[str, trimesh.Trimesh],
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Give every vertex the colour that the pictures show there.

    Views count by how frontal the surface is to them and how much of the pixel is the part's. What
    no view sees takes the coarse colour of the part's own feature map.

    Args:
        progress: is told the share that is done, from 0 to 1; what it raises ends the work.
    """
    if not meshes:
        return
    rendering = engine.render(latents, color_cameras(engine.config))
    for number, (name, mesh) in enumerate(meshes.items()):
        progress(number / len(meshes))
        part = part_index(name)
        vertices, normals = np.asarray(mesh.vertices), np.asarray(mesh.vertex_normals)
        color = _COARSE_WEIGHT * _coarse_color(fields, part, vertices, engine.config)
        weight = torch.full((len(vertices), 1), _COARSE_WEIGHT)
        for view in range(len(rendering.cameras)):
            seen, share = seen_color(rendering, view, part, vertices, normals)
            color += share * seen
            weight += share
        srgb = ((color / weight + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        opaque = torch.full((len(srgb), 1), 255, dtype=torch.uint8)
        mesh.visual.vertex_colors = torch.cat([srgb, opaque], 1).numpy()


def color_cameras(config: ModelConfig) -> list[Camera]:
    """The cameras whose pictures give a mesh its colours, in the order of ``COLOR_VIEWS``."""
    return [
        Camera.orbit(
            max(-config.yaw_max, min(config.yaw_max, yaw)),
            min(config.pitch_max, pitch),
            distance=config.camera_distance,
            side=config.frame_side,
        )
        for yaw, pitch in COLOR_VIEWS
    ]


def seen_color(
    rendering: Rendering, view: int, part: int, vertices: np.ndarray, normals: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Colours (N, 3) in [-1, 1] that one view shows at the vertices, and their weights (N, 1)."""
    camera = rendering.cameras[view]
    ndc, planar = camera.project(vertices)
    towards = camera.position - vertices
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    facing = torch.from_numpy((towards * normals).sum(1)).float().clamp_min(0)
    grid = torch.from_numpy(ndc * [1, -1]).float()[None, None]
    depth = rendering.depth[view].clamp_max(1e4)
    pictures = torch.cat([rendering.image[view], rendering.mask[view, part, None], depth[None]])
    looked_up = F.grid_sample(pictures[None], grid, padding_mode="border", align_corners=False)[
        0, :, 0
    ]  # (5, N)
    visible = torch.from_numpy(planar).float() < looked_up[4] + _VISIBLE_SLACK
    weight = facing**4 * looked_up[3].square() * visible
    return looked_up[:3].T, weight[:, None]


def _coarse_color(
    fields: PartFields, part: int, vertices: np.ndarray, config: ModelConfig
) -> Tensor:
    """Coarse colours (N, 3) of a part's own map at the vertices."""
    uv = model_to_map(torch.from_numpy(vertices).float(), config)
    grid = window_coordinates(uv, config.maps[part].window)[None, None]
    looked_up = F.grid_sample(
        fields.colors[part][None], grid, padding_mode="border", align_corners=False
    )
    return looked_up[0, :, 0].T.clamp(-1, 1)
