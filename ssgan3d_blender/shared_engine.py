"""One engine for many threads: each call waits for its turn, and the turns are fair.

A job that meshes for seconds needs the engine for a tenth of that. Between its calls the 3D view
and F12 get theirs, however soon the job calls again.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..core.engine import PortraitEngine


class SharedEngine:
    """Stands in for a ``PortraitEngine``: methods and properties take a turn, plain attributes
    (``config``, ``device``) do not, so that a panel can show them while a job computes.
    """

    def __init__(self, engine: PortraitEngine) -> None:
        self._engine = engine
        self._busy, self._queue = threading.Lock(), threading.Lock()

    def __getattr__(self, name: str) -> Any:
        if isinstance(getattr(type(self._engine), name, None), property):
            with self.turn():
                return getattr(self._engine, name)
        found = getattr(self._engine, name)
        if not inspect.ismethod(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            with self.turn():
                return found(*arguments, **options)

        return call

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have the engine for this thread alone while the block runs; calls in it would wait for
        ever.
        """
        # A lock goes to whoever asks at the right moment: most often to the thread that has just
        # let it go. Who waits holds the queue, so that this thread must wait behind.
        with self._queue:
            self._busy.acquire()
        try:
            yield
        finally:
            self._busy.release()

    def release(self) -> None:
        """Forget all cached results without waiting: those that a call is using go with it."""
        if self._busy.acquire(blocking=False):
            try:
                self._engine.release()
            finally:
                self._busy.release()
