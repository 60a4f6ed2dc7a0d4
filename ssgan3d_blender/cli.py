"""``blender -b --command ssgan3d render|turntable|mesh|sheet|info``: portraits without a window.

Each command makes a portrait in a scene of its own, so it takes the same way as a person at the
screen: the panel's properties, Blender's render, the render engine. Files appear whole or not at
all. Exit codes: 0 done, 1 it failed (one sentence on standard error), 2 the command line is wrong.
What was written is printed, a path a line, or as one line of JSON with ``--json``. Where the camera
stands outside the trained range, standard error and the JSON's ``warning`` say that the picture
shows the nearest view.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..core.config import DEFAULT_TRUNCATION, ModelConfig
from ..core.errors import PortraitError
from ..core.model_card import shortened
from ..core.parts import PART_NAMES, PARTS
from ..core.wanted import add_wanted, first_seed, seeds_of
from . import cameras, portraits, preferences, render_engine, runtime
from .camera_paths import TURNTABLE, YAW_LIMIT
from .messages import describe
from .operators import check_size
from .properties import MAX_SEED

if TYPE_CHECKING:
    from .properties import SSGAN3D_PG_part

PART_FIELDS = ("shape_seed", "texture_seed", "mix_seed", "shape_mix", "texture_mix", "visibility")
CODES = "Exit codes: 0 done, 1 it failed (standard error says why), 2 the command line is wrong."
_handle: object = None


def attach() -> None:
    """Make the command known."""
    global _handle
    _handle = bpy.utils.register_cli_command("ssgan3d", run)


def detach() -> None:
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
    begin = time.perf_counter()
    try:
        done = options.command(options)
    except Exception as error:
        said = _said(error)
        print(f"ssgan3d: {said}", file=sys.stderr)
        if options.json:
            print(json.dumps({"command": options.name, "error": said}), flush=True)
        return 1
    if "warning" in done:
        print(f"ssgan3d: {done['warning']}", file=sys.stderr)
    if options.json:
        seconds = round(time.perf_counter() - begin, 3)
        print(
            json.dumps({"command": options.name, "seconds": seconds, **done}, default=str),
            flush=True,
        )
    elif options.name == "info":
        print(json.dumps(done, indent=1, default=str))
    else:
        print(options.output)
    return 0


def _said(error: Exception) -> str:
    """An error as one sentence; what an operator reported comes as ``RuntimeError: Error: …``."""
    text = str(error).strip()
    if isinstance(error, RuntimeError) and text.startswith("Error: "):
        return text.removeprefix("Error: ")
    return describe(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="blender -b --command ssgan3d",
        description="Portraits without a window: pictures, films, meshes. See COMMAND --help.",
        epilog=CODES,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="name")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--json",
        action="store_true",
        help="print one line of JSON (files, bytes, seconds) instead, which begins with {",
    )
    target = argparse.ArgumentParser(add_help=False)
    target.add_argument("--output", "-o", type=Path, required=True, help="file to write")

    person = argparse.ArgumentParser(add_help=False)
    person.add_argument(
        "--seed", type=_number(int, 0, MAX_SEED), default=0, help="which person (default 0)"
    )
    add_wanted(person, "the first from --seed on")
    variety: dict[str, Any] = {"type": _number(float, 0, 1), "default": DEFAULT_TRUNCATION}
    variety["help"] = f"0 average … 1 full ({DEFAULT_TRUNCATION})"
    person.add_argument("--variety", **variety)
    person.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PART.FIELD=VALUE",
        help=f"change a part, e.g. hair.shape_seed=7. Fields: {', '.join(PART_FIELDS)}",
    )

    picture = argparse.ArgumentParser(add_help=False)
    picture.add_argument("--size", type=_size, default=(512, 512), metavar="WxH", help="pixels")
    picture.add_argument("--transparent", action="store_true", help="without background")

    render = commands.add_parser(
        "render",
        parents=[person, picture, target, common],
        help="one picture (.png, or .exr with all passes)",
        epilog=CODES,
    )
    render.add_argument("--yaw", type=float, default=0.0, help="degrees; the camera moves right")
    render.add_argument("--pitch", type=float, default=0.0, help="degrees; the camera moves up")
    render.set_defaults(command=_render)

    turn = commands.add_parser(
        "turntable",
        parents=[person, picture, target, common],
        help="a film (.mp4) or a folder of PNG files",
        epilog=CODES,
    )
    turn.add_argument(
        "--frames", type=_number(int, 2), default=48, help="length of the loop, 2 at least (48)"
    )
    widest = math.floor(math.degrees(YAW_LIMIT))
    turn.add_argument(
        "--yaw",
        type=_number(float, 0, widest),
        default=35.0,
        help=f"swing to each side in degrees, up to {widest} (35)",
    )
    turn.set_defaults(command=_turntable)

    mesh = commands.add_parser(
        "mesh",
        parents=[person, target, common],
        help="part meshes in metres (.glb .obj .ply .stl)",
        epilog=CODES,
    )
    mesh.add_argument("--resolution", type=int, default=128, help="cells along a side (128)")
    mesh.add_argument("--smoothing", type=int, default=0, help="rounds (0)")
    mesh.add_argument("--max-faces", type=int, help="most triangles of one part")
    mesh.add_argument(
        "--colours",
        choices=("vertex", "texture"),
        default="vertex",
        help="of vertices (not in .stl), or an image with UVs (.glb, and beside .obj) (vertex)",
    )
    mesh.add_argument(
        "--parts",
        nargs="+",
        choices=PART_NAMES[1:],
        metavar="PART",
        help=f"only these: {', '.join(PART_NAMES[1:])}",
    )
    mesh.set_defaults(command=_mesh)

    sheet = commands.add_parser(
        "sheet",
        parents=[target, common],
        help="many people in one picture (.png), each with its seed",
        epilog=CODES,
    )
    sheet.add_argument("--seeds", default="0:64", metavar="FROM:TO", help="or 3,7,20:30 (0:64)")
    add_wanted(sheet, "those of the seeds")
    sheet.add_argument("--columns", type=int, help="people in a row (about as many as rows)")
    sheet.add_argument("--tile", type=int, default=128, help="side of a portrait in pixels (128)")
    sheet.add_argument("--variety", **variety)
    sheet.set_defaults(command=_sheet)

    info = commands.add_parser(
        "info", parents=[common], help="what is installed, as JSON", epilog=CODES
    )
    info.set_defaults(command=_info)
    return parser


def _number(
    kind: type[int] | type[float], low: float, high: float = math.inf
) -> Callable[[str], float]:
    """For argparse: reads a number from ``low`` to ``high``. Blender would take others as the
    nearest in range, and show another person than was asked for.
    """
    limits = f"from {low:.10g} to {high:.10g}" if math.isfinite(high) else f"of {low:.10g} or more"

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} {limits}")
        return value

    return read


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
    seed = options.seed
    if options.wanted:
        seed = first_seed(runtime.engine(preferences.model_choice()), seed, options.wanted)
    bpy.ops.ssgan3d.add_portrait(seed=seed, truncation=options.variety)
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
            _set(portrait.ssgan3d.parts[part], field, value)
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise PortraitError(f"--set {setting}: {error}") from None
    return portrait


def _set(part: SSGAN3D_PG_part, field: str, text: str) -> None:
    """Set one field of a part from its text.

    Raises:
        ValueError, argparse.ArgumentTypeError: it is none of the field's values.
    """
    setting = part.bl_rna.properties[field]
    if setting.type == "ENUM":
        choices = setting.enum_items.keys()
        if text.upper() not in choices:
            raise ValueError(f"{field} is one of {', '.join(choices)}")
        setattr(part, field, text.upper())
        return
    kind = int if setting.type == "INT" else float
    setattr(part, field, _number(kind, setting.hard_min, setting.hard_max)(text))


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
    if file_format == "OPEN_EXR_MULTILAYER":
        settings.color_depth = "32"


def _render(options: argparse.Namespace) -> dict[str, Any]:
    from ..core.files import replacing
    from .images import check_space

    formats = {".png": ("IMAGE", "PNG"), ".exr": ("MULTI_LAYER_IMAGE", "OPEN_EXR_MULTILAYER")}
    if options.output.suffix not in formats:
        raise PortraitError(f"{options.output}: pictures are written as .png or .exr.")
    portrait = _portrait(options)
    scene = _prepare(options)
    layer, everything = scene.view_layers[0], options.output.suffix == ".exr"
    layer.use_pass_z = layer.use_pass_cryptomatte_object = everything
    layer.ssgan3d.use_pass_part_index = layer.ssgan3d.use_pass_part_masks = everything
    cameras.orbit(scene.camera, portrait, math.radians(options.yaw), math.radians(options.pitch))
    _format(scene, *formats[options.output.suffix])
    # picture, depth, index, masks, and three passes of Cryptomatte
    check_space(options.output, options.size, 6 + len(PARTS) + 12 if everything else 4)
    with replacing(options.output.resolve()) as temporary:
        scene.render.filepath = str(temporary)
        _rendered(bpy.ops.render.render(write_still=True), temporary)
    facts = {"seed": portrait.ssgan3d.seed, "size": options.size}
    return facts | {"files": _files(options.output)} | _warned()


def _turntable(options: argparse.Namespace) -> dict[str, Any]:
    from ..core.files import replacing

    portrait = _portrait(options)
    scene = _prepare(options)
    bpy.ops.ssgan3d.camera_path(
        path=TURNTABLE, frames=options.frames, yaw=math.radians(options.yaw)
    )
    facts = {
        "seed": portrait.ssgan3d.seed,
        "size": options.size,
        "frames": options.frames,
    }
    if options.output.suffix == ".mp4":
        _format(scene, "VIDEO", "FFMPEG")
        scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "H264"
        scene.render.ffmpeg.constant_rate_factor = "HIGH"
        with replacing(options.output.resolve()) as temporary:
            scene.render.filepath = str(temporary)
            _rendered(bpy.ops.render.render(animation=True), temporary)
        return facts | {"files": _files(options.output)} | _warned()
    if options.output.suffix:
        raise PortraitError(f"{options.output}: a turntable is an .mp4 file or a folder.")
    options.output.mkdir(parents=True, exist_ok=True)
    _format(scene, "IMAGE", "PNG")
    names = [f"frame_{number:04d}.png" for number in range(scene.frame_start, scene.frame_end + 1)]
    # beside those of an earlier call, which stay as they are until all are there
    with tempfile.TemporaryDirectory(prefix=".frames-", dir=options.output.resolve()) as place:
        scene.render.filepath = str(Path(place, "frame_####"))
        result = bpy.ops.render.render(animation=True)
        for name in names:
            _rendered(result, Path(place, name))
        for name in names:
            os.replace(Path(place, name), options.output / name)
    return facts | {"files": _files(*(options.output / name for name in names))} | _warned()


def _rendered(result: set[str], written: Path) -> None:
    if result != {"FINISHED"} or not written.exists():
        raise PortraitError(f"Blender could not write {written.parent}: see the lines above.")


def _warned() -> dict[str, str]:
    """What the render warned of; empty if its pictures are what was asked for."""
    warning = render_engine.last_warning()
    return {} if warning is None else {"warning": warning}


def _files(*paths: Path) -> list[dict[str, Any]]:
    """Where files are and how large."""
    return [{"path": str(path.resolve()), "bytes": path.stat().st_size} for path in paths]


def _mesh(options: argparse.Namespace) -> dict[str, Any]:
    from ..core.mesh_files import check_format, export_meshes, texture_lost
    from ..core.meshing import extract_meshes
    from ..core.texturing import project_texture

    textured = options.colours == "texture"
    check_format(options.output, textured=textured)  # before minutes of work
    lost = texture_lost(options.output) if textured else None
    portrait = _portrait(options)
    engine = runtime.engine(preferences.model_choice())
    latents = portraits.recipe(portrait).resolve(engine)
    extracted = extract_meshes(
        engine,
        latents,
        parts=options.parts,
        resolution=options.resolution,
        smoothing=options.smoothing,
        max_faces=options.max_faces,
    )
    texture = project_texture(engine, latents, extracted) if textured and lost is None else None
    written = export_meshes(
        extracted, options.output, unit_metres=engine.config.unit_metres, texture=texture
    )
    triangles = {name: len(mesh.faces) for name, mesh in extracted.items()}
    facts = {
        "seed": portrait.ssgan3d.seed,
        "triangles": triangles,
        "files": _files(*written),
    }
    return facts if lost is None else facts | {"warning": lost}


def _sheet(options: argparse.Namespace) -> dict[str, Any]:
    from ..core.sheet import contact_sheet, parse_seeds
    from .images import write_png

    if options.output.suffix != ".png":
        raise PortraitError(f"{options.output}: contact sheets are written as .png.")
    engine = runtime.engine(preferences.model_choice())
    seeds = seeds_of(engine, parse_seeds(options.seeds), options.wanted)
    sheet = contact_sheet(
        engine,
        seeds,
        columns=options.columns,
        tile=options.tile,
        truncation=options.variety,
    )
    write_png(options.output.resolve(), sheet)
    height, width, _ = sheet.shape
    return {"seeds": len(seeds), "size": (width, height), "files": _files(options.output)}


def _info(_options: argparse.Namespace) -> dict[str, Any]:
    engine = runtime.engine(preferences.model_choice())
    return {
        "blender": bpy.app.version_string,
        "python": platform.python_version(),
        "model": str(preferences.model_choice().path or "embedded"),
        "image_size": engine.config.image_size,
        "device": str(engine.device),
        "precision": str(engine.precision),
        "parts": [part.name for part in PARTS],
        "yaw_max_degrees": round(math.degrees(ModelConfig.yaw_max), 1),
        "checkpoint": shortened(engine.checkpoint_info),
    }
