"""Cycles materials. Every one writes its part's share into the label AOVs.

Vertex attributes carry all colours; ``rest`` carries template coordinates, so that noise sticks to
the skin through identities and expressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import bpy

from core.parts import part_index

# Twelve parts (all but the background) in four colour AOVs of three channels.
LABEL_AOVS = ("Labels0", "Labels1", "Labels2", "Labels3")
Socket: TypeAlias = bpy.types.NodeSocket


class NodeGraph:
    """A material under construction."""

    def __init__(self, name: str):
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()
        self._output = self.node("ShaderNodeOutputMaterial")

    def node(self, kind: str, **settings: object) -> bpy.types.Node:
        """Add a node and set its properties."""
        node = self.tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        return node

    def set(self, socket: Socket, value: Socket | float | Sequence[float]) -> None:
        """Link an output socket to an input, or give it a constant."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def attribute(self, name: str) -> Socket:
        """A vertex attribute as a vector."""
        return self.node("ShaderNodeAttribute", attribute_name=name).outputs["Vector"]

    def components(self, vector: Socket) -> Sequence[Socket]:
        """The three components of a vector or colour."""
        node = self.node("ShaderNodeSeparateXYZ")
        self.set(node.inputs[0], vector)
        return node.outputs

    def math(self, operation: str, *values: Socket | float) -> Socket:
        """One operation of Blender's math node."""
        node = self.node("ShaderNodeMath", operation=operation)
        for socket, value in zip(node.inputs, values, strict=False):
            self.set(socket, value)
        return node.outputs[0]

    def scale(self, vector: Socket, factor: Socket | float) -> Socket:
        """A vector times a number."""
        node = self.node("ShaderNodeVectorMath", operation="SCALE")
        self.set(node.inputs[0], vector)
        self.set(node.inputs["Scale"], factor)
        return node.outputs[0]

    def mix(
        self,
        factor: Socket | float,
        first: Socket | Sequence[float],
        second: Socket | Sequence[float],
        blend: str = "MIX",
    ) -> Socket:
        """From one colour to another as ``factor`` goes from 0 to 1, or to their product."""
        node = self.node("ShaderNodeMix", data_type="RGBA", blend_type=blend)
        for index, value in ((0, factor), (6, first), (7, second)):
            self.set(node.inputs[index], value)
        return node.outputs[2]

    def noise(self, vector: Socket, scale: float, detail: float) -> Socket:
        """Fractal noise in 0..1."""
        node = self.node("ShaderNodeTexNoise")
        self.set(node.inputs["Vector"], vector)
        self.set(node.inputs["Scale"], scale)
        self.set(node.inputs["Detail"], detail)
        return node.outputs[0]

    def cells(self, vector: Socket, scale: float) -> bpy.types.Node:
        """A Voronoi texture: outputs "Distance" to a cell's point, "Color" random by cell."""
        node = self.node("ShaderNodeTexVoronoi")
        self.set(node.inputs["Vector"], vector)
        self.set(node.inputs["Scale"], scale)
        return node

    def bump(self, height: Socket, strength: float, distance: float) -> Socket:
        """The normal of a surface raised by ``height``."""
        node = self.node("ShaderNodeBump")
        self.set(node.inputs["Strength"], strength)
        self.set(node.inputs["Distance"], distance)
        self.set(node.inputs["Height"], height)
        return node.outputs[0]

    def principled(self, **values: object) -> bpy.types.Node:
        """A Principled BSDF; names are the sockets', with underscores for spaces."""
        node = self.node("ShaderNodeBsdfPrincipled")
        for name, value in values.items():
            self.set(node.inputs[name.replace("_", " ")], value)
        return node

    def finish(self, shader: Socket, opacity: Socket | None = None) -> bpy.types.Material:
        """Connect the surface, cut away where ``opacity`` is 0."""
        if opacity is not None:
            mix = self.node("ShaderNodeMixShader")
            self.set(mix.inputs[0], opacity)
            self.set(mix.inputs[1], self.node("ShaderNodeBsdfTransparent").outputs[0])
            self.set(mix.inputs[2], shader)
            shader = mix.outputs[0]
        self.set(self._output.inputs[0], shader)
        return self.material

    def label(self, part: str, opacity: Socket | None = None) -> None:
        """Say that the whole surface is ``part``, as far as it is opaque."""
        home, channel = divmod(part_index(part) - 1, 3)
        for index, name in enumerate(LABEL_AOVS):
            color = [0.0, 0.0, 0.0, 1.0]
            output = self.node("ShaderNodeOutputAOV", aov_name=name).inputs["Color"]
            if index == home:
                color[channel] = 1.0
            if index == home and opacity is not None:
                self.set(output, self.mix(opacity, (0, 0, 0, 1), color))
            else:
                self.set(output, color)

    def label_from_attributes(self) -> None:
        """Take the parts' shares from the vertex attributes that bear the AOVs' names."""
        for name in LABEL_AOVS:
            output = self.node("ShaderNodeOutputAOV", aov_name=name).inputs["Color"]
            self.set(output, self.attribute(name))


@dataclass(frozen=True)
class SkinMaterial:
    """``offset`` moves all noise, so that no two people share their spots; ``moles`` in 0..1."""

    material: bpy.types.Material
    offset: Socket
    moles: Socket


def skin() -> SkinMaterial:
    """Skin with mottling, freckles, moles, blemishes, pores and wrinkles; labels by vertex."""
    graph = NodeGraph("skin")
    shift = graph.node("ShaderNodeVectorMath", operation="ADD")
    graph.set(shift.inputs[0], graph.attribute("rest"))
    place = shift.outputs[0]
    freckles, roughness, wrinkles = graph.components(graph.attribute("surface"))
    pore_depth, blemished, _ = graph.components(graph.attribute("detail"))

    mottle = graph.math("MULTIPLY_ADD", graph.noise(place, 11, 2), 0.28, 0.86)
    color = graph.scale(graph.attribute("albedo"), mottle)
    dots = graph.math("LESS_THAN", graph.cells(place, 24).outputs["Distance"], 0.18)
    color = graph.mix(graph.math("MULTIPLY", dots, freckles), color, (0.16, 0.06, 0.03, 1))
    amount = graph.node("ShaderNodeValue").outputs[0]
    cells = graph.cells(place, 3.2)
    chosen = graph.components(cells.outputs["Color"])[0]
    chosen = graph.math("LESS_THAN", chosen, graph.math("MULTIPLY", amount, 0.16))
    mole = graph.math("LESS_THAN", cells.outputs["Distance"], 0.055)
    mole = graph.math("MULTIPLY", graph.math("MULTIPLY", mole, chosen), 0.65)
    color = graph.mix(mole, color, (0.06, 0.025, 0.015, 1))

    cells = graph.cells(place, 6.5)
    chosen = graph.components(cells.outputs["Color"])[1]
    chosen = graph.math("LESS_THAN", chosen, graph.math("MULTIPLY", blemished, 0.35))
    pimple = graph.node("ShaderNodeMapRange", interpolation_type="SMOOTHSTEP")
    graph.set(pimple.inputs["Value"], cells.outputs["Distance"])
    for name, value in (("From Min", 0.24), ("From Max", 0.06)):
        pimple.inputs[name].default_value = value
    pimple_share = graph.math("MULTIPLY", pimple.outputs[0], chosen)
    color = graph.mix(pimple_share, color, (0.95, 0.52, 0.5, 1), "MULTIPLY")

    grain = graph.noise(place, 34, 2)
    shade = graph.math("MULTIPLY", graph.math("SUBTRACT", grain, 0.5), pore_depth)
    color = graph.scale(color, graph.math("MULTIPLY_ADD", shade, 0.5, 1.0))
    roughness = graph.math("MULTIPLY_ADD", shade, -0.35, roughness)

    stretch = graph.node("ShaderNodeMapping")
    stretch.inputs["Scale"].default_value = (3, 22, 8)
    graph.set(stretch.inputs["Vector"], place)
    folds = graph.math("MULTIPLY", graph.noise(stretch.outputs[0], 1, 1), wrinkles)
    pores = graph.math("MULTIPLY", grain, graph.math("MULTIPLY_ADD", pore_depth, 0.012, 0.003))
    raised = graph.math("MULTIPLY_ADD", pimple_share, 0.01, folds)
    shader = graph.principled(
        Base_Color=color,
        Roughness=roughness,
        Specular_IOR_Level=0.42,
        Subsurface_Weight=0.4,
        Subsurface_Radius=(1, 0.35, 0.18),
        Subsurface_Scale=0.04,
        Normal=graph.bump(graph.math("ADD", pores, raised), 0.7, 1),
    )
    shader.subsurface_method = "RANDOM_WALK"
    graph.label_from_attributes()
    return SkinMaterial(graph.finish(shader.outputs[0]), shift.inputs[1], amount)


def glossy(name: str, part: str, *, roughness: float, coat: float) -> bpy.types.Material:
    """A material coloured by its vertices: eyeballs, teeth, tongue."""
    graph = NodeGraph(name)
    shader = graph.principled(
        Base_Color=graph.attribute("albedo"),
        Roughness=roughness,
        Specular_IOR_Level=0.45,
        Coat_Weight=coat,
        Coat_Roughness=0.03,
    )
    graph.label(part)
    return graph.finish(shader.outputs[0])


def teeth() -> bpy.types.Material:
    """Teeth along the attribute ``marks``, darker between them, no two alike."""
    graph = NodeGraph("teeth")
    along, gap, middle = graph.components(graph.attribute("marks"))
    within = graph.math("FRACT", along)
    border = graph.math("MINIMUM", within, graph.math("SUBTRACT", 1.0, within))
    line = graph.math("SUBTRACT", 1.0, graph.math("DIVIDE", border, gap))
    between = graph.math("LESS_THAN", graph.math("ABSOLUTE", along), middle)
    dark = graph.math("MAXIMUM", graph.math("MAXIMUM", line, 0.0), between)
    each = graph.node("ShaderNodeTexWhiteNoise", noise_dimensions="1D")
    graph.set(each.inputs["W"], graph.math("FLOOR", along))
    color = graph.scale(
        graph.attribute("albedo"), graph.math("MULTIPLY_ADD", each.outputs["Value"], 0.14, 0.9)
    )
    color = graph.mix(graph.math("MULTIPLY", dark, 0.85), color, (0.08, 0.035, 0.03, 1))
    shader = graph.principled(
        Base_Color=color,
        Roughness=0.25,
        Specular_IOR_Level=0.45,
        Coat_Weight=0.5,
        Coat_Roughness=0.03,
        Normal=graph.bump(graph.math("SUBTRACT", 1.0, dark), 0.5, 0.02),
    )
    graph.label("mouth")
    return graph.finish(shader.outputs[0])


def lens() -> tuple[bpy.types.Material, Socket]:
    """A pane that tints and reflects, and its tint's socket.

    It has no label: what is seen through it keeps its own, and glasses are their rims.
    """
    graph = NodeGraph("lens")
    tint = graph.node("ShaderNodeRGB").outputs[0]
    clear, mirror = graph.node("ShaderNodeBsdfTransparent"), graph.node("ShaderNodeBsdfGlossy")
    graph.set(clear.inputs["Color"], tint)
    mirror.inputs["Roughness"].default_value = 0.02
    fresnel = graph.node("ShaderNodeFresnel")
    fresnel.inputs["IOR"].default_value = 1.5
    mix = graph.node("ShaderNodeMixShader")
    graph.set(mix.inputs[0], fresnel.outputs[0])
    graph.set(mix.inputs[1], clear.outputs[0])
    graph.set(mix.inputs[2], mirror.outputs[0])
    return graph.finish(mix.outputs[0]), tint


def lashes() -> bpy.types.Material:
    """Dark strips cut by their ``opacity``; they count as eyes."""
    graph = NodeGraph("lashes")
    opacity = graph.components(graph.attribute("opacity"))[0]
    shader = graph.node("ShaderNodeBsdfDiffuse")
    shader.inputs[0].default_value = (0.012, 0.008, 0.006, 1)
    graph.label("eyes", opacity)
    return graph.finish(shader.outputs[0], opacity)


def cloth() -> bpy.types.Material:
    """Woven cloth, there where the attribute ``inside`` is positive."""
    graph = NodeGraph("cloth")
    rest = graph.attribute("rest")
    folds = graph.math("MULTIPLY", graph.noise(rest, 2.2, 3), 0.25)
    weave = graph.math("MULTIPLY", graph.noise(rest, 30, 2), 0.012)
    shader = graph.principled(
        Base_Color=graph.attribute("albedo"),
        Roughness=0.85,
        Specular_IOR_Level=0.2,
        Sheen_Weight=0.15,
        Normal=graph.bump(graph.math("ADD", folds, weave), 0.6, 1),
    )
    opacity = graph.math("GREATER_THAN", graph.components(graph.attribute("inside"))[0], 0.0)
    graph.label("clothes", opacity)
    return graph.finish(shader.outputs[0], opacity)


def hat() -> tuple[bpy.types.Material, bpy.types.Node]:
    """The knitted hat, and its shader whose base colour is set for every identity."""
    graph = NodeGraph("hat")
    knit = graph.node("ShaderNodeTexWave", bands_direction="X")
    knit.inputs["Scale"].default_value = 9
    knit.inputs["Distortion"].default_value = 1
    graph.set(knit.inputs["Vector"], graph.attribute("rest"))
    shader = graph.principled(Roughness=0.9, Normal=graph.bump(knit.outputs[1], 0.5, 0.03))
    opacity = graph.math("GREATER_THAN", graph.components(graph.attribute("inside"))[0], 0.0)
    graph.label("hat", opacity)
    return graph.finish(shader.outputs[0], opacity), shader


def plain(
    name: str, part: str, *, roughness: float, coat: float
) -> tuple[bpy.types.Material, bpy.types.Node]:
    """One colour, set for every identity on the returned shader: glasses, earrings."""
    graph = NodeGraph(name)
    shader = graph.principled(Roughness=roughness, Coat_Weight=coat, Coat_Roughness=0.03)
    graph.label(part)
    return graph.finish(shader.outputs[0]), shader


@dataclass(frozen=True)
class HairMaterial:
    """``color`` and ``grey_color`` are RGB sockets, ``grey`` the share of grey strands."""

    material: bpy.types.Material
    color: Socket
    grey_color: Socket
    grey: Socket


def hair(name: str, part: str) -> HairMaterial:
    """Strands that vary in brightness, some of them grey (Chiang et al. 2016)."""
    graph = NodeGraph(name)
    info = graph.node("ShaderNodeHairInfo")
    color = graph.node("ShaderNodeRGB").outputs[0]
    grey_color = graph.node("ShaderNodeRGB").outputs[0]
    grey = graph.node("ShaderNodeValue").outputs[0]
    random = info.outputs["Random"]
    # A second random number, independent of the one that varies the brightness.
    other = graph.math("FRACT", graph.math("MULTIPLY", random, 61.7))
    blend = graph.mix(graph.math("LESS_THAN", other, grey), color, grey_color)
    vary = graph.math("MULTIPLY_ADD", random, 0.7, 0.65)
    lighten = graph.math("MULTIPLY_ADD", info.outputs["Intercept"], 0.35, 0.8)
    shader = graph.node("ShaderNodeBsdfHairPrincipled", model="CHIANG", parametrization="COLOR")
    graph.set(shader.inputs["Color"], graph.scale(blend, graph.math("MULTIPLY", vary, lighten)))
    graph.set(shader.inputs["Roughness"], 0.32)
    graph.set(shader.inputs["Radial Roughness"], 0.5)
    graph.set(shader.inputs["Random Roughness"], 0.2)
    graph.label(part)
    return HairMaterial(graph.finish(shader.outputs[0]), color, grey_color, grey)
