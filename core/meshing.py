"""Part meshes from the lifted field, where the renderer sees the parts.

A shell of density σ exp(-α t²), t the distance from its depth d̂ along the lifting line, has the
optical depth

    τ = σ √(π / α)                              all through,
    A(t) = τ / 2 · erfc(√α |t|)                 from outside to |t|.

Where the shell is dense, the picture shows the depth at which half of the light is gone: A = ln 2.
A part ends where rays stop being half absorbed. Rays at a silhouette graze the shell and pass about
GRAZING times as much of it as one that meets it head on: the border lies at τ_0 = ln 2 / GRAZING,
where the mesh's front and back meet, A = τ_0 / 2 at t = 0. The surface A = T with

    T = τ_0 / 2 + (ln 2 - τ_0 / 2) (1 - τ_0 / τ)²

is both. Several parts together hide what each alone would let through, so A and τ are sums over the
parts; the body that they make is divided among them by the largest A, and part meshes neither
overlap nor leave gaps.

Model units, y up, z toward the viewer of a frontal portrait, which is also glTF's convention.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .camera import Camera
from .config import ModelConfig
from .errors import PortraitError
from .files import write_bytes
from .latents import PortraitLatents
from .lifting import LIFTED, Geometry, model_to_map, window_coordinates
from .parts import BACKGROUND, PART_NAMES, part_index

if TYPE_CHECKING:
    import trimesh

    from .engine import PartFields, PortraitEngine
    from .picture import Rendering

FORMATS = (".glb", ".obj", ".ply", ".stl")
RESOLUTIONS = (16, 512)
SIDE = 2.3
"""Side of the meshed cube: the trained frame and a margin for what leans toward the camera."""
COLOR_VIEWS: tuple[tuple[float, float], ...] = ((0.0, 0.0), (-0.7, 0.0), (0.7, 0.0), (0.0, 0.3))
"""Yaw and pitch in radians of the pictures that colours are taken from."""
GRAZING = 1.5
_LEAST_THICKNESS = 0.75
_BLOCK = 4
_NEAR = 0.16
"""Distance from a shell beyond which nothing of it is above the threshold (τ would exceed 100)."""
_OVERLAP = 0.8
"""How far parts reach under their neighbours, in log share. Marching cubes cuts corners, and two
cut corners side by side are a groove that renders as a dark line; much more, and the colours of
what lies below show through."""
_OUTSIDE = -4.0
_FAINT = 1.0e-9
"""Optical depth that stands for none, so that it has a logarithm."""
_CHUNK = 1 << 17
_COUNTED_RESOLUTION = 48
_LEAST_COMPONENT = 0.05
_VISIBLE_SLACK = 0.1
_COARSE_WEIGHT = 1.0e-3


def extract_meshes(
    engine: PortraitEngine,
    latents: PortraitLatents,
    *,
    parts: Sequence[str] | None = None,
    resolution: int = 128,
    smoothing: int = 0,
    max_faces: int | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, trimesh.Trimesh]:
    """Mesh the visible parts of a portrait.

    Args:
        parts: names of the parts; None takes all that are visible. The background has no mesh.
        resolution: cells along each side of the meshed cube.
        smoothing: rounds of Taubin smoothing, which keeps the volume.
        max_faces: most triangles of one part.
        progress: called with the share that is done, 0 to 1; what it raises ends the work.

    Returns:
        Closed meshes with normals outward and sRGB vertex colours, by part name. Parts that the
        portrait does not show are left out.

    Raises:
        PortraitError: a package is missing, or an argument is out of range.
    """
    trimesh = _trimesh()
    _check_resolution(resolution)
    if smoothing < 0 or (max_faces is not None and max_faces < 4):
        raise PortraitError("Smoothing must not be negative, and 4 faces are the least of a mesh.")
    wanted = _wanted(latents, parts)
    if not wanted:  # nothing that was asked for is visible
        return {}
    fields = engine.part_fields(latents)
    progress(0.05)
    found = _surfaces(
        fields.geometry, engine.config, wanted, resolution, lambda done: progress(0.05 + 0.6 * done)
    )
    meshes: dict[str, Any] = {}
    for part, (vertices, faces) in found.items():
        progress(0.65 + 0.25 * len(meshes) / len(found))
        mesh = trimesh.Trimesh(vertices, faces, process=False)
        mesh = _largest_components(mesh)
        if smoothing:
            trimesh.smoothing.filter_taubin(mesh, iterations=2 * smoothing)
        if max_faces is not None and len(mesh.faces) > max_faces:
            mesh = _decimated(mesh, max_faces)
        if _signed_volume(mesh) < 0:
            mesh.invert()
        meshes[PART_NAMES[part]] = mesh
    progress(0.9)
    _color(engine, latents, fields, meshes)
    progress(1.0)
    return meshes


def estimate_triangles(
    engine: PortraitEngine, latents: PortraitLatents, *, resolution: int
) -> dict[str, int]:
    """About how many triangles each part's mesh will have, in a tenth of the time.

    Surfaces grow with the square of the resolution, so they are counted on a coarse grid. Parts as
    small as eyes come out up to a quarter too low, a whole portrait up to a tenth.

    Raises:
        PortraitError: a package is missing, or the resolution is out of range.
    """
    _check_resolution(resolution)
    wanted, coarse = _wanted(latents, None), min(resolution, _COUNTED_RESOLUTION)
    if not wanted:
        return {}
    found = _surfaces(engine.part_fields(latents).geometry, engine.config, wanted, coarse)
    growth = (resolution / coarse) ** 2
    return {PART_NAMES[part]: round(len(faces) * growth) for part, (_, faces) in found.items()}


def check_format(path: Path) -> None:
    """Raise PortraitError unless meshes can be written to a file of that suffix."""
    if path.suffix.lower() not in FORMATS:
        raise PortraitError(f"Meshes are written as {', '.join(FORMATS)}, not as {path.name}.")


def export_meshes(
    meshes: dict[str, trimesh.Trimesh],
    path: Path,
    *,
    unit_metres: float = ModelConfig.unit_metres,
) -> None:
    """Write meshes to one .glb, .obj, .ply or .stl file in metres, at once or not at all.

    GLB keeps the parts apart and named; the others hold one mesh. STL has no colours. Colours of a
    GLB are linear, as glTF asks, and those of the others sRGB.

    Raises:
        PortraitError: the suffix is another one, there is no mesh, or a package is missing.
        OSError: the file cannot be written.
    """
    trimesh = _trimesh()
    path = Path(path)
    check_format(path)
    kind = path.suffix.lower()
    if not meshes:
        raise PortraitError("There is no mesh to write: no part of the portrait is visible.")
    scaled = {name: mesh.copy() for name, mesh in meshes.items()}
    for mesh in scaled.values():
        mesh.apply_scale(unit_metres)
    if kind == ".glb":
        for mesh in scaled.values():
            mesh.visual.vertex_colors = _linear(mesh.visual.vertex_colors)
        data = trimesh.Scene(scaled).export(file_type="glb")
    else:
        whole = trimesh.util.concatenate(list(scaled.values()))
        data = whole.export(file_type=kind[1:])
    write_bytes(path, data.encode() if isinstance(data, str) else data)


# --- surfaces ------------------------------------------------------------------------------------


def part_optics(
    points: Tensor, geometry: Geometry, config: ModelConfig, thickness: float
) -> tuple[Tensor, Tensor]:
    """A and ψ^¼ τ of the parts of a geometry at model points (N, 3): both (parts, N).

    ψ^¼ says which shells lie so close that a ray through the point meets them together.

    Args:
        thickness: distance from a shell up to which A is taken as at its middle, so that a shell
            that is thinner than the grid's cells is not lost between them. Twice as far away A is
            exact again.
    """
    grid = window_coordinates(model_to_map(points, config), config.geometry_window)[None, None]
    maps = torch.cat([geometry.depth, geometry.density], 1)
    looked_up = F.grid_sample(maps, grid, align_corners=False)[0, :, 0]  # (2 parts, N)
    depth, density = looked_up.unflatten(0, (2, -1)).unbind(0)
    through = density * math.sqrt(math.pi / config.shell_alpha)  # τ
    offset = (depth - points[:, 2]).abs_()
    offset = torch.minimum(offset, (offset - thickness).clamp_min_(0).mul_(2))
    offset.mul_(math.sqrt(config.shell_alpha))
    passed = through * torch.erfc(offset) * 0.5
    together = through.mul_(offset.square_().mul_(-0.25).exp_())
    return passed, together


def surface_field(passed: Tensor, together: Tensor) -> Tensor:
    """A function that is positive inside each part, from :func:`part_optics`: (parts, N).

    It is the smaller of log(A / T), the body of all parts, and log(A_k / largest other A), a part's
    share of it, with a little overlap.
    """
    half, rim = math.log(2), math.log(2) / GRAZING
    dense = 1 - rim / together.sum(0).clamp_min(rim)  # 0 at a border, 1 inside
    threshold = rim / 2 + (half - rim / 2) * dense.square()
    body = torch.log(passed.sum(0).clamp_min(_FAINT) / threshold)
    own = passed.clamp_min(_FAINT).log_()
    first = own.amax(0)
    leads = own == first
    second = own.masked_fill(leads, math.log(_FAINT)).amax(0)
    rival = torch.where(leads, second, first)
    return torch.minimum(own - rival + _OVERLAP, body).clamp_(_OUTSIDE, -_OUTSIDE)


def _surfaces(
    geometry: Geometry,
    config: ModelConfig,
    wanted: Sequence[int],
    resolution: int,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Vertices (N, 3) in model units and faces (M, 3) of the parts that have any."""
    blocks = -(-resolution // _BLOCK)
    cell = SIDE / (blocks * _BLOCK)
    thickness = _LEAST_THICKNESS * cell
    active = _blocks_near_shells(geometry, config, blocks)  # (M, 3)
    if not len(active):
        return {}
    inner = torch.stack(
        torch.meshgrid(*[torch.arange(_BLOCK)] * 3, indexing="ij"), -1
    )  # (b, b, b, 3)
    geometry, shown = _without_empty_parts(geometry)
    wanted = [part for part in wanted if part in shown]
    rows = [shown.index(part) for part in wanted]
    fields = torch.empty(len(wanted), len(active), *[_BLOCK] * 3)
    step = max(1, _CHUNK // _BLOCK**3)
    for start in range(0, len(active), step):
        progress(start / len(active))
        cells = active[start : start + step, None, None, None] * _BLOCK + inner
        points = ((cells + 0.5) * cell - SIDE / 2).reshape(-1, 3)
        field = surface_field(*part_optics(points, geometry, config, thickness))[rows]
        fields[:, start : start + step] = field.reshape(len(wanted), -1, *[_BLOCK] * 3)
    found = {}
    for part, field in zip(wanted, fields, strict=True):
        occupied = field.flatten(1).amax(1) > 0
        if not occupied.any():
            continue
        # one block more on every side, so that the surface closes inside what is evaluated
        low = active[occupied].amin(0) - 1
        high = active[occupied].amax(0) + 2
        within = ((active >= low) & (active < high)).all(1)
        size = high - low
        dense = torch.full((int(size[0]), int(size[1]), int(size[2]), *[_BLOCK] * 3), _OUTSIDE)
        dense[tuple((active[within] - low).T)] = field[within]
        dense = dense.permute(0, 3, 1, 4, 2, 5).reshape(*(size * _BLOCK).tolist())
        vertices, faces = marching_cubes(dense.numpy())
        if len(faces):
            origin = (low * _BLOCK).numpy() + 0.5
            found[part] = ((vertices + origin) * cell - SIDE / 2, faces)
    return found


def _without_empty_parts(geometry: Geometry) -> tuple[Geometry, list[int]]:
    """The parts that have any density, and which they are."""
    rows = geometry.density[0].amax((1, 2)).nonzero()[:, 0].tolist()
    shown = Geometry(geometry.depth[:, rows], geometry.density[:, rows])
    return shown, [LIFTED[row] for row in rows]


def _blocks_near_shells(geometry: Geometry, config: ModelConfig, blocks: int) -> Tensor:
    """Indices (M, 3) of the blocks of the cube that a shell passes through or close by."""
    line = (torch.arange(blocks) + 0.5) / blocks * SIDE - SIDE / 2
    points = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    near = torch.zeros(len(points), dtype=torch.bool)
    grid = window_coordinates(model_to_map(points, config), config.geometry_window)[None, None]
    reach = _NEAR + SIDE / blocks  # a block's centre may lie so much further from the shell
    # a block's centre may miss a narrow part, so densities are spread over a block first
    texel = (config.geometry_window[1] - config.geometry_window[0]) / config.geometry_size
    spread = 2 * math.ceil(SIDE / blocks / texel) + 1
    dense = F.max_pool2d(geometry.density, spread, 1, spread // 2)
    least = 0.2 * math.log(2) / math.sqrt(math.pi / config.shell_alpha)
    for row in range(geometry.depth.shape[1]):
        if dense[:, row].max() <= least:
            continue
        maps = torch.stack([geometry.depth[:, row], dense[:, row]], 1)
        depth, density = F.grid_sample(maps, grid, align_corners=False)[0, :, 0]
        near |= (density > least) & ((depth - points[:, 2]).abs() < reach)
    grown = F.max_pool3d(near.float().reshape(1, 1, blocks, blocks, blocks), 3, 1, 1)
    return grown[0, 0].nonzero()


def marching_cubes(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The zero surface of ``field``, positive inside: vertices (N, 3) in cells and faces (M, 3).

    Faces turn counter-clockwise as seen from outside.

    Raises:
        PortraitError: neither PyMCubes nor scikit-image is installed.
    """
    try:
        import mcubes
    except ImportError:
        pass
    else:
        vertices, faces = mcubes.marching_cubes(field, 0.0)
        return vertices, faces.astype(np.int64)
    try:
        from skimage import measure
    except ImportError:
        raise PortraitError(
            "Part meshes need the Python package PyMCubes (or scikit-image), and neither is "
            "installed. Install it with: python -m pip install PyMCubes"
        ) from None
    if field.max() <= 0:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    vertices, faces, _, _ = measure.marching_cubes(field, 0.0, gradient_direction="ascent")
    return vertices.astype(np.float64), faces.astype(np.int64)


# --- clean-up ------------------------------------------------------------------------------------


def _largest_components(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh without crumbs. Pairs (eyes, ears) and strands stay: they are of like size."""
    trimesh = _trimesh()
    labels = trimesh.graph.connected_component_labels(mesh.edges_unique, len(mesh.vertices))
    counts = np.bincount(labels[mesh.faces[:, 0]])
    keep = counts >= _LEAST_COMPONENT * counts.max()
    if not keep.all():
        mesh.update_faces(keep[labels[mesh.faces[:, 0]]])
        mesh.remove_unreferenced_vertices()
    return mesh


def _signed_volume(mesh: trimesh.Trimesh) -> float:
    """Volume, negative if the faces turn inward; trimesh's own computes all moments for it."""
    a, b, c = np.asarray(mesh.vertices)[mesh.faces].swapaxes(0, 1)
    return float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6


def _decimated(mesh: trimesh.Trimesh, max_faces: int) -> trimesh.Trimesh:
    """Quadric edge collapse, by fast-simplification: what trimesh itself calls; small and kept."""
    try:
        simple = mesh.simplify_quadric_decimation(face_count=max_faces)
    except ImportError:
        raise PortraitError(
            "A limit of faces needs the Python package fast-simplification. Install it with: "
            "python -m pip install fast-simplification, or take a lower resolution instead."
        ) from None
    return simple


def _trimesh():  # type: ignore[no-untyped-def]
    try:
        import trimesh
        import trimesh.smoothing
    except ImportError as error:
        raise PortraitError(
            f"Part meshes need the Python package {error.name}, which is not installed. Install it "
            f"with: python -m pip install {error.name}"
        ) from None
    return trimesh


def _check_resolution(resolution: int) -> None:
    if not RESOLUTIONS[0] <= resolution <= RESOLUTIONS[1]:
        raise PortraitError(
            f"The resolution of meshes must lie between {RESOLUTIONS[0]} and {RESOLUTIONS[1]}; "
            f"it is {resolution}."
        )


def _wanted(latents: PortraitLatents, parts: Sequence[str] | None) -> list[int]:
    """The lifted parts that are visible and asked for."""
    visible = [k for k in LIFTED if latents.visible[k]]
    if parts is None:
        return visible
    chosen = {_lifted_part(name) for name in parts}
    return [k for k in visible if k in chosen]


def _lifted_part(name: str) -> int:
    try:
        part = part_index(name)
    except ValueError as error:
        raise PortraitError(str(error)) from None
    if part == BACKGROUND:
        raise PortraitError("The background has no mesh: it is a picture behind the portrait.")
    return part


# --- colours -------------------------------------------------------------------------------------


def _color(
    engine: PortraitEngine,
    latents: PortraitLatents,
    fields: PartFields,
    meshes: dict[str, trimesh.Trimesh],
) -> None:
    """Give every vertex the colour that the pictures show there.

    Views count by how frontal the surface is to them and how much of the pixel is the part's. What
    no view sees takes the coarse colour of the part's own feature map.
    """
    if not meshes:
        return
    rendering = engine.render(latents, color_cameras(engine.config))
    for name, mesh in meshes.items():
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


def _linear(colors: np.ndarray) -> np.ndarray:
    """Decode sRGB bytes (N, 4) to linear bytes; alpha stays."""
    values = colors[:, :3] / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.concatenate([np.round(linear * 255).astype(np.uint8), colors[:, 3:]], 1)
