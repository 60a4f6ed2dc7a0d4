from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.checkpoint import load_checkpoint, save_checkpoint
from core.config import ModelConfig
from core.errors import PortraitError
from core.model import SSGAN3D
from training.__main__ import main
from training.blend import blend


def model(seed: int, **changes: object) -> SSGAN3D:
    torch.manual_seed(seed)
    return SSGAN3D(replace(ModelConfig.tiny(), **changes))


def test_weights_lie_between() -> None:
    first, second = model(1), model(2)
    mean = blend(first, second, 0.25)
    name = "render_net.to_picture.weight"
    wanted = 0.75 * first.state_dict()[name] + 0.25 * second.state_dict()[name]
    torch.testing.assert_close(mean.state_dict()[name], wanted)


def test_the_render_net_may_have_a_share_of_its_own() -> None:
    first, second = model(1), model(2)
    mean = blend(first, second, 1.0, 0.0).state_dict()
    for name, value in mean.items():
        source = first if name.startswith("render_net.") else second
        torch.testing.assert_close(value, source.state_dict()[name])


def test_people_keep_their_names_and_parts() -> None:
    first, second = model(1, people=3), model(2, people=3)
    for one, value in ((first, 1.0), (second, 3.0)):
        one.mapping.keys.fill_(0.5)
        one.mapping.presence[:, 2] = 1
        one.mapping.base.fill_(value)
    mean = blend(first, second, 0.5)
    assert torch.equal(mean.mapping.presence, first.mapping.presence)
    assert (mean.mapping.base == 2).all()
    second.mapping.keys[1] = 0
    with pytest.raises(PortraitError, match="whom they mix"):
        blend(first, second, 0.5)
    with pytest.raises(PortraitError, match="configuration"):
        blend(model(1), model(2, features=16), 0.5)


def test_the_command_says_what_was_blended(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.safetensors" for name in ("first", "second", "mean")]
    for seed, file in enumerate(files[:2]):
        save_checkpoint(file, model(seed), {"name": "tiny", "steps": 10 * seed})
    arguments = ["--weights", str(files[0]), "--other", str(files[1]), "--out", str(files[2])]
    assert main(["blend", *arguments, "--share", "0.6"]) == 0
    _, info = load_checkpoint(files[2])
    assert info["steps"] == 10
    assert info["blended"] == {
        "share": 0.6,
        "render net's share": 0.6,
        "steps of the first": 0,
    }
    assert main(["blend", *arguments, "--share", "2"]) == 1
    assert main(["blend", *arguments, "--net-share", "-1"]) == 1


def test_whole_numbers_stay_whole() -> None:
    grained = {"people": 3, "detail_directions": 4, "eigenskins": 2}
    first, second = (model(seed, **grained, grain=((0.01, 0.0, 0.0),) * 4) for seed in (1, 2))
    for one in (first, second):
        one.mapping.eigenskins.planes.fill_(7)
    assert bool((blend(first, second, 0.5).mapping.eigenskins.planes == 7).all())
    second.mapping.eigenskins.planes.fill_(8)
    with pytest.raises(PortraitError, match="whom they mix"):
        blend(first, second, 0.5)
