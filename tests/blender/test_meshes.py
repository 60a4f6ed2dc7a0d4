"""Part meshes as Blender objects."""

import math
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import Addon

RESOLUTION = 32


def vertices_of(item: Any) -> np.ndarray:
    flat = np.empty(3 * len(item.data.vertices), np.float32)
    item.data.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


@pytest.fixture
def expected(bpy: Any, addon: Addon, portrait: Any) -> Any:
    """Core's own meshes of the portrait."""
    choice = addon("ssgan3d_blender.preferences").model_choice()
    engine = addon("ssgan3d_blender.runtime").engine(choice)
    latents = addon("ssgan3d_blender.portraits").recipe(portrait).resolve(engine)
    meshes = addon("core.meshing").extract_meshes(engine, latents, resolution=RESOLUTION)
    assert len(meshes) > 2
    return meshes


def test_part_objects_are_cores_meshes_in_blenders_axes(
    bpy: Any, addon: Addon, portrait: Any, expected: Any
) -> None:
    assert bpy.ops.ssgan3d.extract_meshes(resolution=RESOLUTION) == {"FINISHED"}
    made = {item["ssgan3d_part"]: item for item in portrait.children}
    assert set(made) == set(expected)
    labels = {part.name: part.label for part in addon("core.parts").PARTS}
    for name, mesh in expected.items():
        item = made[name]
        assert item.name == f"Portrait {labels[name]}"
        assert [c.name for c in item.users_collection] == ["Portrait Parts"]
        x, y, z = np.asarray(mesh.vertices).T * 0.155
        np.testing.assert_allclose(vertices_of(item), np.stack([x, -z, y], 1), atol=1e-6)
        assert len(item.data.polygons) == len(mesh.faces)


def test_colours_show_through_the_material(bpy: Any, portrait: Any, expected: Any) -> None:
    bpy.ops.ssgan3d.extract_meshes(resolution=RESOLUTION)
    for item in portrait.children:
        mesh = item.data
        attribute = mesh.color_attributes.active_color
        colors = np.empty(4 * len(mesh.vertices), np.float32)
        attribute.data.foreach_get("color_srgb", colors)
        wanted = expected[item["ssgan3d_part"]].visual.vertex_colors
        np.testing.assert_allclose(colors.reshape(-1, 4) * 255, wanted, atol=0.6)
        (material,) = mesh.materials
        (link,) = [link for link in material.node_tree.links if link.to_socket.name == "Base Color"]
        assert link.from_node.layer_name == attribute.name


def test_extracting_again_replaces_the_parts(bpy: Any, portrait: Any) -> None:
    bpy.ops.ssgan3d.extract_meshes(resolution=RESOLUTION)
    names = {item.name for item in portrait.children}
    meshes = len(bpy.data.meshes)
    bpy.ops.ssgan3d.extract_meshes(resolution=16)
    assert {item.name for item in portrait.children} == names
    assert len(bpy.data.meshes) == meshes
    assert len([m for m in bpy.data.materials if m.name.startswith("Portrait")]) == 1


def test_only_chosen_parts_and_face_limit(bpy: Any, portrait: Any, expected: Any) -> None:
    name = max(expected, key=lambda key: len(expected[key].faces))
    limit = len(expected[name].faces) // 2
    bpy.ops.ssgan3d.extract_meshes(resolution=RESOLUTION, parts={name}, max_faces=limit)
    (item,) = portrait.children
    assert item["ssgan3d_part"] == name
    assert len(item.data.polygons) == len(expected[name].faces)
    shown = item.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    assert 0.8 * limit < len(shown.polygons) <= limit


def test_failures_leave_the_old_parts(
    bpy: Any, addon: Addon, portrait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpy.ops.ssgan3d.extract_meshes(resolution=16)
    before = {item.name: len(item.data.vertices) for item in portrait.children}
    with pytest.raises(RuntimeError, match="No part is chosen"):
        bpy.ops.ssgan3d.extract_meshes(parts=set())
    portrait.ssgan3d.truncation = math.nan
    with pytest.raises(RuntimeError, match="is nan"):
        bpy.ops.ssgan3d.extract_meshes()
    portrait.ssgan3d.truncation = 0.5
    portrait.ssgan3d.parts["hat"].visibility = "HIDE"
    with pytest.raises(RuntimeError, match="None of these parts is there"):
        bpy.ops.ssgan3d.extract_meshes(parts={"hat"}, resolution=16)
    error = addon("core.errors").PortraitError

    def lacking(*_args: Any) -> None:
        raise error("Meshes need PyMCubes")

    monkeypatch.setattr(addon("core.meshing"), "marching_cubes", lacking)
    with pytest.raises(RuntimeError, match="Meshes need PyMCubes"):
        bpy.ops.ssgan3d.extract_meshes(resolution=20)
    assert {item.name: len(item.data.vertices) for item in portrait.children} == before
