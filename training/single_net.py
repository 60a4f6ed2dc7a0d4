"""One net of a model that learns from pictures by itself, all else staying as it is."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from training import losses
from training.averaging import follow
from training.budget import Budget, dealt
from training.rates import set_rate, warmed

EMA = 0.998

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class NetOptions:
    """What a run is told (:func:`~training.budget.add_run_arguments`).

    Attributes:
        minutes: how long to train.
        pictures: how many a step.
        rate: learning rate at first; it falls to zero by a half cosine.
        steps: how many steps instead; 0 trains for ``minutes``.
        seed: what every random choice depends on.
    """

    minutes: float
    pictures: int
    rate: float
    steps: int = 0
    seed: int = 0

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """From a command line."""
        return cls(
            arguments.minutes, arguments.pictures, arguments.rate, arguments.steps, arguments.seed
        )


def train_net(
    net: Net,
    options: NetOptions,
    terms_of: Callable[[Net, list[int], torch.Generator], dict[str, Tensor]],
    weights: Mapping[str, float],
    *,
    total: int,
    report_every: int,
    save: Callable[[Net, dict[str, float]], None],
) -> None:
    """Train a copy of a net.

    Args:
        net: is left as it is.
        terms_of: the losses of a net on chosen pictures, whose random choices come from the
            generator.
        weights: of the losses, by name.
        total: number of pictures to choose from.
        report_every: steps whose losses a line of the log averages.
        save: is told the average net, steps and minutes every few minutes and at the end.
    """
    average = copy.deepcopy(net).eval().requires_grad_(False)
    net = copy.deepcopy(net).train().requires_grad_(True)
    optimizer = torch.optim.Adam(net.parameters(), options.rate, betas=(0.9, 0.99))
    budget = Budget(
        options.minutes,
        options.steps,
        report_every=report_every,
        save=lambda spent: save(average, spent),
    )
    order: list[int] = []
    for progress in budget:
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + budget.step)
        chosen = dealt(order, options.pictures, total, generator)
        terms = terms_of(net, chosen, generator)
        set_rate(optimizer, options.rate * warmed(progress, budget.step))
        optimizer.zero_grad(set_to_none=True)
        losses.weighted(terms, weights).backward()
        optimizer.step()
        follow(average, net, EMA, budget.step)
        budget.note(terms)
