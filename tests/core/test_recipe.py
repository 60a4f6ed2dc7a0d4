import json
import subprocess
import sys

import pytest
import torch

from core.errors import LatentsError
from core.parts import part_index
from core.recipe import PartRecipe, PortraitRecipe

HAIR, NOSE = part_index("hair"), part_index("nose")


def test_recipe_resolves_part_by_part(engine):
    recipe = PortraitRecipe(
        5,
        0.6,
        {
            "hair": PartRecipe(visible=True, shape_seed=8),
            "nose": PartRecipe(mix_seed=9, texture_mix=0.5),
            "hat": PartRecipe(visible=False),
        },
    )
    own, hair, nose = (engine.sample(seed, 0.6) for seed in (5, 8, 9))
    made = recipe.resolve(engine)
    assert torch.equal(made.shape[HAIR], hair.shape[HAIR])
    assert torch.equal(made.texture[HAIR], own.texture[HAIR])
    assert torch.equal(made.shape[NOSE], own.shape[NOSE])
    assert torch.allclose(made.texture[NOSE], (own.texture[NOSE] + nose.texture[NOSE]) / 2)
    assert made.visible[HAIR] and not made.visible[part_index("hat")]
    assert torch.equal(made.base[NOSE], own.base[NOSE])
    assert torch.equal(made.base[HAIR], hair.base[HAIR])


def test_recipe_survives_json():
    recipe = PortraitRecipe(5, 0.6, {"hair": PartRecipe(shape_seed=8, shape_mix=0.25)})
    assert PortraitRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"seed": 1, "truncation": float("nan")},
        {"seed": 1, "truncation": 1.5},
        {"seed": 1, "parts": {"beard": {}}},
        {"seed": 1, "parts": {"hair": {"colour": 3}}},
        {"seed": 1, "parts": {"hair": {"shape_mix": "much"}}},
        {"seed": 1, "parts": []},
        {"seed": 1, "colour": 2},
    ],
)
def test_broken_recipes(values):
    with pytest.raises(LatentsError):
        PortraitRecipe.from_dict(values)


def test_what_dialogs_read_leaves_torch_alone():
    code = "import sys, core.recipe, core.mesh_files; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
