"""PortraitEngine: the fast path from codes and cameras to pictures.

The stages and what they remember are in ``stages``; a change of lens or size only warps the view
anew (``picture``).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .attributes import BY_NAME
from .attributes import check as check_attributes
from .attributes import having as having_of
from .camera import Camera, canonical_camera, fit_camera
from .checkpoint import load_checkpoint
from .config import DEFAULT_TRUNCATION
from .device import PRECISIONS, choose_device, choose_precision
from .errors import PortraitError
from .latents import PortraitLatents, seed_noise
from .lifting import LIFTED, Geometry, gather_geometry, part_geometry
from .likeness import face_codes, likeness
from .memo import MemoLimit
from .model import SSGAN3D
from .model_card import embedded_weights as embedded_weights
from .parts import BACKGROUND, FACE_BASE, FACE_PARTS, part_index
from .people_mixture import PeopleMixture
from .picture import Rendering
from .render_net import RenderNet
from .stages import PartKeys, PartStage, ViewStage

MAX_PIXELS = 8192 * 8192
"""Largest picture that is accepted: beyond it a mistyped size would take all memory."""
KEPT_MIB = 128
"""Memory that cached results take together, if nobody says otherwise."""
_FINER = 2
"""How many times finer the grid is that meshes are made from, either way."""
_MEAN_COUNT = 512
_SEEDS_AT_ONCE = 256
"""Whose people are looked up together: a few megabytes a hundred."""


@dataclass(frozen=True)
class PartFields:
    """The lifted field of one portrait, on the CPU in float32.

    Attributes:
        geometry: d̂_k and σ_k of the lifted parts, (1, K - 1, G, G), on a grid that is finer than
            the common one: meshes are looked at more closely than pictures.
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
        results: how much the caches hold together, in bytes.
    """

    def __init__(
        self,
        model: SSGAN3D,
        info: dict[str, Any] | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        recorded: bool = True,
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
        upscaler = copy.deepcopy(model.upscaler)
        if upscaler is not None:
            upscaler.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        recorded = recorded and self.device.type == "cuda"
        self.results = MemoLimit(KEPT_MIB * 2**20)
        self.part_stage = PartStage(model, dtype, self.results, recorded=recorded)
        self.view_stage = ViewStage(
            net.eval().requires_grad_(False),
            upscaler,
            self.config,
            self.results,
            recorded=recorded,
        )
        self._means: PortraitLatents | None = None

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        recorded: bool = True,
    ) -> PortraitEngine:
        """Load a model file; None loads the one that is embedded.

        Args:
            device: "auto", or a device as torch names it ("cpu", "cuda", "mps").
            precision: "auto" takes bfloat16 where the CPU multiplies it in hardware, float16 on
                GPUs, else float32.
            recorded: on a CUDA device, replay CUDA graphs (``graphed_views``).

        Raises:
            CheckpointError: the file is missing or broken.
            PortraitError: the device or precision is not there.
        """
        model, info = load_checkpoint(embedded_weights() if path is None else Path(path))
        return cls(model, info, device=device, precision=precision, recorded=recorded)

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
    def most_alike(
        self,
        portrait: PortraitLatents,
        seeds: Sequence[int],
        count: int,
        truncation: float = DEFAULT_TRUNCATION,
    ) -> list[int]:
        """Those ``count`` seeds whose heads and skins are most like a portrait's, best first.

        Their parts go best with it: they fit its head and stand in its light.

        Args:
            truncation: of the seeds' portraits.

        Raises:
            LatentsError: as for :meth:`sample`, or the portrait was made with another model.
        """
        portrait.check(self.config)
        noise = np.stack([seed_noise(seed, self.config.z_dim) for seed in seeds])
        drawn = face_codes(*self.mapping(torch.from_numpy(noise).to(self.device))[:3])
        mean, own = (
            face_codes(one.base[None], one.shape[None], one.texture[None])
            for one in (self.mean_latents, portrait)
        )
        others = [m.lerp(codes.cpu(), truncation) for m, codes in zip(mean, drawn, strict=True)]
        best = likeness(own, others)[0].topk(min(count, len(seeds))).indices
        return [seeds[index] for index in best.tolist()]

    @torch.inference_mode()
    def having(self, seeds: Sequence[int], wanted: Mapping[str, str]) -> list[int]:
        """Those seeds in whose portraits parts are of people with some attributes, in order.

        A part is of the person whom more than half of its codes are from.

        Args:
            wanted: value by attribute (:mod:`.attributes`); all of them count.

        Raises:
            LatentsError: as for :meth:`sample`.
            PortraitError: there is no such attribute or value, or the model does not tell.
        """
        check_attributes(wanted)
        who: dict[int, Tensor] = {}
        for name, value in wanted.items():
            part, people = BY_NAME[name].part, self._who_has(name, value)
            index = FACE_BASE if part in FACE_PARTS else part_index(part)  # a face is one blend
            who[index] = people * who.get(index, 1)
        if not all(bool(people.any()) for people in who.values()):
            return []
        left = list(seeds)
        # whose face it is is known fifty times as soon
        for index in sorted(who, key=lambda index: index != FACE_BASE):
            chunks = [left[i : i + _SEEDS_AT_ONCE] for i in range(0, len(left), _SEEDS_AT_ONCE)]
            left = [seed for some in chunks for seed in self._lent_by(some, index, who[index])]
        return left

    def _lent_by(self, seeds: list[int], part: int, people: Tensor) -> list[int]:
        """Those seeds, of which more than half of a part is from people (S,) that have a 1."""
        assert isinstance(self.mapping, PeopleMixture), "only such models say who is like what"
        noise = np.stack([seed_noise(seed, self.config.z_dim) for seed in seeds])
        shares = self.mapping.lent(torch.from_numpy(noise).to(self.device), part)
        fits = (shares @ people > 0.5).tolist()
        return [seed for seed, fit in zip(seeds, fits, strict=True) if fit]

    def _who_has(self, name: str, value: str) -> Tensor:
        """1 for the people with one value of an attribute, (S,)."""
        known = having_of(self.checkpoint_info, name, value)
        if known is None or not 0 < len(known) <= self.config.people:
            raise PortraitError(
                "This model does not say what its people are like: choose the model that comes "
                "along, or ask for nothing."
            )
        rows = torch.zeros(self.config.people, device=self.device)
        rows[: len(known)] = torch.tensor(known).to(rows)
        return rows

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

        def doubled(index: int, times: int) -> Tensor:
            return self.view_stage.doubled(views[index], parts, keys, latents.visible, times)

        return Rendering(
            views,
            cameras,
            size,
            background_visible=bool(latents.visible[BACKGROUND]),
            doubled=doubled if self.view_stage.upscaler and not draft else None,
        )

    def _picture_size(self, camera: Camera, size: tuple[int, int] | None) -> tuple[int, int]:
        if size is None:
            left, right, bottom, top = camera.window
            height = self.config.image_size
            size = (height, max(1, round(height * (right - left) / (top - bottom))))
        height, width = size
        if min(height, width) < 1 or height * width > MAX_PIXELS:
            raise PortraitError(
                "A picture of {0} × {1} pixels cannot be made; choose a size from 1 × 1 to "
                "8192 × 8192.",
                width,
                height,
            )
        return int(height), int(width)

    def part_fields(self, latents: PortraitLatents) -> PartFields:
        """Depth, density and coarse colour of a portrait's parts: what meshes are made from.

        Raises:
            LatentsError: the portrait was made with another model.
        """
        latents.check(self.config)
        keys = PartKeys.of(latents)
        fine = replace(self.config, geometry_size=_FINER * self.config.geometry_size)
        with torch.inference_mode():
            parts = self.part_stage(latents, keys)
            geometry = gather_geometry(
                {k: part_geometry(k, parts[k].map, fine) for k in LIFTED},
                fine,
                latents.visible[None].to(self.device),
            )
        colors = {
            k: part.map.features[0, :, :, :3].permute(2, 0, 1).float().cpu()
            for k, part in parts.items()
        }
        return PartFields(Geometry(geometry.depth.cpu(), geometry.density.cpu()), colors)

    def limit_memory(self, mebibytes: int) -> None:
        """Bound the memory of cached results: those that were used last are kept.

        What is in memory is drawn again, or from a new camera, without running part generators.
        With the embedded model on a CPU a portrait takes 10 to 14 MiB, each of its views 5.
        The model and PyTorch come on top, and what a picture needs while it is made.

        Raises:
            PortraitError: a negative limit.
        """
        if mebibytes < 0:
            raise PortraitError("{0} MB cannot be kept: give 0 or more.", mebibytes)
        self.results.resize(mebibytes * 2**20)

    def release(self) -> None:
        """Forget all cached results; the model stays loaded."""
        self.part_stage.clear()
        self.view_stage.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.device.type == "mps":
            torch.mps.empty_cache()
