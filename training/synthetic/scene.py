"""The Blender scene: made once a process; afterwards only positions and attributes change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import bpy
import numpy as np
from mathutils import Euler, Vector

from core.parts import PART_NAMES
from training.synthetic import complexion, eyes, lighting, materials
from training.synthetic.accessories import make_glasses, make_lenses
from training.synthetic.backdrop import sample_backdrop
from training.synthetic.clothes import Garment, ring_quads
from training.synthetic.identity import Identity, sample_identity
from training.synthetic.materials import LABEL_AOVS
from training.synthetic.portrait import Portrait, PortraitBuilder
from training.synthetic.strands import Strands, Surface

_BACKGROUND_SIZE = 128
_GLASSES_COLORS = {
    "black": (0.01, 0.01, 0.012),
    "tortoise": (0.10, 0.035, 0.015),
    "steel": (0.6, 0.55, 0.45),
    "gold": (0.75, 0.52, 0.22),
    "navy": (0.015, 0.03, 0.10),
    "burgundy": (0.12, 0.012, 0.02),
}
_GOLD, _SILVER = (0.8, 0.6, 0.25), (0.75, 0.75, 0.77)


class PortraitScene:
    """Holds one portrait at a time in front of a camera."""

    def __init__(self, builder: PortraitBuilder, size: int, samples: int):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene = bpy.context.scene
        _configure(self.scene, size, samples)
        self._make_world()
        self._make_lamps_and_camera()
        self._make_objects(builder)

    def show(self, portrait: Portrait) -> None:
        """Put the portrait and its light into the scene."""
        identity = portrait.identity
        labels = {
            aov: np.stack(
                [
                    portrait.body_labels.get(name, np.zeros(len(portrait.body)))
                    for name in PART_NAMES[1 + 3 * index : 4 + 3 * index]
                ],
                1,
            )
            for index, aov in enumerate(LABEL_AOVS)
        }
        _set_mesh(
            self._body,
            portrait.body,
            albedo=portrait.body_colors,
            surface=portrait.body_surface,
            detail=portrait.body_detail,
            **labels,
        )
        self._skin.offset.default_value = identity.stream("skin", "spots").uniform(-50, 50, 3)
        self._skin.moles.default_value = identity.skin.moles
        _set_mesh(self._eyes, portrait.eyes, albedo=portrait.eye_colors)
        opacity = np.repeat(portrait.lash_opacity[:, None], 3, 1)
        _set_mesh(self._lashes, portrait.lashes, opacity=opacity)
        tooth = np.tile(eyes.tooth_color(identity), (len(portrait.teeth), 1))
        _set_mesh(self._teeth, portrait.teeth, albedo=tooth, marks=portrait.tooth_marks)
        tongue = np.tile((0.45, 0.13, 0.12), (len(portrait.tongue), 1))
        _set_mesh(self._tongue, portrait.tongue, albedo=tongue)
        garment = portrait.garment
        inside = np.repeat(garment.inside[:, None], 3, 1)
        _set_mesh(self._cloth, garment.vertices, albedo=garment.colors, inside=inside)
        self._show_layers(identity, garment)
        self._show_accessories(portrait)
        self._show_strands(portrait)
        self._show_light(lighting.sample_light(identity.light))
        self._show_background(identity.factors["background"])

    def _show_layers(self, identity: Identity, garment: Garment) -> None:
        """The hem, and a jacket, scarf or hood."""
        outer = identity.clothes.layer_color
        for item, vertices, inside, color in (
            (self._hem, garment.hem, None, garment.hem_color),
            (self._jacket, garment.jacket, garment.jacket_inside, outer),
            (self._ring, garment.ring, None, outer),
        ):
            item.hide_render = vertices is None
            if vertices is not None:
                shown = np.ones(len(vertices)) if inside is None else inside
                colors = np.tile(color, (len(vertices), 1))
                inside_rows = np.repeat(shown[:, None], 3, 1)
                _set_mesh(item, vertices, albedo=colors, inside=inside_rows)

    def aim(self, yaw: float, pitch: float, distance: float) -> None:
        """Move the camera to ``yaw`` and ``pitch`` (radians) about the head.

        The head fills the frame as much at any ``distance`` (decimetres).
        """
        direction = lighting.orbit_direction(yaw, pitch)
        location = lighting.FOCUS + direction * distance
        self._camera.data.angle = 2 * math.atan(lighting.FRAME_SIDE / 2 / distance)
        self._camera.location = _to_blender(location)
        self._camera.rotation_euler = _facing(_to_blender(direction))

    def _make_world(self) -> None:
        world = bpy.data.worlds.new("world")
        self.scene.world = world
        world.use_nodes = True
        world.cycles.sampling_method = "MANUAL"
        world.cycles.sample_map_resolution = 64
        tree = world.node_tree
        tree.nodes.clear()
        link, new = tree.links.new, tree.nodes.new
        place, sky, backdrop = (
            new("ShaderNodeTexCoord"),
            new("ShaderNodeBackground"),
            new("ShaderNodeBackground"),
        )
        around, picture = new("ShaderNodeTexEnvironment"), new("ShaderNodeTexImage")
        path, mix = new("ShaderNodeLightPath"), new("ShaderNodeMixShader")
        picture.extension = "EXTEND"
        link(around.outputs[0], sky.inputs[0])
        # The camera alone sees the picture; a transparent film would leave speckled edges behind
        # after denoising.
        link(place.outputs["Window"], picture.inputs[0])
        link(picture.outputs[0], backdrop.inputs[0])
        link(path.outputs["Is Camera Ray"], mix.inputs[0])
        link(sky.outputs[0], mix.inputs[1])
        link(backdrop.outputs[0], mix.inputs[2])
        link(mix.outputs[0], new("ShaderNodeOutputWorld").inputs[0])
        self._backdrop = picture.image = _float_image("backdrop", _BACKGROUND_SIZE)
        self._sky = around.image = _float_image("sky", lighting.SKY_WIDTH, lighting.SKY_HEIGHT)

    def _make_lamps_and_camera(self) -> None:
        self._lamps = []
        for index in range(3):
            lamp = bpy.data.lights.new(f"lamp {index}", "AREA")
            lamp.shape = "DISK"
            self._lamps.append(self._link(lamp.name, lamp))
        camera = bpy.data.cameras.new("camera")
        camera.clip_start = 0.1
        self._camera = self.scene.camera = self._link("camera", camera)

    def _make_objects(self, builder: PortraitBuilder) -> None:
        head, ball, beanie = builder.head, builder.ball, builder.beanie
        count = len(ball.vertices)
        pair = np.concatenate([ball.quads, ball.quads + count])
        self._skin = materials.skin()
        self._body = self._mesh(
            "body",
            head.body.rest,
            head.body.quads,
            self._skin.material,
            ("albedo", "surface", "detail", *LABEL_AOVS),
        )
        eye_material = materials.glossy("eyes", "eyes", roughness=0.35, coat=1.0)
        self._eyes = self._mesh("eyes", np.zeros((2 * count, 3)), pair, eye_material, ("albedo",))
        self._teeth = self._mesh(
            "teeth",
            head.teeth.rest,
            head.teeth.quads,
            materials.teeth(),
            ("albedo", "marks"),
        )
        self._tongue = self._mesh(
            "tongue",
            head.tongue.rest,
            head.tongue.quads,
            materials.glossy("tongue", "mouth", roughness=0.35, coat=0.3),
            ("albedo",),
        )
        lashes = head.lashes
        self._lashes = self._mesh(
            "lashes", lashes.rest, lashes.quads, materials.lashes(), ("opacity",)
        )
        cloth = head.cloth
        woven, attributes = materials.cloth(), ("albedo", "inside")
        self._cloth = self._mesh("cloth", cloth.rest, cloth.quads, woven, attributes)
        self._jacket = self._mesh("jacket", cloth.rest, cloth.quads, woven, attributes)
        ring = ring_quads()
        flat = np.zeros((ring.max() + 1, 3))
        self._hem = self._mesh("hem", flat, ring, woven, attributes)
        self._ring = self._mesh("ring", flat, ring, woven, attributes)
        hat_material, self._hat_shader = materials.hat()
        hat_rest = head.body.rest[beanie.indices]
        self._hat = self._mesh("hat", hat_rest, beanie.quads, hat_material, ("inside",))
        earring_material, self._earring_shader = materials.plain(
            "earrings", "earrings", roughness=0.2, coat=0
        )
        self._earring_shader.inputs["Metallic"].default_value = 1
        self._earrings = self._mesh("earrings", np.zeros((2 * count, 3)), pair, earring_material)
        glasses_material, self._glasses_shader = materials.plain(
            "glasses", "glasses", roughness=0.25, coat=0.4
        )
        anyone = sample_identity(0, head.data.targets)
        surface = Surface(head.body.rest, head.body.quads, head.regions)
        rims, rim_quads = make_glasses(anyone.glasses, surface)
        self._glasses = self._mesh("glasses", rims, rim_quads, glasses_material)
        lens_material, self._lens_tint = materials.lens()
        panes, pane_quads = make_lenses(anyone.glasses, surface)
        self._lenses = self._mesh("lenses", panes, pane_quads, lens_material)
        self._hair_materials = {
            name: materials.hair(name, part)
            for name, part in (("hair", "hair"), ("brows", "brows"), ("beard", "skin"))
        }
        self._curves = {
            name: self._link(name, bpy.data.hair_curves.new(name)) for name in self._hair_materials
        }

    def _mesh(
        self,
        name: str,
        vertices: np.ndarray,
        quads: np.ndarray,
        material: bpy.types.Material,
        attributes: Sequence[str] = (),
    ) -> bpy.types.Object:
        mesh = bpy.data.meshes.new(name)
        mesh.vertices.add(len(vertices))
        mesh.loops.add(quads.size)
        mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(quads, np.int32).ravel())
        mesh.polygons.add(len(quads))
        mesh.polygons.foreach_set("loop_start", np.arange(0, quads.size, 4, dtype=np.int32))
        mesh.update(calc_edges=True)
        mesh.polygons.foreach_set("use_smooth", np.ones(len(quads), bool))
        for attribute in ("rest", *attributes):
            mesh.attributes.new(attribute, "FLOAT_VECTOR", "POINT")
        mesh.materials.append(material)
        item = self._link(name, mesh)
        _set_mesh(item, vertices, rest=vertices)
        return item

    def _link(self, name: str, data: bpy.types.ID) -> bpy.types.Object:
        item = bpy.data.objects.new(name, data)
        self.scene.collection.objects.link(item)
        return item

    def _show_accessories(self, portrait: Portrait) -> None:
        identity = portrait.identity
        self._glasses.hide_render = self._lenses.hide_render = portrait.glasses is None
        if portrait.glasses is not None and portrait.lenses is not None:
            _set_mesh(self._lenses, portrait.lenses)
            self._lens_tint.default_value = (*identity.glasses.tint, 1)
            _set_mesh(self._glasses, portrait.glasses)
            kind = identity.glasses.material
            inputs = self._glasses_shader.inputs
            inputs["Base Color"].default_value = (*_GLASSES_COLORS[kind], 1)
            inputs["Metallic"].default_value = float(kind in ("steel", "gold"))
        self._hat.hide_render = portrait.hat is None
        if portrait.hat is not None:
            inside = np.repeat(portrait.hat.inside[:, None], 3, 1)
            _set_mesh(self._hat, portrait.hat.vertices, inside=inside)
            self._hat_shader.inputs["Base Color"].default_value = (*identity.hat.color, 1)
        self._earrings.hide_render = portrait.earrings is None
        if portrait.earrings is not None:
            _set_mesh(self._earrings, portrait.earrings)
            metal = _GOLD if identity.earrings.gold else _SILVER
            self._earring_shader.inputs["Base Color"].default_value = (*metal, 1)

    def _show_strands(self, portrait: Portrait) -> None:
        identity = portrait.identity
        person, hair = identity.person, identity.hair
        looks: dict[str, tuple[Strands | None, np.ndarray, np.ndarray, float]] = {
            "hair": (portrait.hair, hair.color, hair.grey_color, hair.grey),
            "brows": (portrait.brows, complexion.brow_color(identity), np.zeros(3), 0.0),
            "beard": (
                portrait.beard,
                complexion.beard_color(person),
                complexion.beard_grey(),
                person.grey,
            ),
        }
        for name, (strands, color, grey_color, grey) in looks.items():
            material = self._hair_materials[name]
            material.color.default_value = (*color, 1)
            material.grey_color.default_value = (*grey_color, 1)
            material.grey.default_value = grey
            self._set_curves(name, strands)

    def _set_curves(self, name: str, strands: Strands | None) -> None:
        item = self._curves[name]
        item.hide_render = strands is None
        if strands is None:
            return
        old = item.data
        curves = bpy.data.hair_curves.new(name)
        count, steps = strands.radii.shape
        curves.add_curves([steps] * count)
        positions = np.ascontiguousarray(_to_blender(strands.points), np.float32)
        curves.attributes["position"].data.foreach_set("vector", positions.ravel())
        radius = curves.attributes.get("radius") or curves.attributes.new(
            "radius", "FLOAT", "POINT"
        )
        radius.data.foreach_set("value", np.ascontiguousarray(strands.radii, np.float32).ravel())
        curves.materials.append(self._hair_materials[name].material)
        item.data = curves
        bpy.data.hair_curves.remove(old)

    def _show_light(self, light: lighting.Light) -> None:
        _set_pixels(self._sky, light.sky)
        focus = np.array([0.0, 7.2, 1.0])
        for item, lamp in zip(self._lamps, light.lamps, strict=True):
            item.location = _to_blender(focus + lamp.direction * lighting.LAMP_DISTANCE)
            item.rotation_euler = _facing(_to_blender(lamp.direction))
            item.data.size = lamp.size
            item.data.energy = lamp.power
            item.data.color = lamp.color

    def _show_background(self, seed: int) -> None:
        _set_pixels(self._backdrop, sample_backdrop(seed, _BACKGROUND_SIZE))


def _float_image(name: str, width: int, height: int | None = None) -> bpy.types.Image:
    image = bpy.data.images.new(name, width, height or width, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    return image


def _set_pixels(image: bpy.types.Image, picture: np.ndarray) -> None:
    """Linear RGB (H, W, 3), row 0 at the top."""
    pixels = np.ones((*picture.shape[:2], 4), np.float32)
    pixels[..., :3] = picture[::-1]
    image.pixels.foreach_set(pixels.ravel())
    image.update()


def _configure(scene: bpy.types.Scene, size: int, samples: int) -> None:
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    for name, value in {
        "samples": samples,
        "use_adaptive_sampling": False,
        "use_denoising": True,
        "denoiser": "OPENIMAGEDENOISE",
        "denoising_input_passes": "RGB_ALBEDO_NORMAL",
        "denoising_prefilter": "FAST",
        "denoising_quality": "BALANCED",
        "max_bounces": 3,
        "diffuse_bounces": 1,
        "glossy_bounces": 1,
        "transmission_bounces": 2,
        "transparent_max_bounces": 8,
        "caustics_reflective": False,
        "caustics_refractive": False,
        "sample_clamp_indirect": 3,
        "sample_clamp_direct": 8,
        "filter_width": 1.2,
        "use_light_tree": False,
    }.items():
        setattr(cycles, name, value)
    scene.cycles_curves.shape = "RIBBONS"
    scene.cycles_curves.subdivisions = 2
    render = scene.render
    render.threads_mode, render.threads = "FIXED", 1
    render.resolution_x = render.resolution_y = size
    render.resolution_percentage = 100
    render.film_transparent = False
    # Cycles' kept data depend on what was shown before; without, the same portrait gives the same
    # bytes, and no slower, since nearly everything changes anyway.
    render.use_persistent_data = False
    render.use_compositing = render.use_sequencer = False
    scene.view_settings.view_transform = "Raw"
    output = render.image_settings
    if hasattr(output, "media_type"):  # Blender 5 wants it before the format
        output.media_type = "MULTI_LAYER_IMAGE"
    output.file_format = "OPEN_EXR_MULTILAYER"
    output.color_depth = "16"
    output.exr_codec = "ZIP"
    layer = scene.view_layers[0]
    layer.use_pass_z = True
    for name in LABEL_AOVS:
        aov = layer.aovs.add()
        aov.name, aov.type = name, "COLOR"


def _to_blender(points: np.ndarray) -> np.ndarray:
    """Template space (y up, z forward) to Blender's (z up, -y forward)."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)


def _facing(direction: np.ndarray) -> Euler:
    """Rotation of a camera or lamp that stands in ``direction`` and looks back."""
    return Vector(direction).to_track_quat("Z", "Y").to_euler()


def _set_mesh(item: bpy.types.Object, vertices: np.ndarray, **attributes: np.ndarray) -> None:
    values: Mapping[str, np.ndarray] = {"position": _to_blender(vertices), **attributes}
    for name, value in values.items():
        flat = np.ascontiguousarray(value, np.float32).ravel()
        item.data.attributes[name].data.foreach_set("vector", flat)
    item.data.update()
