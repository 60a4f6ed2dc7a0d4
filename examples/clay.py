"""Part meshes in clay, by Cycles: what a face is without its colours.

    .venv/bin/python -m examples.clay docs/images/clay.jpg --models before.safetensors

A row for each of some seeds: its picture, then its meshes from in front, from a half profile and
from a profile, by each of the models and by the embedded one.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import bpy
import numpy as np
import torch
from mathutils import Euler, Vector
from PIL import Image
from torch import Tensor

from core.engine import PortraitEngine
from core.meshing import extract_meshes
from examples.sheets import TILE, pictures, save

SEEDS = (29, 65, 112, 163)
YAWS = (0, 40, 80)
"""In degrees."""
RESOLUTION = 256
SAMPLES = 32
_HEIGHT, _SIDE = -0.02, 1.35
"""Of the middle and the side of what is shown, in model units."""


def put_meshes(engine: PortraitEngine, seed: int, material: bpy.types.Material) -> None:
    """The meshes of a seed into an empty scene, a model unit a metre."""
    for name, mesh in extract_meshes(engine, engine.sample(seed), resolution=RESOLUTION).items():
        data = bpy.data.meshes.new(name)
        x, y, z = np.asarray(mesh.vertices).T
        data.from_pydata(np.stack([x, -z, y], 1), [], mesh.faces)
        data.polygons.foreach_set("use_smooth", [True] * len(data.polygons))
        data.materials.append(material)
        bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, data))


def clay() -> bpy.types.Material:
    """A matt grey."""
    material = bpy.data.materials.new("clay")
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (0.45, 0.42, 0.4, 1)
    shader.inputs["Roughness"].default_value = 0.7
    return material


def set_scene() -> bpy.types.Object:
    """An empty scene with light from above and one side, and its camera."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = True
    scene.render.resolution_x = scene.render.resolution_y = TILE
    scene.view_settings.view_transform = "Standard"
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0.25, 0.27, 0.3, 1)
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.angle = 3.0, 0.15
    sun.rotation_euler = Euler((math.radians(50), 0, math.radians(40)))
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", _SIDE
    for one in (sun, camera):
        scene.collection.objects.link(one)
    scene.camera = camera
    return camera


def clay_pictures(engine: PortraitEngine, seed: int) -> list[Tensor]:
    """The meshes of a seed from each side, (3, TILE, TILE) in [-1, 1] each."""
    camera = set_scene()
    put_meshes(engine, seed, clay())
    shown = []
    with tempfile.TemporaryDirectory() as folder:
        for yaw in YAWS:
            turned = Euler((math.pi / 2, 0, math.radians(yaw)))
            camera.rotation_euler = turned
            back = turned.to_matrix() @ Vector((0, 0, 4))
            camera.location = back + Vector((0, 0, _HEIGHT))
            path = Path(folder) / "clay.png"
            bpy.context.scene.render.filepath = str(path)
            bpy.ops.render.render(write_still=True)
            pixels = torch.from_numpy(np.array(Image.open(path).convert("RGB")))
            shown.append(pixels.permute(2, 0, 1) / 127.5 - 1)
    return shown


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--models", type=Path, nargs="*", default=[], help="model files of before")
    arguments = parser.parse_args()
    engines = [PortraitEngine.load(path) for path in (*arguments.models, None)]
    rows = []
    for seed in SEEDS:
        shown = pictures(engines[-1], engines[-1].sample(seed), 0)
        rows.append(shown + [one for engine in engines for one in clay_pictures(engine, seed)])
    save(arguments.out, rows)


if __name__ == "__main__":
    main()
