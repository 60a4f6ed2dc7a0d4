"""Installing PyTorch, or what else is missing, into the extension's folder; and removing it.

An install is put together in a folder beside the old one and takes its place only once PyTorch has
been seen to work there, so that a failure, a cancel or a crash leaves what was there before.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bpy.app.translations import pgettext_n as n_

from ..core.errors import PortraitError
from .torch_setup import NEEDED, folder, missing_for_meshes, without_version

if TYPE_CHECKING:
    from . import jobs

TORCH = "torch==2.13.0"
TORCH_OLDEST = (2, 6)
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PACKAGE_INDEX = "https://pypi.org/simple"
COMPANIONS = (
    *("filelock", "fsspec", "jinja2", "markupsafe", "mpmath", "networkx", "setuptools", "sympy"),
    "typing-extensions",
)
"""What PyTorch imports besides numpy."""
GPU_PACKAGES = ("nvidia-", "cuda-", "triton", "pytorch-triton")
"""Beginnings of the packages that PyTorch's builds for graphics cards need on Linux."""
NEEDED_BYTES = 2 * 1024**3
"""Free space that an install asks for: the wheel, its contents twice as large, and the rest."""
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# The folder comes first here and last in Blender: what is tried must be what was unpacked.
_PROBE = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
print("works", torch.__version__, (torch.zeros(2) + 1).sum().item())
"""


def pip_command() -> list[str]:
    """How to run pip in Blender's Python. Where there is none, the one that Python keeps for making
    environments is run as it lies there: nothing is added to Blender.

    Raises:
        PortraitError: neither is there.
    """
    if not sys.executable:
        raise PortraitError(
            "Blender does not say where its Python is, so nothing can be installed: install the "
            "zip that bundles PyTorch."
        )
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-I", "-m", "pip"]
    spec = importlib.util.find_spec("ensurepip")
    places = list(spec.submodule_search_locations or ()) if spec else []
    wheels = [wheel for place in places for wheel in Path(place, "_bundled").glob("pip-*.whl")]
    if not wheels:
        raise PortraitError(
            "Blender's Python {0} ({1}) has no pip. Install the zip that bundles "
            "PyTorch, or the Blender from blender.org, whose Python has it.",
            _PYTHON,
            sys.prefix,
        )
    return [sys.executable, "-I", f"{wheels[-1]}/pip"]


def is_needed(package: str) -> bool:
    """Whether a package is nowhere but, at most, in the folder that is about to be replaced."""
    module = {"typing-extensions": "typing_extensions"}.get(package, package)
    spec = importlib.util.find_spec(module)
    return spec is None or Path(spec.origin or "").is_relative_to(folder())


def _names_of(wheel_folder: Path) -> set[str]:
    """Names of the packages whose wheels lie in a folder, in small letters."""
    return {
        re.sub(r"[-_.]+", "-", wheel.name.split("-")[0]).lower()
        for wheel in wheel_folder.glob("*.whl")
    }


def wheels_of(wheel_folder: Path) -> list[str]:
    """What to take from a folder of wheels: PyTorch, unless it is there, and what belongs to it.

    Raises:
        PortraitError: the folder lacks what is missing most.
    """
    names = _names_of(wheel_folder)
    most = next((name for name in NEEDED if is_needed(name)), "torch")
    if most not in names:
        raise PortraitError(
            "There is no {0}-….whl in {1}: choose the folder that holds the wheels of "
            "PyTorch and its packages (docs/install.md says how to fill it).",
            most,
            wheel_folder,
        )
    wanted = {name for name in (*NEEDED, *COMPANIONS) if name in names and is_needed(name)}
    if "torch" not in wanted:
        return sorted(wanted or {most})
    gpu = {name for name in names if name.startswith(GPU_PACKAGES)}
    oldest = ".".join(str(number) for number in TORCH_OLDEST)
    return [f"torch>={oldest}", *sorted((gpu | wanted) - {"torch"})]


def install(job: jobs.Job, wheel_folder: Path | None) -> list[str]:
    """Put what is missing, or PyTorch anew, into the extension's folder, and return its names.

    Args:
        job: is told how far it is, and asked whether to stop.
        wheel_folder: where the wheels lie; None downloads them.

    Raises:
        PortraitError: it cannot be done; the message says what to do.
        jobs.JobCancelled: somebody stopped it. Nothing is left.
        OSError: the folder cannot be written.
    """
    target = folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    if wheel_folder is None:
        source = ["--index-url", CPU_INDEX, "--extra-index-url", PACKAGE_INDEX]
        wanted = [name for name in (*NEEDED, *COMPANIONS) if is_needed(name)]
        packages = [TORCH if name == "torch" else name for name in wanted]
        extra = missing_for_meshes(is_needed)
        if not packages and not extra:  # everything is there: somebody wants it anew
            packages = [TORCH]
    else:
        source = ["--no-index", "--find-links", str(wheel_folder)]
        packages = wheels_of(wheel_folder)
        there = _names_of(wheel_folder)
        names = map(without_version, missing_for_meshes(is_needed))
        extra = [name for name in names if name.lower() in there]
    has_torch = any(package.startswith("torch") for package in packages)
    free = shutil.disk_usage(target.parent).free
    if has_torch and free < NEEDED_BYTES:
        raise PortraitError(
            "PyTorch needs {0:.0f} GB, and the disk of {1} has {2:.1f} GB free: make "
            "room there and install again.",
            NEEDED_BYTES / 1024**3,
            target.parent,
            free / 1024**3,
        )
    with _unfinished(target) as temporary:
        scratch = temporary / "scratch"
        scratch.mkdir()
        made = temporary / "packages"
        pip = [
            *(*pip_command(), "install", "--target", str(made), "--no-deps"),
            *("--only-binary", ":all:", "--no-compile", "--no-cache-dir", "--no-input"),
            *("--progress-bar", "off", "--disable-pip-version-check", *source),
        ]
        environment = _pip_environment(online=wheel_folder is None)
        for wanted in filter(None, (packages, extra)):
            lines = _run(job, [*pip, *wanted], scratch, environment)
            # portraits do without meshes, where a package of theirs cannot be had for this Python
            if lines is not None and (wanted is packages or not packages):
                raise explain(lines, wheel_folder)
            if lines is not None:
                extra = []
        if has_torch:
            job.report(0.9, "trying it out")
            _try_out(made, wheel_folder)
        job.report(0.95)
        _exchange(made, target, temporary / "old")
    return [*packages, *extra]


def _exchange(made: Path, target: Path, old: Path) -> None:
    """Put ``made`` in the place of ``target``, which moves to ``old``; on an error it moves back.

    Raises:
        OSError: something holds one of the folders, or they cannot be written.
    """
    there = target.exists()
    if there:
        os.replace(target, old)
    try:
        os.replace(made, target)
    except OSError:
        if there:
            os.replace(old, target)
        raise


def remove() -> None:
    """Delete what was installed, whole or not at all.

    Raises:
        OSError: something holds the folder, or it cannot be written.
    """
    target = folder()
    if target.is_dir():
        with _unfinished(target) as temporary:
            os.replace(target, temporary / "old")


@contextlib.contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A folder beside ``target`` that is gone afterwards; those of killed sessions go as well."""
    for left in target.parent.glob(f"{target.name}.part-*"):
        shutil.rmtree(left, ignore_errors=True)
    temporary = target.with_name(f"{target.name}.part-{os.getpid()}")
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _pip_environment(online: bool) -> dict[str, str]:
    """Variables for pip: how to get through a company's proxy stays, what changes the command
    goes. Offline, pip's settings go as well: they may name places to take wheels from.
    """
    kept = {"PIP_PROXY", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE"} if online else set()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in kept or not name.startswith(("PIP_", "PYTHON"))
    }
    return environment if online else environment | {"PIP_CONFIG_FILE": os.devnull}


def _run(
    job: jobs.Job, command: list[str], scratch: Path, environment: dict[str, str]
) -> list[str] | None:
    """Run pip, telling ``job`` what it does; its lines if it failed, else None."""
    # pip unpacks where TMPDIR says; what a killed pip leaves there goes with the folder.
    environment = environment | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env=environment,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    assert process.stdout is not None
    arrived: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, arrived), daemon=True)
    reader.start()
    lines: list[str] = []
    progress, doing, named = 0.0, n_("starting pip"), ""
    try:
        while True:
            job.report(progress, doing, named)
            with contextlib.suppress(queue.Empty):
                line = arrived.get(timeout=0.2)
                if line is None:
                    break
                lines.append(line)
                progress, doing, named = _step(line, progress) or (progress, doing, named)
        return None if process.wait() == 0 else lines
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


def _read(stream: Iterator[str], arrived: queue.SimpleQueue[str | None]) -> None:
    for line in stream:
        arrived.put(line.rstrip())
    arrived.put(None)


def _step(line: str, progress: float) -> tuple[float, str, str] | None:
    """How far pip is after this line, what it does, and with which package; None: as before."""
    step = re.match(r"\s*(Collecting|Downloading|Processing|Installing)\b\s+(\S+)(.*)", line)
    if step is None:
        return None
    if step[1] == "Installing":
        return 0.6, n_("unpacking"), ""
    doing = {
        "Collecting": n_("looking for {}"),
        "Downloading": n_("downloading {}"),
        "Processing": n_("reading {}"),
    }[step[1]]
    size = re.search(r"\(.*\)", step[3])
    name = step[2].rpartition("/")[2].split("-")[0]
    return min(progress + 0.03, 0.55), doing, f"{name} {size[0] if size else ''}".strip()


def _try_out(packages: Path, wheel_folder: Path | None) -> None:
    """Import PyTorch from ``packages`` in a process of its own.

    Args:
        wheel_folder: where its wheels came from; None: from the package index.

    Raises:
        PortraitError: it does not work.
    """
    tried = subprocess.run(
        [sys.executable, "-I", "-c", _PROBE, str(packages)],
        capture_output=True,
        text=True,
        errors="replace",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    if tried.returncode == 0 and tried.stdout.startswith("works"):
        return
    lacking = re.findall(r"No module named '([\w.]+)'", tried.stderr)
    if lacking and wheel_folder is not None:
        raise PortraitError(
            "PyTorch was unpacked, but it needs {0} as well: put its wheel into the "
            "folder, too. Nothing was installed.",
            lacking[-1],
        )
    last = (tried.stderr.strip().splitlines() or [f"exit status {tried.returncode}"])[-1]
    raise PortraitError(
        "PyTorch was unpacked and does not work here ({0}). Nothing was installed.", last
    )


def explain(lines: list[str], wheel_folder: Path | None) -> PortraitError:
    """What went wrong, from pip's lines, and what to do."""
    output = "\n".join(lines)
    if "No space left on device" in output or "not enough space on the disk" in output:
        return PortraitError(
            "The disk ran full, and nothing was installed: make room and install again."
        )
    if "MemoryError" in output or "Cannot allocate memory" in output:
        return PortraitError(
            "There is not enough memory to unpack PyTorch: close other programs and try again."
        )
    if "Long Path" in output:
        return PortraitError(
            "Windows does not allow paths as long as PyTorch's: switch long paths on "
            "(docs/install.md says how), and install again."
        )
    if "Permission denied" in output or "Access is denied" in output:
        return PortraitError(
            "The extension's folder cannot be written, or a virus scanner holds it: try again."
        )
    unreachable = re.search(
        r"name resolution|Failed to establish a new connection|Max retries|ConnectTimeout"
        r"|Network is unreachable|getaddrinfo failed|ProxyError|SSLError",
        output,
    )
    if unreachable:
        return PortraitError(
            "The package index cannot be reached: check the connection, or install from a folder "
            "of wheels."
        )
    unmatched = re.search(r"No matching distribution found for (\S+)", output)
    if unmatched:
        return PortraitError(
            "There is no {0} in {1} that fits this system and Blender's Python {2}: the name of a "
            "wheel that fits has cp{3} in it, or abi3, or py3.",
            unmatched[1],
            wheel_folder or PACKAGE_INDEX,
            _PYTHON,
            _PYTHON.replace(".", ""),
        )
    last = next((line for line in reversed(lines) if line.strip()), "no word")
    return PortraitError("pip failed, and nothing was installed: {0}", last)
