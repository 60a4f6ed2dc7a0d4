"""examples/batch_portraits.py: as a script of its own, and inside a Blender with the extension."""

import hashlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from build import ROOT
from tests.blender.helpers import Addon

SCRIPT = ROOT / "examples/batch_portraits.py"


def entries(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


@pytest.fixture
def batch(bpy: Any) -> ModuleType:
    return importlib.import_module("examples.batch_portraits")


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: str) -> Path:
        path = tmp_path / "jobs.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_rows_give_the_models_pictures_and_meshes(
    batch: ModuleType,
    table: Callable[..., Path],
    core_rendering: Callable[..., Any],
    bpy: Any,
    tmp_path: Path,
) -> None:
    bpy.ops.ssgan3d.add_portrait(seed=3, truncation=1.0)
    portrait = bpy.context.object
    portrait.ssgan3d.parts["hat"].visibility = "HIDE"
    expected = core_rendering(portrait, size=(48, 48)).image[0].permute(1, 2, 0).numpy()
    jobs = table("name,seed,truncation,size,parts,mesh", "Ännchen,3,1,48,hat=hide,yes")
    assert batch.main([str(jobs), "--out", str(tmp_path / "out"), "--mesh-resolution", "24"]) == 0
    seen = np.asarray(Image.open(tmp_path / "out" / "Ännchen.png")).astype(int)
    assert np.abs(seen - (expected + 1) / 2 * 255).max() <= 1
    assert (tmp_path / "out" / "Ännchen.glb").read_bytes()[:4] == b"glTF"
    (entry,) = entries(tmp_path / "out")
    for file in entry["files"]:
        data = (tmp_path / "out" / file["file"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_a_row_gets_who_is_wanted(
    batch: ModuleType,
    table: Callable[..., Path],
    addon: Addon,
    preferences: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    preferences.model_path = ""  # the model that comes along, which knows its people
    engine = addon("ssgan3d_blender.runtime").engine(
        addon("ssgan3d_blender.preferences").model_choice()
    )
    first = engine.having(range(400), {"age": "old", "expression": "broad smile"})[:2]
    jobs = table(
        "name,seed,wanted,size",
        "one,0,age=old 'expression=broad smile',16",
        f"next,{first[0] + 1},age=old 'expression=broad smile',16",
        "nobody,0,beard=red,16",
    )
    assert batch.main([str(jobs), "--out", str(tmp_path / "out")]) == 1
    assert [entry["seed"] for entry in entries(tmp_path / "out")] == first
    assert "jobs.csv:4: " in capsys.readouterr().err


def test_bad_rows_are_reported_with_their_line_and_the_rest_is_done(
    batch: ModuleType,
    table: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    jobs = table(
        "name,seed,yaw,size,parts,mesh",
        "good,1,,16,,",
        "a/b,1,,16,,",
        "x,one,,16,,",
        "x2,1,nan,16,,",
        "Good,2,,16,,",
        "side,1,80,16,,",
        "beak,1,,16,beak=3,",
        "odd,1,,16,hair:3,",
        "perhaps,1,,16,,maybe",
        "long,1,,16,,no,7",
        "also good,2,,16,,",
    )
    assert batch.main([str(jobs), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    for line, message in {
        3: "cannot be a file's name",
        4: "seed 'one' is no whole number",
        5: "yaw 'nan' is no number",
        6: "stands in line 2 already",
        7: "80° to the side",
        8: "no part 'beak'",
        9: "'hair:3' should be PART=SEED",
        10: "neither yes nor no",
        11: "more cells than the 6 columns",
    }.items():
        assert any(
            text.startswith(f"{jobs}:{line}: ") and message in text
            for text in said.err.splitlines()
        ), message
    assert "2 made, 0 were done before, 9 failed" in said.out
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["also good.png", "good.png", "manifest.jsonl"]


def test_only_what_is_missing_or_changed_is_done_again(
    batch: ModuleType,
    table: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    rows = ["name,seed,size", "a,1,16", "b,2,16", "c,3,16", "d,4,16"]
    assert batch.main([str(table(*rows)), "--out", str(out)]) == 0
    (out / "b.png").unlink()
    lines = (out / "manifest.jsonl").read_text().splitlines(keepends=True)
    (out / "manifest.jsonl").write_text("".join(lines[:3]) + lines[3][:40])  # killed while writing
    (out / ".d-0123abcd.png").write_bytes(b"half")
    (out / ".mine.png").write_bytes(b"kept")
    rows[3] = "c,30,16"
    capsys.readouterr()
    assert batch.main([str(table(*rows)), "--out", str(out)]) == 0
    assert "3 made, 1 were done before, 0 failed" in capsys.readouterr().out
    assert not (out / ".d-0123abcd.png").exists() and (out / ".mine.png").exists()
    assert batch.main([str(table(*rows)), "--out", str(out)]) == 0
    assert "0 made, 4 were done before" in capsys.readouterr().out


@pytest.mark.parametrize("header", ["seed,size", "name,sed"])
def test_a_table_with_other_columns_is_refused(
    batch: ModuleType, table: Callable[..., Path], tmp_path: Path, header: str
) -> None:
    assert batch.main([str(table(header, "1,2")), "--out", str(tmp_path / "out")]) == 2
    assert batch.main([str(tmp_path / "none.csv"), "--out", str(tmp_path / "out")]) == 2


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_where_it_stopped(
    table: Callable[..., Path], model_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    jobs = table("name,seed,size", *(f"p{number},{number},400" for number in range(30)))
    command = [sys.executable, str(SCRIPT), "--", str(jobs), "--out", str(out)]
    environment = {
        **os.environ,
        "BLENDER_USER_RESOURCES": str(tmp_path / "user"),  # without the extension
        "SSGAN3D_MODEL": str(model_file),
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while not (out / "manifest.jsonl").exists() or len(entries(out)) < 3:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {entry["row"]["name"] for entry in entries(out)}
    assert len(done) < 30
    before = {name: (out / f"{name}.png").stat().st_mtime_ns for name in done}
    assert subprocess.run(command, env=environment, timeout=90).returncode == 0
    assert {entry["row"]["name"] for entry in entries(out)} == {f"p{n}" for n in range(30)}
    assert before == {name: (out / f"{name}.png").stat().st_mtime_ns for name in done}
    for entry in entries(out):
        (file,) = entry["files"]
        data = (out / file["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
    assert len(list(out.iterdir())) == 31


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat_with_the_embedded_model(
    table: Callable[..., Path], tmp_path: Path
) -> None:
    """150 pictures of 256² after the first 50: no more than a few of them are kept."""
    names = [f"p{seed},{seed},{seed % 40 - 20}" for seed in range(200)]
    jobs, out = table("name,seed,yaw", *names), tmp_path / "out"
    process = subprocess.Popen([sys.executable, str(SCRIPT), str(jobs), "--out", str(out)])
    resident: dict[int, int] = {}
    try:
        while process.poll() is None:
            manifest = out / "manifest.jsonl"
            rows = len(manifest.read_text().splitlines()) if manifest.exists() else 0
            pages = Path(f"/proc/{process.pid}/statm").read_text().split()
            if len(pages) > 1:
                resident[rows] = int(pages[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
            time.sleep(0.05)
    finally:
        process.kill()
    assert process.returncode == 0 and len(entries(out)) == 200
    early = max(size for rows, size in resident.items() if 40 <= rows <= 60)
    late = max(size for rows, size in resident.items() if rows >= 180)
    print(f"{early} MB after 50 rows, {late} MB after 190")
    assert late < early + 40
