"""Sharper outlines: where they are, and that nothing else moves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from core.checkpoint import load_checkpoint, save_checkpoint
from core.parts import PART_COUNT, part_index
from training.__main__ import main
from training.data import PortraitSet, read_views
from training.refine import known_views
from training.sharpen import Places, Posed, alternating, posed_views, terms_of
from training.warm_start import picture_of


def halves(left: str, right: str) -> torch.Tensor:
    """Masks of 16 × 16 whose left eight columns are one part and the others another."""
    mask = torch.zeros(1, PART_COUNT, 16, 16)
    mask[:, part_index(left), :, :8] = 1
    mask[:, part_index(right), :, 8:] = 1
    return mask


BORDER = range(12, 20)  # two pixels of the mask to either side, doubled


@pytest.mark.parametrize(
    ("left", "right", "taught", "edged"),
    [
        ("hair", "background", range(12, 32), ()),  # nobody can place a hair
        ("hat", "clothes", range(12, 32), ()),
        ("clothes", "background", range(32), BORDER),
        ("skin", "clothes", range(32), BORDER),
        ("skin", "eyes", range(32), range(16, 32)),  # freckles have no place
        ("nose", "skin", range(32), ()),  # nor have pores
        ("hair", "hair", (), ()),
        ("clothes", "clothes", range(32), ()),  # knitted, where they had as many edges
    ],
)
def test_it_is_taught_where_large_parts_meet_and_all_but_hair(
    left: str, right: str, taught: Sequence[int], edged: Sequence[int]
) -> None:
    places = Places.of(halves(left, right))
    for found, columns in ((places.taught, taught), (places.edged, edged)):
        assert found.shape == (1, 1, 32, 32)
        wanted = torch.zeros(32)
        wanted[list(columns)] = 1
        assert torch.equal(found[0, 0], wanted.expand(32, 32))


def test_what_counts_is_the_render_where_it_is_taught_and_the_old_picture_elsewhere() -> None:
    places = Places.of(halves("background", "hair"))
    where = places.taught
    render, old = torch.rand(2, 1, 3, 32, 32)
    best = torch.where(where > 0, render, old)
    terms = terms_of(best, render, old, places)
    assert terms["image"] == 0 and terms["held"] == 0
    # differences to the neighbour on the other side of the border are not the picture's alone
    assert terms["gradient"] < terms_of(old, render, old, places)["gradient"] / 3
    elsewhere = best + 0.25 * (1 - where)
    assert float(terms_of(elsewhere, render, old, places)["held"]) == pytest.approx(0.25)
    along = best + 0.25 * where
    assert float(terms_of(along, render, old, places)["image"]) == pytest.approx(0.25)
    assert float(terms_of(along, render, old, places)["beyond"]) < 0.25
    beyond = terms_of(torch.full_like(render, 1.5), render * 0 + 0.5, old, places)["beyond"]
    assert float(beyond) == pytest.approx(1)
    places = Places.of(halves("clothes", "background"))
    # an edge that lies a pixel further counts as an edge, where pixels differ
    edge = torch.zeros(1, 3, 32, 32)
    edge[..., 16:] = 1
    moved, none = edge.roll(1, -1), torch.full_like(edge, 0.5)
    moved[..., 0] = 0
    terms, flat = (terms_of(one, edge, edge, places) for one in (moved, none))
    assert float(terms["edges"]) < float(flat["edges"]) / 2
    assert terms["beyond"] == 0  # the edge itself has no other colours
    assert terms_of(none, edge, edge, Places.of(halves("hair", "background")))["edges"] == 0


def test_what_alternates_from_pixel_to_pixel_is_told_from_edges_and_slopes() -> None:
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    board, stripes = 1 - 2 * ((rows + columns) % 2), 1 - 2 * (columns % 2)
    inner = slice(2, -2)

    def found(picture: torch.Tensor) -> list[float]:
        values = alternating(picture.expand(1, 3, 8, 8))[0, :, :, inner, inner].abs()
        assert values.shape == (3, 3, 4, 4)
        return values.amax((0, 2, 3)).tolist()  # across, down, both

    assert found(board) == pytest.approx([0, 0, 1])
    assert found(stripes) == pytest.approx([1, 0, 0])
    assert found(stripes.T) == pytest.approx([0, 1, 0])
    assert found(rows / 8 + columns / 4) == pytest.approx([0, 0, 0])
    assert found((columns > 3).float()) == pytest.approx([0.25, 0, 0])  # an edge, from its one side
    places = Places(torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8))
    seen, plain = board.expand(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    assert float(terms_of(plain, plain, plain, places)["alternating"]) == 0
    assert float(terms_of(seen, plain, plain, places)["alternating"]) > 0.3
    assert float(terms_of(seen, seen, plain, places)["alternating"]) == 0  # the render has it


def test_only_the_render_net_learns_and_outlines_come_nearer(
    mixing: Path, balls: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sharp.safetensors"
    command = ["sharpen", "--data", str(balls), "--out", str(out), "--steps", "200"]
    options = ["--rate", "0.005", "--threads", "1"]
    assert main([*command, *options, "--weights", str(mixing)]) == 0
    (before, info), (after, facts) = load_checkpoint(mixing), load_checkpoint(out)
    for name, parameter in before.state_dict().items():
        changed = not torch.equal(parameter, after.state_dict()[name])
        assert changed == name.startswith("render_net.") or "detail" in name, name
    assert [run["steps"] for run in facts["sharpened"]] == [200]
    known, rows = known_views(read_views([balls]), info["people"])
    data = PortraitSet(known)
    every = list(range(len(data)))
    wanted = picture_of(data, every, before.config)
    places = Places.of(data.soft_mask(every, before.config.image_size // 2))
    where = places.taught
    assert 0 < float(where.mean()) < 1

    def values_of(posed: Posed, old: Posed) -> dict[str, float]:
        made = terms_of(posed.picture.float(), wanted, old.picture.float(), places)
        return {name: float(value) for name, value in made.items()}

    old, new = (posed_views(model, data, rows) for model in (before, after))
    first, last = values_of(old, old), values_of(new, old)
    assert last["edges"] < 0.8 * first["edges"] and last["image"] < first["image"]
    assert torch.equal(old.features, new.features) and torch.equal(old.mask, new.mask)
    moved = (new.picture.float() - old.picture.float()).abs()
    along, elsewhere = (float((moved * w).sum() / w.sum()) for w in (where, 1 - where))
    assert elsewhere < along
    again = [*command, *options, "--weights", str(out)]
    assert main(again) == 0 and len(load_checkpoint(out)[1]["sharpened"]) == 2


def test_a_model_of_nobody_says_so(
    mixing: Path, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, info = load_checkpoint(mixing)
    weights = tmp_path / "nobody.safetensors"
    save_checkpoint(weights, model, {k: v for k, v in info.items() if k != "people"})
    command = ["sharpen", "--data", str(balls), "--out", str(tmp_path / "x.safetensors")]
    assert main([*command, "--weights", str(weights)]) == 1
    assert "does not say which portraits it mixes" in capsys.readouterr().err
