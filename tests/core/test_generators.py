import dataclasses

import numpy as np
import pytest
import torch

from core.config import ModelConfig
from core.detail import DETAILED
from core.model import SSGAN3D
from core.part_runner import PartRunner, linear
from core.parts import FACE_BASE, PART_COUNT, PART_NAMES, part_index


@pytest.fixture(params=["tiny", "paper's layers", "detail"])
def any_model(request):
    """Every weight random, so that none can be forgotten."""
    config = ModelConfig.tiny()
    if request.param == "detail":
        config = dataclasses.replace(config, detail_directions=2)
    elif request.param != "tiny":
        config = ModelConfig.from_dict(
            config.to_dict() | {"base_layers": 2, "learned_position": False, "linear_cells": 0}
        )
    torch.manual_seed(0)
    model = SSGAN3D(config)
    for parameter in model.generators.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    for group in model.generators.groups if config.detail_directions else ():
        for row, part in enumerate(group.parts):
            if part not in DETAILED:  # as training leaves them
                group.detail_head.data[row] = group.detail_head_bias.data[row] = 0
    return model.requires_grad_(False)


@pytest.fixture
def codes(any_model):
    config = any_model.config
    return (
        torch.randn(2, config.base_dim),
        torch.randn(2, PART_COUNT, config.code_dim),
        torch.randn(2, PART_COUNT, config.code_dim),
    )


def assert_close(a, b):
    for name in ("features", "depth", "density"):
        first, second = getattr(a, name), getattr(b, name)
        assert first.shape == second.shape, name
        assert torch.allclose(first, second, atol=1e-4, rtol=1e-4), name


def test_maps_have_their_shapes(any_model, codes):
    config = any_model.config
    maps = any_model.part_maps(*codes)
    assert sorted(maps) == list(range(PART_COUNT))
    for part, spec in enumerate(config.maps):
        size = (2, spec.height, spec.width)
        assert maps[part].features.shape == (*size, config.features + config.detail_tiles)
        assert maps[part].depth.shape == maps[part].density.shape == size
        assert (maps[part].density >= 0).all()


def test_chosen_parts_equal_the_full_run(any_model, codes):
    full = any_model.part_maps(*codes)
    some = any_model.part_maps(*codes, chosen=[part_index("hair"), part_index("eyes")])
    assert sorted(PART_NAMES[k] for k in some) == ["eyes", "hair"]
    for part, result in some.items():
        assert_close(result, full[part])


def test_the_runner_computes_what_the_generator_does(any_model, codes):
    full = any_model.part_maps(*codes)
    for group in any_model.generators.groups:
        for part in group.parts:
            runner = PartRunner(group, part, torch.float32)
            for b in range(2):
                made = runner(codes[0][b], codes[1][b, part], codes[2][b, part])
                expected = type(made)(
                    full[part].features[b : b + 1],
                    full[part].depth[b : b + 1],
                    full[part].density[b : b + 1],
                )
                assert_close(made, expected)


@pytest.mark.parametrize("drawn", [0.2, 0.05, -0.1])
def test_outer_ends_of_brows_lie_on_the_face_however_far_out_they_are_drawn(drawn):
    model = SSGAN3D(ModelConfig.tiny()).requires_grad_(False)
    for group in model.generators.groups:
        group.geometry_weight.zero_()
        group.geometry_bias[:, 0] = drawn
    code = torch.zeros(1, PART_COUNT, model.config.code_dim)
    maps = model.part_maps(torch.zeros(1, model.config.base_dim), code, code)
    brows = part_index("brows")
    left, right, *_ = model.config.maps[brows].window
    columns = left + (np.arange(model.config.maps[brows].width) + 0.5) * (
        (right - left) / model.config.maps[brows].width
    )
    bound = np.interp(np.abs(columns), (0.15, 0.27), (0.09, 0.02))
    wanted = torch.from_numpy(np.minimum(drawn, bound)).float().expand_as(maps[brows].depth)
    assert torch.allclose(maps[brows].depth, wanted, atol=1e-6)
    assert torch.allclose(maps[part_index("eyes")].depth, torch.tensor(drawn))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_layer_is_a_product_a_bias_and_leaky_relu(precision):
    x, weight, bias = (
        torch.tensor(values, dtype=precision)
        for values in ([[1.0, -2.0], [0.0, 4.0]], [[1.0, 1.0], [2.0, 0.0]], [0.5, 1.0])
    )
    plain = [[-0.5, 3.0], [4.5, 1.0]]
    assert linear(x, weight, bias).tolist() == plain
    torch.testing.assert_close(
        linear(x, weight, bias, 0.2).float(),
        torch.tensor([[-0.1, 3.0], [4.5, 1.0]]),
        rtol=0.004,
        atol=0,
    )


def test_half_precision_without_the_fused_product_is_the_same_to_rounding(
    any_model, codes, monkeypatch
):
    group = any_model.generators.groups[0]
    runner = PartRunner(group, group.parts[0], torch.bfloat16)
    own = (codes[0][0], codes[1][0, group.parts[0]], codes[2][0, group.parts[0]])
    fused = runner(*own)
    monkeypatch.setattr("core.part_runner.fused_linear", lambda: None)
    plain = runner(*own)
    error = (fused.features - plain.features).float().square().mean().sqrt()
    assert error < 0.02 * plain.features.float().std()


def test_shape_codes_move_geometry_and_texture_codes_do_not(any_model, codes):
    base, shape, texture = codes
    plain = any_model.part_maps(base, shape, texture)[FACE_BASE]
    other = any_model.part_maps(base, shape, texture + 1)[FACE_BASE]
    assert torch.equal(other.depth, plain.depth)
    assert torch.equal(other.density, plain.density)
    assert not torch.allclose(other.features, plain.features)
    assert not torch.allclose(
        any_model.part_maps(base, shape + 1, texture)[FACE_BASE].depth, plain.depth
    )


def test_a_code_moves_its_own_part_only(any_model, codes):
    base, shape, texture = codes
    changed = shape.clone()
    changed[:, part_index("hair")] += 1
    before, after = (any_model.part_maps(base, s, texture) for s in (shape, changed))
    for part in range(PART_COUNT):
        same = torch.equal(before[part].depth, after[part].depth)
        assert same == (part != part_index("hair")), PART_NAMES[part]
