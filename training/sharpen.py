"""``python -m training sharpen``: pictures as sharp as the renders, but within hair.

Where hair, face and clothes end, a fitted model is softer than anywhere: a ray is four pixels wide,
and a picture that errs least where nobody can place an edge to the pixel is a blurred one. The
render net sees the masks and could draw an edge. So it learns by itself, along the outlines of the
renders' large parts and in all that is no hair, with the strength of edges within five pixels
compared beside the pixels (``closeup.edge_strength``) along outlines and in eyes, mouths and the
like where no hair is near: no net can place hairs, and afros got teeth like a comb's. A line on
either side of a blurred edge is as strong: so no colour may lie beyond those that the render has
nearby. And a row of dots along an edge is strong as well, which a net that hands out pixels by the
square draws sooner than a line: what alternates from pixel to pixel is compared by itself. Within
hair the net keeps what it draws, and everything else of the model stays as it is, so
that what the net is given is worked out once a view.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from core.camera import canonical_camera
from core.checkpoint import load_checkpoint
from core.engine import embedded_weights
from core.model import SSGAN3D
from core.parts import part_index
from core.people_mixture import PeopleMixture
from core.render_net import RenderNet
from core.volume import camera_tensors, sample_rays
from training import losses
from training.budget import add_run_arguments, dealt
from training.closeup import edge_strength
from training.data import PortraitSet, read_views
from training.model_files import put_on, taken_off, write_model
from training.precision import mixed
from training.process import set_up
from training.refine import codes_of_rows, known_views, people_of
from training.student import StudentOptions, train_student
from training.warm_start import check_size, picture_of

LARGE = (
    ("background",),
    ("skin", "brows", "eyes", "nose", "mouth", "ears", "neck", "glasses", "earrings"),
    ("hair",),
    ("clothes",),
    ("hat",),
)
"""What outlines lie between."""
DRAWN = tuple(name for name in losses.SMALL_PARTS if name != "nose")
"""Parts within which edges are compared. A nose is skin, whose pores no net can place: with it
they were hatched on every face, which large pictures showed."""
HAIRY = ("hair", "hat")
"""Parts in whose neighbourhood edges are not compared."""
WEIGHTS = {
    "image": 1.0,
    "gradient": 0.5,
    "edges": 2.0,
    "beyond": 4.0,
    "alternating": 10.0,
    "held": 4.0,
    "mask": 0.3,
}
NEARBY = 5
"""Side of the squares of pixels within which a colour of the render may be."""
REPORT_EVERY = 100
_REACH = 5
"""Side, in pixels of a mask, of the squares around those pixels that outlines lie near."""
_NEAR_HAIR = 9
"""The same of the squares in whose middle hair is near."""
_AT_ONCE = 8


@dataclass
class Posed:
    """What the render net is given for N views, and what it made of it before.

    Attributes:
        features: f_render, (N, C, r, r).
        mask: m, (N, K, r, r).
        paint: (N, 3, S, S).
        picture: smooth, with the paint, (N, 3, S, S).
    """

    features: Tensor
    mask: Tensor
    paint: Tensor
    picture: Tensor

    def of(self, chosen: list[int]) -> Posed:
        """Some of the views, in float32."""
        return Posed(*(getattr(self, field.name)[chosen].float() for field in fields(self)))


@torch.no_grad()
def posed_views(model: SSGAN3D, data: PortraitSet, rows: Tensor) -> Posed:
    """What the render net is given for all views, in half precision.

    Args:
        data: renders of people whom the model mixes.
        rows: (P,) row of each portrait of ``data`` among the model's people.
    """
    config, made = model.config, []
    presence = data.presence([group[0] for group in data.identities])  # (P, K)
    for start in range(0, len(data), _AT_ONCE):
        chosen = list(range(start, min(start + _AT_ONCE, len(data))))
        portraits = data.portrait_of[chosen]
        cameras = [canonical_camera(data.views[view].camera, config) for view in chosen]
        # evenly, as pictures are drawn, and not around the rendered surface
        origins, directions, centre = (t[:, None] for t in camera_tensors(cameras, config.ray_size))
        rays = sample_rays(origins, directions, centre, config)
        assert isinstance(model.mapping, PeopleMixture)
        codes = codes_of_rows(model.mapping, rows[portraits], presence[portraits])
        with mixed("cpu"):
            posed = model.posed(codes.base, codes.shape, codes.texture, codes.visible, rays)
            smooth = model.finish(posed).smooth[:, 0]
        paint = torch.zeros_like(smooth) if posed.layers.paint is None else posed.layers.paint
        one = Posed(posed.features[:, 0, : config.features], posed.mask[:, 0], paint, smooth)
        made.append([getattr(one, field.name).half() for field in fields(one)])
    return Posed(*(torch.cat(parts) for parts in zip(*made, strict=True)))


@dataclass(frozen=True)
class Places:
    """Where the net learns, in {0, 1}.

    Attributes:
        taught: where large parts meet and all that is no hair, (B, 1, S, S).
        edged: of these, where edges are compared: not within skin or noses, nor where hair is near.
    """

    taught: Tensor
    edged: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> Places:
        """From soft masks (B, K, S / 2, S / 2)."""
        found = torch.zeros_like(mask[:, :1])
        for names in LARGE:
            most, least = _extremes(_share(mask, names), _REACH)
            found = torch.maximum(found, (most - least > 0.9).to(found))
        drawn = (_share(mask, DRAWN) > 0.1).to(found)
        hairy = _share(mask, HAIRY)
        bare = (F.max_pool2d(hairy, _NEAR_HAIR, 1, _NEAR_HAIR // 2) < 0.5).to(found)
        edged = torch.maximum(found, drawn) * bare
        places = (torch.maximum(found, (hairy < 0.1).to(found)), edged)
        return cls(*(F.interpolate(place, scale_factor=2) for place in places))


def _share(mask: Tensor, names: Sequence[str]) -> Tensor:
    """Share of some parts, (B, 1, h, w)."""
    return mask[:, [part_index(name) for name in names]].sum(1, keepdim=True)


def terms_of(picture: Tensor, wanted: Tensor, held: Tensor, places: Places) -> dict[str, Tensor]:
    """What tells a picture from its render in some places and from itself before elsewhere.

    Args:
        picture, wanted, held: (B, 3, S, S): as it is, the render, and as it was.
    """
    where = places.taught
    error, moved = picture - wanted, (picture - held).abs() * (1 - where)
    count = where.sum().clamp_min(1)
    return {
        "image": (error.abs() * where).sum() / (3 * count),
        "gradient": losses.gradient_sum(error, where) / (3 * count),
        "edges": edges_apart(picture, wanted, places),
        "beyond": (beyond(picture, wanted) * where).sum() / (3 * count),
        "alternating": (alternating(error).abs().sum((1, 2))[:, None] * where).sum() / (9 * count),
        "held": moved.sum() / (3 * (1 - where).sum().clamp_min(1)),
    }


def edges_apart(picture: Tensor, wanted: Tensor, places: Places) -> Tensor:
    """How far the strength of edges is from a render's where edges are compared; a scalar."""
    edged = places.edged[..., 1:, 1:]
    apart = (edge_strength(picture) - edge_strength(wanted)).abs() * edged
    return apart.sum() / edged.sum().clamp_min(1)


def alternating(image: Tensor) -> Tensor:
    """What alternates from pixel to pixel: across, down and both, three for each channel.

    Args:
        image: (B, C, H, W).

    Returns:
        (B, C, 3, H, W): 1 where neighbours differ by 2 like the squares of a chess board, or like
        stripes.
    """
    flat = image.new_tensor((1.0, 2.0, 1.0)) / 4
    apart = image.new_tensor((-1.0, 2.0, -1.0)) / 4
    pairs = ((flat, apart), (apart, flat), (apart, apart))
    kernels = torch.stack([torch.outer(down, across) for down, across in pairs])[:, None]
    planes = F.pad(image.flatten(0, 1)[:, None], (1, 1, 1, 1), mode="replicate")
    return F.conv2d(planes, kernels).unflatten(0, image.shape[:2])


def beyond(picture: Tensor, wanted: Tensor) -> Tensor:
    """How far colours lie outside of those that another picture has around them."""
    highest, lowest = _extremes(wanted, NEARBY)
    return (picture - highest).relu() + (lowest - picture).relu()


def _extremes(x: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Most and least of the squares of such a side around every place."""
    return F.max_pool2d(x, side, 1, side // 2), -F.max_pool2d(-x, side, 1, side // 2)


def sharpen(
    model: SSGAN3D,
    data: PortraitSet,
    posed: Posed,
    options: StudentOptions,
    save: Callable[[SSGAN3D, dict[str, float]], None],
) -> None:
    """Train a copy of the model's render net.

    Args:
        model: is left as it is.
        save: is told the average model, steps and minutes every few minutes and at the end.
    """
    made = copy.deepcopy(model)
    half = model.config.image_size // 2

    order: list[int] = []

    def terms_for(net: RenderNet, generator: torch.Generator) -> dict[str, Tensor]:
        chosen = dealt(order, options.pictures, len(data), generator)
        given, mask = posed.of(chosen), data.soft_mask(chosen, half)
        with mixed("cpu"):
            features = given.features.contiguous(memory_format=torch.channels_last)
            x = net.trunk(features, given.mask)
            picture, logits = net.picture(x, features), net.mask_logits(x, given.mask)
        picture = picture.float() + given.paint
        wanted = picture_of(data, chosen, model.config)
        terms = terms_of(picture, wanted, given.picture, Places.of(mask))
        terms["mask"] = losses.mask_cross_entropy(F.log_softmax(logits.float(), 1), mask)
        return terms

    def save_net(net: RenderNet, spent: dict[str, float]) -> None:
        made.render_net = net
        save(made, spent)

    train_student(
        model.render_net, options, terms_for, WEIGHTS, report_every=REPORT_EVERY, save=save_net
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training sharpen``."""
    parser.add_argument("--weights", type=Path, help="model file (the embedded one)")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="data sets that show its people"
    )
    parser.add_argument("--out", type=Path, required=True, help="model file to write")
    add_run_arguments(parser, minutes=20.0, pictures=4, rate=5e-4)


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training sharpen``."""
    set_up(arguments.threads)
    torch.manual_seed(arguments.seed)
    weights = arguments.weights or embedded_weights()
    whole, info = load_checkpoint(weights)
    model = taken_off(whole)
    known, rows = known_views(read_views(arguments.data), people_of(info, weights))
    data = PortraitSet(known)
    check_size(data, model.config)
    posed = posed_views(model, data, rows)
    print(f"{len(data)} pictures of {len(rows.unique())} people", flush=True)

    def save(made: SSGAN3D, spent: dict[str, float]) -> None:
        write_model(
            arguments.out, put_on(made, whole), info, sharpened=spent | {"pictures": len(data)}
        )

    sharpen(model, data, posed, StudentOptions.of(arguments), save)
    print(f"{arguments.out}: written")
    return 0
