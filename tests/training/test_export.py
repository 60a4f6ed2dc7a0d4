import json
import shutil
from pathlib import Path

import pytest
import torch

from core.camera import Camera
from core.engine import PortraitEngine
from core.errors import PortraitError
from core.parts import FACE_BASE
from training.__main__ import main
from training.export import averaged_model
from training.state import read_state, write_state


@pytest.fixture
def run(trained, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.trainer.out, tmp_path / "run"))


def without_rows(run: Path) -> None:
    """Make the state one of a trainer that did not say which portrait has which codes."""
    tensors, facts = read_state(run / "state.safetensors")
    tensors = {key: value for key, value in tensors.items() if not key.startswith("index.")}
    facts.pop("generators")
    write_state(run / "state.safetensors", tensors, facts)


def test_exported_model_renders_and_says_where_it_comes_from(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    assert main(["export", "--run", str(run), "--out", str(out), "--name", "balls"]) == 0
    engine = PortraitEngine.load(out, device="cpu")
    info = engine.checkpoint_info
    assert (info["name"], info["mode"], info["steps"]) == ("balls", "fit", 30)
    assert (info["portraits"], info["pictures"]) == (6, 18)
    assert info["generators"] == ["ball"]
    assert info["licence"] == "CC0-1.0"
    json.dumps(info)
    picture = engine.render(engine.sample(1), Camera.orbit(0.2))
    assert picture.image.isfinite().all()
    assert out.stat().st_size < (run / "state.safetensors").stat().st_size / 4


def test_random_codes_are_those_of_the_portraits(trained, run: Path) -> None:
    model, _ = averaged_model(run)
    base, shape, _ = trained.trainer.portrait_codes()
    with torch.no_grad():
        z = torch.randn(4000, model.config.z_dim, generator=torch.Generator().manual_seed(0))
        own = model.mapping(z)[0][:, FACE_BASE]
    torch.testing.assert_close(own.mean(0), base.mean(0), atol=0.1, rtol=0)
    assert float(own.std(0).sum()) > 0.5 * float(base.std(0).sum())


def test_the_data_stands_in_for_rows_that_the_state_lacks(balls: Path, run: Path) -> None:
    expected, _ = averaged_model(run)
    without_rows(run)
    with pytest.raises(PortraitError, match="--data"):
        averaged_model(run)
    model, info = averaged_model(run, [balls])
    assert info["generators"] == ["ball"]
    for name, value in model.state_dict().items():
        assert torch.equal(value, expected.state_dict()[name]), name


def test_other_data_is_refused(run: Path, tmp_path: Path, write_people, new_person) -> None:
    without_rows(run)
    strangers = write_people(tmp_path / "strangers", [new_person(77)])
    with pytest.raises(PortraitError, match="none of the"):
        averaged_model(run, [strangers])


def test_no_run_gives_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--run", str(tmp_path), "--out", str(tmp_path / "x.safetensors")]) == 1
    assert "state.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "x.safetensors").exists()
