"""Crops of renders around parts that learn, with what a model gives there but for these parts.

Densities at the samples of the rays and features where the rays meet the other parts are worked out
once and kept: what :mod:`training.closeup` compares costs the parts alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F

from core.config import ModelConfig, Window
from core.generators import PartMap
from core.lifting import LIFTED, Geometry, window_coordinates
from core.model import SSGAN3D
from core.paint import face_atlas, painted
from core.parts import FACE, FACE_BASE, PAINTED, PART_COUNT
from core.people_mixture import PeopleMixture
from core.volume import (
    RayBatch,
    RayWeights,
    picture_positions,
    ray_densities,
    split_weights,
)
from training.detail import missing_energies
from training.precision import mixed
from training.refine import codes_of_rows
from training.warm_start import Batch, Views

HEIGHT, WIDTH = 16, 32
"""Rays of what is compared and judged, at most: a multiple of what the discriminator halves."""
MARGIN = 4
"""Rows of rays above and below that the render net sees as well, at most."""
SAMPLES = 16
_CUT_AT_ONCE = 8


@dataclass(frozen=True)
class Frame:
    """How large crops are, in rays.

    Attributes:
        height, width: of all rays.
        margin: rows of them above and below that are not compared.
    """

    height: int
    width: int
    margin: int

    @classmethod
    def of(cls, config: ModelConfig) -> Frame:
        """The frame of a model's crops."""
        side = config.ray_size
        inner = min(HEIGHT, side)
        margin = min(MARGIN, (side - inner) // 2)
        return cls(inner + 2 * margin, min(WIDTH, side), margin)

    def corners(self, share: Tensor, generator: torch.Generator) -> list[tuple[int, int]]:
        """Upper left rays of crops around what a part's share (N, r, r) of the rays covers.

        A part that is larger than a crop is seen around a random ray of it.
        """
        corners = []
        for one in share:
            inside = (one > 0.1).nonzero()
            if not len(inside):
                inside = torch.full((1, 2), len(one) // 2)
            chosen = inside[int(torch.randint(len(inside), (), generator=generator))]
            corner = []
            for line, at, side, margin in zip(
                inside.T, chosen, (self.height, self.width), (self.margin, 0), strict=True
            ):
                first, last = int(line.min()), int(line.max())
                start = (first + last + 1) // 2 - side // 2
                if last - first >= side:
                    lowest, highest = first - margin, last + 1 + margin - side
                    start = min(max(int(at) - side // 2, lowest), highest)
                corner.append(min(max(start, 0), len(one) - side))
            corners.append((corner[0], corner[1]))
        return corners

    def rays(self, corners: Sequence[tuple[int, int]], side: int) -> Tensor:
        """Numbers of the rays of crops in a picture of ``side`` rays, row by row, (N, R)."""
        down, across = torch.arange(self.height)[:, None], torch.arange(self.width)
        return torch.stack(
            [((top + down) * side + left + across).flatten() for top, left in corners]
        )

    def crop(self, whole: Tensor, corners: Sequence[tuple[int, int]], side: int) -> Tensor:
        """Crops (N, …, h, w) of pictures (N, …, S, S) with ``side`` rays."""
        step = whole.shape[-1] // side
        height, width = self.height * step, self.width * step
        return torch.stack(
            [
                one[..., top * step : top * step + height, left * step : left * step + width]
                for one, (top, left) in zip(whole, corners, strict=True)
            ]
        )

    def inner(self, crop: Tensor) -> Tensor:
        """Crops (N, C, h, w) without their margins."""
        rows = self.margin * crop.shape[-1] // self.width
        return crop[..., rows : crop.shape[-2] - rows, :]

    def grid(self, rays: Tensor) -> Tensor:
        """(…, R) → (…, height, width)."""
        return rays.unflatten(-1, (self.height, self.width))


@dataclass
class Crops:
    """What of V crops does not change while the part learns; R rays, N samples each.

    Attributes:
        rows: (V,) rows of their people in the mixture.
        uv, z, depth, step: of the samples, as in :class:`~core.volume.RayBatch`; one view of each
            of V portraits.
        density: of the lifted parts at the samples, (V, K - 1, 1, R, N).
        base: the face base's depth on the common grid, (V, G, G).
        features: f_k of all parts where the rays meet them, (V, K, C, R).
        image: the renders, (V, 3, H, W) uint8.
        mask: their soft labels, (V, K, H / 2, W / 2).
        surface: planar depth of the renders, (V, R).
        foreground: which of these are known.
        energy: of the fine structure that renders have more than the smooth pictures, by filter,
            (V, 2 D, R).
        structured: where it counts, (V, R) in {0, 1}.
        resolved: how much of the tiles pixels can show, (V, R).
        paint: what the paint of other parts adds, (V, 3, H, W); (V, 0, 0, 0) without paint.
    """

    rows: Tensor
    uv: Tensor
    z: Tensor
    depth: Tensor
    step: Tensor
    density: Tensor
    base: Tensor
    features: Tensor
    image: Tensor
    mask: Tensor
    surface: Tensor
    foreground: Tensor
    energy: Tensor
    structured: Tensor
    resolved: Tensor
    paint: Tensor

    def of(self, chosen: Tensor) -> Crops:
        """Some of them, (n,)."""
        return Crops(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def room(self, count: int) -> Crops:
        """As many as ``count`` of such, not filled: gigabytes, which joining would hold twice."""
        made = (getattr(self, field.name) for field in fields(self))
        return Crops(*(one.new_empty(count, *one.shape[1:]) for one in made))

    def put(self, start: int, made: Crops) -> None:
        """Fill in some from number ``start`` on."""
        for field in fields(self):
            one = getattr(made, field.name)
            getattr(self, field.name)[start : start + len(one)] = one

    def rays(self) -> RayBatch:
        """The rays' samples."""
        return RayBatch(self.uv, self.z, self.depth, self.step)

    def people(self) -> tuple[Tensor, Tensor]:
        """Rows of the P people that are seen, each once, (P,); which of them each crop shows."""
        rows, which = self.rows.unique(return_inverse=True)
        return rows, which


def cut(
    model: SSGAN3D,
    views: Views,
    rows: Tensor,
    parts: Sequence[int],
    each: int = 1,
    structured: Sequence[int] = (),
) -> Crops:
    """Crops around the parts in turn, of all views.

    Args:
        model: mixes the people.
        views: renders of people whom the model mixes.
        rows: (P,) row of each portrait of ``views`` among the model's people.
        parts: that learn.
        each: crops of a view.
        structured: parts whose fine structure learns.
    """
    whole: Crops | None = None
    for start in range(0, len(views.data), _CUT_AT_ONCE):
        chosen = list(range(start, min(start + _CUT_AT_ONCE, len(views.data))))
        portraits = views.data.portrait_of[chosen]
        generator = torch.Generator().manual_seed(start)
        batch = views.of(portraits, chosen, generator)
        around = [[parts[(view + one) % len(parts)] for view in chosen] for one in range(each)]
        made = _cut(model, batch, rows[portraits], parts, around, structured, generator)
        if whole is None:
            whole = made.room(len(views.data) * each)
        whole.put(start * each, made)
    assert whole is not None
    return whole


@torch.no_grad()
def _cut(
    model: SSGAN3D,
    batch: Batch,
    rows: Tensor,
    learn: Sequence[int],
    around: Sequence[Sequence[int]],
    structured: Sequence[int],
    generator: torch.Generator,
) -> Crops:
    """Crops of a batch with one view of each portrait, around such parts of each of them."""
    people = model.mapping
    assert isinstance(people, PeopleMixture)
    codes = codes_of_rows(people, rows, batch.visible)
    maps = model.part_maps(codes.base, codes.shape, codes.texture)
    geometry = model.geometry(maps, codes.visible)
    structure = _structure(model, batch, codes.visible, maps, geometry, structured)
    stays = {part: maps[part] for part in PAINTED if part not in learn}
    atlas = face_atlas(stays, codes.visible, model.config)
    made = [
        _crop(model.config, batch, rows, parts, maps, geometry, structure, atlas, generator)
        for parts in around
    ]
    return Crops(*(torch.cat([getattr(c, field.name) for c in made]) for field in fields(Crops)))


def _structure(
    model: SSGAN3D,
    batch: Batch,
    visible: Tensor | None,
    maps: dict[int, PartMap],
    geometry: Geometry,
    parts: Sequence[int],
) -> tuple[Tensor, Tensor, Tensor]:
    """Energies, where they count and how far tiles can be seen, as in :class:`Crops`, on all rays.

    Nothing counts but these parts, whose structure learns.
    """
    config, detail = model.config, model.render_net.detail
    side, views = config.ray_size, len(batch.image)
    if detail is None or not parts:
        nothing = batch.image.new_zeros(views, side, side)
        return nothing[:, None].expand(-1, config.detail_tiles, -1, -1), nothing, nothing
    with mixed("cpu"):
        posed = model.posed_maps(maps, geometry, visible, batch.rays)
        smooth = model.finish(posed).smooth[:, 0].float()
    energy, known = missing_energies(
        batch.image, smooth, batch.mask, config.detail_directions, side, list(parts)
    )
    resolved = detail.resolved(posed.layers.surface.float(), config.image_size).square()
    return energy, known[:, 0], F.adaptive_avg_pool2d(resolved, side)[:, 0].sqrt()


def _crop(
    config: ModelConfig,
    batch: Batch,
    rows: Tensor,
    parts: Sequence[int],
    maps: dict[int, PartMap],
    geometry: Geometry,
    structure: Sequence[Tensor],
    atlas: Tensor | None,
    generator: torch.Generator,
) -> Crops:
    """One crop of each view, around one part each."""
    frame, side = Frame.of(config), config.ray_size
    corners = frame.corners(batch.coarse_mask[torch.arange(len(parts)), list(parts)], generator)
    inside = frame.rays(corners, side)  # (V, R)
    rays = _chosen_rays(batch.rays, inside)
    density = ray_densities(geometry, rays, config)
    weights = split_weights(density, rays)
    features = _features(maps, weights, picture_positions(side)[inside], config)

    def crop(whole: Tensor) -> Tensor:
        return frame.crop(whole, corners, side)

    energy, structured, resolved = (crop(whole) for whole in structure)
    paint = batch.image.new_zeros(len(parts), 0, 0, 0)
    if atlas is not None:
        paint = paint_on_crops(atlas, weights, config)
    return Crops(
        rows,
        rays.uv,
        rays.z,
        rays.depth,
        rays.step,
        density.half(),
        geometry.depth[:, LIFTED.index(FACE_BASE)],
        features.half(),
        ((crop(batch.image) + 1) * 127.5).round().byte(),
        crop(batch.mask).half(),
        (crop(batch.depth) + batch.centre[..., None]).flatten(1),
        crop(batch.foreground).flatten(1),
        energy.flatten(2).half(),
        structured.flatten(1),
        resolved.flatten(1),
        paint.half(),
    )


def paint_on_crops(atlas: Tensor, weights: RayWeights, config: ModelConfig) -> Tensor:
    """What an atlas (V, 3, T, T) adds to crops of pictures, (V, 3, H, W)."""
    face = Frame.of(config).grid(weights.surface(FACE)[:, 0])
    return painted(atlas, face, config.image_size // config.ray_size)


def _chosen_rays(rays: RayBatch, inside: Tensor) -> RayBatch:
    """Some rays (N, R) of one view of each portrait."""
    views = torch.arange(len(inside))[:, None]

    def pick(samples: Tensor) -> Tensor:
        return samples[:, 0][views, inside][:, None]

    full = rays.z.shape
    return RayBatch(
        pick(rays.uv), pick(rays.z), pick(rays.depth.expand(full)), pick(rays.step.expand(full))
    )


def _features(
    maps: dict[int, PartMap], weights: RayWeights, positions: Tensor, config: ModelConfig
) -> Tensor:
    """f_k where the rays meet each part, (V, K, C, R)."""
    found = []
    for part in range(PART_COUNT):
        where = weights.uv[:, 0, LIFTED.index(part)] if part in LIFTED else positions
        window = config.maps[part].window
        found.append(looked_up(maps[part].features, where, window)[:, : config.features])
    return torch.stack(found, 1)


def looked_up(features: Tensor, where: Tensor, window: Window) -> Tensor:
    """Features and amounts of tiles (N, H, W, C + T) at coordinates (N, R, 2): (N, C + T, R)."""
    grid = window_coordinates(where.float(), window)[:, None]
    rows = features.float().permute(0, 3, 1, 2)
    return F.grid_sample(rows, grid, padding_mode="border", align_corners=False)[:, :, 0]
