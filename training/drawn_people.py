"""A model's people, each drawn as their renders show them: what they lack is asked of these."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from core.camera import canonical_camera
from core.config import ModelConfig
from core.eigenskin import eigenskin_tile
from core.generators import PartMap
from core.grain import SIDE, SKIN
from core.lifting import Geometry
from core.model import SSGAN3D, GeneratorOutput, PosedFeatures
from core.people_mixture import PeopleMixture
from core.spots import spots_tile
from core.tiles import wrapped
from core.volume import RayBatch, RayWeights, camera_tensors, ray_weights, sample_rays
from training.data import PortraitSet
from training.warm_start import Views


@dataclass(frozen=True)
class DrawnView:
    """One render of a person, and the model's picture of it, drawn when it is asked for.

    Attributes:
        model: the model.
        maps: of the person's parts.
        visible: which of them the render has, (1, K) bool.
        geometry: of those.
        rays: of the view.
        real: the render, (1, 3, S, S) in [-1, 1].
        labels: its parts, (S, S).
        places: where its pixels lie, in model units, (1, 3, S / 2, S / 2); not numbers where it
            shows the background.
    """

    model: SSGAN3D
    maps: dict[int, PartMap]
    visible: Tensor
    geometry: Geometry
    rays: RayBatch
    real: Tensor
    labels: Tensor
    places: Tensor

    @cached_property
    def weights(self) -> RayWeights:
        """Of its rays."""
        return ray_weights(self.geometry, self.rays, self.model.config)

    @cached_property
    def posed(self) -> PosedFeatures:
        """What the render net gets, without grain, which is chance."""
        posed = self.model.posed_maps(self.maps, self.geometry, self.visible, self.rays)
        return _without_grain(posed, self.maps, self.model.config)

    @cached_property
    def drawn(self) -> GeneratorOutput:
        """The model's picture."""
        return self.model.finish(self.posed)

    def surface(self, parts: tuple[int, ...]) -> Tensor:
        """Σ_k m_k (u_k, v_k, 1) over some parts, on rays, (1, 3, r, r)."""
        side = self.model.config.ray_size
        return self.weights.surface(parts)[0].unflatten(-1, (side, side))


def add_people_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of commands that draw a model's people beside their renders."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="data sets that show its people"
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--out", type=Path, required=True, help="model file to write")


def drawn_people(
    model: SSGAN3D,
    data: PortraitSet,
    rows: Tensor,
    device: torch.device,
    without: Collection[int] = (),
) -> Iterator[tuple[int, list[DrawnView]]]:
    """Of everybody whom data show: their row among the model's people, and all of their views.

    Args:
        data: renders of the people whom ``model`` mixes.
        rows: (P,) row of each portrait of ``data`` among them.
        without: parts whose wearers' pictures are passed over.
    """
    model = model.to(device)
    people = model.mapping
    assert isinstance(people, PeopleMixture)
    views = Views(data, model.config, device, model.config.samples)
    shown: dict[int, list[int]] = defaultdict(list)
    for view, portrait in enumerate(data.portrait_of.tolist()):
        if not any(views.presence[portrait, part] for part in without):
            shown[int(rows[portrait])].append(view)
    for row, own in shown.items():
        maps = model.part_maps(people.base[[row]], people.shape[[row]], people.texture[[row]])
        yield row, [_drawn(model, views, maps, view) for view in own]


def _drawn(model: SSGAN3D, views: Views, maps: dict[int, PartMap], view: int) -> DrawnView:
    data, config = views.data, model.config
    visible = views.presence[data.portrait_of[view], None].to(views.device)
    rays = sample_rays(
        views.origins[view, None, None],
        views.directions[view, None, None],
        views.centre[view, None, None],
        config,
    )
    return DrawnView(
        model,
        maps,
        visible,
        model.geometry(maps, visible),
        rays,
        data.picture([view]),
        data.labels[view],
        places_of(views, view),
    )


def places_of(views: Views, view: int) -> Tensor:
    """Where a view's pixels lie, in model units: :attr:`DrawnView.places`."""
    data, side = views.data, views.data.size // 2
    camera = canonical_camera(data.views[view].camera, views.config)
    origins, directions, centre = (t.to(views.device) for t in camera_tensors([camera], side))
    depth = torch.where(data.foreground[view], data.depth[view].float() + centre, torch.nan)
    return (origins[0] + directions[0] * depth.reshape(-1, 1)).T.reshape(1, 3, side, side)


def _without_grain(
    posed: PosedFeatures, maps: Mapping[int, PartMap], config: ModelConfig
) -> PosedFeatures:
    """Spots and eigenskins stay: grain is chance of six kinds, which components would know again.

    Args:
        maps: of one portrait's parts.
    """
    skin = maps[SKIN]
    tile = torch.zeros(1, 3, SIDE, SIDE, device=posed.mask.device)
    if skin.traits is not None:
        tile = spots_tile(skin.traits, config)
    if skin.tint is not None:
        tile = tile + eigenskin_tile(skin.tint, config)
    return replace(posed, layers=replace(posed.layers, grain=wrapped(tile)))
