import math
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

from core.camera import Camera
from core.errors import PortraitError
from core.lifting import LIFTED, Geometry
from core.mesh_files import export_meshes
from core.meshing import estimate_triangles, extract_meshes
from core.parts import part_index
from core.surfaces import find_surfaces, marching_cubes, part_optics, surface_field

trimesh = pytest.importorskip("trimesh")
PARTS = ("skin", "nose", "mouth", "hair", "clothes")


@pytest.fixture
def head(head_engine):
    return head_engine.sample(0).with_visible(["background", *PARTS])


def silhouette(meshes, camera, height, width):
    """Pixels that any triangle covers, (H, W) bool, drawn at four times the size."""
    picture = Image.new("1", (width * 4, height * 4))
    draw = ImageDraw.Draw(picture)
    for mesh in meshes.values():
        ndc, _ = camera.project(mesh.vertices)
        pixels = (ndc * [0.5, -0.5] + 0.5) * [width * 4, height * 4] - 0.5
        for triangle in pixels[mesh.faces]:
            draw.polygon([tuple(p) for p in triangle], fill=1)
    covered = np.asarray(picture, np.float32).reshape(height, 4, width, 4).mean((1, 3))
    return covered >= 0.5


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("degrees", [-30, 0, 30])
def test_meshes_cover_the_rendered_foreground(head_engine, head, degrees):
    meshes = extract_meshes(head_engine, head, resolution=64)
    camera = Camera.orbit(math.radians(degrees))
    alpha = head_engine.render(head, camera).alpha[0].numpy()
    assert overlap(silhouette(meshes, camera, *alpha.shape), alpha >= 0.5) > 0.95


def test_meshes_stand_at_the_rendered_depth(head_engine, head):
    camera = Camera.orbit(0.0)
    depth = head_engine.render(head, camera).depth[0].numpy()
    skin = extract_meshes(head_engine, head, parts=["skin"], resolution=64)["skin"]
    ndc, planar = camera.project(skin.vertices)
    inside = np.abs(ndc - [0, 0.4]).max(1) < 0.1  # the forehead
    front = inside & (skin.vertex_normals[:, 2] > 0.8)
    column = ((ndc[front, 0] + 1) / 2 * depth.shape[1]).astype(int)
    row = ((1 - ndc[front, 1]) / 2 * depth.shape[0]).astype(int)
    difference = planar[front] - depth[row, column]
    assert np.median(np.abs(difference)) < 0.03


def test_meshes_are_closed_and_turned_outward(head_engine, head):
    meshes = extract_meshes(head_engine, head, resolution=64)
    assert set(meshes) == set(PARTS)
    for name, mesh in meshes.items():
        assert mesh.is_watertight, name
        assert mesh.volume > 0, name
        assert len(mesh.split()) <= 3, name


def test_colours_are_those_of_the_pictures(head_engine, head):
    camera = Camera.orbit(0.0)
    image = head_engine.render(head, camera).image[0].numpy()
    clothes = extract_meshes(head_engine, head, resolution=64)["clothes"]
    ndc, _ = camera.project(clothes.vertices)
    seen = (clothes.vertex_normals[:, 2] > 0.9) & (np.abs(ndc) < 0.95).all(1)
    seen &= ndc[:, 1] < -0.7
    assert seen.sum() > 50
    column = ((ndc[seen, 0] + 1) / 2 * image.shape[2]).astype(int)
    row = ((1 - ndc[seen, 1]) / 2 * image.shape[1]).astype(int)
    expected = (image[:, row, column].T + 1) / 2
    colors = np.asarray(clothes.visual.vertex_colors)[seen, :3] / 255
    assert np.median(np.abs(colors - expected)) < 0.05


def test_hidden_and_unwanted_parts_have_no_mesh(head_engine, head):
    bald = head.with_visible(hidden=["hair"])
    assert set(extract_meshes(head_engine, bald, resolution=32)) == set(PARTS) - {"hair"}
    assert set(extract_meshes(head_engine, bald, parts=["hair", "nose"], resolution=32)) == {"nose"}


def test_a_flat_shell_lies_where_its_formula_says(head_engine):
    """σ = 20, α = 140: τ = 20 √(π / 140) = 2.996; τ_0 = ln 2 / 1.5 = 0.4621,
    T = 0.2310 + 0.4621 (1 - 0.4621 / 2.996)² = 0.5615, erfc(√α t) = 2 T / τ = 0.3748,
    so t = 0.6276 / √140 = 0.0530.
    """
    config = head_engine.config
    size = config.geometry_size
    geometry = Geometry(torch.zeros(1, 12, size, size), torch.zeros(1, 12, size, size))
    geometry.depth[:, 0] = 0.2
    geometry.density[:, 0] = 20.0
    z = torch.tensor([0.2 - 0.0540, 0.2 - 0.0520, 0.2, 0.2 + 0.0520, 0.2 + 0.0540])
    points = torch.cat([torch.full((5, 2), 0.1), z[:, None]], 1)  # the shell is flat: anywhere
    field = surface_field(*part_optics(points, geometry, config, 0.0))
    assert (field[0] > 0).tolist() == [False, True, True, True, False]
    assert (field[1:] <= 0).all()


def test_a_part_ends_where_grazing_rays_are_half_absorbed(head_engine):
    """At τ = ln 2 / 1.5, that is σ = ln 2 / 1.5 √(α / π) = 3.085, front and back meet."""
    config = head_engine.config
    size = config.geometry_size
    for density, inside in ((3.0, False), (3.17, True)):
        geometry = Geometry(torch.zeros(1, 12, size, size), torch.zeros(1, 12, size, size))
        geometry.density[:, 3] = density
        field = surface_field(*part_optics(torch.zeros(1, 3), geometry, config, 0.0))
        assert bool(field[3, 0] > 0) == inside


def test_two_half_transparent_parts_close_the_gap(head_engine):
    """Parts with τ = 0.9 τ_0 and 0.4 τ_0: neither is opaque alone, together they are."""
    config = head_engine.config
    size = config.geometry_size
    geometry = Geometry(torch.zeros(1, 12, size, size), torch.zeros(1, 12, size, size))
    geometry.density[:, 2] = 0.9 * 3.085
    geometry.density[:, 5] = 0.4 * 3.085  # less than the overlap leaves it
    field = surface_field(*part_optics(torch.zeros(1, 3), geometry, config, 0.0))
    assert field[2, 0] > 0 > field[5, 0]


def ragged_sheet(config, part, depth):
    """The mesh of a part whose map ends in steps of three texels, as a part's map gives it."""
    size = config.geometry_size
    geometry = Geometry(torch.full((1, 12, size, size), depth), torch.zeros(1, 12, size, size))
    columns, rows = torch.arange(size), torch.arange(size)[:, None]
    row = LIFTED.index(part_index(part))
    ends = size // 2 + 3 * (rows // 3 % 2)
    geometry.density[0, row] = 20.0 * (columns < ends)
    return find_surfaces(geometry, config, [part_index(part)], 128)[part_index(part)]


def rim_spread(vertices):
    """How far the right rim is from straight: standard deviation of its ends along y."""
    middle = vertices[np.abs(vertices[:, 1]) < 0.4]
    bands = np.digitize(middle[:, 1], np.linspace(-0.4, 0.4, 60))
    return np.std([middle[bands == band, 0].max() for band in np.unique(bands)])


def test_a_ragged_rim_is_smooth_behind_the_head_and_as_it_is_in_front(head_engine):
    config = head_engine.config
    for got, wanted in zip(
        ragged_sheet(config, "hair", 0.3), ragged_sheet(config, "skin", 0.3), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)
    calm, ragged = (ragged_sheet(config, part, -0.5)[0] for part in ("hair", "skin"))
    assert rim_spread(calm) < 0.3 * rim_spread(ragged)
    assert calm[:, 2].mean() == pytest.approx(ragged[:, 2].mean(), abs=0.01)


def test_a_hidden_part_has_no_mesh(head_engine, head, tmp_path):
    bald = head.with_visible(hidden=["hair"])
    meshes = extract_meshes(head_engine, bald, parts=["hair"], resolution=32)
    assert meshes == {}
    with pytest.raises(PortraitError, match="no mesh"):
        export_meshes(meshes, tmp_path / "head.glb")


def test_smoothing_and_decimation(head_engine, head):
    plain = extract_meshes(head_engine, head, parts=["hair"], resolution=48)["hair"]
    smooth = extract_meshes(head_engine, head, parts=["hair"], resolution=48, smoothing=5)["hair"]
    assert len(smooth.faces) == len(plain.faces)
    assert abs(smooth.volume / plain.volume - 1) < 0.1
    bend = [np.abs(mesh.face_adjacency_angles).mean() for mesh in (plain, smooth)]
    assert bend[1] < bend[0]
    pytest.importorskip("fast_simplification")
    small = extract_meshes(head_engine, head, parts=["hair"], resolution=48, max_faces=500)["hair"]
    assert 100 < len(small.faces) <= 500
    assert abs(small.volume / plain.volume - 1) < 0.1


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply", ".stl"])
def test_export(head_engine, head, tmp_path, suffix):
    meshes = extract_meshes(head_engine, head, parts=["nose", "mouth"], resolution=32)
    path = tmp_path / f"head{suffix}"
    export_meshes(meshes, path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    loaded = trimesh.load(path)
    if suffix == ".glb":
        assert set(loaded.geometry) == {"nose", "mouth"}
    expected = trimesh.util.concatenate(list(meshes.values())).extents * 0.155  # metres
    assert np.allclose(loaded.extents, expected, atol=1e-4)


def test_bad_arguments(head_engine, head, tmp_path):
    with pytest.raises(PortraitError, match="between 16 and 512; it is 4"):
        extract_meshes(head_engine, head, resolution=4)
    with pytest.raises(PortraitError, match="no part 'beard'"):
        extract_meshes(head_engine, head, parts=["beard"])
    with pytest.raises(PortraitError, match="background has no mesh"):
        extract_meshes(head_engine, head, parts=["background"])
    with pytest.raises(PortraitError, match="no mesh to write"):
        export_meshes({}, tmp_path / "a.glb")
    with pytest.raises(PortraitError, match=r"not as a\.fbx"):
        export_meshes({}, tmp_path / "a.fbx")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mcubes", None)
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(PortraitError, match="pip install PyMCubes"):
        marching_cubes(np.ones((3, 3, 3), np.float32))


def test_nothing_visible_gives_no_mesh(head_engine, head):
    assert extract_meshes(head_engine, head.with_visible(["background"]), resolution=32) == {}


def test_triangles_are_estimated_within_a_tenth(head_engine, head):
    meshes = extract_meshes(head_engine, head, resolution=96)
    estimated = estimate_triangles(head_engine, head, resolution=96)
    assert set(estimated) == set(meshes)
    counted = sum(len(mesh.faces) for mesh in meshes.values())
    assert abs(sum(estimated.values()) / counted - 1) < 0.1


def test_progress_runs_from_start_to_end_and_can_stop_the_work(head_engine, head):
    seen = []
    extract_meshes(head_engine, head, resolution=32, progress=seen.append)
    assert seen == sorted(seen) and 0 <= seen[0] and seen[-1] == 1 and len(seen) > 5

    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_meshes(head_engine, head, resolution=32, progress=stop)


def test_scikit_image_gives_the_same_meshes_as_pymcubes(head_engine, head, monkeypatch):
    pytest.importorskip("skimage")
    pytest.importorskip("mcubes")
    own = extract_meshes(head_engine, head, resolution=48)
    monkeypatch.setitem(sys.modules, "mcubes", None)
    other = extract_meshes(head_engine, head, resolution=48)
    assert set(own) == set(other)
    for name, mesh in own.items():
        assert other[name].is_watertight, name
        assert abs(other[name].volume / mesh.volume - 1) < 0.01, name  # so both turn outward
        distance = cKDTree(mesh.vertices).query(other[name].vertices)[0]
        assert np.median(distance) < 1e-3 and distance.max() < 0.05, name
