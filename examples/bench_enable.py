"""How long Blender takes to enable the extension: each time in a process of its own.

    .venv/bin/python examples/bench_enable.py [--rounds 7]

Builds the extension's zip and installs it into a bpy with a user folder of its own. The first round
finds no bytecode, as after an install; it writes it, as Blender does, and the others find it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

INSTALL = """
import sys, bpy
bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=False
)
"""
ENABLE = """
import sys, time, bpy, addon_utils
start = time.perf_counter()
assert addon_utils.enable("bl_ext.user_default.ssgan3d_blender")
print(f"took {1000 * (time.perf_counter() - start):.1f}", flush=True)
assert "torch" not in sys.modules
"""


def run(script: str, *arguments: str, user_folder: str) -> str:
    """What a script prints in a fresh bpy, which may write bytecode."""
    environment = {**os.environ, "BLENDER_USER_RESOURCES": user_folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", f"{script}\nimport os; os._exit(0)", *arguments]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout


def main() -> None:
    """Print the first time and the median of the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="processes after the first")
    rounds = parser.parse_args().rounds
    sys.path.insert(0, str(ROOT))
    from build import build_zip

    with tempfile.TemporaryDirectory(prefix="ssgan3d_enable_") as folder:
        archive = build_zip(Path(folder))
        run(INSTALL, str(archive), user_folder=folder)
        times = [
            float(run(ENABLE, user_folder=folder).split("took ")[1].split()[0])
            for _ in range(1 + rounds)
        ]
    print(f"after an install: {times[0]:.0f} ms")
    print(
        f"later: {statistics.median(times[1:]):.0f} ms "
        f"({min(times[1:]):.0f} to {max(times[1:]):.0f}, {rounds} processes)"
    )


if __name__ == "__main__":
    main()
