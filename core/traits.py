"""What is known of the people whom a model mixes, for portraits that are like one of them.

Some of what makes a person is too fine or too irregular for a generator that serves a thousand: the
lines of a print (:mod:`.prints`), where a mole lies (:mod:`.spots`). It is kept with the people, a
few numbers each, and a part has that of the person whose texture code its own is next to. Random
portraits take the codes of a part from one person, nearly always: so they have it in full, while
what lies halfway between two people has none.
"""

from __future__ import annotations

import torch
from torch import Tensor

_FULL, _GONE = 0.25, 0.5
"""Distance to the nearest person's code, as a share of the sum of those to the two nearest, up to
which a code has all that this person has, and from which on nothing: halfway to the next one."""
_FAR = 1e6


def nearest_two(own: Tensor, codes: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """The two people whose codes B codes are next to: distances and rows, nearest first, (B, 2).

    Args:
        own: the codes, (B, Z).
        codes: of the people, (S, Z).
        known: whose count, (S,) bool, two at least.
    """
    # no matrix product, which autocast would round
    apart = (own.detach().float()[:, None] - codes.float()).square().sum(-1)  # (B, S)
    near, who = (apart + _FAR * ~known).topk(2, 1, largest=False)
    return near.sqrt(), who


def traits_of(own: Tensor, codes: Tensor, traits: Tensor, known: Tensor, amounts: int) -> Tensor:
    """What parts with B codes have, (B, N).

    Args:
        own: the codes, (B, Z).
        codes: of the people, (S, Z).
        traits: of the people, (S, N).
        known: whose count, (S,) bool, two at least.
        amounts: how many of the N numbers, the first ones, say how much there is: they fade between
            people.
    """
    near, who = nearest_two(own, codes, known)
    share = near[:, :1] / near.sum(1, keepdim=True).clamp_min(1e-12)  # (B, 1)
    shown = ((_GONE - share) / (_GONE - _FULL)).clamp(0, 1)
    found = traits.float().index_select(0, who[:, 0])
    return torch.cat([found[:, :amounts] * shown, found[:, amounts:]], 1)


def some(amounts: Tensor) -> list[bool]:
    """Which of the N amounts (…, N) anybody has: all, where to ask would be a wait, on a GPU."""
    if amounts.is_cuda:
        return [True] * amounts.shape[-1]
    return (amounts.reshape(-1, amounts.shape[-1]) > 0).any(0).tolist()
