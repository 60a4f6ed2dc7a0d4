"""Pictures for 3D views, painted in a thread: the newest request first, a draft before the whole.

A view asks and is answered at once; what it asked for comes later. A request that a newer one of
the same view overtakes is dropped, but a draft that was begun is finished: while a view turns there
is always a newer request, and something must be shown.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, NamedTuple

from . import runtime, scene_picture
from .messages import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from .scene_picture import Shot

FULL_SIDE = 2048  # pixels of the longer side that are computed; the card enlarges them
DRAFT_SIDE = 512
QUICK = 0.06
"""Seconds: where a whole picture takes less than that, a draft would only flicker."""


class Request(NamedTuple):
    """A picture that a view wants, and the model to make it with."""

    shot: Shot
    choice: runtime.ModelChoice


class Painting(NamedTuple):
    """What came of a request.

    Attributes:
        request: as it was asked; the picture may be smaller.
        size: (width, height) of the picture.
        pixels: linear RGBA, premultiplied, as :func:`.images.flat` gives it; None if it failed.
        error: what went wrong, for the user; empty if nothing did.
        draft: the whole picture is still to come.
    """

    request: Request
    size: tuple[int, int]
    pixels: np.ndarray | None
    error: str
    draft: bool


class Slot:
    """What one view wants and what it got. Views that are gone let go of it.

    Attributes:
        redraw: called on the main thread when there is something new to draw.
        painting: the newest picture.
    """

    def __init__(self, redraw: Callable[[], None]) -> None:
        self.redraw = redraw
        self.painting: Painting | None = None
        # The painter's, under its lock.
        self.wanted: Request | None = None
        self.stage = "done"  # what is still to be painted: "draft", "full" or "done"
        self.fresh = False  # the painting came after the last look
        self.turn = 0


class Painter:
    """The thread that paints for all slots; it starts with the first request."""

    def __init__(self) -> None:
        self._slots: weakref.WeakSet[Slot] = weakref.WeakSet()
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._turn = 0
        self._quick = False

    def ask(self, slot: Slot, request: Request | None) -> None:
        """Replace what a slot is to show; returns at once. None: nothing."""
        with self._news:
            if request == slot.wanted:
                return
            slot.wanted, slot.stage = request, "draft"
            if request is None:
                slot.stage, slot.painting = "done", None
                return
            self._slots.add(slot)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="viewport", daemon=True)
                self._thread.start()
            self._news.notify()

    def look(self) -> tuple[bool, list[Slot]]:
        """Whether more is to come, and the slots that got something since the last look."""
        with self._news:
            busy = any(slot.stage != "done" for slot in self._slots)
            fresh = [slot for slot in self._slots if slot.fresh]
            for slot in fresh:
                slot.fresh = False
            return busy, fresh

    def stop(self) -> None:
        """Drop all requests, end the thread and wait until it has ended."""
        with self._news:
            thread, self._thread = self._thread, None
            for slot in self._slots:
                slot.wanted, slot.stage = None, "done"
            self._news.notify()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while self._step():
            pass

    def _step(self) -> bool:
        """Wait for one request and paint it; False when the thread is to end."""
        with self._news:
            while (slot := self._next()) is None:
                if self._thread is not threading.current_thread():
                    return False
                self._news.wait()
            request, draft = slot.wanted, slot.stage == "draft"
            assert request is not None  # or its stage were "done"
            known = _is_known(slot.painting, request)
            draft = draft and not known and not self._quick
            slot.turn = self._turn = self._turn + 1
        begun = time.perf_counter()
        painting = _paint(request, draft, lambda _: draft or slot.wanted == request)
        if painting is not None and not draft and not known:
            self._quick = time.perf_counter() - begun < QUICK
        with self._news:
            if painting is not None and slot.wanted is not None:
                slot.painting, slot.fresh = painting, True
                if slot.wanted == request:
                    slot.stage = "full" if draft and not painting.error else "done"
        return True

    def _next(self) -> Slot | None:
        """Whose turn it is: drafts before whole pictures, then who has waited longest."""
        waiting = [slot for slot in self._slots if slot.stage != "done"]
        return min(waiting, key=lambda slot: (slot.stage == "full", slot.turn), default=None)


def _is_known(before: Painting | None, wanted: Request) -> bool:
    """Whether the engine still has what a request shows, if the last picture was ``before``.

    Another lens, shift or size only arranges the pixels of a view anew: no draft is needed.
    """
    if before is None or before.draft or before.pixels is None:
        return False
    old, new = before.request.shot, wanted.shot
    same = (old.sitters, old.view.matrix) == (new.sitters, new.view.matrix)
    return same and before.request.choice == wanted.choice


def _paint(request: Request, draft: bool, go_on: Callable[[int], bool]) -> Painting | None:
    """Make one picture; None if it was overtaken."""
    size = reduced(request.shot.size, DRAFT_SIDE if draft else FULL_SIDE)
    try:
        from . import images

        picture = scene_picture.take(
            runtime.engine(request.choice),
            request.shot._replace(size=size),
            draft=draft,
            go_on=go_on,
        )
        if picture is None:
            return None
        return Painting(request, size, images.flat(picture.color), "", draft)
    except Exception as error:
        return Painting(request, size, None, describe(error), draft)


def reduced(size: tuple[int, int], side: int) -> tuple[int, int]:
    """A size whose longer side is at most ``side``, in the same proportions."""
    shrink = min(1.0, side / max(size))
    return max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))
