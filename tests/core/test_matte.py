"""Ends of hair: strands of hair and of what is behind, the same on average, and steep outside."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from core.config import ModelConfig
from core.errors import CheckpointError
from core.matte import colors, ended, matte, seen
from core.parts import BACKGROUND, PART_COUNT, part_index
from core.strands import HAIR, STRENGTH, Strands

WITHIN, BEYOND, STEEPNESS = 0.6, 1.2, 3.0
CONFIG = dataclasses.replace(
    ModelConfig.tiny(),
    image_size=256,
    ray_size=64,
    detail_directions=4,
    hair_matte=(WITHIN, BEYOND, STEEPNESS),
)
SKIN, HAT = part_index("skin"), part_index("hat")
DARK, LIGHT = -0.6, 0.4
MIDDLE = slice(126, 130)
"""Columns within what is half hair: hair lies to the left and something else to the right of it."""


def ends(share: float, beside: int) -> tuple[Tensor, Tensor]:
    """A picture of dark hair that ends over 8 columns of such a share, and its mask."""
    row = torch.ones(128)
    row[62:66], row[66:] = share, 0
    soft = torch.zeros(1, PART_COUNT, 128, 128)
    soft[:, HAIR], soft[:, beside] = row, 1 - row
    row = row.repeat_interleave(2)
    return (LIGHT + row * (DARK - LIGHT)).expand(1, 3, 256, 256), soft


def strands(shining: float, shown: float = 1.0) -> Strands:
    """With the same noise everywhere, ``shining`` times each band's usual strength."""
    noise = shining * torch.tensor(STRENGTH)[None, :, None, None].expand(1, 2, 256, 256)
    rays = torch.ones(1, 8, 64, 64), torch.ones(1, 3, 64, 64)
    return Strands(rays[0], noise, rays[1], torch.full((1, 2, 64, 64), shown))


def middle(picture: Tensor) -> float:
    return float(picture[..., 64:-64, MIDDLE].mean())


def sides(picture: Tensor, soft: Tensor) -> tuple[float, float]:
    """Colours of hair and of what is next to it, in the middle."""
    own, other = colors(picture, soft[:, HAIR, None], 64)
    return float(own[0, 0, 32, 31:33].mean()), float(other[0, 0, 32, 31:33].mean())


def share_of(made: Tensor, picture: Tensor, soft: Tensor) -> float:
    """How much hair there is in the middle, by the colours that are known of both sides."""
    own, other = sides(picture, soft)
    before = float(soft[0, HAIR, 64, 64])
    return before + (middle(made) - middle(picture)) / (own - other)


def test_colours_are_those_of_hair_and_of_what_is_next_to_it() -> None:
    picture, soft = ends(0.0, SKIN)  # of a sharp end all is known
    own, other = (t[0, :, 32, 31] for t in colors(picture, soft[:, HAIR, None], 64))
    torch.testing.assert_close(own, torch.full((3,), DARK), atol=1e-3, rtol=0)
    torch.testing.assert_close(other, torch.full((3,), LIGHT), atol=1e-3, rtol=0)
    # what is half hair counts a sixteenth of each: 9 of 25 weights, and 6 of hair alone
    picture, soft = ends(0.5, SKIN)
    own, _ = (t[0, 0, 32, 32] for t in colors(picture, soft[:, HAIR, None], 64))
    half = (DARK + LIGHT) / 2
    assert float(own) == pytest.approx((6 * DARK + 9 * half / 16) / (6 + 9 / 16), abs=1e-3)


def test_noise_of_usual_strength_has_a_variance_of_one() -> None:
    torch.manual_seed(0)
    bands = torch.randn(1, 2, 256, 256) * torch.tensor(STRENGTH)[None, :, None, None]
    made = dataclasses.replace(strands(0), noise=bands)
    whole = (made.noise * seen(made)[..., :1, :1]).sum(1)
    torch.testing.assert_close(whole.std(), torch.tensor(1.0), atol=0.02, rtol=0)


@pytest.mark.parametrize(
    # half hair: 0.5 ± 4 · 0.5 · 0.5 · 0.6 · shine, and 0.2 · (0.5 + √0.75) = 0.2732 shine
    # whatever pixels can show of it, unless that is less than 0.35
    ("shining", "shown", "share"),
    [
        (0.2, 1.0, 0.6639),
        (-0.2, 1.0, 0.3361),
        (0.2, 0.175, 0.582),
        (0.0, 1.0, 0.5),
        (2.0, 1.0, 1.0),
    ],
)
def test_what_is_half_hair_is_more_or_less_of_it_by_the_noise(
    shining: float, shown: float, share: float
) -> None:
    picture, soft = ends(0.5, SKIN)
    made = matte(picture, soft, strands(shining, shown), CONFIG).picture
    assert share_of(made, picture, soft) == pytest.approx(share, abs=5e-3)
    # hair and face themselves stay as they are
    torch.testing.assert_close(made[..., :100], picture[..., :100], atol=1e-4, rtol=0)
    torch.testing.assert_close(made[..., 160:], picture[..., 160:], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    # 0.7 + (3 - 1) · (0.7 - 0.5) is over 1, 0.4 + 2 · (0.4 - 0.5) = 0.2
    ("share", "wanted"),
    [(0.7, 1.0), (0.5, 0.5), (0.45, 0.35), (0.4, 0.2), (0.2, 0.0)],
)
def test_hair_ends_steeply_against_the_background_alone(share: float, wanted: float) -> None:
    still = strands(0.0)
    against_face = ends(share, SKIN)
    torch.testing.assert_close(matte(*against_face, still, CONFIG).picture, against_face[0])
    outside = ends(share, BACKGROUND)
    made = matte(*outside, still, CONFIG).picture
    if wanted in (0.0, 1.0):
        color = sides(*outside)[0 if wanted else 1]
        assert middle(made) == pytest.approx(color, abs=5e-3)
    else:
        assert share_of(made, *outside) == pytest.approx(wanted, abs=5e-3)


def test_strands_stand_out_further_against_the_background() -> None:
    outside = ends(0.5, BACKGROUND)
    made = matte(*outside, strands(0.2), CONFIG).picture
    # 0.5 + 4 · 0.5 · 0.5 · 1.2 · 0.2732
    assert share_of(made, *outside) == pytest.approx(0.8278, abs=5e-3)


def test_hair_that_runs_one_way_stands_out_as_on_heads() -> None:
    amounts = torch.zeros(1, 8, 64, 64)
    amounts[:, ::4] = 0.1  # one direction, in both bands
    outside = ends(0.5, BACKGROUND)
    combed = dataclasses.replace(strands(0.2), amount=amounts)
    made = matte(*outside, combed, CONFIG).picture
    assert share_of(made, *outside) == pytest.approx(0.6639, abs=5e-3)


def test_no_strands_end_on_hats() -> None:
    picture, soft = ends(0.5, HAT)
    torch.testing.assert_close(matte(picture, soft, strands(1.0), CONFIG).picture, picture)


def test_no_colour_comes_out_that_is_not_there() -> None:
    """The mask ends elsewhere than the picture does: here it still says half hair on a face."""
    _, soft = ends(0.5, SKIN)
    picture = torch.full((1, 3, 256, 256), LIGHT)
    picture[..., :112] = DARK
    made = matte(picture, soft, strands(-1.0), CONFIG).picture
    assert float(made.max()) <= LIGHT + 1e-6 and float(made.min()) >= DARK - 1e-6


def test_strands_brighten_hair_and_not_what_is_seen_beside_it() -> None:
    picture, soft = ends(0.5, SKIN)
    given = strands(0.2)
    noise = matte(picture, soft, given, CONFIG).noise / given.noise
    torch.testing.assert_close(noise[..., :100], torch.ones(1, 2, 256, 100), atol=1e-3, rtol=0)
    # light is 0 at -1: of 0.6639 hair and the rest face, as a multiple of a share of 0.5
    own, other = (1 + color for color in sides(picture, soft))
    share = 0.6639 * own / (0.6639 * own + 0.3361 * other)
    assert share < 0.45
    assert middle(noise) == pytest.approx(share / 0.5, abs=5e-3)


def test_the_mask_ends_as_the_picture_does() -> None:
    picture, soft = ends(0.5, SKIN)
    change = matte(picture, soft, strands(0.2), CONFIG).change
    assert middle(change) == pytest.approx(0.1639, abs=5e-3)
    assert not change[..., :100].any() and not change[..., 160:].any()
    logits, made = ended(soft.clamp_min(1e-6).log(), soft, change)
    torch.testing.assert_close(made.sum(1), torch.ones(1, 128, 128), atol=0.04, rtol=0)
    torch.testing.assert_close(logits.softmax(1), made / made.sum(1), atol=1e-4, rtol=0)
    assert float(made[0, HAIR, 64, 64]) == pytest.approx(0.6639, abs=5e-3)
    assert float(made[0, SKIN, 64, 64]) == pytest.approx(0.3361, abs=5e-3)
    torch.testing.assert_close(made[..., :50], soft[..., :50])
    torch.testing.assert_close(made[..., 80:], soft[..., 80:])


def test_what_a_picture_depends_on_can_be_fitted_through_it() -> None:
    picture, soft = (t.clone().requires_grad_() for t in ends(0.5, SKIN))
    made, noise, _ = matte(picture, soft, strands(0.2), CONFIG)
    (made.square().mean() + noise.square().mean()).backward()
    for given in (picture, soft):
        assert given.grad is not None and given.grad.isfinite().all() and given.grad.any()


def test_files_of_before_end_softly_and_odd_mattes_are_refused() -> None:
    values = CONFIG.to_dict()
    assert ModelConfig.from_dict(values) == CONFIG
    with pytest.raises(CheckpointError, match="three numbers"):
        ModelConfig.from_dict(values | {"hair_matte": [0.6, 1.2]})
    with pytest.raises(CheckpointError, match="three numbers"):
        ModelConfig.from_dict(values | {"hair_matte": [-0.6, 1.2, 1.0]})
    with pytest.raises(CheckpointError, match="fine structure"):
        ModelConfig.from_dict(values | {"detail_directions": 0})
    del values["hair_matte"]
    assert ModelConfig.from_dict(values).hair_matte == ()
