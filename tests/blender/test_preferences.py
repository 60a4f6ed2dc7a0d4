"""The preferences: what they tell, and what their buttons do."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.blender.helpers import MODULE, Addon, run_in_fresh_blender


def test_the_card_follows_the_chosen_file(preferences: Any, addon: Addon, model_file: Path) -> None:
    card = addon("ssgan3d_blender.preferences").model_card
    assert card().sha256 == hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert card().name == "tiny" and card().licence == "CC0-1.0"
    preferences.model_path = ""
    assert card().image_size == 256
    preferences.model_path = "/nowhere.safetensors"
    with pytest.raises(ValueError, match="There is no model file /nowhere.safetensors"):
        card()


def test_the_card_and_pytorchs_place_are_told_without_loading_it(archive: Path) -> None:
    script = f"""
import sys
from importlib import import_module
import bpy
bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=True
)
own = lambda name: import_module({MODULE!r} + ".ssgan3d_blender." + name)
assert own("preferences").model_card().parameters > 1e6
origin = own("torch_setup").origin()
assert origin.kind == "found" and origin.version.startswith("2.")
assert own("torch_setup").missing() == [] and own("torch_setup").detected() == []
assert not own("torch_setup").is_loaded() and "torch" not in sys.modules
print("told")
"""
    run = run_in_fresh_blender(script, str(archive))
    assert "told" in run.stdout, run.stdout + run.stderr


def test_measuring_offers_the_ways_and_one_can_be_used(
    bpy: Any, preferences: Any, addon: Addon
) -> None:
    measurement = addon("ssgan3d_blender.measurement")
    choice = addon("ssgan3d_blender.preferences").model_choice
    kept = preferences.device, preferences.precision
    preferences.precision = "auto"
    assert bpy.ops.ssgan3d.measure_speed() == {"FINISHED"}
    times = measurement.of_choice(choice())
    assert {way for way in times if way.device == "cpu"} == {
        ("cpu", "float32"),
        ("cpu", "bfloat16"),
    }
    assert all(time > 0 for time in times.values())
    assert measurement.chosen(choice()) in times, "what Automatic takes was measured"
    assert addon("ssgan3d_blender.torch_setup").detected()[0].startswith("Processor: ")
    assert bpy.ops.ssgan3d.use_way(device="cpu", precision="float32") == {"FINISHED"}
    assert choice()[1:3] == measurement.chosen(choice()) == ("cpu", "float32")
    assert measurement.of_choice(choice()), "the times hold for any device and precision"
    preferences.device = "mps"
    assert measurement.chosen(choice()) is None, "no Metal on Linux"
    preferences.model_path = ""
    assert not measurement.of_choice(choice()), "the times are another model's"
    preferences.device, preferences.precision = kept


def test_a_way_that_a_device_cannot_go_is_left_out(
    addon: Addon, preferences: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    measurement, engine = addon("ssgan3d_blender.measurement"), addon("core.engine").PortraitEngine
    render = engine.render

    def only_float32(self: Any, *arguments: Any, **options: Any) -> Any:
        if self.precision != "float32":
            raise TypeError("this device has no bfloat16")
        return render(self, *arguments, **options)

    monkeypatch.setattr(engine, "render", only_float32)
    reports = SimpleNamespace(report=lambda *_: None)
    times = measurement.measure(reports, addon("ssgan3d_blender.preferences").model_choice())
    assert ("cpu", "float32") in times and ("cpu", "bfloat16") not in times


def test_the_memory_limit_reaches_the_engine(bpy: Any, preferences: Any, addon: Addon) -> None:
    runtime, own = addon("ssgan3d_blender.runtime"), addon("ssgan3d_blender.preferences")
    preferences.memory_limit = 1
    engine = runtime.engine(own.model_choice())
    for seed in range(5):
        engine.render(engine.sample(seed), addon("core.camera").Camera.orbit(0.0))
    assert 0 < engine.results.used <= 2**20
    preferences.property_unset("memory_limit")


def test_the_field_says_what_it_limits_and_what_a_portrait_takes(preferences: Any) -> None:
    field = preferences.bl_rna.properties["memory_limit"]
    assert "MB" in field.name and "is computed anew" in field.description
    assert "9 to 13 MB a portrait and 5 MB a view" in field.description
