"""Are the recorded pictures of a CUDA GPU those of the plain path, and how fast are they.

    python examples/bench_gpu.py results.json [--portraits 4] [--repeats 100]

Takes about a minute and a half. Each section stands alone: one that fails is reported, and the
others go on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from core.camera import Camera, canonical_camera
from core.engine import PortraitEngine
from core.fixed_shapes import ray_frames
from core.graphed_views import GraphedViews
from core.latents import PortraitLatents
from core.parts import PART_NAMES

BATCHES = (1, 4, 16, 32, 64)
"""Views in one recording whose time on the GPU is measured."""
RENDERED = (16, 64, 128)
"""Cameras of one call of the engine."""


def orbit(i: int) -> Camera:
    """A camera that no earlier i gave."""
    return Camera.orbit(1.2 * (i * 0.618034 % 1) - 0.6, 0.3 * (i * 0.754878 % 1) - 0.15)


WARM_UP = 40
"""Pictures before the first that counts: more than the engine keeps, whose memory is used again."""


def median_ms(run: Callable[[int], Any], repeats: int, warm_up: int = 5) -> float:
    """Median time of ``run(i)``, with all that it left the GPU to do."""
    times = []
    for i in range(warm_up + repeats):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run(i)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[warm_up:]) * 1e3


def plain_engine(precision: str) -> PortraitEngine:
    """An engine that records nothing."""
    return PortraitEngine.load(device="cuda", precision=precision, recorded=False)


def difference(a: Any, b: Any) -> dict[str, float]:
    """How two renderings differ."""
    error = (a.image - b.image).square().mean((1, 2, 3)).clamp_min(1e-12)
    solid = a.depth.isfinite() & b.depth.isfinite()
    return {
        "image_max": float((a.image - b.image).abs().max()),
        "psnr_min": float(10 * torch.log10(4 / error).min()),
        "mask_max": float((a.mask - b.mask).abs().max()),
        "labels_equal": float((a.labels == b.labels).float().mean()),
        "depth_max": float((a.depth - b.depth)[solid].abs().max()) if solid.any() else 0.0,
    }


def worst(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """The worst of each number."""
    return {
        name: (min if name in ("psnr_min", "labels_equal") else max)(one[name] for one in found)
        for name in found[0]
    }


def agreement(engine: PortraitEngine, portraits: int) -> dict[str, Any]:
    """Recorded against plain: portraits, cameras, one and many views, edits, and back again."""
    plain = plain_engine(engine.precision)
    found: dict[str, list[dict[str, float]]] = {}

    def compare(name: str, latents: PortraitLatents, cameras: list[Camera]) -> None:
        pair = [each.render(latents, cameras) for each in (engine, plain)]
        found.setdefault(name, []).append(difference(*pair))

    count = 0
    for seed in range(portraits):
        latents = engine.sample(seed)
        for _ in range(3):
            count += 1
            compare("new camera", latents, [orbit(count)])
        compare("19 views", latents, [orbit(1000 + 19 * seed + j) for j in range(19)])
        for part in ("hair", "eyes", "background"):
            edited = latents.replace(part, engine.sample(100 + seed))
            compare("part edit", edited, [orbit(count)])
        compare("without a part", latents.with_visible(hidden=["hair"]), [orbit(count)])
        compare("back again", latents, [orbit(2000 + seed)])
        compare("orthographic", latents, [Camera.orbit(0.2, 0.1, orthographic=True)])
    views, parts = engine.view_stage.graphed, engine.part_stage.graphed
    return {
        "recorded": [bool(views and views.works), bool(parts and parts.works)],
        **{name: worst(rows) for name, rows in found.items()},
    }


def latencies(engine: PortraitEngine, repeats: int, warm_up: int = WARM_UP) -> dict[str, float]:
    """Milliseconds from call to picture in the CPU's memory."""
    latents, count = engine.sample(1), repeats + warm_up
    cameras = [orbit(5000 + i) for i in range(count)]
    shown = [part for part in latents.visible_names if part != "background"]
    edits = [
        latents.replace(shown[i % len(shown)], engine.sample(3000 + i)).with_visible(
            latents.visible_names
        )
        for i in range(count)
    ]
    drawn = [engine.sample(4000 + i) for i in range(count)]
    rows: dict[str, Callable[[int], Any]] = {
        "new_camera_ms": lambda i: engine.render(latents, cameras[i]),
        "part_edit_ms": lambda i: engine.render(edits[i], cameras[0]),
        "new_portrait_from_codes_ms": lambda i: engine.render(drawn[i], cameras[i]),
        "new_portrait_from_seed_ms": lambda i: engine.render(engine.sample(6000 + i), cameras[i]),
        "mapping_ms": lambda i: engine.sample(7000 + i),
        "draft_ms": lambda i: engine.render(latents, cameras[i], draft=True),
        "same_view_again_ms": lambda i: engine.render(latents, cameras[-1]),
    }
    return {name: median_ms(row, repeats, warm_up) for name, row in rows.items()}


def first_picture(recorded: bool) -> dict[str, float]:
    """What the first picture of an engine takes, and the second; and its memory on the GPU."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved()
    engine = PortraitEngine.load(device="cuda", recorded=recorded)
    latents = engine.sample(1)
    first, second = (
        median_ms(lambda i, n=n: engine.render(latents, orbit(30000 + n)), 1, 0)  # type: ignore[misc]
        for n in range(2)
    )
    reserved = (torch.cuda.memory_reserved() - before) / 1e6
    return {"first_ms": first, "second_ms": second, "reserved_mb": reserved}


def throughput(engine: PortraitEngine) -> dict[str, float]:
    """Frames a second from cameras to pictures in the CPU's memory, by cameras in a call."""
    latents, rates = engine.sample(1), {}
    for count in RENDERED:
        cameras = [orbit(10000 + i) for i in range(count * 15)]
        milliseconds = median_ms(
            lambda i, cameras=cameras, count=count: engine.render(  # type: ignore[misc]
                latents, cameras[i * count : (i + 1) * count]
            ),
            10,
        )
        rates[str(count)] = count / milliseconds * 1e3
    return rates


def replays(engine: PortraitEngine) -> dict[str, dict[str, float]]:
    """The GPU's own time of one replay by the number of views, and its frames a second.

    "rendered" has the pictures in the CPU's memory, by the recordings alone, without the engine.
    """
    stage, latents = engine.view_stage, engine.sample(1)
    engine.render(latents, orbit(0))
    results = {}
    for count in BATCHES:
        graphed = GraphedViews(stage.net, engine.config, (count,))
        assert stage.graphed is not None and stage.graphed.portrait is not None
        graphed.portrait = stage.graphed.portrait
        cameras = [canonical_camera(orbit(i), engine.config) for i in range(count)]
        frames = torch.from_numpy(ray_frames(cameras))
        with torch.inference_mode():
            graphed.replay(frames)
            torch.cuda.synchronize()
            before = torch.cuda.memory_reserved()
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            number = 50
            start.record()
            for _ in range(number):
                graphed.replay(frames)
            end.record()
            torch.cuda.synchronize()
            milliseconds = start.elapsed_time(end) / number
            delivered = median_ms(lambda i, g=graphed, c=cameras: g.views(c), 20)  # type: ignore[misc]
        results[str(count)] = {
            "replay_ms": milliseconds,
            "frames_per_s": count / milliseconds * 1e3,
            "rendered_ms": delivered,
            "rendered_frames_per_s": count / delivered * 1e3,
            "reserved_mb": before / 1e6,
        }
        graphed.clear()
        torch.cuda.empty_cache()
    return results


def kernels(engine: PortraitEngine) -> dict[str, Any]:
    """The kernels of one new camera, by their time on the GPU."""
    from torch.profiler import ProfilerActivity, profile

    latents, number = engine.sample(1), 5
    engine.render(latents, orbit(20000))
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as run:
        for i in range(number):
            engine.render(latents, orbit(20001 + i))
        torch.cuda.synchronize()
    rows: dict[str, list[float]] = {}
    for event in run.events():
        if event.device_type == torch.autograd.DeviceType.CUDA:
            row = rows.setdefault(event.name, [0.0, 0])
            row[0] += event.time_range.elapsed_us() / number
            row[1] += 1 / number
    table = sorted(rows.items(), key=lambda item: -item[1][0])
    for name, (microseconds, calls) in table[:25]:
        print(f"{microseconds:9.1f} us {calls:6.1f} x  {name[:110]}")
    return {
        "total_us": sum(row[0] for row in rows.values()),
        "launches": sum(row[1] for row in rows.values()),
        "kernels": [{"name": n, "us": us, "calls": calls} for n, (us, calls) in table[:40]],
    }


def unrecorded(engine: PortraitEngine, repeats: int) -> dict[str, float]:
    """The same latencies without recordings, for comparison."""
    plain = plain_engine(engine.precision)
    return {
        name: value
        for name, value in latencies(plain, max(5, repeats // 10), 5).items()
        if name in ("new_camera_ms", "part_edit_ms", "new_portrait_from_codes_ms")
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--portraits", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    began = time.perf_counter()
    engine = PortraitEngine.load(device="cuda", precision=options.precision, recorded=True)
    results: dict[str, Any] = {
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "precision": engine.precision,
        "parts": list(PART_NAMES),
    }
    sections: dict[str, Callable[[], Any]] = {
        "first, recorded": lambda: first_picture(True),
        "first, plain": lambda: first_picture(False),
        "agreement": lambda: agreement(engine, options.portraits),
        "latencies": lambda: latencies(engine, options.repeats),
        "replays": lambda: replays(engine),
        "throughput": lambda: throughput(engine),
        "kernels": lambda: kernels(engine),
        "unrecorded": lambda: unrecorded(engine, options.repeats),
    }
    for name, section in sections.items():
        start = time.perf_counter()
        try:
            results[name] = section()
        except Exception:
            traceback.print_exc()
            results[name] = {"error": traceback.format_exc()}
        results.setdefault("seconds", {})[name] = time.perf_counter() - start
        if name != "kernels":
            print(name, json.dumps(results[name], indent=1), flush=True)
        options.out.write_text(json.dumps(results, indent=1))
    print(f"{time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
