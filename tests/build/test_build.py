"""build.py: what it puts into the extension, and what it says when something is missing."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import build

LDD_OUTPUT = """\
\tlinux-vdso.so.1 (0x00007f1906610000)
\tlibtbb.so.12 => /venv/bpy/lib/libtbb.so.12 (0x00007f19065b0000)
\tlibXi.so.6 => not found
\tlibSM.so.6 => not found
\tlibXi.so.6 => not found
\tlibnovel.so.9 => not found
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f18fab20000)
"""


@pytest.fixture
def manifest() -> dict:
    return tomllib.loads(build.MANIFEST.read_text(encoding="utf-8"))


@pytest.fixture
def source_tree(tmp_path: Path) -> Path:
    """A small extension's source with the clutter that a working copy has."""
    root = tmp_path / "source"
    for name, text in {
        "LICENSE": "GPL",
        "LICENSE-ASSETS": "CC0",
        "__init__.py": "",
        "blender_manifest.toml": 'id = "x"\nversion = "1.2.3"\n\n[permissions]\nfiles = "Save"\n',
        "core/__init__.py": "",
        "core/__pycache__/parts.cpython-311.py": "",
        "core/weights/model.safetensors": "weights",
        "core/weights/model.safetensors.tmp": "half a download",
        "core/weights/.hidden.safetensors": "",
        "ssgan3d_blender/__init__.py": "",
        "tests/test_it.py": "",
        "training/__init__.py": "",
        "build.py": "",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_zip_holds_the_extension_and_nothing_else(source_tree: Path, tmp_path: Path):
    archive = build.build_zip(tmp_path / "out", wheels=False, root=source_tree)
    assert zipfile.ZipFile(archive).namelist() == [
        "LICENSE",
        "LICENSE-ASSETS",
        "__init__.py",
        "blender_manifest.toml",
        "core/__init__.py",
        "core/weights/model.safetensors",
        "ssgan3d_blender/__init__.py",
    ]


def test_zip_is_the_same_bytes_whatever_the_files_times_and_modes(
    source_tree: Path, tmp_path: Path
):
    first = build.build_zip(tmp_path / "first", wheels=False, root=source_tree)
    for path in source_tree.rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o755)
    second = build.build_zip(tmp_path / "second", wheels=False, root=source_tree)
    assert first.name == second.name == "ssgan3d_blender-1.2.3-no-wheels.zip"
    assert sha256(first) == sha256(second)

    (source_tree / "core/__init__.py").write_text("VALUE = 1\n")
    third = build.build_zip(tmp_path / "third", wheels=False, root=source_tree)
    assert sha256(third) != sha256(first)


def test_a_build_that_fails_leaves_the_earlier_zip(source_tree: Path, tmp_path: Path, monkeypatch):
    archive = build.build_zip(tmp_path / "out", wheels=False, root=source_tree)
    before = sha256(archive)

    def full_disk(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build.zipfile.ZipFile, "writestr", full_disk)
    with pytest.raises(OSError, match="No space left"):
        build.build_zip(tmp_path / "out", wheels=False, root=source_tree)
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]
    assert sha256(archive) == before


def test_a_missing_part_of_the_source_is_named(source_tree: Path, tmp_path: Path):
    (source_tree / "LICENSE").unlink()
    with pytest.raises(build.BuildError, match="LICENSE missing"):
        build.build_zip(tmp_path / "out", wheels=False, root=source_tree)


def test_blender_accepts_the_real_zip(tmp_path: Path):
    archive = build.build_zip(tmp_path, wheels=False)
    names = set(zipfile.ZipFile(archive).namelist())
    assert {"__init__.py", "core/parts.py", "ssgan3d_blender/__init__.py"} <= names
    assert {name.split("/")[0] for name in names if "/" in name} == {"core", "ssgan3d_blender"}
    build.validate_zip(archive)


def test_blender_refuses_a_zip_without_a_manifest_and_its_words_are_passed_on(tmp_path: Path):
    archive = tmp_path / "empty.zip"
    with zipfile.ZipFile(archive, "w") as handle:
        handle.writestr("__init__.py", "")
    with pytest.raises(build.BuildError, match=r"not accept empty\.zip[\s\S]*blender_manifest"):
        build.validate_zip(archive)


def test_bundled_wheels_are_listed_before_the_manifests_tables(manifest: dict):
    text = build.MANIFEST.read_text(encoding="utf-8")
    names = ["wheels/a-1-py3-none-any.whl", "wheels/b-2-cp310-abi3-win_amd64.whl"]
    extended = tomllib.loads(build.manifest_with_wheels(text, names))
    assert extended.pop("wheels") == [f"./{name}" for name in names]
    assert extended == manifest
    assert build.manifest_with_wheels(text, []) == text


def test_every_bundled_wheel_loads_in_every_python_that_blender_has():
    # Blender disables an extension whose wheels name other Python versions, and a bundled numpy
    # would replace Blender's own for all extensions.
    names = list(build.pinned_wheels())
    assert {name.split("-")[0] for name in names} == {"safetensors", "trimesh"}
    for name in names:
        _, _, python, abi, _ = name.removesuffix(".whl").split("-")
        assert python == "py3" or abi == "abi3", name


def python_versions(wheels: list[str]) -> set:
    """The Pythons that Blender takes an extension with these wheels to be for."""
    tool = next(build.VENV.glob("**/bl_pkg/cli/blender_ext.py"))
    module = importlib.util.module_from_spec(
        specification := importlib.util.spec_from_file_location("blender_ext", tool)
    )
    sys.modules["blender_ext"] = module  # its dataclasses look themselves up
    specification.loader.exec_module(module)
    return module.python_versions_from_wheels(wheels)


@pytest.mark.parametrize("platform", build.PLATFORMS)
def test_a_platforms_zip_holds_for_each_python_what_meshes_need(platform: str):
    assert python_versions(list(build.platform_pins(platform, build.PYTHONS))) == {
        tuple(map(int, version.split("."))) for version in build.PYTHONS
    }
    for python in build.PYTHONS:
        names = [name.split("-")[0] for name in build.platform_pins(platform, [python])]
        needed = {"safetensors", "trimesh", "scipy", "fast_simplification", "pillow"}
        assert needed <= set(names), python
        assert {"PyMCubes", "scikit_image"} & set(names), "nothing makes meshes"
        assert len(names) == len(set(names)) and "numpy" not in names
    lacks = build.missing_wheels(platform, build.PYTHONS)
    assert lacks == ["PyMCubes has no wheel for Python 3.13: scikit-image takes its place"]


def test_the_default_zip_is_for_every_python():
    assert python_versions(list(build.pinned_wheels())) == {(3,)}


def test_a_platforms_zip_names_its_platform_and_blender_accepts_it(
    tmp_path: Path, monkeypatch, capsys
):
    name = next(name for name in build.pinned_wheels() if name.startswith("trimesh-"))
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels" / name, "w") as archive:
        archive.writestr("trimesh/__init__.py", "")
    pins = {name: sha256(tmp_path / "wheels" / name)}
    monkeypatch.setattr(build, "DIST", tmp_path)
    monkeypatch.setattr(build, "platform_pins", lambda _platform, _pythons: pins)
    archive = build.build_zip(tmp_path / "out", platform="windows-x64", pythons=["3.11"])
    assert archive.name.endswith("-windows-x64-cp311.zip")
    with zipfile.ZipFile(archive) as handle:
        listed = tomllib.loads(handle.read("blender_manifest.toml").decode())
    assert listed["platforms"] == ["windows-x64"] and listed["wheels"] == [f"./wheels/{name}"]
    build.validate_zip(archive)


def test_pytorch_is_bundled_with_what_it_imports_and_never_numpy(tmp_path: Path, monkeypatch):
    asked: list[str] = []

    def download(folder, packages, _tags, _python, *_options):
        asked.extend(packages)
        for package in packages:
            name, _, version = package.partition("==")
            (folder / f"{name}-{version}-py3-none-any.whl").touch()

    monkeypatch.setattr(build, "is_reachable", lambda _index: False)
    monkeypatch.setattr(build, "download_wheels", download)
    wheels = build.fetch_torch(tmp_path, "linux-x64", "3.11")
    assert "torch==2.13.0" in asked and not any("numpy" in pin for pin in asked)
    assert len(wheels) == len(asked) == len(build.TORCH_PACKAGES)

    def download_cuda(folder, *_arguments):
        with (folder / "torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl").open("wb") as file:
            file.truncate(build.CPU_TORCH_BYTES + 1)

    monkeypatch.setattr(build, "download_wheels", download_cuda)
    with pytest.raises(build.BuildError, match=r"build for CUDA.*cannot be reached"):
        build.fetch_torch(tmp_path, "linux-x64", "3.11")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--no-wheels", "--bundle-torch"], "--no-wheels goes with neither"),
        (["--python", "3.11"], "--python goes with"),
        (["--bundle-torch", "--python", "3.11", "3.13"], "for one Python"),
    ],
)
def test_options_of_zip_that_do_not_go_together_are_told(options, words, capsys):
    assert build.main(["zip", *options]) == 1
    assert words in capsys.readouterr().err


def test_a_wheel_other_than_the_pinned_one_is_refused(tmp_path: Path):
    name = next(iter(build.pinned_wheels()))
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(build.BuildError, match="not the file that requirements/ pins"):
        build.fetch_wheels(tmp_path)
    assert not (tmp_path / name).exists()


def test_a_wheel_that_cannot_be_had_is_named_with_the_way_round(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(build.BuildError, match=r"safetensors==[\s\S]*zip --no-wheels"):
        build.fetch_wheels(tmp_path)


def test_manifest_keeps_blenders_rules(manifest: dict):
    assert manifest["schema_version"] == "1.0.0"
    assert manifest["id"] == "ssgan3d_blender"
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later"]
    assert "blender" not in manifest["name"].lower()
    for text in [manifest["tagline"], *manifest["permissions"].values()]:
        assert 0 < len(text) <= 64
        assert text[-1].isalnum()
    # It opens a connection for one thing, on request: to install PyTorch.
    assert set(manifest["permissions"]) == {"clipboard", "files", "network"}
    assert "PyTorch" in manifest["permissions"]["network"]


def test_an_old_python_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(build.shutil, "which", lambda _name: None)
    with pytest.raises(build.BuildError, match=r"3\.11 or newer .* Python 3\.9\.2: install"):
        build.check_python((3, 9, 2))
    monkeypatch.setattr(build.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(build.BuildError, match=r"run it with /usr/bin/python3\.11"):
        build.check_python((3, 10, 14))
    build.check_python((3, 11, 0))
    build.check_python((3, 14, 1))


def test_a_newer_python_without_311_beside_it_is_told_why_it_is_needed(monkeypatch):
    monkeypatch.setattr(build.sys, "version_info", (3, 13, 1, "final", 0))
    monkeypatch.setattr(build.shutil, "which", lambda _name: None)
    with pytest.raises(build.BuildError, match=r"exists for Python 3\.11 only.*Python 3\.13\.1"):
        build.find_venv_python()
    monkeypatch.setattr(build.sys, "version_info", (3, 11, 7, "final", 0))
    with pytest.raises(build.BuildError, match=r"Install Python 3\.13"):
        build.find_venv_python((3, 13))


def test_a_full_disk_is_told_before_anything_is_downloaded(tmp_path: Path):
    with pytest.raises(build.BuildError, match=r"0\.5 GB free, and the packages need 4 GB"):
        build.check_disk(tmp_path, 4 * 1024**3, free=512 * 1024**2)
    build.check_disk(tmp_path, 4 * 1024**3, free=4 * 1024**3)


def test_missing_libraries_are_named_with_their_debian_packages():
    libraries = build.missing_libraries(LDD_OUTPUT)
    assert libraries == ["libXi.so.6", "libSM.so.6", "libnovel.so.9"]
    message = build.explain_missing_libraries(libraries)
    assert "libXi.so.6  (libxi6)" in message
    assert "libnovel.so.9  (Debian package not known here)" in message
    assert message.endswith("apt-get install libsm6 libxi6")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            "ERROR: No matching distribution found for bpy==5.0.1",
            "bpy==5.0.1 cannot be had: the package index has no such version",
        ),
        (
            "WARNING: Retrying ... Temporary failure in name resolution\n"
            "ERROR: No matching distribution found for torch==2.13.0",
            "torch==2.13.0 cannot be had: the package index cannot be reached",
        ),
        ("ERROR: Failed building wheel for PyMCubes", "PyMCubes has no ready-made package"),
        ("OSError: [Errno 28] No space left on device", "ran full"),
        ("/usr/bin/python3: No module named pip", "no pip"),
        ("ERROR: something new", "pip failed"),
    ],
)
def test_pips_failures_are_put_into_a_sentence(output: str, expected: str):
    assert expected in build.explain_pip_failure(output)


def test_a_package_that_cannot_be_had_is_named_with_pips_last_lines(tmp_path: Path):
    with pytest.raises(build.BuildError, match=r"ssgan3d-absent==9[\s\S]*pip's last lines"):
        build.run_pip(
            *("install", "--no-index", "--target", str(tmp_path), "ssgan3d-absent==9"),
            python=sys.executable,
        )


@pytest.fixture
def venv(tmp_path: Path, monkeypatch) -> list[tuple[str, ...]]:
    """A .venv that looks installed, and what pip is asked to do to it."""
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "VENV", tmp_path / ".venv")
    build.venv_python().parent.mkdir(parents=True)
    build.venv_python().touch()
    monkeypatch.setattr(build, "make_venv", lambda _folder, _version: None)
    monkeypatch.setattr(build, "check_bpy", lambda _folder: None)
    monkeypatch.setattr(build, "torch_index_options", lambda: [])
    monkeypatch.setattr(build, "run_pip", lambda *arguments, python: asked.append(arguments))
    return asked


def test_setup_does_nothing_once_the_lock_files_are_installed(venv):
    build.setup()
    assert [arguments[0] for arguments in venv] == ["install", "install"]
    build.setup()
    assert len(venv) == 2


def test_another_blenders_environment_is_set_up_once_for_each_version_and_lock(
    tmp_path: Path, venv, monkeypatch
):
    pythons = []

    def make_venv(folder: Path, version: tuple[int, int]) -> None:
        pythons.append(version)
        build.venv_python(folder).parent.mkdir(parents=True, exist_ok=True)
        build.venv_python(folder).touch()

    monkeypatch.setattr(build, "make_venv", make_venv)
    python = build.setup_blender("4.5.15")
    assert python == build.venv_python(tmp_path / ".venv-bpy-4.5.15")
    ((command, *pins),) = venv
    assert command == "install"
    assert [pin for pin in pins if pin.startswith("bpy==")] == ["bpy==4.5.15"]
    assert any(pin.startswith("torch==") for pin in pins)  # of runtime.txt
    assert any(pin.startswith("pytest==") for pin in pins)  # of dev.txt
    assert build.setup_blender("4.5.15") == python and len(venv) == 1
    build.setup_blender("4.5.16")
    assert len(venv) == 2 and "bpy==4.5.16" in venv[1]

    shutil.copytree(build.REQUIREMENTS, tmp_path / "requirements")
    monkeypatch.setattr(build, "REQUIREMENTS", tmp_path / "requirements")
    runtime = tmp_path / "requirements/runtime.txt"
    runtime.write_text(f"{runtime.read_text()}new-one==1.0\n")
    build.setup_blender("4.5.15")
    assert len(venv) == 3 and "new-one==1.0" in venv[2]
    assert set(pythons) == {(3, 11)}
    build.setup_blender("5.3.0")
    assert pythons[-1] == (3, 13)
    assert "scikit-image==0.26.0" in venv[3], "PyMCubes has no wheel for Python 3.13"
    assert not any(pin.startswith("PyMCubes") for pin in venv[3])


def test_setup_removes_what_the_lock_files_no_longer_name(tmp_path: Path, venv, monkeypatch):
    shutil.copytree(build.REQUIREMENTS, tmp_path / "requirements")
    monkeypatch.setattr(build, "REQUIREMENTS", tmp_path / "requirements")
    data = tmp_path / "requirements/data.txt"
    before = data.read_text()
    data.write_text(f"{before}left-over==1.0\n")
    build.setup()
    venv.clear()
    data.write_text(before)
    build.setup()
    assert venv[-1] == ("uninstall", "--yes", "left-over")


def test_a_setup_that_failed_is_tried_again(venv, monkeypatch):
    def broken(_folder):
        raise build.BuildError("libXi.so.6")

    monkeypatch.setattr(build, "check_bpy", broken)
    for _ in range(2):
        with pytest.raises(build.BuildError):
            build.setup()
    assert len(venv) == 4


def test_every_package_is_pinned_and_every_named_one_is_locked():
    locked = set()
    for lock in build.REQUIREMENTS.glob("*.txt"):
        for line in lock.read_text().splitlines():
            if line and not line.startswith(("#", "-r ")):
                name, equals, version = line.partition("==")
                assert equals and version, f"{lock.name}: {line}"
                locked.add(name.lower())
    for source in build.REQUIREMENTS.glob("*.in"):
        for line in source.read_text().splitlines():
            name = line.partition("#")[0].strip()
            if name and not name.startswith("-r "):
                bare = name.split("=")[0].split(">")[0].split("<")[0]
                assert bare.lower() in locked, f"{source.name}: {bare}"


def test_test_command_runs_every_check_and_fails_with_the_first_failure(monkeypatch, capfd):
    ran = []

    def fake_run(command, **_kwargs):
        ran.append(command[2])
        return subprocess.CompletedProcess(command, {"ruff": 0, "mypy": 2, "pytest": 1}[command[2]])

    monkeypatch.setattr(build, "setup", lambda: None)
    monkeypatch.setattr(build.subprocess, "run", fake_run)
    assert build.main(["test"]) == 2
    assert ran == ["ruff", "ruff", "mypy", "pytest"]
    said = capfd.readouterr().err
    assert "types failed (exit status 2)" in said
    assert "tests failed (exit status 1)" in said


def test_errors_are_one_sentence_and_status_1(monkeypatch, capsys):
    def broken():
        raise build.BuildError("the sentence")

    monkeypatch.setattr(build, "setup", broken)
    assert build.main(["setup"]) == 1
    assert capsys.readouterr().err == "build.py: the sentence\n"


def test_macos_is_offered_the_tags_that_pytorch_has(tmp_path: Path, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(build, "is_reachable", lambda _index: False)
    monkeypatch.setattr(build, "download_wheels", lambda _f, _p, tags, *_: asked.extend(tags))
    build.fetch_torch(tmp_path, "macos-arm64", "3.11")
    assert asked[0] == "macosx_14_0_arm64" and "macosx_11_0_arm64" in asked


def test_the_add_on_installs_the_mesh_packages_that_zips_bundle():
    source = (build.ROOT / "ssgan3d_blender/torch_setup.py").read_text(encoding="utf-8")
    pins = dict(re.findall(r'"([\w-]+)==([\d.]+)"', source))
    bundled = {
        tuple(name.split("-")[:2]): name for name in build.pinned_wheels("wheels-meshes.sha256")
    }
    assert {(name.replace("-", "_"), version) for name, version in pins.items()} == set(bundled)


def test_the_add_on_installs_the_pytorch_that_is_pinned():
    source = (build.ROOT / "ssgan3d_blender/torch_install.py").read_text(encoding="utf-8")
    pins = (build.REQUIREMENTS / "runtime.txt").read_text(encoding="utf-8").splitlines()
    assert re.search(r'^TORCH = "(.*)"$', source, re.MULTILINE)[1] in pins
