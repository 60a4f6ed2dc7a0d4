"""Enabling and disabling: cheap, and without a trace."""

from pathlib import Path

from tests.blender.helpers import MODULE, run_in_fresh_blender

SCRIPT = f"""
import os, sys, threading, time, traceback
from collections import Counter
from importlib import import_module
import bpy, addon_utils
import bpy.utils.previews
from bl_ui.space_toolsystem_toolbar import VIEW3D_PT_tools_active
MODULE = {MODULE!r}

def fail(*error):  # Blender 4.5 does not leave Python while a render engine is registered
    traceback.print_exception(*error)
    os._exit(1)

sys.excepthook = fail

# Blender tells nobody what of these there is, so coming and going is counted.
counted = Counter()

def count(owner, name, by):
    original = getattr(owner, name)
    def wrapper(*arguments, **options):
        counted[name.replace("unregister", "register").replace("remove", "add")] += by
        return original(*arguments, **options)
    setattr(owner, name, wrapper)

count(bpy.utils, "register_cli_command", 1)
count(bpy.utils, "unregister_cli_command", -1)
for space in (bpy.types.SpaceView3D, bpy.types.SpaceImageEditor):
    count(space, "draw_handler_add", 1)
    count(space, "draw_handler_remove", -1)

def types():
    for name in dir(bpy.types):
        found = getattr(bpy.types, name)
        if isinstance(found, type) and hasattr(found, "bl_rna"):
            yield name, found

def ours(function):
    return (getattr(function, "__module__", "") or "").startswith(MODULE)

def our_functions():
    for name, module in list(sys.modules.items()):
        if name.startswith(MODULE):
            yield from (f for f in vars(module).values() if callable(f) and ours(f))

def tools(items):
    for item in items:
        if isinstance(item, tuple) and not hasattr(item, "idname"):
            yield from tools(item)
        else:
            yield repr(getattr(item, "idname", item))

def translations_are_left():
    try:
        bpy.app.translations.register(MODULE, {{}})
    except ValueError:
        return True
    bpy.app.translations.unregister(MODULE)
    return False

def state():
    keymaps = bpy.context.window_manager.keyconfigs.addon.keymaps
    return {{
        "types": set(dir(bpy.types)),
        "operators": {{
            f"{{group}}.{{name}}" for group in dir(bpy.ops) for name in dir(getattr(bpy.ops, group))
        }},
        "properties": {{
            name: frozenset(found.bl_rna.properties.keys())
            for name, found in types() if not name.startswith("SSGAN3D")
        }},
        "engines": {{
            name: frozenset(found.COMPAT_ENGINES) for name, found in types()
            if hasattr(found, "COMPAT_ENGINES") and not name.startswith("SSGAN3D")
        }},
        "menus": {{
            name: left for name, found in types() if (left := [
                function
                for function in getattr(getattr(found, "draw", None), "_draw_funcs", ())
                if ours(function)
            ])
        }},
        "handlers": {{
            name: len(found) for name in dir(bpy.app.handlers)
            if isinstance(found := getattr(bpy.app.handlers, name), list)
        }},
        "timers": [f for f in our_functions() if bpy.app.timers.is_registered(f)],
        "keymaps": {{keymap.name: len(keymap.keymap_items) for keymap in keymaps}},
        "presets": sorted(bpy.utils._preset_path_registry),
        "previews": len(bpy.utils.previews._uuid_open),
        "manual": len(list(bpy.utils.manual_map())),
        "tools": list(tools(VIEW3D_PT_tools_active._tools.values())),
        "drivers": set(bpy.app.driver_namespace),
        "path": list(sys.path),
        "path hooks": (len(sys.meta_path), len(sys.path_hooks)),
        "threads": [thread.name for thread in threading.enumerate()],
        "translations": translations_are_left(),
        "counted": {{name: count for name, count in counted.items() if count}},
    }}

bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=False
)
addon_utils.enable(MODULE)  # the first time sets up what Blender itself keeps about an extension
addon_utils.disable(MODULE)
for name in [name for name in sys.modules if name.startswith(MODULE)]:
    del sys.modules[name]
before = state()
assert not any(counted.values()), counted
changed = set()
times = []

def use():  # what is under way must end as well
    bpy.ops.ssgan3d.add_portrait()
    package = import_module(MODULE + ".ssgan3d_blender")
    jobs, timers = package.jobs, package.window_timers

    def work(job):
        for _ in range(1000):
            job.report(0.5)
            time.sleep(0.01)

    in_background, jobs._in_background = jobs._in_background, lambda: False
    jobs.start("Waits", work, print)
    jobs._in_background = in_background
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        timers.start(bpy.context, 0.05)
    package.card_updates._catch_up_soon()
    bpy.ops.object.delete()
    assert jobs.running() and timers._running
    assert "Waits" in [thread.name for thread in threading.enumerate()]

for round in range(10):
    start = time.perf_counter()
    assert addon_utils.enable(MODULE) is not None
    times.append(1000 * (time.perf_counter() - start))
    assert hasattr(bpy.types.Object, "ssgan3d")
    assert "torch" not in sys.modules, "enabling imports torch"
    if round in (0, 9):
        enabled = state()
        changed |= {{kind for kind in before if enabled[kind] != before[kind]}}
    if round % 2:
        use()
    addon_utils.disable(MODULE)
    assert not sys.modules[MODULE + ".ssgan3d_blender.window_timers"]._running
    after = state()
    for kind in before:
        if isinstance(before[kind], dict):  # say which of hundreds
            differing = {{
                name: (before[kind].get(name), after[kind].get(name))
                for name in {{*before[kind], *after[kind]}}
                if before[kind].get(name) != after[kind].get(name)
            }}
            assert not differing, (round, kind, differing)
        elif isinstance(before[kind], set):
            assert not after[kind] ^ before[kind], (round, kind, after[kind] ^ before[kind])
        assert after[kind] == before[kind], (round, kind, before[kind], after[kind])
print("changed while enabled:", sorted(changed))
assert {{"types", "operators", "properties", "engines", "menus", "handlers"}} <= changed, changed
print("enabled in ms:", *(f"{{time:.0f}}" for time in times))
print("without a trace", flush=True)
os._exit(0)  # the counting above keeps Blender 4.5 from leaving Python by itself
"""


def test_enabling_leaves_torch_alone_and_disabling_leaves_nothing(archive: Path) -> None:
    run = run_in_fresh_blender(SCRIPT, str(archive))
    print(run.stdout)  # the times to enable, for those who look with -s
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
