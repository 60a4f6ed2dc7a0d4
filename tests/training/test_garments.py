"""Garments of a model's people: those of their renders, where the model has its clothes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoint import load_checkpoint
from core.engine import PortraitEngine, embedded_weights
from core.garment import Garment, collar_line, jacket_line, polynomial, printed, worn_colors
from tests.training.renders import write_renders
from training.__main__ import main
from training.data import PortraitSet, read_views
from training.drawn_people import drawn_people
from training.garments import fitted, garment_of, moved, with_garments
from training.model_files import put_on, rebuilt, taken_off
from training.refine import known_views
from training.synthetic import clothes as synthetic
from training.synthetic.anny import load_head_data
from training.synthetic.head import HeadModel
from training.synthetic.identity import Identity, sample_identity
from training.synthetic.lighting import FOCUS
from training.synthetic.maths import srgb_from_linear
from training.synthetic.numbering import sibling_number
from training.synthetic.portrait import PortraitBuilder
from training.synthetic.strands import Surface

UNIT = 1.55
FINE = 1e-4


@pytest.fixture(scope="module")
def builder() -> PortraitBuilder:
    return PortraitBuilder(HeadModel(load_head_data()))


@pytest.fixture(scope="module")
def find(builder: PortraitBuilder) -> Callable[..., Identity]:
    """Who wears such clothes."""
    targets = frozenset(builder.head.data.targets)

    def found(**traits: str) -> Identity:
        for number in range(400):
            identity = sample_identity(number, targets)
            own = identity.clothes
            if own.present and all(getattr(own, name) == value for name, value in traits.items()):
                return identity
        raise AssertionError(traits)

    return found


PATTERNS = ("stripe", "check", "blotch", "yoke", "pinstripe", "dots", "plain")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_is_printed_as_in_renders(
    pattern: str, builder: PortraitBuilder, find: Callable[..., Identity]
) -> None:
    identity, rest = find(pattern=pattern), builder.head.cloth.rest
    garment = Garment.of(garment_of(identity, builder, UNIT)[0][None])
    noise = identity.stream("clothes", "noise")
    synthetic.smooth_noise(noise, rest, synthetic.FOLDS)  # as the folds are drawn before
    expected = torch.from_numpy(synthetic._pattern(identity, noise, rest)).float()
    places = torch.from_numpy(rest).float().T[None, :, None]
    made = printed(garment.kinds, garment.waves, places, FINE).flatten()
    beside = np.abs(rest[:, 0]) > 1e-3  # upright waves begin in the middle
    assert float(((made - expected).abs() > 0.02)[beside].float().mean()) < 0.01


@pytest.mark.parametrize("collar", ["crew", "v", "wide", "turtle", "shirt"])
def test_collars_and_jackets_are_cut_as_in_renders(
    collar: str, builder: PortraitBuilder, find: Callable[..., Identity]
) -> None:
    identity, rest = find(collar=collar), builder.head.cloth.rest
    garment = Garment.of(garment_of(identity, builder, UNIT)[0][None])
    places = torch.from_numpy(rest).float().T[None, :, None]
    for made, expected in (
        (
            collar_line(garment.collar, places),
            synthetic._collar_line(identity.clothes, rest),
        ),
        (
            jacket_line(garment.jacket[:, 1:], places),
            synthetic._jacket_line(identity.clothes, rest),
        ),
    ):
        assert np.abs(made.flatten().numpy() - expected).max() < 1e-4


def test_colours_lie_where_renders_have_them(
    builder: PortraitBuilder, find: Callable[..., Identity]
) -> None:
    identity = find(pattern="yoke", layer="none")
    numbers, places = garment_of(identity, builder, UNIT)
    garment, head = Garment.of(numbers[None]), builder.head
    vertices = builder.head_vertices(identity)
    body = head.body.of(vertices)
    surface = Surface(body, head.body.quads, head.regions)
    worn = synthetic.make_garment(identity, head.cloth, vertices, surface)
    every = torch.from_numpy((worn.vertices - FOCUS) / UNIT).float()
    front = (every[:, None] - places[None]).norm(dim=2).amin(1) < 1e-5
    made, lines = worn_colors(garment, every.T[None, :, None], FINE, UNIT, torch.zeros_like)
    shown = (made * lines)[0, :, 0].T[front]
    seen = [srgb_from_linear(color * 0.8) + 0.12 for color in (worn.colors, worn.colors[[0]])]
    ground = srgb_from_linear(identity.clothes.colors[0] * 0.8) + 0.12
    expected = torch.from_numpy(seen[0] / ground).float()[front]
    off = ((shown - expected).abs().amax(1) > 0.05).float().mean()
    assert float(off) < 0.12  # vertices beside an edge: places in the template are polynomials


def test_bare_shoulders_wear_nothing(builder: PortraitBuilder) -> None:
    targets = frozenset(builder.head.data.targets)
    bare = sample_identity(sibling_number(0, 3), targets)
    assert not bare.clothes.present
    numbers, places = garment_of(bare, builder, UNIT)
    assert not numbers.any() and not len(places)


def test_a_model_is_wrong_alike_where_nobody_looks() -> None:
    generator = torch.Generator().manual_seed(0)
    everywhere = torch.rand(500, 3, generator=generator) * 2 - 1
    looked = everywhere[everywhere[:, 0] > 0]
    bend = fitted(everywhere, everywhere + 0.1 + 0.2 * everywhere[:, :1] ** 2).flatten()[None]
    own = polynomial(bend, looked.T[None])[0].T
    own[:20] += 0.5  # leaps where a collar ends
    move = moved(own, looked, everywhere).flatten()[None]
    after = polynomial(move, own[20:].T[None])[0].T
    assert float((after - looked[20:]).abs().mean()) < 0.01
    beyond = everywhere[everywhere[:, 0] < -0.2]
    shift = (own - looked).mean(0)
    left = polynomial(move, (beyond + shift).T[None])[0].T - beyond
    assert float(left.abs().mean()) < 0.06


def test_where_a_model_has_its_clothes_is_measured(tmp_path: Path) -> None:
    """Of pictures of its own it has them where they are."""
    whole, info = load_checkpoint(embedded_weights())
    engine = PortraitEngine(whole, info, device="cpu", precision="float32")
    root, people = tmp_path / "set", info["people"][:2]
    write_renders(root, engine, whole, dict(enumerate(people)))
    model = rebuilt(whole, garments=False)
    views, rows = known_views(read_views([root]), people)
    seen = drawn_people(model, PortraitSet(views), rows, torch.device("cpu"))
    made, (before, after) = with_garments(model, people, seen)
    assert float(after.max()) < 0.08 and bool((after <= before).all())
    garments = Garment.of(made.mapping.garments)
    assert garments.shown.flatten().tolist()[:3] == [1, 1, 0]
    kept = Garment.of(whole.mapping.garments)
    for name in ("kinds", "waves", "colors", "place", "collar", "jacket", "around"):
        own, expected = (getattr(each, name)[:2] for each in (garments, kept))
        torch.testing.assert_close(own, expected, rtol=2e-3, atol=2e-3)  # in half precision
    bare = taken_off(made)
    assert not bare.config.garments
    assert torch.equal(put_on(bare, made).mapping.garments, made.mapping.garments)


def test_a_model_without_fine_structure_is_told_of_it(
    mixing: Path, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"
    command = ["garments", "--weights", str(mixing), "--data", str(balls), "--out", str(out)]
    assert main(command) == 1
    assert "training detail" in capsys.readouterr().err
    assert not out.exists()
