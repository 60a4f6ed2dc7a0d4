"""How fast this machine draws in each precision: measured on request, for the preferences."""

from __future__ import annotations

import time

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.props import EnumProperty

from . import jobs, preferences, runtime, torch_setup
from .messages import cancels_on_error

VIEWS = 5

results: dict[str, float] = {}
"""Milliseconds for a picture from a new camera, by precision."""
_measured: runtime.ModelChoice | None = None
_job: jobs.Job | None = None


def measure(job: jobs.Job, choice: runtime.ModelChoice) -> dict[str, float]:
    """Time pictures from new cameras with an engine of its own for each precision.

    Raises:
        PortraitError: the model or device cannot be had.
        jobs.JobCancelled: somebody stopped it.
    """
    import statistics  # 4 ms that enabling can do without

    from ..core.camera import Camera
    from ..core.device import PRECISIONS
    from ..core.engine import PortraitEngine

    job.report(0.0, "loading the model")
    times: dict[str, float] = {}
    names = list(PRECISIONS)
    for row, precision in enumerate(names):
        engine = PortraitEngine.load(choice.path, device=choice.device, precision=precision)
        if engine.device.type == "cpu" and precision == "float16":
            continue  # no processor multiplies it: many times slower
        latents = engine.sample(0)
        taken = []
        for view in range(VIEWS + 1):
            job.report((row + view / (VIEWS + 1)) / len(names), precision)
            start = time.perf_counter()
            engine.render(latents, Camera.orbit(0.1 * view))
            taken.append(1000 * (time.perf_counter() - start))
        times[precision] = statistics.median(taken[1:])  # the first makes the portrait as well
    return times


def of_choice(choice: runtime.ModelChoice) -> dict[str, float]:
    """What was measured for this model and device; empty if nothing was."""
    same = _measured is not None and _measured[:2] == choice[:2]
    return results if same else {}


class SSGAN3D_OT_measure_speed(bpy.types.Operator):
    """Time pictures in each precision"""

    bl_idname = "ssgan3d.measure_speed"
    bl_label = "Measure"
    bl_description = (
        "Draw a portrait from some cameras in each precision and tell how long it takes. Nothing "
        "in the file changes"
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

        def finish(times: dict[str, float]) -> None:
            global _measured
            _measured = choice
            results.clear()
            results.update(times)

        label = iface_("Measuring")
        _job = jobs.start(label, lambda job: measure(job, choice), finish, ends_with_file=False)
        return {"FINISHED"}


class SSGAN3D_OT_use_precision(bpy.types.Operator):
    """Draw in this precision from now on"""

    bl_idname = "ssgan3d.use_precision"
    bl_label = "Use"
    bl_description = "Draw all portraits in this precision from now on"

    precision: EnumProperty(name="Precision", items=preferences.PRECISION_ITEMS)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the preference."""
        preferences.get(context).precision = self.precision
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout, choice: runtime.ModelChoice) -> None:
    """The times, the faster one with a button, and a button that measures."""
    times = of_choice(choice)
    labels = {name: label for name, label, _ in preferences.PRECISION_ITEMS}
    fastest = min(times, key=lambda name: times[name]) if times else ""
    for name, milliseconds in times.items():
        row = layout.row()
        told = iface_("{0}: {1} ms a picture").format(iface_(labels[name]), f"{milliseconds:.0f}")
        row.label(text=told, translate=False)
        if name == fastest and choice.precision != name:
            row.operator(SSGAN3D_OT_use_precision.bl_idname).precision = name
    layout.operator(SSGAN3D_OT_measure_speed.bl_idname, icon="TIME")


CLASSES = (SSGAN3D_OT_measure_speed, SSGAN3D_OT_use_precision)
