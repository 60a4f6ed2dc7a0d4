import base64
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.errors import LatentsError
from core.latents import PortraitLatents, seed_noise
from core.parts import PART_COUNT, PART_NAMES, part_index

HAIR, NOSE = part_index("hair"), part_index("nose")


def make(seed: int, *, base: int = 8, width: int = 6) -> PortraitLatents:
    g = torch.Generator().manual_seed(seed)
    shape, texture = torch.randn(2, PART_COUNT, width, generator=g)
    visible = torch.rand(PART_COUNT, generator=g) > 0.3
    return PortraitLatents(torch.randn(PART_COUNT, base, generator=g), shape, texture, visible)


def same(a: PortraitLatents, b: PortraitLatents) -> bool:
    return all(
        torch.equal(getattr(a, name), getattr(b, name))
        for name in ("base", "shape", "texture", "visible")
    )


def test_noise_of_a_seed_never_changes():
    # Written down once: portraits that people saved as seeds depend on these numbers.
    expected = [0.15039824, 0.95764405, -0.1443871, 0.44280306, 0.49939042]
    assert seed_noise(7, 5).tolist() == np.array(expected, np.float32).tolist()


def test_noise_is_normal():
    noise = seed_noise(1, 200_000).astype(np.float64)
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    assert abs((np.abs(noise) < 1).mean() - 0.6827) < 0.005


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "1", True, None])
def test_bad_seeds(seed):
    with pytest.raises(LatentsError, match="seed must"):
        seed_noise(seed, 4)


def test_replace_takes_one_part():
    a, b = make(0), make(1)
    c = a.replace("hair", b)
    assert torch.equal(c.shape[HAIR], b.shape[HAIR])
    assert torch.equal(c.texture[HAIR], b.texture[HAIR])
    assert c.visible[HAIR] == b.visible[HAIR]
    others = [k for k in range(PART_COUNT) if k != HAIR]
    assert torch.equal(c.shape[others], a.shape[others])
    assert torch.equal(c.visible[others], a.visible[others])
    assert torch.equal(c.base[HAIR], b.base[HAIR])  # its light, and what grew around it
    assert torch.equal(c.base[others], a.base[others])
    assert torch.equal(a.replace("nose", b).base, a.base)  # it follows the face


def test_replace_texture_alone_keeps_shape_and_presence():
    a, b = make(0), make(1)
    c = a.replace("hair", b, shape=False)
    assert torch.equal(c.shape, a.shape)
    assert torch.equal(c.visible, a.visible)
    assert torch.equal(c.texture[HAIR], b.texture[HAIR])


def test_lerp_ends_are_exact_and_the_middle_is_the_mean():
    a, b = make(0), make(1)
    assert same(a.lerp(b, 0.0), a)
    assert same(a.lerp(b, 1.0), b)
    assert torch.allclose(a.lerp(b, 0.5).base, (a.base + b.base) / 2)
    part = a.lerp(b, 0.25, parts=["nose"], texture=False)
    assert torch.allclose(part.shape[NOSE], 0.75 * a.shape[NOSE] + 0.25 * b.shape[NOSE])
    assert torch.equal(part.texture, a.texture)
    assert torch.equal(part.base, a.base)


def test_truncate():
    a, mean = make(0), make(1)
    half = a.truncate(mean, 0.5)
    assert torch.allclose(half.shape, (a.shape + mean.shape) / 2, atol=1e-6)
    assert same(a.truncate(mean, 1.0), a)
    assert torch.equal(a.truncate(mean, 0.0).texture, mean.texture)
    assert torch.equal(half.visible, a.visible)


def test_with_visible():
    a = make(0)
    assert a.with_visible(["skin", "nose"]).visible_names == ("skin", "nose")
    assert a.with_visible(PART_NAMES, hidden=["hat"]).visible_names == tuple(
        name for name in PART_NAMES if name != "hat"
    )
    with pytest.raises(LatentsError, match="no part 'beard'"):
        a.with_visible(["beard"])


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_saves_and_loads_bit_for_bit(tmp_path, suffix):
    a = make(3)
    path = tmp_path / f"portrait{suffix}"
    a.save(path)
    assert same(PortraitLatents.load(path), a)
    assert path.stat().st_size < 4000
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(LatentsError, match=r"\.json or \.safetensors"):
        make(0).save(tmp_path / "portrait.pkl")


def document(tmp_path, **changes):
    make(0).save(tmp_path / "good.json")
    values = json.loads((tmp_path / "good.json").read_text()) | changes
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "something"}, "not a portrait"),
        ({"version": 3}, "portrait format 3"),
        ({"parts": ["skin"]}, "other parts"),
        ({"parts": 3}, "damaged"),
        ({"visible": None}, "damaged"),
        ({"base": "AAA"}, "damaged"),
        ({"base": ""}, "damaged"),
        ({"base": "AADAfw=="}, "damaged"),  # fewer numbers than parts
        ({"base": base64.b64encode(np.full(13 * 8, np.nan, "<f4")).decode()}, "not numbers"),
        ({"base": "", "version": 1}, "damaged"),
        ({"shape": "AAAAAAAAAAA="}, "damaged"),
    ],
)
def test_damaged_json(tmp_path, changes, message):
    with pytest.raises(LatentsError, match=message):
        PortraitLatents.load(document(tmp_path, **changes))


@pytest.mark.parametrize("name", ["p.json", "p.safetensors"])
def test_files_of_the_first_version_had_one_base_for_all_parts(tmp_path, name):
    now, path = make(0), tmp_path / name
    now.save(path)
    base = now.base[HAIR].contiguous()
    if path.suffix == ".json":
        first = json.loads(path.read_text()) | {"version": 1}
        first["base"] = base64.b64encode(base.numpy().tobytes()).decode()
        path.write_text(json.dumps(first))
    else:
        codes = load_file(path)
        with safe_open(path, "pt") as file:
            header = file.metadata() | {"version": "1"}
        save_file(codes | {"base": base}, path, header)
    then = PortraitLatents.load(path)
    assert torch.equal(then.base, base.expand(PART_COUNT, -1))
    assert torch.equal(then.shape, now.shape)


@pytest.mark.parametrize("name", ["p.json", "p.safetensors"])
@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\xfe\0", b'"x"', b"[" * 100_000])
def test_foreign_files(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(LatentsError, match=name.replace(".", r"\.")):
        PortraitLatents.load(path)


def test_a_model_file_is_no_portrait(checkpoint):
    with pytest.raises(LatentsError, match="not a portrait"):
        PortraitLatents.load(checkpoint)


def test_missing_file(tmp_path):
    with pytest.raises(LatentsError, match="cannot be read"):
        PortraitLatents.load(tmp_path / "nothing.json")


def test_codes_with_nan_are_refused():
    a = make(0)
    with pytest.raises(LatentsError, match="not numbers"):
        PortraitLatents(a.base * float("nan"), a.shape, a.texture, a.visible)
    with pytest.raises(LatentsError, match=r"texture.*\(12, 6\)"):
        PortraitLatents(a.base, a.shape, a.texture[1:], a.visible)


def test_portraits_of_different_models_do_not_mix(engine):
    with pytest.raises(LatentsError, match="different models"):
        make(0).lerp(make(0, base=9), 0.5)
    with pytest.raises(LatentsError, match="another model"):
        make(0, width=7).check(engine.config)
