"""Part meshes from core as Blender objects."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ..core.parts import part_named
from . import areas, images
from .camera_bridge import model_to_object

if TYPE_CHECKING:
    import trimesh

    from ..core.texturing import Texture

COLOR_ATTRIBUTE = "Portrait Colour"
UV_MAP = "Portrait UV"
MATERIAL = "Portrait Part"
TEXTURE = "Texture"
"""The kind of a portrait's texture image, and of the material that shows it."""
GROUP = "Parts"
"""The kind of the collection that a portrait's meshes are put into."""
PART_KEY = "ssgan3d_part"
JOINT = "+"
"""Stands between the parts of a joined mesh in its ``PART_KEY``."""


def material(portrait: bpy.types.Object, texture: Texture | None) -> str:
    """The name of the material that shows the parts' vertex colours, or a texture instead."""
    if texture is None:
        return _color_material().name
    return _texture_material(images.owner_of(portrait), texture).name


def add(
    scene: bpy.types.Scene,
    portrait: bpy.types.Object,
    parts: dict[str, trimesh.Trimesh],
    unit: float,
    *,
    material: str,
    max_faces: int | None = None,
    texture: Texture | None = None,
) -> bpy.types.Object:
    """One object of one or more parts, hung on the portrait, in the portrait's own collection.

    Args:
        unit: length of a model unit in metres.
        material: name of the material; if it is gone, the vertex colours are shown.
        max_faces: an object with more triangles for each of its parts gets a Decimate modifier,
            which loses nothing.
        texture: whose UVs the mesh gets.
    """
    uv = None if texture is None else np.concatenate([texture.uv[name] for name in parts])
    mesh = _mesh(_label(portrait, tuple(parts)), list(parts.values()), uv, unit)
    mesh.materials.append(_own_material(material) or _color_material())
    item = bpy.data.objects.new(mesh.name, mesh)
    item.parent = portrait
    item[PART_KEY] = JOINT.join(parts)
    if len(parts) > 1:
        _add_vertex_groups(item, parts)
    limit = None if max_faces is None else max_faces * len(parts)
    if limit is not None and len(mesh.polygons) > limit:
        item.modifiers.new("Face Limit", "DECIMATE").ratio = limit / len(mesh.polygons)
    _collection(scene, images.owner_of(portrait)).objects.link(item)
    return item


def show_colors(*, textured: bool) -> None:
    """Have solid 3D views that show plain materials show the parts' colours instead."""
    for area in areas.shown("VIEW_3D"):
        shading = area.spaces.active.shading
        if shading.type == "SOLID" and shading.color_type in {"MATERIAL", "VERTEX", "TEXTURE"}:
            shading.color_type = "TEXTURE" if textured else "VERTEX"


def are_seen(scene: bpy.types.Scene) -> bool:
    """Whether some 3D view of the windows shows meshes: those that the portrait engine renders do
    not. Without a window nobody looks.
    """
    from .operators import ENGINE_ID

    shadings = {area.spaces.active.shading.type for area in areas.shown("VIEW_3D")}
    return scene.render.engine != ENGINE_ID or shadings != {"RENDERED"}


def _label(portrait: bpy.types.Object, names: Sequence[str]) -> str:
    if len(names) > 1:
        return f"{portrait.name} Mesh"
    return f"{portrait.name} {part_named(names[0]).label}"


def remove(portrait: bpy.types.Object, parts: Collection[str]) -> None:
    """Remove earlier objects that hold nothing but ``parts``, with their meshes."""
    for older in list(portrait.children):
        held = set(older.get(PART_KEY, "").split(JOINT)) - {""}
        if held and held <= set(parts):
            mesh = older.data
            bpy.data.objects.remove(older)
            if mesh.users == 0:
                bpy.data.meshes.remove(mesh)


def _mesh(
    name: str, sources: Sequence[trimesh.Trimesh], uv: np.ndarray | None, unit: float
) -> bpy.types.Mesh:
    """One mesh of one or more parts in the portrait object's axes, with colours and UVs."""
    starts = np.cumsum([0, *(len(source.vertices) for source in sources)])
    faces = [source.faces + start for source, start in zip(sources, starts[:-1], strict=True)]
    vertices = np.concatenate([source.vertices for source in sources])
    corners = np.concatenate(faces).ravel()
    mesh = bpy.data.meshes.new(name)
    # Mesh.from_pydata goes through all values in Python: ten times as long.
    mesh.vertices.add(len(vertices))
    mesh.loops.add(len(corners))
    mesh.polygons.add(len(corners) // 3)
    mesh.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, len(corners), 3, dtype=np.int32))
    mesh.loops.foreach_set("vertex_index", corners.astype(np.int32))
    mesh.update(calc_edges=True)
    mesh.transform(model_to_object(unit))
    colors = np.concatenate([source.visual.vertex_colors for source in sources])  # (N, 4) sRGB
    attribute = mesh.color_attributes.new(COLOR_ATTRIBUTE, "BYTE_COLOR", "POINT")
    attribute.data.foreach_set("color_srgb", (colors.astype(np.float32) / 255).ravel())
    mesh.color_attributes.active_color = attribute
    if uv is not None:
        mesh.uv_layers.new(name=UV_MAP).uv.foreach_set("vector", uv.ravel())
    mesh.update()
    return mesh


def _add_vertex_groups(item: bpy.types.Object, extracted: dict[str, trimesh.Trimesh]) -> None:
    """A vertex group for each part, so that a part can be selected in the joined mesh."""
    start = 0
    for name, source in extracted.items():
        end = start + len(source.vertices)
        group = item.vertex_groups.new(name=part_named(name).label)
        group.add(range(start, end), 1.0, "REPLACE")
        start = end


def _collection(scene: bpy.types.Scene, owner: images.Owner) -> bpy.types.Collection:
    """The collection of a portrait's meshes in a scene, wherever it was moved to there."""
    found = images.marked(scene.collection.children_recursive, GROUP, owner)
    if found:
        images.retitle(found[0], GROUP, owner)
        return found[0]
    made = bpy.data.collections.new(images.title(GROUP, owner.name))
    images.mark(made, GROUP, owner)
    scene.collection.children.link(made)
    return made


def _own_material(name: str) -> bpy.types.Material | None:
    """A material of this file; one of the same name may be linked from another."""
    return bpy.data.materials.get((name, None))


def _color_material() -> bpy.types.Material:
    """The material that shows the colour attribute, shared by all parts."""
    material = _own_material(MATERIAL)
    if material is None:
        material, surface = _material(MATERIAL)
        color = material.node_tree.nodes.new("ShaderNodeVertexColor")
        color.layer_name = COLOR_ATTRIBUTE
        _connect(material, color, surface)
    return material


def _texture_material(owner: images.Owner, texture: Texture) -> bpy.types.Material:
    """The material that shows a portrait's texture; extracting again renews its image."""
    import torch

    image = images.store(TEXTURE, torch.from_numpy(texture.picture).float() / 255, owner)
    for earlier in images.marked(bpy.data.materials, TEXTURE, owner):
        if _shows(earlier, image):
            return earlier
    material, surface = _material(image.name)
    images.mark(material, TEXTURE, owner)
    color = material.node_tree.nodes.new("ShaderNodeTexImage")
    color.image = image
    _connect(material, color, surface)
    return material


def _shows(material: bpy.types.Material, image: bpy.types.Image) -> bool:
    nodes = material.node_tree.nodes if material.node_tree is not None else ()
    return any(node.type == "TEX_IMAGE" and node.image == image for node in nodes)


def _material(name: str) -> tuple[bpy.types.Material, bpy.types.Node]:
    """A new material and its surface, which shines as little as skin does."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # Blender 5.0 and later give every material its nodes
        material.use_nodes = True
    nodes = material.node_tree.nodes
    surface = nodes.get("Principled BSDF") or nodes.new("ShaderNodeBsdfPrincipled")
    surface.inputs["Roughness"].default_value = 0.7
    return material, surface


def _connect(material: bpy.types.Material, color: bpy.types.Node, surface: bpy.types.Node) -> None:
    color.location = (surface.location.x - 300, surface.location.y)
    material.node_tree.links.new(color.outputs["Color"], surface.inputs["Base Color"])
    material.node_tree.nodes.active = color
