"""What a card is made of: a plane, images that are packed into the file, a material.

The plane is the model's own picture plane: a square of the side that the model is trained with. The
images hold pixels and nothing of the extension, so that a file opened without it shows the last
picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..core.config import ModelConfig
from ..core.parts import PARTS
from .cards import CARD_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

SIDE = ModelConfig.frame_side * ModelConfig.unit_metres
PICTURE_NODE = "Portrait Picture"
# Two names for the same thing on a card, see _wake_cycles.
ALIKE = {"EXTEND": "MIRROR", "MIRROR": "EXTEND"}


def create(
    context: bpy.types.Context, portrait: bpy.types.Object, *, lit: bool
) -> bpy.types.Object:
    """A card without pixels, hung on its portrait, in the active collection.

    Args:
        lit: the scene's lamps light the picture; otherwise it shines in its own colours.
    """
    name = f"{portrait.name} Card"
    half = SIDE / 2
    mesh = bpy.data.meshes.new(name)
    corners = [(-half, -half, 0), (half, -half, 0), (half, half, 0), (-half, half, 0)]
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    layer = mesh.uv_layers.new(name="UVMap")
    layer.data.foreach_set("uv", [0, 0, 1, 0, 1, 1, 0, 1])
    card = bpy.data.objects.new(name, mesh)
    context.collection.objects.link(card)
    card.parent = portrait
    settings = card.ssgan3d_card
    settings.is_card, settings.portrait = True, portrait
    settings.image = _new_image(card.name, settings.resolution)
    mesh.materials.append(None)
    # On the object, so that a card made with Alt-D can have a material of its own.
    card.material_slots[0].link = "OBJECT"
    card.material_slots[0].material = _material(card.name, settings.image, lit)
    return card


def discard(card: bpy.types.Object) -> None:
    """Take back what :func:`create` made, and what masks there are already."""
    _remove_masks(card)
    mesh, image, material = card.data, card.ssgan3d_card.image, card.active_material
    bpy.data.objects.remove(card)
    bpy.data.meshes.remove(mesh)
    bpy.data.materials.remove(material)
    bpy.data.images.remove(image)


def _new_image(name: str, side: int, *, is_data: bool = False) -> bpy.types.Image:
    image = bpy.data.images.new(name, side, side, alpha=True, is_data=is_data)
    # Colour and alpha are kept apart: colours of thin hair would lose bits if they were multiplied.
    image.alpha_mode = "CHANNEL_PACKED"
    image[CARD_KEY] = True
    return image


def _material(name: str, image: bpy.types.Image, lit: bool) -> bpy.types.Material:
    """The picture with its alpha, shining by itself or lit."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # Blender 5.0 and later give every material its nodes
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    picture = nodes.new("ShaderNodeTexImage")
    picture.name = picture.label = PICTURE_NODE
    picture.image, picture.extension = image, "EXTEND"
    output = nodes.new("ShaderNodeOutputMaterial")
    picture.location, output.location = (-350, 0), (450, 0)
    if lit:
        surface = nodes.new("ShaderNodeBsdfPrincipled")
        surface.inputs["Roughness"].default_value = 0.7
        links.new(picture.outputs["Color"], surface.inputs["Base Color"])
        links.new(picture.outputs["Alpha"], surface.inputs["Alpha"])
    else:
        light, clear = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeBsdfTransparent")
        light.location, clear.location = (0, -120), (0, 60)
        surface = nodes.new("ShaderNodeMixShader")
        surface.location = (230, 0)
        links.new(picture.outputs["Color"], light.inputs["Color"])
        links.new(picture.outputs["Alpha"], surface.inputs[0])
        links.new(clear.outputs[0], surface.inputs[1])
        links.new(light.outputs[0], surface.inputs[2])
    links.new(surface.outputs[0], output.inputs["Surface"])
    return material


def put_pixels(
    card: bpy.types.Object, picture: Tensor, masks: Iterable[tuple[str, Tensor]] | None
) -> None:
    """Write a picture into a card's images so that every render engine sees it.

    Args:
        picture: (S, S, 4) with straight alpha.
        masks: each part's name and mask, (S, S, 4); one at a time, for large ones take memory. None
            removes the images and nodes of the masks.
    """
    settings = card.ssgan3d_card
    _part_from_copies(card)
    _fill_image(settings.image, picture)
    if masks is None:
        _remove_masks(card)
    else:
        _add_masks(card)
        for name, mask in masks:
            _fill_image(settings.masks[name].image, mask)
    _wake_cycles(card)


def _fill_image(image: bpy.types.Image, pixels: Tensor) -> None:
    """Write (S, S, 4) into an image."""
    from . import images

    side = pixels.shape[0]
    if tuple(image.size) != (side, side):
        image.scale(side, side)
    image.pixels.foreach_set(images.flat(pixels))
    image.update()
    if bpy.app.background:  # with a window, Blender does it itself
        image.gl_free()
    image.update_tag()


def _wake_cycles(card: bpy.types.Object) -> None:
    """Make Cycles load a card's images again in the 3D view and with Persistent Data.

    It keeps a texture while image and settings are the same, whatever became of the pixels. Inside
    the square, EXTEND and MIRROR look alike and are two settings.
    """
    settings = card.ssgan3d_card
    ours = {settings.image, *(mask.image for mask in settings.masks)}
    for node in _texture_nodes(card):
        if node.image in ours:
            node.extension = ALIKE.get(node.extension, node.extension)


def _part_from_copies(card: bpy.types.Object) -> None:
    """Give a duplicated card images and a material of its own."""
    settings = card.ssgan3d_card
    others = {item.ssgan3d_card.image for item in bpy.data.objects if item != card}
    if settings.image not in others:
        return
    copies = {}
    for owner in (settings, *settings.masks):
        if owner.image is not None:  # else somebody has deleted it, and it is made anew
            copies[owner.image] = owner.image.copy()
            owner.image = copies[owner.image]
    if card.active_material is None:
        return
    card.active_material = card.active_material.copy()
    for node in _texture_nodes(card):
        node.image = copies.get(node.image, node.image)


def _texture_nodes(card: bpy.types.Object) -> Iterator[bpy.types.ShaderNodeTexImage]:
    """The image nodes of a card's material."""
    if card.active_material is not None and card.active_material.node_tree is not None:
        for node in card.active_material.node_tree.nodes:
            if node.type == "TEX_IMAGE":
                yield node


def _add_masks(card: bpy.types.Object) -> None:
    """An image and a texture node for each part that has none yet."""
    settings = card.ssgan3d_card
    for number, part in enumerate(PARTS):
        mask = settings.masks.get(part.name)
        if mask is None:
            mask = settings.masks.add()
            mask.name = part.name
        if mask.image is not None:
            continue
        mask.image = _new_image(f"{card.name} {part.label}", settings.resolution, is_data=True)
        if card.active_material is None:
            continue
        name = f"{part.label} Mask"
        for node in _texture_nodes(card):
            if node.name == name and node.image is None:  # its image was deleted, its links are not
                node.image = mask.image
                break
        else:
            node = card.active_material.node_tree.nodes.new("ShaderNodeTexImage")
            node.name = node.label = name
            node.image, node.extension, node.hide = mask.image, "EXTEND", True
            node.location = (-350, -300 - 50 * number)


def _remove_masks(card: bpy.types.Object) -> None:
    settings = card.ssgan3d_card
    gone = [mask.image for mask in settings.masks if mask.image is not None]
    settings.masks.clear()
    for node in [node for node in _texture_nodes(card) if node.image in gone]:
        card.active_material.node_tree.nodes.remove(node)
    for image in gone:
        if not image.users:
            bpy.data.images.remove(image)


def pack(card: bpy.types.Object) -> None:
    """Keep a card's pixels in the file."""
    settings = card.ssgan3d_card
    for owner in (settings, *settings.masks):
        if owner.image is not None:
            _pack_image(owner.image)


def pack_all() -> None:
    """Keep the pixels of all cards in the file."""
    for image in bpy.data.images:
        if CARD_KEY in image:
            _pack_image(image)


def _pack_image(image: bpy.types.Image) -> None:
    if image.is_dirty and image.library is None:
        image.pack()
