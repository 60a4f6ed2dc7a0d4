"""Spots of the skin: as many as there should be, in their places and colours, on skin alone."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from core.camera import Camera
from core.checkpoint import load_checkpoint
from core.config import ModelConfig
from core.engine import PortraitEngine, embedded_weights
from core.generators import PartMap
from core.grain import GRAINED, NOISES, SIDE, grain_of
from core.spots import (
    KINDS,
    SPOTS,
    WRINKLED,
    pore_gain,
    skin_tile,
    split_pores,
    spots_tile,
)

CONFIG = replace(
    ModelConfig.tiny(),
    image_size=256,
    ray_size=64,
    detail_directions=4,
    people=3,
    spots=True,
    grain=((0.01, 0.0, 0.0),) * 4,
)
FAIR = (0.6, 0.33, 0.2)
FRECKLED = 36
"""Seed whose face is so."""


PEOPLE = torch.rand(24, 2, generator=torch.Generator().manual_seed(0))


def tiles(albedo: tuple[float, ...] = FAIR, **amounts: float) -> torch.Tensor:
    """Of 24 people who have as much of each kind, (24, 3, t, t)."""
    spots = torch.zeros(len(PEOPLE), SPOTS)
    for kind, amount in amounts.items():
        spots[:, KINDS.index(kind.replace("_", " "))] = amount
    spots[:, len(KINDS) : -2], spots[:, -2:] = torch.tensor(albedo), PEOPLE
    return spots_tile(spots, CONFIG)


def at(light: torch.Tensor, u: float, v: float, reach: float) -> torch.Tensor:
    """The part of tiles around lifting coordinates, (24, 3, n, n)."""
    texels = CONFIG.image_size / CONFIG.frame_side
    rows, columns = (
        torch.arange(round((c - reach) * texels), round((c + reach) * texels)) % SIDE
        for c in (v, u)
    )
    return light[..., rows, :][..., columns]


def test_training_in_half_precision_draws_them_as_well() -> None:
    plain = tiles(blemishes=1.0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(tiles(blemishes=1.0), plain)


def test_who_has_none_has_none() -> None:
    assert tiles().abs().max() < 1e-6


@pytest.mark.parametrize("kind", KINDS[:4])
def test_spots_darken_and_more_of_them_darken_more(kind: str) -> None:
    name = kind.replace(" ", "_")
    some, many = tiles(**{name: 0.4}), tiles(**{name: 0.9})
    assert some.max() < 1e-6 and many.max() < 1e-6
    assert many.mean() < 1.3 * some.mean() < 0


def test_colours() -> None:
    """Blemishes are red; freckles brown, and faint where the skin is as dark as they are."""
    blemish, freckle = (tiles(**{k: 1.0}).mean((0, 2, 3)) for k in ("blemishes", "freckles"))
    assert blemish[1] < 5 * blemish[0] and blemish[2] < 5 * blemish[0]
    assert freckle[2] < freckle[1] < freckle[0] < 0
    dark = tiles(albedo=(0.17, 0.06, 0.03), freckles=1.0).mean((0, 2, 3))
    assert dark.abs().max() < 0.1 * freckle.abs().min()


def test_places() -> None:
    """Freckles on nose and cheeks, blemishes on cheeks and forehead, none on the crown."""
    freckles, blemishes = tiles(freckles=1.0), tiles(blemishes=1.0)
    cheek, forehead, crown = (0.25, -0.1, 0.15), (0.0, 0.4, 0.15), (0.0, 0.9, 0.1)
    for light in (freckles, blemishes):
        assert at(light, *cheek).mean() < 20 * at(light, *crown).mean()
    assert at(blemishes, *forehead).mean() < 0.3 * at(blemishes, *cheek).mean()
    assert at(freckles, *forehead).mean() > 0.2 * at(freckles, *cheek).mean()


def test_wrinkles_are_level_folds_of_the_forehead() -> None:
    folds = tiles(wrinkles=1.0)
    torch.testing.assert_close(folds[:, 0], folds[:, 2], atol=1e-6, rtol=1e-3)  # no colour
    forehead = at(folds, 0.0, 0.45, 0.1)[:, 0]
    assert float(forehead.std()) == pytest.approx(WRINKLED, rel=0.15)
    assert forehead.diff(dim=1).std() > 5 * forehead.diff(dim=2).std()
    assert at(folds, 0.0, -0.3, 0.1).abs().max() < 0.2 * forehead.abs().max()


def test_a_mole_is_seen_on_every_other_face() -> None:
    """As in renders: of points 0.2 apart a ninth is cut by the skin, and 0.16 of these chosen."""
    darkest = at(tiles(moles=1.0), 0.0, 0.0, 0.6).amin((1, 2, 3))  # a face
    assert 0.2 < (darkest < -0.1).float().mean() < 0.8


def test_everybody_has_them_elsewhere_and_always_in_the_same_places() -> None:
    first, again = tiles(blemishes=1.0), tiles(blemishes=1.0)
    assert torch.equal(first, again)
    alike = torch.corrcoef(first[:, 1].flatten(1))
    assert alike[~torch.eye(len(PEOPLE), dtype=torch.bool)].max() < 0.5


def test_they_are_drawn_into_the_grain() -> None:
    mix, spots = torch.eye(NOISES)[:1], torch.zeros(1, SPOTS)
    spots[0, : len(KINDS)] = 0.5
    spots[0, len(KINDS) : len(KINDS) + 3] = torch.tensor(FAIR)
    empty = torch.zeros(1, 4, 4)
    skin = PartMap(empty[..., None], empty, empty, grain=mix, traits=spots)
    plain, bare = (skin_tile(replace(skin, traits=t), CONFIG) for t in (None, 0 * spots))
    drawn = skin_tile(skin, CONFIG)
    assert plain is not None and bare is not None and drawn is not None
    torch.testing.assert_close(plain, grain_of(mix, CONFIG.grain))
    added = F.pad(spots_tile(spots, CONFIG), [1] * 4, "circular")
    fine, rest = (grain_of(mix, one) for one in split_pores(CONFIG.grain))
    gains = (F.pad(pore_gain(s, CONFIG), [1] * 4, "circular") for s in (spots, 0 * spots))
    for made, gain, more in zip((drawn, bare), gains, (added, 0), strict=True):
        torch.testing.assert_close(made, rest + fine * gain + more)


def test_pores_are_deep_in_the_middle_of_the_face_and_with_some_people() -> None:
    spots = torch.zeros(3, SPOTS)
    spots[:, KINDS.index("pores")] = torch.tensor([-0.4, 0.0, 0.4])
    gain = pore_gain(spots, CONFIG)
    nose, temple = (at(gain, u, 0.05, 0.05).mean((1, 2, 3)) for u in (0.0, 0.75))
    # p = 0.4, 0.8, 1.2 times 1.3 and 0.5
    expected = [(0.13 + (d * z) ** 2) ** 0.5 / 0.83 for z in (1.3, 0.5) for d in (0.4, 0.8, 1.2)]
    torch.testing.assert_close(torch.cat([nose, temple]), torch.tensor(expected), atol=0.03, rtol=0)
    pores, rest = split_pores(((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), (0.7, 0.8, 0.9), (1.0, 1.1, 1.2)))
    assert pores == ((0.1, 0.0, 0.0), (0.4, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert rest == ((0.0, 0.2, 0.3), (0.0, 0.5, 0.6), (0.7, 0.8, 0.9), (1.0, 1.1, 1.2))


def test_they_lie_on_skin_alone_and_fade_between_people() -> None:
    model, info = load_checkpoint(embedded_weights())
    bare_model = copy.deepcopy(model)
    bare_model.mapping.spots[:, : len(KINDS)] = 0
    engines = [
        PortraitEngine(one, info, device="cpu", precision="float32") for one in (model, bare_model)
    ]
    own, other = engines[0].sample(FRECKLED), engines[0].sample(FRECKLED + 1)
    drawn, bare = (engine.render(own, Camera.orbit(0.2), size=(256, 256)) for engine in engines)
    changed = (drawn.image - bare.image).abs()[0]
    skin = sum(bare.mask[:, part] for part in GRAINED)
    near = F.max_pool2d(skin, 5, 1, 2)[0]
    assert changed[:, skin[0] > 0.99].max() > 0.05
    assert changed[:, near < 0.001].max() < 0.001
    between = own.replace("skin", own.lerp(other, 0.5), shape=False)
    faded = [engine.render(between, Camera.orbit(0.2), size=(256, 256)) for engine in engines]
    torch.testing.assert_close(*(one.image for one in faded), atol=5e-3, rtol=0)


def test_people_of_the_embedded_model_have_spots() -> None:
    model, _ = load_checkpoint(embedded_weights())
    amounts = model.mapping.spots[:, : KINDS.index("pores")]
    assert ((amounts > 0).float().mean(0) > 0.03).all()
    assert (amounts.sum(1) == 0).float().mean() > 0.1
