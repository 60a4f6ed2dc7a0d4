"""How long Blender takes for a turntable through the portrait engine, and for what.

    .venv/bin/python examples/bench_turntable.py [--frames 48] [--size 256] [--passes] [--rounds 3]

Builds the extension's zip, installs it into a bpy with a user folder of its own, renders the
animation to PNG, and prints seconds after the first frame (which loads the model) of the best
round, and the shares of the engine, of saving (Blender's result, colours, PNG), and of the scene
(frame change, depsgraph).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
MODULE = "bl_ext.user_default.ssgan3d_blender"


class Times(NamedTuple):
    """Seconds of all frames but the first, together: first all of it, then its shares.

    Attributes:
        engine: inside the engine's ``render``.
        save: from there until the file is written: Blender's result, colours, PNG.
        scene: from there to the next frame's ``render``: frame change, depsgraph.
    """

    total: float
    engine: float
    save: float
    scene: float


class Stopwatch:
    """Notes when each frame's render begins, when it ends and when its file is there."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.rendered: list[float] = []
        self.written: list[float] = []

    def times(self) -> Times:
        """The sums over all frames but the first."""
        return Times(
            self.written[-1] - self.written[0],
            sum(self.rendered[1:]) - sum(self.begun[1:]),
            sum(self.written[1:]) - sum(self.rendered[1:]),
            sum(self.begun[1:]) - sum(self.written[:-1]),
        )


@contextlib.contextmanager
def watched(watch: Stopwatch) -> Iterator[None]:
    """Let a stopwatch note what Blender does."""
    import bpy

    engine = importlib.import_module(f"{MODULE}.ssgan3d_blender.render_engine").SSGAN3D_RE_engine
    render = engine.render

    def timed(self: object, depsgraph: object) -> None:
        watch.begun.append(time.perf_counter())
        render(self, depsgraph)
        watch.rendered.append(time.perf_counter())

    def note(*_: object) -> None:
        watch.written.append(time.perf_counter())

    engine.render = timed  # Blender looks the method up at each call
    bpy.app.handlers.render_write.append(note)
    try:
        yield
    finally:
        bpy.app.handlers.render_write.remove(note)
        engine.render = render


def install(folder: Path, passes: bool, size: int, frames: int) -> None:
    """Make a bpy that has the extension, and a scene with a turntable."""
    os.environ["BLENDER_USER_RESOURCES"] = str(folder / "user")  # before bpy is imported
    sys.path.insert(0, str(ROOT))
    import bpy

    from build import build_zip

    bpy.ops.extensions.package_install_files(
        filepath=str(build_zip(folder, wheels=False)), repo="user_default", enable_on_install=True
    )
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.ssgan3d.add_portrait(seed=12)
    bpy.ops.ssgan3d.setup_scene()
    scene, layer = bpy.context.scene, bpy.context.view_layer
    scene.render.resolution_x = scene.render.resolution_y = size
    bpy.ops.ssgan3d.camera_path(path="TURNTABLE", frames=frames)
    layer.use_pass_z = passes
    layer.ssgan3d.use_pass_part_index = layer.ssgan3d.use_pass_part_masks = passes
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = "PNG"


def measure(folder: Path) -> Times:
    """Render the animation once."""
    import bpy

    watch = Stopwatch()
    bpy.context.scene.render.filepath = str(folder / "frame_")
    with (folder / "log.txt").open("w") as log, quiet(log.fileno()), watched(watch):
        bpy.ops.render.render(animation=True)
    return watch.times()


@contextlib.contextmanager
def quiet(log: int) -> Iterator[None]:
    """Send Blender's line for each saved frame elsewhere."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(log, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--size", type=int, default=256, help="pixels of each side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--passes", action="store_true", help="depth, part index and masks as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install(folder, arguments.passes, arguments.size, arguments.frames)
        import addon_utils
        import bpy

        # a new round finds nothing cached: it has more cameras than the engine remembers
        best = min(measure(folder) for _ in range(arguments.rounds))
        addon_utils.disable(MODULE)  # an engine that is still registered keeps 4.5 from leaving
        passes = "all passes" if arguments.passes else "no passes"
        print(
            f"bpy {bpy.app.version_string}, {arguments.frames} frames of {arguments.size} px, "
            f"{passes}: {best.total:.2f} s after the first frame, best of {arguments.rounds}"
        )
        for label, seconds in list(best._asdict().items())[1:]:
            each = 1000 * seconds / (arguments.frames - 1)
            print(f"  {label:6} {seconds / best.total:5.0%}  {each:7.1f} ms a frame")


if __name__ == "__main__":
    main()
