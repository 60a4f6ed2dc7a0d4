"""Lists of part indices as tensors that lie where they are used.

Indexing with a Python list copies it to the device at every call. A GPU would have to be waited for
each time, and a CUDA graph cannot hold that.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor


@cache  # without bound: a recorded CUDA graph reads it for as long as it lives
@torch.inference_mode(False)  # it may be kept from a render and used in training
def index_tensor(values: tuple[int, ...], device: torch.device) -> Tensor:
    """``values`` as int64 on ``device``; not to be written to."""
    return torch.tensor(values, device=device)
