"""How far a model's surfaces lie from those of renders of its people, and how they lean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from core.camera import canonical_camera
from core.model import SSGAN3D
from core.people_mixture import PeopleMixture
from core.volume import camera_tensors, ray_weights, sample_rays
from training.warm_start import Views

SAMPLES = 64
"""Of a ray: so many that their distance is no error."""
_FARTHEST = 0.3
"""Errors of depth count up to that, in units: at outlines two surfaces are compared."""


@dataclass(frozen=True)
class SurfaceErrors:
    """Means over pictures that show a part.

    Attributes:
        pictures: how many.
        depth: absolute error of depth, in units.
        angle: between the normals, in degrees.
    """

    pictures: int
    depth: float
    angle: float


@torch.no_grad()
def surface_errors(
    model: SSGAN3D, views: Views, chosen: Iterable[int], rows: Tensor, parts: Iterable[int]
) -> dict[int, SurfaceErrors]:
    """Errors by part, where renders show it, in pictures of half the renders' size.

    Args:
        views: renders of people whom ``model`` mixes.
        chosen: which of them.
        rows: of each portrait of ``views.data`` among the people.
        parts: indices.
    """
    people = model.mapping
    assert isinstance(people, PeopleMixture)
    config = replace(model.config, samples=SAMPLES)
    data, side = views.data, views.data.size // 2
    found: dict[int, list[tuple[float, float]]] = {part: [] for part in parts}
    for view in chosen:
        row = [int(rows[data.portrait_of[view]])]
        maps = model.part_maps(people.base[row], people.shape[row], people.texture[row])
        visible = views.presence[data.portrait_of[view], None]
        camera = canonical_camera(data.views[view].camera, config)
        origins, directions, centre = (one[None] for one in camera_tensors([camera], side))
        rays = sample_rays(origins, directions, centre, config)
        weights = ray_weights(model.geometry(maps, visible), rays, config)
        drawn = weights.depth[0, 0].view(side, side)
        real = data.depth[view].float() + centre[0]
        apart = (drawn - real).abs().clamp_max(_FARTHEST)
        lean = _leans(torch.stack([drawn, real]), origins[0, 0], directions[0, 0])
        covered = data.foreground[view] & (weights.mask[0, 0, 0].view(side, side) < 0.5)
        shares = data.soft_mask([view], side)[0]
        for part, errors in found.items():
            shown = covered & (shares[part] > 0.5)
            inner = F.max_pool2d(-shown[None, None].float(), 3, 1, 1)[0, 0] < 0
            if inner.any():
                errors.append((float(apart[shown].mean()), float(lean[inner].mean())))
    return {
        part: SurfaceErrors(len(errors), *torch.tensor(errors).mean(0).tolist())
        for part, errors in found.items()
        if errors
    }


def _leans(planar: Tensor, origins: Tensor, directions: Tensor) -> Tensor:
    """Degrees between the normals of two surfaces, (h, w).

    Args:
        planar: depths, (2, h, w).
        origins, directions: of the rays, (h w, 3).
    """
    places = origins + directions * planar.flatten(1)[..., None]  # (2, h w, 3)
    normals = surface_normals(places.unflatten(1, planar.shape[1:]))
    cosine = (normals[0] * normals[1]).sum(-1)
    return F.pad(torch.rad2deg(cosine.clamp(-1, 1).acos()), (1, 1, 1, 1))


def surface_normals(places: Tensor) -> Tensor:
    """Unit normals of the surface that pixels show, but for the outermost, (…, h - 2, w - 2, 3).

    Args:
        places: of the pixels, (…, h, w, 3).
    """
    across = places[..., 1:-1, 2:, :] - places[..., 1:-1, :-2, :]
    down = places[..., 2:, 1:-1, :] - places[..., :-2, 1:-1, :]
    return F.normalize(torch.linalg.cross(across, down), dim=-1)
