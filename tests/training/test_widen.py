"""Generators with more channels: the same pictures, and room to learn in."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from core.camera import Camera
from core.checkpoint import load_checkpoint
from core.engine import PortraitEngine
from core.errors import PortraitError
from core.model import SSGAN3D
from core.parts import part_index
from training.__main__ import main
from training.graft import graft
from training.widen import parameters_of, widen

EYES, NOSE = part_index("eyes"), part_index("nose")


@pytest.fixture
def narrow(mixing: Path) -> SSGAN3D:
    return load_checkpoint(mixing)[0]


def test_a_wider_model_makes_the_same_pictures(mixing: Path, tmp_path: Path) -> None:
    out = tmp_path / "wide.safetensors"
    command = ["widen", "--weights", str(mixing), "--parts", "eyes", "hair", "--hidden", "12"]
    assert main([*command, "--out", str(out)]) == 0
    engines = [
        PortraitEngine.load(path, device="cpu", precision="float32") for path in (mixing, out)
    ]
    assert [e.config.hidden_of(EYES) for e in engines] == [engines[0].config.hidden, 12]
    assert engines[1].config.hidden_of(NOSE) == engines[0].config.hidden
    for seed in (1, 2):
        a, b = (e.render(e.sample(seed), Camera.orbit(0.2)) for e in engines)
        torch.testing.assert_close(a.image, b.image, rtol=0, atol=1e-5)
        torch.testing.assert_close(a.mask, b.mask, rtol=0, atol=1e-5)
    assert main([*command, "--out", str(out), "--weights", str(out)]) == 1  # as wide already


@pytest.mark.parametrize(("times", "by"), [(2, 1), (3, 2)])
def test_a_larger_map_makes_the_old_one_enlarged(narrow: SSGAN3D, times: int, by: int) -> None:
    """Where each texel becomes a square of them, what the layers make of it is repeated."""
    hair = part_index("hair")
    before = narrow.config.maps[hair]
    size = (before.height * times // by, before.width * times // by)
    large = widen(narrow, ["hair"], narrow.config.hidden, size)
    assert (large.config.maps[hair].height, large.config.maps[hair].width) == size
    assert large.config.maps[EYES] == narrow.config.maps[EYES]
    codes = narrow.mapping(torch.randn(2, narrow.config.z_dim))[:3]
    with torch.no_grad():
        old, new = (model.part_maps(*codes, [hair])[hair] for model in (narrow, large))
    for name in ("depth", "density", "features"):
        one, other = (
            t.permute(0, 3, 1, 2) if t.ndim == 4 else t[:, None]
            for t in (getattr(old, name), getattr(new, name))
        )
        small = F.interpolate(other, one.shape[-2:], mode="area")
        apart = (small - one).std() / one.std()
        assert float(apart) < 0.1, name
    if by == 1:  # beside the coarse colour, which has a linear model's share
        repeated = old.features[..., 3:].repeat_interleave(2, 1).repeat_interleave(2, 2)
        torch.testing.assert_close(new.features[..., 3:], repeated, rtol=0, atol=1e-5)


def test_paint_starts_blank_and_learns(mixing: Path, tmp_path: Path) -> None:
    out = tmp_path / "painted.safetensors"
    command = ["widen", "--weights", str(mixing), "--paint", "40", "--out", str(out)]
    assert main(command) == 0
    engines = [
        PortraitEngine.load(path, device="cpu", precision="float32") for path in (mixing, out)
    ]
    assert [e.config.paint_size for e in engines] == [0, 40]
    a, b = (e.render(e.sample(1), Camera.orbit(0.2)) for e in engines)
    assert torch.equal(a.image, b.image)
    model = load_checkpoint(out)[0].requires_grad_(True)
    codes = model.mapping(torch.randn(1, model.config.z_dim))[:3]
    paint = model.part_maps(*codes, [EYES])[EYES].paint
    assert paint is not None and paint.abs().max() == 0
    paint.sum().backward()
    (group,) = (g for g in model.generators.groups if EYES in g.parts)
    row = group.parts.index(EYES)
    assert group.paint_head.grad[row].abs().sum() > 0
    assert main([*command, "--weights", str(out)]) == 1  # it has paint already
    assert main(["widen", "--weights", str(mixing), "--out", str(out)]) == 1  # nothing to grow
    wide = widen(load_checkpoint(out)[0], ["eyes"], 12)
    assert wide.config.paint_size == 40  # a wider part keeps its own


def test_what_is_new_learns(narrow: SSGAN3D) -> None:
    """The first step reaches the ways out of the new channels, the second the channels."""
    wide = widen(narrow, ["eyes"], 12).requires_grad_(True)
    width, codes = narrow.config.hidden, wide.mapping(torch.randn(1, narrow.config.z_dim))[:3]
    group = next(g for g in wide.generators.groups if EYES in g.parts)
    for step in range(2):
        group.zero_grad()
        made = wide.part_maps(*codes, [EYES])[EYES]
        (made.features.square().sum() + made.density.sum() + made.depth.sum()).backward()
        grads = group.weight.grad[:, 0], group.feature_weight.grad[0]
        assert grads[0][1:, width:, :width].abs().amax((1, 2)).gt(0).all()
        assert grads[1][width:].abs().sum() > 0
        assert (grads[0][-1, :, width:].abs().sum() > 0) == (step > 0)
        with torch.no_grad():
            for parameter in group.parameters():
                if parameter.grad is not None:
                    parameter -= 1e-3 * parameter.grad
    new = parameters_of(wide, EYES)["feature_weight"][width:]
    assert new.abs().sum() > 0


def test_narrower_is_refused_and_parts_of_other_sizes_are_not_grafted(narrow: SSGAN3D) -> None:
    with pytest.raises(PortraitError, match="eyes is as large already"):
        widen(narrow, ["eyes"], 8)
    with pytest.raises(PortraitError, match="eyes has 8 channels for 16 × 16 texels, and cannot"):
        widen(narrow, ["eyes"], 4)
    with pytest.raises(PortraitError, match="cannot shrink"):
        widen(narrow, ["eyes"], 12, (8, 32))
    with pytest.raises(PortraitError, match="other sizes"):
        graft(narrow, widen(narrow, ["eyes"], 12), ["eyes"])
