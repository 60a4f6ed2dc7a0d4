"""Meshes as .glb, .obj, .ply or .stl files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .config import ModelConfig
from .errors import PortraitError
from .files import load_pillow, load_trimesh, write_together

if TYPE_CHECKING:
    import trimesh

    from .texturing import Texture

FORMATS = (".glb", ".obj", ".ply", ".stl")
TEXTURED = (".glb", ".obj")
"""The formats that hold a texture. Of the others PLY holds vertex colours, and STL none at all."""
ROUGHNESS = 0.7
"""How little a textured surface shines: as skin does."""
_OBJ_SHININESS = 1000 * (1 - ROUGHNESS) ** 2  # as Blender and others read an exponent


def check_format(path: Path, *, textured: bool = False) -> None:
    """Raise PortraitError unless meshes can be written to a file of that suffix."""
    if path.suffix.lower() not in FORMATS:
        raise PortraitError("Meshes are written as {0}, not as {1}.", ", ".join(FORMATS), path.name)
    if textured and texture_lost(path) is None:
        load_pillow()


def texture_lost(path: Path) -> str | None:
    """What a file of that suffix holds in place of a texture, in words; None if it holds one."""
    kind = path.suffix.lower()
    if kind in TEXTURED:
        return None
    kept = "no colours" if kind == ".stl" else "vertex colours"
    return f"{kind[1:].upper()} files hold no texture: this one has {kept}."


def export_meshes(
    meshes: dict[str, trimesh.Trimesh],
    path: Path,
    *,
    unit_metres: float = ModelConfig.unit_metres,
    texture: Texture | None = None,
) -> list[Path]:
    """Write meshes to one .glb, .obj, .ply or .stl file in metres, at once or not at all.

    GLB keeps the parts apart and named; the others hold one mesh. A texture lies inside of a GLB;
    beside an OBJ stand its material and its picture, as NAME.mtl and NAME_texture.png. Vertex
    colours of a GLB are linear, as glTF asks, and those of OBJ and PLY sRGB.

    Args:
        texture: of these meshes, in place of their vertex colours where the format holds one (see
            :func:`texture_lost`).

    Returns:
        The files that were written, ``path`` first.

    Raises:
        PortraitError: the suffix is another one, there is no mesh, or a package is missing.
        OSError: a file cannot be written.
    """
    trimesh = load_trimesh()
    path = Path(path)
    check_format(path, textured=texture is not None)
    kind = path.suffix.lower()
    if not meshes:
        raise PortraitError("There is no mesh to write: no part of the portrait is visible.")
    scaled = {name: mesh.copy() for name, mesh in meshes.items()}
    for mesh in scaled.values():
        mesh.apply_scale(unit_metres)
    beside: dict[str, bytes] = {}
    if kind == ".glb":
        parts = _linear_meshes(scaled) if texture is None else _textured_meshes(scaled, texture)
        data = trimesh.Scene(parts).export(file_type="glb")
    else:
        whole = trimesh.util.concatenate(list(scaled.values()))
        if kind == ".obj" and texture is not None:
            data, beside = _textured_obj(
                whole, [texture.uv[name] for name in meshes], texture, path
            )
        else:
            data = whole.export(file_type=kind[1:])
    files = {path: data.encode() if isinstance(data, str) else data}
    files |= {path.with_name(name): content for name, content in beside.items()}
    write_together(files)
    return list(files)


def _linear_meshes(meshes: dict[str, trimesh.Trimesh]) -> dict[str, trimesh.Trimesh]:
    """The meshes, with their own vertex colours made linear."""
    for mesh in meshes.values():
        mesh.visual.vertex_colors = _linear(mesh.visual.vertex_colors)
    return meshes


def _textured_meshes(
    meshes: dict[str, trimesh.Trimesh], texture: Texture
) -> dict[str, trimesh.Trimesh]:
    """Meshes that share one material, which shows the texture."""
    material = load_trimesh().visual.material.PBRMaterial(
        name="Portrait",
        baseColorTexture=_image(texture),
        metallicFactor=0.0,
        roughnessFactor=ROUGHNESS,
    )
    return {name: _textured(mesh, texture.uv[name], material) for name, mesh in meshes.items()}


def _textured_obj(
    whole: trimesh.Trimesh, uv: list[np.ndarray], texture: Texture, path: Path
) -> tuple[str, dict[str, bytes]]:
    """The text of an OBJ file, and what stands beside it, by name.

    Names without blanks: not every reader takes what is behind one for the same name. The picture's
    is not ``path``'s alone: a rendering of the portrait may bear that.
    """
    trimesh = load_trimesh()
    stem = re.sub(r"\s+", "_", path.stem)
    white, black = [255] * 4, [0, 0, 0, 255]
    material = trimesh.visual.material.SimpleMaterial(
        image=_image(texture),
        name=f"{stem}_texture",
        diffuse=white,
        ambient=white,
        specular=black,
        glossiness=_OBJ_SHININESS,
    )
    mesh = _textured(whole, np.concatenate(uv), material)
    text, files = trimesh.exchange.obj.export_obj(mesh, return_texture=True, mtl_name=f"{stem}.mtl")
    return text, files


def _image(texture: Texture) -> Any:
    """The texture's picture, which is opaque, for Pillow."""
    return load_pillow().fromarray(np.ascontiguousarray(texture.picture[..., :3]))


def _textured(mesh: trimesh.Trimesh, uv: np.ndarray, material: Any) -> trimesh.Trimesh:
    """A mesh that shows a texture: with a vertex more where two places in it meet.

    Args:
        uv: (faces, 3, 2) of the corners of each face.
    """
    trimesh = load_trimesh()
    places, corners = np.unique(uv.reshape(-1, 2), axis=0, return_inverse=True)
    faces, vertices, chosen = trimesh.visual.texture.unmerge_faces(
        mesh.faces, corners.reshape(-1, 3)
    )
    return trimesh.Trimesh(
        mesh.vertices[vertices],
        faces,
        vertex_normals=mesh.vertex_normals[vertices],  # those of the whole: no edge at a seam
        visual=trimesh.visual.TextureVisuals(uv=places[chosen], material=material),
        process=False,
    )


def _linear(colors: np.ndarray) -> np.ndarray:
    """Decode sRGB bytes (N, 4) to linear bytes; alpha stays."""
    values = colors[:, :3] / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.concatenate([np.round(linear * 255).astype(np.uint8), colors[:, 3:]], 1)
