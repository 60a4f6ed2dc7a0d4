import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.config import ModelConfig
from core.parts import BACKGROUND, part_index
from training.codes import FactorIndex
from training.data import DatasetError, PortraitSet, as_stored, presence_of, read_views
from training.synthetic.dataset import DatasetFolder
from training.warm_start import Views


def test_reads_people_with_their_views(balls: Path) -> None:
    data = PortraitSet(read_views([balls]))
    assert len(data) == 18
    assert [len(group) for group in data.identities] == [3] * 6
    assert data.portrait_of.tolist() == [p for p in range(6) for _ in range(3)]
    assert {view.generator for view in data.views} == {"ball"}
    centre = data.size // 4
    front = data.identities[0][1]
    # planar depth of the ball's front relative to the origin
    assert float(data.depth[front, centre, centre]) == pytest.approx(-0.7, abs=0.01)
    assert not bool(data.foreground[front, 0, 0])


def test_pictures_as_stored_are_what_a_set_gives_back(balls: Path, tmp_path: Path) -> None:
    data = PortraitSet(read_views([balls]))
    torch.manual_seed(0)
    drawn = data.picture([0, 1]) * 0.8 + 0.05 * torch.rand(2, 3, data.size, data.size)
    pixels = ((drawn + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    folder = DatasetFolder(tmp_path / "set", size=data.size, generator="test")
    nothing = np.zeros((data.size, data.size), np.uint8)
    for number, picture in enumerate(pixels):
        folder.write_view(f"{number}", picture, nothing, nothing.astype(np.float32))
    for number, stored in enumerate(as_stored(drawn)):
        with Image.open(tmp_path / "set" / "images" / f"{number}.jpg") as image:
            read = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1
        assert torch.equal(stored, read)
        assert 0 < (stored - drawn[number]).abs().mean() < 0.02


def test_soft_masks_are_shares_of_squares(balls: Path) -> None:
    data = PortraitSet(read_views([balls])[:1])
    mask = data.soft_mask([0], 16)
    square = data.labels[0, 20:24, 32:36]
    for part in (part_index("skin"), part_index("eyes"), BACKGROUND):
        share = float((square == part).float().mean())
        assert float(mask[0, part, 5, 8]) == pytest.approx(share)


def test_presence_always_has_a_background(balls: Path) -> None:
    views = read_views([balls])[:1]
    presence = presence_of(views)[0]
    assert presence[BACKGROUND] and presence[part_index("hair")]
    assert not presence[part_index("glasses")]


def test_people_of_different_sets_stay_apart(balls: Path, tmp_path: Path) -> None:
    """Numbers of identities mean something within one set only: equal ones share no codes."""
    other = tmp_path / "other"
    shutil.copytree(balls, other)
    data = PortraitSet(read_views([balls, other]))
    assert [len(group) for group in data.identities] == [3] * 12
    index = FactorIndex.build([data.views[group[0]] for group in data.identities])
    own, others = index.part_rows[:6], index.part_rows[6:]
    assert not set(own.flatten().tolist()) & set(others.flatten().tolist())
    assert len(set(index.base_rows.tolist())) == 2 * len(set(index.base_rows[:6].tolist()))


def test_sets_of_one_name_are_refused(balls: Path, tmp_path: Path) -> None:
    """An identity's number means a person of the set of that name."""
    other = tmp_path / balls.name
    shutil.copytree(balls, other)
    with pytest.raises(DatasetError, match=f"Two data sets are called {balls.name}"):
        read_views([balls, other])


def test_pictures_of_a_size_that_does_not_fit_are_refused(balls: Path, tmp_path: Path) -> None:
    views = read_views([balls])
    config = ModelConfig.tiny()
    Views(PortraitSet(views[:1]), config, torch.device("cpu"), 4)  # of the model's size
    other = tmp_path / "other"
    shutil.copytree(balls, other)
    for kind in ("images", "labels"):
        (path,) = (other / kind).glob(f"{views[0].name}.*")
        Image.open(path).resize((48, 48), Image.Resampling.NEAREST).save(path)
    smaller = read_views([other])
    with pytest.raises(DatasetError, match="48 × 48, 64 × 64"):
        PortraitSet(smaller[:2])
    with pytest.raises(DatasetError, match="48 pixels a side"):
        Views(PortraitSet(smaller[:1]), config, torch.device("cpu"), 4)


def test_a_header_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(DatasetError, match=r"dataset\.json is no JSON"):
        read_views([tmp_path])


def test_a_set_may_grow_while_it_is_read(balls: Path, tmp_path: Path) -> None:
    text = (balls / "views.jsonl").read_text()
    lines = text.splitlines(keepends=True)
    (tmp_path / "dataset.json").write_text((balls / "dataset.json").read_text())
    changed = json.loads(lines[0]) | {"yaw": 0.125}
    torn = lines[1][: len(lines[1]) // 2]
    (tmp_path / "views.jsonl").write_text(lines[0] + json.dumps(changed) + "\n" + torn)
    (view,) = read_views([tmp_path])
    assert view.yaw == 0.125  # the later row of a picture counts


def test_a_broken_row_is_named(balls: Path, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text((balls / "dataset.json").read_text())
    (tmp_path / "views.jsonl").write_text('{"name": "x"}\n')
    with pytest.raises(DatasetError, match=r"views\.jsonl, line 1"):
        read_views([tmp_path])
    with pytest.raises(DatasetError, match="held-out"):
        read_views([balls], held_out=True)
    assert torch.tensor(len(read_views([balls]))) == 18
