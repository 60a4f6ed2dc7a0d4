"""Enabling and disabling: cheap, and without a trace."""

from pathlib import Path

from tests.blender.helpers import MODULE, run_in_fresh_blender

SCRIPT = f"""
import sys
import bpy, addon_utils
MODULE = {MODULE!r}

def state():
    return {{
        "types": set(dir(bpy.types)),
        "operators": set(dir(bpy.ops)),
        "properties": {{
            kind: set(dir(getattr(bpy.types, kind)))
            for kind in ("Object", "Scene", "ViewLayer", "WindowManager")
        }},
        "engines": {{
            panel.__name__: frozenset(panel.COMPAT_ENGINES)
            for panel in bpy.types.Panel.__subclasses__()
            if hasattr(panel, "COMPAT_ENGINES") and not panel.__name__.startswith("SSGAN3D")
        }},
        "menus": {{
            name: ours for name in dir(bpy.types)
            if (ours := [
                function for function in getattr(
                    getattr(getattr(bpy.types, name), "draw", None), "_draw_funcs", ()
                ) if function.__module__.startswith(MODULE)
            ])
        }},
        "handlers": {{
            name: len(found) for name in dir(bpy.app.handlers)
            if isinstance(found := getattr(bpy.app.handlers, name), list)
        }},
    }}

bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=False
)
before = state()
for round in range(10):
    assert addon_utils.enable(MODULE) is not None
    assert hasattr(bpy.types.Object, "ssgan3d")
    assert "torch" not in sys.modules, "enabling imports torch"
    enabled = state()
    addon_utils.disable(MODULE)
    after = state()
    for kind in before:
        assert after[kind] == before[kind], (round, kind)
        assert kind == "handlers" or enabled[kind] != before[kind], kind
print("without a trace")
"""


def test_enabling_leaves_torch_alone_and_disabling_leaves_nothing(archive: Path) -> None:
    run = run_in_fresh_blender(SCRIPT, str(archive))
    assert "without a trace" in run.stdout, run.stdout + run.stderr


def test_everything_is_freed_after_a_render_and_disabling(archive: Path, model_file: Path) -> None:
    script = f"""
import sys
import bpy, addon_utils
MODULE = {MODULE!r}
bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=True
)
bpy.ops.ssgan3d.add_portrait()
bpy.ops.ssgan3d.setup_scene()
bpy.context.scene.render.resolution_x = bpy.context.scene.render.resolution_y = 32
bpy.ops.render.render()
import gc
from importlib import import_module
engine_class = import_module(MODULE + ".core.engine").PortraitEngine
alive = lambda: [o for o in gc.get_objects() if isinstance(o, engine_class)]
assert len(alive()) == 1
bpy.ops.ssgan3d.release_memory()
gc.collect()
assert not alive()
bpy.ops.render.render()
addon_utils.disable(MODULE)
gc.collect()
assert not alive()
print("freed")
"""
    run = run_in_fresh_blender(script, str(archive), SSGAN3D_MODEL=str(model_file))
    assert "freed" in run.stdout, run.stdout + run.stderr
