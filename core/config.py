"""Every number of the method, in one frozen dataclass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from .errors import CheckpointError
from .parts import PAINTED, PART_COUNT, PART_NAMES

Window = tuple[float, float, float, float]
Spectrum = tuple[tuple[float, ...], ...]
"""Root mean squares of grain (:mod:`.grain`), as shares of the light, by band of sizes and axis of
colour; empty for none."""
_SPECTRUM_SHAPE = 4, 3

DEFAULT_TRUNCATION = 1.0
"""Of portraits for which nobody asks for another: mixtures of people need none."""


@dataclass(frozen=True)
class PartMapSpec:
    """Where the 2D feature map of one part lies, and how fine it is.

    Attributes:
        height, width: texels of the map.
        window: (u_min, u_max, v_min, v_max) that the map covers. For lifted parts these are
            coordinates of the lifting frustum (see ``ModelConfig.lift_origin``), v up; for the
            background they are picture coordinates in [-1, 1], v up.
        hidden: channels of the generator that makes it; 0 for ``ModelConfig.hidden``.
    """

    height: int
    width: int
    window: Window
    hidden: int = 0


FULL_WINDOW: Window = (-1.0, 1.0, -1.0, 1.0)

# Windows: the 0.1 and 99.9 percentiles of each part's surface points over 570 rendered identities,
# in frustum coordinates (lift_origin 2), with a margin. An eye so gets texels four times finer than
# one map of the whole portrait would give it, for a quarter of the work.
SHIPPED_MAPS: dict[str, PartMapSpec] = {
    "background": PartMapSpec(32, 32, FULL_WINDOW),
    "skin": PartMapSpec(64, 64, (-0.75, 0.75, -0.95, 1.05)),
    "brows": PartMapSpec(32, 32, (-0.42, 0.42, 0.05, 0.35)),
    "eyes": PartMapSpec(32, 32, (-0.32, 0.32, -0.02, 0.20)),
    "nose": PartMapSpec(32, 32, (-0.20, 0.20, -0.30, 0.20)),
    "mouth": PartMapSpec(32, 32, (-0.30, 0.30, -0.60, -0.10)),
    "ears": PartMapSpec(32, 64, (-0.92, 0.92, -0.45, 0.35)),
    "hair": PartMapSpec(64, 64, (-1.45, 1.45, -1.60, 1.45)),
    "neck": PartMapSpec(32, 64, (-0.95, 0.95, -1.50, -0.15)),
    "clothes": PartMapSpec(32, 64, (-1.75, 1.75, -1.90, -0.50)),
    "glasses": PartMapSpec(32, 64, (-0.58, 0.58, -0.15, 0.32)),
    "hat": PartMapSpec(32, 64, (-0.98, 0.98, 0.05, 1.30)),
    "earrings": PartMapSpec(32, 32, (-0.72, 0.72, -0.55, 0.00)),
}


_LATER_FIELDS: dict[str, Any] = {
    "shuffle_blur": False,
    "people": 0,
    "detail_directions": 0,
    "detail_side": 128,
    "detail_density": 1.5,
    "detail_on_skin": 0.012,
    "beard_gain": 1.0,
    "hair_matte": (),
    "grain": (),
    "forehead_grain": 1.0,
    "paint_size": 0,
    "garments": False,
    "spots": False,
    "complexions": False,
    "eigenskins": 0,
    "eigenclothes": 0,
    "eigenpaints": 0,
    "eigenpaint_texels": (),
    "upscaler_channels": 0,
    "upscaler_blocks": 3,
    "relief": False,
}
"""Fields that model files of before do not know, and what those do."""
_OLD_GRAIN = "detail_grain"
"""Field of model files whose grain was of one colour and one spectrum: its root mean square."""
_OLD_SPECTRUM = (0.26, 0.74, 0.68, 0.0)
"""What such grain had in each of today's bands, as shares of that."""
_OLD_PRINTS = "prints"
"""Field of model files whose prints were waves in model space: they are not drawn any more."""


@dataclass(frozen=True)
class ModelConfig:
    """Shapes and constants of one model. Units are model units unless said otherwise.

    Attributes:
        image_size: side of the generated picture in pixels.
        ray_size: side of the square grid of rays; the render net enlarges it to ``image_size``.
        z_dim: length of the random vector that the mapping network takes.
        base_dim: length of w_base, the code that all parts share.
        code_dim: length of each part's shape code and texture code.
        mapping_layers, mapping_width: the mapping network's hidden layers.
        people: portraits that :class:`~.people_mixture.PeopleMixture` mixes in place of the mapping
            network; 0 for the network.
        hidden: channels of the part generators whose map does not say otherwise.
        base_layers, shape_layers, texture_layers: modulated layers driven by w_base, w^s and w^t.
        learned_position: whether the position embedding starts from Fourier features and is then
            trained, one map a part, instead of being one fixed Fourier embedding.
        fourier_scale: standard deviation of the Fourier embedding's frequencies, in cycles over a
            map's half width.
        linear_cells: side of the coarse grid of each part's linear model; 0 for none.
        features: channels of the part feature maps f_k (C in the paper).
        maps: feature map of each part, in the order of ``parts.PARTS``.
        geometry_size: side of the square (u, v) grid on which depth and density of all parts are
            brought together for the ray lookups.
        geometry_window: window of that grid.
        lift_origin: the lifting's projection centre lies this far behind the origin, so that
            u = x c / (z + c). Rays of lifting that spread from behind the head see its sides, which
            parallel ones do not. ``math.inf`` gives the paper's parallel lifting.
        near, far: extent of the volume along the viewing direction, measured from the plane through
            the origin.
        samples: samples a ray.
        shell_alpha: α of ψ = exp(-α (d̂ - z)²).
        density_scale: density that a raw density of 1 (after softplus) means, in 1/unit.
        render_channels: channels of the render net at the ray grid and after each doubling but the
            last, which the picture's head makes.
        render_blocks: residual blocks at the ray grid.
        shuffle_blur: whether a binomial blur follows each pixel shuffle, against its net-like
            pattern.
        detail_directions: directions of the strands that lie on the surface (:mod:`.detail`), each
            in two tiles; 0 for none.
        detail_side: texels of such a tile, either way.
        detail_density: its texels a pixel of the trained framing, where lifting coordinates are
            lengths. With 1 they are 0.9 of a pixel on faces and 1.1 on hair: a tile that is finer
            cannot be shown, and fades.
        detail_on_skin: bound of their amounts on skin (:data:`.detail.LENGTHS`): beards. Models
            that have not been taught where skin is bare show canvas where it is more than 0.012.
        beard_gain: what amounts on skin are multiplied with after that. They are taught by medians,
            or cheeks would get a little of the stubble that few have: too faint where it is.
        hair_matte: by how much the share of hair varies from strand to strand where hair ends on
            the head, and where it ends against the background, and how many times steeper it ends
            there (:mod:`.matte`); () for soft ends.
        grain: root mean squares of the grain that all skin has (:mod:`.grain`).
        forehead_grain: how much of it foreheads have.
        paint_size: texels a side of the atlas of the face's paint (:mod:`.paint`); 0 for none. With
            160 they are a pixel of the trained framing.
        garments: whether what the people who are mixed wear is known (:mod:`.garment`).
        spots: whether their skins have spots (:mod:`.spots`).
        complexions: whether their noses, ears and necks have mean colours, which those of others
            take on their heads (:mod:`.complexion`).
        eigenskins: principal components of their skins (:mod:`.eigenskin`); 0 for none.
        eigenclothes: of their clothes (:mod:`.eigenclothes`); 0 for none.
        eigenpaints: of the paint of each of the face's small parts (:mod:`.eigenpaint`); 0 for
            none.
        eigenpaint_texels: of each of these parts' maps, how many they are kept for.
        upscaler_channels: of the net that doubles finished pictures (:mod:`.upscaler`); 0 for none.
        upscaler_blocks: its residual blocks.
        relief: whether the parts of a face lie on one surface (:mod:`.relief`).
        yaw_max, pitch_max: trained range of the camera's direction, in radians.
        camera_distance: distance at which the model was trained.
        distance_min, distance_max: distances that are accepted.
        frame_side: side of the square frame at the origin that the picture shows.
        unit_metres: length of a model unit in metres.
    """

    image_size: int = 256
    ray_size: int = 64
    z_dim: int = 128
    base_dim: int = 32
    code_dim: int = 24
    mapping_layers: int = 2
    mapping_width: int = 256
    people: int = 0
    hidden: int = 64
    base_layers: int = 1
    shape_layers: int = 3
    texture_layers: int = 2
    learned_position: bool = True
    fourier_scale: float = 1.0
    linear_cells: int = 16
    features: int = 32
    maps: tuple[PartMapSpec, ...] = tuple(SHIPPED_MAPS[name] for name in PART_NAMES)
    geometry_size: int = 128
    geometry_window: Window = (-1.75, 1.75, -1.90, 1.60)
    lift_origin: float = 2.0
    near: float = -0.75
    far: float = 1.05
    samples: int = 32
    shell_alpha: float = 140.0
    density_scale: float = 30.0
    render_channels: tuple[int, ...] = (96, 64)
    render_blocks: int = 3
    shuffle_blur: bool = False
    detail_directions: int = 0
    detail_side: int = 128
    detail_density: float = 1.0
    detail_on_skin: float = 0.12
    beard_gain: float = 1.0
    hair_matte: tuple[float, ...] = ()
    grain: Spectrum = ()
    forehead_grain: float = 1.0
    paint_size: int = 0
    garments: bool = False
    spots: bool = False
    complexions: bool = False
    eigenskins: int = 0
    eigenclothes: int = 0
    eigenpaints: int = 0
    eigenpaint_texels: tuple[int, ...] = ()
    upscaler_channels: int = 0
    upscaler_blocks: int = 3
    relief: bool = False
    yaw_max: float = 0.85
    pitch_max: float = 0.35
    camera_distance: float = 9.0 / 1.55
    distance_min: float = 2.5
    distance_max: float = 60.0
    frame_side: float = 2.0
    unit_metres: float = 0.155

    def __post_init__(self) -> None:
        if len(self.maps) != PART_COUNT:
            raise ValueError(f"maps must name {PART_COUNT} parts, got {len(self.maps)}")
        if self.ray_size * 2 ** len(self.render_channels) != self.image_size:
            raise ValueError(
                f"{len(self.render_channels)} render channels enlarge {self.ray_size} rays to "
                f"{self.ray_size * 2 ** len(self.render_channels)}, not {self.image_size}"
            )
        if not self.render_channels:
            raise ValueError("a render net enlarges the rays at least once")
        if self.people < 0:
            raise ValueError(f"a model cannot mix {self.people} people")
        if min(self.features, self.hidden, self.samples, self.base_dim, self.code_dim) < 1:
            raise ValueError("every size of a model must be at least 1")
        if min(spec.hidden for spec in self.maps) < 0:
            raise ValueError("the channels of a part's generator cannot be negative")
        if len(self.hair_matte) not in (0, 3) or min(self.hair_matte, default=0) < 0:
            raise ValueError(f"a matte is three numbers, not below 0, not {self.hair_matte}")
        if self.hair_matte and not self.detail_directions:
            raise ValueError("a matte is of the strands of fine structure")
        bands, axes = _SPECTRUM_SHAPE
        if self.grain and [len(band) for band in self.grain] != [axes] * bands:
            raise ValueError(f"grain has {bands} bands along {axes} axes, not {self.grain}")
        if self.garments and not (self.people > 1 and self.detail_directions):
            raise ValueError("garments are of people who are mixed, and need fine structure")
        if self.spots and not (self.people > 1 and self.grain):
            raise ValueError("spots are of people who are mixed, and lie in grain")
        if self.complexions and not (self.people > 1 and self.detail_directions):
            raise ValueError("complexions are of people who are mixed, and go with fine structure")
        if self.eigenskins < 0:
            raise ValueError(f"skins cannot have {self.eigenskins} components")
        if self.eigenskins and not (self.people > 1 and self.grain):
            raise ValueError("eigenskins are of people who are mixed, and lie in grain")
        if self.eigenclothes < 0:
            raise ValueError(f"clothes cannot have {self.eigenclothes} components")
        if self.eigenclothes and not (self.people > 1 and self.detail_directions):
            raise ValueError("eigenclothes are of people who are mixed, and need fine structure")
        if self.eigenpaints < 0:
            raise ValueError(f"paint cannot have {self.eigenpaints} components")
        if self.eigenpaints and not (self.people > 1 and self.paint_size):
            raise ValueError("eigenpaints are of people who are mixed, and are added to paint")
        if len(self.eigenpaint_texels) != len(PAINTED) * bool(self.eigenpaints):
            raise ValueError(
                f"eigenpaints are of {len(PAINTED)} parts, not {len(self.eigenpaint_texels)}"
            )
        for part, texels in zip(PAINTED, self.eigenpaint_texels, strict=False):
            if not 0 < texels <= self.maps[part].height * self.maps[part].width:
                raise ValueError(f"{texels} texels are not on the map of {PART_NAMES[part]}")
        if self.paint_size < 0:
            raise ValueError(f"an atlas cannot have {self.paint_size} texels")
        if min(self.upscaler_channels, self.upscaler_blocks) < 0:
            raise ValueError("the channels and blocks of an upscaler cannot be negative")
        if self.features < 3:
            raise ValueError("features must be at least 3: the first three carry coarse colour")

    @property
    def part_layers(self) -> int:
        """Modulated layers of one part generator."""
        return self.base_layers + self.shape_layers + self.texture_layers

    def hidden_of(self, part: int) -> int:
        """Channels of a part's generator."""
        return self.maps[part].hidden or self.hidden

    @property
    def detail_tiles(self) -> int:
        """Tiles of fine structure on the surface: the channels that follow the features."""
        return 2 * self.detail_directions

    @classmethod
    def shipped(cls) -> Self:
        """What the embedded model's training started with."""
        return cls()

    @classmethod
    def paper(cls) -> Self:
        """The sizes of the paper: 64 channels, 64 × 64 × 32, 256², parallel lifting."""
        return cls(
            z_dim=512,
            base_dim=512,
            code_dim=512,
            mapping_layers=8,
            mapping_width=512,
            hidden=64,
            base_layers=2,
            shape_layers=4,
            texture_layers=4,
            learned_position=False,
            fourier_scale=4.0,
            linear_cells=0,
            features=64,
            maps=tuple(PartMapSpec(64, 64, FULL_WINDOW) for _ in range(PART_COUNT)),
            geometry_size=64,
            geometry_window=FULL_WINDOW,
            lift_origin=math.inf,
            near=-1.0,
            far=1.0,
            samples=32,
        )

    @classmethod
    def tiny(cls) -> Self:
        """A model for tests: the same rooms, 64² pictures, milliseconds to make."""
        maps = tuple(
            PartMapSpec(spec.height // 2, spec.width // 2, spec.window)
            for spec in SHIPPED_MAPS.values()
        )
        return cls(
            image_size=64,
            ray_size=16,
            z_dim=16,
            base_dim=8,
            code_dim=6,
            mapping_width=16,
            hidden=8,
            linear_cells=4,
            features=8,
            maps=maps,
            geometry_size=48,
            samples=16,
            render_channels=(8, 8),
            render_blocks=1,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint's JSON header."""
        values = asdict(self)
        if math.isinf(self.lift_origin):
            values["lift_origin"] = None
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`.

        Raises:
            CheckpointError: a field is missing, unknown or of the wrong kind.
        """
        known = {field.name for field in fields(cls)}
        values = _LATER_FIELDS | values
        values.pop(_OLD_PRINTS, None)
        old_grain = values.pop(_OLD_GRAIN, 0.0)
        if set(values) != known:
            odd = ", ".join(sorted(set(values) ^ known))
            raise CheckpointError("The model's configuration does not fit this version: {0}.", odd)
        try:
            values["maps"] = tuple(
                PartMapSpec(
                    int(m["height"]), int(m["width"]), _window(m["window"]), int(m.get("hidden", 0))
                )
                for m in values["maps"]
            )
            values["geometry_window"] = _window(values["geometry_window"])
            for field in ("render_channels", "eigenpaint_texels"):
                values[field] = tuple(int(count) for count in values[field])
            values["hair_matte"] = tuple(float(number) for number in values["hair_matte"])
            if old_grain:
                values["grain"] = tuple((float(old_grain) * s, 0.0, 0.0) for s in _OLD_SPECTRUM)
            values["grain"] = _spectrum(values["grain"])
            if values["lift_origin"] is None:
                values["lift_origin"] = math.inf
            for each in fields(cls):
                kinds = _KINDS.get(str(each.type))
                if kinds is not None and type(values[each.name]) not in kinds:
                    raise TypeError(f"{each.name} is {values[each.name]!r}")
            return cls(**values)
        except (TypeError, KeyError, ValueError) as error:
            raise CheckpointError("The model's configuration is broken: {0}.", error) from error


_KINDS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,)}
"""Annotation of a field → the types of JSON's values for it."""


def _window(values: Sequence[float]) -> Window:
    u0, u1, v0, v1 = (float(value) for value in values)
    return u0, u1, v0, v1


def _spectrum(values: Sequence[Sequence[float]]) -> Spectrum:
    return tuple(tuple(float(strength) for strength in band) for band in values)
