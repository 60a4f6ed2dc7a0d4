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
from core.garment import Garment
from core.graphed_views import FixedViews
from core.latents import PortraitLatents
from core.lifting import LIFTED, Geometry
from core.model import SSGAN3D
from core.prints import CLOTHES, print_atlas
from core.stages import PartKeys, _geometry_key
from core.volume import camera_tensors, sample_rays
from tests.core.cloth import UNIT, worn

CONFIG = replace(ModelConfig.tiny(), detail_directions=4, people=3, garments=True)
FINE = replace(CONFIG, detail_density=4.0)
"""With texels as fine as a picture's."""
PRINTED, OTHER = 16, 3
"""Seeds whose clothes are so, and whatever they are."""


def flat(config: ModelConfig, depth: float = 0.0) -> Geometry:
    side = (1, len(LIFTED), config.geometry_size, config.geometry_size)
    return Geometry(torch.full(side, depth), torch.ones(side))


def test_stripes_are_level_in_space_and_leave_the_mean_colour() -> None:
    """Behind the middle (z < 0) the same height lies higher on the map: lines of lifting spread."""
    colors = (math.log(3), math.log(0.5), *(0.0,) * 7)
    for depth in (0.0, -0.5):
        stripes = print_atlas(
            worn("stripes", [(0.0, 40 / UNIT, 0.0, 0.0)], colors), flat(FINE, depth), FINE
        )
        assert stripes is not None and stripes[0, 2].abs().max() < 1e-5
        assert (stripes[0, 0] - stripes[0, 0, :, :1]).abs().max() < 1e-4  # level
        _, _, low, high = FINE.maps[CLOTHES].window
        rows = stripes.shape[2]
        v = high - (torch.arange(rows) + 0.5) / rows * (high - low)
        y = v * (depth + FINE.lift_origin) / FINE.lift_origin
        wave = (40 * y).sin()
        clear = wave.abs() > 0.85
        clear[:24] = clear[-24:] = False  # a mean of what lies within the map
        # 3 and 1 over their mean of 2, 1/2 and 1 over 3/4
        for channel, (line, gap) in enumerate(((1.5, 0.5), (2 / 3, 4 / 3))):
            expected = torch.where(wave > 0, math.log(line), math.log(gap))
            made = stripes[0, channel, :, 5]
            torch.testing.assert_close(made[clear], expected[clear], atol=0.12, rtol=0)
            assert float(made.exp()[24:-24].mean()) == pytest.approx(1, abs=0.03)
    assert print_atlas(None, flat(FINE), FINE) is None
    assert print_atlas(0 * worn(), flat(FINE), FINE) is None


def test_what_is_coarse_is_left_to_the_generator() -> None:
    """A yoke: its edge is as sharp as it is, and far from it nothing is changed."""
    numbers = worn("yoke", (), (math.log(2), *(0.0,) * 8))
    Garment.of(numbers).place[0, 10] = 5.3 + UNIT  # it ends at v = -1
    atlas = print_atlas(numbers, flat(FINE), FINE)
    assert atlas is not None
    _, _, low, high = FINE.maps[CLOTHES].window
    rows = atlas.shape[2]
    v = high - (torch.arange(rows) + 0.5) / rows * (high - low)
    column, far = atlas[0, 0, :, 5], (v + 1.0).abs() > 0.3
    assert column[far].abs().max() < 0.01
    above, below = column[v > -0.97][-1], column[v < -1.03][0]
    assert float(below - above) == pytest.approx(math.log(2), rel=0.35)


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
    stripes = worn("stripes", [(0.0, 12.0, 0.0, 0.0)], (0.5, 0.2, -0.5, *(0.0,) * 6))
    waves = [(9.0, 0.0, 0.0, 0.0), (0.0, 9.0, 0.0, 0.0)]
    mixture.garments[:1] = stripes
    mixture.garments[1:2] = worn("dots", waves, (-0.5, 0.2, 0.5, *(0.0,) * 6))
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


def test_an_edit_of_hair_keeps_the_print_and_one_of_the_head_does_not(
    printed_model: SSGAN3D,
) -> None:
    """It hangs on the clothes and on what they lie on, and is as if made anew."""
    camera = Camera.orbit(0.3)
    engine = PortraitEngine(printed_model, device="cpu", precision="float32")
    own, other = person(printed_model, 0), person(printed_model, 1)
    engine.render(own, camera)
    drawn = engine.view_stage.prints
    for part, more in (("hair", 0), ("nose", 0), ("skin", 1), ("clothes", 1)):
        before, edited = drawn.made, own.replace(part, other)
        fresh = PortraitEngine(printed_model, device="cpu", precision="float32")
        assert torch.equal(engine.render(edited, camera).image, fresh.render(edited, camera).image)
        assert drawn.made == before + more


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
    bare_model.mapping.garments.zero_()
    drawn = []
    for one in (model, bare_model):
        engine = PortraitEngine(one, info, device="cpu", precision="float32")
        own, other = engine.sample(PRINTED), engine.sample(OTHER)
        between = own.replace("clothes", own.lerp(other, 0.5), shape=False)
        for portrait in (own, between):
            drawn.append(engine.render(portrait, Camera.orbit(0.2), size=(256, 256)))
    printed, halfway, bare, halfway_bare = drawn
    assert torch.equal(printed.labels, bare.labels)
    changed, left = (
        (one.image - other.image).abs()[0].amax(0)
        for one, other in ((printed, bare), (halfway, halfway_bare))
    )
    near = F.max_pool2d(printed.mask[:, CLOTHES], 5, 1, 2)[0]
    cloth = printed.mask[0, CLOTHES] > 0.99
    assert changed[cloth].mean() > 0.05
    assert changed[near < 0.001].max() < 0.001
    # halfway to other clothes hardly anything of it is left: seeds are not quite one person's
    assert left[cloth].mean() < 0.1 * changed[cloth].mean()


def test_prints_are_kept_in_the_model_file(printed_model: SSGAN3D, tmp_path: Path) -> None:
    path = tmp_path / "printed.safetensors"
    save_checkpoint(path, printed_model, {}, compact=True)
    model, _ = load_checkpoint(path)
    torch.testing.assert_close(
        model.mapping.garments, printed_model.mapping.garments, atol=1e-3, rtol=1e-3
    )
    values = printed_model.config.to_dict()
    with pytest.raises(CheckpointError, match="people who are mixed"):
        ModelConfig.from_dict(values | {"people": 0})
    del values["garments"], values["spots"]
    assert not ModelConfig.from_dict(values).garments  # files of before
    assert ModelConfig.from_dict(values | {"prints": True}) == ModelConfig.from_dict(values)


def test_people_of_the_embedded_model_wear_something() -> None:
    model, _ = load_checkpoint(embedded_weights())
    garments = Garment.of(model.mapping.garments)
    assert garments.shown.all()
    assert 0.3 < garments.kinds.sum(1).mean() < 0.7
    assert garments.kinds.any(0).all()
    assert 0.05 < garments.jacket[:, 0].mean() < 0.3
    assert 0.1 < garments.around.any(1).float().mean() < 0.4
