"""Lines and picture of a portrait stay together whatever Blender applies."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import render_png


@pytest.fixture
def turned(bpy: Any, portrait: Any) -> Any:
    """A portrait off the origin, turned and enlarged, before a camera that sees it aslant."""
    portrait.location, portrait.rotation_euler = (0.1, 0.05, -0.05), (0.1, -0.05, 0.4)
    portrait.scale = (1.2, 1.2, 1.2)
    bpy.context.view_layer.update()
    return portrait


def lines_of(portrait: Any) -> np.ndarray:
    """The points of the lines in the world, (N, 3)."""
    return np.array([portrait.matrix_world @ vertex.co for vertex in portrait.data.vertices])


APPLIED = {
    "rotation": ("transform_apply", {"location": False, "scale": False}),
    "scale": ("transform_apply", {"location": False, "rotation": False}),
    "all": ("transform_apply", {}),
    "origin": ("origin_set", {"type": "ORIGIN_GEOMETRY"}),
}


@pytest.mark.parametrize("what", APPLIED)
def test_applying_moves_neither_lines_nor_picture_nor_what_hangs_on_them(
    bpy: Any, turned: Any, tmp_path: Path, what: str
) -> None:
    hung = bpy.data.objects.new("Hung", None)
    bpy.context.collection.objects.link(hung)
    hung.parent, hung.location = turned, (0.3, 0.0, 0.0)
    bpy.context.view_layer.update()
    before, place = lines_of(turned), hung.matrix_world.copy()
    seen = render_png(bpy, tmp_path / "a.png")
    operator, options = APPLIED[what]
    assert getattr(bpy.ops.object, operator)(**options) == {"FINISHED"}
    np.testing.assert_allclose(lines_of(turned), before, atol=1e-6)
    np.testing.assert_allclose(hung.matrix_world, place, atol=1e-6)
    shown = render_png(bpy, tmp_path / "b.png").astype(float)
    assert np.abs(shown - seen).mean() < 0.1 < seen.std()
    assert turned.rotation_euler.z == pytest.approx(0.4, abs=1e-5)  # Apply gave it back


def test_undo_and_redo_of_apply_keep_lines_and_picture_together(bpy: Any, turned: Any) -> None:
    before = lines_of(turned)
    bpy.ops.ed.undo_push(message="Before")
    bpy.ops.object.transform_apply()
    bpy.ops.ed.undo_push(message="Apply")
    for step in (bpy.ops.ed.undo, bpy.ops.ed.redo):
        step()
        portrait = bpy.data.objects["Portrait"]
        np.testing.assert_allclose(lines_of(portrait), before, atol=1e-6)
        assert portrait.rotation_euler.z == pytest.approx(0.4, abs=1e-5)


def test_lines_turned_in_edit_mode_turn_the_portrait(bpy: Any, portrait: Any) -> None:
    from mathutils import Matrix

    other = portrait.copy()  # has the same lines
    bpy.context.collection.objects.link(other)
    home = lines_of(portrait)
    bpy.ops.object.mode_set(mode="EDIT")
    import bmesh

    edited = bmesh.from_edit_mesh(portrait.data)
    bmesh.ops.transform(edited, matrix=Matrix.Rotation(0.5, 4, "Z"), verts=edited.verts)
    bmesh.update_edit_mesh(portrait.data)
    bpy.context.view_layer.update()
    assert portrait.rotation_euler.z == 0.0
    bpy.ops.object.mode_set(mode="OBJECT")
    for item in (portrait, other):
        assert item.rotation_euler.z == pytest.approx(0.5, abs=1e-5)
        apart = lines_of(item) - home @ np.array(Matrix.Rotation(0.5, 3, "Z")).T
        assert np.abs(apart).max() < 1e-6


def test_lines_of_ones_own_are_left_alone(bpy: Any, portrait: Any) -> None:
    portrait.data.vertices[0].co.x += 0.01
    portrait.data.update()
    bpy.context.view_layer.update()
    assert portrait.data.vertices[0].co.x == pytest.approx(0.01)
    portrait.rotation_euler.z = math.pi / 2
    portrait.data.clear_geometry()
    portrait.data.from_pydata([(0, 0, 0), (1, 0, 0)], [(0, 1)], [])
    bpy.ops.object.transform_apply()
    assert portrait.data.vertices[1].co.y == pytest.approx(1.0)
