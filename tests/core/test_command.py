import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from core import wanted
from core.__main__ import main
from core.engine import PortraitEngine, embedded_weights
from core.errors import PortraitError


@pytest.fixture
def run(checkpoint, capsys):
    def call(*arguments):
        common = () if arguments[0] == "bare" else ("--model", str(checkpoint), "--device", "cpu")
        arguments = arguments[1:] if arguments[0] == "bare" else (*arguments, *common)
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_render_writes_picture_labels_and_depth(run, tmp_path):
    files = [tmp_path / name for name in ("p.png", "l.png", "d.png")]
    status, _, _ = run(
        *("render", "--out", files[0], "--labels", files[1], "--depth", files[2]),
        *("--seed", 3, "--yaw", 20, "--size", 40, 50),
    )
    assert status == 0
    picture, labels, depth = (Image.open(file) for file in files)
    assert picture.size == labels.size == depth.size == (50, 40)
    assert picture.mode == labels.mode == "RGB"
    steps = np.asarray(depth)
    hit = steps[steps > 0] / 8000
    assert hit.size and (abs(hit - 5.8) < 1.2).all()


def test_saved_latents_give_the_same_picture(run, tmp_path):
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    kept = tmp_path / "p.json"
    assert (
        run("render", "--seed", 4, "--swap", "hair=7", "--out", first, "--save-latents", kept)[0]
        == 0
    )
    assert run("render", "--latents", kept, "--out", second)[0] == 0
    assert first.read_bytes() == second.read_bytes()


def test_turntable_numbers_its_frames(run, tmp_path):
    assert run("turntable", "--frames", 3, "--size", 16, "--out", tmp_path / "t")[0] == 0
    assert sorted(p.name for p in (tmp_path / "t").iterdir()) == [
        "0001.png",
        "0002.png",
        "0003.png",
    ]


def test_transparent_pictures_have_alpha(run, tmp_path):
    path = tmp_path / "p.png"
    assert run("render", "--transparent", "--size", 32, "--out", path)[0] == 0
    assert Image.open(path).mode == "RGBA"


def test_sheet_shows_as_many_portraits_as_seeds(run, tmp_path):
    path = tmp_path / "s.png"
    assert run("sheet", "--seeds", "0:3,9", "--tile", 16, "--columns", 4, "--out", path)[0] == 0
    assert Image.open(path).size == (4 * 18 + 2, 16 + 7 + 2 + 2)


def test_a_sheet_shows_who_is_wanted(run, tmp_path):
    path = tmp_path / "s.png"
    options = ("sheet", "--model", embedded_weights(), "--tile", 16, "--out", path)
    asked = ("--wanted", "hair_style=afro", "sex=female")
    assert run("bare", *options, "--seeds", "0:100", *asked)[0] == 0
    found = PortraitEngine.load(precision="float32").having(
        range(100), {"hair_style": "afro", "sex": "female"}
    )
    columns = math.ceil(math.sqrt(len(found)))
    assert Image.open(path).size[0] == columns * 18 + 2
    status, _, err = run("bare", *options, "--seeds", "0:1", "--wanted", "beard=goatee")
    assert status == 1 and "None of 1 seeds" in err
    status, _, err = run("bare", *options, "--wanted", "beard=red")
    assert status == 1 and "but: none, stubble, short" in err


def test_a_picture_is_of_the_first_who_is_wanted(run, tmp_path):
    path = tmp_path / "p.png"
    model = ("--model", embedded_weights(), "--size", 16, "--out", path)
    asked = ("--wanted", "hair_style=afro", "sex=female")
    first = PortraitEngine.load(precision="float32").having(
        range(7, 200), {"hair_style": "afro", "sex": "female"}
    )[0]
    status, _, err = run("bare", "render", *model, "--seed", 7, *asked)
    assert status == 0 and err == f"note: seed {first}\n"
    named = tmp_path / "named.png"
    assert run("bare", "render", *model[:-1], named, "--seed", first)[0] == 0
    assert path.read_bytes() == named.read_bytes()
    saved = tmp_path / "saved.json"
    options = ("--seed", 1, "--save-latents", saved)
    assert run("bare", "render", *model, *options)[0] == 0
    status, _, err = run("bare", "render", *model, "--latents", saved, *asked)
    assert status == 1 and "a saved portrait has none" in err


def test_nobody_is_all_that_is_asked_for(monkeypatch):
    monkeypatch.setattr(wanted, "SEARCHED", 256)
    engine = PortraitEngine.load()
    rare = ["sex=female", "beard=full", "iris=grey"]
    with pytest.raises(PortraitError, match=r"None of 256 seeds from 9 on is all of this: sex="):
        wanted.first_seed(engine, 9, rare)
    assert wanted.first_seed(engine, 9, []) == 9


def test_info_tells_long_lists_by_their_length(run):
    status, out, _ = run("bare", "info", "--model", embedded_weights())
    facts = json.loads(out)["info"]
    assert status == 0 and facts["people"] == "1100 values"
    assert facts["attributes"]["iris"]["values"][0] == "dark" and len(out) < 40_000


def test_a_mesh_is_textured_where_the_format_can_be(run, tmp_path):
    options = ("mesh", "--resolution", 16, "--colours", "texture", "--out")
    status, _, err = run(*options, tmp_path / "m.obj")
    assert (status, err) == (0, "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.mtl", "m.obj", "m_texture.png"]
    status, _, err = run(*options, tmp_path / "m.ply")
    assert status == 0
    assert "note: PLY files hold no texture: this one has vertex colours." in err


def test_info_prints_the_header(run, checkpoint):
    status, out, _ = run("bare", "info", "--model", checkpoint)
    assert status == 0
    facts = json.loads(out)
    assert facts["format"] == "ssgan3d-portrait-model"
    assert facts["info"] == {"steps": 3}
    assert facts["config"]["image_size"] == 64


def test_a_view_from_outside_is_noted(run, tmp_path):
    status, _, err = run("render", "--yaw", 90, "--size", 16, "--out", tmp_path / "p.png")
    assert status == 0
    assert "rendered from yaw 49°" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("render", "--out", "p.jpg"), "written as .png"),
        (("render", "--out", "p.png", "--size", 0), "cannot be made"),
        (("render", "--out", "p.png", "--size", 1, 2, 3), "--size wants"),
        (("render", "--out", "p.png", "--swap", "hair"), "--swap wants"),
        (("render", "--out", "p.png", "--swap", "beard=3"), "no part 'beard'"),
        (("render", "--out", "p.png", "--latents", "none.json"), "cannot be read"),
        (("render", "--out", "p.png", "--truncation", "nan"), "from 0 to 1"),
        (("render", "--out", "p.png", "--seed", -1), "between 0 and"),
        (("render", "--out", "p.png", "--precision", "int8"), "no precision 'int8'"),
        (("turntable", "--out", "t", "--frames", 0), "at least one frame"),
        (("mesh", "--out", "m.glb", "--resolution", 1), "between 16 and 512"),
        (("mesh", "--out", "m.fbx"), "written as .glb, .obj, .ply, .stl, not as m.fbx"),
        (("sheet", "--out", "s.png", "--seeds", "4:2"), "no seed"),
        (("sheet", "--out", "s.png", "--seeds", "0:2", "--tile", 2), "16 to 1024"),
        (("bench", "--repeats", 0), "at least one run"),
    ],
)
def test_mistakes_get_a_sentence(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(*arguments)
    assert status == 1
    assert message in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_missing_model_and_unwritable_folder(run, tmp_path):
    missing = tmp_path / "none.safetensors"
    assert run("bare", "info", "--model", missing)[0] == 1
    blocked = tmp_path / "file"
    blocked.write_text("")
    status, _, err = run("render", "--size", 16, "--out", blocked / "p.png")
    assert status == 1
    assert str(blocked) in err


def test_help_and_misuse_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None; from core.__main__ import main; main(['--help'])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.returncode == 0
    assert "turntable" in shown.stdout
    with pytest.raises(SystemExit) as stopped:
        main(["paint"])
    assert stopped.value.code == 2


@pytest.mark.parametrize("policy", [None, "ACTIVE"])
def test_idle_threads_sleep_unless_the_environment_says_otherwise(policy):
    """Threads that spin take the cores from Blender; who has set a policy keeps it."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    }
    if policy is not None:
        environment["OMP_WAIT_POLICY"] = policy
    code = "import core, os; print(os.environ.get('GOMP_SPINCOUNT'))"
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == ("10000" if policy is None else "None")
