"""PyTorch where there is none: a Blender whose Python has bpy and nothing that portraits need."""

import itertools
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.blender.helpers import MODULE

HIDDEN = ("torch", "functorch", "safetensors", "trimesh", "setuptools", "sympy", "distutils")
HIDDEN_PIP = ("pip", "_distutils")
START = f"""
import os, sys
from importlib import import_module
from pathlib import Path
import bpy
MODULE = {MODULE!r}
bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=True
)
torch_setup = import_module(MODULE + ".ssgan3d_blender.torch_setup")
torch_install = import_module(MODULE + ".ssgan3d_blender.torch_install")
jobs = import_module(MODULE + ".ssgan3d_blender.jobs")
own = Path(bpy.utils.extension_path_user(MODULE))

def left():
    return [path.name for path in own.iterdir()] if own.exists() else []

def refused(call, **arguments):
    try:
        call(**arguments)
    except RuntimeError as error:
        return str(error)
    raise AssertionError("it was not refused")
"""


def make_bare_python(folder: Path, hidden: tuple[str, ...]) -> Path:
    """An environment that sees this one's packages but for some."""
    venv.create(folder, symlinks=os.name != "nt")
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.lower().startswith(hidden):
            (packages / entry.name).symlink_to(entry)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without PyTorch and some of its companions."""
    return make_bare_python(tmp_path_factory.mktemp("bare"), HIDDEN)


@pytest.fixture(scope="session")
def pipless_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without pip as well: as Blender's own Python may be."""
    return make_bare_python(tmp_path_factory.mktemp("pipless"), HIDDEN + HIDDEN_PIP)


def wheel(folder: Path, name: str, code: str, tag: str = "py3-none-any") -> Path:
    """A wheel of one module."""
    package, version = name.split("-")
    information = f"{name}.dist-info"
    files = {
        f"{package}/__init__.py": code,
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
        f"{information}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    files[f"{information}/RECORD"] = "".join(f"{path},,\n" for path in files)
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
    return path


STAND_IN = """
import typing_extensions, sympy
__version__ = "2.13.0"
cuda = None
class zeros(list):
    def __init__(self, count): pass
    def __add__(self, other): return self
    def sum(self): return self
    def item(self): return 2.0
"""


def run(python: Path, script: str, archive: Path, user: Path, *arguments: object) -> str:
    """Run a script in the bare Blender and return what it printed."""
    done = subprocess.run(
        [python, "-c", START + script, archive, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=1200,  # what it takes on a busy machine is unpacked, not computed
        env={**os.environ, "BLENDER_USER_RESOURCES": str(user)},
    )
    assert done.stdout.rstrip().endswith("as it should be"), done.stdout + done.stderr
    return done.stdout


def test_installed_from_a_folder_kept_apart_and_removed(
    bare_python: Path, archive: Path, tmp_path: Path
) -> None:
    wheels, empty = tmp_path / "wheels", tmp_path / "empty"
    wheel(wheels, "torch-2.13.0", STAND_IN)
    wheel(wheels, "sympy-1.14", "")
    wheel(wheels, "numpy-9.9", "raise ImportError('not this one')")  # must never be taken
    empty.mkdir()
    script = """
wheels, empty = sys.argv[2:4]
folder_operator = bpy.ops.ssgan3d.install_torch_from_folder
bpy.ops.ssgan3d.add_portrait()
assert torch_setup.origin() is None
assert "Preferences > Add-ons > 3D-SSGAN Portraits installs it" in refused(
    bpy.ops.ssgan3d.render_images
)
assert not bpy.app.online_access and "Allow Online Access" in refused(bpy.ops.ssgan3d.install_torch)
assert "no torch-" in refused(folder_operator, directory=empty)
assert left() == []
before = list(sys.path)

assert folder_operator(directory=wheels) == {"FINISHED"}
assert sys.path == [*before, str(torch_setup.folder())]
assert torch_setup.origin()[::2] == ("installed", "2.13.0")
assert left() == [torch_setup.folder().name]
assert not list(torch_setup.folder().glob("numpy*"))
assert torch_setup.missing() == ["safetensors", "trimesh"]

import addon_utils
addon_utils.disable(MODULE)
assert sys.path == before
addon_utils.enable(MODULE)
assert torch_setup.origin() and "torch" not in sys.modules

assert bpy.ops.ssgan3d.remove_torch() == {"FINISHED"}
assert torch_setup.origin() is None and sys.path == before and left() == []
print("as it should be")
"""
    run(bare_python, script, archive, tmp_path / "user", wheels, empty)


@pytest.mark.slow
def test_a_failure_or_a_cancel_leaves_the_earlier_install(
    pipless_python: Path, archive: Path, tmp_path: Path
) -> None:
    good, incomplete, others = (tmp_path / name for name in ("good", "incomplete", "others"))
    for folder in (good, incomplete):
        wheel(folder, "torch-2.13.0", STAND_IN)
    wheel(good, "sympy-1.14", "")
    wheel(others, "torch-2.13.0", "", "cp39-cp39-any")
    script = """
good, incomplete, others = sys.argv[2:5]
folder_operator = bpy.ops.ssgan3d.install_torch_from_folder

class Impatient(jobs.Job):
    def report(self, progress, text="", *values):
        if text.startswith("reading"):
            self.cancel()
        super().report(progress, text, *values)

def cancelled():
    job = Impatient("x", lambda job: torch_install.install(job, Path(good)), lambda _: None, False)
    job._run()
    assert job.is_cancelled and job._error is None, job._error

cancelled()
assert left() == []
assert "needs sympy as well" in refused(folder_operator, directory=incomplete)
assert "fits this system and Blender's Python" in refused(folder_operator, directory=others)
assert left() == []
assert folder_operator(directory=good) == {"FINISHED"}
installed = torch_setup.origin()
assert "needs sympy as well" in refused(folder_operator, directory=incomplete)
cancelled()
torch_setup.forget()
assert torch_setup.origin() == installed
assert left() == [torch_setup.folder().name]

import torch
assert torch_setup.is_loaded()
assert "restart Blender first" in refused(folder_operator, directory=good)
print("as it should be")
"""
    run(pipless_python, script, archive, tmp_path / "user", good, incomplete, others)


@pytest.mark.slow
def test_what_is_missing_beside_a_pytorch_that_is_there_is_installed_alone(
    archive: Path, tmp_path: Path
) -> None:
    python = make_bare_python(tmp_path / "python", ("safetensors",))
    wheels = tmp_path / "wheels"
    for name in ("torch-9.9", "safetensors-1.0"):
        wheel(wheels, name, "")
    script = """
assert torch_setup.missing() == ["safetensors"]
found = torch_setup.origin()
bpy.ops.ssgan3d.add_portrait()
assert "has not got 'safetensors'" in refused(bpy.ops.ssgan3d.render_images)
assert bpy.ops.ssgan3d.install_torch_from_folder(directory=sys.argv[2]) == {"FINISHED"}
assert torch_setup.missing() == [] and torch_setup.origin() == found
assert not list(torch_setup.folder().glob("torch*"))
print("as it should be")
"""
    run(python, script, archive, tmp_path / "user", wheels)


@pytest.mark.slow
def test_the_real_pytorch_draws_a_portrait(
    pipless_python: Path, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    """Takes PyTorch's wheel from where pip finds it, and its companions; half a minute."""
    wheels = tmp_path / "wheels"
    names = ("torch==2.13.0", "safetensors", "sympy", "mpmath", "setuptools")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels), *names],
        check=True,
    )
    script = """
import numpy
assert bpy.ops.ssgan3d.install_torch_from_folder(directory=sys.argv[2]) == {"FINISHED"}
settings = bpy.context.preferences.addons[MODULE].preferences
settings.model_path, settings.device = sys.argv[3], "cpu"
bpy.ops.ssgan3d.add_portrait()
assert bpy.ops.ssgan3d.render_images(view="FRONT", width=32, height=32) == {"FINISHED"}
import torch
assert Path(torch.__file__).is_relative_to(own)
assert torch.from_numpy(numpy.ones(3)).sum() == 3
print(torch.__version__, numpy.__file__)
print("as it should be")
"""
    run(pipless_python, script, archive, tmp_path / "user", wheels, model_file)


@pytest.fixture
def unpacking(addon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Installs without pip: each unpacks its number into ``package``, into an own folder here."""
    module, count = addon("ssgan3d_blender.torch_install"), itertools.count(1)

    def unpack(_job, command: list[str], *_: object) -> None:
        made = Path(command[command.index("--target") + 1])
        made.mkdir()
        (made / "package").write_text(str(next(count)))

    monkeypatch.setattr(module, "folder", lambda: tmp_path / "own" / "packages")
    monkeypatch.setattr(module, "_run", unpack)
    monkeypatch.setattr(module, "_try_out", lambda *_: None)
    return module


def test_an_exchange_that_fails_half_way_brings_the_earlier_install_back(
    addon, unpacking, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = SimpleNamespace(report=lambda *_: None)
    unpacking.install(job, None)
    replace, made = os.replace, unpacking.folder()

    def held(source: Path, target: Path) -> None:
        if Path(source).name == "packages" and Path(target) == made:  # a virus scanner reads it
            raise PermissionError(13, "Access is denied", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", held)
    with pytest.raises(PermissionError):
        unpacking.install(job, None)
    assert (made / "package").read_text() == "1"
    assert [path.name for path in made.parent.iterdir()] == ["packages"]
    monkeypatch.setattr(os, "replace", replace)
    unpacking.install(job, None)
    assert (made / "package").read_text() == "3"


def test_room_for_pytorch_is_asked_for_with_pytorch_alone(
    addon, unpacking, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = SimpleNamespace(report=lambda *_: None)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5_000_000))
    monkeypatch.setattr(unpacking, "is_needed", lambda name: name == "safetensors")
    assert unpacking.install(job, None) == ["safetensors"]
    monkeypatch.setattr(unpacking, "is_needed", lambda name: name == "torch")
    with pytest.raises(addon("core.errors").PortraitError, match="PyTorch needs 2 GB"):
        unpacking.install(job, None)


def test_what_meshes_need_comes_along_and_cannot_spoil_an_install(
    addon, unpacking, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, job = addon("ssgan3d_blender.torch_setup"), SimpleNamespace(report=lambda *_: None)
    needed = {"torch", *setup.FOR_MESHES, "mcubes", "skimage"}
    monkeypatch.setattr(unpacking, "is_needed", lambda name: name in needed)
    asked, refused, unpack = [], set(), unpacking._run

    def run(job, command: list[str], *rest: object) -> list[str] | None:
        packages = set(command) & {"torch==2.13.0", *setup.FOR_MESHES.values()}
        asked.append(packages)
        if packages & refused:
            return ["ERROR: No matching distribution found for PyMCubes==0.1.6"]
        made = Path(command[command.index("--target") + 1])
        return None if made.exists() else unpack(job, command, *rest)

    monkeypatch.setattr(unpacking, "_run", run)
    extra = list(setup.FOR_MESHES.values())
    assert unpacking.install(job, None) == ["torch==2.13.0", *extra]
    assert asked == [{"torch==2.13.0"}, set(extra)]
    refused = set(extra)
    assert unpacking.install(job, None) == ["torch==2.13.0"]
    assert (unpacking.folder() / "package").read_text() == "2"
    needed.remove("torch")  # nothing else is wanted: then it is told
    with pytest.raises(addon("core.errors").PortraitError, match=r"no PyMCubes==0\.1\.6"):
        unpacking.install(job, None)
    needed -= {"skimage"}  # one way to find surfaces is enough
    refused = set()
    surfaces = {*setup.PYMCUBES.values(), *setup.SCIKIT_IMAGE.values()}
    assert not surfaces & set(unpacking.install(job, None))


def test_pips_failures_are_told_in_words(addon) -> None:
    explain = addon("ssgan3d_blender.torch_install").explain
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for line, words in {
        "ERROR: Could not install: [Errno 28] No space left on device": "disk ran full",
        "ERROR: No matching distribution found for torch==2.13.0": f"Blender's Python {version}",
        "Retrying: Failed to establish a new connection": "index cannot be reached",
        "OSError: [Errno 13] Permission denied: 'x'": "cannot be written",
        "HINT: this system does not have Windows Long Path support": "long paths",
        "MemoryError": "not enough memory",
        "ERROR: something new": "something new",
    }.items():
        assert words in str(explain([line], None)), line
