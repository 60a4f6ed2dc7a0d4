"""``python -m training eigenpaint``: what eyes, brows, noses and mouths in renders have more.

A person whom the model mixes is drawn as each of their renders without glasses shows them
(:mod:`.drawn_people`). What the paint of each small part of the face (:mod:`core.paint`) lacks of
that is found by least squares over all of the person's views and all of the parts together. Of all
people's the principal components are kept, and how much of each a person has
(:mod:`core.eigenpaint`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.eigenpaint import EigenPaint
from core.engine import embedded_weights
from core.errors import PortraitError
from core.model import SSGAN3D
from core.paint import face_atlas, painted
from core.parts import FACE, PAINTED, PART_NAMES, part_index
from core.people_mixture import PeopleMixture
from training.components import add_component_arguments, kept
from training.data import PortraitSet, read_views
from training.drawn_people import DrawnView, drawn_people
from training.model_files import NO_EIGENPAINTS, rebuilt, write_model
from training.process import set_up
from training.refine import known_views, people_of

COMPONENTS = 224
ROUNDS = 12
"""Steps of conjugate gradients."""
GLASSES = part_index("glasses")
_LARGEST = 1.0
"""Bound of what a pixel asks for, of 2."""
_FLOOR = 0.05
"""Added to the light of pictures, of 2, whose relation is taken."""
_SURE = 0.6
"""Share of the face in a pixel from which it counts: beyond, other errors are larger."""
_UNSURE = 0.3
"""Squared pixels a texel at which its paint is half known."""
_KEPT = 0.02
"""How far a texel has to be known of the mean person to be kept."""

Paint = dict[int, Tensor]
"""Of the painted parts, by index: of B people, (B, H, W, 3)."""


@dataclass(frozen=True)
class PaintedView:
    """What one view of a person asks for.

    Attributes:
        view: the view.
        face: as of :func:`core.paint.painted`, (1, 3, r, r).
        gain: how much of what is added to the smooth picture is seen, (1, 3, S, S).
        wanted: what the picture lacks, (1, 3, S, S).
        sure: which pixels count, (1, 1, S, S).
    """

    view: DrawnView
    face: Tensor
    gain: Tensor
    wanted: Tensor
    sure: Tensor

    @classmethod
    def of(cls, view: DrawnView) -> PaintedView:
        """What a view asks for."""
        face = view.surface(FACE)
        labelled = torch.isin(view.labels, torch.tensor(FACE, device=face.device))
        inner = -F.max_pool2d(-labelled[None, None].float(), 3, 1, 1)
        share = F.interpolate(face[:, 2:], inner.shape[-2:], mode="bilinear")
        image, smooth, real = (
            picture.clamp(-1, 1) + 1
            for picture in (view.drawn.image[0], view.drawn.smooth[0], view.real)
        )
        gain = (image + _FLOOR) / (smooth + _FLOOR)
        wanted = (real - image).clamp(-_LARGEST, _LARGEST)
        return cls(view, face, gain, wanted, inner * (share > _SURE))

    def shown(self, paint: Paint, config: ModelConfig) -> Tensor:
        """What more paint adds to the picture, (1, 3, S, S): linear in it."""
        maps = self.view.maps
        given = {part: replace(maps[part], paint=own) for part, own in paint.items()}
        atlas = face_atlas(given, self.view.visible, config)
        assert atlas is not None
        return painted(atlas, self.face, config.image_size // config.ray_size) * self.gain


@torch.no_grad()
def missing_paint(
    people: Iterable[tuple[int, list[DrawnView]]], config: ModelConfig
) -> tuple[Paint, Paint]:
    """What the paint of a model's people lacks in their renders.

    Args:
        people: as :func:`.drawn_people.drawn_people` gives them.

    Returns:
        By part, (S, H, W, 3) and how far it is known, (S, H, W, 1) in [0, 1].
    """
    count, maps = config.people, config.maps
    size = {part: (count, maps[part].height, maps[part].width) for part in PAINTED}
    lacking = {part: torch.zeros(*size[part], 3) for part in PAINTED}
    known = {part: torch.zeros(*size[part], 1) for part in PAINTED}
    for row, views in people:
        found, weight = _solved([PaintedView.of(view) for view in views], config)
        for part in PAINTED:
            lacking[part][row], known[part][row] = found[part][0].cpu(), weight[part][0].cpu()
    return lacking, known


def _solved(seen: Sequence[PaintedView], config: ModelConfig) -> tuple[Paint, Paint]:
    """The paint that some views of a person ask for, and how far it is known.

    Least squares by conjugate gradients, with a ridge: what no pixel shows is zero.
    """
    paint = [seen[0].view.maps[part].paint for part in PAINTED]
    found = [torch.zeros_like(one, dtype=torch.float32) for one in paint if one is not None]
    weight = _gathered(seen, config, [torch.ones_like(one) for one in found], lambda _, own: own)
    left = _gathered(seen, config, found, lambda view, _: view.wanted)
    step, size = left, _product(left, left)
    for _ in range(ROUNDS):
        if size <= 0:
            break
        bent = _gathered(seen, config, step, lambda _, own: own)
        bent = [one + _UNSURE * way for one, way in zip(bent, step, strict=True)]
        share = size / _product(step, bent)
        found = [one + share * way for one, way in zip(found, step, strict=True)]
        left = [one - share * way for one, way in zip(left, bent, strict=True)]
        size, before = _product(left, left), size
        step = [one + size / before * way for one, way in zip(left, step, strict=True)]
    known = [(one / (one + _UNSURE)).mean(-1, keepdim=True).clamp(0, 1) for one in weight]
    return dict(zip(PAINTED, found, strict=True)), dict(zip(PAINTED, known, strict=True))


def _gathered(
    seen: Sequence[PaintedView],
    config: ModelConfig,
    paint: Sequence[Tensor],
    pixels: Callable[[PaintedView, Tensor], Tensor],
) -> list[Tensor]:
    """Pixels that views ask for, brought onto the paint: the transpose of showing it.

    Args:
        pixels: of a view and of what it shows of ``paint``, (1, 3, S, S).
    """
    whole = [torch.zeros_like(one) for one in paint]
    with torch.enable_grad():
        for view in seen:
            own = [one.detach().requires_grad_() for one in paint]
            shown = view.shown(dict(zip(PAINTED, own, strict=True)), config)
            asked = pixels(view, shown.detach()) * view.sure
            for one, back in zip(whole, torch.autograd.grad(shown, own, asked), strict=True):
                one += back
    return whole


def _product(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    return sum(float((a * b).sum()) for a, b in zip(first, second, strict=True))


def with_eigenpaints(
    model: SSGAN3D, lacking: Paint, known: Paint, count: int
) -> tuple[SSGAN3D, dict[int, float]]:
    """The same model with eigenpaints, and by part the share of the energy that they hold.

    Args:
        lacking, known: as :func:`missing_paint` gives them.
        count: components of each part.

    Raises:
        PortraitError: there are not so many people.
    """
    found, texels = {}, []
    for part in PAINTED:
        seen = known[part][known[part].flatten(1).amax(1) > 0]  # (n, H, W, 1)
        where = (seen.mean(0).flatten() > _KEPT).nonzero()[:, 0] if len(seen) else torch.arange(1)
        paint = lacking[part].flatten(1, 2)[:, where].mT.flatten(1)  # (S, 3 T)
        found[part] = kept(paint, known[part].flatten(1)[:, where].repeat(1, 3), count)
        texels.append(where)
    sizes = tuple(len(where) for where in texels)
    made = rebuilt(model, eigenpaints=count, eigenpaint_texels=sizes)
    people = made.mapping
    assert isinstance(people, PeopleMixture)
    for part, where, maps in zip(PAINTED, texels, people.eigenpaints, strict=True):
        assert isinstance(maps, EigenPaint)
        found[part].put_into(maps)
        maps.texels.copy_(where)
    return made, {part: own.held for part, own in found.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training eigenpaint``."""
    add_component_arguments(parser, COMPONENTS, "principal components of each part")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training eigenpaint``."""
    set_up(arguments.threads)
    weights = arguments.weights or embedded_weights()
    whole, info = load_checkpoint(weights)
    if not whole.config.paint_size:
        raise PortraitError(f"{weights} paints nothing: its faces have no paint to add to.")
    model = rebuilt(whole, **NO_EIGENPAINTS)
    views, rows = known_views(read_views(arguments.data), people_of(info, weights))
    device = torch.device("cpu")
    people = drawn_people(model, PortraitSet(views), rows, device, without=[GLASSES])
    lacking, known = missing_paint(people, model.config)
    made, held = with_eigenpaints(model, lacking, known, arguments.components)
    shares = {PART_NAMES[part]: round(share, 4) for part, share in held.items()}
    once = {"pictures": len(views), "components": arguments.components, "held": shares}
    write_model(arguments.out, made, info, eigenpaint=once)
    print(
        f"{len(views)} pictures of {len(rows.unique())} people: {arguments.components} components "
        "hold of what the model's paint lacked, by part:"
    )
    print(", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    print(arguments.out)
    return 0
