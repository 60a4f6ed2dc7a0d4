"""How fast this machine makes pictures, and how well fast and plain paths agree.

Each stage is measured against its floor: what the hardware needs at least for its arithmetic or for
reading and writing its data, at rates that are calibrated in the same run.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from . import reference
from .camera import Camera, canonical_camera
from .checkpoint import load_checkpoint
from .device import PRECISIONS
from .engine import PortraitEngine, embedded_weights
from .errors import PortraitError
from .latents import PortraitLatents
from .lifting import LIFTED
from .model import SSGAN3D, GeneratorOutput
from .part_runner import fused_linear
from .parts import PART_COUNT, PART_NAMES
from .picture import Rendering
from .stages import PartKeys
from .volume import FeatureTable, camera_tensors, sample_rays

Pictures = tuple[Tensor, Tensor]
"""Pictures (V, 3, S, S) in [-1, 1] and labels (V, S, S)."""
MESH_RESOLUTION = 192
PREVIEW_SIZE = (128, 128)
GRIDS = (32, 64, 128)
"""Layers of the dense grids that one portrait is also rendered with; they take seconds a view."""
VIEWS = (-0.7, 0.0, 0.7)
"""Yaws (radians) at which pictures are compared."""
TARGETS = {
    "new_camera_ms": 25.0,
    "part_edit_ms": 35.0,
    "new_portrait_ms": 70.0,
    "preview_ms": 8.0,
    "new_camera_fp32_ms": 70.0,
    "meshes_s": 2.0,
    "cold_first_picture_s": 4.0,
    "peak_memory_mb": 500.0,
    "model_mb": 20.0,
    "gpu_new_camera_ms": 1.0,
    "gpu_frames_per_s": 4000.0,
}
TOLERANCES = {"bfloat16": (48.0, 0.998), "fast": (38.0, 0.99)}
"""Least PSNR (dB of the full range) and share of equal labels that count as the same picture."""
_BATCH = 64
_MEMORY_PROBE = """
import resource, sys
import torch
def peak():
    if sys.platform == "linux":  # ru_maxrss would count the parent's memory before exec
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if "VmHWM" in line) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
bare = peak()
from {package}.engine import PortraitEngine
from {package}.camera import Camera
engine = PortraitEngine.load({path!r}, device={device!r}, precision={precision!r})
for seed in range(3):
    for step in range(8):
        picture = engine.render(engine.sample(seed), Camera.orbit(0.1 * step - 0.4))
        picture.mask, picture.labels, picture.depth
print(peak() - bare)
"""


@dataclass(frozen=True)
class Stage:
    """One stage of a picture.

    Attributes:
        milliseconds: median time.
        gflop: floating-point work of its products and convolutions, in 10^9 operations.
        megabytes: what it must at least read and write: its inputs, weights and results.
        floor_ms: the longer of both at the machine's calibrated rates.
    """

    name: str
    milliseconds: float
    gflop: float
    megabytes: float
    floor_ms: float


@dataclass(frozen=True)
class Agreement:
    """How well two ways to the same pictures agree, at worst.

    Attributes:
        pictures: how many were compared: portraits × ``VIEWS``.
        psnr: lowest, in dB of the full range.
        labels: lowest share of pixels with the same label.
        tolerance: what both may fall to; None where nothing is promised.
    """

    name: str
    pictures: int
    psnr: float
    labels: float
    tolerance: tuple[float, float] | None = None


@dataclass
class Benchmark:
    """What :func:`benchmark` found.

    Attributes:
        machine: what it ran on.
        calibration: rates of a matrix product and a memory copy here.
        medians: results by the keys of ``TARGETS``, in the unit that the key ends on.
        processor: milliseconds of all processors together, which other programs on the machine
            change less; by the keys of ``medians``.
        stages: the stages of a new portrait.
        agreement: how well two ways to the same pictures agree.
    """

    machine: dict[str, Any]
    calibration: dict[str, float] = field(default_factory=dict)
    medians: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    agreement: list[Agreement] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the medians stand at the top."""
        return {
            **self.medians,
            "machine": self.machine,
            "calibration": self.calibration,
            "processor": self.processor,
            "stages": [dataclasses.asdict(stage) for stage in self.stages],
            "agreement": [dataclasses.asdict(pair) for pair in self.agreement],
        }

    def table(self) -> str:
        """Everything as text."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield ", ".join(f"{key} {value}" for key, value in self.machine.items())
        yield ", ".join(f"{key} {value:.1f}" for key, value in self.calibration.items())
        yield ""
        yield f"{'median':24s} {'measured':>9s} {'target':>8s} {'CPU ms':>8s}"
        for key, value in self.medians.items():
            target = f"{TARGETS[key]:8.0f}" if key in TARGETS else ""
            used = f"{self.processor[key]:8.1f}" if key in self.processor else ""
            yield f"{key:24s} {value:9.2f} {target:8s} {used}".rstrip()
        yield ""
        yield f"{'stage':24s} {'ms':>9s} {'GFLOP':>8s} {'MB':>8s} {'floor ms':>9s} {'times':>6s}"
        for stage in self.stages:
            times = stage.milliseconds / max(stage.floor_ms, 1e-6)
            yield (
                f"{stage.name:24s} {stage.milliseconds:9.2f} {stage.gflop:8.3f} "
                f"{stage.megabytes:8.2f} {stage.floor_ms:9.3f} {times:6.1f}"
            )
        yield ""
        yield f"{'worst of':44s} {'pictures':>8s} {'PSNR':>6s} {'labels':>8s} {'tolerance':>14s}"
        for pair in self.agreement:
            allowed = "{:.0f} dB {:6.1%}".format(*pair.tolerance) if pair.tolerance else ""
            yield (
                f"{pair.name:44s} {pair.pictures:8d} {pair.psnr:6.1f} {pair.labels:8.3%} "
                f"{allowed:>14s}"
            )


def benchmark(
    path: Path | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    repeats: int = 30,
    portraits: int = 34,
) -> Benchmark:
    """Measure a model on this machine.

    Args:
        path: the model file; None takes the embedded one.
        repeats: runs of every timing; medians are given.
        portraits: portraits, each seen from ``VIEWS``, on which pictures are compared.

    Raises:
        PortraitError: the model cannot be had.
    """
    path = embedded_weights() if path is None else Path(path)
    engine = PortraitEngine.load(path, device=device, precision=precision)
    results = Benchmark(_machine(engine))
    results.calibration = _calibrate(engine)
    exact = PortraitEngine.load(path, device=device, precision="float32")
    rows: dict[str, tuple[Callable[[PortraitEngine, int], Timing], PortraitEngine]] = {
        "new_camera_ms": (_new_camera, engine),
        "part_edit_ms": (_part_edit, engine),
        "new_portrait_ms": (_new_portrait, engine),
        "preview_ms": (_preview, engine),
        "all_outputs_ms": (_all_outputs, engine),
        "new_camera_512_ms": (partial(_new_camera, side=512), engine),
        "new_camera_1024_ms": (partial(_new_camera, side=1024), engine),
        "new_camera_fp32_ms": (_new_camera, exact),
    }
    for key, (row, measured) in rows.items():
        results.medians[key], results.processor[key] = row(measured, repeats)
    results.medians.update(_meshes(engine))
    results.medians["cold_first_picture_s"] = _cold_start(path, device, precision)
    results.medians.update(_peak_memory(path, device, precision))
    results.medians["model_mb"] = path.stat().st_size / 1e6
    if engine.device.type == "cuda":
        results.medians["gpu_new_camera_ms"] = results.medians["new_camera_ms"]
        results.medians["gpu_frames_per_s"] = _frames_per_second(engine, repeats)
    results.stages = _stages(engine, results.calibration, repeats)
    results.agreement = _agreement(exact, path, portraits)
    return results


# --- medians -------------------------------------------------------------------------------------


class Timing(NamedTuple):
    """Median milliseconds by the clock, and of all processors together."""

    clock: float
    processor: float


def _timing(run: Callable[[int], Any], repeats: int, warm_up: int = 3) -> Timing:
    """Median times of ``run(i)``; every i is new."""
    times = []
    for i in range(warm_up + repeats):
        start, used = time.perf_counter(), time.process_time()
        run(i)
        if torch.cuda.is_initialized():  # what a GPU still works on counts, too
            torch.cuda.synchronize()
        times.append((time.perf_counter() - start, time.process_time() - used))
    return Timing(
        *(statistics.median(column) * 1e3 for column in zip(*times[warm_up:], strict=True))
    )


def _median_ms(run: Callable[[int], Any], repeats: int, warm_up: int = 3) -> float:
    return _timing(run, repeats, warm_up).clock


def _orbit(i: int) -> Camera:
    """A camera that no earlier i gave: the golden angle never repeats."""
    return Camera.orbit(1.2 * (i * 0.618034 % 1) - 0.6)


def _new_camera(engine: PortraitEngine, repeats: int, side: int | None = None) -> Timing:
    latents, size = engine.sample(1), None if side is None else (side, side)
    return _timing(lambda i: engine.render(latents, _orbit(i), size=size), repeats)


def _part_edit(engine: PortraitEngine, repeats: int) -> Timing:
    """Shape and texture of one part after the other, each from a seed of its own."""
    latents, camera = engine.sample(1), Camera.orbit(0.3)
    shown = [k for k in LIFTED if latents.visible[k]]

    def run(i: int) -> None:
        part = PART_NAMES[shown[i % len(shown)]]
        edited = latents.replace(part, engine.sample(1000 + i))
        engine.render(edited.with_visible(latents.visible_names), camera)

    engine.render(latents, camera)
    return _timing(run, repeats)


def _new_portrait(engine: PortraitEngine, repeats: int) -> Timing:
    return _timing(lambda i: engine.render(engine.sample(2000 + i), _orbit(i)), repeats)


def _preview(engine: PortraitEngine, repeats: int) -> Timing:
    """Drafts, which leave the render net out."""
    latents = engine.sample(1)
    return _timing(
        lambda i: engine.render(latents, _orbit(i), size=PREVIEW_SIZE, draft=True), repeats
    )


def _all_outputs(engine: PortraitEngine, repeats: int) -> Timing:
    """A new camera with soft and hard masks and depth."""
    latents = engine.sample(3)

    def run(i: int) -> None:
        rendering = engine.render(latents, _orbit(i))
        for name in ("mask", "labels", "depth"):
            getattr(rendering, name)

    return _timing(run, repeats)


def _frames_per_second(engine: PortraitEngine, repeats: int) -> float:
    latents = engine.sample(1)
    warm_up = 3
    cameras = [_orbit(i) for i in range((warm_up + repeats) * _BATCH)]
    milliseconds = _median_ms(
        lambda i: engine.render(latents, cameras[i * _BATCH : (i + 1) * _BATCH]), repeats, warm_up
    )
    return _BATCH / milliseconds * 1e3


def _meshes(engine: PortraitEngine) -> dict[str, float]:
    """Seconds for all part meshes with colours; nothing where meshing's packages are missing."""
    from .meshing import extract_meshes

    try:
        milliseconds = _median_ms(
            lambda i: extract_meshes(engine, engine.sample(i), resolution=MESH_RESOLUTION), 3, 1
        )
    except PortraitError as error:
        print(f"meshes left out: {error}", file=sys.stderr)
        return {}
    return {"meshes_s": milliseconds / 1e3}


def _cold_start(path: Path, device: str, precision: str) -> float:
    """Seconds from nothing to a picture on disk, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", str(__package__), "render", "--model", str(path)]
        command += ["--device", device, "--precision", precision]
        start = time.perf_counter()
        _run_python([*command, "--out", f"{folder}/picture.png"])
        return time.perf_counter() - start


def _peak_memory(path: Path, device: str, precision: str) -> dict[str, float]:
    """Peak memory of a rendering process over the bare torch import, in 10^6 bytes."""
    if sys.platform == "win32":  # has no resource module
        return {}
    probe = _MEMORY_PROBE.format(
        package=__package__, path=str(path), device=device, precision=precision
    )
    return {"peak_memory_mb": int(_run_python(["-c", probe])) / 1e6}


def _run_python(arguments: Sequence[str]) -> str:
    """What a Python of its own prints.

    Raises:
        PortraitError: it failed; the message has its last words.
    """
    done = subprocess.run(
        [sys.executable, *arguments], cwd=_root(), capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise PortraitError(f"A process that was to be measured failed: {last}")
    return done.stdout


def _root() -> Path:
    """The folder that this package is imported from."""
    return Path(__file__).parents[len(str(__package__).split("."))]


# --- calibration and stages ----------------------------------------------------------------------


def _machine(engine: PortraitEngine) -> dict[str, Any]:
    name = platform.processor() or platform.machine()
    if engine.device.type == "cuda":
        name = torch.cuda.get_device_name(engine.device)
    else:
        try:
            lines = Path("/proc/cpuinfo").read_text().splitlines()
            name = next(line.split(":")[1].strip() for line in lines if "model name" in line)
        except (OSError, StopIteration):
            pass
    return {
        "machine": name,
        "cores": _cores(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "device": str(engine.device),
        "precision": engine.precision,
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _calibrate(engine: PortraitEngine) -> dict[str, float]:
    """Rates that other machines can be compared by: 10^9 operations and bytes a second.

    Products and convolutions come from different libraries, and on some CPUs either is the faster.
    """
    size, device = 2048, engine.device
    rates = {}
    for name in dict.fromkeys(["float32", engine.precision]):
        factor = torch.randn(size, size, device=device).to(PRECISIONS[name])
        milliseconds = _median_ms(partial(_square, factor), 7)
        rates[f"matmul_{name}_gflops"] = 2 * size**3 / milliseconds / 1e6
        picture = torch.randn(1, 128, 64, 64, device=device).to(factor.dtype)
        picture = picture.to(memory_format=torch.channels_last)
        kernel = torch.randn(128, 128, 3, 3, device=device).to(picture)
        milliseconds = _median_ms(partial(_convolved, picture, kernel), 15)
        rates[f"conv_{name}_gflops"] = 2 * 9 * 128**2 * 64**2 / milliseconds / 1e6
    source = torch.zeros(1 << 26, device=device)
    target = torch.zeros_like(source)
    milliseconds = _median_ms(lambda i: _settled(target.copy_(source)), 7)
    rates["copy_gb_s"] = 2 * source.nbytes / milliseconds / 1e6
    return rates


def _square(factor: Tensor, _: int) -> Tensor:
    return _settled(factor @ factor)


def _convolved(picture: Tensor, kernel: Tensor, _: int) -> Tensor:
    return _settled(torch.nn.functional.conv2d(picture, kernel, padding=1))


def _settled(tensor: Tensor) -> Tensor:
    if tensor.device.type == "cuda":
        torch.cuda.synchronize(tensor.device)
    return tensor


def _stages(engine: PortraitEngine, rates: dict[str, float], repeats: int) -> list[Stage]:
    config, views, weights_stage = engine.config, engine.view_stage, engine.view_stage.weights
    latents = engine.sample(1)
    keys = PartKeys.of(latents)
    camera = canonical_camera(Camera.orbit(0.3), config)
    side = (config.ray_size, config.ray_size)
    rate = max(rates[f"{kind}_{engine.precision}_gflops"] for kind in ("matmul", "conv"))
    with torch.no_grad():
        parts = engine.part_stage(latents, keys)
        weights = weights_stage.compute(parts, keys, latents.visible, [camera])
        table = FeatureTable({k: part.map for k, part in parts.items()}, config)
        features = table.composite(weights, config)[0]
        mask = weights.mask[0].unflatten(-1, side)
        layers = views.layers(parts, keys, latents.visible).seen(weights, config)
        drawn = views.compute(parts, keys, latents.visible, weights, [camera])
        geometry = weights_stage.gather(parts, latents.visible)

        def weigh(_: int) -> Any:
            weights_stage.clear()
            return weights_stage.compute(parts, keys, latents.visible, [camera])

        def outputs(_: int) -> Any:
            picture = Rendering(drawn, [camera], (config.image_size, config.image_size))
            return picture.image, picture.mask, picture.labels, picture.depth

        runs: dict[str, tuple[Callable[[int], Any], Any]] = {
            "mapping": (lambda i: engine.sample(i), engine.mapping),
            "part maps": (
                lambda i: engine.part_stage.compute(latents, range(PART_COUNT)),
                [vars(runner) for runner in engine.part_stage.runners.values()],
            ),
            "geometry, rays, weights": (weigh, geometry),
            "features": (lambda i: table.composite(weights, config), [weights.mask, weights.uv]),
            "render net": (
                lambda i: views.net(features, mask, layers),
                [features, mask, layers.surface, views.net],
            ),
            "masks, labels, depth": (outputs, drawn),
        }
        stages = []
        fused = fused_linear()
        unknown = {} if fused is None else {fused: _linear_flops}  # to torch's counter
        for name, (run, inputs) in runs.items():
            milliseconds = _median_ms(run, repeats)
            with FlopCounterMode(display=False, custom_mapping=unknown) as counter:
                result = run(0)
            gflop = counter.get_total_flops() / 1e9
            megabytes = (_bytes(inputs) + _bytes(result)) / 1e6
            floor = max(
                gflop / rate * 1e3,
                megabytes / rates["copy_gb_s"],
            )
            stages.append(Stage(name, milliseconds, gflop, megabytes, floor))
    return stages


def _linear_flops(x: torch.Size, weight: torch.Size, *_: Any, **__: Any) -> int:
    """Operations of x Wᵀ, from shapes (N, C in) and (C out, C in)."""
    return 2 * x[0] * x[1] * weight[0]


def _bytes(value: Any) -> int:
    """Bytes of all tensors in a value."""
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, torch.nn.Module):
        return sum(tensor.nbytes for tensor in value.state_dict().values())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return sum(_bytes(getattr(value, entry.name)) for entry in dataclasses.fields(value))
    if isinstance(value, dict):
        return sum(_bytes(entry) for entry in value.values())
    if isinstance(value, list | tuple):
        return sum(_bytes(entry) for entry in value)
    return 0


# --- agreement -----------------------------------------------------------------------------------


def _agreement(exact: PortraitEngine, path: Path, portraits: int) -> list[Agreement]:
    """Worst agreement of a lower precision and of the fast path with what they stand for."""
    lower = "float16" if exact.device.type == "cuda" else "bfloat16"
    half = PortraitEngine.load(path, device=str(exact.device), precision=lower)
    model, cameras = load_checkpoint(path)[0], [Camera.orbit(yaw) for yaw in VIEWS]
    found: dict[str, list[tuple[float, float]]] = {}

    def compare(name: str, picture: Pictures, reference: Pictures) -> None:
        error = (picture[0] - reference[0]).square().mean((1, 2, 3)).clamp_min(1e-12)
        same = (picture[1] == reference[1]).float().mean((1, 2))
        rows = zip((10 * torch.log10(4 / error)).tolist(), same.tolist(), strict=True)
        found.setdefault(name, []).extend(rows)

    for seed in range(portraits):
        latents = exact.sample(seed)
        fast = _pictures(exact.render(latents, cameras))
        compare(f"{lower} against float32", _pictures(half.render(latents, cameras)), fast)
        plain = _reference_pictures(model, latents, cameras, None)
        compare("fast path against the equations", fast, plain)
        for levels in GRIDS if seed == 0 else ():
            grid = _reference_pictures(model, latents, cameras, levels)
            compare(f"dense grid of {levels} layers against them", grid, plain)
    promised = [TOLERANCES["bfloat16"], TOLERANCES["fast"], *[None] * len(GRIDS)]
    results = []
    for (name, rows), allowed in zip(found.items(), promised, strict=True):
        psnr, labels = (min(column) for column in zip(*rows, strict=True))
        results.append(Agreement(name, len(rows), psnr, labels, allowed))
    return results


def _pictures(rendering: Rendering) -> Pictures:
    return rendering.image, rendering.labels


def _reference_pictures(
    model: SSGAN3D, latents: PortraitLatents, cameras: list[Camera], levels: int | None
) -> Pictures:
    """The same by the equations, sample by sample, on a dense grid or without one."""
    config = model.config
    images, labels = [], []
    for camera in cameras:
        output = reference_output(model, latents, camera, levels=levels)
        images.append(output.image[0].clamp(-1, 1))
        size = (config.image_size, config.image_size)
        logits = torch.nn.functional.interpolate(
            output.mask_logits[0], size=size, mode="bilinear", align_corners=False
        )
        labels.append(logits.argmax(1).to(torch.uint8))
    return torch.cat(images), torch.cat(labels)


def reference_output(
    model: SSGAN3D, latents: PortraitLatents, camera: Camera, *, levels: int | None
) -> GeneratorOutput:
    """One picture by :func:`.reference.render`."""
    origins, directions, centre = camera_tensors([camera], model.config.ray_size)
    rays = sample_rays(origins[None], directions[None], centre[None], model.config)
    with torch.no_grad():
        return reference.render(
            model,
            latents.base[None],
            latents.shape[None],
            latents.texture[None],
            latents.visible[None],
            rays,
            levels=levels,
        )
