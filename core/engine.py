"""PortraitEngine: the fast path from codes and cameras to pictures.

latents → part maps → (with cameras) ray weights → view → the caller's picture

Each arrow is a stage with its own cache, keyed by all that it depends on and by nothing else: a
new camera keeps the part maps, an edited part recomputes one part generator, an edited texture
keeps the ray weights, and a change of lens or size only warps the view anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .camera import Camera, canonical_camera, fit_camera
from .checkpoint import load_checkpoint
from .config import ModelConfig
from .errors import PortraitError
from .generators import PartGroup, PartMap
from .latents import DEFAULT_TRUNCATION, PortraitLatents, seed_noise
from .lifting import LIFTED, Geometry, gather_geometry, part_geometry
from .memo import Memo
from .model import SSGAN3D
from .model_card import embedded_weights as embedded_weights
from .part_runner import PartRunner
from .parts import BACKGROUND, PART_COUNT
from .picture import Rendering, View
from .raymarch import RaySamples, ShellTable, join_views, march
from .render_net import RenderNet, enlarge_to, log_mask
from .volume import (
    FeatureTable,
    RayWeights,
    camera_tensors,
    ray_weights,
    sample_rays,
)

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
MAX_PIXELS = 8192 * 8192
"""Largest picture that is accepted: beyond it a mistyped size would take all memory."""
_MEAN_COUNT = 2048
_VIEWS_AT_ONCE = {"cpu": 4}
_VIEWS_AT_ONCE_GPU = 64


@dataclass(frozen=True)
class PartKeys:
    """What the parts of a portrait depend on.

    Attributes:
        geometry: by part, all that its depth and density depend on.
        features: by part, all that its features depend on.
    """

    geometry: tuple[Hashable, ...]
    features: tuple[Hashable, ...]

    @classmethod
    def of(cls, latents: PortraitLatents) -> PartKeys:
        """The keys of a portrait's parts."""
        base = latents.base.numpy().tobytes()
        shape, texture = latents.shape.numpy(), latents.texture.numpy()
        geometry = tuple((base, k, shape[k].tobytes()) for k in range(PART_COUNT))
        return cls(geometry, tuple((*geometry[k], texture[k].tobytes()) for k in range(PART_COUNT)))


@dataclass(frozen=True)
class PartResult:
    """One part's maps, and (unless it is the background) its place on the common grid."""

    map: PartMap
    geometry: tuple[Tensor, Tensor] | None

    @classmethod
    def of(cls, part: int, part_map: PartMap, config: ModelConfig) -> PartResult:
        """Bring a part's maps onto the common grid."""
        geometry = None if part == BACKGROUND else part_geometry(part, part_map, config)
        return cls(part_map, geometry)


class PartStage:
    """Codes → part maps, one cached result a part."""

    def __init__(self, model: SSGAN3D, precision: torch.dtype, portraits: int = 4) -> None:
        self.config = model.config
        self.device = next(model.parameters()).device
        self.runners: dict[int, PartRunner] = {}
        for group in model.generators.groups:
            assert isinstance(group, PartGroup)
            for part in group.parts:
                self.runners[part] = PartRunner(group, part, precision)
        self.memo: Memo[PartResult] = Memo(portraits * PART_COUNT)

    def __call__(self, latents: PortraitLatents, keys: PartKeys) -> dict[int, PartResult]:
        """All parts of a portrait; only those that are not cached are computed."""
        # the cached ones are taken out first: new ones may push them out of the cache
        found = {
            k: self.memo.get(key, _never) for k, key in enumerate(keys.features) if key in self.memo
        }
        missing = [k for k in range(PART_COUNT) if k not in found]
        if missing:
            for k, result in self.compute(latents, missing).items():
                self.memo.put(keys.features[k], result)
                found[k] = result
        return {k: found[k] for k in range(PART_COUNT)}

    def compute(self, latents: PortraitLatents, parts: Sequence[int]) -> dict[int, PartResult]:
        """The parts asked for, computed."""
        base, shape, texture = (
            codes.to(self.device) for codes in (latents.base, latents.shape, latents.texture)
        )
        results = {}
        for k in parts:
            part = self.runners[k](base, shape[k], texture[k])
            results[k] = PartResult.of(k, part, self.config)
        return results


def _never() -> Any:
    raise AssertionError("a result that was just computed is not in its cache")


class WeightStage:
    """Lifted parts and canonical cameras → ray weights, one cached result a geometry and camera.

    On a CPU only the samples that matter are computed (``raymarch``); a GPU computes all of them
    faster than it could pick them out.
    """

    def __init__(self, config: ModelConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        self.samples: Memo[RaySamples] = Memo(8)
        self.tables: Memo[ShellTable] = Memo(2)
        self.geometry: Memo[Geometry] = Memo(2)
        self.memo: Memo[RayWeights] = Memo(8)

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
        missing = {
            key: camera for key, camera in zip(wanted, cameras, strict=True) if key not in self.memo
        }
        found = {key: self.memo.get(key, _never) for key in wanted if key not in missing}
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
        geometry = self.geometry.get(geometry_key, lambda: self.gather(parts, visible))
        if self.device.type == "cpu":
            table = self.tables.get(geometry_key, lambda: ShellTable.of(geometry, self.config))
            return march(table, [self._samples(camera) for camera in cameras], self.config)
        origins, directions, centre = (
            tensor[None].to(self.device) for tensor in camera_tensors(cameras, self.config.ray_size)
        )
        rays = sample_rays(origins, directions, centre, self.config)
        return ray_weights(geometry, rays, self.config)

    def gather(self, parts: dict[int, PartResult], visible: Tensor) -> Geometry:
        """All lifted parts on the common grid; hidden ones have no density."""
        known = {k: part.geometry for k, part in parts.items() if part.geometry is not None}
        return gather_geometry(known, visible[None].to(self.device))

    def _samples(self, camera: Camera) -> RaySamples:
        return self.samples.get(_camera_key(camera), lambda: RaySamples.of(camera, self.config))

    def clear(self) -> None:
        """Forget all results."""
        for memo in (self.samples, self.tables, self.geometry, self.memo):
            memo.clear()


class ViewStage:
    """Part maps, ray weights and canonical cameras → views, one cached result a view."""

    def __init__(self, net: RenderNet, config: ModelConfig) -> None:
        self.net, self.config = net, config
        self.device = next(net.parameters()).device
        self.weights = WeightStage(config, self.device)
        self.tables: Memo[FeatureTable] = Memo(2)
        self.memo: Memo[View] = Memo(8)

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
        wanted = [(keys.features, geometry, _camera_key(camera), draft) for camera in cameras]
        views = {key: self.memo.get(key, _never) for key in wanted if key in self.memo}
        missing = {
            key: camera for key, camera in zip(wanted, cameras, strict=True) if key not in views
        }
        limit = _VIEWS_AT_ONCE.get(self.device.type, _VIEWS_AT_ONCE_GPU)
        todo = list(missing.items())
        for start in range(0, len(todo), limit):
            chunk = dict(todo[start : start + limit])
            weights = self.weights(parts, keys, visible, list(chunk.values()))
            new = self.compute(parts, keys, weights, list(chunk.values()), draft=draft)
            for key, view in zip(chunk, new, strict=True):
                views[key] = view
                self.memo.put(key, view)
        return [views[key] for key in wanted]

    def compute(
        self,
        parts: dict[int, PartResult],
        keys: PartKeys,
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
        if draft:
            image = enlarge_to(features[:, :3].float(), 2 * side)
            logits = log_mask(mask)
        else:
            image, logits = self.net(features, mask)
        image = image.float().clamp(-1, 1).cpu()
        logits, depth, coverage = logits.cpu(), weights.depth[0].cpu(), (1 - mask[:, 0]).cpu()
        backdrop = parts[BACKGROUND].map.features[0, :, :, :3].permute(2, 0, 1).float().cpu()
        return [
            View(
                camera,
                image[i],
                logits[i],
                backdrop,
                depth[i].unflatten(-1, (side, side)),
                coverage[i],
            )
            for i, camera in enumerate(cameras)
        ]

    def clear(self) -> None:
        """Forget all results."""
        self.weights.clear()
        self.tables.clear()
        self.memo.clear()


def _view(weights: RayWeights, row: int) -> RayWeights:
    """One view of several."""
    rows = slice(row, row + 1)
    return RayWeights(weights.mask[:, rows], weights.uv[:, rows], weights.depth[:, rows])


def _geometry_key(keys: PartKeys, visible: Tensor) -> Hashable:
    return (*(keys.geometry[k] for k in LIFTED), visible.numpy().tobytes())


def _camera_key(camera: Camera) -> Hashable:
    return camera.pose.tobytes(), camera.window, camera.orthographic


@dataclass(frozen=True)
class PartFields:
    """The lifted field of one portrait, on the CPU in float32.

    Attributes:
        geometry: d̂_k and σ_k of the lifted parts on the common grid, (1, K - 1, G, G).
        colors: coarse colours in about [-1, 1] by part index, each (3, H, W) in the part's window.
    """

    geometry: Geometry
    colors: dict[int, Tensor]


class PortraitEngine:
    """A loaded model that renders portraits.

    Attributes:
        config: the model's configuration.
        checkpoint_info: facts about the model file, JSON values.
        device: where the network runs.
        precision: "float32", "bfloat16" or "float16": of features and render net. Geometry is
            float32 always, because a shell is thin against the volume.
        mapping, part_stage, view_stage: the stages, each with its caches.
    """

    def __init__(
        self,
        model: SSGAN3D,
        info: dict[str, Any] | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        self.config = model.config
        self.checkpoint_info = dict(info or {})
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        dtype = PRECISIONS[self.precision]
        model = model.eval().requires_grad_(False).to(self.device)
        self.mapping = model.mapping
        net = RenderNet(self.config)
        net.load_state_dict(model.render_net.state_dict())
        net = net.to(self.device, dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.part_stage = PartStage(model, dtype)
        self.view_stage = ViewStage(net.eval().requires_grad_(False), self.config)
        self._means: PortraitLatents | None = None

    @classmethod
    def load(
        cls, path: Path | None = None, *, device: str = "auto", precision: str = "auto"
    ) -> PortraitEngine:
        """Load a model file; None loads the one that is embedded.

        Args:
            device: "auto", or a device as torch names it ("cpu", "cuda", "mps").
            precision: "auto" takes bfloat16 where the CPU multiplies it in hardware, float16 on
                GPUs, else float32.

        Raises:
            CheckpointError: the file is missing or broken.
            PortraitError: the device or precision is not there.
        """
        model, info = load_checkpoint(embedded_weights() if path is None else Path(path))
        return cls(model, info, device=device, precision=precision)

    @property
    def mean_latents(self) -> PortraitLatents:
        """The mean portrait, towards which truncation draws.

        It is computed from the mapping network and fixed seeds, so that it cannot disagree with it.
        """
        if self._means is None:
            seeds = seed_noise(0, _MEAN_COUNT * self.config.z_dim)
            self._means = self._map(torch.from_numpy(seeds).reshape(_MEAN_COUNT, -1))
        return self._means

    def sample(self, seed: int, truncation: float = DEFAULT_TRUNCATION) -> PortraitLatents:
        """The portrait of a seed.

        Args:
            truncation: 0 gives the mean portrait's codes, 1 leaves them as the model draws them.

        Raises:
            LatentsError: the seed is not a whole number from 0 to 2^63 - 1.
        """
        drawn = self._map(torch.from_numpy(seed_noise(seed, self.config.z_dim))[None])
        return drawn.truncate(self.mean_latents, truncation)

    @torch.inference_mode()
    def _map(self, z: Tensor) -> PortraitLatents:
        """The mean of the portraits of z (B, z_dim)."""
        base, shape, texture, presence = (
            codes.mean(0).cpu() for codes in self.mapping(z.to(self.device))
        )
        with torch.inference_mode(False):  # results are the caller's to use as any tensor
            return PortraitLatents(base.clone(), shape.clone(), texture.clone(), presence > 0)

    def render(
        self,
        latents: PortraitLatents,
        camera: Camera | Sequence[Camera],
        *,
        size: tuple[int, int] | None = None,
        outside: str = "clamp",
        draft: bool = False,
    ) -> Rendering:
        """Render a portrait from one or several cameras.

        Args:
            size: (height, width) of the pictures; None gives the model's height, and the width
                that the first camera's window asks for.
            outside: "clamp" moves cameras from outside the trained range to the nearest pose
                inside, "refuse" raises.
            draft: leave the render net out, for pictures that must follow a hand. They show the
                coarse colours and masks that the geometry gives, at half the model's resolution.

        Raises:
            LatentsError: the portrait was made with another model.
            CameraRangeError: a camera is outside and ``outside`` is "refuse".
            PortraitError: the size is not positive or too large.
        """
        latents.check(self.config)
        cameras = [camera] if isinstance(camera, Camera) else list(camera)
        if not cameras:
            raise PortraitError("There is no camera to render from.")
        cameras = [fit_camera(c, self.config, outside) for c in cameras]
        size = self._picture_size(cameras[0], size)
        keys = PartKeys.of(latents)
        with torch.inference_mode():
            parts = self.part_stage(latents, keys)
            canonical = [canonical_camera(c, self.config) for c in cameras]
            views = self.view_stage(parts, keys, latents.visible, canonical, draft=draft)
        return Rendering(views, cameras, size, background_visible=bool(latents.visible[BACKGROUND]))

    def _picture_size(self, camera: Camera, size: tuple[int, int] | None) -> tuple[int, int]:
        if size is None:
            left, right, bottom, top = camera.window
            height = self.config.image_size
            size = (height, max(1, round(height * (right - left) / (top - bottom))))
        height, width = size
        if min(height, width) < 1 or height * width > MAX_PIXELS:
            raise PortraitError(
                f"A picture of {width} × {height} pixels cannot be made; choose a size from 1 × 1 "
                "to 8192 × 8192."
            )
        return int(height), int(width)

    def part_fields(self, latents: PortraitLatents) -> PartFields:
        """Depth, density and coarse colour of a portrait's parts: what meshes are made from.

        Raises:
            LatentsError: the portrait was made with another model.
        """
        latents.check(self.config)
        keys = PartKeys.of(latents)
        with torch.inference_mode():
            parts = self.part_stage(latents, keys)
            geometry = self.view_stage.weights.gather(parts, latents.visible)
        colors = {
            k: part.map.features[0, :, :, :3].permute(2, 0, 1).float().cpu()
            for k, part in parts.items()
        }
        return PartFields(Geometry(geometry.depth.cpu(), geometry.density.cpu()), colors)

    def remember(self, portraits: int) -> None:
        """Bound the memory of cached results: those of about so many portraits are kept.

        A portrait in memory is drawn again, or from a new camera, without running its part
        generators. One takes about 16 MiB with the embedded model on a CPU.

        Raises:
            PortraitError: fewer than one portrait.
        """
        if portraits < 1:
            raise PortraitError(f"{portraits} portraits cannot be kept: keep 1 or more.")
        views, weights = self.view_stage, self.view_stage.weights
        self.part_stage.memo.resize(portraits * PART_COUNT)
        seen: tuple[Memo[Any], ...] = (views.memo, weights.memo, weights.samples)
        tables: tuple[Memo[Any], ...] = (views.tables, weights.tables, weights.geometry)
        for memo in seen:
            memo.resize(2 * portraits)
        for memo in tables:
            memo.resize(max(1, portraits // 2))

    def release(self) -> None:
        """Forget all cached results; the model stays loaded."""
        self.part_stage.memo.clear()
        self.view_stage.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.device.type == "mps":
            torch.mps.empty_cache()


def choose_device(name: str) -> torch.device:
    """The device called ``name``; "auto" takes a GPU where torch finds one.

    Raises:
        PortraitError: the device does not exist here.
    """
    present: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in present.items() if there()))
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in present or not present[device.type]():
        here = ", ".join(kind for kind, there in present.items() if there())
        raise PortraitError(f"There is no device {name!r} here; there is: {here}.")
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """The precision called ``name``; "auto" takes the fastest that the device has in hardware.

    Raises:
        PortraitError: there is no such precision.
    """
    if name != "auto":
        if name not in PRECISIONS:
            raise PortraitError(f"There is no precision {name!r}; choose {', '.join(PRECISIONS)}.")
        return name
    if device.type == "cpu":
        return "bfloat16" if cpu_has_bfloat16() else "float32"
    return "float16"


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware (AMX or AVX-512 BF16)."""
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
