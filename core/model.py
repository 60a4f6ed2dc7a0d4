"""SSGAN3D: the five stages composed. Training and the reference use it; the engine is faster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .generators import PartGenerators, PartMap
from .lifting import Geometry, gather_geometry, part_geometry
from .mapping import MappingNetwork
from .people_mixture import PeopleMixture
from .relief import Relief
from .render_net import RenderNet
from .strands import COMBED, combed_hair
from .surface_layers import SurfaceLayers, surface_layers
from .upscaler import Upscaler
from .volume import FeatureTable, RayBatch, ray_weights


@dataclass
class PosedFeatures:
    """Features, masks and depth of V views of B portraits on the ray grid.

    Attributes:
        features: f_render, (B, V, C + T, r, r); the first three are coarse colour, the last T how
            much of each tile of fine structure shows.
        mask: m, (B, V, K, r, r), sums to 1.
        depth: planar depth of the surface, (B, V, r, r).
        layers: what lies on the surface, of N = B V views.
    """

    features: Tensor
    mask: Tensor
    depth: Tensor
    layers: SurfaceLayers


@dataclass
class GeneratorOutput:
    """Pictures of V views of B portraits.

    Attributes:
        image: (B, V, 3, S, S), about [-1, 1], the data's sRGB.
        mask_logits: (B, V, K, S / 2, S / 2), log masks up to a constant.
        coarse_image: the first three features, (B, V, 3, r, r).
        coarse_mask: m, (B, V, K, r, r), sums to 1.
        depth: planar depth of the surface, (B, V, r, r).
        smooth: the image without fine detail of the surface.
    """

    image: Tensor
    mask_logits: Tensor
    coarse_image: Tensor
    coarse_mask: Tensor
    depth: Tensor
    smooth: Tensor


class SSGAN3D(nn.Module):
    """The generator: mapping → part maps → lifting → volume renderer → render net."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = PeopleMixture(config) if config.people else MappingNetwork(config)
        self.generators = PartGenerators(config)
        self.render_net = RenderNet(config)
        self.relief = Relief(config) if config.relief else None
        # no stage of the method: training of the others leaves it as it is
        self.upscaler: Upscaler | None = None
        if config.upscaler_channels:
            self.upscaler = Upscaler(config.upscaler_channels, config.upscaler_blocks)

    def part_maps(
        self, base: Tensor, shape: Tensor, texture: Tensor, chosen: Sequence[int] | None = None
    ) -> dict[int, PartMap]:
        """f_k, d_k, σ_k by part index; see :class:`~.generators.PartGenerators`."""
        maps: dict[int, PartMap] = self.generators(base, shape, texture, chosen)
        for part, one in maps.items():
            own = base if base.ndim == 2 else base[:, part]
            self.describe(part, one, own, shape[:, part], texture[:, part])
        return maps

    def describe(
        self, part: int, one: PartMap, base: Tensor, shape: Tensor, texture: Tensor
    ) -> None:
        """Give the maps of a part what is no generator's.

        Args:
            base, shape, texture: its codes, (B, Zb), (B, Z) and (B, Z).
        """
        if isinstance(self.mapping, PeopleMixture):
            self.mapping.describe(part, one, base, shape, texture)
        if self.relief is not None:
            one.relief = self.relief(part, base, shape)

    def geometry(self, maps: dict[int, PartMap], visible: Tensor | None = None) -> Geometry:
        """Depth and density of all lifted parts on the common grid."""
        return gather_geometry(
            {k: part_geometry(k, part, self.config) for k, part in maps.items()},
            self.config,
            visible,
        )

    def forward(
        self,
        base: Tensor,
        shape: Tensor,
        texture: Tensor,
        visible: Tensor | None,
        rays: RayBatch,
    ) -> GeneratorOutput:
        """Render every portrait from its cameras.

        Args:
            base, shape, texture: codes, (B, base_dim) or each part's (B, K, base_dim), and
                (B, K, code_dim) twice.
            visible: (B, K) bool, or None for all.
            rays: samples of V cameras for each portrait (:func:`~.volume.sample_rays`).
        """
        return self.finish(self.posed(base, shape, texture, visible, rays))

    def finish(self, posed: PosedFeatures) -> GeneratorOutput:
        """What the render net makes of what the volume renderer gives."""
        views = posed.features.shape[:2]
        features, mask = (t.flatten(0, 1) for t in (posed.features, posed.mask))
        features = features.contiguous(memory_format=torch.channels_last)
        drawing = self.render_net.drawn(features, mask, posed.layers)
        return GeneratorOutput(
            drawing.picture.unflatten(0, views),
            drawing.logits.unflatten(0, views),
            posed.features[:, :, :3],
            posed.mask,
            posed.depth,
            drawing.smooth.unflatten(0, views),
        )

    def posed(
        self,
        base: Tensor,
        shape: Tensor,
        texture: Tensor,
        visible: Tensor | None,
        rays: RayBatch,
    ) -> PosedFeatures:
        """What the volume renderer gives to the render net; arguments as for :meth:`forward`."""
        maps = self.part_maps(base, shape, texture)
        return self.posed_maps(maps, self.geometry(maps, visible), visible, rays)

    def posed_maps(
        self,
        maps: dict[int, PartMap],
        geometry: Geometry,
        visible: Tensor | None,
        rays: RayBatch,
    ) -> PosedFeatures:
        """What :meth:`posed` gives for maps whose geometry is known."""
        weights = ray_weights(geometry, rays, self.config)
        grid = (self.config.ray_size, self.config.ray_size)
        return PosedFeatures(
            FeatureTable(maps, self.config).composite(weights, self.config),
            weights.mask.unflatten(-1, grid),
            weights.depth.unflatten(-1, grid),
            surface_layers(
                maps,
                geometry,
                visible,
                lambda parts: weights.surface(parts).unflatten(-1, grid),
                [combed_hair(maps[part], self.config, part) for part in COMBED],
                self.config,
            ),
        )
