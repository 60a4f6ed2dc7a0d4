"""examples/demo.py, which `build.py demo` runs."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import imageio_ffmpeg
import numpy as np
import OpenEXR
import pytest
import torch
from PIL import Image

import build
from core.checkpoint import save_checkpoint
from core.config import ModelConfig
from core.model import SSGAN3D


@pytest.fixture
def demo(tmp_path: Path, monkeypatch) -> ModuleType:
    """The demo's module, whose bpy keeps off the user's own settings if it is loaded here first."""
    if "bpy" not in sys.modules:
        monkeypatch.setenv("BLENDER_USER_RESOURCES", str(tmp_path / "user"))
    return importlib.import_module("examples.demo")


def test_difference_map_runs_from_black_over_red_and_yellow_to_white(demo: ModuleType):
    values = np.array([[0.0, 1 / 3, 2 / 3, 1.0]])
    assert demo.heat(values)[0].tolist() == [[0, 0, 0], [255, 0, 0], [255, 255, 0], [255, 255, 255]]


def test_passes_are_read_by_blenders_names(tmp_path: Path, demo: ModuleType):
    path = tmp_path / "passes.exr"
    depth = np.array([[1.0, 2.0], [3.0, 1e10]], np.float32)
    mask = np.array([[0.0, 0.25], [0.5, 1.0]], np.float32)
    channels = {
        "ViewLayer.Combined.R": depth,
        "ViewLayer.Depth.Z": depth,
        "ViewLayer.Part Face.X": mask,
    }
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, channels).write(str(path))
    passes = demo.read_passes(path)
    assert set(passes) == {"Depth", "Part Face"}
    np.testing.assert_array_equal(passes["Depth"], depth)
    np.testing.assert_array_equal(passes["Part Face"], mask)


def test_contact_sheet_shows_every_picture_at_its_place(demo: ModuleType):
    colors = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    pictures = [np.full((8, 8, 3), color, np.uint8) for color in colors]
    sheet = demo.contact_sheet(
        [("one row", {"a": pictures[0], "b": pictures[1]}), ("another", {"c": pictures[2]})]
    )
    assert sheet.width == demo.SHEET_WIDTH
    counted = {color: count for count, color in sheet.getcolors(1 << 24)}
    assert all(counted[color] == demo.MOST_TILE**2 for color in colors)
    middle = demo.GAP + 28 + demo.MOST_TILE // 2
    assert sheet.getpixel((demo.GAP + demo.MOST_TILE // 2, middle)) == colors[0]
    assert sheet.getpixel((2 * demo.GAP + demo.MOST_TILE * 3 // 2, middle)) == colors[1]


@pytest.mark.slow
def test_demo_writes_everything_it_promises(tmp_path: Path, demo: ModuleType):
    # Any weights will do: what is shown is that every step of the add-on works from the zip.
    model = tmp_path / "model.safetensors"
    torch.manual_seed(0)
    save_checkpoint(model, SSGAN3D(ModelConfig.shipped()), {})
    archive = build.build_zip(tmp_path, wheels=False)
    out = tmp_path / "demo"
    environment = {
        **build.PATIENT,
        **os.environ,
        "BLENDER_USER_RESOURCES": str(tmp_path / "user"),
        "SSGAN3D_MODEL": str(model),
    }
    command = [build.venv_python(), build.ROOT / "examples/demo.py", archive, out]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    frames = sorted((out / "turntable").glob("*.png"))
    assert len(frames) == demo.FRAMES
    assert all(Image.open(frame).size == (demo.SIZE, demo.SIZE) for frame in frames)
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(out / "turntable.mp4"))
    assert (count, seconds) == (demo.FRAMES, pytest.approx(demo.FRAMES / 24, abs=0.05))
    assert (out / "portrait.glb").read_bytes()[:4] == b"glTF"
    assert {"parts.png", "depth.png", "hair_difference.png"} <= {p.name for p in out.iterdir()}
    assert Image.open(out / "contact_sheet.png").width == demo.SHEET_WIDTH
