"""Cryptomatte by part: the file, and Blender's own Cryptomatte node in the compositor."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.blender.helpers import Addon, render_exr


def matte_tree(bpy: Any, part: str) -> None:
    """Make the compositor's result the matte of a part."""
    scene = bpy.context.scene
    if hasattr(scene, "compositing_node_group"):  # from 5.0
        tree = bpy.data.node_groups.new("Matte", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        scene.compositing_node_group = tree
        output = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    node = tree.nodes.new("CompositorNodeCryptomatteV2")
    node.source, node.scene = "RENDER", scene
    node.layer_name = "Faces.CryptoObject"
    node.matte_id = part
    tree.links.new(node.outputs["Matte"], output.inputs[0])


def composited(bpy: Any, path: Path) -> np.ndarray:
    """Press F12 and read the compositor's result: (H, W), red."""
    import OpenEXR

    settings = bpy.context.scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_depth = "OPEN_EXR", "32"
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return np.array(file.channels()["R"].pixels)


@pytest.fixture
def matted(bpy: Any, portrait: Any) -> Any:
    """The view layer with the pass switched on, at as many levels as there are parts."""
    layer = bpy.context.view_layer
    layer.name = "Faces"
    layer.ssgan3d.use_pass_part_index = layer.ssgan3d.use_pass_part_masks = True
    layer.use_pass_cryptomatte_object, layer.pass_cryptomatte_depth = True, 16
    return layer


def test_matte_of_blenders_node_is_the_parts_soft_mask(
    bpy: Any, matted: Any, tmp_path: Path
) -> None:
    passes = render_exr(bpy, tmp_path / "passes.exr")
    for part in ("Hair", "Nose"):
        mask = passes[f"Part {part}.X"]
        assert mask.max() > 0.3
        matte_tree(bpy, part)
        matte = composited(bpy, tmp_path / "matte.exr")
        np.testing.assert_allclose(matte, mask, atol=1e-5)


def test_file_says_what_its_ids_mean(bpy: Any, addon: Addon, matted: Any, tmp_path: Path) -> None:
    import OpenEXR

    matted.pass_cryptomatte_depth = 6
    passes = render_exr(bpy, tmp_path / "a.exr")
    with OpenEXR.File(str(tmp_path / "a.exr")) as file:
        header = dict(file.header())
    key = next(name for name in header if name.startswith("cryptomatte/") and "manifest" in name)
    prefix, _ = key.rsplit("/", 1)
    assert header[f"{prefix}/name"] == "Faces.CryptoObject"
    assert header[f"{prefix}/hash"] == "MurmurHash3_32"
    assert header[f"{prefix}/conversion"] == "uint32_to_float32"
    manifest = json.loads(header[key])
    assert set(manifest) == {part.label for part in addon("core.parts").PARTS}
    # the first id of each pixel is that of the part which has most of it
    ids = passes["CryptoObject00.R"].view(np.uint32)
    best = passes["Part Index.X"]
    for index, part in enumerate(addon("core.parts").PARTS):
        assert (ids[best == index] == int(manifest[part.label], 16)).all()
    shares = [passes[f"CryptoObject0{i}.{channel}"] for i in range(3) for channel in "GA"]
    assert (np.diff(shares, axis=0) <= 0).all()
    assert "CryptoObject03.R" not in passes


def test_hashes_are_the_specifications(addon: Addon) -> None:
    """Known values of MurmurHash3 (x86, 32 bit, seed 0)."""
    murmur3 = addon("core.cryptomatte").murmur3
    assert murmur3("") == 0
    assert murmur3("hello") == 0x248BFA47
    assert murmur3("hello, world") == 0x149BBB7F
    assert murmur3("The quick brown fox jumps over the lazy dog") == 0x2E4FF723
