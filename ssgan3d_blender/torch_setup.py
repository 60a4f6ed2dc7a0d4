"""Where PyTorch comes from: bundled, found, or installed on request into the extension's folder.

What is installed goes into a folder of the extension's own (``extension_path_user``), one for each
Python version, and the folder stands last on ``sys.path``: Blender's own packages, numpy above all,
always win, and nothing of Blender's is written to.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import bpy
from bpy.app.translations import pgettext_iface as iface_

PACKAGE = __package__.rpartition(".")[0]
NEEDED = ("torch", "safetensors", "trimesh")
"""What core imports besides numpy, which Blender has."""
PYMCUBES = {"mcubes": "PyMCubes==0.1.6"}
SCIKIT_IMAGE = {
    "skimage": "scikit-image==0.26.0",
    "lazy_loader": "lazy-loader==0.6",
    "packaging": "packaging==26.3",
}
FOR_MESHES = {
    **(PYMCUBES if sys.version_info < (3, 13) else SCIKIT_IMAGE),
    "scipy": "scipy==1.17.1",
    "fast_simplification": "fast-simplification==0.2.0",
    "PIL": "pillow==13.0.0",
}
"""What part meshes and their textures need as well: module → package at the version that
requirements/wheels-meshes.sha256 has. PyMCubes has no wheel for Python 3.13."""


class Origin(NamedTuple):
    """Where PyTorch is. ``kind``: "bundled", "installed" (by this extension) or "found"."""

    kind: str
    path: Path
    version: str


_origin: Origin | None = None
_searched = False


@functools.cache
def folder() -> Path:
    """The extension's own folder of packages for this Python; first asked on the main thread."""
    name = f"packages-cp{sys.version_info.major}{sys.version_info.minor}"
    return Path(bpy.utils.extension_path_user(PACKAGE)) / name


def attach() -> None:
    """Make what was installed importable, behind everything that Blender has itself."""
    path = str(folder())
    if os.path.isdir(path) and path not in sys.path:
        sys.path.append(path)
    forget()


def detach() -> None:
    """Undo :func:`attach`."""
    with contextlib.suppress(ValueError):
        sys.path.remove(str(folder()))
    forget()


def forget() -> None:
    """Look for PyTorch anew at the next question."""
    global _searched
    importlib.invalidate_caches()
    _searched = False


def origin() -> Origin | None:
    """Where PyTorch would be imported from, without importing it; None if it is nowhere."""
    global _origin, _searched
    if not _searched:
        _origin, _searched = _search(), True
    return _origin


def _search() -> Origin | None:
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec("torch")
        if spec is not None and spec.origin is not None:
            from importlib import metadata  # 20 ms that enabling can do without

            path = Path(spec.origin).parent
            try:
                version = metadata.version("torch")
            except metadata.PackageNotFoundError:
                version = "?"
            if path.parent == folder():
                return Origin("installed", path, version)
            kind = "bundled" if ".local" in path.parts and "extensions" in path.parts else "found"
            return Origin(kind, path, version)
    return None


def missing() -> list[str]:
    """Names of the packages that portraits need and that are nowhere."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def _is_missing(module: str) -> bool:
    return importlib.util.find_spec(module) is None


def lacks_surfaces(is_missing: Callable[[str], bool] = _is_missing) -> bool:
    """Whether neither of the packages that find surfaces is there."""
    return is_missing("mcubes") and is_missing("skimage")


def missing_for_meshes(is_missing: Callable[[str], bool] = _is_missing) -> list[str]:
    """The packages that part meshes need and that are nowhere, with their versions."""
    surfaces = set() if lacks_surfaces(is_missing) else {*PYMCUBES, *SCIKIT_IMAGE}
    return [
        package
        for module, package in FOR_MESHES.items()
        if module not in surfaces and is_missing(module)
    ]


def without_version(package: str) -> str:
    """A package's name."""
    return package.partition("==")[0]


def is_loaded() -> bool:
    """Whether PyTorch has been imported."""
    return hasattr(sys.modules.get("torch"), "cuda")


def detected() -> list[str]:
    """What PyTorch can compute on here; nothing before a model was loaded, as nothing is loaded
    for it.
    """
    device, torch = sys.modules.get(f"{PACKAGE}.core.device"), sys.modules.get("torch")
    if torch is None or not hasattr(device, "cpu_has_bfloat16"):
        return []
    if device.cpu_has_bfloat16():
        fast = iface_("bfloat16 in hardware")
    else:
        fast = iface_("no bfloat16 in hardware")
    found = [iface_("Processor: {0} threads, {1}").format(torch.get_num_threads(), fast)]
    if torch.cuda.is_available():
        names = (torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        found += [f"CUDA: {name}" for name in names]
    if torch.backends.mps.is_available():
        found.append("Metal")
    return found
