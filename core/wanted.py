"""Portraits by what is wanted of them, as command lines say it: ``hair_style=afro age=old``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .errors import PortraitError

if TYPE_CHECKING:
    from .engine import PortraitEngine

SEARCHED = 4096
"""Seeds among which somebody is looked for: about one in so many has three rare things at once."""
_AT_ONCE = 128


def add_wanted(parser: argparse._ActionsContainer, whose: str) -> None:
    """Add the option ``--wanted``.

    Args:
        whose: which portraits it chooses, for its help.
    """
    parser.add_argument(
        "--wanted",
        nargs="+",
        default=[],
        metavar="ATTRIBUTE=VALUE",
        help=f"{whose} who is so, as hair_style=afro age=old; a wrong one lists all",
    )


def seeds_of(engine: PortraitEngine, seeds: Sequence[int], wanted: Sequence[str]) -> list[int]:
    """Those of some seeds whose people are as is wanted.

    Args:
        wanted: "ATTRIBUTE=VALUE" each (:mod:`.attributes`), as "hair_style=afro".

    Raises:
        PortraitError: there is no such attribute or value, the model does not tell, or nobody is.
    """
    found = engine.having(seeds, _attributes(wanted))
    if not found:
        raise PortraitError(
            "None of {0} seeds is all of this: {1}. Take more seeds, or ask for less.",
            len(seeds),
            ", ".join(wanted),
        )
    return found


def first_seed(engine: PortraitEngine, start: int, wanted: Sequence[str]) -> int:
    """The first seed from ``start`` on whose person is as is wanted; ``start`` if nothing is.

    Raises:
        PortraitError: as for :func:`seeds_of`, of the next ``SEARCHED`` seeds.
    """
    if not wanted:
        return start
    attributes = _attributes(wanted)
    for first in range(start, start + SEARCHED, _AT_ONCE):
        found = engine.having(range(first, first + _AT_ONCE), attributes)
        if found:
            return found[0]
    raise PortraitError(
        "None of {0} seeds from {1} on is all of this: {2}. Ask for less.",
        SEARCHED,
        start,
        ", ".join(wanted),
    )


def _attributes(wanted: Sequence[str]) -> dict[str, str]:
    return dict(text.partition("=")[::2] for text in wanted)
