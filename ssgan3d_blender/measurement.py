"""How fast this machine draws on each device and in each precision: measured on request, for the
preferences.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.props import EnumProperty

from ..core.errors import PortraitError
from . import jobs, preferences, runtime, torch_setup
from .messages import cancels_on_error

VIEWS = 5
_HOPELESS = ("cpu", "float16")
"""No processor multiplies it: many times slower."""


class Way(NamedTuple):
    """How pictures are computed: names of the preferences' items."""

    device: str
    precision: str


results: dict[Way, float] = {}
"""Milliseconds for a picture from a new camera."""
_measured: runtime.ModelChoice | None = None
_job: jobs.Job | None = None


def measure(job: jobs.Job, choice: runtime.ModelChoice) -> dict[Way, float]:
    """Time pictures from new cameras with an engine of its own for each way.

    What a device cannot do, as some Metal versions bfloat16, is left out.

    Raises:
        PortraitError: the model cannot be had.
        jobs.JobCancelled: somebody stopped it.
    """
    import statistics  # 4 ms that enabling can do without

    from ..core.camera import Camera
    from ..core.device import PRECISIONS, present_devices
    from ..core.engine import PortraitEngine

    job.report(0.0, "loading the model")
    times: dict[Way, float] = {}
    ways = [Way(d, p) for d in present_devices() for p in PRECISIONS if (d, p) != _HOPELESS]
    for row, way in enumerate(ways):
        engine = PortraitEngine.load(choice.path, device=way.device, precision=way.precision)
        latents = engine.sample(0)
        taken = []
        for view in range(VIEWS + 1):
            job.report((row + view / (VIEWS + 1)) / len(ways), way.precision)
            start = time.perf_counter()
            try:
                engine.render(latents, Camera.orbit(0.1 * view))
            except (RuntimeError, TypeError):
                break
            taken.append(1000 * (time.perf_counter() - start))
        else:
            times[way] = statistics.median(taken[1:])  # the first makes the portrait as well
    return times


def of_choice(choice: runtime.ModelChoice) -> dict[Way, float]:
    """What was measured for this model; empty if nothing was."""
    return results if _measured is not None and _measured.path == choice.path else {}


def chosen(choice: runtime.ModelChoice) -> Way | None:
    """What a choice means on this machine; None if it has no such device. PyTorch is loaded."""
    from ..core.device import choose_device, choose_precision

    try:
        device = choose_device(choice.device)
    except PortraitError:
        return None
    return Way(device.type, choose_precision(choice.precision, device))


class SSGAN3D_OT_measure_speed(bpy.types.Operator):
    """Time pictures on each device and in each precision"""

    bl_idname = "ssgan3d.measure_speed"
    bl_label = "Measure"
    bl_description = (
        "Draw a portrait from some cameras on each device and in each precision, and tell how "
        "long it takes. Nothing in the file changes"
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """PyTorch must be there."""
        if torch_setup.origin() is None:
            cls.poll_message_set("Install PyTorch first")
            return False
        return _job not in jobs.running()

    @cancels_on_error
    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Start it."""
        global _job
        choice = preferences.model_choice()

        def finish(times: dict[Way, float]) -> None:
            global _measured
            _measured = choice
            results.clear()
            results.update(times)

        label = iface_("Measuring")
        _job = jobs.start(label, lambda job: measure(job, choice), finish, ends_with_file=False)
        return {"FINISHED"}


class SSGAN3D_OT_use_way(bpy.types.Operator):
    """Draw this way from now on"""

    bl_idname = "ssgan3d.use_way"
    bl_label = "Use"
    bl_description = "Draw all portraits on this device and in this precision from now on"

    device: EnumProperty(name="Device", items=preferences.DEVICE_ITEMS)
    precision: EnumProperty(name="Precision", items=preferences.PRECISION_ITEMS)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the preferences."""
        settings = preferences.get(context)
        settings.device, settings.precision = self.device, self.precision
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout, choice: runtime.ModelChoice) -> None:
    """The times, the fastest one with a button, and a button that measures."""
    times = of_choice(choice)
    labels = {name: label for name, label, _ in preferences.PRECISION_ITEMS}
    labels |= {name: label for name, label, _ in preferences.DEVICE_ITEMS}
    several = len({way.device for way in times}) > 1
    fastest = min(times, key=lambda way: times[way]) if times else None
    for way, milliseconds in times.items():
        row = layout.row()
        names = [iface_(labels[name]) for name in (way if several else way[1:])]
        told = iface_("{0}: {1} ms a picture").format(", ".join(names), f"{milliseconds:.0f}")
        row.label(text=told, translate=False)
        if way == fastest and way != chosen(choice):
            use = row.operator(SSGAN3D_OT_use_way.bl_idname)
            use.device, use.precision = way if several else (choice.device, way.precision)
    layout.operator(SSGAN3D_OT_measure_speed.bl_idname, icon="TIME")


CLASSES = (SSGAN3D_OT_measure_speed, SSGAN3D_OT_use_way)
