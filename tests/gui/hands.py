"""Mouse, keyboard, eyes and a stopwatch for a script that runs inside a Blender window.

Everything that waits is a generator: it yields seconds, Blender goes on with its events meanwhile,
and :func:`run` resumes it from a timer. Events are real ones of the X server, sent by xdotool.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import bpy

Steps = Generator[float, None, None]
Finding = Generator[float, None, tuple[int, int] | None]

QUIET = 0.6  # seconds without a redraw after which a view counts as settled
TICK = 0.01
PATIENCE = 600.0  # seconds until a view that never comes to rest is given up
# By name, xdotool presses Alt too under Xvfb, and Alt+F12 is another command.
KEY_CODES = {"F3": "69", "F12": "96"}


# --- running -------------------------------------------------------------------------------------


def run(steps: Steps, finish: Callable[[BaseException | None], None]) -> None:
    """Go through ``steps`` from a timer; ``finish`` gets what stopped them, or None."""

    def resume() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            finish(None)
        except BaseException as error:
            traceback.print_exc()
            finish(error)
        return None

    bpy.app.timers.register(resume, first_interval=1.0, persistent=True)  # files get opened


def until(condition: Callable[[], bool], seconds: float = 60.0) -> Steps:
    """Wait until something holds.

    Raises:
        TimeoutError: it does not within ``seconds``.
    """
    end = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > end:
            raise TimeoutError(f"{condition.__name__} did not become true in {seconds:.0f} s")
        yield TICK


# --- eyes ----------------------------------------------------------------------------------------


def window() -> bpy.types.Window:
    """The one window."""
    return bpy.context.window_manager.windows[0]


def area(kind: str = "VIEW_3D") -> bpy.types.Area:
    """The largest area of a kind."""
    found = [item for item in window().screen.areas if item.type == kind]
    return max(found, key=lambda item: item.width * item.height)


def region(kind: str = "WINDOW", of: str = "VIEW_3D") -> bpy.types.Region:
    """A region of that area."""
    return next(item for item in area(of).regions if item.type == kind)


def centre(place: bpy.types.Region | bpy.types.Area) -> tuple[int, int]:
    """The middle of a region in X's pixels, whose y grows downwards."""
    return place.x + place.width // 2, window().height - place.y - place.height // 2


def screenshot(path: Path) -> None:
    """What the X server shows. Blender's own screenshot operator comes out black here."""
    subprocess.run(["import", "-window", "root", "-depth", "8", f"png24:{path}"], check=True)


def pixels(place: bpy.types.Region, share: float = 0.4) -> bytes:
    """The colours in the middle of a region, over ``share`` of its width and height."""
    x, y = centre(place)
    width, height = round(place.width * share), round(place.height * share)
    piece = f"{width}x{height}+{x - width // 2}+{y - height // 2}"
    command = ["import", "-window", "root", "-crop", piece, "-depth", "8", "rgb:-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def in_view(**options: object):  # noqa: ANN201 - Blender's own type has no public name
    """Context of the 3D view for operators that are not reached by mouse or keyboard."""
    return bpy.context.temp_override(window=window(), area=area(), region=region(), **options)


# --- hands ---------------------------------------------------------------------------------------


def _xdotool(*arguments: object) -> str:
    command = ["xdotool", *(str(argument) for argument in arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def focus() -> None:
    """Give Blender's window the keyboard: no window manager does."""
    found = _xdotool("search", "--onlyvisible", "--class", "Blender").split()
    _xdotool("windowfocus", "--sync", found[-1])


def point(x: int, y: int) -> Steps:
    """Move the mouse there; a second small move makes Blender notice what it is over."""
    _xdotool("mousemove", x - 1, y)
    yield 0.03
    _xdotool("mousemove", x, y)
    yield 0.05


def strike(key: str) -> None:
    """Press a key at once (``ctrl+c`` and the like too), wherever the mouse is."""
    *held, last = key.split("+")
    for name in held:
        _xdotool("keydown", name)
    _xdotool("key", KEY_CODES.get(last, last))
    for name in reversed(held):
        _xdotool("keyup", name)


def press(key: str, at: tuple[int, int] | None = None) -> Steps:
    """Press a key with the mouse over the 3D view, or ``at``."""
    focus()
    yield from point(*(at or centre(region())))
    strike(key)
    yield 0.1


def write(text: str) -> Steps:
    """Type a text where the keyboard is."""
    for letter in text:
        _xdotool("key", {" ": "space"}.get(letter, letter))
        yield 0.04
    yield 0.3


def tap(button: int = 1) -> None:
    """Click at once, wherever the mouse is."""
    _xdotool("click", button)


def click(x: int, y: int, button: int = 1) -> Steps:
    """Click there."""
    focus()
    yield from point(x, y)
    tap(button)
    yield 0.1


def drag(
    start: tuple[int, int], end: tuple[int, int], button: int = 1, moves: int = 8, held: str = ""
) -> Steps:
    """Drag in steps, each of them a chance for Blender to draw; with a key ``held`` down."""
    focus()
    yield from point(*start)
    if held:
        _xdotool("keydown", held)
    _xdotool("mousedown", button)
    for number in range(1, moves + 1):
        share = number / moves
        x, y = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
        _xdotool("mousemove", x, y)
        yield 0.06
    _xdotool("mouseup", button)
    if held:
        _xdotool("keyup", held)
    yield 0.1


def wheel(clicks: int, place: bpy.types.Region) -> Steps:
    """Turn the mouse wheel over a region; positive numbers scroll down."""
    yield from point(place.x + place.width // 3, centre(place)[1])
    for _ in range(abs(clicks)):
        _xdotool("click", 5 if clicks > 0 else 4)
    yield 0.3


def find_button(
    command: str,
    place: bpy.types.Region,
    column: float = 0.45,
    turns: tuple[int, ...] = (0, -40, 12, 12, 12),
) -> Finding:
    """Where a button stands whose Python command begins with ``command``: (x, y), or None.

    Blender tells no script where its buttons are, but copies the command of the one under the mouse
    at Ctrl+C. So the mouse goes down a column of the region, at ``column`` of its width, after each
    of ``turns`` of the wheel: first over what is shown, then from the region's top down. It looks
    first where it found the button last.
    """
    focus()
    x, y = known = _found.get((command, column), (0, 0))
    if y and (yield from _command_at(x, y)).startswith(f"bpy.ops.{command}"):
        return known
    for clicks in turns:
        if clicks:
            yield from wheel(clicks, place)
        found = yield from _sweep(command, place, column)
        if found:
            _found[command, column] = found
            return found
    return None


_found: dict[tuple[str, float], tuple[int, int]] = {}


def _sweep(command: str, place: bpy.types.Region, column: float) -> Finding:
    x = place.x + round(place.width * column)
    top, bottom = (window().height - y for y in (place.y + place.height, place.y))
    hits = []
    for y in range(top + 6, bottom - 6, 16):
        if (yield from _command_at(x, y)).startswith(f"bpy.ops.{command}"):
            hits.append(y)
        elif hits:
            break
    return (x, (hits[0] + hits[-1]) // 2) if hits else None


def _command_at(x: int, y: int) -> Generator[float, None, str]:
    """The Python command of the button there; empty if there is none."""
    bpy.context.window_manager.clipboard = ""
    _xdotool("mousemove", x - 1, y)
    yield 0.015
    _xdotool("mousemove", x, y)
    yield 0.025
    _xdotool("key", "ctrl+c")
    yield 0.035
    return bpy.context.window_manager.clipboard


# --- a stopwatch ---------------------------------------------------------------------------------


class Lookout(threading.Thread):
    """Looks from a thread of its own what Blender's main thread is at.

    "Blender" stands for its own code, drawing above all; "a thread" for another thread that did not
    let go of Python.
    """

    PAUSE = 0.02

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._seen: list[tuple[float, str]] = []
        self._over = threading.Event()

    def run(self) -> None:
        """Look until :meth:`stop`."""
        main, before = threading.main_thread().ident, time.perf_counter()
        while not self._over.wait(self.PAUSE):
            now, frame = time.perf_counter(), sys._current_frames().get(main)
            at = "Blender"
            if frame is not None:
                at = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
            if now - before > 5 * self.PAUSE:
                at = f"a thread, or {at}"
            self._seen.append((now, at))
            before = now

    def stop(self) -> None:
        """End it."""
        self._over.set()

    def between(self, start: float, end: float) -> str:
        """What was seen most often in a time."""
        seen = Counter(at for when, at in self._seen if start <= when <= end)
        return ", ".join(f"{at} ({count})" for at, count in seen.most_common(3)) or "a thread"


class Watch:
    """Times of one interaction: first sign, last change, and the longest time without any event.

    On a busy machine that time says more about the others than about us, so there is also the most
    processor time that the main thread took between two events.
    """

    def __init__(self) -> None:
        self._draws: list[float] = []
        # Seconds, one entry a repetition.
        self.first: list[float] = []
        self.last: list[float] = []
        self.blocked: list[float] = []
        self.worked: list[float] = []
        self.blocked_by: list[str] = []

    def drawn(self) -> None:
        """Handler: the 3D view was drawn."""
        self._draws.append(time.perf_counter())

    def time(
        self, act: Callable[[], object], done: Callable[[], bool] = lambda: True
    ) -> Iterator[float]:
        """Do ``act``; go on once ``done()``, and nothing has been drawn for a while."""
        handler = bpy.types.SpaceView3D.draw_handler_add(self.drawn, (), "WINDOW", "POST_PIXEL")
        lookout = Lookout()
        lookout.start()
        try:
            yield QUIET
            self._draws.clear()
            longest, when, finished = 0.0, (0.0, 0.0), None
            worked, spent = 0.0, time.thread_time()
            start = before = time.perf_counter()
            act()
            while True:
                yield TICK
                now = time.perf_counter()
                if now - before - TICK > longest:
                    longest, when = now - before - TICK, (before, now)
                before = now
                worked, spent = max(worked, time.thread_time() - spent), time.thread_time()
                if not done():
                    finished = None
                elif finished is None:
                    finished = now
                latest = max([start, *self._draws])
                if finished is not None and now - max(latest, finished) > QUIET:
                    break
                if now - start > PATIENCE:
                    raise TimeoutError("the 3D view does not come to rest")
        finally:
            bpy.types.SpaceView3D.draw_handler_remove(handler, "WINDOW")
            lookout.stop()
        self.blocked_by.append(lookout.between(*when))
        self.first.append((self._draws[0] if self._draws else finished) - start)
        self.last.append(max([finished, *self._draws]) - start)
        self.blocked.append(longest)
        self.worked.append(worked)

    def summary(self) -> dict[str, float | int | str]:
        """Milliseconds: median and worst of each; and what the longest block was spent on."""
        result: dict[str, float | int | str] = {"repetitions": len(self.last)}
        for name in ("first", "last", "blocked", "worked"):
            values = getattr(self, name)
            result[f"{name}_median_ms"] = round(1000 * statistics.median(values))
            result[f"{name}_worst_ms"] = round(1000 * max(values))
        if self.blocked_by:
            result["blocked_by"] = self.blocked_by[self.blocked.index(max(self.blocked))]
        return result


def leave(status: int) -> None:
    """End Blender at once."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
