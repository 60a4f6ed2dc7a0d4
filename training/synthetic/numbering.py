"""Identity numbers, who is whose sibling, and the random streams that hang on them.

Numbers:
    0 ... 99,999             identities to train on
    100,000 ... 899,999      their siblings: 100,000 + 8 · identity + k, k in 0..7
    900,000 ... 909,999      held-out identities
    910,000 ... 989,999      their siblings: 910,000 + 8 · (identity - 900,000) + k

Siblings 0 to 2 have one part from their own stream; 3 to 7 lack clothes, hair, glasses, hat or
earrings, and exist where the identity has them: only so are scalp and shoulders ever seen.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np

from core.parts import PART_NAMES

HELD_OUT_FIRST = 900_000
SIBLINGS_MAX = 8
RESAMPLED_SIBLINGS = 3
HIDDEN_PARTS: Mapping[int, str] = {
    3: "clothes",
    4: "hair",
    5: "glasses",
    6: "hat",
    7: "earrings",
}
"""Index of a sibling to the part that it lacks."""
_TRAIN_COUNT, _TRAIN_SIBLINGS = 100_000, 100_000
_HELD_OUT_COUNT, _HELD_OUT_SIBLINGS = 10_000, 910_000
_LAST = _HELD_OUT_SIBLINGS + SIBLINGS_MAX * _HELD_OUT_COUNT - 1

GLOBAL = "global"
FACTORS = (GLOBAL, *PART_NAMES)


def base_of(number: int) -> int:
    """The identity whose sibling ``number`` is, or ``number`` itself.

    Raises:
        ValueError: there is no such identity.
    """
    if not 0 <= number <= _LAST:
        raise ValueError(f"Identity numbers go from 0 to {_LAST}, not {number}.")
    if number >= _HELD_OUT_SIBLINGS:
        return HELD_OUT_FIRST + (number - _HELD_OUT_SIBLINGS) // SIBLINGS_MAX
    if _TRAIN_SIBLINGS <= number < HELD_OUT_FIRST:
        return (number - _TRAIN_SIBLINGS) // SIBLINGS_MAX
    return number


def sibling_number(identity: int, index: int) -> int:
    """Number of the ``index``-th sibling (0..7) of ``identity``.

    Raises:
        ValueError: ``identity`` is itself a sibling, or ``index`` is out of range.
    """
    if base_of(identity) != identity:
        raise ValueError(f"Identity {identity} is a sibling and has none of its own.")
    if not 0 <= index < SIBLINGS_MAX:
        raise ValueError(f"A sibling's index goes from 0 to {SIBLINGS_MAX - 1}, not {index}.")
    if identity >= HELD_OUT_FIRST:
        return _HELD_OUT_SIBLINGS + SIBLINGS_MAX * (identity - HELD_OUT_FIRST) + index
    return _TRAIN_SIBLINGS + SIBLINGS_MAX * identity + index


def sibling_index(number: int) -> int | None:
    """Which sibling of its identity ``number`` is (0..7), or None where it is no sibling."""
    base = base_of(number)
    if base == number:
        return None
    return number - sibling_number(base, 0)


def check_range(first: int, count: int, *, held_out: bool) -> None:
    """Refuse numbers that are not plain identities of the wished kind.

    Raises:
        ValueError: with what to ask for instead.
    """
    start, size = (HELD_OUT_FIRST, _HELD_OUT_COUNT) if held_out else (0, _TRAIN_COUNT)
    if count < 1:
        raise ValueError(f"At least one identity is needed, not {count}.")
    if first >= HELD_OUT_FIRST and not held_out:
        raise ValueError(
            f"Identities from {HELD_OUT_FIRST} are held out and never trained on. "
            "Give --held-out to render them for evaluation."
        )
    if not start <= first <= first + count <= start + size:
        kind = "Held-out identities" if held_out else "Identities to train on"
        raise ValueError(
            f"{kind} go from {start} to {start + size - 1}; {first} to {first + count - 1} do not "
            "lie within."
        )


def stream(seed: int, factor: str, purpose: str) -> np.random.Generator:
    """An independent random stream for every (seed, factor, purpose)."""
    return np.random.default_rng([seed, zlib.crc32(f"{factor}/{purpose}".encode())])
