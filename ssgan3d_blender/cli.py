"""``blender -b --command ssgan3d render|turntable|mesh|info``: portraits without a window.

Each command makes a portrait in a scene of its own, so it takes the same way as a person at the
screen: the panel's properties, Blender's render, the render engine. Files appear whole or not at
all. Exit codes: 0 done, 1 it failed (one sentence on standard error), 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
from pathlib import Path

import bpy

from ..core.config import ModelConfig
from ..core.errors import PortraitError
from ..core.parts import PART_NAMES, PARTS
from . import cameras, portraits, preferences, runtime
from .messages import describe
from .operators import check_size

PART_FIELDS = ("shape_seed", "texture_seed", "mix_seed", "shape_mix", "texture_mix", "visibility")
_handle: object = None


def register() -> None:
    """Make the command known."""
    global _handle
    _handle = bpy.utils.register_cli_command("ssgan3d", run)


def unregister() -> None:
    """Take the command back."""
    global _handle
    bpy.utils.unregister_cli_command(_handle)
    _handle = None


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code."""
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as leaving:  # argparse has said why
        return int(leaving.code or 0)
    try:
        options.command(options)
    except Exception as error:
        print(f"ssgan3d: {describe(error)}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="blender -b --command ssgan3d", description="Portraits.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    person = argparse.ArgumentParser(add_help=False)
    person.add_argument("--seed", type=int, default=0, help="which person (default 0)")
    person.add_argument("--variety", type=float, default=0.7, help="0 average … 1 full (0.7)")
    person.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PART.FIELD=VALUE",
        help=f"change a part, e.g. hair.shape_seed=7. Fields: {', '.join(PART_FIELDS)}",
    )
    person.add_argument("--output", "-o", type=Path, required=True, help="file to write")

    picture = argparse.ArgumentParser(add_help=False)
    picture.add_argument("--size", type=_size, default=(512, 512), metavar="WxH", help="pixels")
    picture.add_argument("--transparent", action="store_true", help="without background")

    render = commands.add_parser(
        "render", parents=[person, picture], help="one picture (.png, or .exr with all passes)"
    )
    render.add_argument("--yaw", type=float, default=0.0, help="degrees; the camera moves right")
    render.add_argument("--pitch", type=float, default=0.0, help="degrees; the camera moves up")
    render.set_defaults(command=_render)

    turn = commands.add_parser(
        "turntable", parents=[person, picture], help="a film (.mp4) or a folder of PNG files"
    )
    turn.add_argument("--frames", type=int, default=48)
    turn.add_argument("--yaw", type=float, default=35.0, help="swing to each side in degrees")
    turn.set_defaults(command=_turntable)

    mesh = commands.add_parser("mesh", parents=[person], help="part meshes (.glb .obj .ply .stl)")
    mesh.add_argument("--resolution", type=int, default=128)
    mesh.add_argument("--parts", nargs="+", choices=PART_NAMES[1:], metavar="PART")
    mesh.set_defaults(command=_mesh)

    info = commands.add_parser("info", help="what is installed, as JSON")
    info.set_defaults(command=_info)
    return parser


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    try:
        return int(width), int(height or width)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512x512") from None


def _portrait(options: argparse.Namespace) -> bpy.types.Object:
    """A portrait with the options' seeds, alone in a scene of its own."""
    scene = bpy.data.scenes.new("Portrait")
    bpy.context.window.scene = scene
    bpy.ops.ssgan3d.add_portrait(seed=options.seed, truncation=options.variety)
    portrait = portraits.active(bpy.context)
    portrait.location = (0.0, 0.0, 0.0)
    for setting in options.set:
        name, _, value = setting.partition("=")
        part, _, field = name.partition(".")
        if part not in PART_NAMES or field not in PART_FIELDS or not value:
            raise PortraitError(
                f"--set {setting}: write PART.FIELD=VALUE with a part of {', '.join(PART_NAMES)} "
                f"and a field of {', '.join(PART_FIELDS)}."
            )
        try:
            kind = {"visibility": str.upper}.get(field, float if field.endswith("mix") else int)
            setattr(portrait.ssgan3d.parts[part], field, kind(value))
        except (TypeError, ValueError) as error:
            raise PortraitError(f"--set {setting}: {error}") from None
    return portrait


def _prepare(options: argparse.Namespace) -> bpy.types.Scene:
    """Engine, colours, size and camera for the portrait of the scene."""
    scene = bpy.context.scene
    check_size(*options.size)
    scene.render.resolution_x, scene.render.resolution_y = options.size
    scene.render.resolution_percentage = 100
    scene.render.film_transparent = options.transparent
    bpy.ops.ssgan3d.setup_scene(use_engine=True, use_colours=True, use_camera=True)
    return scene


def _format(scene: bpy.types.Scene, media: str, file_format: str) -> None:
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # from Blender 5.0
        settings.media_type = media
    settings.file_format = file_format
    settings.color_mode = "RGBA" if scene.render.film_transparent else "RGB"


def _render(options: argparse.Namespace) -> None:
    from ..core.files import replacing
    from .images import check_space

    formats = {".png": ("IMAGE", "PNG"), ".exr": ("MULTI_LAYER_IMAGE", "OPEN_EXR_MULTILAYER")}
    if options.output.suffix not in formats:
        raise PortraitError(f"{options.output}: pictures are written as .png or .exr.")
    portrait = _portrait(options)
    scene = _prepare(options)
    scene.view_layers[0].use_pass_z = True
    cameras.orbit(scene.camera, portrait, math.radians(options.yaw), math.radians(options.pitch))
    _format(scene, *formats[options.output.suffix])
    check_space(options.output, options.size, 6 + len(PARTS))
    with replacing(options.output.resolve()) as temporary:
        scene.render.filepath = str(temporary)
        _rendered(bpy.ops.render.render(write_still=True), temporary)
    print(options.output)


def _turntable(options: argparse.Namespace) -> None:
    from ..core.files import replacing

    _portrait(options)
    scene = _prepare(options)
    bpy.ops.ssgan3d.turntable(frames=options.frames, yaw=math.radians(options.yaw))
    if options.output.suffix == ".mp4":
        _format(scene, "VIDEO", "FFMPEG")
        scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "H264"
        scene.render.ffmpeg.constant_rate_factor = "HIGH"
        with replacing(options.output.resolve()) as temporary:
            scene.render.filepath = str(temporary)
            _rendered(bpy.ops.render.render(animation=True), temporary)
    elif options.output.suffix:
        raise PortraitError(f"{options.output}: a turntable is an .mp4 file or a folder.")
    else:
        options.output.mkdir(parents=True, exist_ok=True)
        _format(scene, "IMAGE", "PNG")
        scene.render.filepath = str(options.output.resolve() / "frame_####")
        _rendered(bpy.ops.render.render(animation=True), options.output)
    print(options.output)


def _rendered(result: set[str], written: Path) -> None:
    if result != {"FINISHED"} or not written.exists():
        raise PortraitError(f"Blender could not write {written.parent}: see the lines above.")


def _mesh(options: argparse.Namespace) -> None:
    from ..core.meshing import export_meshes, extract_meshes

    portrait = _portrait(options)
    with runtime.session(preferences.model_choice()) as engine:
        extracted = extract_meshes(
            engine,
            portraits.recipe(portrait).resolve(engine),
            parts=options.parts,
            resolution=options.resolution,
        )
    export_meshes(extracted, options.output)
    print(options.output)


def _info(_options: argparse.Namespace) -> None:
    with runtime.session(preferences.model_choice()) as engine:
        facts = {
            "blender": bpy.app.version_string,
            "python": platform.python_version(),
            "model": str(preferences.model_choice().path or "embedded"),
            "image_size": engine.config.image_size,
            "device": str(engine.device),
            "precision": str(engine.precision),
            "parts": [part.name for part in PARTS],
            "yaw_max_degrees": round(math.degrees(ModelConfig.yaw_max), 1),
            "checkpoint": engine.checkpoint_info,
        }
    print(json.dumps(facts, indent=1, default=str))
