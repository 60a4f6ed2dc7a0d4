"""The command line, called as Blender calls it: with the arguments after the command's name."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import OpenEXR
import pytest

from tests.blender.helpers import Addon


@pytest.fixture
def run(bpy: Any, addon: Addon) -> Callable[..., int]:
    command = addon("ssgan3d_blender.cli").run
    return lambda *arguments: command([str(argument) for argument in arguments])


def read(path: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(path)).astype(int)


def test_render_writes_the_models_picture(
    run: Callable[..., int], bpy: Any, core_rendering: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "new" / "a.png"
    assert (
        run("render", "--seed", 3, "--size", "64x48", "--set", "hair.shape_seed=7", "-o", out) == 0
    )
    assert read(out).shape == (48, 64, 3)
    assert run("render", "--seed", 3, "--size", "64", "--set", "hair.shape_seed=7", "-o", out) == 0
    portrait = bpy.context.view_layer.objects.active
    assert portrait.ssgan3d.parts["hair"].shape_seed == 7
    expected = core_rendering(portrait, size=(64, 64)).image[0].permute(1, 2, 0).numpy()
    assert np.abs(read(out) - (expected + 1) / 2 * 255).max() <= 1.5
    assert [path.name for path in out.parent.iterdir()] == ["a.png"]


def test_render_from_the_side_differs(run: Callable[..., int], tmp_path: Path) -> None:
    for yaw in (0, 30):
        assert run("render", "--size", 32, "--yaw", yaw, "-o", tmp_path / f"{yaw}.png") == 0
    assert np.abs(read(tmp_path / "0.png") - read(tmp_path / "30.png")).max() > 3


def test_nearest_view_is_told_and_no_failure(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = (
        "The camera stands 80° to the side; the model knows up to 49°. "
        "The picture shows the nearest view."
    )
    arguments = ["render", "--size", 16, "-o", tmp_path / "a.png"]
    assert run(*arguments, "--yaw", 80) == 0
    assert capsys.readouterr().err == f"ssgan3d: {said}\n"
    assert run(*arguments, "--yaw", 80, "--json") == 0
    heard = capsys.readouterr()
    assert heard.err == f"ssgan3d: {said}\n"
    assert json.loads(heard.out.splitlines()[-1])["warning"] == said
    for known in (arguments, ["turntable", "--frames", 2, "--size", 16, "-o", tmp_path / "t"]):
        assert run(*known, "--json") == 0
        heard = capsys.readouterr()
        assert heard.err == "" and "warning" not in json.loads(heard.out.splitlines()[-1])


def test_turntable_frames(run: Callable[..., int], tmp_path: Path) -> None:
    assert run("turntable", "--frames", 3, "--size", 32, "-o", tmp_path / "turn") == 0
    names = sorted(path.name for path in (tmp_path / "turn").iterdir())
    assert names == ["frame_0001.png", "frame_0002.png", "frame_0003.png"]


def test_a_turntable_that_fails_leaves_what_was_there(
    run: Callable[..., int], tmp_path: Path, addon: Addon, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "turn"
    out.mkdir()
    for number in (1, 2, 3):
        (out / f"frame_{number:04d}.png").write_bytes(b"earlier")
    render = addon("ssgan3d_blender.scene_picture").take
    calls = []

    def fail(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise addon("core.errors").PortraitError("It cannot be.")
        return render(*arguments, **options)

    monkeypatch.setattr(addon("ssgan3d_blender.scene_picture"), "take", fail)
    assert run("turntable", "--frames", 3, "--size", 32, "-o", out) == 1
    assert len(calls) == 3
    assert {path.read_bytes() for path in out.iterdir()} == {b"earlier"}
    assert len(list(out.iterdir())) == 3


def test_turntable_film(run: Callable[..., int], tmp_path: Path) -> None:
    assert run("turntable", "--frames", 3, "--size", 64, "-o", tmp_path / "turn.mp4") == 0
    assert (tmp_path / "turn.mp4").read_bytes()[4:8] == b"ftyp"


def test_mesh_file(run: Callable[..., int], tmp_path: Path) -> None:
    assert run("mesh", "--variety", 1, "--resolution", 24, "-o", tmp_path / "a.glb") == 0
    assert (tmp_path / "a.glb").read_bytes()[:4] == b"glTF"


def test_info_is_json(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["image_size"] == 64 and facts["device"] == "cpu" and "hair" in facts["parts"]


def test_contact_sheet(run: Callable[..., int], addon: Addon, tmp_path: Path, bpy: Any) -> None:
    out = tmp_path / "s.png"
    assert run("sheet", "--seeds", "4:7", "--columns", 3, "--tile", 32, "-o", out) == 0
    engine = addon("ssgan3d_blender.runtime").engine(
        addon("ssgan3d_blender.preferences").model_choice()
    )
    expected = addon("core.sheet").contact_sheet(engine, [4, 5, 6], columns=3, tile=32)
    assert np.abs(read(out) - expected[..., :3].numpy() * 255).max() <= 1
    assert not bpy.data.images


def test_exr_has_all_passes_in_full_precision(
    run: Callable[..., int], addon: Addon, tmp_path: Path
) -> None:
    assert run("render", "--size", 32, "-o", tmp_path / "a.exr") == 0
    with OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True) as file:
        channels = {n.split(".", 1)[1]: c for part in file.parts for n, c in part.channels.items()}
    parts = {f"Part {part.label}.X" for part in addon("core.parts").PARTS}
    assert set(channels) >= {"Combined.R", "Depth.Z", "Part Index.X", "CryptoObject00.R"} | parts
    assert {channel.pixels.dtype.name for channel in channels.values()} == {"float32"}


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        (["render", "--size", "32x24", "-o", "a.png"], {"size": [32, 24]}),
        (["turntable", "--frames", 2, "--size", 16, "-o", "t"], {"size": [16, 16], "frames": 2}),
        (["mesh", "--variety", 1, "--resolution", 16, "--parts", "skin", "-o", "a.ply"], {}),
        (["sheet", "--seeds", "1,2", "--tile", 16, "-o", "s.png"], {"seeds": 2, "size": [38, 27]}),
    ],
)
def test_json_is_one_line_about_the_files(
    run: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[Any],
    facts: dict[str, Any],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments, "--json") == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert done["command"] == arguments[0] and done["seconds"] > 0 and done.items() >= facts.items()
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {Path(file["path"]) for file in done["files"]} == written
    assert all(Path(file["path"]).stat().st_size == file["bytes"] for file in done["files"])


def test_a_picture_is_of_the_first_who_is_wanted(
    run: Callable[..., int],
    addon: Addon,
    preferences: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    preferences.model_path = ""  # the model that comes along, which knows its people
    engine = addon("ssgan3d_blender.runtime").engine(
        addon("ssgan3d_blender.preferences").model_choice()
    )
    first = engine.having(range(5, 200), {"hair_style": "afro", "age": "old"})[0]
    options = ("--size", 16, "-o", tmp_path / "a.png", "--json", "--seed", 5)
    assert run("render", *options, "--wanted", "hair_style=afro", "age=old") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["seed"] == first
    assert run("render", *options, "--wanted", "beard=red") == 1


def test_what_an_operator_reports_is_passed_on(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], preferences: Any
) -> None:
    preferences.model_path = str(tmp_path / "none.safetensors")
    assert run("render", "-o", tmp_path / "a.png", "--json") == 1
    said = capsys.readouterr()
    assert "Unexpected" not in said.err and "Traceback" not in said.err
    line = next(line for line in said.out.splitlines() if line.startswith("{"))
    assert json.loads(line)["error"].startswith("There is no model file at")


def test_json_names_the_error(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("render", "-o", "a.bmp", "--json") == 1
    assert "written as .png" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize("command", [[], ["render"], ["turntable"], ["mesh"], ["sheet"], ["info"]])
def test_help_says_what_exit_codes_mean(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert run(*command, "--help") == 0
    assert "Exit codes: 0 done, 1" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["render"],
        ["render", "--size", "big", "-o", "a.png"],
        ["mesh", "--parts", "x"],
    ],
)
def test_wrong_command_lines_exit_with_2(run: Callable[..., int], arguments: list[str]) -> None:
    assert run(*arguments) == 2


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--seed", "-1", "from 0 to 2147483647"),
        ("--seed", "1.5", "a whole number"),
        ("--variety", "1.2", "from 0 to 1"),
        ("--variety", "nan", "from 0 to 1"),
        ("--frames", "1", "of 2 or more"),
        ("--yaw", "-35", "from 0 to 48"),
        ("--yaw", "90", "from 0 to 48"),
    ],
)
def test_numbers_out_of_range_are_told_and_not_bent(
    run: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str,
    said: str,
) -> None:
    assert run("turntable", "-o", tmp_path / "t", "--size", 16, f"{option}={value}") == 2
    message = capsys.readouterr().err
    assert option in message and repr(value) in message and said in message
    assert not list(tmp_path.iterdir())


def test_file_of_another_kind_is_refused_before_meshing(
    run: Callable[..., int],
    addon: Addon,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(addon("core.meshing"), "extract_meshes", lambda *a, **_: begun.append(a))
    assert run("mesh", "-o", tmp_path / "a.fbx") == 1
    assert "written as .glb, .obj, .ply, .stl, not as a.fbx" in capsys.readouterr().err
    assert not begun


def test_textures_of_meshes_and_what_stands_beside_them(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["mesh", "--resolution", 16, "--variety", 1, "--colours", "texture", "--json"]
    assert run(*options, "-o", tmp_path / "a.obj") == 0
    output = capsys.readouterr()
    done = json.loads(next(line for line in output.out.splitlines() if line.startswith("{")))
    names = ["a.obj", "a_texture.png", "a.mtl"]
    assert [Path(file["path"]).name for file in done["files"]] == names
    assert all((tmp_path / name).stat().st_size for name in names) and "warning" not in done
    assert run(*options, "-o", tmp_path / "a.stl") == 0
    output = capsys.readouterr()
    done = json.loads(next(line for line in output.out.splitlines() if line.startswith("{")))
    assert done["warning"] == "STL files hold no texture: this one has no colours."
    assert done["warning"] in output.err


def test_failures_exit_with_1_and_one_sentence(
    run: Callable[..., int], preferences: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("kept")
    for said, arguments in {
        "written as .png or .exr": ["render", "-o", tmp_path / "a.bmp"],
        "PART.FIELD=VALUE": ["render", "--set", "beak.shape_seed=1", "-o", tmp_path / "a.png"],
        "--set hair.shape_mix=much": [
            *("render", "--set", "hair.shape_mix=much", "-o", tmp_path / "a.png")
        ],
        "shape_mix=5: '5' is not a number from 0 to 1": [
            *("render", "--set", "hair.shape_mix=5", "-o", tmp_path / "a.png")
        ],
        "hat.shape_seed=-2": ["render", "--set", "hat.shape_seed=-2", "-o", tmp_path / "a.png"],
        "one of AUTO, SHOW, HIDE": [
            "render",
            "--set",
            "hat.visibility=no",
            "-o",
            tmp_path / "a.png",
        ],
        "is empty": ["render", "--size", "0x4", "-o", tmp_path / "a.png"],
        "too large": ["render", "--size", "99999", "-o", tmp_path / "a.png"],
        str(tmp_path / "file"): ["render", "-o", tmp_path / "file" / "a.png"],
        "an .mp4 file or a folder": ["turntable", "-o", tmp_path / "a.avi"],
    }.items():
        assert run(*arguments) == 1, arguments
        assert said in capsys.readouterr().err
    preferences.model_path = str(tmp_path / "none.safetensors")
    assert run("render", "-o", tmp_path / "a.png") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


def test_full_disk_keeps_the_old_file(
    run: Callable[..., int],
    addon: Addon,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "a.glb"
    out.write_text("kept")

    def full(self: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert run("mesh", "--variety", 1, "--resolution", 16, "-o", out) == 1
    assert "disk is full" in capsys.readouterr().err
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=20_000))
    assert run("render", "--size", 64, "-o", tmp_path / "a.png") == 1
    assert "is full: 0.0 MB are free" in capsys.readouterr().err
    assert out.read_text() == "kept" and len(list(tmp_path.iterdir())) == 1
