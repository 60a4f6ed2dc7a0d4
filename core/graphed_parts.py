"""Part maps on a GPU: one CUDA graph for each part, and one for all of them side by side."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .config import ModelConfig
from .cuda_graph import Recording
from .latents import PortraitLatents
from .parts import PART_COUNT

if TYPE_CHECKING:
    from .stages import PartResult

_log = logging.getLogger(__name__)
_STREAMS = 4
"""Parts that run at the same time: one alone leaves most of a GPU idle."""


class GraphedParts:
    """Recordings of part generators for one portrait at a time.

    Attributes:
        works: whether recording has not failed yet.
    """

    def __init__(
        self,
        make: Callable[[int, Tensor, Tensor, Tensor], PartResult],
        config: ModelConfig,
        device: torch.device,
    ) -> None:
        """Record nothing yet.

        Args:
            make: one part from its index and its w_base, w^s and w^t, which lie on ``device``.
        """
        self.make, self.config, self.device = make, config, device
        self.works = True
        self._codes: Tensor | None = None
        self._pool: Any = None
        self._recordings: dict[tuple[int, ...], Recording[list[PartResult]]] = {}

    @torch.inference_mode()
    def __call__(
        self, latents: PortraitLatents, parts: Sequence[int]
    ) -> dict[int, PartResult] | None:
        """The parts asked for; None where they cannot be recorded."""
        if not self.works:
            return None
        try:
            codes = torch.cat([latents.base, latents.shape, latents.texture], 1).pin_memory()
            if self._codes is None:
                self._codes = codes.to(self.device)
            self._codes.copy_(codes, non_blocking=True)
            results = {}
            # side by side all take less than most of them one after the other
            most = len(parts) > PART_COUNT // 2
            for group in [tuple(range(PART_COUNT))] if most else [(part,) for part in parts]:
                made = self._recording(group, self._codes).replay()
                own = zip(group, made, strict=True)
                results.update({k: one.clone() for k, one in own if k in parts})
            return results
        except Exception as error:  # whatever it is, the plain path may still work
            _log.warning("Parts cannot be recorded on this GPU, so they take longer: %s", error)
            self.clear()
            self.works = False
            return None

    def _recording(self, parts: tuple[int, ...], codes: Tensor) -> Recording[list[PartResult]]:
        if parts not in self._recordings:
            base, shape, texture = codes.split(
                [self.config.base_dim, *[self.config.code_dim] * 2], 1
            )
            streams = [torch.cuda.Stream(self.device) for _ in parts[:_STREAMS]]

            def work() -> list[PartResult]:
                current = torch.cuda.current_stream(self.device)
                for stream in streams:
                    stream.wait_stream(current)
                results = []
                for number, k in enumerate(parts):
                    with torch.cuda.stream(streams[number % _STREAMS]):
                        results.append(self.make(k, base[k], shape[k], texture[k]))
                for stream in streams:
                    current.wait_stream(stream)
                return results

            # every result is cloned before the next replay, so all may use the same memory
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            self._recordings[parts] = Recording(work, self.device, self._pool)
        return self._recordings[parts]

    def clear(self) -> None:
        """Forget all recordings and give their memory back."""
        self._recordings.clear()
        self._codes = self._pool = None
