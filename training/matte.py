"""``python -m training matte``: hair that ends in strands, as sharply as it does in renders.

Ends of hair are soft in the model's pictures (:mod:`core.matte`). How brightness varies there is
compared, in renders and in the model's pictures of the same people, stored alike: along the border
where hair ends on heads, and along that against the background, which say how much its share has to
vary from strand to strand there, and across the latter, which says how steeply it ends. (Along and
across together would count the border itself as strands.) All are found by halving.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from core.engine import PortraitEngine, embedded_weights
from core.errors import PortraitError
from core.model import SSGAN3D
from core.parts import BACKGROUND, part_index
from core.people_mixture import PeopleMixture
from training.data import PortraitSet
from training.model_files import rebuilt, write_model
from training.own_pictures import add_measuring_arguments, own_pictures, spread, structured
from training.process import set_up

BORDER = 9
"""Side, in pixels, of the squares in which hair and something else lie where hair ends."""
_MIXED = 0.1, 0.9
"""Share of hair in them."""
_OUTSIDE = 0.05
"""Share of background in them where hair ends against it."""
_LEAST_RISE = 0.01
"""Of that share, a pixel: with less there is no border."""
_STRENGTHS, _STEEPNESS = (0.0, 2.5), (1.0, 4.0)
"""What is tried. Masks of the model end over six pixels, a render's over one and a half."""
_MEASURES = ("along the border on heads", "along the border outside", "across the border outside")
_STEPS = 6
"""Halvings: strengths to 0.04, steepness to 0.05."""


@dataclass(frozen=True)
class Ends:
    """Where hair ends in one render of S pixels a side, between them, and which way.

    Attributes:
        inside, outside: where it ends on faces or clothes, and against the background,
            (S - 1, S - 1) bool each.
        across: unit vectors into hair (right, down), (2, S - 1, S - 1).
    """

    inside: Tensor
    outside: Tensor
    across: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> Ends:
        """The ends of hair in a render's mask, (1, K, S, S)."""
        pooled = _pooled(mask)
        hair, background = pooled[0, part_index("hair")], pooled[0, BACKGROUND]
        rise = slopes(_pooled(pooled)[0, part_index("hair")])
        length = torch.linalg.vector_norm(rise, dim=0)
        low, high = _MIXED
        ends = ((hair > low) & (hair < high))[:-1, :-1] & (length > _LEAST_RISE)
        outside = (background > _OUTSIDE)[:-1, :-1]
        return cls(ends & ~outside, ends & outside, rise / length.clamp_min(_LEAST_RISE))

    def variation(self, image: Tensor) -> Tensor:
        """How a picture (1, 3, S, S) varies at the ends of hair, squared, and of how many places.

        Returns:
            (2, 3): along the border on heads, along the border outside, across that one.
        """
        right, down = slopes(image[0].mean(0))
        along = (right * self.across[1] - down * self.across[0]).square()
        across = (right * self.across[0] + down * self.across[1]).square()
        found = along[self.inside], along[self.outside], across[self.outside]
        return torch.tensor([[float(one.sum()) for one in found], [len(one) for one in found]])


def variation(ends: Sequence[Ends], pictures: Iterable[Tensor]) -> Tensor:
    """Root mean squares of :meth:`Ends.variation` over pictures, (3,)."""
    both = zip(ends, pictures, strict=True)
    total, places = torch.stack([one.variation(picture) for one, picture in both]).sum(0)
    return (total / places.clamp_min(1)).sqrt()


def slopes(plane: Tensor) -> Tensor:
    """How a plane (S, S) rises to the right and down between four pixels, (2, S - 1, S - 1)."""
    right, down = plane[:, 1:] - plane[:, :-1], plane[1:] - plane[:-1]
    return torch.stack([right[1:] + right[:-1], down[:, 1:] + down[:, :-1]]) / 2


def _pooled(mask: Tensor) -> Tensor:
    return F.avg_pool2d(mask, BORDER, 1, BORDER // 2, count_include_pad=False)


@torch.no_grad()
def measured_matte(
    model: SSGAN3D, data: PortraitSet, rows: Tensor, chosen: list[int]
) -> tuple[tuple[float, ...], Tensor]:
    """The ``hair_matte`` with which ends of hair vary as in renders, or nearly.

    Args:
        model: with or without a matte.
        data: renders of people whom it mixes.
        rows: (P,) row of each portrait of ``data`` among the model's people.
        chosen: views that show hair.

    Returns:
        The matte, and :func:`variation` of renders, of soft ends, and of ends with it, (3, 3).

    Raises:
        PortraitError: none of them shows where hair ends.
    """
    people = model.mapping
    assert isinstance(people, PeopleMixture)
    ends = [Ends.of(data.soft_mask([view], data.size)) for view in chosen]
    if not any(bool(one.inside.any()) and bool(one.outside.any()) for one in ends):
        raise PortraitError("No render shows where hair ends.")
    real = variation(ends, (data.picture([view]) for view in chosen))

    def drawn(matte: tuple[float, ...]) -> Tensor:
        engine = PortraitEngine(rebuilt(model, hair_matte=matte), device="cpu", precision="float32")
        return variation(ends, own_pictures(engine, people, data, rows, chosen))

    def excess(measure: int, *matte: float) -> float:
        return float((drawn(matte) - real)[measure])

    within = halved(_STRENGTHS, lambda tried: excess(0, tried, tried, 1.0))
    steep = halved(_STEEPNESS, lambda tried: excess(2, within, within, tried))
    beyond = halved(_STRENGTHS, lambda tried: excess(1, within, tried, steep))
    matte = tuple(round(number, 2) for number in (within, beyond, steep))
    return matte, torch.stack([real, drawn(()), drawn(matte)])


def halved(span: tuple[float, float], excess: Callable[[float], float]) -> float:
    """Where a rising function is 0, or the end of the span that is nearest to that."""
    low, high = span
    for end, beyond in ((low, excess(low) >= 0), (high, excess(high) <= 0)):
        if beyond:
            return end
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if excess(middle) > 0 else (middle, high)
    return (low + high) / 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training matte``."""
    add_measuring_arguments(parser, pictures=60)
    parser.add_argument("--out", type=Path, required=True, help="model file to write")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training matte``."""
    set_up(arguments.threads)
    weights = arguments.weights or embedded_weights()
    model, info, data, rows = structured(weights, arguments.data)
    haired = [
        number
        for number, view in enumerate(data.views)
        if "hair" in view.present and "hat" not in view.present
    ]
    if not haired:
        raise PortraitError(f"Nobody in {arguments.data} has hair and no hat.")
    haired = spread(haired, arguments.pictures)
    matte, found = measured_matte(model, data, rows, haired)
    write_model(arguments.out, rebuilt(model, hair_matte=matte), info)
    within, beyond, steep = matte
    print(
        f"{len(haired)} pictures of hair: its share varies by {within:g} where it ends on heads, "
        f"and by {beyond:g} outside, where it ends {steep:g} times as steeply"
    )
    print("Brightness varies, in renders, with soft ends and with these:")
    for name, numbers in zip(_MEASURES, found.T.tolist(), strict=True):
        print(f"  {name:28}", *(f"{number:.4f}" for number in numbers))
    print(arguments.out)
    return 0
