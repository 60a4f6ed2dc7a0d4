"""Pairs of random portraits that differ in one part."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from core.parts import PART_COUNT, part_index
from training.swaps import outside_change, swapped_pairs


def test_pairs_differ_in_one_part_that_both_wear(trained, monkeypatch) -> None:
    trainer, seen = trained.trainer, []
    known = trainer.views.presence.any(0).nonzero()[:, 0].tolist()
    monkeypatch.setattr(
        "training.swaps.render_codes", lambda _model, codes, rays: seen.append((codes, rays))
    )
    with torch.no_grad():
        _, parts = swapped_pairs(trainer.model, trainer.views, 6, torch.Generator().manual_seed(0))
    ((codes, rays),) = seen
    assert len(set(parts.tolist())) > 2
    for first, part in enumerate(parts.tolist()):
        second = first + len(parts)
        assert codes.visible[first, part]
        for values in (codes.base, codes.visible, rays.uv, rays.z, rays.step):
            assert torch.equal(values[first], values[second])
        for values in (codes.shape, codes.texture):
            differs = (values[first] != values[second]).any(1)
            changed = differs.nonzero()[:, 0].tolist()
            # parts that nobody of the test's data has have one code
            assert changed == [part] or (changed == [] and part not in known)


def test_only_what_changes_outside_counts() -> None:
    eyes = part_index("eyes")
    labels = torch.full((2, 8, 8), part_index("skin"))
    labels[0, 2, 2] = eyes  # the eye moves by two cells
    labels[1, 2, 4] = eyes
    mask = F.one_hot(labels, PART_COUNT).permute(0, 3, 1, 2).float()
    image = torch.zeros(2, 3, 16, 16)
    image[1, :, 4:6, 4:6] = 1.0  # where the eye was
    image[1, :, 4:6, 8:10] = 1.0  # where it is now
    image[1, :, 3, 3] = 1.0  # within the margin
    parts = torch.tensor([eyes])
    assert float(outside_change(image, mask, parts, 1)) == 0
    assert float(outside_change(image, mask, parts, 0)) == pytest.approx(1 / 256)
    image[1, :, 12, 12] = -0.5
    assert float(outside_change(image, mask, parts, 1)) == pytest.approx(0.5 / 256)
    nose = torch.tensor([part_index("nose")])  # has no pixel: all of it counts
    assert float(outside_change(image, mask, nose, 1)) == pytest.approx((8 + 1 + 0.5) / 256)


def test_the_loss_makes_swaps_local(trained) -> None:
    """Taught by this loss alone, a generator changes less outside than before."""
    trainer = trained.trainer
    model = copy.deepcopy(trainer.model).requires_grad_(True)
    model.mapping.requires_grad_(False)
    cell = trainer.config.image_size // trainer.config.ray_size

    def outside(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        output, parts = swapped_pairs(model, trainer.views, 8, generator)
        image = output.image.flatten(0, 1).float()
        return outside_change(image, output.mask_logits.flatten(0, 1), parts, cell)

    with torch.no_grad():
        before = float(outside(1000))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 2e-3)
    for step in range(12):
        optimizer.zero_grad(set_to_none=True)
        outside(step).backward()
        optimizer.step()
    with torch.no_grad():
        assert 0 < float(outside(1000)) < 0.9 * before
