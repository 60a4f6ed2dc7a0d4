"""The pictures of a portrait as the texture of its meshes."""

import numpy as np
import pytest

from core.meshing import extract_meshes
from core.texturing import project_texture

pytest.importorskip("trimesh")


@pytest.fixture
def head(head_engine):
    return head_engine.sample(0).with_visible(
        ["background", "skin", "nose", "mouth", "hair", "clothes"]
    )


def shown(texture, uv):
    """The texture's colours at (N, 2) coordinates."""
    height, width = texture.picture.shape[:2]
    column, row = (uv * [width, height]).astype(int).T
    return texture.picture[height - 1 - row, column, :3].astype(int)


def test_faces_show_the_colours_of_their_vertices(head_engine, head):
    meshes = extract_meshes(head_engine, head, resolution=48)
    texture = project_texture(head_engine, head, meshes)
    assert set(texture.uv) == set(meshes)
    for name, mesh in meshes.items():
        uv = texture.uv[name]
        assert uv.shape == (len(mesh.faces), 3, 2) and uv.min() >= 0 and uv.max() <= 1
        expected = mesh.visual.vertex_colors[mesh.faces, :3].mean(1)
        assert np.median(np.abs(shown(texture, uv.mean(1)) - expected)) < 8, name


def test_the_front_picture_is_used_for_what_faces_the_front(head_engine, head):
    skin = extract_meshes(head_engine, head, parts=["skin"], resolution=48)
    uv = project_texture(head_engine, head, skin).uv["skin"].mean(1)
    mesh = skin["skin"]
    front = (mesh.face_normals[:, 2] > 0.95) & (mesh.triangles_center[:, 1] > 0.3)
    in_front_picture = (uv[:, 0] < 0.5) & (uv[:, 1] > 0.5)  # the top left one
    assert front.sum() > 50 and in_front_picture[front].mean() > 0.95


def test_what_no_picture_shows_gets_one_plain_colour(head_engine, head):
    hair = extract_meshes(head_engine, head, parts=["hair"], resolution=48)
    texture = project_texture(head_engine, head, hair)
    away = hair["hair"].face_normals[:, 2] < -0.5
    corners = texture.uv["hair"][away]
    assert away.sum() > 50 and (np.ptp(corners, axis=1) == 0).all()
