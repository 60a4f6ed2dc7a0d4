"""Prints of cloth: where their lines should be, on clothes alone, the same from every path."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from core import reference
from core.camera import Camera, canonical_camera
from core.checkpoint import load_checkpoint, save_checkpoint
from core.config import ModelConfig
from core.engine import PortraitEngine, embedded_weights
from core.errors import CheckpointError
from core.fixed_shapes import ray_frames
from core.graphed_views import FixedViews
from core.latents import PortraitLatents
from core.lifting import LIFTED, Geometry
from core.model import SSGAN3D
from core.prints import CLOTHES, KINDS, PATTERN, SHARES, print_atlas, printed
from core.stages import PartKeys, _geometry_key
from core.volume import camera_tensors, sample_rays

CONFIG = replace(ModelConfig.tiny(), detail_directions=4, people=3, prints=True)
CHECKED, PLAIN = 29, 3
"""Seeds whose clothes are so."""
SHARP = torch.tensor([1e-4, 1e-4])


def shape(kind: str, across: float, up: float) -> float:
    kinds = torch.eye(len(KINDS))[KINDS.index(kind)]
    made = printed(kinds, torch.tensor(across), torch.tensor(up), SHARP)
    return round(float(made) + SHARES[KINDS.index(kind)], 5)


def test_prints_by_hand() -> None:
    high, low, line = math.pi / 2, -math.pi / 2, math.asin(0.75)
    assert shape("stripes", low, high) == 1 and shape("stripes", high, low) == 0
    assert shape("pinstripes", line + 0.01, low) == 1 and shape("pinstripes", line - 0.01, low) == 0
    assert shape("checks", high, high) == 1 and shape("checks", high, low) == 0.5
    assert shape("dots", high, high) == 1 and shape("dots", high, math.asin(0.54)) == 0
    assert shape("dots", low, low) == 1  # in the gaps between the others
    assert shape("blotches", 0.0, 0.0) == 0.5  # all four waves cross zero


@pytest.mark.parametrize("kind", KINDS)
def test_a_print_leaves_the_mean_colour_of_the_cloth(kind: str) -> None:
    """The generator gives the mean of both colours: a print must not darken it."""
    generator = torch.Generator().manual_seed(0)
    across, up = torch.rand(2, 200_000, generator=generator) * 2 * math.pi * 200
    kinds = torch.eye(len(KINDS))[KINDS.index(kind)]
    more = printed(kinds, across, up, SHARP)
    assert abs(float(more.mean())) < 0.004
    assert float(more.max() - more.min()) == pytest.approx(1)


def test_edges_are_as_wide_as_a_texel() -> None:
    up = torch.linspace(-0.5, 0.5, 101)  # radians around where a stripe begins
    blur = torch.tensor([0.2, 0.2])
    more = printed(torch.eye(len(KINDS))[0], up, up, blur) + 0.5
    rising = (more > 0) & (more < 1)
    assert rising.sum() == pytest.approx(20, abs=1)  # a hundredth of a radian each


def flat(config: ModelConfig, depth: float = 0.0) -> Geometry:
    side = (1, len(LIFTED), config.geometry_size, config.geometry_size)
    return Geometry(torch.full(side, depth), torch.ones(side))


def pattern(kind: str, frequency: float, contrast: tuple[float, ...]) -> torch.Tensor:
    made = torch.zeros(1, PATTERN)
    made[0, KINDS.index(kind)] = 1
    made[0, len(KINDS) : len(KINDS) + 2] = frequency
    made[0, -3:] = torch.tensor(contrast)
    return made


def test_stripes_are_level_in_space_and_have_their_colour() -> None:
    """Behind the middle (z < 0) the same height lies higher on the map: lines of lifting spread."""
    for depth in (0.0, -0.5):
        stripes = print_atlas(
            pattern("stripes", 10.0, (0.4, -0.2, 0.0)), flat(CONFIG, depth), CONFIG
        )
        assert stripes is not None and not stripes[0, 2].any()
        torch.testing.assert_close(stripes[0, 1], -stripes[0, 0] / 2)
        assert (stripes[0, 0] - stripes[0, 0, :, :1]).abs().max() < 1e-4  # level
        _, _, low, high = CONFIG.maps[CLOTHES].window
        rows = stripes.shape[2]
        v = high - (torch.arange(rows) + 0.5) / rows * (high - low)
        y = v * (depth + CONFIG.lift_origin) / CONFIG.lift_origin
        wave = (10 * y).sin()
        clear = wave.abs() > 0.3
        expected = torch.where(wave > 0, 0.2, -0.2)
        torch.testing.assert_close(stripes[0, 0, :, 5][clear], expected[clear])
    assert print_atlas(None, flat(CONFIG), CONFIG) is None


@pytest.fixture
def printed_model(random_model: Callable[[ModelConfig], SSGAN3D]) -> SSGAN3D:
    """Three people in clothes: the first in stripes, the second in dots, the third in plain."""
    model = random_model(CONFIG)
    generator = torch.Generator().manual_seed(1)
    mixture = model.mapping
    for name in ("keys", "base", "shape", "texture"):
        values = getattr(mixture, name)
        values.copy_(torch.randn(values.shape, generator=generator))
    mixture.keys.copy_(F.normalize(mixture.keys, dim=1))
    mixture.presence.fill_(1)
    mixture.prints[:1] = pattern("stripes", 12.0, (0.5, 0.2, -0.5))
    mixture.prints[1:2] = pattern("dots", 9.0, (-0.5, 0.2, 0.5))
    return model


def person(model: SSGAN3D, row: int) -> PortraitLatents:
    mixture = model.mapping
    base = mixture.base[row].expand(len(mixture.presence[0]), -1).clone()
    return PortraitLatents(
        base,
        mixture.shape[row].clone(),
        mixture.texture[row].clone(),
        torch.ones(len(mixture.presence[0]), dtype=torch.bool),
    )


@torch.inference_mode()
def test_engine_replay_model_and_equations_print_alike(printed_model: SSGAN3D) -> None:
    engine = PortraitEngine(printed_model, device="cpu", precision="float32")
    cameras = [canonical_camera(Camera.orbit(yaw, 0.1), CONFIG) for yaw in (0.0, 0.4)]
    rays = sample_rays(*(t[None] for t in camera_tensors(cameras, CONFIG.ray_size)), CONFIG)
    fixed = FixedViews(engine.view_stage.net, CONFIG)
    for row in (0, 1, 2):  # the third has none: nothing of the one before is left
        latents = person(printed_model, row)
        keys = PartKeys.of(latents)
        parts = engine.part_stage(latents, keys)
        views = engine.view_stage(parts, keys, latents.visible, cameras)
        codes = latents.base[None], latents.shape[None], latents.texture[None]
        visible = latents.visible[None]
        plain = printed_model(*codes, visible, rays)
        key = _geometry_key(keys, latents.visible)
        fixed.take(
            parts,
            keys.features,
            key,
            lambda key=key, parts=parts, shown=latents.visible: engine.view_stage.weights.lifted(
                key, parts, shown
            ),
            lambda parts=parts, keys=keys, shown=latents.visible: engine.view_stage.layers(
                parts, keys, shown
            ),
        )
        replayed = fixed.views(fixed.draw(torch.from_numpy(ray_frames(cameras))), cameras)
        for number, (view, again) in enumerate(zip(views, replayed, strict=True)):
            expected = plain.image[0, number].clamp(-1, 1)
            assert (view.image - expected).square().mean().sqrt() < 2e-3
            assert (again.image - expected).square().mean().sqrt() < 2e-3
        maps = printed_model.part_maps(*codes)
        geometry = printed_model.geometry(maps, visible)
        fast = printed_model.posed_maps(maps, geometry, visible, rays).layers.prints
        slow = reference.composite(maps, geometry, rays, CONFIG, visible=visible, levels=None)
        slow = slow.layers.prints
        if row == 2:
            assert fast is None and slow is None
        else:
            assert fast is not None and slow is not None and fast.any()
            assert (fast - slow).abs().mean() <= 0.05 * fast.abs().mean()


def test_a_print_is_on_clothes_alone_and_moves_nothing() -> None:
    model, info = load_checkpoint(embedded_weights())
    bare_model = copy.deepcopy(model)
    bare_model.mapping.prints.zero_()
    drawn = []
    for one in (model, bare_model):
        engine = PortraitEngine(one, info, device="cpu", precision="float32")
        own, other = engine.sample(CHECKED), engine.sample(PLAIN)
        between = own.replace("clothes", own.lerp(other, 0.5), shape=False)
        for portrait in (own, between):
            drawn.append(engine.render(portrait, Camera.orbit(0.2), size=(256, 256)))
    checked, halfway, bare, halfway_bare = drawn
    assert torch.equal(checked.labels, bare.labels)
    changed = (checked.image - bare.image).abs()[0].amax(0)
    near = F.max_pool2d(checked.mask[:, CLOTHES], 5, 1, 2)[0]
    assert changed[checked.mask[0, CLOTHES] > 0.99].mean() > 0.05
    assert changed[near < 0.001].max() < 0.001
    # halfway to plain clothes nothing of it is left
    assert torch.equal(halfway.image, halfway_bare.image)


def test_prints_are_kept_in_the_model_file(printed_model: SSGAN3D, tmp_path: Path) -> None:
    path = tmp_path / "printed.safetensors"
    save_checkpoint(path, printed_model, {}, compact=True)
    model, _ = load_checkpoint(path)
    torch.testing.assert_close(
        model.mapping.prints, printed_model.mapping.prints, atol=1e-3, rtol=1e-3
    )
    values = printed_model.config.to_dict()
    with pytest.raises(CheckpointError, match="people who are mixed"):
        ModelConfig.from_dict(values | {"people": 0})
    del values["prints"], values["spots"]
    assert not ModelConfig.from_dict(values).prints  # files of before


def test_people_of_the_embedded_model_have_prints() -> None:
    model, _ = load_checkpoint(embedded_weights())
    prints = model.mapping.prints
    assert 0.15 < (prints[:, : len(KINDS)].sum(1) > 0).float().mean() < 0.5
    assert (prints[:, : len(KINDS)] > 0).any(0).all()
