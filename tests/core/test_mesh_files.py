"""Textures in mesh files, and what stands beside them."""

import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import PortraitError
from core.mesh_files import check_format, export_meshes, texture_lost
from core.meshing import extract_meshes
from core.texturing import project_texture

trimesh = pytest.importorskip("trimesh")


@pytest.fixture
def meshes(head_engine):
    head = head_engine.sample(0).with_visible(["background", "skin", "hair"])
    return extract_meshes(head_engine, head, resolution=48)


@pytest.fixture
def texture(head_engine, meshes):
    return project_texture(head_engine, head_engine.sample(0), meshes)


def colours_at_faces(mesh, picture):
    """What the picture shows in the middle of each face, (F, 3)."""
    middle = mesh.visual.uv[mesh.faces].mean(1) * picture.size
    pixels = np.asarray(picture.convert("RGB"))
    return pixels[picture.height - 1 - middle[:, 1].astype(int), middle[:, 0].astype(int)]


def difference(shown, meshes):
    """Median difference from the vertex colours, in steps of 255."""
    wanted = np.concatenate(
        [mesh.visual.vertex_colors[mesh.faces, :3].mean(1) for mesh in meshes.values()]
    )
    return np.median(np.abs(shown - wanted))


def test_a_glb_shows_its_texture(meshes, texture, tmp_path):
    path = tmp_path / "head.glb"
    assert export_meshes(meshes, path, texture=texture) == [path]
    assert [file.name for file in tmp_path.iterdir()] == ["head.glb"]
    loaded = trimesh.load(path, process=False).geometry
    assert set(loaded) == set(meshes)
    for name, mesh in loaded.items():
        material = mesh.visual.material
        assert material.metallicFactor == 0  # glTF takes what says nothing for metal
        np.testing.assert_array_equal(
            np.asarray(material.baseColorTexture.convert("RGBA")), texture.picture
        )
        assert (
            difference(colours_at_faces(mesh, material.baseColorTexture), {name: meshes[name]}) < 8
        )
        triangles = meshes[name].triangles * 0.155
        np.testing.assert_allclose(mesh.triangles, triangles, atol=1e-6)
        # No edge where two pictures meet: a point has one normal, however many vertices it is.
        corners = meshes[name].vertex_normals[meshes[name].faces]
        np.testing.assert_allclose(mesh.vertex_normals[mesh.faces], corners, atol=1e-4)


def test_an_obj_has_its_material_and_its_picture_beside_it(meshes, texture, tmp_path):
    path = tmp_path / "Ann B.obj"
    (tmp_path / "Ann_B.png").write_text("a rendering of the same portrait")
    written = export_meshes(meshes, path, texture=texture)
    assert [file.name for file in written] == ["Ann B.obj", "Ann_B_texture.png", "Ann_B.mtl"]
    assert sorted(tmp_path.iterdir()) == sorted([*written, tmp_path / "Ann_B.png"])
    assert (tmp_path / "Ann_B.png").read_text() == "a rendering of the same portrait"
    lines = (tmp_path / "Ann_B.mtl").read_text().splitlines()
    assert "map_Kd Ann_B_texture.png" in lines
    assert any(line.startswith("Kd 1.0") for line in lines)  # it would darken the picture
    loaded = trimesh.load(path, process=False, force="mesh")
    assert difference(colours_at_faces(loaded, loaded.visual.material.image), meshes) < 8
    triangles = np.concatenate([mesh.triangles for mesh in meshes.values()]) * 0.155
    np.testing.assert_allclose(loaded.triangles, triangles, atol=1e-6)


@pytest.mark.parametrize("suffix", [".ply", ".stl"])
def test_a_format_without_textures_keeps_what_it_can(meshes, texture, tmp_path, suffix):
    plain, textured = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    export_meshes(meshes, plain)
    assert export_meshes(meshes, textured, texture=texture) == [textured]
    assert textured.read_bytes() == plain.read_bytes()
    kept = "vertex colours" if suffix == ".ply" else "no colours"
    assert kept in texture_lost(textured)
    assert texture_lost(tmp_path / "a.OBJ") is texture_lost(tmp_path / "a.glb") is None


def test_a_disk_that_fills_up_leaves_all_files_of_an_obj(meshes, texture, tmp_path, monkeypatch):
    path = tmp_path / "a.obj"
    kept = {path: "mesh", tmp_path / "a.mtl": "material", tmp_path / "a_texture.png": "picture"}
    for file, text in kept.items():
        file.write_text(text)
    write = Path.write_bytes

    def full(self, data):
        if self.suffix == ".mtl":  # the last one
            raise OSError(28, "No space left on device", str(self))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        export_meshes(meshes, path, texture=texture)
    assert {file: file.read_text() for file in tmp_path.iterdir()} == kept


def test_a_texture_without_pillow_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(PortraitError, match="pip install pillow"):
        check_format(tmp_path / "a.glb", textured=True)
    check_format(tmp_path / "a.glb")
    check_format(tmp_path / "a.ply", textured=True)
