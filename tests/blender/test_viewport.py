"""The rendered 3D view without a window: what is painted when, and where it is drawn."""

import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import Addon

REGION = (96, 64)


@pytest.fixture
def painter(addon: Addon) -> Iterator[Any]:
    painter = addon("ssgan3d_blender.painter").Painter()
    yield painter
    painter.stop()


@pytest.fixture
def slot(addon: Addon) -> Any:
    return addon("ssgan3d_blender.painter").Slot(lambda: None)


@pytest.fixture
def request_from(bpy: Any, addon: Addon, portrait: Any) -> Callable[..., Any]:
    """Makes the request of a view from ``yaw`` through the scene's camera."""

    def make(yaw: float = 0.0, size: tuple[int, int] = REGION) -> Any:
        camera = bpy.context.scene.camera
        addon("ssgan3d_blender.cameras").orbit(camera, portrait, yaw, 0.0)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        scene_picture = addon("ssgan3d_blender.scene_picture")
        view = addon("ssgan3d_blender.camera_bridge").view_of_camera(camera, depsgraph, size)
        shot = scene_picture.Shot(scene_picture.sitters(depsgraph), view, size, False, "clamp")
        choice = addon("ssgan3d_blender.preferences").model_choice()
        return addon("ssgan3d_blender.painter").Request(shot, choice)

    return make


def wait_until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def is_done(painter: Any) -> bool:
    busy, _ = painter.look()
    return not busy


def finished(addon: Addon, request: Any) -> np.ndarray:
    """The whole picture of a request, made without the painter."""
    runtime, images = addon("ssgan3d_blender.runtime"), addon("ssgan3d_blender.images")
    engine = runtime.engine(request.choice)
    picture = addon("ssgan3d_blender.scene_picture").take(engine, request.shot)
    return images.flat(picture.color)


@pytest.fixture
def drafts_asked(addon: Addon, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each picture that the engine renders is a draft; all of them count as slow."""
    engine_class, drafts = addon("core.engine").PortraitEngine, []
    render = engine_class.render

    def noted(*args: Any, **options: Any) -> Any:
        drafts.append(options["draft"])
        return render(*args, **options)

    monkeypatch.setattr(engine_class, "render", noted)
    monkeypatch.setattr(addon("ssgan3d_blender.painter"), "QUICK", 0.0)
    return drafts


def test_newest_request_wins_and_is_refined(
    addon: Addon, painter: Any, slot: Any, request_from: Any, drafts_asked: list[bool]
) -> None:
    requests = [request_from(yaw) for yaw in (0.0, 0.1, 0.2, 0.3)]
    with addon("ssgan3d_blender.runtime").engine(requests[0].choice).turn():  # holds the painter up
        painter.ask(slot, requests[0])
        wait_until(lambda: slot.turn > 0)
        begun = time.monotonic()
        for request in requests[1:]:
            painter.ask(slot, request)
        assert time.monotonic() - begun < 5  # asking does not wait for a picture
        assert slot.painting is None
    wait_until(lambda: is_done(painter))
    # The first one had been begun as a draft; those in between are never made.
    assert drafts_asked == [True, True, False]
    assert slot.painting.request == requests[3]
    assert (slot.painting.draft, slot.painting.size) == (False, REGION)
    np.testing.assert_array_equal(slot.painting.pixels, finished(addon, requests[3]))


def test_view_is_told_once_about_draft_and_picture(
    painter: Any, slot: Any, request_from: Any, drafts_asked: list[bool]
) -> None:
    painter.ask(slot, request_from())
    seen = []
    while not seen or seen[-1].draft:
        _, fresh = painter.look()
        seen += [one.painting for one in fresh]
    wait_until(lambda: is_done(painter))
    assert not seen[-1].draft
    assert not seen[-1].error
    assert painter.look() == (False, [])
    painter.ask(slot, request_from())  # the same again: nothing to do
    assert painter.look() == (False, [])
    assert drafts_asked == [True, False]


def test_other_lens_and_size_need_no_draft(
    bpy: Any, painter: Any, slot: Any, request_from: Any, drafts_asked: list[bool]
) -> None:
    painter.ask(slot, request_from())
    wait_until(lambda: is_done(painter))
    bpy.context.scene.camera.data.lens *= 1.5
    painter.ask(slot, request_from(size=(60, 30)))
    wait_until(lambda: is_done(painter))
    assert drafts_asked == [True, False, False]
    assert slot.painting.size == (60, 30)


def test_turning_a_view_draws_no_codes_anew(
    addon: Addon, portrait: Any, request_from: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_class, seeds = addon("core.engine").PortraitEngine, []
    sample = engine_class.sample

    def noted(self: Any, seed: int, *rest: Any) -> Any:
        seeds.append(seed)
        return sample(self, seed, *rest)

    monkeypatch.setattr(engine_class, "sample", noted)
    portrait.ssgan3d.seed, portrait.ssgan3d.parts["hair"].shape_seed = 771, 772
    first = finished(addon, request_from(0.0))
    assert set(seeds) == {771, 772}
    seeds.clear()
    turned = finished(addon, request_from(0.2))
    assert not seeds
    assert np.abs(turned - first).max() > 0.01
    portrait.ssgan3d.parts["hair"].shape_seed = 773
    finished(addon, request_from(0.2))
    assert 773 in seeds


def test_two_views_are_served_in_turn(
    addon: Addon, painter: Any, slot: Any, request_from: Any, drafts_asked: list[bool]
) -> None:
    other = addon("ssgan3d_blender.painter").Slot(lambda: None)
    first, second = request_from(0.0), request_from(0.2)
    with addon("ssgan3d_blender.runtime").engine(first.choice).turn():
        painter.ask(slot, first)
        painter.ask(other, second)
    wait_until(lambda: is_done(painter))
    assert drafts_asked == [True, True, False, False]  # both see something before either is sharp
    assert (slot.painting.request, other.painting.request) == (first, second)


def test_what_cannot_be_painted_is_said_and_mended(
    bpy: Any, painter: Any, slot: Any, portrait: Any, request_from: Any
) -> None:
    good = request_from()
    portrait.scale = (1.0, 1.0, 2.0)
    painter.ask(slot, request_from())
    wait_until(lambda: is_done(painter))
    assert "stretched" in slot.painting.error
    assert slot.painting.pixels is None
    painter.ask(slot, good)
    wait_until(lambda: is_done(painter))
    assert slot.painting.error == ""
    assert slot.painting.pixels is not None


def test_views_from_the_trained_range_are_told_from_others(addon: Addon, request_from: Any) -> None:
    side_unknown = addon("ssgan3d_blender.scene_picture").side_unknown
    limit = addon("core.config").ModelConfig.yaw_max
    assert side_unknown(request_from(limit - 0.01).shot) is None
    assert "49° to the side" in side_unknown(request_from(limit + 0.01).shot)
    assert "172° to the side" in side_unknown(request_from(3.0).shot)


class Paper:
    """Stands in for a view's canvas, which needs a window: keeps what it is asked for."""

    error = ""

    def __init__(self) -> None:
        self.request: Any = None

    def ask(self, request: Any) -> None:
        self.request = request

    def draw(self, *_: Any) -> None: ...


@pytest.fixture
def view(bpy: Any, addon: Addon) -> Any:
    """A rendered 3D view of the open window, which looks through the scene's camera.

    ``space`` is Blender's; ``drawn()`` gives the seeds that it draws and what it says.
    """
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    module, space = addon("ssgan3d_blender.render_engine"), area.spaces.active
    bridge = addon("ssgan3d_blender.camera_bridge")

    def drawn() -> tuple[set[int], str]:
        depsgraph, paper = bpy.context.evaluated_depsgraph_get(), Paper()
        seen = bridge.view_of_camera(bpy.context.scene.camera, depsgraph, REGION)
        data = SimpleNamespace(
            view_matrix=seen.matrix.inverted(),
            window_matrix=seen.projection,
            view_perspective="PERSP",
        )
        context = SimpleNamespace(
            region=SimpleNamespace(width=REGION[0], height=REGION[1]),
            region_data=data,
            space_data=space,
            preferences=bpy.context.preferences,
        )
        engine = SimpleNamespace(_people=None, _left_out=0, _canvas=paper)
        choice = addon("ssgan3d_blender.preferences").model_choice()
        said = module.SSGAN3D_RE_engine._view_draw(engine, context, depsgraph, choice)
        people = paper.request.shot.sitters if paper.request is not None else ()
        return {sitter.recipe.seed for sitter in people}, said

    within = {"window": window, "area": area, "region": region}
    return SimpleNamespace(space=space, drawn=drawn, within=within)


@pytest.fixture
def crowd(bpy: Any, portrait: Any) -> Any:
    """Portraits of seeds 1, 2, and 3, which an empty instances from a collection of its own; and a
    cube. Gives (portrait 2, the empty, the cube).
    """
    scene, made = bpy.context.scene, []
    bpy.ops.ssgan3d.add_portrait(seed=3)
    shown = bpy.data.collections.new("Shown")
    shown.objects.link(bpy.context.object)
    scene.collection.objects.unlink(bpy.context.object)
    bpy.ops.ssgan3d.add_portrait(seed=2)
    made.append(bpy.context.object)
    made.append(bpy.data.objects.new("Instance", None))
    made[1].instance_type, made[1].instance_collection = "COLLECTION", shown
    made.append(bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube")))
    for new in made[1:]:
        scene.collection.objects.link(new)
    return made


def select_only(bpy: Any, chosen: Any) -> None:
    for other in bpy.context.view_layer.objects:
        other.select_set(other == chosen)
    bpy.context.view_layer.objects.active = chosen
    bpy.context.view_layer.update()


def test_local_view_draws_what_is_in_it(bpy: Any, view: Any, crowd: Any) -> None:
    left_out = "draws portraits only: 1 other object is left out"
    assert view.drawn() == ({1, 2, 3}, left_out)
    two, instance, cube = crowd
    for chosen, expected in (
        (two, ({2}, "")),
        (instance, ({3}, "")),
        (cube, (set(), "no portrait is to be seen here (Add > Portrait)")),
    ):
        select_only(bpy, chosen)
        with bpy.context.temp_override(**view.within):
            bpy.ops.view3d.localview(frame_selected=False)
            assert view.drawn() == expected, chosen.name
            bpy.ops.view3d.localview(frame_selected=False)
    assert view.drawn() == ({1, 2, 3}, left_out)


def test_instance_of_a_local_view_may_be_in_the_scene_as_well(
    bpy: Any, view: Any, crowd: Any
) -> None:
    _, instance, _ = crowd
    bpy.context.scene.collection.children.link(instance.instance_collection)
    select_only(bpy, instance)
    with bpy.context.temp_override(**view.within):
        bpy.ops.view3d.localview(frame_selected=False)
        assert view.drawn()[0] == {3}
        bpy.ops.view3d.localview(frame_selected=False)


def test_types_that_a_view_hides_are_not_drawn(bpy: Any, view: Any, crowd: Any) -> None:
    view.space.show_object_viewport_empty = False
    assert view.drawn()[0] == {1, 2, 3}  # what an empty instances is no empty
    view.space.show_object_viewport_mesh = False
    assert view.drawn() == (set(), "no portrait is to be seen here (Add > Portrait)")
    view.space.show_object_viewport_mesh = True
    surface = bpy.data.objects.new("Surface", bpy.data.curves.new("Surface", "SURFACE"))
    bpy.context.scene.collection.objects.link(surface)
    assert "2 others" in view.drawn()[1]  # the mesh that Blender makes of it is not a third
    view.space.show_object_viewport_surf = False
    assert "1 other object" in view.drawn()[1]


def test_every_type_has_a_switch_in_a_view(bpy: Any, addon: Addon, view: Any) -> None:
    shows_type = addon("ssgan3d_blender.scene_picture")._shows_type
    for kind in bpy.types.Object.bl_rna.properties["type"].enum_items.keys():
        assert shows_type(view.space, kind), kind


def test_local_collections_of_a_view(bpy: Any, view: Any, crowd: Any) -> None:
    two, _, cube = crowd
    for name, member in (("Two", two), ("Things", cube)):
        collection = bpy.data.collections.new(name)
        bpy.context.scene.collection.children.link(collection)
        collection.objects.link(member)
        bpy.context.scene.collection.objects.unlink(member)
    view.space.use_local_collections = True
    with bpy.context.temp_override(**view.within):
        for index in (1, 2):
            bpy.ops.object.hide_collection(collection_index=index, toggle=True)
    assert view.drawn() == ({1, 3}, "")
    view.space.use_local_collections = False
    assert view.drawn()[0] == {1, 2, 3}


def test_view_says_from_which_angle_it_shows_the_nearest(
    bpy: Any, addon: Addon, view: Any, portrait: Any
) -> None:
    assert view.drawn() == ({1}, "")
    addon("ssgan3d_blender.cameras").orbit(bpy.context.scene.camera, portrait, 0.0, 0.5)
    said = "The camera stands 29° up or down; the model knows up to 20°."
    assert view.drawn() == ({1}, f"shows the nearest view: {said}")


def test_nothing_wanted_shows_nothing(painter: Any, slot: Any, request_from: Any) -> None:
    request = request_from()
    painter.ask(slot, request)
    painter.ask(slot, None)
    assert is_done(painter)
    assert slot.painting is None
    painter.ask(slot, request)
    wait_until(lambda: is_done(painter))
    assert slot.painting.request == request


def test_closed_view_is_forgotten_and_the_thread_ends(
    addon: Addon, painter: Any, request_from: Any
) -> None:
    slot = addon("ssgan3d_blender.painter").Slot(lambda: None)
    painter.ask(slot, request_from())
    wait_until(lambda: is_done(painter))
    gone = weakref.ref(slot)
    del slot
    wait_until(lambda: gone() is None)
    assert any(thread.name == "viewport" for thread in threading.enumerate())
    painter.stop()
    assert not any(thread.name == "viewport" for thread in threading.enumerate())


def test_draft_is_smaller(addon: Addon) -> None:
    reduced = addon("ssgan3d_blender.painter").reduced
    assert reduced((1920, 1080), 512) == (512, 288)
    assert reduced((300, 200), 512) == (300, 200)
    assert reduced((4000, 1), 512) == (512, 1)


def region_data(camera_view: Any, zoom: float, offset: tuple[float, float]) -> Any:
    """What a 3D view in camera view has, when its camera's frame is zoomed and moved in it.

    The frame has half extents ``zoom`` around ``offset`` in the region's -1 .. 1.
    """
    window = camera_view.projection.copy()
    for axis in (0, 1):
        window[axis] = zoom * window[axis] + offset[axis] * window[3]
    return SimpleNamespace(
        view_matrix=camera_view.matrix.inverted(),
        window_matrix=window,
        view_perspective="CAMERA",
    )


@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_camera_view_with_zoom_offset_and_border(
    bpy: Any, addon: Addon, portrait: Any, kind: str
) -> None:
    bridge, scene = addon("ssgan3d_blender.camera_bridge"), bpy.context.scene
    camera, render = scene.camera, scene.render
    camera.data.type, camera.data.ortho_scale, camera.data.shift_x = kind, 0.5, 0.2
    render.resolution_x, render.resolution_y = 400, 200
    depsgraph = bpy.context.evaluated_depsgraph_get()
    framed = bridge.view_of_camera(camera, depsgraph, (400, 200))
    data = region_data(framed, 0.5, (0.25, -0.25))  # the frame covers half of the region
    space = SimpleNamespace(camera=camera, use_render_border=True)  # the 3D view's does not count
    render.use_border = False
    assert bridge.border_of_region(data, space, scene, (400, 200)) == (0, 1, 0, 1)
    render.use_border = True
    render.border_min_x, render.border_max_x = 0.0, 0.5
    render.border_min_y, render.border_max_y = 0.25, 1.0
    border = bridge.border_of_region(data, space, scene, (400, 200))
    # the frame lies at 0.375 .. 0.875 across, 0.125 .. 0.625 up
    np.testing.assert_allclose(border, (0.375, 0.625, 0.25, 0.625), atol=1e-6)
    # and what is rendered there is what F12 renders for that border
    seen = bridge.to_core(bridge.view_of_region(data, border), portrait.matrix_world, 0.155)
    f12 = bridge.to_core(framed._replace(border=(0, 0.5, 0.25, 1)), portrait.matrix_world, 0.155)
    np.testing.assert_allclose(seen.window, f12.window, atol=1e-6)
    np.testing.assert_allclose(seen.pose, f12.pose, atol=1e-6)


def test_render_region_of_a_free_view(bpy: Any, addon: Addon) -> None:
    border_of_region = addon("ssgan3d_blender.camera_bridge").border_of_region
    data = SimpleNamespace(view_perspective="PERSP")
    space = SimpleNamespace(
        camera=None,
        use_render_border=True,
        render_border_min_x=0.253,
        render_border_max_x=0.5,
        render_border_min_y=0.0,
        render_border_max_y=1.0,
    )
    bpy.context.scene.render.use_border = True  # the camera's does not count here
    assert border_of_region(data, space, bpy.context.scene, (100, 50)) == (0.25, 0.5, 0.0, 1.0)
    space.render_border_max_x = 0.254  # less than a pixel
    assert border_of_region(data, space, bpy.context.scene, (100, 50)) is None


def test_picture_of_the_same_view_fills_its_border(addon: Addon, request_from: Any) -> None:
    shot = request_from().shot
    shot = shot._replace(view=shot.view._replace(border=(0.25, 0.75, 0.0, 0.5)))
    place = addon("ssgan3d_blender.viewport").place
    corners, in_world = place(shot, shot, (200, 100))
    assert not in_world
    assert corners == [(50, 0, 0), (150, 0, 0), (150, 50, 0), (50, 50, 0)]


@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_old_picture_moves_with_its_portrait(
    bpy: Any, addon: Addon, portrait: Any, request_from: Any, kind: str
) -> None:
    from mathutils import Vector  # comes with bpy

    camera = bpy.context.scene.camera
    camera.data.type, camera.data.ortho_scale = kind, 0.5
    portrait.location = (0.3, 0.2, 0.1)
    old = request_from().shot
    camera.data.shift_x, camera.data.lens, camera.data.ortho_scale = 0.1, 200.0, 0.2
    new = request_from(math.radians(10)).shot
    corners, in_world = addon("ssgan3d_blender.viewport").place(old, new, REGION)
    assert in_world

    def seen(view: Any, point: Any) -> np.ndarray:
        clip = view.projection @ view.matrix.inverted() @ Vector(point).to_4d()
        return np.array(clip.xy / clip.w)

    # the corners are those of the old frame, and the portrait's place is where it was in it
    for corner, expected in zip(corners, ((-1, -1), (1, -1), (1, 1), (-1, 1)), strict=True):
        np.testing.assert_allclose(seen(old.view, corner), expected, atol=1e-4)
    x, y = (seen(old.view, portrait.matrix_world.translation) + 1) / 2
    lower_left, lower_right, _, upper_left = (np.array(corner) for corner in corners)
    shown = lower_left + x * (lower_right - lower_left) + y * (upper_left - lower_left)
    np.testing.assert_allclose(shown, portrait.matrix_world.translation, atol=1e-4)
