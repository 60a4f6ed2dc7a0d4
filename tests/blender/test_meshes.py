"""Part meshes as Blender objects."""

import itertools
import math
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import trimesh

from tests.blender.helpers import Addon, tick_until_done

RESOLUTION = 32


def activate(bpy: Any, item: Any) -> None:
    bpy.ops.object.select_all(action="DESELECT")
    item.select_set(True)
    bpy.context.view_layer.objects.active = item


def as_in_a_window(addon: Addon, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have jobs end later, as with a window; returns what they will tell."""
    said: list[str] = []
    jobs = addon("ssgan3d_blender.jobs")
    monkeypatch.setattr(jobs, "_in_background", lambda: False)
    monkeypatch.setattr(jobs, "tell", lambda _level, message: said.append(message))
    return said


def texture(bpy: Any, portrait: Any) -> Any:
    """Extract textured meshes; the node that gives them their colours."""
    activate(bpy, portrait)
    assert bpy.ops.ssgan3d.extract_meshes(resolution=16, colours="TEXTURE") == {"FINISHED"}
    return texture_node(portrait)


def texture_node(portrait: Any) -> Any:
    (material,) = {item.active_material for item in portrait.children}
    (node,) = [node for node in material.node_tree.nodes if node.type == "TEX_IMAGE"]
    return node


def colours(node: Any) -> np.ndarray:
    return np.array(node.image.pixels[:])


def shown_image(item: Any) -> Any:
    """The image that an object has for its base colour."""
    (material,) = item.data.materials
    (link,) = [link for link in material.node_tree.links if link.to_socket.name == "Base Color"]
    return link.from_node.image


def colour_errors(item: Any, sources: list[Any]) -> np.ndarray:
    """How far the image at each face is from core's vertex colours there, (F, 3)."""
    image = shown_image(item)
    width, height = image.size
    pixels = np.array(image.pixels[:]).reshape(height, width, 4)[..., :3]
    uv = np.empty(6 * len(item.data.polygons), np.float32)
    item.data.uv_layers.active.uv.foreach_get("vector", uv)
    assert uv.min() >= 0 and uv.max() <= 1
    middle = uv.reshape(-1, 3, 2).mean(1) * (width, height)
    seen = pixels[middle[:, 1].astype(int), middle[:, 0].astype(int)]
    wanted = [mesh.visual.vertex_colors[mesh.faces, :3].mean(1) / 255 for mesh in sources]
    return np.abs(seen - np.concatenate(wanted))


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

    monkeypatch.setattr(addon("core.surfaces"), "marching_cubes", lacking)
    with pytest.raises(RuntimeError, match="Meshes need PyMCubes"):
        bpy.ops.ssgan3d.extract_meshes(resolution=20)
    assert {item.name: len(item.data.vertices) for item in portrait.children} == before


def test_joined_parts_are_one_object_with_a_group_for_each(
    bpy: Any, addon: Addon, portrait: Any, expected: Any
) -> None:
    bpy.ops.ssgan3d.extract_meshes(resolution=RESOLUTION)
    bpy.ops.ssgan3d.extract_meshes(resolution=RESOLUTION, layout_kind="JOINED")
    (item,) = portrait.children
    assert len(item.data.polygons) == sum(len(mesh.faces) for mesh in expected.values())
    labels = {part.name: part.label for part in addon("core.parts").PARTS}
    assert [group.name for group in item.vertex_groups] == [labels[name] for name in expected]
    counts = np.bincount([vertex.groups[0].group for vertex in item.data.vertices])
    assert counts.tolist() == [len(mesh.vertices) for mesh in expected.values()]
    bpy.ops.ssgan3d.extract_meshes(resolution=RESOLUTION)
    assert len(portrait.children) == len(expected)


def test_texture_shows_the_portraits_colours(bpy: Any, portrait: Any, expected: Any) -> None:
    bpy.ops.ssgan3d.extract_meshes(resolution=RESOLUTION, colours="TEXTURE")
    bpy.ops.ssgan3d.extract_meshes(resolution=RESOLUTION, colours="TEXTURE")
    images = [image for image in bpy.data.images if "Texture" in image.name]
    assert [image.name for image in images] == ["Portrait Texture"] and images[0].packed_file
    assert {shown_image(item) for item in portrait.children} == {images[0]}
    errors = [colour_errors(item, [expected[item["ssgan3d_part"]]]) for item in portrait.children]
    assert np.median(np.concatenate(errors)) < 0.03


def test_textures_stay_the_portraits_when_it_is_renamed(bpy: Any, portrait: Any) -> None:
    portrait.name = "Ann"
    bob = texture(bpy, portrait)
    before = colours(bob)
    portrait.name = "Bob"
    bpy.ops.ssgan3d.add_portrait(seed=9)
    bpy.context.object.name = "Ann"
    ann = texture(bpy, bpy.context.object)
    assert ann.id_data != bob.id_data and ann.image != bob.image
    np.testing.assert_array_equal(colours(bob), before)
    portrait.ssgan3d.seed = 5
    assert texture(bpy, portrait) == bob and bob.image.name == "Bob Texture"
    assert not np.array_equal(colours(bob), before)
    assert len(bpy.data.images) == 2


def test_textures_of_a_duplicate_are_its_own(bpy: Any, portrait: Any) -> None:
    mine = texture(bpy, portrait)
    before = colours(mine)
    activate(bpy, portrait)
    bpy.ops.object.duplicate()
    copy = bpy.context.object
    copy.ssgan3d.seed = 9
    theirs = texture(bpy, copy)
    assert theirs.id_data != mine.id_data and theirs.image != mine.image
    np.testing.assert_array_equal(colours(mine), before)


@pytest.mark.parametrize("related", [False, True])
def test_textures_of_an_appended_portrait_are_its_own(
    bpy: Any, portrait: Any, tmp_path: Path, related: bool
) -> None:
    """Related: both come from the same portrait, in two versions of a file."""
    theirs = colours(texture(bpy, portrait))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "theirs.blend"))
    if related:
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    else:
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        bpy.ops.ssgan3d.add_portrait(seed=9)
    mine = bpy.data.objects["Portrait"]
    texture(bpy, mine)
    with bpy.data.libraries.load(str(tmp_path / "theirs.blend")) as (there, wanted):
        wanted.objects = [name for name in there.objects if name != "Portrait Camera"]
    for item in wanted.objects:
        bpy.context.scene.collection.objects.link(item)
    appended = next(item for item in wanted.objects if item.ssgan3d.is_portrait)
    assert appended.name == "Portrait.001"
    np.testing.assert_array_equal(colours(texture_node(appended)), theirs)
    mine.ssgan3d.seed = 5
    my_node = texture(bpy, mine)
    my_colours = colours(my_node)
    np.testing.assert_array_equal(colours(texture_node(appended)), theirs)
    appended.ssgan3d.seed = 7
    again = texture(bpy, appended)
    assert again.id_data != my_node.id_data and again.image != my_node.image
    assert not np.array_equal(colours(again), theirs)
    np.testing.assert_array_equal(colours(my_node), my_colours)


def linked_from_a_file_of_this(bpy: Any, folder: Path) -> Any:
    """Save everything, begin an empty file; a block that says what to link from the saved one."""
    library = str(folder / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return bpy.data.libraries.load(library, link=True)


def test_linked_portrait_and_a_namesake_have_textures_of_their_own(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    texture(bpy, portrait)
    with linked_from_a_file_of_this(bpy, tmp_path) as (there, wanted):
        wanted.objects = there.objects
    linked = next(item for item in wanted.objects if item.ssgan3d.is_portrait)
    bpy.context.scene.collection.objects.link(linked)
    bpy.ops.ssgan3d.add_portrait(seed=9)
    mine = texture(bpy, bpy.context.object)
    before = colours(mine)
    assert mine.id_data.library is None and mine.image.library is None
    bpy.context.view_layer.objects.active = linked
    for _ in range(2):
        assert bpy.ops.ssgan3d.extract_meshes(resolution=16, colours="TEXTURE") == {"FINISHED"}
    np.testing.assert_array_equal(colours(mine), before)
    assert len([image for image in bpy.data.images if image.library is None]) == 2


def extract(bpy: Any, portrait: Any) -> Any:
    """Extract meshes with vertex colours; the collection that they are in."""
    activate(bpy, portrait)
    assert bpy.ops.ssgan3d.extract_meshes(resolution=16) == {"FINISHED"}
    (collection,) = {item.users_collection for item in portrait.children}
    assert len(collection) == 1
    assert {item.parent for item in collection[0].objects} == {portrait}
    return collection[0]


def test_meshes_stay_in_the_portraits_collection_when_it_is_renamed(
    bpy: Any, portrait: Any
) -> None:
    portrait.name = "Ann"
    bobs = extract(bpy, portrait)
    assert bobs.name == "Ann Parts"
    portrait.name = "Bob"
    bpy.ops.ssgan3d.add_portrait(seed=9)
    ann = bpy.context.object
    ann.name = "Ann"
    anns = extract(bpy, ann)
    assert anns != bobs
    assert extract(bpy, portrait) == bobs and bobs.name == "Bob Parts"
    assert extract(bpy, ann) == anns and anns.name == "Ann Parts"
    assert len(bpy.data.collections) == 2


def test_a_collection_that_was_moved_and_named_otherwise_is_still_the_portraits(
    bpy: Any, portrait: Any
) -> None:
    mine = extract(bpy, portrait)
    root = bpy.context.scene.collection
    shelf = bpy.data.collections.new("Portrait Parts Shelf")
    root.children.link(shelf)
    root.children.unlink(mine)
    shelf.children.link(mine)
    mine.name = "Heads"
    portrait.name = "Ann"
    assert extract(bpy, portrait) == mine and mine.name == "Heads"


def test_meshes_of_a_duplicate_have_a_collection_of_their_own(bpy: Any, portrait: Any) -> None:
    mine = extract(bpy, portrait)
    activate(bpy, portrait)
    bpy.ops.object.duplicate()
    copy = bpy.context.object
    portrait.name, copy.name = "Zoe", "Portrait"  # the copy takes the name that mine notes
    theirs = extract(bpy, copy)
    assert theirs != mine and {item.parent for item in mine.objects} == {portrait}
    assert extract(bpy, portrait) == mine
    assert (mine.name, theirs.name) == ("Zoe Parts", "Portrait Parts.001")


def test_linked_portrait_and_a_namesake_have_collections_of_their_own(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    extract(bpy, portrait)
    with linked_from_a_file_of_this(bpy, tmp_path) as (_, wanted):
        wanted.collections = ["Portrait Parts"]
        wanted.objects = ["Portrait"]
    linked = wanted.objects[0]
    bpy.context.scene.collection.objects.link(linked)
    bpy.context.scene.collection.children.link(wanted.collections[0])
    bpy.ops.ssgan3d.add_portrait(seed=9)
    mine = bpy.context.object
    assert mine.name == linked.name == "Portrait"
    own = extract(bpy, mine)
    assert own.library is None
    bpy.context.view_layer.objects.active = linked
    assert bpy.ops.ssgan3d.extract_meshes(resolution=16) == {"FINISHED"}
    assert {item.parent for item in own.objects} == {mine}


def test_meshes_of_parts_that_were_hidden_since_go(bpy: Any, portrait: Any, expected: Any) -> None:
    bpy.ops.ssgan3d.extract_meshes(resolution=16)
    hidden = portrait.children[0]["ssgan3d_part"]
    portrait.ssgan3d.parts[hidden].visibility = "HIDE"
    bpy.ops.ssgan3d.extract_meshes(resolution=16)
    assert hidden not in {item["ssgan3d_part"] for item in portrait.children}


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply", ".stl"])
def test_export_writes_a_file_and_says_how_many_triangles(
    bpy: Any,
    portrait: Any,
    expected: Any,
    tmp_path: Path,
    suffix: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    name = max(expected, key=lambda key: len(expected[key].faces))
    path = tmp_path / f"head{suffix}"
    done = bpy.ops.ssgan3d.export_meshes(
        filepath=str(path), resolution=RESOLUTION, parts={name}, file_format=suffix
    )
    assert done == {"FINISHED"} and not portrait.children
    count = len(expected[name].faces)
    assert f"{path}: {count:,} triangles" in capfd.readouterr().out
    written = trimesh.load(path, force="mesh")
    assert len(written.faces) == count
    np.testing.assert_allclose(written.extents, expected[name].extents * 0.155, atol=1e-4)


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_blender_reads_an_exported_texture_back(
    bpy: Any, portrait: Any, expected: Any, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"Ann A{suffix}"
    done = bpy.ops.ssgan3d.export_meshes(
        filepath=str(path), resolution=RESOLUTION, colours="TEXTURE"
    )
    assert done == {"FINISHED"} and not portrait.children and not bpy.data.images
    before = set(bpy.data.objects)
    read = bpy.ops.import_scene.gltf if suffix == ".glb" else bpy.ops.wm.obj_import
    assert read(filepath=str(path)) == {"FINISHED"}
    items = [item for item in bpy.data.objects if item not in before and item.type == "MESH"]
    parts = {item.name: [expected[item.name]] for item in items} if suffix == ".glb" else {}
    assert suffix == ".obj" or set(parts) == set(expected)
    assert suffix == ".glb" or len(items) == 1
    errors = [colour_errors(item, parts.get(item.name, list(expected.values()))) for item in items]
    assert np.median(np.concatenate(errors)) < 0.03
    (image,) = {shown_image(item) for item in items}
    assert image.colorspace_settings.name == "sRGB"
    (surface,) = {
        node
        for item in items
        for node in item.active_material.node_tree.nodes
        if node.type == "BSDF_PRINCIPLED"
    }
    assert surface.inputs["Metallic"].default_value == 0
    assert surface.inputs["Roughness"].default_value == pytest.approx(0.7, abs=1e-3)


@pytest.mark.parametrize("suffix", [".ply", ".stl"])
def test_export_says_where_a_texture_cannot_be(
    bpy: Any, portrait: Any, tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"head{suffix}"
    options = {"resolution": 16, "file_format": suffix, "colours": "TEXTURE"}
    assert bpy.ops.ssgan3d.export_meshes(filepath=str(path), **options) == {"FINISHED"}
    kept = "vertex colours" if suffix == ".ply" else "no colours"
    assert f"hold no texture: this one has {kept}." in capfd.readouterr().out
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("suffix", "said"),
    [
        (".glb", []),
        (".obj", []),
        (".ply", ["PLY files hold vertex colours, no texture"]),
        (".stl", ["STL files hold no colours"]),
    ],
)
def test_the_file_browser_says_which_formats_hold_a_texture(
    bpy: Any, addon: Addon, suffix: str, said: list[str]
) -> None:
    labels: list[str] = []
    choice = SimpleNamespace(prop=lambda _owner, _name: None)
    column = SimpleNamespace(
        row=lambda: choice, label=lambda text, **_looks: labels.append(text), prop=choice.prop
    )
    browser = SimpleNamespace(
        layout=column, file_format=suffix, _draw_options=lambda _context: column
    )
    addon("ssgan3d_blender.mesh_operators").SSGAN3D_OT_export_meshes.draw(browser, bpy.context)
    assert labels == said and choice.enabled == (not said)


def test_export_names_the_file_by_its_format_and_reports_a_folder_that_is_none(
    bpy: Any, portrait: Any, expected: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(RuntimeError, match="file"):
        bpy.ops.ssgan3d.export_meshes(filepath=str(tmp_path / "file" / "a.glb"), resolution=16)
    bpy.ops.ssgan3d.export_meshes(
        filepath=str(tmp_path / "v1.2"), resolution=16, file_format=".ply"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "v1.2.ply"]


def test_a_portrait_that_was_deleted_while_its_meshes_were_made_is_reported(
    bpy: Any, addon: Addon, portrait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = as_in_a_window(addon, monkeypatch)
    other = portrait.copy()
    bpy.context.collection.objects.link(other)
    assert bpy.ops.ssgan3d.extract_meshes(resolution=16) == {"FINISHED"}
    bpy.context.view_layer.objects.active = other
    assert bpy.ops.ssgan3d.extract_meshes(resolution=16) == {"FINISHED"}
    bpy.data.objects.remove(portrait)
    tick_until_done(addon("ssgan3d_blender.jobs"))
    assert len(said) == 1 and "deleted" in said[0]
    assert other.children and all(item.data.polygons for item in other.children)


def test_a_portrait_that_its_card_holds_gets_no_meshes_after_it_was_deleted(
    bpy: Any, addon: Addon, portrait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpy.ops.ssgan3d.add_card(resolution=16)
    activate(bpy, portrait)
    said = as_in_a_window(addon, monkeypatch)
    assert bpy.ops.ssgan3d.extract_meshes(resolution=16) == {"FINISHED"}
    bpy.ops.object.delete()
    assert bpy.data.objects.get("Portrait") is not None  # or nothing is tested here
    tick_until_done(addon("ssgan3d_blender.jobs"))
    assert len(said) == 1 and "deleted" in said[0]
    assert {item.name for item in bpy.data.objects} == {
        "Portrait",
        "Portrait Camera",
        "Portrait Card",
    }


def test_meshes_go_to_the_scene_they_were_asked_for_in(
    bpy: Any, addon: Addon, portrait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_in = bpy.context.scene
    as_in_a_window(addon, monkeypatch)
    assert bpy.ops.ssgan3d.extract_meshes(resolution=16) == {"FINISHED"}
    asked_in.name = "Renamed"
    bpy.context.window.scene = bpy.data.scenes.new("Other")
    tick_until_done(addon("ssgan3d_blender.jobs"))
    assert portrait.children
    assert all(item.users_scene == (asked_in,) for item in portrait.children)


def test_meshes_of_a_scene_that_is_gone_are_reported(
    bpy: Any, addon: Addon, portrait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpy.ops.ssgan3d.extract_meshes(resolution=16)
    kept = {item.name for item in portrait.children}
    said = as_in_a_window(addon, monkeypatch)
    assert bpy.ops.ssgan3d.extract_meshes(resolution=16) == {"FINISHED"}
    asked_in, other = bpy.context.scene, bpy.data.scenes.new("Other")
    other.collection.objects.link(portrait)
    bpy.context.window.scene = other
    bpy.data.scenes.remove(asked_in)
    tick_until_done(addon("ssgan3d_blender.jobs"))
    assert len(said) == 1 and "The scene was deleted in the meantime" in said[0]
    assert {item.name for item in portrait.children} == kept


def test_parts_arrive_one_a_tick(
    bpy: Any, addon: Addon, portrait: Any, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = addon("ssgan3d_blender.jobs")
    monkeypatch.setattr(jobs, "_in_background", lambda: False)
    bpy.ops.ssgan3d.extract_meshes(resolution=RESOLUTION)
    (job,) = jobs.running()
    job.join()
    counts = [0]
    while jobs.running():
        jobs._poll()
        counts.append(len(portrait.children))
    assert max(b - a for a, b in itertools.pairwise(counts)) == 1
    assert counts[-1] == len(expected)


@pytest.mark.parametrize("resolution", [16, 64])
def test_triangles_are_foretold_however_few(
    bpy: Any, addon: Addon, portrait: Any, resolution: int
) -> None:
    options = addon("ssgan3d_blender.mesh_operators").MeshOptions
    parts = {"eyes", "mouth"}
    asked = SimpleNamespace(resolution=resolution, parts=parts, max_faces=0)
    asked._expected = lambda counts: options._expected(asked, counts)
    options._count(asked, bpy.context)
    text = options._outlook(asked, bpy.context)
    bpy.ops.ssgan3d.extract_meshes(resolution=resolution, parts=parts)
    triangles = sum(len(item.data.polygons) for item in portrait.children)
    foretold = int("".join(filter(str.isdigit, text)))
    assert 0.4 * triangles < foretold < 2.5 * triangles, (text, triangles)


def test_dialog_does_not_wait_for_a_count_that_failed(
    bpy: Any, addon: Addon, portrait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = addon("ssgan3d_blender.mesh_operators").MeshOptions
    jobs = addon("ssgan3d_blender.jobs")
    monkeypatch.setattr(jobs, "_in_background", lambda: False)
    asked = SimpleNamespace(resolution=64, parts={"eyes"}, max_faces=0)
    asked._expected = lambda counts: options._expected(asked, counts)
    portrait.ssgan3d.seed += 1  # not counted yet
    monkeypatch.setattr(addon("ssgan3d_blender.runtime"), "engine", lambda _choice: 1 / 0)
    options._count(asked, bpy.context)
    jobs.running()[0].join()
    while jobs.running():
        jobs._poll()
    assert options._outlook(asked, bpy.context) == "No estimate of triangles"


def test_portrait_that_is_deselected_while_a_file_is_chosen(
    bpy: Any, addon: Addon, portrait: Any, tmp_path: Path
) -> None:
    """Blender goes on to ``execute`` then, without ``poll``."""
    operators = addon("ssgan3d_blender.mesh_operators")
    files = addon("ssgan3d_blender.portrait_files")
    bpy.context.view_layer.objects.active = None
    assert operators.MeshOptions._outlook(None, bpy.context) == "No portrait is selected"
    for operator, name in (
        (operators.SSGAN3D_OT_export_meshes, "a.glb"),
        (files.SSGAN3D_OT_export_portrait, "a.ssgan3d"),
    ):
        said: list[str] = []
        browser = SimpleNamespace(
            report=lambda _level, text, said=said: said.append(text),
            filepath=str(tmp_path / name),
            parts={"skin"},
            resolution=16,
            smoothing=0,
            max_faces=0,
            colours="VERTEX",
        )
        browser._work = partial(operators.MeshOptions._work, browser)
        assert operator.execute(browser, bpy.context) == {"CANCELLED"}
        assert said == ["No portrait is selected any more: select one and export again."]
    assert not list(tmp_path.iterdir())


def test_undo_while_parts_arrive_does_no_harm(
    bpy: Any, addon: Addon, portrait: Any, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = addon("ssgan3d_blender.jobs")
    monkeypatch.setattr(jobs, "_in_background", lambda: False)
    bpy.ops.ed.undo_push(message="Portrait")
    bpy.ops.ssgan3d.extract_meshes(resolution=RESOLUTION, colours="TEXTURE")
    (job,) = jobs.running()
    job.join()
    for _ in range(3):
        jobs._poll()
    assert len(bpy.data.objects["Portrait"].children) == 2
    bpy.ops.ed.undo_push(message="Something else")
    bpy.ops.ed.undo()
    tick_until_done(jobs)
    made = bpy.data.objects["Portrait"].children
    assert len(made) == len(expected) - 2
    assert all(item.data.materials[0] for item in made)


def test_blenders_own_exporters_take_the_meshes_with_their_colours(
    bpy: Any, portrait: Any, tmp_path: Path
) -> None:
    activate(bpy, portrait)
    bpy.ops.ssgan3d.extract_meshes(resolution=RESOLUTION, colours="TEXTURE", layout_kind="JOINED")
    (item,) = portrait.children
    triangles = len(item.data.polygons)
    size = np.array(item.dimensions)
    bpy.ops.object.select_all(action="DESELECT")
    item.select_set(True)
    for path, write, read in (
        (
            tmp_path / "head.glb",
            partial(bpy.ops.export_scene.gltf, use_selection=True),
            bpy.ops.import_scene.gltf,
        ),
        (
            tmp_path / "head.obj",
            partial(bpy.ops.wm.obj_export, export_selected_objects=True, path_mode="COPY"),
            bpy.ops.wm.obj_import,
        ),
    ):
        write(filepath=str(path))
        known = set(bpy.data.objects)
        read(filepath=str(path))
        (back,) = [new for new in set(bpy.data.objects) - known if new.type == "MESH"]
        assert len(back.data.polygons) == triangles, path.suffix
        np.testing.assert_allclose(sorted(back.dimensions), sorted(size), rtol=1e-3)
        (material,) = back.data.materials
        nodes = [node for node in material.node_tree.nodes if node.type == "TEX_IMAGE"]
        if path.suffix == ".glb":  # Blender's OBJ leaves packed images out
            assert nodes[0].image.size[:] == shown_image(item).size[:]
        activate(bpy, item)


def test_views_that_the_portrait_engine_renders_show_no_meshes(bpy: Any, addon: Addon) -> None:
    room, windows = addon("ssgan3d_blender.meshes"), addon("ssgan3d_blender.areas")

    def seen(engine: str, *shadings: str) -> bool:
        areas = [
            SimpleNamespace(
                type="VIEW_3D",
                spaces=SimpleNamespace(active=SimpleNamespace(shading=SimpleNamespace(type=kind))),
            )
            for kind in shadings
        ]
        window = SimpleNamespace(screen=SimpleNamespace(areas=areas))
        context = SimpleNamespace(window_manager=SimpleNamespace(windows=[window]))
        kept, windows.bpy = windows.bpy, SimpleNamespace(context=context)
        try:
            return bool(room.are_seen(SimpleNamespace(render=SimpleNamespace(engine=engine))))
        finally:
            windows.bpy = kept

    assert not seen("SSGAN3D", "RENDERED")
    assert seen("SSGAN3D", "RENDERED", "SOLID") and seen("SSGAN3D", "MATERIAL")
    assert seen("CYCLES", "RENDERED") and seen("SSGAN3D")
