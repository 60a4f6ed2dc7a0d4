"""Part meshes from core as Blender objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
import numpy as np

from ..core.parts import PARTS, part_index
from .camera_bridge import model_to_object

if TYPE_CHECKING:
    import trimesh

COLOR_ATTRIBUTE = "Portrait Colour"
MATERIAL = "Portrait Part"
PART_KEY = "ssgan3d_part"


def store(
    scene: bpy.types.Scene,
    portrait: bpy.types.Object,
    extracted: dict[str, trimesh.Trimesh],
    unit: float,
    max_faces: int | None = None,
) -> list[bpy.types.Object]:
    """One object a part, hung on the portrait, in a collection of their own.

    Objects that an earlier call made for the same parts are replaced once all new ones are there.

    Args:
        unit: length of a model unit in metres.
        max_faces: parts with more triangles get a Decimate modifier, which loses nothing.
    """
    collection = _collection(scene, f"{portrait.name} Parts")
    material = _material()
    made = []
    for name, source in extracted.items():
        label = PARTS[part_index(name)].label
        mesh = _mesh(f"{portrait.name} {label}", source, unit)
        mesh.materials.append(material)
        item = bpy.data.objects.new(mesh.name, mesh)
        item.parent = portrait
        item[PART_KEY] = name
        if max_faces is not None and len(source.faces) > max_faces:
            item.modifiers.new("Face Limit", "DECIMATE").ratio = max_faces / len(source.faces)
        made.append(item)
    for older in list(portrait.children):
        if older.get(PART_KEY) in extracted and older not in made:
            mesh = older.data
            bpy.data.objects.remove(older)
            if mesh.users == 0:
                bpy.data.meshes.remove(mesh)
    for item in made:
        collection.objects.link(item)
        item.name = item.data.name = f"{portrait.name} {PARTS[part_index(item[PART_KEY])].label}"
    return made


def _mesh(name: str, source: trimesh.Trimesh, unit: float) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(
        np.asarray(source.vertices, np.float32), [], np.asarray(source.faces), shade_flat=False
    )
    mesh.transform(model_to_object(unit))
    colors = np.asarray(source.visual.vertex_colors, np.float32) / 255  # (N, 4) sRGB
    attribute = mesh.color_attributes.new(COLOR_ATTRIBUTE, "BYTE_COLOR", "POINT")
    attribute.data.foreach_set("color_srgb", colors.ravel())
    mesh.color_attributes.active_color = attribute
    mesh.update()
    return mesh


def _collection(scene: bpy.types.Scene, name: str) -> bpy.types.Collection:
    found = scene.collection.children.get(name)
    if found is None:
        found = bpy.data.collections.new(name)
        scene.collection.children.link(found)
    return found


def _material() -> bpy.types.Material:
    """The material that shows the colour attribute, shared by all parts."""
    material = bpy.data.materials.get(MATERIAL)
    if material is not None:
        return material
    material = bpy.data.materials.new(MATERIAL)
    if material.node_tree is None:  # Blender 5.0 and later give every material its nodes
        material.use_nodes = True
    nodes = material.node_tree.nodes
    surface = nodes.get("Principled BSDF") or nodes.new("ShaderNodeBsdfPrincipled")
    surface.inputs["Roughness"].default_value = 0.7
    color = nodes.new("ShaderNodeVertexColor")
    color.layer_name = COLOR_ATTRIBUTE
    color.location = (surface.location.x - 250, surface.location.y)
    material.node_tree.links.new(color.outputs["Color"], surface.inputs["Base Color"])
    return material
