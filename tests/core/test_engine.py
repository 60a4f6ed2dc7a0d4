import math

import numpy as np
import pytest
import torch

from core.camera import Camera, canonical_camera
from core.config import ModelConfig
from core.device import choose_device, choose_precision
from core.engine import PortraitEngine
from core.errors import CameraRangeError, CheckpointError, LatentsError, PortraitError
from core.parts import FACE_BASE, PART_COUNT, PART_NAMES, part_index
from core.picture import HALO, Rendering, View
from core.stages import PartKeys

OUTPUTS = ("image", "mask", "labels", "alpha", "depth")


def assert_same(a, b):
    for name in OUTPUTS:
        assert torch.equal(getattr(a, name), getattr(b, name)), name


def test_shapes_and_ranges(engine):
    result = engine.render(engine.sample(1), [Camera.orbit(0), Camera.orbit(0.3)], size=(40, 56))
    assert result.image.shape == (2, 3, 40, 56)
    assert result.mask.shape == (2, PART_COUNT, 40, 56)
    assert result.labels.shape == result.alpha.shape == result.depth.shape == (2, 40, 56)
    assert result.labels.dtype == torch.uint8
    assert result.image.abs().max() <= 1
    assert torch.allclose(result.mask.sum(1), torch.ones(2, 40, 56), atol=1e-5)
    assert torch.equal(result.alpha, 1 - result.mask[:, 0])
    assert torch.equal(result.depth.isfinite(), result.alpha >= 0.5)
    for name in OUTPUTS:
        assert getattr(result, name).device.type == "cpu"


def test_seeds_are_repeatable_and_differ(engine, checkpoint):
    again = PortraitEngine.load(checkpoint, device="cpu", precision="float32")
    camera = Camera.orbit(0.2)
    assert_same(engine.render(engine.sample(3), camera), again.render(again.sample(3), camera))
    other = engine.render(engine.sample(4), camera)
    assert not torch.equal(other.image, engine.render(engine.sample(3), camera).image)


def test_the_most_alike_of_seeds_are_those_of_like_heads_and_skins(engine):
    portrait = engine.sample(5)
    alike = engine.most_alike(portrait.replace("hair", engine.sample(8)), range(30), 4)
    assert alike[0] == 5 and len(set(alike)) == 4
    mean = engine.mean_latents.base[FACE_BASE]
    heads = [engine.sample(seed).base[FACE_BASE] - mean for seed in range(30)]
    near = [float(torch.cosine_similarity(head, heads[5], 0)) for head in heads]
    assert sum(near[seed] for seed in alike) / 4 > sum(near) / 30 + 0.2
    assert len(engine.most_alike(portrait, range(3), 8)) == 3


def test_truncation_zero_is_the_mean(engine):
    for seed in (1, 2):
        drawn = engine.sample(seed, 0.0)
        assert torch.equal(drawn.shape, engine.mean_latents.shape)
        assert torch.equal(drawn.base, engine.mean_latents.base)


def test_saved_portrait_gives_the_same_picture(engine, tmp_path):
    latents = engine.sample(11)
    latents.save(tmp_path / "p.json")
    loaded = type(latents).load(tmp_path / "p.json")
    first = engine.render(latents, Camera.orbit(0.1))
    engine.release()
    assert_same(first, engine.render(loaded, Camera.orbit(0.1)))


def test_caches_do_not_change_pictures(engine, checkpoint):
    """Whatever was rendered before, a portrait and a camera give one picture, to the bit."""
    a, b = engine.sample(1), engine.sample(2)
    edited = a.replace("hair", b)
    cameras = [Camera.orbit(0.0), Camera.orbit(0.3), Camera.orbit(-0.3)]
    for latents in (a, b, edited, a.replace("nose", b, shape=False)):
        for camera in cameras:
            fresh = PortraitEngine.load(checkpoint, device="cpu", precision="float32")
            assert_same(engine.render(latents, camera), fresh.render(latents, camera))


def test_an_edit_recomputes_one_part(engine, monkeypatch):
    made = []
    stage = engine.part_stage
    compute = stage.compute
    monkeypatch.setattr(
        stage, "compute", lambda latents, parts: made.append(list(parts)) or compute(latents, parts)
    )
    a, b = engine.sample(1), engine.sample(2)
    engine.render(a, Camera.orbit(0))
    assert made.pop() == a.visible.nonzero()[:, 0].tolist()
    engine.render(a, Camera.orbit(0.2))
    assert made == []
    engine.render(a.replace("hair", b), Camera.orbit(0.2))
    assert made.pop() == [part_index("hair")]
    engine.render(a.with_visible(hidden=["hair"]), Camera.orbit(0.2))
    assert made == []


def test_what_a_portrait_lacks_costs_nothing_and_is_not_seen(engine, monkeypatch):
    whole = engine.sample(1).with_visible(shown=PART_NAMES)
    bald = whole.with_visible(hidden=["hair"])
    made = []
    compute = engine.part_stage.compute
    monkeypatch.setattr(
        engine.part_stage,
        "compute",
        lambda latents, parts: made.extend(parts) or compute(latents, parts),
    )
    picture = engine.render(bald, Camera.orbit(0.2))
    assert sorted([*made, part_index("hair")]) == list(range(PART_COUNT))
    assert not picture.mask[:, part_index("hair")].gt(0.5).any()
    worn = engine.render(whole, Camera.orbit(0.2))
    assert made[-1] == part_index("hair") and len(made) == PART_COUNT
    assert worn.mask[:, part_index("hair")].gt(0.5).any()
    assert_same(engine.render(bald, Camera.orbit(0.2)), picture)
    # a nose is always there: what it is like is asked for even where it is hidden
    engine.render(whole.with_visible(hidden=["nose"]), Camera.orbit(0.2))
    assert len(made) == PART_COUNT


def test_an_edit_that_fills_the_cache_pushes_no_needed_part_out(engine, checkpoint):
    own, other = engine.sample(1), engine.sample(2)
    engine.render(own, Camera.orbit(0.1))
    engine.results.resize(engine.results.used)  # one portrait
    edited = own.replace("hair", other)
    engine.render(own, Camera.orbit(0.1))
    fresh = PortraitEngine.load(checkpoint, device="cpu", precision="float32")
    assert_same(
        engine.render(edited, Camera.orbit(0.1)),
        fresh.render(edited, Camera.orbit(0.1)),
    )


def test_a_limit_of_memory_changes_memory_and_not_pictures(checkpoint):
    plenty, little, none = (PortraitEngine.load(checkpoint) for _ in range(3))
    little.limit_memory(1)
    none.limit_memory(0)
    people = [plenty.sample(seed) for seed in range(8)]
    for latents in (*people, *people):
        images = [e.render(latents, Camera.orbit(0.1)).image for e in (plenty, little, none)]
        assert torch.equal(images[0], images[1]) and torch.equal(images[0], images[2])
        assert none.results.used == 0 < little.results.used <= 2**20
    made = [engine.part_stage.memo.made for engine in (plenty, little, none)]
    once = sum(int(latents.visible.sum()) for latents in people)
    assert made == [once, 2 * once, 2 * once]
    with pytest.raises(PortraitError, match="give 0 or more"):
        little.limit_memory(-1)


def test_what_is_kept_is_counted_as_it_is(engine):
    """Of the parts at least: the same tensors, added up by hand."""
    own = engine.sample(1).with_visible(shown=PART_NAMES)
    engine.release()
    assert engine.results.used == 0
    engine.part_stage(own, PartKeys.of(own))
    held = 0
    for result in engine.part_stage(own, PartKeys.of(own)).values():
        tensors = [result.map.features, result.map.depth, result.map.density]
        tensors += [] if result.geometry is None else result.geometry[:2]
        held += sum(t.numel() * t.element_size() for t in tensors)
    assert engine.results.used == held
    engine.render(own, Camera.orbit(0.1))
    assert engine.results.used > held
    engine.release()
    assert engine.results.used == 0


def test_an_edited_texture_keeps_the_ray_weights(engine):
    a, b = engine.sample(1), engine.sample(2)
    engine.render(a, Camera.orbit(0))
    before = engine.view_stage.weights.memo.made
    engine.render(a.replace("hair", b, shape=False), Camera.orbit(0))
    assert engine.view_stage.weights.memo.made == before
    engine.render(a.replace("hair", b, texture=False), Camera.orbit(0))
    assert engine.view_stage.weights.memo.made == before + 1


def test_lens_and_size_only_warp(engine):
    a = engine.sample(1)
    engine.render(a, Camera.orbit(0.1))
    before = engine.view_stage.memo.made
    engine.render(a, Camera.orbit(0.1, side=1.0), size=(30, 50))
    assert engine.view_stage.memo.made == before


def test_batches_equal_single_views(engine):
    a = engine.sample(1)
    cameras = [Camera.orbit(0.1 * i) for i in range(6)]
    together = engine.render(a, cameras)
    engine.release()
    for i, camera in enumerate(cameras):
        single = engine.render(a, camera)
        assert torch.allclose(together.image[i], single.image[0], atol=1e-5)
        assert torch.allclose(together.mask[i], single.mask[0], atol=1e-5)


def window_part(camera: Camera, left: float, right: float, bottom: float, top: float) -> Camera:
    x, y = camera.window[0], camera.window[2]
    width, height = camera.window[1] - x, camera.window[3] - y
    window = (x + width * left, x + width * right, y + height * bottom, y + height * top)
    return Camera(camera.pose, window, camera.orthographic)


@pytest.mark.parametrize("orthographic", [False, True])
def test_a_part_of_the_window_is_a_crop(engine, orthographic):
    a, camera = engine.sample(1), Camera.orbit(0.2, 0.1, orthographic=orthographic)
    whole = engine.render(a, camera)
    crop = engine.render(a, window_part(camera, 0.25, 0.75, 0.5, 0.75), size=(16, 32))
    rows, columns = slice(16, 32), slice(16, 48)
    for name in ("image", "mask"):
        expected = getattr(whole, name)[..., rows, columns]
        assert torch.allclose(getattr(crop, name), expected, atol=1e-4), name
    assert crop.frame_side(0) == pytest.approx(whole.frame_side(0))
    both = crop.depth.isfinite() & whole.depth[:, rows, columns].isfinite()
    assert both.any()
    assert torch.allclose(crop.depth[both], whole.depth[:, rows, columns][both], atol=1e-3)


def test_default_width_follows_the_window(engine):
    camera = window_part(Camera.orbit(0), 0, 1, 0.25, 0.75)
    assert engine.render(engine.sample(1), camera).image.shape == (1, 3, 64, 128)


def test_a_rolled_camera_rotates_the_picture(engine):
    a, camera = engine.sample(1), Camera.orbit(0.2)
    quarter = np.eye(4)
    quarter[:2, :2] = [[0, -1], [1, 0]]  # the camera turns to its left about its axis
    rolled = engine.render(a, Camera(camera.pose @ quarter, camera.window))
    upright = engine.render(a, camera)
    # so the picture turns to the right
    expected = upright.image.rot90(-1, (2, 3))
    assert torch.allclose(rolled.image, expected, atol=1e-4)
    assert torch.equal(rolled.labels, upright.labels.rot90(-1, (1, 2)))


def test_outside_the_frame_is_background(engine):
    a = engine.sample(1)
    wide = engine.render(a, Camera.orbit(0, side=4.0), size=(128, 128))
    border = torch.ones(128, 128, dtype=torch.bool)
    border[32:96, 32:96] = False
    assert (wide.alpha[0][border] == 0).all()
    assert (wide.labels[0][border] == 0).all()
    assert wide.depth[0][border].isinf().all()
    assert wide.image.isfinite().all()
    inner = engine.render(a, Camera.orbit(0)).image
    assert torch.allclose(wide.image[..., 32:96, 32:96], inner, atol=1e-4)


@pytest.mark.parametrize("seed", [46, 5, 14, 1, 4])
def test_background_goes_on_outside_the_frame_without_streaks(seed):
    engine = PortraitEngine.load()  # the embedded model: its backgrounds have something to continue
    latents = engine.sample(seed)
    size, frame = 256, slice(64, 192)
    wide = engine.render(latents, Camera.orbit(-0.3, side=4.0), size=(size, size))
    image, alpha = wide.image[0], wide.alpha[0]
    inner = engine.render(latents, Camera.orbit(-0.3), size=(128, 128))
    assert torch.allclose(image[:, frame, frame], inner.image[0], atol=1e-4)
    # Where the border shows background, nobody sees where the frame ends. Next to the portrait it
    # does not: the frame cuts through what the portrait does to the background around it.
    for axis in (1, 2):
        outside, inside, next_inside = (
            image.select(axis, 64 + offset)[:, frame] for offset in (-1, 0, 1)
        )
        hidden = alpha.select(axis - 1, 64)[frame]
        reach = HALO + 2 * 3  # hair ends within its soft border, which is three pixels more
        near = torch.nn.functional.max_pool1d(hidden[None], reach, 1, reach // 2)[0]
        assert (near < 0.1).sum() > 32
        step, own = (
            (inside - other).abs()[:, near < 0.1].max() for other in (outside, next_inside)
        )
        assert step < own + 0.01  # the picture's own steps are as large
    # what is far away does not repeat the border, pixel for pixel, but is calm
    top = image[:, 0, frame]
    assert (top[:, 1:] - top[:, :-1]).abs().max() < 0.01
    below = image[:, 200:, frame]
    assert (below[..., 1:] - below[..., :-1]).abs().max() < 0.03
    # and far away it is one colour: no lines run off to the horizon
    far = engine.render(latents, Camera.orbit(-0.3, side=16.0), size=(size, size)).image[0]
    assert far[:, :64].std((1, 2)).max() < 0.01


def test_a_portrait_that_fills_the_frame_has_a_background_outside():
    """Nothing of the background is seen in the frame: its own colours go on."""
    camera = Camera.orbit(0.0)
    logits = torch.full((PART_COUNT, 8, 8), -20.0)
    logits[part_index("skin")] = 20.0
    view = View(
        canonical_camera(camera, ModelConfig()),
        torch.full((3, 16, 16), 0.9),
        logits,
        torch.full((3, 4, 4), -0.25),
        torch.ones(8, 8),
        torch.ones(8, 8),
        torch.zeros(0, 8, 8),
        torch.zeros(0, 8, 8),
    )
    wide = Rendering([view], [Camera.orbit(0.0, side=4.0)], (32, 32))
    assert torch.allclose(wide.image[0, :, 0], torch.full((3, 32), -0.25), atol=1e-3)


def test_small_pictures_average_the_large_one(engine):
    a = engine.sample(1)
    whole = engine.render(a, Camera.orbit(0))
    small = engine.render(a, Camera.orbit(0), size=(16, 16))
    average = torch.nn.functional.avg_pool2d
    assert torch.allclose(small.image, average(whole.image, 4), atol=1e-5)
    assert (small.mask - average(whole.mask, 4)).abs().max() < 0.1
    assert (small.mask - average(whole.mask, 4)).abs().mean() < 0.01


def test_depth_of_an_orthographic_camera_says_how_far_away_it_stands(engine):
    portrait, side = engine.sample(1), engine.config.image_size
    camera = Camera.orbit(0.2, 0.1, distance=20.0, orthographic=True)
    own = engine.render(portrait, camera)
    other = engine.render(portrait, camera, size=(side + 8, side + 8))
    for rendering in (own, other):
        depth = rendering.depth[rendering.depth.isfinite()]
        assert 19 < float(depth.median()) < 21
    near = engine.render(portrait, Camera.orbit(0.2, 0.1, distance=5.0, orthographic=True))
    assert torch.allclose(own.image, near.image, atol=0.02)


def test_depth_agrees_with_projection(engine):
    """Depth times the ray through a pixel is a model point near the head."""
    camera = Camera.orbit(0.4, 0.1)
    depth = engine.render(engine.sample(1), camera).depth[0].double().numpy()
    hit = np.isfinite(depth)
    assert hit.mean() > 0.05
    origins, directions = camera.rays(*depth.shape)
    points = (origins + directions * np.where(hit, depth, 0)[..., None])[hit]
    ndc, planar = camera.project(points)
    assert np.allclose(planar, depth[hit])
    assert np.abs(ndc).max() <= 1
    assert np.abs(depth[hit] - camera.distance).max() < 1.1


def test_camera_outside_is_clamped_or_refused(engine):
    a, far = engine.sample(1), Camera.orbit(1.5)
    with pytest.raises(CameraRangeError, match="86°"):
        engine.render(a, far, outside="refuse")
    clamped = engine.render(a, far)
    assert math.isclose(clamped.cameras[0].yaw, engine.config.yaw_max)
    assert_same(clamped, engine.render(a, Camera.orbit(engine.config.yaw_max)))


def test_hidden_parts_have_no_mask_but_what_the_net_adds(engine):
    hidden = engine.sample(1).with_visible(PART_NAMES, hidden=["hair"])
    engine.render(hidden, Camera.orbit(0))
    ((_, weights),) = engine.view_stage.weights.memo._values.items()
    assert (weights.mask[:, :, part_index("hair")] == 0).all()


def test_without_background_the_picture_is_white_behind(engine):
    result = engine.render(engine.sample(1).with_visible(["skin"]), Camera.orbit(0))
    empty = result.alpha[0] < 1e-3
    if empty.any():
        assert (result.image[0][:, empty] > 0.99).all()
    shown = engine.render(engine.sample(1).with_visible(["skin", "background"]), Camera.orbit(0))
    expected = shown.image * shown.alpha[:, None] + 1 - shown.alpha[:, None]
    assert torch.allclose(result.image, expected, atol=1e-6)


def test_a_draft_shows_what_the_geometry_gives(head_engine):
    """The head's render net adds nothing, so its drafts differ from pictures by size alone."""
    a = head_engine.sample(0)
    camera = Camera.orbit(0.2)
    draft = head_engine.render(a, camera, draft=True)
    full = head_engine.render(a, camera)
    assert draft.image.shape == full.image.shape
    assert (draft.image - full.image).abs().mean() < 0.01
    assert (draft.labels == full.labels).float().mean() > 0.97


def test_bfloat16_gives_the_same_picture(engine, checkpoint):
    """8 bits of mantissa: errors of about 2^-8 a layer, of the two hundred steps of a picture."""
    half = PortraitEngine.load(checkpoint, device="cpu", precision="bfloat16")
    a, camera = engine.sample(1), Camera.orbit(0.2)
    exact, fast = engine.render(a, camera), half.render(a, camera)
    error = (exact.image - fast.image).square().mean()
    assert 10 * torch.log10(4 / error) > 35
    assert (exact.labels == fast.labels).float().mean() > 0.97


def test_threads_are_left_as_they_were(engine):
    before = torch.get_num_threads()
    engine.render(engine.sample(1), Camera.orbit(0))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("size", [(0, 10), (10, -1), (10**6, 10**6)])
def test_absurd_sizes(engine, size):
    with pytest.raises(PortraitError, match="cannot be made"):
        engine.render(engine.sample(1), Camera.orbit(0), size=size)


def test_portrait_of_another_model(engine):
    a = engine.sample(1)
    other = type(a)(a.base[:, :3], a.shape, a.texture, a.visible)
    with pytest.raises(LatentsError, match="another model"):
        engine.render(other, Camera.orbit(0))


def test_no_model(tmp_path):
    with pytest.raises(CheckpointError, match="There is no model file"):
        PortraitEngine.load(tmp_path / "none.safetensors")


def test_devices_and_precisions(monkeypatch):
    with pytest.raises(PortraitError, match="no device 'abacus'"):
        choose_device("abacus")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1").index == 1
    with pytest.raises(PortraitError, match="no device 'cuda:2'"):
        choose_device("cuda:2")
    with pytest.raises(PortraitError, match="no precision 'int3'"):
        choose_precision("int3", torch.device("cpu"))
    assert choose_precision("auto", torch.device("cuda")) == "float16"
