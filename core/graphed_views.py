"""Views on a GPU: from the numbers of a camera to a picture by replaying a CUDA graph.

The portrait lies in memory that stays where it is. A new camera is a few numbers copied and one
replay, an edited part or another portrait a copy of its maps before that.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .camera import Camera
from .complexion import TAKERS
from .config import ModelConfig
from .cuda_graph import Recording
from .fixed_shapes import FixedTable, RayGrid, ray_frames
from .grain import NOISES, SKIN, grain_of
from .lifting import LIFTED, Geometry
from .parts import BACKGROUND, PAINTED, PART_COUNT
from .picture import View
from .prints import CLOTHES, atlas_size
from .render_net import RenderNet
from .strands import COMBED, HAIR, CombedHair, combed_noise
from .surface_layers import PortraitLayers
from .volume import ray_weights

if TYPE_CHECKING:
    from .stages import PartResult

BATCHES = (16, 1)
"""Numbers of views that are recorded, when they are first wanted. A large one keeps memory in
proportion."""
_log = logging.getLogger(__name__)


class FixedViews:
    """One portrait in memory that stays where it is, and its views by work of one course."""

    def __init__(self, net: RenderNet, config: ModelConfig) -> None:
        self.net, self.config = net, config
        weight = next(net.parameters())
        self.device = weight.device
        self.grid = RayGrid(config, self.device)
        self.table = FixedTable(config, weight.dtype, self.device)
        lifted = (1, len(LIFTED), config.geometry_size, config.geometry_size)
        self.geometry = Geometry(
            torch.zeros(lifted, device=self.device), torch.zeros(lifted, device=self.device)
        )
        self.layers = self._empty_layers()
        self._layers_key: Hashable = None
        self._geometry_key: Hashable = None
        self._feature_keys: list[Hashable] = [None] * PART_COUNT
        size, half, rays = config.image_size, config.image_size // 2, config.ray_size
        spec = config.maps[BACKGROUND]
        self._shapes = (
            (3, size, size),
            (PART_COUNT, half, half),
            (rays, rays),
            (rays, rays),
            (3, spec.height, spec.width),
            (4 if self.layers.hair is not None else 0, rays, rays),
            (3 if self.layers.grain is not None else 0, rays, rays),
        )

    def _empty_layers(self) -> PortraitLayers:
        """Layers of no portrait yet, of the shapes that the model's have."""
        config, atlas, grain, prints = self.config, None, None, None
        combed: list[CombedHair | None] = [None for _ in COMBED]
        if config.paint_size:
            atlas = torch.zeros(1, 3, config.paint_size, config.paint_size, device=self.device)
        if config.detail_directions:
            for number, part in enumerate(COMBED):
                spec = config.maps[part]
                amounts = torch.zeros(
                    1, config.detail_tiles, spec.height, spec.width, device=self.device
                )
                noise = torch.zeros_like(combed_noise(amounts, config, part=part))
                combed[number] = CombedHair(amounts, noise, part)
        if config.grain:
            grain = grain_of(torch.zeros(1, NOISES, device=self.device), config.grain)
        if config.garments or config.eigenclothes:
            prints = torch.zeros(1, 3, *atlas_size(config), device=self.device)
        hair, stubble = combed
        hues = None
        if config.complexions:
            hues = torch.zeros(1, len(TAKERS), 3, device=self.device)
        return PortraitLayers(atlas, hair, grain, prints, stubble, hues)

    def take(
        self,
        parts: Mapping[int, PartResult],
        features: Sequence[Hashable],
        geometry_key: Hashable,
        geometry: Callable[[], Geometry],
        layers: Callable[[], PortraitLayers],
    ) -> None:
        """Copy what of a portrait is not there yet.

        Args:
            parts: its parts' maps, one portrait.
            features: by part, what its features depend on.
            geometry_key: what its geometry depends on.
            geometry: gives the geometry.
            layers: gives what lies on the portrait's surface.
        """
        for part, key in enumerate(features):
            if self._feature_keys[part] != key:
                self._feature_keys[part] = None  # in case that the copy fails
                self.table.put(part, parts[part].map)
                self._feature_keys[part] = key
        if self._geometry_key != geometry_key:
            self._geometry_key = None
            new = geometry()
            self.geometry.depth.copy_(new.depth)
            self.geometry.density.copy_(new.density)
            self._geometry_key = geometry_key
        lying = {*PAINTED, *TAKERS, HAIR, SKIN, CLOTHES}
        layers_key = (geometry_key, *(features[part] for part in sorted(lying)))
        if self._layers_key != layers_key:
            self._layers_key = None
            _copy_layers(self.layers, layers())
            self._layers_key = layers_key

    def draw(self, frames: Tensor) -> Tensor:
        """The views of cameras (:func:`.fixed_shapes.ray_frames`) in one block, (V, L) float32."""
        count, side = len(frames), (self.config.ray_size, self.config.ray_size)
        weights = ray_weights(self.geometry, self.grid.samples(frames), self.config)
        features = self.table.composite(weights)[0]  # (V, C + T, r, r), channels last
        mask = weights.mask[0].unflatten(-1, side)  # (V, K, r, r)
        layers = self.layers.seen(weights, self.config)
        image, logits = self.net(features, mask, layers)
        background = self.table.rows[self.table.spans[BACKGROUND], :3].T.float()
        outputs = (
            image.float().clamp(-1, 1),
            logits.float(),
            weights.depth[0],
            1 - mask[:, BACKGROUND],
            background.expand(count, -1, -1),
            mask[:, :0] if layers.strands is None else layers.strands.fine(),
            mask[:, :0] if layers.grain is None else layers.surface,
        )
        return torch.cat([output.flatten(1) for output in outputs], 1)

    def views(self, block: Tensor, cameras: Sequence[Camera]) -> list[View]:
        """What :meth:`draw` made, as views."""
        sizes = [math.prod(shape) for shape in self._shapes]
        pieces = block.split(sizes, 1)
        fields = [
            list(piece.unflatten(1, shape))
            for piece, shape in zip(pieces, self._shapes, strict=True)
        ]
        image, logits, depth, coverage, backdrop, *rest = fields
        return [
            View(
                camera,
                image[i],
                logits[i],
                backdrop[i],
                depth[i],
                coverage[i],
                *(field[i] for field in rest),
            )
            for i, camera in enumerate(cameras)
        ]


class GraphedViews:
    """:class:`FixedViews` of a CUDA device, recorded for a few numbers of views.

    Attributes:
        works: whether recording has not failed yet.
        portrait: what is seen; None before the first.
    """

    def __init__(
        self, net: RenderNet, config: ModelConfig, batches: Sequence[int] = BATCHES
    ) -> None:
        self.net, self.config = net, config
        self.batches = sorted(batches, reverse=True)
        self.works = True
        self.portrait: FixedViews | None = None
        self._recordings: dict[int, tuple[Tensor, Recording[Tensor]]] = {}
        self._pool: Any = None
        self._copying: torch.cuda.Stream | None = None

    @torch.inference_mode()
    def __call__(
        self,
        parts: Mapping[int, PartResult],
        features: Sequence[Hashable],
        geometry_key: Hashable,
        geometry: Callable[[], Geometry],
        layers: Callable[[], PortraitLayers],
        cameras: Sequence[Camera],
    ) -> list[View] | None:
        """Views of a portrait from canonical cameras; None where they cannot be recorded.

        Args:
            parts, features, geometry_key, geometry, layers: as for :meth:`FixedViews.take`.
        """
        if not self.works:
            return None
        try:
            if self.portrait is None:
                self.portrait = FixedViews(self.net, self.config)
            self.portrait.take(parts, features, geometry_key, geometry, layers)
            return self.views(cameras)
        except Exception as error:  # whatever it is, the plain path may still work
            _log.warning("Pictures cannot be recorded on this GPU, so they take longer: %s", error)
            self.clear()
            self.works = False
            return None

    def views(self, cameras: Sequence[Camera]) -> list[View]:
        """Views of the portrait that is there."""
        portrait = self._there()
        frames = torch.from_numpy(ray_frames(cameras)).pin_memory()
        blocks: list[tuple[Tensor, Sequence[Camera]]] = []
        drawing = torch.cuda.current_stream(portrait.device)
        self._copying = self._copying or torch.cuda.Stream(portrait.device)
        for start, count in _portions(len(cameras), self.batches):
            end = start + count
            made = self.replay(frames[start:end])
            if count < len(cameras):  # the next replay overwrites it, and need not wait
                made = made.clone()
            # pinned memory is taken from a store of torch's own, and filled without the CPU
            block = torch.empty(made.shape, pin_memory=True)
            self._copying.wait_stream(drawing)
            with torch.cuda.stream(self._copying):
                block.copy_(made, non_blocking=True)
            made.record_stream(self._copying)
            blocks.append((block, cameras[start:end]))
        self._copying.synchronize()
        return [view for block, seen in blocks for view in portrait.views(block, seen)]

    def replay(self, frames: Tensor) -> Tensor:
        """The block (:meth:`FixedViews.draw`) of V views; the next replay overwrites it."""
        portrait, count = self._there(), len(frames)
        if count not in self._recordings:
            wanted = frames.to(portrait.device)
            # a replay begins when the block of the one before is elsewhere: all may use one memory
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            recording = Recording(lambda: portrait.draw(wanted), portrait.device, self._pool)
            self._recordings[count] = wanted, recording
        static, recording = self._recordings[count]
        static.copy_(frames, non_blocking=True)
        return recording.replay()

    def clear(self) -> None:
        """Forget the portrait and all recordings, and give their memory back."""
        self._recordings.clear()
        self.portrait = self._pool = None

    def _there(self) -> FixedViews:
        assert self.portrait is not None, "a portrait is taken before it is seen"
        return self.portrait


def _copy_layers(there: PortraitLayers, wanted: PortraitLayers) -> None:
    """Fill the layers of one portrait with those of another."""
    for name in ("atlas", "grain", "prints", "hues"):
        own, other = getattr(there, name), getattr(wanted, name)
        if own is not None:
            own.zero_() if other is None else own.copy_(other)
    for own, other in ((there.hair, wanted.hair), (there.stubble, wanted.stubble)):
        if own is None:
            continue
        if other is None:  # a portrait without such strands
            own.amounts.zero_()
        else:
            own.amounts.copy_(other.amounts)
            own.noise.copy_(other.noise)


def _portions(count: int, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """(start, length) of portions of ``sizes``, largest first, that make up ``count``."""
    portions, start = [], 0
    for size in sizes:
        while count - start >= size:
            portions.append((start, size))
            start += size
    return portions
