"""Pictures from core as Blender images and render passes.

Blender keeps rows from the bottom up and pixels in one flat run; core keeps them from the top down.
Buffers are written with ``foreach_set``, which is a hundred times faster than assignment.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ..core.compositing import Picture, display_picture, grey_picture, label_picture
from ..core.errors import PortraitError
from ..core.files import replacing
from ..core.parts import PARTS

if TYPE_CHECKING:
    from torch import Tensor

    from ..core.picture import Rendering

OWNER_KEY = "ssgan3d_portrait"


def flat(pixels: Tensor) -> np.ndarray:
    """(H, W) or (H, W, C), row 0 at the top, as Blender's flat run of floats from the bottom up."""
    return np.ascontiguousarray(pixels.numpy()[::-1], np.float32).ravel()


def check_space(path: Path, size: tuple[int, int], channels: int) -> None:
    """Refuse to begin a picture that the disk has no room for.

    Blender does not notice a disk that fills up while it writes: it says "saved" and leaves a file
    that is cut off.

    Args:
        path: of the file to write; its folder need not be there yet.
        size: (width, height) in pixels.
        channels: 32 bit values a pixel, as if nothing could be compressed.

    Raises:
        PortraitError: there is too little room.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    free, needed = shutil.disk_usage(folder).free, size[0] * size[1] * channels * 4
    if free < needed:
        raise PortraitError(
            f"The disk of {folder} is full: {free / 1e6:.1f} MB are free, and a picture may take "
            f"{needed / 1e6:.1f} MB. Make room or choose another folder."
        )


def store(
    name: str, pixels: Tensor, *, is_data: bool = False, exact: bool = False
) -> bpy.types.Image:
    """Make a packed image, or replace the one that an earlier call made under this name.

    Args:
        pixels: (H, W, 4). sRGB in [0, 1] if it is a picture, any floats if it is data.
        is_data: the values are no colours: no colour management touches them.
        exact: keep 32 bit floats; otherwise 8 bits, which take a hundredth of the space.
    """
    height, width, _ = pixels.shape
    image = bpy.data.images.new(
        name, width, height, alpha=True, float_buffer=exact, is_data=is_data
    )
    image.pixels.foreach_set(flat(pixels))
    image.update()
    image.pack()
    image.use_fake_user = True
    image[OWNER_KEY] = name
    for older in [other for other in bpy.data.images if other.get(OWNER_KEY) == name]:
        if older != image and older.library is None:
            older.user_remap(image)
            bpy.data.images.remove(older)
    image.name = name
    return image


def write_png(path: Path, pixels: Tensor) -> None:
    """Write a picture at once or not at all; without alpha where it is opaque.

    Blender itself writes: its Python has no other library for pictures.

    Args:
        pixels: (H, W, 4) sRGB in [0, 1].

    Raises:
        PortraitError: Blender could not write there, or the disk is full.
        OSError: the folder cannot be made.
    """
    height, width, _ = pixels.shape
    check_space(path, (width, height), 1)
    opaque = bool(pixels[..., 3].min() == 1)
    image = bpy.data.images.new(path.name, width, height, alpha=not opaque)
    try:
        image.pixels.foreach_set(flat(pixels))
        image.file_format = "PNG"
        with replacing(path) as temporary:
            image.filepath_raw = str(temporary)
            try:
                image.save()
            except RuntimeError as error:
                raise PortraitError(f"Blender could not write {path}: {error}") from error
    finally:
        bpy.data.images.remove(image)


def store_rendering(
    name: str, rendering: Rendering, scale: float, transparent: bool, part_masks: bool
) -> list[bpy.types.Image]:
    """Store a rendering's picture, part colours and depth, and its soft masks if they are wanted.

    Args:
        scale: length of a model unit in Blender units.
    """
    picture = Picture([(rendering, scale)], transparent=transparent)
    made = [
        store(f"{name} Image", display_picture(rendering, transparent=transparent)),
        store(f"{name} Mask", label_picture(picture.labels)),
        store(f"{name} Depth", grey_picture(picture.depth), is_data=True, exact=True),
    ]
    if part_masks:
        made += [
            store(f"{name} {part.label}", grey_picture(mask), is_data=True)
            for part, mask in zip(PARTS, picture.masks, strict=True)
        ]
    return made
