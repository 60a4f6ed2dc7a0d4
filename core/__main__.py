"""`python -m core`: portraits from the command line, without Blender."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import DEFAULT_TRUNCATION
from .errors import PortraitError
from .parts import PART_NAMES
from .wanted import add_wanted, first_seed, seeds_of

if TYPE_CHECKING:
    from torch import Tensor

    from .engine import PortraitEngine
    from .latents import PortraitLatents

DEPTH_SCALE = 8000
"""Steps of a depth PNG for one model unit, as in the data set; 0 means that nothing is hit."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 done, 1 failed, 130 interrupted.

    Raises:
        SystemExit: of argparse, 2 where the command line is wrong, 0 after ``--help``.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except PortraitError as error:
        print(f"python -m core: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"python -m core: {where}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    model = argparse.ArgumentParser(add_help=False)
    group = model.add_argument_group("model")
    group.add_argument("--model", type=Path, metavar="FILE", help="model file (the embedded one)")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (auto)")
    group.add_argument(
        "--precision", default="auto", help="auto, float32, bfloat16, float16 (auto)"
    )

    portrait = argparse.ArgumentParser(add_help=False)
    group = portrait.add_argument_group("portrait")
    group.add_argument("--seed", type=int, default=0, help="which portrait (0)")
    group.add_argument(
        "--truncation",
        type=float,
        metavar="PSI",
        help=f"0: the mean portrait, 1: as varied as the model draws them ({DEFAULT_TRUNCATION})",
    )
    add_wanted(group, "the first from --seed on")
    group.add_argument("--latents", type=Path, metavar="FILE", help="a saved portrait, not a seed")
    group.add_argument(
        "--swap",
        action="append",
        default=[],
        metavar="PART=SEED",
        help="take a part from another seed's portrait; may be repeated",
    )
    group.add_argument(
        "--show", nargs="+", metavar="PART", help=f"only these parts: {', '.join(PART_NAMES)}"
    )
    group.add_argument("--hide", nargs="+", default=[], metavar="PART", help="not these parts")
    group.add_argument(
        "--save-latents", type=Path, metavar="FILE", help="also write the portrait (.json)"
    )

    command = commands.add_parser(
        "render", parents=[model, portrait], help="one picture, with masks and depth if asked for"
    )
    command.add_argument("--out", type=Path, required=True, metavar="FILE.png")
    command.add_argument("--labels", type=Path, metavar="FILE.png", help="parts in colours")
    command.add_argument(
        "--depth", type=Path, metavar="FILE.png", help=f"16 bit, {DEPTH_SCALE} steps a model unit"
    )
    command.add_argument("--yaw", type=float, default=0, help="degrees, positive to the right (0)")
    command.add_argument("--pitch", type=float, default=0, help="degrees, positive up (0)")
    _add_size(command)
    command.add_argument("--transparent", action="store_true", help="leave the background out")
    command.set_defaults(run=_render)

    command = commands.add_parser(
        "turntable", parents=[model, portrait], help="numbered pictures of a swing to and fro"
    )
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    command.add_argument("--frames", type=int, default=48, help="pictures of one swing (48)")
    command.add_argument("--yaw", type=float, default=35, help="degrees to either side (35)")
    command.add_argument("--pitch", type=float, default=5, help="degrees up and down (5)")
    _add_size(command)
    command.add_argument("--transparent", action="store_true", help="leave the background out")
    command.set_defaults(run=_turntable)

    command = commands.add_parser("mesh", parents=[model, portrait], help="part meshes, in metres")
    command.add_argument("--out", type=Path, required=True, metavar="FILE.{glb,obj,ply,stl}")
    command.add_argument("--parts", nargs="+", metavar="PART", help="only these parts")
    command.add_argument("--resolution", type=int, default=128, help="cells along a side (128)")
    command.add_argument("--smoothing", type=int, default=0, help="rounds (0)")
    command.add_argument("--max-faces", type=int, help="most triangles of one part")
    command.add_argument(
        "--colours",
        choices=("vertex", "texture"),
        default="vertex",
        help="of vertices (not in .stl), or an image with UVs (.glb, and beside .obj) (vertex)",
    )
    command.set_defaults(run=_mesh)

    command = commands.add_parser(
        "sheet", parents=[model], help="many seeds' portraits in one picture, with their numbers"
    )
    command.add_argument("--out", type=Path, required=True, metavar="FILE.png")
    command.add_argument("--seeds", default="0:64", metavar="FROM:TO", help="or 3,7,20:30 (0:64)")
    add_wanted(command, "those of the seeds")
    command.add_argument("--columns", type=int, help="portraits in a row (about as many as rows)")
    command.add_argument("--tile", type=int, default=128, help="side of a portrait in pixels (128)")
    truncation = f"as for render ({DEFAULT_TRUNCATION})"
    command.add_argument(
        "--truncation", type=float, default=DEFAULT_TRUNCATION, metavar="PSI", help=truncation
    )
    command.add_argument("--yaw", type=float, default=0, help="degrees, positive to the right (0)")
    command.add_argument("--pitch", type=float, default=0, help="degrees, positive up (0)")
    command.set_defaults(run=_sheet)

    command = commands.add_parser("bench", parents=[model], help="how fast this machine is")
    command.add_argument("--json", type=Path, metavar="FILE", help="also write the medians")
    command.add_argument("--repeats", type=int, default=30, help="runs of each timing (30)")
    command.add_argument(
        "--portraits", type=int, default=34, help="portraits that pictures are compared on (34)"
    )
    command.set_defaults(run=_bench)

    command = commands.add_parser("info", parents=[model], help="what a model file is")
    command.set_defaults(run=_info)
    return parser


def _add_size(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--size",
        type=int,
        nargs="+",
        metavar="PIXELS",
        help="side of the picture, or its height and width (the model's)",
    )


def _render(options: argparse.Namespace) -> None:
    from .camera import Camera
    from .compositing import display_picture, label_picture

    engine = _engine(options)
    latents = _latents(engine, options)
    camera = Camera.orbit(math.radians(options.yaw), math.radians(options.pitch))
    camera, size = _framed(camera, _size(options))
    rendering = engine.render(latents, camera, size=size)
    _note_clamped(camera, rendering.cameras[0])
    _write_picture(display_picture(rendering, transparent=options.transparent), options.out)
    if options.labels is not None:
        _write_picture(label_picture(rendering.labels[0]), options.labels)
    if options.depth is not None:
        _write_depth(rendering.depth[0], options.depth)


def _turntable(options: argparse.Namespace) -> None:
    from .camera import orbit_path
    from .compositing import display_picture

    if options.frames < 1:
        raise PortraitError(f"A turntable needs at least one frame, not {options.frames}.")
    engine = _engine(options)
    latents = _latents(engine, options)
    path = orbit_path(
        options.frames, yaw=math.radians(options.yaw), pitch=math.radians(options.pitch)
    )
    clamped = False
    for number, camera in enumerate(_progress(path, "turntable"), 1):
        framed, size = _framed(camera, _size(options))
        rendering = engine.render(latents, framed, size=size)
        clamped = clamped or rendering.cameras[0] is not framed
        picture = display_picture(rendering, transparent=options.transparent)
        _write_picture(picture, options.out / f"{number:04d}.png")
    if clamped:
        print(
            "note: the model does not know views as far aside; the nearest were rendered",
            file=sys.stderr,
        )


def _mesh(options: argparse.Namespace) -> None:
    from .mesh_files import check_format, export_meshes, texture_lost
    from .meshing import extract_meshes
    from .texturing import project_texture

    textured = options.colours == "texture"
    check_format(options.out, textured=textured)  # before minutes of work
    lost = texture_lost(options.out) if textured else None
    engine = _engine(options)
    latents = _latents(engine, options)
    meshes = extract_meshes(
        engine,
        latents,
        parts=options.parts,
        resolution=options.resolution,
        smoothing=options.smoothing,
        max_faces=options.max_faces,
    )
    texture = project_texture(engine, latents, meshes) if textured and lost is None else None
    export_meshes(meshes, options.out, unit_metres=engine.config.unit_metres, texture=texture)
    if lost is not None:
        print(f"note: {lost}", file=sys.stderr)
    for name, mesh in meshes.items():
        print(f"{name:10s} {len(mesh.faces):8d} triangles")


def _sheet(options: argparse.Namespace) -> None:
    from .recipe import check_truncation
    from .sheet import contact_sheet, parse_seeds

    _check_picture(options.out)  # before the work
    check_truncation(options.truncation)
    seeds, engine = parse_seeds(options.seeds), _engine(options)
    sheet = contact_sheet(
        engine,
        seeds_of(engine, seeds, options.wanted),
        columns=options.columns,
        tile=options.tile,
        truncation=options.truncation,
        yaw=math.radians(options.yaw),
        pitch=math.radians(options.pitch),
    )
    _write_picture(sheet, options.out)


def _bench(options: argparse.Namespace) -> None:
    from .benchmark import benchmark

    if min(options.repeats, options.portraits) < 1:
        raise PortraitError("A benchmark needs at least one run and one portrait.")
    results = benchmark(
        options.model,
        device=options.device,
        precision=options.precision,
        repeats=options.repeats,
        portraits=options.portraits,
    )
    print(results.table())
    if options.json is not None:
        _write_text(options.json, json.dumps(results.to_dict(), indent=1) + "\n")


def _info(options: argparse.Namespace) -> None:
    from .model_card import embedded_weights, read_header, shortened

    path = embedded_weights() if options.model is None else options.model
    header, count = read_header(path)
    facts: dict[str, Any] = {
        "file": str(path),
        "megabytes": round(path.stat().st_size / 1e6, 2),
        "weights": count,
    }
    for key, value in header.items():
        try:
            facts[key] = shortened(json.loads(value))
        except ValueError:
            facts[key] = value
    print(json.dumps(facts, indent=1, ensure_ascii=False))


def _engine(options: argparse.Namespace) -> PortraitEngine:
    from .engine import PortraitEngine

    return PortraitEngine.load(options.model, device=options.device, precision=options.precision)


def _latents(engine: PortraitEngine, options: argparse.Namespace) -> PortraitLatents:
    from .latents import PortraitLatents
    from .recipe import PortraitRecipe, check_truncation

    truncation = DEFAULT_TRUNCATION if options.truncation is None else options.truncation
    if options.latents is None:
        seed = first_seed(engine, options.seed, options.wanted)
        if options.wanted:
            print(f"note: seed {seed}", file=sys.stderr)
        latents = PortraitRecipe(seed, truncation).resolve(engine)
    elif options.wanted:
        raise PortraitError("--wanted chooses a seed: a saved portrait has none.")
    else:
        latents = PortraitLatents.load(options.latents)
        if options.truncation is not None:
            check_truncation(truncation)
            latents = latents.truncate(engine.mean_latents, truncation)
    for swap in options.swap:
        part, _, seed = swap.partition("=")
        if not seed.isdecimal():
            raise PortraitError(f"--swap wants PART=SEED, as hair=7, not {swap!r}.")
        latents = latents.replace(part, engine.sample(int(seed), truncation))
    if options.show is not None or options.hide:
        latents = latents.with_visible(options.show, hidden=options.hide)
    if options.save_latents is not None:
        latents.save(options.save_latents)
    return latents


def _size(options: argparse.Namespace) -> tuple[int, int] | None:
    if options.size is None:
        return None
    if len(options.size) > 2:
        raise PortraitError("--size wants one number, or a height and a width.")
    return options.size[0], options.size[-1]


def _framed(camera: Any, size: tuple[int, int] | None) -> tuple[Any, tuple[int, int] | None]:
    """The camera with its window widened to the picture's shape: pixels stay square."""
    from dataclasses import replace

    if size is None or min(size) < 1:
        return camera, size
    left, right, bottom, top = camera.window
    across, up = max(1.0, size[1] / size[0]), max(1.0, size[0] / size[1])
    return replace(camera, window=(left * across, right * across, bottom * up, top * up)), size


def _note_clamped(asked: Any, used: Any) -> None:
    if asked is not used:
        print(
            f"note: the model knows no such view; rendered from yaw {math.degrees(used.yaw):.0f}°, "
            f"pitch {math.degrees(used.pitch):.0f}°",
            file=sys.stderr,
        )


def _progress(items: Sequence[Any], label: str) -> Iterable[Any]:
    """The items, with a bar on a terminal where tqdm is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, desc=label, disable=None)


def _save(path: Path, write: Callable[[Path], None]) -> None:
    from .files import replacing

    _check_picture(path)
    with replacing(path) as temporary:
        write(temporary)


def _check_picture(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise PortraitError(f"Pictures are written as .png, not as {path.name}.")


def _write_picture(picture: Tensor, path: Path) -> None:
    """Write (H, W, 4) in [0, 1] as 8 bit sRGB; without alpha where the picture is opaque."""
    from .files import load_pillow

    image = load_pillow()
    values = picture.clamp(0, 1).mul(255).round().byte().numpy()
    if values[..., 3].min() == 255:
        values = values[..., :3]
    _save(path, lambda temporary: image.fromarray(values).save(temporary))


def _write_depth(depth: Tensor, path: Path) -> None:
    """Write planar depth (H, W) as 16 bit steps; 0 where nothing is hit."""
    from .files import load_pillow

    image = load_pillow()
    steps = depth.mul(DEPTH_SCALE).nan_to_num(posinf=0).round().clamp(0, 65535)
    values = steps.int().numpy().astype("<u2")
    _save(path, lambda temporary: image.fromarray(values).save(temporary))


def _write_text(path: Path, text: str) -> None:
    from .files import write_bytes

    write_bytes(path, text.encode())


if __name__ == "__main__":
    sys.exit(main())
