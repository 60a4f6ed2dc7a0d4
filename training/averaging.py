"""The moving average of a generator's weights, which is what users get."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the model's parameters after step ``step``, counted from 0.

    Args:
        decay: share that stays; less at first, so that the first weights are forgotten.
    """
    decay = min(decay, (1 + step) / (10 + step))
    means, values = list(average.parameters()), list(model.parameters())
    get_ema_multi_avg_fn(decay)(means, values, None)  # one by one, a GPU waits for Python
