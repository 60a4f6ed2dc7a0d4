"""The stages from codes to views, each with a memory of its own.

latents → part maps → (with cameras) ray weights → view

Each result is kept under all that it depends on and nothing else: a new camera keeps the part maps,
an edited part recomputes one part generator, an edited texture keeps the ray weights.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .camera import Camera
from .complexion import hues_of
from .config import ModelConfig
from .eigenclothes import cloth_atlas
from .generators import PartGroup, PartMap
from .grain import SKIN, finest, grain_of, grain_on_view, grained_share
from .graphed_parts import GraphedParts
from .graphed_views import GraphedViews
from .latents import PortraitLatents
from .lifting import LIFTED, Geometry, PartGeometry, gather_geometry, part_geometry
from .memo import Memo, MemoLimit
from .model import SSGAN3D
from .paint import face_atlas
from .part_runner import PartRunner
from .parts import BACKGROUND, FACE_BASE, PAINTED, PART_COUNT, PARTS
from .picture import View
from .prints import CLOTHES
from .raymarch import RaySamples, ShellTable, join_views, march
from .render_net import RenderNet, detailed, enlarge_to, log_mask, outline_share
from .spots import skin_tile
from .strands import (
    HAIR,
    CombedHair,
    combed_hair,
    combed_noise,
    finer_strands,
)
from .surface_layers import PortraitLayers
from .upscaler import Upscaler
from .volume import FeatureTable, RayWeights, camera_tensors, ray_weights, sample_rays

_VIEWS_AT_ONCE = {"cpu": 4}
_VIEWS_AT_ONCE_GPU = 64


@dataclass(frozen=True)
class PartKeys:
    """What the parts of a portrait depend on: of those that it lacks, on nothing.

    Attributes:
        geometry: by part, all that its depth and density depend on.
        features: by part, all that its features depend on.
    """

    geometry: tuple[Hashable, ...]
    features: tuple[Hashable, ...]

    @classmethod
    def of(cls, latents: PortraitLatents) -> PartKeys:
        """The keys of a portrait's parts."""
        base, shape, texture = (
            codes.numpy() for codes in (latents.base, latents.shape, latents.texture)
        )
        lacking = _lacking(latents)
        geometry, features = [], []
        for k in range(PART_COUNT):
            own: tuple[Hashable, ...] = (k, base[k].tobytes(), shape[k].tobytes())
            geometry.append((k,) if k in lacking else own)
            features.append((k,) if k in lacking else (*own, texture[k].tobytes()))
        return cls(tuple(geometry), tuple(features))


@dataclass(frozen=True)
class PartResult:
    """One part's maps, and (unless it is the background) its place on the common grid."""

    map: PartMap
    geometry: PartGeometry | None

    @classmethod
    def of(cls, part: int, part_map: PartMap, config: ModelConfig) -> PartResult:
        """Bring a part's maps onto the common grid."""
        geometry = None if part == BACKGROUND else part_geometry(part, part_map, config)
        return cls(part_map, geometry)

    @classmethod
    def nothing(cls, part: int, config: ModelConfig, like: Tensor) -> PartResult:
        """What a part is of a portrait that lacks it.

        Args:
            like: a tensor on the device and in the precision of features.
        """
        spec, side = config.maps[part], config.geometry_size
        features = like.new_zeros(()).expand(
            1, spec.height, spec.width, config.features + config.detail_tiles
        )
        plane = like.new_zeros((), dtype=torch.float32).expand(1, spec.height, spec.width)
        grid = plane[:, :1, :1].expand(1, side, side)
        return cls(PartMap(features, plane, plane), PartGeometry(grid, grid))

    def clone(self) -> PartResult:
        """The same in memory of its own."""
        old = self.map
        rest = (old.paint, old.grain, old.traits, old.tint, old.hue, old.relief)
        own = PartMap(
            old.features.clone(),
            old.depth.clone(),
            old.density.clone(),
            *(None if t is None else t.clone() for t in rest),
        )
        if self.geometry is None:
            return PartResult(own, None)
        depth, density, relief = self.geometry
        relief = None if relief is None else relief.clone()
        return PartResult(own, PartGeometry(depth.clone(), density.clone(), relief))


def _lacking(latents: PortraitLatents) -> set[int]:
    """Optional parts that a portrait does not show. The others tell what lies on or beside them."""
    shown = latents.visible.tolist()
    return {k for k in range(PART_COUNT) if PARTS[k].optional and not shown[k]}


class PartStage:
    """Codes → part maps, one cached result a part."""

    def __init__(
        self,
        model: SSGAN3D,
        precision: torch.dtype,
        limit: MemoLimit,
        *,
        recorded: bool = False,
    ) -> None:
        self.config = model.config
        self.device = next(model.parameters()).device
        self.runners: dict[int, PartRunner] = {}
        for group in model.generators.groups:
            assert isinstance(group, PartGroup)
            for part in group.parts:
                self.runners[part] = PartRunner(group, part, precision)
        self.describe = model.describe
        self.nothing = {
            k: PartResult.nothing(k, self.config, runner.position)
            for k, runner in self.runners.items()
            if PARTS[k].optional
        }
        self.memo: Memo[PartResult] = Memo(limit, tensor_bytes)
        self.graphed: GraphedParts | None = None
        if recorded:
            self.graphed = GraphedParts(self._make, self.config, self.device)

    def __call__(self, latents: PortraitLatents, keys: PartKeys) -> dict[int, PartResult]:
        """All parts of a portrait; of those that it has, only what is not cached is computed."""
        lacking = _lacking(latents)
        wanted = {k: key for k, key in enumerate(keys.features) if k not in lacking}
        found = self.memo.known(wanted.values())
        missing = [k for k, key in wanted.items() if key not in found]
        if missing:
            for k, result in self.compute(latents, missing).items():
                self.memo.put(keys.features[k], result)
                found[keys.features[k]] = result
        nothing = {k: self.nothing[k] for k in lacking}
        return {k: found[key] for k, key in wanted.items()} | nothing

    def compute(self, latents: PortraitLatents, parts: Sequence[int]) -> dict[int, PartResult]:
        """The parts asked for, computed."""
        graphed = None if self.graphed is None else self.graphed(latents, parts)
        if graphed is not None:
            return graphed
        base, shape, texture = (
            codes.to(self.device) for codes in (latents.base, latents.shape, latents.texture)
        )
        return {k: self._make(k, base[k], shape[k], texture[k]) for k in parts}

    def _make(self, part: int, base: Tensor, shape: Tensor, texture: Tensor) -> PartResult:
        part_map = self.runners[part](base, shape, texture)
        self.describe(part, part_map, base[None], shape[None], texture[None])
        return PartResult.of(part, part_map, self.config)

    def clear(self) -> None:
        """Forget all results."""
        self.memo.clear()
        if self.graphed is not None:
            self.graphed.clear()


class WeightStage:
    """Lifted parts and canonical cameras → ray weights, one cached result a geometry and camera.

    On a CPU only the samples that matter are computed (``raymarch``); a GPU computes all of them
    faster than it could pick them out.
    """

    def __init__(self, config: ModelConfig, device: torch.device, limit: MemoLimit) -> None:
        self.config, self.device = config, device
        self.samples: Memo[RaySamples] = Memo(limit, tensor_bytes)
        self.tables: Memo[ShellTable] = Memo(limit, tensor_bytes)
        self.geometry: Memo[Geometry] = Memo(limit, tensor_bytes)
        self.memo: Memo[RayWeights] = Memo(limit, tensor_bytes)

    def __call__(
        self,
        parts: dict[int, PartResult],
        keys: PartKeys,
        visible: Tensor,
        cameras: Sequence[Camera],
    ) -> RayWeights:
        """Weights of one portrait for V cameras; only those that are not cached are computed."""
        geometry = _geometry_key(keys, visible)
        wanted = [(geometry, _camera_key(camera)) for camera in cameras]
        found = self.memo.known(wanted)
        missing = {
            key: camera for key, camera in zip(wanted, cameras, strict=True) if key not in found
        }
        if missing:
            new = self.compute(parts, keys, visible, list(missing.values()))
            for row, key in enumerate(missing):
                found[key] = _view(new, row) if len(missing) > 1 else new
                self.memo.put(key, found[key])
        return join_views([found[key] for key in wanted])

    def compute(
        self,
        parts: dict[int, PartResult],
        keys: PartKeys,
        visible: Tensor,
        cameras: Sequence[Camera],
    ) -> RayWeights:
        """The weights for all cameras, computed."""
        geometry_key = _geometry_key(keys, visible)
        geometry = self.lifted(geometry_key, parts, visible)
        if self.device.type == "cpu":
            table = self.tables.get(geometry_key, lambda: ShellTable.of(geometry, self.config))
            return march(table, [self._samples(camera) for camera in cameras], self.config)
        origins, directions, centre = (
            tensor[None].to(self.device) for tensor in camera_tensors(cameras, self.config.ray_size)
        )
        rays = sample_rays(origins, directions, centre, self.config)
        return ray_weights(geometry, rays, self.config)

    def lifted(self, key: Hashable, parts: dict[int, PartResult], visible: Tensor) -> Geometry:
        """What :meth:`gather` gives, cached under what it depends on."""
        return self.geometry.get(key, lambda: self.gather(parts, visible))

    def gather(self, parts: dict[int, PartResult], visible: Tensor) -> Geometry:
        """All lifted parts on the common grid; hidden ones have no density."""
        known = {k: part.geometry for k, part in parts.items() if part.geometry is not None}
        return gather_geometry(known, self.config, visible[None].to(self.device))

    def _samples(self, camera: Camera) -> RaySamples:
        return self.samples.get(_camera_key(camera), lambda: RaySamples.of(camera, self.config))

    def clear(self) -> None:
        """Forget all results."""
        for memo in (self.samples, self.tables, self.geometry, self.memo):
            memo.clear()


class ViewStage:
    """Part maps, ray weights and canonical cameras → views, one cached result a view."""

    def __init__(
        self,
        net: RenderNet,
        upscaler: Upscaler | None,
        config: ModelConfig,
        limit: MemoLimit,
        *,
        recorded: bool = False,
    ) -> None:
        self.net, self.upscaler, self.config = net, upscaler, config
        self.device = next(net.parameters()).device
        self.weights = WeightStage(config, self.device, limit)
        self.tables: Memo[FeatureTable] = Memo(limit, tensor_bytes)
        self.atlases: Memo[Tensor] = Memo(limit, tensor_bytes)
        self.prints: Memo[Tensor | None] = Memo(limit, tensor_bytes)
        self.combed: Memo[CombedHair | None] = Memo(limit, tensor_bytes)
        self.octaves: Memo[Tensor] = Memo(limit, tensor_bytes)
        self.grains: Memo[Tensor | None] = Memo(limit, tensor_bytes)
        self.memo: Memo[View] = Memo(limit, _view_bytes)
        self.doubled_memo: Memo[Tensor] = Memo(limit, tensor_bytes)
        self.graphed: GraphedViews | None = None
        if recorded:
            self.graphed = GraphedViews(net, config)

    def __call__(
        self,
        parts: dict[int, PartResult],
        keys: PartKeys,
        visible: Tensor,
        cameras: Sequence[Camera],
        *,
        draft: bool = False,
    ) -> list[View]:
        """One view a camera; only those that are not cached are computed.

        Args:
            draft: leave the render net out.
        """
        geometry = _geometry_key(keys, visible)
        wanted = [_view_key(keys, geometry, camera, draft=draft) for camera in cameras]
        views = self.memo.known(wanted)
        missing = {
            key: camera for key, camera in zip(wanted, cameras, strict=True) if key not in views
        }
        limit = _VIEWS_AT_ONCE.get(self.device.type, _VIEWS_AT_ONCE_GPU)
        todo = list(missing.items())
        for start in range(0, len(todo), limit):
            chunk = dict(todo[start : start + limit])
            new = self._draw(parts, keys, visible, list(chunk.values()), draft=draft)
            for key, view in zip(chunk, new, strict=True):
                views[key] = view
                self.memo.put(key, view)
        return [views[key] for key in wanted]

    def _draw(
        self,
        parts: dict[int, PartResult],
        keys: PartKeys,
        visible: Tensor,
        cameras: Sequence[Camera],
        *,
        draft: bool,
    ) -> list[View]:
        """The views of all cameras, computed from weights that may be cached.

        A replay computes the weights again: that takes less than to keep them.
        """
        if self.graphed is not None and not draft:
            geometry_key = _geometry_key(keys, visible)
            views = self.graphed(
                parts,
                keys.features,
                geometry_key,
                lambda: self.weights.lifted(geometry_key, parts, visible),
                lambda: self.layers(parts, keys, visible),
                cameras,
            )
            if views is not None:
                return views
        weights = self.weights(parts, keys, visible, cameras)
        return self.compute(parts, keys, visible, weights, cameras, draft=draft)

    def compute(
        self,
        parts: dict[int, PartResult],
        keys: PartKeys,
        visible: Tensor,
        weights: RayWeights,
        cameras: Sequence[Camera],
        *,
        draft: bool = False,
    ) -> list[View]:
        """The views of all cameras, computed."""
        table = self.tables.get(
            keys.features, lambda: FeatureTable({k: p.map for k, p in parts.items()}, self.config)
        )
        side = self.config.ray_size
        features = table.composite(weights, self.config)[0]  # (V, C, r, r), channels last
        mask = weights.mask[0].unflatten(-1, (side, side))  # (V, K, r, r)
        fine = surface = mask[:, :0]
        if draft:
            image = enlarge_to(features[:, :3].float(), 2 * side)
            logits = log_mask(mask)
        else:
            layers = self.layers(parts, keys, visible).seen(weights, self.config)
            image, logits = self.net(features, mask, layers)
            if layers.strands is not None:
                fine = layers.strands.fine()
            if layers.grain is not None:
                surface = layers.surface
        image = image.float().clamp(-1, 1).cpu()
        logits, depth, coverage = logits.cpu(), weights.depth[0].cpu(), (1 - mask[:, 0]).cpu()
        fine, surface = fine.cpu(), surface.cpu()
        backdrop = parts[BACKGROUND].map.features[0, :, :, :3].permute(2, 0, 1).float().cpu()
        return [
            View(
                camera,
                image[i],
                logits[i],
                backdrop,
                depth[i].unflatten(-1, (side, side)),
                coverage[i],
                fine[i],
                surface[i],
            )
            for i, camera in enumerate(cameras)
        ]

    def doubled(
        self,
        view: View,
        parts: dict[int, PartResult],
        keys: PartKeys,
        visible: Tensor,
        times: int,
    ) -> Tensor:
        """The picture of a portrait's view, doubled n times, (3, 2^n S, 2^n S) float32, cached.

        Args:
            times: n, at least 1; of a model that has an upscaler.
        """
        upscaler = self.upscaler
        assert upscaler is not None
        whole = _view_key(keys, _geometry_key(keys, visible), view.camera, draft=False)

        def double() -> Tensor:
            picture = self._without_grain(view, parts, keys, upscaler, times)
            picture = self._grained(picture, view, parts, keys, times)
            return picture[0].clamp(-1, 1).cpu()

        return self.doubled_memo.get((whole, times), double)

    def _without_grain(
        self,
        view: View,
        parts: dict[int, PartResult],
        keys: PartKeys,
        upscaler: Upscaler,
        times: int,
    ) -> Tensor:
        """A view's picture, doubled n times, (1, 3, 2^n S, 2^n S).

        The upscaler would make brush strokes of grain.
        """
        if not times:
            return self._grained(view.image[None].to(self.device), view, parts, keys, 0, sign=-1)
        picture = upscaler(self._without_grain(view, parts, keys, upscaler, times - 1))
        if len(view.strands):
            picture = detailed(picture, self._finer(view, parts, keys, times, picture.shape[-1]))
        return picture.clamp(-1, 1)

    def _grained(
        self,
        picture: Tensor,
        view: View,
        parts: dict[int, PartResult],
        keys: PartKeys,
        times: int,
        *,
        sign: int = 1,
    ) -> Tensor:
        """A view's picture, doubled n times, (1, 3, 2^n S, 2^n S), with grain on its skin.

        Args:
            sign: -1 takes grain away that is there.
        """
        grain = self.grain(parts, keys)
        if grain is None or not len(view.surface):
            return picture
        octave = grain_of(parts[SKIN].map.grain, finest(self.config.grain)) if times else None
        surface, logits = (t[None].to(self.device) for t in (view.surface, view.mask_logits))
        skin = grained_share(logits.float().softmax(1))
        size = picture.shape[-1]
        light = grain_on_view(grain, octave, surface, skin, size, times, self.config)
        return detailed(picture, (sign * light).expm1())

    def _finer(
        self, view: View, parts: dict[int, PartResult], keys: PartKeys, times: int, size: int
    ) -> Tensor:
        """By how much strands that only a doubled view can show brighten it."""

        def comb() -> Tensor:
            hair = self.combed_part(HAIR, parts, keys)
            assert hair is not None, "strands are of a model with fine structure"
            return combed_noise(hair.amounts, self.config, times)

        noise = self.octaves.get((keys.features[HAIR], times), comb)
        logits, coverage, strands = (
            t[None].to(self.device) for t in (view.mask_logits, view.coverage[None], view.strands)
        )
        share = outline_share(logits.float().softmax(1), coverage)
        return finer_strands(noise, strands, share, size, times, self.config)

    def layers(
        self, parts: dict[int, PartResult], keys: PartKeys, visible: Tensor
    ) -> PortraitLayers:
        """What lies on the surface of a portrait, cached."""
        return PortraitLayers(
            self.atlas(parts, keys, visible),
            self.combed_part(HAIR, parts, keys),
            self.grain(parts, keys),
            self.printed(parts, keys, visible),
            self.combed_part(SKIN, parts, keys),
            hues_of({k: part.map for k, part in parts.items()}),
        )

    def atlas(self, parts: dict[int, PartResult], keys: PartKeys, visible: Tensor) -> Tensor | None:
        """The paint of a portrait, (1, 3, A, A), cached; None of a model without."""
        if not self.config.paint_size:
            return None
        key = (*(keys.features[k] for k in PAINTED), visible.numpy().tobytes())

        def draw() -> Tensor:
            maps = {k: parts[k].map for k in PAINTED}
            made = face_atlas(maps, visible[None].to(self.device), self.config)
            assert made is not None
            return made

        return self.atlases.get(key, draw)

    def combed_part(
        self, part: int, parts: dict[int, PartResult], keys: PartKeys
    ) -> CombedHair | None:
        """The fine structure of a portrait's hair or beard, cached; None of a model without."""
        return self.combed.get(
            keys.features[part], lambda: combed_hair(parts[part].map, self.config, part)
        )

    def grain(self, parts: dict[int, PartResult], keys: PartKeys) -> Tensor | None:
        """The grain and spots of a portrait's skin, cached; None of a model without."""
        return self.grains.get(keys.features[SKIN], lambda: skin_tile(parts[SKIN].map, self.config))

    def printed(
        self, parts: dict[int, PartResult], keys: PartKeys, visible: Tensor
    ) -> Tensor | None:
        """The prints of a portrait's clothes, (1, 3, h, w), cached; None of a model without."""
        if not (self.config.garments or self.config.eigenclothes):
            return None

        def draw() -> Tensor | None:
            lifted = self.weights.lifted(_geometry_key(keys, visible), parts, visible)
            return cloth_atlas(parts[CLOTHES].map, lifted, self.config)

        # clothes lie on the face base, and on nothing else
        key = keys.features[CLOTHES], keys.geometry[FACE_BASE], bool(visible[CLOTHES])
        return self.prints.get(key, draw)

    def clear(self) -> None:
        """Forget all results."""
        self.weights.clear()
        self.tables.clear()
        self.prints.clear()
        self.grains.clear()
        self.atlases.clear()
        self.combed.clear()
        self.octaves.clear()
        self.memo.clear()
        self.doubled_memo.clear()
        if self.graphed is not None:
            self.graphed.clear()


def tensor_bytes(value: Any) -> int:
    """Memory of all tensors in an object, in its attributes and in what they hold, in bytes."""
    if isinstance(value, Tensor):
        return min(value.nbytes, value.untyped_storage().nbytes())  # an expanded one is small
    if isinstance(value, dict):
        return sum(map(tensor_bytes, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(tensor_bytes, value))
    return sum(map(tensor_bytes, vars(value).values())) if hasattr(value, "__dict__") else 0


def _view_bytes(view: View) -> int:
    """With the background that it makes when that is asked for: a pyramid, a third more."""
    return tensor_bytes(view) + view.image.nbytes * 4 // 3


def _view(weights: RayWeights, row: int) -> RayWeights:
    """One view of several."""
    rows = slice(row, row + 1)
    return RayWeights(weights.mask[:, rows], weights.uv[:, rows], weights.depth[:, rows])


def _geometry_key(keys: PartKeys, visible: Tensor) -> Hashable:
    return (*(keys.geometry[k] for k in LIFTED), visible.numpy().tobytes())


def _view_key(keys: PartKeys, geometry: Hashable, camera: Camera, *, draft: bool) -> Hashable:
    return keys.features, geometry, _camera_key(camera), draft


def _camera_key(camera: Camera) -> Hashable:
    return camera.pose.tobytes(), camera.window, camera.orthographic
