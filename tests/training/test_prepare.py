"""Sets of the prototype, made by hand here, in this repository's format."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.camera import Camera
from core.parts import part_index
from training.data import DatasetError, PortraitSet, read_views
from training.prepare import convert_prototype

SIZE = 16


def write_prototype(root: Path, target: tuple[float, ...] = (0, 7.12, 0.85)) -> Path:
    """Seed 3 from two sides, the second time with glasses in sight, and seed 7 without them."""
    for name in ("images", "labels", "depth"):
        (root / name).mkdir(parents=True)
    rows = []
    for seed, view, yaw in ((3, 0, -0.2), (3, 1, 0.4), (7, 0, 0.0)):
        name = f"{seed:06d}_{view}"
        labels = np.zeros((SIZE, SIZE), np.uint8)
        labels[4:12, 4:12] = 1
        labels[4, 4], labels[4, 5], labels[5, 4], labels[5, 5] = 2, 3, 4, 5  # brows and eyes
        labels[6, 4], labels[6, 5], labels[7, 4] = 8, 9, 10  # both ears, hair
        if view == 1:
            labels[8, 8] = 13
        depth = np.zeros((SIZE // 2, SIZE // 2), np.uint16)
        depth[2:6, 2:6] = round(7.75 * 4000)  # 7.75 dm: 5 model units
        Image.fromarray(np.full((SIZE, SIZE, 3), 90, np.uint8)).save(root / f"images/{name}.jpg")
        Image.fromarray(labels).save(root / f"labels/{name}.png")
        Image.fromarray(depth).save(root / f"depth/{name}.png")
        row = {"name": name, "seed": seed, "view": view, "yaw": yaw, "pitch": 0.1}
        rows.append(row | {"side": 3.1, "distance": 9.0, "target": list(target)})
    (root / "views.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


def test_pictures_labels_depth_and_cameras_come_over(tmp_path: Path) -> None:
    source = write_prototype(tmp_path / "old")
    assert convert_prototype(source, tmp_path / "new") == 3
    data = PortraitSet(read_views([tmp_path / "new"]))
    assert [len(group) for group in data.identities] == [2, 1]
    first, second, other = data.views
    assert first.camera.yaw == pytest.approx(-0.2)
    assert first.camera.distance == pytest.approx(9 / 1.55)
    assert first.side == pytest.approx(2.0)
    brows, eyes, ears = (part_index(name) for name in ("brows", "eyes", "ears"))
    assert data.labels[0, 4:7, 4:6].tolist() == [[brows, brows], [eyes, eyes], [ears, ears]]
    assert data.labels[0, 7, 4] == part_index("hair")
    # 5 units from a camera at 5.806: a little in front of the origin
    assert float(data.depth[0, 3, 3]) == pytest.approx(5 - 9 / 1.55, abs=1e-3)
    assert not data.foreground[0, 0, 0]
    assert int(data.images[0, 0, 0, 0]) == 90
    # what one view shows the person has
    assert "glasses" in first.present
    assert "glasses" in second.present
    assert "glasses" not in other.present
    assert first.generator == "prototype"
    assert first.usual
    assert isinstance(first.camera, Camera)


def test_a_second_run_goes_on_where_the_first_stopped(tmp_path: Path) -> None:
    source, out = write_prototype(tmp_path / "old"), tmp_path / "new"
    convert_prototype(source, out)
    rows = (out / "views.jsonl").read_text().splitlines(keepends=True)
    (out / "views.jsonl").write_text(rows[0])
    convert_prototype(source, out)
    assert sorted((out / "views.jsonl").read_text().splitlines(keepends=True)) == sorted(rows)


def test_what_is_no_such_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no set of the prototype"):
        convert_prototype(tmp_path, tmp_path / "new")
    moved = write_prototype(tmp_path / "moved", target=(0, 7, 1))
    with pytest.raises(DatasetError, match="looks at"):
        convert_prototype(moved, tmp_path / "new")


def test_the_command_converts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from training.__main__ import main

    source = write_prototype(tmp_path / "old")
    assert main(["prepare", "--from", "prototype", str(source), "--out", str(tmp_path / "n")]) == 0
    assert "3 pictures" in capsys.readouterr().out
    assert (
        main(["prepare", "--from", "prototype", str(tmp_path), "--out", str(tmp_path / "m")]) == 1
    )
    assert "no set of the prototype" in capsys.readouterr().err
