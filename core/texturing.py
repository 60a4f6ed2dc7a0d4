"""The pictures of a portrait as the texture of its part meshes.

Every triangle takes its colours from the one picture that shows it best, of the four that vertex
colours are mixed from. What no picture shows, as the back of the hair, takes a plain colour: the
mean of its vertex colours, from a palette below the pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .camera import Camera
from .compositing import display_picture
from .mesh_colors import color_cameras, seen_color
from .parts import part_index
from .upscaler import FACTOR

if TYPE_CHECKING:
    import trimesh

    from .engine import PortraitEngine
    from .latents import PortraitLatents
    from .picture import Rendering

COLUMNS = 2
FRONT_BIAS = 3.0
"""How much better another picture must show a triangle than the front one: seams belong where a
head turns away, not across its face."""
_LEAST = 0.01
_SPREAD_ROUNDS = 4
_SWATCH = 4  # pixels of a palette colour along each side: filters of a renderer stay inside it
_LEVELS = 31  # steps of a palette colour in each channel


class Texture(NamedTuple):
    """One picture for all parts of a portrait, and where each part lies in it.

    Attributes:
        picture: (H, W, 4) uint8 sRGB, opaque, row 0 at the top.
        uv: by part name, (faces, 3, 2) float32 in [0, 1] for the corners of each face; v points up.
    """

    picture: np.ndarray
    uv: dict[str, np.ndarray]


def project_texture(
    engine: PortraitEngine,
    latents: PortraitLatents,
    meshes: dict[str, trimesh.Trimesh],
    progress: Callable[[float], None] = lambda _: None,
) -> Texture:
    """The texture of what :func:`~.meshing.extract_meshes` made of a portrait.

    Args:
        meshes: with their vertex colours.
        progress: is told the share that is done, from 0 to 1; what it raises ends the work.
    """
    side = engine.config.image_size
    if engine.config.upscaler_channels:
        side *= FACTOR
    rendering = engine.render(latents, color_cameras(engine.config), size=(side, side))
    cameras = rendering.cameras
    tiles = [_bytes(rendering, view) for view in range(len(cameras))]
    rows = [np.concatenate(tiles[i : i + COLUMNS], 1) for i in range(0, len(tiles), COLUMNS)]
    atlas = np.concatenate(rows)  # (H, W, 4)
    chosen, plain = {}, {}
    for number, (name, mesh) in enumerate(meshes.items()):
        progress(number / len(meshes))
        chosen[name] = _best_views(rendering, part_index(name), mesh)
        plain[name] = _plain_colors(mesh, chosen[name] < 0)
    palette, inverse = np.unique(
        np.concatenate([*plain.values(), np.zeros((0, 3), np.uint8)]), axis=0, return_inverse=True
    )
    across = atlas.shape[1] // _SWATCH
    strip = _palette_strip(palette, across)
    picture = np.concatenate([atlas, strip])
    height, width = picture.shape[:2]
    uv, first = {}, 0
    for name, mesh in meshes.items():
        corners = np.empty((len(mesh.faces), 3, 2))  # pixels from the top left
        for view, camera in enumerate(cameras):
            mine = chosen[name] == view
            corner = _pixels(camera, mesh.vertices[mesh.faces[mine]], side)
            corners[mine] = corner + np.array(divmod(view, COLUMNS)[::-1]) * side
        count = len(plain[name])
        swatch = inverse.reshape(-1)[first : first + count]
        first += count
        middle = np.stack([swatch % across, swatch // across], 1) * _SWATCH + _SWATCH / 2
        corners[chosen[name] < 0] = (middle + [0, atlas.shape[0]])[:, None]
        uv[name] = (corners / [width, height] * [1, -1] + [0, 1]).astype(np.float32)
    return Texture(picture, uv)


def _bytes(rendering: Rendering, view: int) -> np.ndarray:
    """One picture, (S, S, 4) uint8."""
    return display_picture(rendering, index=view).mul(255).round().byte().numpy()


def _best_views(rendering: Rendering, part: int, mesh: trimesh.Trimesh) -> np.ndarray:
    """Which view shows each face best, (F,), -1 where none does."""
    vertices, normals = np.asarray(mesh.vertices), np.asarray(mesh.vertex_normals)
    shares = [
        seen_color(rendering, view, part, vertices, normals)[1].numpy()
        for view in range(len(rendering.cameras))
    ]
    weights = np.concatenate(shares, 1)[mesh.faces].min(1)  # (F, V): all corners must be seen
    weights[:, 0] *= FRONT_BIAS
    # spread over neighbours, so that views meet along lines and not in speckles
    spread = weights
    counts = np.bincount(mesh.faces.ravel(), minlength=len(vertices))[:, None]
    for _ in range(_SPREAD_ROUNDS):
        columns = [
            np.bincount(mesh.faces.ravel(), np.repeat(column, 3), len(vertices))
            for column in spread.T
        ]
        spread = (np.stack(columns, 1) / np.maximum(counts, 1))[mesh.faces].mean(1)
    spread = np.where(weights > _LEAST, spread, -1.0)
    return np.where(spread.max(1) > 0, spread.argmax(1), -1)


def _plain_colors(mesh: trimesh.Trimesh, faces: np.ndarray) -> np.ndarray:
    """Mean vertex colours (N, 3) of the faces, in the palette's steps."""
    colors = np.asarray(mesh.visual.vertex_colors)[mesh.faces[faces], :3].mean(1)
    return np.round(np.round(colors / 255 * _LEVELS) / _LEVELS * 255).astype(np.uint8)


def _palette_strip(palette: np.ndarray, across: int) -> np.ndarray:
    """The palette as rows of squares, (h, across * _SWATCH, 4) uint8."""
    rows = -(-len(palette) // across)
    squares = np.full((rows * across, 4), 255, np.uint8)
    squares[: len(palette), :3] = palette
    strip = squares.reshape(rows, across, 4)
    return strip.repeat(_SWATCH, 0).repeat(_SWATCH, 1)


def _pixels(camera: Camera, points: np.ndarray, side: int) -> np.ndarray:
    """Where points (F, 3, 3) lie in a view, (F, 3, 2) pixels from the top left, kept inside it."""
    ndc, _ = camera.project(points.reshape(-1, 3))
    return ((ndc * [0.5, -0.5] + 0.5) * side).clip(0.5, side - 0.5).reshape(-1, 3, 2)
