"""Soft masks as a Cryptomatte: ids and shares, ranked in each pixel (specification 1.2.0)."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def murmur3(name: str) -> int:
    """MurmurHash3, x86 32 bit with seed 0, of a name in UTF-8."""
    data = name.encode()
    mask = 0xFFFFFFFF

    def scramble(k: int) -> int:
        k = k * 0xCC9E2D51 & mask
        return ((k << 15 | k >> 17) & mask) * 0x1B873593 & mask

    h, whole = 0, len(data) & ~3
    for start in range(0, whole, 4):
        h ^= scramble(int.from_bytes(data[start : start + 4], "little"))
        h = ((h << 13 | h >> 19) * 5 + 0xE6546B64) & mask
    h ^= scramble(int.from_bytes(data[whole:], "little")) ^ len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & mask
    h = (h ^ h >> 13) * 0xC2B2AE35 & mask
    return h ^ h >> 16


def hash_of(name: str) -> int:
    """The id of a name: its hash, kept from being infinite, subnormal or no number as a float."""
    value = murmur3(name)
    return value ^ 1 << 23 if value >> 23 & 255 in (0, 255) else value


def id_of(name: str) -> float:
    """The id of a name as the float that stands in the picture."""
    return float(np.uint32(hash_of(name)).view(np.float32))


def metadata(layer: str, names: Sequence[str]) -> dict[str, str]:
    """What a file must say about a layer of Cryptomatte channels: keys and values.

    Args:
        layer: what its channels' names begin with.
        names: all names that have an id in it.
    """
    prefix = f"cryptomatte/{murmur3(layer):08x}"[: len("cryptomatte/") + 7]
    return {
        f"{prefix}/name": layer,
        f"{prefix}/hash": "MurmurHash3_32",
        f"{prefix}/conversion": "uint32_to_float32",
        f"{prefix}/manifest": json.dumps({name: f"{hash_of(name):08x}" for name in names}),
    }


def ranks(masks: Tensor, names: Sequence[str], levels: int) -> list[Tensor]:
    """The largest shares of each pixel with their ids.

    Args:
        masks: (K, H, W), the share of each name in each pixel.
        names: K names.
        levels: how many shares a pixel keeps.

    Returns:
        For every two levels (id, share, next id, next share), each (H, W, 4) float32.
    """
    ids = torch.tensor([id_of(name) for name in names], dtype=torch.float32)
    shares, which = masks.topk(min(levels, len(names)), dim=0)  # (L, H, W)
    found = torch.where(shares > 0, ids[which], 0.0)
    planes = torch.stack([found, shares], 1).flatten(0, 1)  # id, share, id, share, …
    short = -planes.shape[0] % 4
    planes = torch.cat([planes, planes.new_zeros(short, *planes.shape[1:])])
    return [four.permute(1, 2, 0) for four in planes.split(4)]
