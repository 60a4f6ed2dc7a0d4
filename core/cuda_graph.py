"""Work of a GPU recorded once and replayed by one call: a CUDA graph.

A picture is some hundred small kernels, and Python takes longer to launch most of them than the GPU
to run them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch

Result = TypeVar("Result")
_WARM_UP = 3


class Recording(Generic[Result]):
    """Recorded work: every replay reads the same tensors and writes the same ``result``.

    Attributes:
        result: what the work gave. It holds values only after a replay, until the next one of any
            recording in the same pool.
    """

    def __init__(self, work: Callable[[], Result], device: torch.device, pool: Any = None) -> None:
        """Run ``work`` a few times and record it.

        Args:
            work: has one course, whatever the tensors hold that it reads: it asks for no value of
                theirs and copies nothing from the CPU.
            pool: memory that recordings share which are never in use at the same time.

        Raises:
            RuntimeError: it cannot be recorded.
        """
        benchmark = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = True  # the shapes stay: cuDNN may try what is fastest
        try:
            with torch.cuda.device(device):
                side, current = torch.cuda.Stream(), torch.cuda.current_stream()
                side.wait_stream(current)
                with torch.cuda.stream(side):
                    for _ in range(_WARM_UP):  # libraries set themselves up, constants are made
                        work()
                current.wait_stream(side)
                self._graph = torch.cuda.CUDAGraph()
                # other threads, as Blender's own renderer, may use the GPU meanwhile
                with torch.cuda.graph(
                    self._graph, pool=pool, stream=side, capture_error_mode="thread_local"
                ):
                    self.result = work()
        finally:
            torch.backends.cudnn.benchmark = benchmark

    def replay(self) -> Result:
        """Do the work again, behind what the current stream holds."""
        self._graph.replay()
        return self.result
