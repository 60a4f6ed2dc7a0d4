"""A tour of the add-on in a real Blender window, as a newcomer takes it. Run by run.sh.

Each stop leaves a screenshot OUT/<number>_<name>.png; OUT/report.json holds what was checked, and
the times of the interactions.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import bpy
import numpy as np
from bpy.app.handlers import persistent
from hands import (
    Finding,
    Steps,
    Watch,
    area,
    centre,
    click,
    drag,
    find_button,
    focus,
    in_view,
    leave,
    pixels,
    point,
    press,
    region,
    run,
    screenshot,
    strike,
    tap,
    until,
    wheel,
    window,
    write,
)

OUT = Path(os.environ["OUT"])
MODULE = "bl_ext.user_default.ssgan3d_blender"
TAB = "Portrait"
REPEAT = int(os.environ.get("REPEAT") or 5)  # of each interaction that is timed

ICON = 20  # width of an icon button in a list
# Columns of the sidebar, as shares of its width.
LEFT, MIDDLE, TAKEN, COPY, BACK, EYES, FORWARD = 0.2, 0.6, 0.4, 0.73, 0.76, 0.79, 0.835
SUGGESTIONS_BELOW = 268  # pixels from the buttons Copy and Paste to the header "Suggestions"
HEADER = 26  # height of a closed panel
CARD, CAMERA = 0, 1  # panels, from the sidebar's end

stops: list[dict] = []
timings: dict[str, Watch] = {}
counts = {"complete": 0, "cancel": 0}


def shoot(name: str) -> Steps:
    """Wait for the last redraw, then keep what is on the screen."""
    yield 0.4
    path = OUT / f"{len(stops):02}_{name}.png"
    screenshot(path)
    stops.append({"stop": name, "picture": path.name, "checks": []})
    print(f"tour: {path.name}", flush=True)


def check(what: str, holds: bool) -> None:
    """Note whether something holds; the tour goes on."""
    stops[-1]["checks"].append({"what": what, "holds": bool(holds)})
    print(f"tour:   {'ok' if holds else 'FAILED'}: {what}", flush=True)


def timed(name: str, act: Callable[[], object], done: Callable[[], bool] = lambda: True) -> Steps:
    """Do something under the stopwatch of that name."""
    yield from timings.setdefault(name, Watch()).time(act, lambda: done() and not is_painting())


def is_painting() -> bool:
    """Whether a rendered 3D view waits for its picture, or a job runs."""
    painting = bpy.app.timers.is_registered(addon("viewport")._poll)
    return painting or bool(addon("jobs").running())


def portrait() -> bpy.types.Object:
    """The portrait of the tour."""
    return next(item for item in bpy.data.objects if item.ssgan3d.is_portrait)


def settle() -> Steps:
    """Wait until the 3D view shows the final picture."""
    yield from Watch().time(area().tag_redraw, lambda: not is_painting())


def open_tab() -> Steps:
    """Open the sidebar at the add-on's tab, wide enough to read."""
    area().spaces.active.show_region_ui = True
    yield 0.3
    region("UI").active_panel_category = TAB
    area().tag_redraw()
    yield 0.3


def where(command: str, column: float = 0.45) -> Finding:
    """Where a button of the sidebar is.

    Raises:
        LookupError: it is not there.
    """
    place = yield from find_button(command, region("UI"), column)
    if place is None:
        raise LookupError(f"no button {command!r} is in the sidebar")
    return place


def press_button(command: str, column: float = 0.45) -> Steps:
    """Find a button of the sidebar and click it."""
    place = yield from where(command, column)
    yield from click(*place)


def open_panel(from_end: int) -> Steps:
    """Open one of the closed panels at the sidebar's end; 0 is the last one."""
    sidebar = region("UI")
    yield from wheel(60, sidebar)
    bottom = window().height - sidebar.y
    yield from click(sidebar.x + 80, bottom - 20 - from_end * HEADER)
    yield 0.3
    yield from wheel(60, sidebar)


def in_panel(from_end: int, command: str) -> Steps:
    """Open that panel, unless the button in it can be seen already."""
    yield from wheel(60, region("UI"))
    if (yield from find_button(command, region("UI"), turns=(0,))) is None:
        yield from open_panel(from_end)


def part(name: str) -> bpy.types.PropertyGroup:
    """A part of the portrait."""
    return portrait().ssgan3d.parts[name]


def choose_part(name: str) -> Steps:
    """Make a part the active one, as a click in the list does."""
    portrait().ssgan3d.active_part = portrait().ssgan3d.parts.find(name)
    area().tag_redraw()
    yield 0.3


def dismiss() -> Steps:
    """Close the notice that a job leaves at the mouse."""
    yield 0.5
    yield from press("Escape")
    yield from point(centre(region())[0], 60)
    yield 0.3


def fit_camera() -> Steps:
    """Show all of the camera's picture beside the sidebar."""
    yield from press("Home")
    view = area().spaces.active.region_3d
    view.view_camera_zoom -= 6.0
    view.view_camera_offset = (0.1, 0.0)
    yield 0.3


def plain(picture: bool = True) -> None:
    """Show the portrait without lines over it, or show them again."""
    area().spaces.active.overlay.show_overlays = not picture


# --- the stops -----------------------------------------------------------------------------------


def stop_add() -> Steps:
    """The default scene, without its cube; Add > Portrait; frame it."""
    yield from press("Delete")
    yield 0.3
    yield from press("shift+a")
    yield 0.4
    yield from write("portr")
    yield from shoot("add_menu")
    yield from press("Return", centre(region()))
    yield from until(lambda: any(o.ssgan3d.is_portrait for o in bpy.data.objects), 5)
    yield from open_tab()
    yield from press("KP_Decimal")
    yield from shoot("added")
    check("Add > Portrait makes a portrait and selects it", bpy.context.object == portrait())


def stop_set_up() -> Steps:
    """The panel's own button for engine, colours and camera; then rendered shading."""
    scene = bpy.context.scene
    yield from press_button("ssgan3d.setup_scene")
    check("Set Up Scene chooses the portrait engine", scene.render.engine == "SSGAN3D")
    check("Set Up Scene chooses true colours", scene.view_settings.view_transform == "Standard")
    scene.render.resolution_x = scene.render.resolution_y = 768
    area().spaces.active.shading.type = "RENDERED"
    area().spaces.active.region_3d.view_perspective = "CAMERA"
    yield from timed("First picture, PyTorch and model loaded for it", area().tag_redraw, is_ready)
    yield from fit_camera()
    check("Set Up Scene puts the camera before the face", scene.camera.location.length < 2)
    yield from settle()
    yield from shoot("rendered")


def stop_panels() -> Steps:
    """The sidebar's lower end; the engine's panels in the Properties editor."""
    yield from wheel(60, region("UI"))
    properties = area("PROPERTIES").spaces.active
    for tab in ("RENDER", "VIEW_LAYER"):
        properties.context = tab
        yield 0.5
        yield from wheel(-60, region("WINDOW", of="PROPERTIES"))
        yield from shoot(f"properties_{tab.lower()}")
    properties.context = "OBJECT"


def is_ready() -> bool:
    """Whether the model is loaded."""
    return addon("runtime").is_ready(addon("preferences").model_choice())


def stop_randomise() -> Steps:
    """The button for another person, several times; undo and redo by keys."""
    place = yield from find_button("ssgan3d.randomise", region("UI"), LEFT)
    seeds = [portrait().ssgan3d.seed]
    for _ in range(REPEAT):
        yield from point(*place)
        yield from timed("Randomise, whole portrait (click)", tap)
        seeds.append(portrait().ssgan3d.seed)
    yield from shoot("randomised")
    check("each click on Randomise gives another seed", len(set(seeds)) == len(seeds))
    last, before = seeds[-1], seeds[-2]
    yield from press("ctrl+z")
    yield 0.5
    check("Ctrl+Z brings the person before back", portrait().ssgan3d.seed == before)
    yield from press("ctrl+shift+z")
    yield 0.5
    check("Ctrl+Shift+Z brings the person again", portrait().ssgan3d.seed == last)


def stop_history() -> Steps:
    """Two more people, then back to each and forward again: seeds and picture return."""
    plain()
    looks, pictures = [], []

    def remember() -> Steps:
        yield from point(*centre(area("OUTLINER")))
        yield from settle()
        looks.append(portrait().ssgan3d.recipe)
        pictures.append(pixels(region()))

    yield from remember()
    for _ in range(2):
        yield from press_button("ssgan3d.randomise", LEFT)
        yield from remember()
    yield from shoot("history_newest")
    check("three people look different", len(set(pictures)) == 3)
    for way, column, numbers in (("BACK", BACK, (1, 0)), ("FORWARD", FORWARD, (1, 2))):
        for number in numbers:
            yield from press_button(f"ssgan3d.history(direction='{way}'", column)
            yield from remember()
            check(f"{way.lower()}: the seeds of person {number}", looks[-1] == looks[number])
            check(f"{way.lower()}: the picture, too", pictures[-1] == pictures[number])
        yield from shoot(f"history_{way.lower()}")
    forward = addon("history").can_go(portrait().ssgan3d, "FORWARD")
    check("from the newest look there is no way forward", not forward)


def stop_parts() -> Steps:
    """One part from another seed, then mixed."""
    portrait().ssgan3d.seed = 65
    for item in portrait().ssgan3d.parts:
        item.shape_seed = item.texture_seed = -1
    yield from choose_part("hair")
    hair = part("hair")
    for seed in range(29, 29 - REPEAT, -1):
        yield from timed(
            "Hair from another seed", lambda seed=seed: setattr(hair, "shape_seed", seed)
        )
    hair.shape_seed = hair.texture_seed = 29
    plain()
    yield from settle()
    yield from shoot("part_seed")
    hair.mix_seed = 8
    for step in range(1, REPEAT + 1):
        yield from timed(
            "Slider Shape Mix, one step",
            lambda step=step: setattr(hair, "shape_mix", step / 2 / REPEAT),
        )
    yield from shoot("part_mix")
    check("the portrait's own seed is untouched", portrait().ssgan3d.seed == 65)
    hair.mix_seed = -1
    hair.shape_mix = 0.0


def stop_lock() -> Steps:
    """The lock of a part, clicked; then Randomise and Surprise Me."""
    plain()
    x, y = yield from where("ssgan3d.toggle_part(part='hair'", EYES)
    yield from click(x - 2 * ICON, y)
    check("a click on the lock locks the part", part("hair").lock)
    look = part("hair").shape_seed
    yield from press_button("ssgan3d.randomise", LEFT)
    yield from settle()
    yield from shoot("locked")
    check("Randomise leaves a locked part alone", part("hair").shape_seed == look)
    nose = part("nose").shape_seed
    yield from press_button("ssgan3d.surprise", MIDDLE)
    yield from settle()
    yield from shoot("surprise")
    check("Surprise Me leaves a locked part alone", part("hair").shape_seed == look)
    yield from press_button("ssgan3d.history", BACK)
    yield from press_button("ssgan3d.history", BACK)
    yield 0.3
    check("back, twice, is the person before Randomise", part("nose").shape_seed != nose)
    part("hair").lock = False


def stop_solo() -> Steps:
    """One part alone."""
    plain()
    x, y = yield from where("ssgan3d.toggle_part(part='hair'", EYES)
    yield from click(x - ICON, y)
    yield from settle()
    yield from shoot("solo")
    check("a click on the star shows one part alone", portrait().ssgan3d.solo == "hair")
    yield from press_button("ssgan3d.solo_part")
    yield from settle()
    check("the button above the list shows all again", not portrait().ssgan3d.solo)


def stop_camera() -> Steps:
    """The panel Camera, and the trained range in the view; then the camera outside of it."""
    scene, view = bpy.context.scene, area().spaces.active
    plain(picture=False)
    view.shading.type = "SOLID"
    view.region_3d.view_perspective = "PERSP"
    yield from press("KP_1")
    for _ in range(3):
        yield from press("KP_6")
    for _ in range(2):
        yield from press("KP_8")
    view.region_3d.view_location = (0.0, -0.5, 0.0)
    view.region_3d.view_distance = 2.6
    yield from open_panel(CAMERA)
    scene.ssgan3d_show_range = True
    yield from shoot("range_inside")
    cameras = addon("cameras")
    depsgraph = bpy.context.evaluated_depsgraph_get()
    check("the camera stands inside", cameras.range_warning(scene, portrait(), depsgraph) is None)
    cameras.orbit(scene.camera, portrait(), 1.2, 0.1)
    yield from wheel(60, region("UI"))
    yield from shoot("range_outside")
    depsgraph = bpy.context.evaluated_depsgraph_get()
    check("the camera stands outside", cameras.range_warning(scene, portrait(), depsgraph))
    cameras.aim(scene.camera, portrait(), scene)
    scene.ssgan3d_show_range = False
    view.shading.type = "RENDERED"
    view.region_3d.view_perspective = "CAMERA"


def stop_quad() -> Steps:
    """Four views at once in rendered shading, and one again."""
    plain()
    yield from press("ctrl+alt+q")
    yield from settle()
    yield from shoot("quad")
    check("there are four views", len(views()) == 4)
    yield from press("ctrl+alt+q", centre(area()))
    yield 0.3
    check("there is one view again", len(views()) == 1)
    area().spaces.active.region_3d.view_perspective = "CAMERA"


def views() -> list[bpy.types.Region]:
    """The views that the 3D view is divided into."""
    return [item for item in area().regions if item.type == "WINDOW" and item.width > 1]


def stop_border() -> Steps:
    """A render border in the camera's view, drawn with Ctrl+B and taken away with Ctrl+Alt+B."""
    plain()
    render = bpy.context.scene.render
    yield from fit_camera()
    x, y = centre(region())
    yield from press("ctrl+b", (x - 250, y - 250))
    yield from drag((x - 250, y - 250), (x + 60, y + 40))
    yield from settle()
    yield from shoot("border")
    check("Ctrl+B and a drag make a border", render.use_border and render.border_max_x < 1.0)
    yield from press("ctrl+alt+b")
    yield from settle()
    check("Ctrl+Alt+B takes it away", not render.use_border)


def stop_pan() -> Steps:
    """Shift and the middle button, and the wheel: what is drawn stays true to the pixel."""
    plain()
    view, place, (dx, dy) = area().spaces.active, region(), (70, -40)
    x, y = centre(place)
    for name, perspective in (("camera", "CAMERA"), ("orthographic", "ORTHO")):
        view.region_3d.view_perspective = perspective
        if perspective == "ORTHO":
            yield from press("KP_1")
            yield from press("KP_Decimal")
        else:
            yield from fit_camera()
        yield from settle()
        before = picture_of(place)
        yield from drag((x, y), (x + dx, y + dy), button=2, held="shift")
        yield from settle()
        yield from shoot(f"pan_{name}")
        after = picture_of(place)
        check(f"{name}: there is something to see", float(before.std()) > 20)
        moved = min(
            difference(before, after, dx + right, dy + down)
            for right in (-1, 0, 1)
            for down in (-1, 0, 1)
        )
        check(
            f"{name}: the picture goes along with the mouse ({moved:.2f} levels off)",
            moved < 2 and moved < 0.2 * difference(before, after, 0, 0),
        )
        for clicks in (-3, 3):
            yield from wheel(clicks, place)
            yield from settle()
            if clicks < 0:
                yield from shoot(f"zoom_{name}")
                enlarged = difference(after, picture_of(place), 0, 0)
        back = difference(after, picture_of(place), 0, 0)
        check(f"{name}: the wheel enlarges ({enlarged:.1f}), and back ({back:.2f})", back < 1)
        check(f"{name}: in between it looked otherwise", enlarged > 4)
    view.region_3d.view_perspective = "CAMERA"


def picture_of(place: bpy.types.Region) -> np.ndarray:
    """The colours in the middle of a region, (H, W, 3)."""
    share = 0.4
    size = round(place.height * share), round(place.width * share), 3
    return np.frombuffer(pixels(place, share), np.uint8).reshape(size).astype(np.float32)


def difference(before: np.ndarray, after: np.ndarray, right: int, down: int) -> float:
    """Mean difference in levels of 255, where ``before`` is moved by so many pixels."""
    height, width = before.shape[:2]
    left, top = max(right, 0), max(down, 0)
    lower, outer = height + min(down, 0), width + min(right, 0)
    here = after[top:lower, left:outer]
    return float(
        np.abs(here - before[top - down : lower - down, left - right : outer - right]).mean()
    )


def stop_files() -> Steps:
    """File > Export, its dialog, File > Import, its dialog, and a file that is dropped."""
    looks = portrait().ssgan3d.recipe
    with in_view():
        bpy.ops.wm.call_menu(name="TOPBAR_MT_file_export")
    yield from shoot("export_menu")
    yield from press("Escape")
    yield from press_button("ssgan3d.export_portrait")
    yield from until(lambda: browser() is not None, 20)
    yield 2.0  # it slides in
    yield from shoot("export_dialog")
    path = Path(browser().params.directory.decode()) / browser().params.filename
    yield from press("Return", centre(area("FILE_BROWSER")))
    yield from until(path.exists, 20)
    yield from until(lambda: browser() is None, 20)
    with in_view():
        bpy.ops.ssgan3d.import_portrait("INVOKE_DEFAULT")
    yield from until(lambda: browser() is not None, 20)
    yield 2.0  # it slides in
    yield from shoot("import_dialog")
    yield from press("Escape", centre(area("FILE_BROWSER")))
    yield from until(lambda: browser() is None, 20)
    with in_view():
        bpy.ops.wm.drop_import_file(
            "INVOKE_DEFAULT", directory=f"{path.parent}/", files=[{"name": path.name}]
        )
    yield 0.5
    yield from settle()
    yield from shoot("dropped")
    brought = bpy.context.object
    check(
        "a dropped file becomes a portrait", brought != portrait() and brought.ssgan3d.is_portrait
    )
    check("it is the person of the file", brought.ssgan3d.recipe == looks)
    bpy.data.objects.remove(brought)
    bpy.context.view_layer.objects.active = portrait()
    portrait().select_set(True)


def browser() -> bpy.types.SpaceFileBrowser | None:
    """The file browser, if it is open."""
    found = [item for item in window().screen.areas if item.type == "FILE_BROWSER"]
    return found[0].spaces.active if found else None


def stop_suggest() -> Steps:
    """The strip of suggestions: open its panel, ask, take one."""
    plain()
    yield from choose_part("hair")
    if (yield from find_button("ssgan3d.suggest", region("UI"), turns=(0,))) is None:
        x, y = yield from where("ssgan3d.copy_part", COPY)
        yield from click(region("UI").x + 80, y + SUGGESTIONS_BELOW)
    place = yield from where("ssgan3d.suggest")
    suggestions = addon("suggestions")
    strip = suggestions._strip
    yield from point(*place)
    yield from timed(
        "Eight suggestions (click)", tap, lambda: suggestions._strip not in (strip, None)
    )
    yield from wheel(40, region("UI"))
    yield from shoot("suggestions")
    check("there are eight suggestions", len(suggestions._strip.seeds) == 8)
    strip = suggestions._strip
    yield from point(*(yield from where("ssgan3d.suggest")))
    yield from timed(
        "Eight other suggestions (click)", tap, lambda: suggestions._strip not in (strip, None)
    )
    yield from press_button("ssgan3d.take_suggestion", TAKEN)
    yield from settle()
    yield from shoot("suggestion_taken")
    check("Take gives the part that look", part("hair").shape_seed in suggestions._strip.seeds)


def stop_wish() -> Steps:
    """What hair should be: the menu of its styles, and a wish out of it."""
    plain()
    yield from choose_part("hair")
    yield from point(*(yield from where("ssgan3d.copy_part", COPY)))
    with in_view():
        bpy.ops.wm.call_menu(name="SSGAN3D_MT_wish_hair_style")
    yield from shoot("wish_menu")
    yield from press("Escape")
    hair = part("hair")
    seed = hair.shape_seed

    def wish() -> None:
        with in_view():
            bpy.ops.ssgan3d.wish("INVOKE_DEFAULT", attribute="hair_style", value="afro")

    yield from timed("A wish for the hair", wish, lambda: hair.shape_seed != seed)
    yield from shoot("wish")
    runtime, preferences = addon("runtime"), addon("preferences")
    found = runtime.engine(preferences.model_choice()).having(
        [hair.shape_seed], {"hair_style": "afro"}
    )
    check("the hair is an afro", found == [hair.shape_seed])
    portrait().ssgan3d.wishes.hair_style = "any"


def stop_presets() -> Steps:
    """The list of presets."""
    yield from wheel(-40, region("UI"))
    yield from point(
        region("UI").x + 60, window().height - region("UI").y - region("UI").height + 60
    )
    with in_view():
        bpy.ops.wm.call_panel(name="SSGAN3D_PT_presets")
    yield from shoot("presets")
    yield from press("Escape")


def stop_orbit() -> Steps:
    """Orbit with the middle mouse button in rendered shading."""
    area().spaces.active.region_3d.view_perspective = "PERSP"
    yield from press("KP_1")
    yield from press("KP_Decimal")
    yield from settle()
    x, y = centre(region())
    matrix = area().spaces.active.region_3d.view_matrix.copy()
    watch = timings.setdefault("Orbit: drag of 8 moves, until the final picture", Watch())
    for turn in (90, *[-90, 90] * (REPEAT // 2)):
        yield from dragged(watch, (x, y), (x + turn, y + turn // 6))
    yield from settle()
    yield from shoot("orbit")
    check("the middle mouse button orbits", area().spaces.active.region_3d.view_matrix != matrix)


def dragged(watch: Watch, start: tuple[int, int], end: tuple[int, int]) -> Steps:
    """A drag under the stopwatch, which runs between its moves."""
    moves = drag(start, end, button=2)
    waiting = [0.0]

    def go_on() -> bool:
        if time.perf_counter() >= waiting[0]:
            pause = next(moves, None)
            if pause is None:
                return True
            waiting[0] = time.perf_counter() + pause
        return False

    yield from watch.time(lambda: None, go_on)


def stop_render() -> Steps:
    """F12, pressed."""
    before, place = counts["complete"], centre(area())
    for _ in range(REPEAT):
        yield from press("Escape", place)
        yield 0.4
        yield from press_timed("F12 at 768 × 768", "F12", place, "complete")
    yield from shoot("f12")
    check("F12 renders", counts["complete"] == before + REPEAT)
    yield from press("Escape", place)
    yield 0.5


def press_timed(name: str, key: str, at: tuple[int, int], event: str) -> Steps:
    """Press a key; the stopwatch runs until the render handler ``event`` was called."""
    before = counts[event]
    focus()
    yield from point(*at)
    start = time.perf_counter()
    strike(key)
    yield from until(lambda: counts[event] > before, 120)
    watch = timings.setdefault(name, Watch())
    watch.first.append(time.perf_counter() - start)
    watch.last.append(time.perf_counter() - start)
    watch.blocked.append(0.0)
    watch.worked.append(0.0)


def stop_cancel() -> Steps:
    """Ctrl+F12 renders the animation; Esc stops it."""
    scene = bpy.context.scene
    scene.render.filepath = f"{OUT / 'frames'}/"
    scene.frame_start, scene.frame_end = 1, 200
    place = centre(area("VIEW_3D"))
    yield from press("ctrl+F12", place)
    yield from until(lambda: scene.frame_current >= 6, 60)
    yield from shoot("animation_running")
    stopped = counts["cancel"]
    yield from press_timed("Esc stops an animation render", "Escape", place, "cancel")
    frame = scene.frame_current
    yield 1.0
    check("Esc cancels the render", counts["cancel"] == stopped + 1)
    check("no frame is rendered after Esc", scene.frame_current <= frame and frame < 200)
    yield from press("Escape", place)
    yield 0.3


def stop_passes() -> Steps:
    """Save All Passes from its file browser: to the end, stopped by Esc, and one that fails."""
    scene, path = bpy.context.scene, OUT / "passes.exr"
    render, busy = scene.render, lambda: addon("passes")._steps is not None
    kept = render.engine, render.image_settings.file_format, render.resolution_x
    path.unlink(missing_ok=True)
    bpy.context.view_layer.objects.active = portrait()
    with in_view():
        bpy.ops.ssgan3d.setup_scene(use_engine=False, use_colours=False)
    yield from ask_for_passes(path)
    yield from timed("Save All Passes (Return)", lambda: strike("Return"), path.exists)
    yield from shoot("passes")
    check("the file holds more than a picture", path.stat().st_size > 1e6)
    check("the copy of the scene is gone", bpy.data.scenes[:] == [scene])
    settings = render.engine, render.image_settings.file_format, render.resolution_x
    check("the scene is as it was", settings == kept)
    written = path.stat().st_mtime_ns
    render.resolution_x = render.resolution_y = 3000
    yield from ask_for_passes(path)
    yield from confirm()
    yield from until(lambda: bpy.app.is_job_running("RENDER"), 20)
    yield 0.3
    yield from shoot("passes_running")
    check("it is still being rendered", busy())
    yield from press("Escape", centre(area()))
    yield from until(lambda: not busy(), 60)
    check("Esc keeps the old file", path.stat().st_mtime_ns == written)
    check("nothing is left of it", bpy.data.scenes[:] == [scene] and not list(OUT.glob(".pass*")))
    render.resolution_x = render.resolution_y = kept[2]
    portrait().ssgan3d.truncation = float("nan")
    yield from ask_for_passes(path)
    yield from confirm()
    yield from until(lambda: not busy(), 60)
    yield from shoot("passes_failed")
    check("a failure keeps the old file", path.stat().st_mtime_ns == written)
    check("nothing is left of the failure", bpy.data.scenes[:] == [scene])
    portrait().ssgan3d.truncation = 1.0
    path.unlink()
    yield from press("Escape", centre(area()))


def confirm() -> Steps:
    """Accept what stands in the file browser. A busy Blender may miss a key."""
    for _ in range(10):
        strike("Return")
        with suppress(TimeoutError):
            yield from until(lambda: browser() is None, 3)
            return
    raise TimeoutError("The file browser does not close")


def ask_for_passes(path: Path) -> Steps:
    """Open the file browser of Save All Passes, with the mouse over it."""
    with in_view():
        bpy.ops.ssgan3d.save_passes("INVOKE_DEFAULT", filepath=str(path))
    yield from until(lambda: browser() is not None, 20)
    yield 2.0  # it slides in
    focus()
    yield from point(*centre(area("FILE_BROWSER")))


def stop_meshes() -> Steps:
    """The button Extract Part Meshes and its dialog."""
    scene = bpy.context.scene
    scene.frame_set(1)
    portrait().ssgan3d.seed = 65
    area().spaces.active.shading.type = "SOLID"
    area().spaces.active.region_3d.view_perspective = "PERSP"
    plain()
    yield from press("KP_Decimal")
    place = yield from where("ssgan3d.extract_meshes")
    counting = addon("mesh_operators")
    counting._counted = None
    yield from point(*place)
    yield from timed("Triangles counted (click)", tap, lambda: counting._counted is not None)
    yield from shoot("mesh_options")
    place = centre(region())
    yield from point(*place)
    yield from timed("Part meshes at 128", lambda: strike("Return"), lambda: len(meshes()) > 5)
    area().spaces.active.shading.type = "MATERIAL"
    yield from compiled()
    yield from shoot("meshes")
    area().spaces.active.shading.type = "SOLID"  # sweeps of the sidebar redraw the view each time
    check("meshes hang on the portrait", all(o.parent == portrait() for o in meshes()))
    check("meshes have triangles", all(len(o.data.polygons) for o in meshes()))
    check("meshes have a material", all(o.data.materials for o in meshes()))


def meshes() -> list[bpy.types.Object]:
    """The part meshes."""
    return [item for item in bpy.data.objects if item.get("ssgan3d_part")]


def stop_turntable() -> Steps:
    """The button Turntable of the panel Camera, which an earlier stop opened, then its frames."""
    scene = bpy.context.scene
    for item in meshes():
        item.hide_set(True)
    bpy.context.view_layer.objects.active = portrait()
    yield from in_panel(CAMERA, turntable := "ssgan3d.camera_path(path='TURNTABLE'")
    yield from press_button(turntable)
    area().spaces.active.shading.type = "RENDERED"
    area().spaces.active.region_3d.view_perspective = "CAMERA"
    yield from fit_camera()
    for frame in range(REPEAT):
        yield from timed(
            "One frame further in the turntable", lambda frame=frame: scene.frame_set(8 + frame)
        )
    yield from shoot("turntable")
    check("the turntable's camera is the scene's", "Turntable" in scene.camera.name)


def stop_playback() -> Steps:
    """The turntable of the stop before plays in rendered shading; then it is stopped."""
    scene, place = bpy.context.scene, region()
    scene.frame_set(1)
    yield from settle()
    yield from press("space")
    yield 1.0
    first, start = scene.frame_current, time.perf_counter()
    yield 2.0  # less than once round
    frames = (scene.frame_current - first) % (scene.frame_end - scene.frame_start + 1)
    rate = frames / (time.perf_counter() - start)
    seen = []
    for _ in range(6):
        seen.append(pixels(place))
        yield 0.3
    yield from shoot("playback")
    check(f"the space bar plays ({rate:.1f} frames a second)", window().screen.is_animation_playing)
    check("the picture follows", len(set(seen)) == len(seen))
    yield from press("space")
    yield from settle()
    check("the space bar stops", not window().screen.is_animation_playing)
    shown = picture_of(place)
    scene.frame_set(scene.frame_current + 3)
    yield from settle()
    further = difference(shown, picture_of(place), 0, 0)
    scene.frame_set(scene.frame_current - 3)
    yield from settle()
    again = difference(shown, picture_of(place), 0, 0)
    check(
        f"the picture is that of the frame ({again:.2f}; 3 on: {further:.1f})",
        again < 0.5 < further,
    )


def stop_card() -> Steps:
    """A card in a Cycles scene, with a wall, a ball and a lamp."""
    scene = bpy.context.scene
    bpy.context.view_layer.objects.active = portrait()
    scene.frame_set(1)
    scene.camera = bpy.data.objects["Camera"]
    with in_view():
        bpy.ops.ssgan3d.add_card()
        bpy.ops.mesh.primitive_plane_add(size=4, location=(0, 0.8, 0), rotation=(1.5708, 0, 0))
        bpy.ops.mesh.primitive_uv_sphere_add(radius=0.07, location=(-0.16, 0.1, 0.13))
        bpy.ops.object.shade_smooth()
        bpy.ops.object.light_add(type="SUN", rotation=(0.9, 0.3, 0.5))
        bpy.context.object.data.energy = 3
    bpy.context.view_layer.objects.active = portrait()
    for name, colour in (("Plane", (0.1, 0.25, 0.4, 1)), ("Sphere", (0.8, 0.3, 0.05, 1))):
        material = bpy.data.materials.new(name)
        material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = colour
        bpy.data.objects[name].data.materials.append(material)
    scene.render.engine = "CYCLES"
    scene.cycles.preview_samples = 24
    plain()
    yield from open_panel(CARD)
    area().spaces.active.shading.type = "RENDERED"
    area().spaces.active.region_3d.view_perspective = "CAMERA"
    yield 25.0
    yield from shoot("card")
    check("the portrait has a card", addon("cards").card_of(scene, portrait()) is not None)
    scene.render.engine = "SSGAN3D"


def stop_eevee() -> Steps:
    """The same card in EEVEE: Material Preview, then Rendered; and turned away from."""
    scene, view = bpy.context.scene, area().spaces.active
    scene.render.engine = "BLENDER_EEVEE"
    scene.eevee.taa_samples = 4
    plain()
    for kind in ("MATERIAL", "RENDERED"):
        view.shading.type = kind
        view.region_3d.view_perspective = "CAMERA"
        yield from compiled()
        yield from shoot(f"eevee_{kind.lower()}")
    settings = addon("cards").card_of(scene, portrait()).ssgan3d_card
    before = settings.shown
    addon("cameras").orbit(scene.camera, portrait(), 0.6, 0.1)
    yield from until(lambda: settings.shown != before, 30)
    check("a live card's picture follows the camera", settings.shown != before)
    yield from compiled()
    yield from shoot("eevee_turned")
    addon("cameras").aim(scene.camera, portrait(), scene)
    scene.render.engine = "SSGAN3D"


def compiled() -> Steps:
    """Wait until EEVEE has its shaders and samples: until there is a picture, and it stays."""
    before, same, end = b"", 0, time.perf_counter() + 600
    while same < 3 and time.perf_counter() < end:
        now = pixels(region(), 0.15)  # none of the sidebar
        before, same = now, same + 1 if now == before and len(set(now)) > 40 else 0
        yield 6.0


def stop_wait() -> Steps:
    """Render to Images while the model is not in memory: it waits for it, and Esc ends the wait."""
    runtime, jobs = addon("runtime"), addon("jobs")
    bpy.context.view_layer.objects.active = portrait()
    runtime.release()
    place = yield from where("ssgan3d.render_images")
    yield from point(*place)
    yield from timed("Render to Images, the model loaded for it", tap, has_images)
    yield from shoot("waited")
    check("the operator goes on when the model is there", has_images())
    yield from press("ctrl+z", centre(region()))
    yield 0.5
    check("Ctrl+Z undoes it", not has_images())
    engine = runtime.engine

    def slow(choice: object) -> object:
        time.sleep(3)  # so that Esc comes in time
        return engine(choice)

    place = yield from where("ssgan3d.render_images")  # undoing has changed what the panels show
    runtime.release()
    runtime.engine = slow
    yield from click(*place)
    yield from until(jobs.running, 5)
    yield from shoot("waiting")
    yield from press("Escape", centre(region()))
    yield from until(lambda: not jobs.running(), 30)
    yield 0.5
    runtime.engine = engine
    check("Esc ends the wait, and nothing is done", is_ready() and not has_images())


def has_images() -> bool:
    """Whether the portrait's picture is an image."""
    return f"{portrait().name} Image" in bpy.data.images


def stop_sheet() -> Steps:
    """A contact sheet in the image editor."""
    area().spaces.active.shading.type = "SOLID"
    before = set(bpy.data.images)
    with in_view():
        bpy.ops.ssgan3d.contact_sheet()
    yield from until(lambda: set(bpy.data.images) != before, 180)
    yield from dismiss()
    view = area()
    view.type = "IMAGE_EDITOR"
    view.spaces.active.image = (set(bpy.data.images) - before).pop()
    yield from press("Home", centre(area("IMAGE_EDITOR")))
    yield from press("KP_Subtract", centre(area("IMAGE_EDITOR")))
    yield from shoot("sheet")
    view.type = "VIEW_3D"


def stop_preferences() -> Steps:
    """The add-on's preferences."""
    view = area()
    view.type = "PREFERENCES"
    preferences = bpy.context.preferences
    preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "SSGAN"
    bpy.ops.preferences.addon_expand(module=MODULE)
    x, y = centre(view)
    yield from point(x, y + view.height // 2 - 20)  # else a tooltip lies over the settings
    yield 0.5
    yield from shoot("preferences")
    bpy.ops.ssgan3d.measure_speed()
    yield from until(lambda: not addon("jobs").running(), 60)
    yield from shoot("measured")
    times = addon("measurement").of_choice(addon("preferences").model_choice())
    check("Measure tells times of the processor", ("cpu", "float32") in times)
    view.type = "VIEW_3D"


def stop_keyboard() -> Steps:
    """From a new file to a saved portrait by keys alone, as a beginner goes; and open it again."""
    bpy.ops.wm.read_homefile()
    yield 2.0
    yield from press("Delete")
    yield from press("shift+a")
    yield 0.4
    yield from write("portr")
    yield from press("Return", centre(region()))
    yield from until(lambda: any(o.ssgan3d.is_portrait for o in bpy.data.objects), 5)
    yield from shoot("keys_hint")
    yield from press("n")
    yield 0.4
    yield from shoot("keys_added")
    yield from press("F3")
    yield 0.4
    yield from write("set up scene")
    yield from shoot("keys_search")
    yield from press("Return", centre(region()))
    yield 0.5
    check("F3 finds Set Up Scene", bpy.context.scene.render.engine == "SSGAN3D")
    yield from press("F3")
    yield 0.4
    yield from write("turntable")
    yield from press("Return", centre(region()))
    yield 0.5
    check("F3 finds Turntable", "Turntable" in bpy.context.scene.camera.name)
    yield from press("shift+alt+p")
    yield 0.6
    yield from shoot("keys_pie")
    yield from press("Escape")
    before = counts["complete"]
    yield from press("F12")
    yield from until(lambda: counts["complete"] > before, 60)
    yield from shoot("keys_f12")
    yield from press("Escape", centre(area("IMAGE_EDITOR")))
    yield 0.5
    seed = portrait().ssgan3d.seed = 77
    yield from press("ctrl+s")
    yield from until(lambda: browser() is not None, 20)
    yield from press("Return", centre(area("FILE_BROWSER")))
    yield from until(lambda: bool(bpy.data.filepath), 20)
    path = bpy.data.filepath
    yield from press("ctrl+n")
    yield 0.5
    yield from press("Return")
    yield from until(lambda: not bpy.data.filepath, 20)
    bpy.ops.wm.open_mainfile(filepath=path)
    yield 2.0
    area().spaces.active.shading.type = "RENDERED"
    yield from settle()
    yield from shoot("keys_reopened")
    check("the file brings the person back", portrait().ssgan3d.seed == seed)
    check("and the engine", bpy.context.scene.render.engine == "SSGAN3D")


STOPS = {
    name.removeprefix("stop_"): function
    for name, function in list(globals().items())
    if name.startswith("stop_")
}


# --- the run -------------------------------------------------------------------------------------


def addon(module: str):  # noqa: ANN201
    """A module of the installed add-on."""
    return sys.modules[f"{MODULE}.ssgan3d_blender.{module}"]


def tour() -> Steps:
    """All stops, or those named in TOUR; the first ones are needed by the rest."""
    wanted = os.environ.get("TOUR", "").split() or list(STOPS)
    for name in wanted:
        began = time.perf_counter()
        try:
            yield from STOPS[name]()
        except (LookupError, TimeoutError, RuntimeError, AttributeError, TypeError) as error:
            yield from shoot(f"{name}_failed")
            check(f"{name} goes through: {type(error).__name__}: {error}", False)
        stops[-1]["seconds"] = round(time.perf_counter() - began, 1)
        write_report()


def failed() -> list[str]:
    """The checks that did not hold so far."""
    return [c["what"] for stop in stops for c in stop["checks"] if not c["holds"]]


def write_report(error: BaseException | None = None) -> None:
    """Write what is known so far: a tour that is broken off leaves it behind."""
    report = {
        "blender": bpy.app.version_string,
        "python": platform.python_version(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "failed": failed(),
        "stopped_by": None if error is None else repr(error),
        "timings": {name: watch.summary() for name, watch in timings.items() if watch.last},
        "stops": stops,
    }
    (OUT / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")


def finish(error: BaseException | None) -> None:
    """Write the report and end Blender."""
    write_report(error)
    shutil.rmtree(OUT / "frames", ignore_errors=True)
    leave(1 if failed() or error else 0)


def processor() -> str:
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def count(event: str) -> Callable[..., None]:
    """A render handler that counts."""

    @persistent
    def counted(*_: object) -> None:
        counts[event] += 1

    return counted


bpy.app.handlers.render_complete.append(count("complete"))
bpy.app.handlers.render_cancel.append(count("cancel"))
run(tour(), finish)
