"""Pictures from core as Blender images and render passes.

Blender keeps rows from the bottom up and pixels in one flat run; core keeps them from the top down.
Buffers are written with ``foreach_set``, which is a hundred times faster than assignment.
"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import bpy
import numpy as np

from ..core.compositing import Picture, display_picture, grey_picture, label_picture
from ..core.errors import PortraitError
from ..core.files import replacing
from ..core.parts import PARTS

if TYPE_CHECKING:
    from torch import Tensor

    from ..core.picture import Rendering

KIND_KEY = "ssgan3d_kind"
OWNER_KEY = "ssgan3d_portrait"
OWNER_NAME_KEY = "ssgan3d_portrait_name"


class Owner(NamedTuple):
    """Whose images, materials and collections are meant: an identity, which outlasts the
    portrait's name.
    """

    identity: str
    name: str


def owner_of(portrait: bpy.types.Object) -> Owner:
    """A portrait as an owner of what it made. Not for drawing: may write to the portrait.

    It gets an identity if it has none, or one that another portrait keeps: duplicates copy it. A
    portrait that is linked from another file is known by its name and that file.
    """
    settings = portrait.ssgan3d
    if portrait.library is not None:
        return Owner(f"{portrait.library.filepath}: {portrait.name}", portrait.name)
    if not settings.identity or _keeper(settings.identity) != portrait:
        settings.identity = uuid.uuid4().hex
    return Owner(settings.identity, portrait.name)


def _keeper(identity: str) -> bpy.types.Object:
    """Who of all that have an identity keeps it: on whom hang the meshes of its collections, or
    whose name its blocks note, or else the oldest.
    """
    alike = [
        item
        for item in bpy.data.objects
        if item.library is None and item.ssgan3d.identity == identity
    ]
    noted = {
        block.get(OWNER_NAME_KEY)
        for block in (*bpy.data.images, *bpy.data.materials, *bpy.data.collections)
        if block.get(OWNER_KEY) == identity
    }

    def order(item: bpy.types.Object) -> tuple[bool, bool, int]:
        held = {home for child in item.children for home in child.users_collection}
        has_meshes = any(home.get(OWNER_KEY) == identity for home in held)
        return (not has_meshes, item.name not in noted, item.session_uid)

    return min(alike, key=order)


def mark(block: bpy.types.ID, kind: str, owner: Owner | None) -> None:
    """Note on an image, a material or a collection what it is and whose, for :func:`marked`."""
    block[KIND_KEY] = kind
    if owner is not None:
        block[OWNER_KEY], block[OWNER_NAME_KEY] = owner


def marked(blocks: Iterable[bpy.types.ID], kind: str, owner: Owner | None) -> list[bpy.types.ID]:
    """Those of this file's images, materials or collections that are of a kind and an owner.

    Copies, and what came along with an appended portrait, are marked alike: those stand behind the
    one that has the name that it was given.
    """
    wanted = (kind, owner.identity if owner else None)
    found = [
        block
        for block in blocks
        if block.library is None and (block.get(KIND_KEY), block.get(OWNER_KEY)) == wanted
    ]

    def is_renamed(block: bpy.types.ID) -> bool:
        return block.name != title(kind, block.get(OWNER_NAME_KEY))

    return sorted(found, key=lambda block: (is_renamed(block), block.session_uid))


def retitle(block: bpy.types.ID, kind: str, owner: Owner) -> None:
    """Name a marked block after its owner, unless a person has given it another name, and mark it.

    A name with a number behind it counts as given here: something else had the name then.
    """
    given = re.escape(title(kind, block.get(OWNER_NAME_KEY)))
    if re.fullmatch(rf"{given}(\.\d+)?", block.name):
        block.name = title(kind, owner.name)
    mark(block, kind, owner)


def title(kind: str, owner_name: str | None) -> str:
    """The name of what is of a kind and an owner."""
    return f"{owner_name} {kind}" if owner_name else kind


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
            "The disk of {0} is full: {1:.1f} MB are free, and a picture may take "
            "{2:.1f} MB. Make room or choose another folder.",
            folder,
            free / 1e6,
            needed / 1e6,
        )


def store(
    kind: str,
    pixels: Tensor,
    owner: Owner | None = None,
    *,
    is_data: bool = False,
    exact: bool = False,
) -> bpy.types.Image:
    """Make a packed image, or replace the one that an earlier call made for this owner.

    Args:
        kind: what it shows; its name is this and the owner's.
        pixels: (H, W, 4). sRGB in [0, 1] if it is a picture, any floats if it is data.
        is_data: the values are no colours: no colour management touches them.
        exact: keep 32 bit floats; otherwise 8 bits, which take a hundredth of the space.
    """
    height, width, _ = pixels.shape
    earlier = marked(bpy.data.images, kind, owner)
    name = title(kind, owner.name if owner else None)
    image = bpy.data.images.new(
        name, width, height, alpha=True, float_buffer=exact, is_data=is_data
    )
    image.pixels.foreach_set(flat(pixels))
    image.update()
    image.pack()
    image.use_fake_user = True
    mark(image, kind, owner)
    for older in earlier[:1]:
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
                raise PortraitError("Blender could not write {0}: {1}", path, error) from error
    finally:
        bpy.data.images.remove(image)


def store_rendering(
    owner: Owner, rendering: Rendering, scale: float, transparent: bool, part_masks: bool
) -> list[bpy.types.Image]:
    """Store a rendering's picture, part colours and depth, and its soft masks if they are wanted.

    Args:
        scale: length of a model unit in Blender units.
    """
    picture = Picture([(rendering, scale)], transparent=transparent)
    made = [
        store("Image", display_picture(rendering, transparent=transparent), owner),
        store("Mask", label_picture(picture.labels), owner),
        store("Depth", grey_picture(picture.depth), owner, is_data=True, exact=True),
    ]
    if part_masks:
        made += [
            store(part.label, grey_picture(mask), owner, is_data=True)
            for part, mask in zip(PARTS, picture.masks, strict=True)
        ]
    return made
