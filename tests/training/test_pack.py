"""Packs for lent machines: what goes in comes out, within the limits, and a run goes on with it."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from training.data import DatasetError, PortraitSet, read_views
from training.pack import PackError, compact_state, pack, unpack
from training.state import read_state
from training.trainer import Trainer, TrainOptions

ROOT = Path(__file__).parents[2]
KIB = 1 / 1024


def test_a_run_and_its_data_go_on_elsewhere(
    balls: Path, options_of: Callable[..., TrainOptions], tmp_path: Path
) -> None:
    trainer = Trainer(options_of(balls, tmp_path / "run"))
    for _ in range(3):
        trainer.train_step()
    trainer.save()
    counts = pack(tmp_path / "pack", data=[balls], run=tmp_path / "run", piece_mib=0.2)
    assert counts["portraits"] == 6
    assert counts["pictures"] == 18
    assert counts["left out"] == 0
    pieces = sorted((tmp_path / "pack").glob("piece_*"))
    assert len(pieces) > 1
    assert max(path.stat().st_size for path in pieces) <= 0.2 * 2**20

    assert unpack(tmp_path / "pack", tmp_path / "there")
    folder = tmp_path / "there" / "data" / balls.name
    assert len(read_views([folder])) == 18
    again = Trainer(options_of(folder, tmp_path / "there" / "run"))
    assert again.step == 3
    for (name, before), after in zip(
        trainer.model.named_parameters(), again.model.parameters(), strict=True
    ):
        torch.testing.assert_close(after, before, rtol=2e-3, atol=1e-4, msg=name)
    torch.testing.assert_close(again.book.shape, trainer.book.shape, rtol=2e-3, atol=1e-4)
    assert again.optimizer.state_dict()["state"]  # the moments came along
    again.train_step()
    # unpacked again, the run that has gone on is not set back
    again.save()
    assert not unpack(tmp_path / "pack", tmp_path / "there")
    assert Trainer(options_of(folder, tmp_path / "there" / "run")).step == 4


def test_families_go_whole_or_stay(balls: Path, tmp_path: Path) -> None:
    size = sum(path.stat().st_size for path in balls.rglob("*.*"))
    counts = pack(tmp_path / "pack", data=[balls], mib=size * 0.5 / 2**20 + 40 * KIB)
    assert 0 < counts["portraits"] < 6
    assert counts["portraits"] + counts["left out"] == 6
    assert sum(p.stat().st_size for p in (tmp_path / "pack").iterdir()) < 2**20
    unpack(tmp_path / "pack", tmp_path / "there")
    seen = {view.identity for view in read_views([tmp_path / "there" / "data" / balls.name])}
    assert len(seen) == counts["portraits"]
    assert (1 in seen) == (6 in seen)  # 6 is a sibling of 1
    with pytest.raises(PackError, match="Not one portrait"):
        pack(tmp_path / "pack", data=[balls], mib=1 * KIB)


def test_sets_of_one_name_would_overwrite_each_other(balls: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(balls, tmp_path / balls.name))
    with pytest.raises(DatasetError, match=f"Two data sets are called {balls.name}"):
        pack(tmp_path / "pack", data=[balls, other])
    assert not (tmp_path / "pack").exists()


def test_a_compact_pack_says_nearly_the_same(balls: Path, tmp_path: Path) -> None:
    whole = pack(tmp_path / "whole", data=[balls])
    small = pack(tmp_path / "small", data=[balls], compact=True)
    assert small["pictures"] == whole["pictures"]
    packed = [
        sum(path.stat().st_size for path in (tmp_path / name).glob("piece_*"))
        for name in ("whole", "small")
    ]
    assert packed[1] < packed[0]
    unpack(tmp_path / "small", tmp_path / "there")
    before = PortraitSet(read_views([balls]))
    after = PortraitSet(read_views([tmp_path / "there" / "data" / balls.name]))
    assert torch.equal(after.labels, before.labels)
    assert torch.equal(after.foreground, before.foreground)
    torch.testing.assert_close(after.depth, before.depth, atol=0.5 / 400 + 2e-3, rtol=0)
    assert (after.images.float() - before.images.float()).abs().mean() < 4


def test_moments_stay_behind_where_room_is_short() -> None:
    weight, moment = torch.ones(1000), torch.full((1000,), 1e-12)
    tensors = {"model.w": weight, "optimizer.0.exp_avg_sq": moment, "index.rows": torch.arange(3)}
    whole = compact_state(tensors, 2**20)
    assert float(whole["optimizer.0.exp_avg_sq"].float().min()) > 0  # no division by zero later
    assert whole["model.w"].dtype == torch.float16
    assert whole["index.rows"].tolist() == [0, 1, 2]
    assert set(compact_state(tensors, 3000)) == {"model.w", "index.rows"}


def test_a_damaged_pack_is_named(balls: Path, tmp_path: Path) -> None:
    with pytest.raises(PackError, match="no pack"):
        unpack(tmp_path, tmp_path / "there")
    with pytest.raises(PackError, match="nothing to pack"):
        pack(tmp_path / "pack")
    pack(tmp_path / "pack", data=[balls])
    (piece,) = (tmp_path / "pack").glob("piece_*")
    piece.write_bytes(piece.read_bytes()[:-1] + b"x")
    with pytest.raises(PackError, match="damaged"):
        unpack(tmp_path / "pack", tmp_path / "there")
    piece.unlink()
    with pytest.raises(PackError, match="missing"):
        unpack(tmp_path / "pack", tmp_path / "there")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs bash")
def test_a_session_trains_hands_back_and_goes_on(balls: Path, tmp_path: Path) -> None:
    pack(tmp_path / "pack", data=[balls])
    steps = []
    for _ in range(2):
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHON": sys.executable,
            "OUT": str(tmp_path / "out"),
            "WORK": str(tmp_path / "work"),
            "OMP_NUM_THREADS": "1",
        }
        command = ["bash", "training/gpu_session.sh", str(tmp_path / "pack"), "0.05"]
        options = ["--preset", "tiny", "--portraits", "2", "--samples", "8", "--threads", "1"]
        subprocess.run([*command, *options], cwd=ROOT, env=environment, check=True)
        back = tmp_path / f"back{len(steps)}"
        unpack(tmp_path / "out", back)
        steps.append(int(read_state(back / "run" / "state.safetensors")[1]["step"]))
        files = list((tmp_path / "out").iterdir())
        assert len(files) <= 8
        assert max(path.stat().st_size for path in files) < 16 * 2**20
    assert 0 < steps[0] < steps[1]
