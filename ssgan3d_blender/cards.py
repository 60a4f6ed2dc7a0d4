"""Portrait cards: a plane with a portrait's picture, which stands in a Cycles or EEVEE scene.

A card is the model's own picture plane: a square through the portrait's origin, square to the line
of sight of the scene's camera. What the camera sees on it is what the portrait engine would show.
A live card turns to the camera and gets a new picture whenever camera, portrait or frame changed;
renders wait for it. Its pixels are packed into the file, so that a file opened without the
extension shows the last picture.
"""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
from bpy.app.handlers import persistent
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from mathutils import Matrix, Vector

from ..core.config import ModelConfig
from ..core.errors import PortraitError
from ..core.parts import PARTS
from . import cameras, jobs, panel, portraits, preferences, runtime
from .messages import cancels_on_error, describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from ..core.camera import Camera

SIDE = ModelConfig.frame_side * ModelConfig.unit_metres
CARD_KEY = "ssgan3d_card"  # marks images that belong to a card
PICTURE_NODE = "Portrait Picture"
CATCH_UP_SECONDS = 0.1
SAME = 1e-5
# Two names for the same thing on a card, see _wake_cycles.
ALIKE = {"EXTEND": "MIRROR", "MIRROR": "EXTEND"}

# What the images are known to show in this session, and what went wrong; by session_uid.
_shown: dict[int, str] = {}
_problems: dict[int, str] = {}


def _redraw(self: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """Tell Blender that the card changed, so that a live one is refreshed."""
    self.id_data.update_tag()


class SSGAN3D_PG_card_mask(bpy.types.PropertyGroup):
    """The soft mask of one part. ``name`` is the part's name in ``core.parts``."""

    image: PointerProperty(type=bpy.types.Image, name="Image")


class SSGAN3D_PG_card(bpy.types.PropertyGroup):
    """One card."""

    is_card: BoolProperty(
        name="Portrait Card", description="This plane shows a portrait", options=set()
    )
    portrait: PointerProperty(
        type=bpy.types.Object,
        name="Portrait",
        description="Whose picture the card shows",
        poll=lambda _self, candidate: candidate.ssgan3d.is_portrait,
        update=_redraw,
    )
    resolution: IntProperty(
        name="Resolution",
        description="Side of the card's picture in pixels",
        default=512,
        min=16,
        max=4096,
        soft_max=2048,
        options=set(),
        update=_redraw,
    )
    use_masks: BoolProperty(
        name="Part Masks",
        description="Keep one image more for each part, white where the part is seen, as texture "
        "nodes in the card's material. Switching it off removes them",
        options=set(),
        update=_redraw,
    )
    live: BoolProperty(
        name="Live",
        description="Turn to the scene's camera and draw the picture anew whenever the camera, the "
        "portrait or the frame changes. Off: the card stays as it is until you update it",
        default=True,
        options=set(),
        update=_redraw,
    )
    image: PointerProperty(type=bpy.types.Image, name="Image", description="The card's picture")
    masks: CollectionProperty(type=SSGAN3D_PG_card_mask, name="Masks")
    shown: StringProperty(
        name="Shown", description="Stands for what the picture shows", options={"HIDDEN"}
    )


class _Sight(NamedTuple):
    """What a card should show: the evaluated portrait, its place, the camera, and their digest."""

    portrait: bpy.types.Object
    matrix: Matrix
    camera: Camera
    key: str


def _are_there() -> bool:
    """Whether the file holds any card at all."""
    return any(CARD_KEY in image for image in bpy.data.images)


def in_scene(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """All cards of a scene. Costs next to nothing in files without cards."""
    if not _are_there():
        return []
    return [candidate for candidate in scene.objects if candidate.ssgan3d_card.is_card]


def card_of(scene: bpy.types.Scene, portrait: bpy.types.Object) -> bpy.types.Object | None:
    """The card that shows a portrait in a scene."""
    found = (card for card in in_scene(scene) if card.ssgan3d_card.portrait == portrait)
    return next(found, None)


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


def refresh(
    card: bpy.types.Object,
    scene: bpy.types.Scene,
    depsgraph: bpy.types.Depsgraph,
    *,
    force: bool = False,
) -> None:
    """Turn a card to the scene's camera, and render its picture if that is not what it shows.

    Args:
        depsgraph: where camera and portrait are looked up; in a render the render's own.
        force: render in any case.

    Raises:
        PortraitError: there is no picture to make; the message says why.
    """
    sight = _sight(card, scene, depsgraph)
    _turn(card, sight, depsgraph)
    if force or _shown.get(card.ssgan3d_card.image.session_uid) != sight.key:
        _fill_card(card, sight)


def _sight(
    card: bpy.types.Object, scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph
) -> _Sight:
    settings = card.ssgan3d_card
    if settings.portrait is None:
        raise PortraitError(f"The portrait of {card.name!r} is gone: delete the card as well.")
    if settings.image is None:
        raise PortraitError(f"The image of {card.name!r} is gone: delete the card and add it anew.")
    if scene.camera is None:
        raise PortraitError("This scene has no camera that a card could face: add one.")
    portrait = settings.portrait.evaluated_get(depsgraph)
    matrix = portrait.matrix_world.copy()
    camera = cameras.seen_by(scene.camera.evaluated_get(depsgraph), matrix)
    if not camera.orthographic and camera.distance < SAME:
        raise PortraitError("The camera stands inside the portrait: move it away.")
    facts = (
        _values(portrait.ssgan3d),
        [round(float(value), 6) + 0.0 for value in _standpoint(camera)],
        (settings.resolution, settings.use_masks),
        (str(preferences.model_choice().path), preferences.get().outside),
    )
    return _Sight(portrait, matrix, camera, hashlib.sha256(repr(facts).encode()).hexdigest())


def _standpoint(camera: Camera) -> Any:
    """All of a camera that a card's picture depends on."""
    return camera.direction if camera.orthographic else camera.position


def _values(group: bpy.types.PropertyGroup) -> list[object]:
    """All that a portrait stores, without torch, which :func:`portraits.recipe` would import."""
    values: list[object] = []
    for prop in group.bl_rna.properties:
        if prop.identifier in {"rna_type", "active_part"}:
            continue
        value = getattr(group, prop.identifier)
        if prop.type == "COLLECTION":
            values += [_values(item) for item in value]
        else:
            values.append(tuple(value) if getattr(prop, "is_array", False) else value)
    return values


def _turn(card: bpy.types.Object, sight: _Sight, depsgraph: bpy.types.Depsgraph) -> None:
    """Put a card into the portrait's picture plane, whatever it hangs on."""
    from ..core.camera import canonical_camera
    from .camera_bridge import AXES, object_scale

    plane = canonical_camera(sight.camera, ModelConfig()).pose[:3, :3].tolist()
    turn = (sight.matrix @ AXES).to_3x3().normalized() @ Matrix(plane)
    scale = Vector.Fill(3, object_scale(sight.matrix))
    world = Matrix.LocRotScale(sight.matrix.translation, turn.to_quaternion(), scale)
    now = card.evaluated_get(depsgraph)
    hung_on = now.matrix_world @ now.matrix_basis.inverted_safe()
    basis = hung_on.inverted_safe() @ world
    apart = basis - card.matrix_basis
    if (
        max(abs(value) for row in apart for value in row) > SAME
    ):  # each change makes Blender evaluate the scene again
        card.matrix_basis = basis


def _fill_card(card: bpy.types.Object, sight: _Sight) -> None:
    """Render a card's picture and masks into its images."""
    from ..core.camera import canonical_camera
    from ..core.compositing import display_picture, grey_picture

    settings = card.ssgan3d_card
    engine = runtime.engine(preferences.model_choice())
    rendering = engine.render(
        portraits.recipe(sight.portrait).resolve(engine),
        canonical_camera(sight.camera, ModelConfig()),
        size=(settings.resolution, settings.resolution),
        outside=preferences.get().outside,
    )
    _part_from_copies(card)
    _fill_image(settings.image, display_picture(rendering, transparent=True))
    if settings.use_masks:
        _add_masks(card)
        for part, mask in zip(PARTS, rendering.mask[0], strict=True):
            _fill_image(settings.masks[part.name].image, grey_picture(mask))
    else:
        _remove_masks(card)
    _wake_cycles(card)
    settings.shown = _shown[settings.image.session_uid] = sight.key


def _fill_image(image: bpy.types.Image, pixels: Tensor) -> None:
    """Write (S, S, 4) into an image so that every render engine sees it."""
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
        node = card.active_material.node_tree.nodes.new("ShaderNodeTexImage")
        node.name = node.label = f"{part.label} Mask"
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


def _pack(card: bpy.types.Object) -> None:
    """Keep a card's pixels in the file."""
    settings = card.ssgan3d_card
    for owner in (settings, *settings.masks):
        if owner.image is not None and owner.image.is_dirty and owner.image.library is None:
            owner.image.pack()


def _refresh_live(
    card: bpy.types.Object, scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph
) -> None:
    """Refresh a card from where nobody could catch an error: it is kept for the panel."""
    try:
        refresh(card, scene, depsgraph)
    except Exception as error:
        problem = describe(error)
        if _problems.get(card.session_uid) != problem:
            print(f"{card.name}: {problem}", file=sys.stderr)
        _problems[card.session_uid] = problem
    else:
        _problems.pop(card.session_uid, None)


def _live(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The cards of a scene that are to follow it; linked ones cannot."""
    return [card for card in in_scene(scene) if card.ssgan3d_card.live and card.is_editable]


@persistent
def _frame_changed(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Refresh all live cards: at once, for Blender renders the frame as it is left here.

    Blender evaluates the scene again after this, so that renders see the card turned.
    """
    scene = scene.original
    waits = depsgraph.mode == "VIEWPORT" and not bpy.app.background
    if waits and not runtime.is_ready(preferences.model_choice()):
        _catch_up_soon()  # playback is not held up until the model is there; a render is
        return
    for card in _live(scene):
        _refresh_live(card, scene, depsgraph)


@persistent
def _scene_changed(*_: object) -> None:
    """Something changed in the scene: look soon whether it changes a card."""
    if not bpy.app.background and _are_there():
        _catch_up_soon()


@persistent
def _undone(*_: object) -> None:
    """Undo brings objects back, but nobody knows which pixels the images hold then."""
    _shown.update(dict.fromkeys(_shown, ""))


@persistent
def _saving(*_: object) -> None:
    for image in bpy.data.images:
        if CARD_KEY in image and image.is_dirty and image.library is None:
            image.pack()


def _catch_up_soon() -> None:
    if not bpy.app.timers.is_registered(_catch_up):
        bpy.app.timers.register(_catch_up, first_interval=CATCH_UP_SECONDS)


def _catch_up() -> float | None:
    """Timer: refresh the cards that no longer show what they should; later if the model is busy."""
    if bpy.app.is_job_running("RENDER") or jobs.running():
        return CATCH_UP_SECONDS
    for window in bpy.context.window_manager.windows:
        depsgraph = window.view_layer.depsgraph
        stale = [card for card in _live(window.scene) if not _is_fresh(card, window, depsgraph)]
        if not stale:
            continue
        choice = preferences.model_choice()
        if not runtime.is_ready(choice) and runtime.failure(choice) is None:
            runtime.load_in_background(choice)
            return CATCH_UP_SECONDS
        for card in stale:
            _refresh_live(card, window.scene, depsgraph)
    return None


def _is_fresh(
    card: bpy.types.Object, window: bpy.types.Window, depsgraph: bpy.types.Depsgraph
) -> bool:
    """Whether a card's picture is right; it is turned to the camera in any case.

    A file that was opened is trusted, so that opening it does not load the model.
    """
    try:
        sight = _sight(card, window.scene, depsgraph)
    except PortraitError:
        return False  # the refresh says it
    _turn(card, sight, depsgraph)
    settings = card.ssgan3d_card
    return _shown.get(settings.image.session_uid, settings.shown) == sight.key


class SSGAN3D_OT_add_card(bpy.types.Operator):
    """Add a card."""

    bl_idname = "ssgan3d.add_card"
    bl_label = "Add Portrait Card"
    bl_description = (
        "Stand the portrait in a Cycles or EEVEE scene: a plane with its picture, cut out, that "
        "faces the scene's camera and follows camera, portrait and frame. Sets Lock Interface, so "
        "that cards can change during a render"
    )
    bl_options = {"REGISTER", "UNDO"}

    shading: EnumProperty(
        name="Shading",
        description="How the picture meets the scene's light",
        items=(
            ("SHINE", "As Rendered", "In the model's own colours, whatever the light"),
            ("LIT", "Lit", "As the colour of a matt surface under the scene's lamps"),
        ),
        default="SHINE",
    )
    resolution: IntProperty(
        name="Resolution",
        description="Side of the card's picture in pixels",
        default=512,
        min=16,
        max=4096,
        soft_max=2048,
    )
    masks: BoolProperty(
        name="Part Masks",
        description="Also make one mask a part, as texture nodes in the card's material",
        default=False,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a portrait, and objects can only be added in object mode."""
        if not (portraits.in_object_mode(cls, context) and portraits.needed(cls, context)):
            return False
        if card_of(context.scene, portraits.active(context)) is not None:
            cls.poll_message_set("This portrait has a card already")
            return False
        if context.scene.camera is None:
            cls.poll_message_set("The scene has no camera that a card could face")
            return False
        return True

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the plane, then its picture; without a picture there is no plane."""
        card = create(context, portraits.active(context), lit=self.shading == "LIT")
        settings = card.ssgan3d_card
        settings.resolution, settings.use_masks = self.resolution, self.masks
        try:
            refresh(card, context.scene, context.evaluated_depsgraph_get())
        except Exception:
            _discard(card)
            raise
        _pack(card)
        context.scene.render.use_lock_interface = True
        for other in context.selected_objects:
            other.select_set(False)
        card.select_set(True)
        context.view_layer.objects.active = card
        return {"FINISHED"}


def _discard(card: bpy.types.Object) -> None:
    """Take back what :func:`create` made."""
    mesh, image, material = card.data, card.ssgan3d_card.image, card.active_material
    bpy.data.objects.remove(card)
    bpy.data.meshes.remove(mesh)
    bpy.data.materials.remove(material)
    bpy.data.images.remove(image)


class SSGAN3D_OT_update_cards(bpy.types.Operator):
    """Update all cards."""

    bl_idname = "ssgan3d.update_cards"
    bl_label = "Update Cards"
    bl_description = (
        "Turn every card of the scene to the camera, draw its picture anew and pack it into the "
        "file; cards that are not live as well"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be a card."""
        if any(card.is_editable for card in in_scene(context.scene)):
            return True
        cls.poll_message_set("This scene has no portrait card: add one first")
        return False

    @cancels_on_error
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Refresh and pack."""
        depsgraph = context.evaluated_depsgraph_get()
        cards = [card for card in in_scene(context.scene) if card.is_editable]
        for card in cards:
            refresh(card, context.scene, depsgraph, force=True)
            _problems.pop(card.session_uid, None)
            _pack(card)
        self.report({"INFO"}, f"{len(cards)} portrait card{'s' * (len(cards) > 1)} updated")
        return {"FINISHED"}


class SSGAN3D_PT_card(panel.PortraitPanel, bpy.types.Panel):
    """The portrait's card."""

    bl_label = "Card"
    bl_parent_id = "SSGAN3D_PT_portrait"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """A button that adds the card, or the card's settings and what is wrong with it."""
        layout, scene = self.layout, context.scene
        card = context.view_layer.objects.active
        if not card.ssgan3d_card.is_card:
            card = card_of(scene, portraits.active(context))
        if card is None:
            layout.label(text="For Cycles and EEVEE scenes", icon="INFO")
            layout.operator("ssgan3d.add_card", icon="IMAGE_PLANE")
            return
        settings = card.ssgan3d_card
        layout.use_property_split = True
        layout.use_property_decorate = False
        problem = _problems.get(card.session_uid)
        if problem:
            layout.label(text=problem, icon="ERROR")
        column = layout.column()
        column.prop(settings, "portrait")
        column.prop(settings, "resolution")
        column.prop(settings, "use_masks")
        column.prop(settings, "live")
        if settings.live and not scene.render.use_lock_interface:
            layout.label(text="Renders of live cards need", icon="ERROR")
            layout.prop(scene.render, "use_lock_interface", text="Lock Interface")
        if panel.colours_differ(scene):
            layout.label(text="Colours are not the model's", icon="INFO")
            button = layout.operator("ssgan3d.setup_scene", text="True Colours")
            button.use_engine, button.use_camera, button.use_colours = False, False, True
        layout.operator("ssgan3d.update_cards", icon="FILE_REFRESH")


def attach() -> None:
    """Hang the settings on objects and follow frames, changes, undo and saving."""
    bpy.types.Object.ssgan3d_card = PointerProperty(type=SSGAN3D_PG_card, name="Portrait Card")
    handlers = bpy.app.handlers
    handlers.frame_change_post.append(_frame_changed)
    handlers.depsgraph_update_post.append(_scene_changed)
    handlers.undo_post.append(_undone)
    handlers.redo_post.append(_undone)
    handlers.save_pre.append(_saving)


def detach() -> None:
    """Undo :func:`attach`."""
    handlers = bpy.app.handlers
    handlers.save_pre.remove(_saving)
    handlers.redo_post.remove(_undone)
    handlers.undo_post.remove(_undone)
    handlers.depsgraph_update_post.remove(_scene_changed)
    handlers.frame_change_post.remove(_frame_changed)
    if bpy.app.timers.is_registered(_catch_up):
        bpy.app.timers.unregister(_catch_up)
    _shown.clear()
    _problems.clear()
    del bpy.types.Object.ssgan3d_card


CLASSES = (
    SSGAN3D_PG_card_mask,
    SSGAN3D_PG_card,
    SSGAN3D_OT_add_card,
    SSGAN3D_OT_update_cards,
    SSGAN3D_PT_card,
)
