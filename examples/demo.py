"""The add-on at work: installed into Blender from its zip, then used as an artist would use it.

Run by ``build.py demo``, which gives Blender a user folder of its own:

    python examples/demo.py dist/ssgan3d_blender-VERSION.zip demo

Everything goes through Blender's operators and renders; the model is never called directly.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import OpenEXR
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

MODULE = "bl_ext.user_default.ssgan3d_blender"
SIZE = 512
FRAMES = 48
SEED = 65
HAIR_SEED = 29
# Part meshes are shown as Cycles sees them from these angles.
MESH_YAWS = (-60, 0, 60)
MESH_SAMPLES = 24

SHEET_WIDTH, MOST_TILE = 1600, 320
GAP = 12
PAPER = (247, 246, 243)
INK = (40, 40, 40)


# --- Blender ----------------------------------------------------------------------------------


@contextlib.contextmanager
def quiet(log: Path) -> Iterator[None]:
    """Send what Blender prints (one line a saved frame, and more) into ``log``."""
    sys.stdout.flush()
    kept = os.dup(1)
    with log.open("ab") as handle:
        os.dup2(handle.fileno(), 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Print a step of the demo and how long it took."""
    begin = time.perf_counter()
    yield
    print(f"{title}: {time.perf_counter() - begin:.1f} s", flush=True)


def install(archive: Path) -> None:
    """Install and enable the extension, as Blender's preferences do."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True, overwrite=True
    )
    if MODULE not in bpy.context.preferences.addons:
        raise RuntimeError(f"Blender installed {archive.name} but could not enable it")


def save_as(path: Path, media: str, file_format: str) -> None:
    """Have the next render write ``path`` in this format."""
    render = bpy.context.scene.render
    settings = render.image_settings
    if hasattr(settings, "media_type"):  # Blender 5.0 and later
        settings.media_type = media
    settings.file_format = file_format
    render.filepath = str(path)


def render_still(path: Path) -> np.ndarray:
    """Render the scene's frame as PNG and return it: (H, W, 3) uint8."""
    save_as(path, "IMAGE", "PNG")
    bpy.ops.render.render(write_still=True)
    return np.asarray(Image.open(path).convert("RGB"))


def render_animation(title: str) -> None:
    """Render the scene's frame range with a progress bar."""
    scene = bpy.context.scene
    count = scene.frame_end - scene.frame_start + 1
    with tqdm(total=count, desc=title, unit="frame", mininterval=0.5) as bar:

        def advance(*_args: Any) -> None:
            bar.update()

        bpy.app.handlers.render_post.append(advance)
        try:
            bpy.ops.render.render(animation=True)
        finally:
            bpy.app.handlers.render_post.remove(advance)


def read_passes(path: Path) -> dict[str, np.ndarray]:
    """The one-channel passes of a multilayer EXR by name: (H, W) float32."""
    with OpenEXR.File(str(path), separate_channels=True) as exr:
        channels = [item for part in exr.parts for item in part.channels.items()]
        # A channel is called ViewLayer.Depth.Z
        return {
            name.split(".")[1]: np.array(channel.pixels)
            for name, channel in channels
            if name.count(".") == 2 and name.split(".")[1] != "Combined"
        }


# --- the steps --------------------------------------------------------------------------------


def add_portrait() -> bpy.types.Object:
    """A scene with one portrait, rendered by the portrait engine at twice the model's own size."""
    scene = bpy.context.scene
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.render.fps = 24
    bpy.ops.ssgan3d.add_portrait(seed=SEED)
    bpy.ops.ssgan3d.setup_scene()
    return bpy.context.view_layer.objects.active


def turntable(out: Path) -> list[np.ndarray]:
    """Swing the camera round the face; write frames and a video."""
    scene = bpy.context.scene
    bpy.ops.ssgan3d.camera_path(path="TURNTABLE", frames=FRAMES, yaw=math.radians(40))
    folder = out / "turntable"
    shutil.rmtree(folder, ignore_errors=True)
    save_as(folder / "frame_", "IMAGE", "PNG")
    render_animation("Turntable, PNG frames")

    save_as(out / "turntable.mp4", "VIDEO", "FFMPEG")
    scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "H264"
    scene.render.ffmpeg.constant_rate_factor = "HIGH"
    render_animation("Turntable, H.264 video")
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.iterdir())]


def passes(out: Path, parts: Any) -> dict[str, np.ndarray]:
    """Render masks and depth of the frame; write them as pictures and return those."""
    layer = bpy.context.view_layer
    layer.use_pass_z = True
    layer.ssgan3d.use_pass_part_index = layer.ssgan3d.use_pass_part_masks = True
    save_as(out / "passes.exr", "MULTI_LAYER_IMAGE", "OPEN_EXR_MULTILAYER")
    bpy.ops.render.render(write_still=True)
    found = read_passes(out / "passes.exr")

    colors = np.array([part.color for part in parts], np.uint8)
    pictures = {"parts": colors[found["Part Index"].astype(int)]}
    depth = found["Depth"]
    seen = depth < 1e4  # what is hit by nothing is 10^10 away, as in Blender's own engines
    near, far = np.percentile(depth[seen], (1, 99)) if seen.any() else (0.0, 1.0)
    shade = np.clip((far - depth) / max(far - near, 1e-6), 0, 1) * 0.85 + 0.15
    pictures["depth"] = gray(np.where(seen, shade, 0.0))
    for part in parts:
        pictures[part.name] = gray(found[f"Part {part.label}"])
    (out / "masks").mkdir(exist_ok=True)
    for name, picture in pictures.items():
        place = out if name in {"parts", "depth"} else out / "masks"
        Image.fromarray(picture).save(place / f"{name}.png")
    return pictures


def swap_hair(out: Path, portrait: bpy.types.Object) -> dict[str, np.ndarray]:
    """Give the portrait another seed's hair; render before, after, and the hair's owner."""
    # Shown even if the seed's person is bald.
    portrait.ssgan3d.parts["hair"].visibility = "SHOW"
    pictures = {"before": render_still(out / "hair_before.png")}
    portrait.ssgan3d.seed = HAIR_SEED
    pictures["owner"] = render_still(out / "hair_owner.png")
    portrait.ssgan3d.seed = SEED
    bpy.ops.ssgan3d.randomise(part="hair", random_seed=HAIR_SEED)
    pictures["after"] = render_still(out / "hair_after.png")
    change = np.abs(pictures["after"].astype(int) - pictures["before"]).max(axis=-1)  # (H, W)
    pictures["difference"] = heat(change / 255)
    Image.fromarray(pictures["difference"]).save(out / "hair_difference.png")
    return pictures


def meshes(out: Path, portrait: bpy.types.Object) -> list[np.ndarray]:
    """Extract the parts, write them as GLB, and have Cycles show them from three sides."""
    bpy.ops.ssgan3d.extract_meshes()
    found = [child for child in portrait.children_recursive if child.type == "MESH"]
    found = [child for child in found if "ssgan3d_part" in child]
    for other in bpy.context.selected_objects:
        other.select_set(False)
    for mesh in found:
        mesh.select_set(True)
    bpy.ops.export_scene.gltf(
        filepath=str(out / "portrait.glb"), export_format="GLB", use_selection=True
    )
    portrait.hide_render = True  # its guide lines, not its children
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples = "CPU", MESH_SAMPLES
    scene.cycles.use_denoising = True
    scene.world = bpy.data.worlds.new("Demo")
    if scene.world.node_tree is None:  # until Blender 4.5 a world starts without nodes
        scene.world.use_nodes = True
    background = scene.world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (0.6, 0.6, 0.6, 1)
    pivot = scene.camera.parent
    pivot.animation_data_clear()
    lamp = bpy.data.objects.new("Key", bpy.data.lights.new("Key", "SUN"))
    lamp.data.energy = 2.0
    lamp.rotation_euler = (math.radians(55), 0, math.radians(35))
    scene.collection.objects.link(lamp)
    pictures = []
    for yaw in tqdm(MESH_YAWS, desc="Meshes, seen by Cycles", unit="view"):
        pivot.rotation_euler = (0, 0, math.radians(yaw))
        pictures.append(render_still(out / f"meshes_{yaw:+d}.png"))
    return pictures


# --- pictures ---------------------------------------------------------------------------------


def gray(values: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1] as an (H, W, 3) uint8 picture."""
    levels = (np.clip(values, 0, 1) * 255).round().astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=-1)


def heat(values: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1] as an (H, W, 3) uint8 picture: black, red, yellow, white."""
    ramp = np.clip(3 * values[..., None] - np.array([0.0, 1.0, 2.0]), 0, 1)
    return (ramp * 255).round().astype(np.uint8)


def angle(degrees: int) -> str:
    """A caption."""
    return f"{degrees:+d}°" if degrees else "0°"


def contact_sheet(rows: list[tuple[str, dict[str, np.ndarray]]]) -> Image.Image:
    """One picture with a titled row for each step, every picture with its caption."""
    title_font, font = ImageFont.load_default(20), ImageFont.load_default(13)
    heights = [56 + _tile_side(pictures) for _, pictures in rows]
    sheet = Image.new("RGB", (SHEET_WIDTH, sum(heights) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = GAP
    for (title, pictures), height in zip(rows, heights, strict=True):
        draw.text((GAP, top), title, INK, title_font)
        side = _tile_side(pictures)
        for column, (caption, pixels) in enumerate(pictures.items()):
            left = GAP + column * (side + GAP)
            tile = Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(tile, (left, top + 28))
            draw.text((left, top + 30 + side), caption, INK, font)
        top += height
    return sheet


def _tile_side(pictures: dict[str, np.ndarray]) -> int:
    return min(MOST_TILE, (SHEET_WIDTH - GAP) // len(pictures) - GAP)


def show(archive: Path, out: Path) -> None:
    """Run every step and put the results into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    log = out / "blender.log"
    log.unlink(missing_ok=True)
    with step("Installing the extension"), quiet(log):
        install(archive)
    parts = importlib.import_module(f"{MODULE}.core.parts").PARTS
    with step("First portrait (loads the model)"), quiet(log):
        portrait = add_portrait()
        render_still(out / "portrait.png")
    with step("Turntable"), quiet(log):
        frames = turntable(out)
    bpy.context.scene.frame_set(1 + FRAMES // 4)  # the camera passes the front
    with step("Masks and depth"), quiet(log):
        masks = passes(out, parts)
    with step("Hair of another seed"), quiet(log):
        hair = swap_hair(out, portrait)
    with step("Part meshes"), quiet(log):
        views = meshes(out, portrait)

    chosen = frames[: FRAMES // 2 + 1 : FRAMES // 16]
    swing = [round(-40 * math.cos(math.pi * i / (len(chosen) - 1))) for i in range(len(chosen))]
    soft = sorted(
        (part for part in parts if masks[part.name].any()),
        key=lambda part: -int(masks[part.name].sum()),
    )
    sheet = contact_sheet(
        [
            (f"Seed {SEED}, turned", dict(zip(map(angle, swing), chosen, strict=True))),
            (
                "Masks and depth",
                {"parts": masks["parts"], "depth": masks["depth"]}
                | {f"mask: {part.label}": masks[part.name] for part in soft[:8]},
            ),
            (
                f"The hair of seed {HAIR_SEED} for seed {SEED}",
                {
                    f"seed {SEED}": hair["before"],
                    f"seed {HAIR_SEED}": hair["owner"],
                    f"seed {SEED} with that hair": hair["after"],
                    "what changed": hair["difference"],
                },
            ),
            (
                "Part meshes (portrait.glb), rendered by Cycles",
                dict(zip(map(angle, MESH_YAWS), views, strict=True)),
            ),
        ]
    )
    sheet.save(out / "contact_sheet.png")


def main() -> int:
    """Parse the arguments, run, and say in one sentence what went wrong if something did."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help="the extension's zip")
    parser.add_argument("out", type=Path, help="folder for the results")
    arguments = parser.parse_args()
    if "BLENDER_USER_RESOURCES" not in os.environ:
        parser.error("set BLENDER_USER_RESOURCES to an empty folder, or run `build.py demo`")
    begin = time.perf_counter()
    try:
        show(arguments.archive.resolve(), arguments.out.resolve())
    except (RuntimeError, OSError) as error:  # Blender's operators raise RuntimeError
        print(f"demo: {str(error).strip()}", file=sys.stderr)
        return 1
    finally:
        # Python does not end in Blender 4.5 while a render engine is registered.
        if MODULE in bpy.context.preferences.addons:
            bpy.ops.preferences.addon_disable(module=MODULE)
    minutes, seconds = divmod(time.perf_counter() - begin, 60)
    print(f"Everything is in {arguments.out} ({minutes:.0f} min {seconds:.0f} s);")
    print(f"look at {arguments.out / 'contact_sheet.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
