import copy
import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import torch as safetensors_torch

from core.checkpoint import BYTES, load_checkpoint, save_checkpoint
from core.config import ModelConfig
from core.errors import CheckpointError
from core.model import SSGAN3D
from core.model_card import MAX_BYTES, read_card


def split(path: Path) -> tuple[dict, bytes]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def write(path: Path, header: dict, body: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def test_weights_and_facts_come_back(model, checkpoint):
    loaded, info = load_checkpoint(checkpoint)
    assert info == {"steps": 3, "licence": "CC0-1.0"}
    assert loaded.config == model.config
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_compact_stores_float16_and_bytes_and_loads_float32(model, tmp_path, checkpoint):
    path = tmp_path / "compact.safetensors"
    model = copy.deepcopy(model)
    for group in model.generators.groups:  # of which steps are no normal halves
        group.color_basis.data.copy_(torch.randn(group.color_basis.shape) * 1e-3)
    save_checkpoint(path, model, {}, compact=True)
    assert path.stat().st_size < 0.5 * checkpoint.stat().st_size
    loaded, _ = load_checkpoint(path)
    for name, tensor in model.state_dict().items():
        found, axes = loaded.state_dict()[name], BYTES.get(name.split(".")[-1])
        assert found.dtype == torch.float32
        if axes is None:
            assert torch.equal(found, tensor.half().float()), name
        else:
            most = tensor.abs().amax(axes, keepdim=True)
            assert bool(((found - tensor).abs() <= 0.52 / 127 * most + 1e-6).all()), name
    save_checkpoint(again := tmp_path / "again.safetensors", loaded, {}, compact=True)
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(load_checkpoint(again)[0].state_dict()[name], tensor), name


def test_steps_of_another_shape_are_refused(model, tmp_path):
    path = tmp_path / "compact.safetensors"
    save_checkpoint(path, model, {}, compact=True)
    header, body = split(path)
    name = next(name for name in header if name.endswith("position.step"))
    shape = header[name]["shape"]
    header[name]["shape"] = [shape[2], *shape[:2]]
    with pytest.raises(CheckpointError, match="do not fit"):
        load_checkpoint(write(path, header, body))


def test_loading_leaves_random_numbers_alone(checkpoint):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_checkpoint(checkpoint)
    assert torch.equal(torch.rand(3), expected)


def test_a_failed_save_keeps_the_old_file(model, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"precious")
    with pytest.raises(CheckpointError, match="not JSON"):
        save_checkpoint(path, model, {"object": object()})
    broken = SSGAN3D(model.config)
    broken.mapping.head.bias.data[0] = 1e6
    with pytest.raises(CheckpointError, match=r"mapping\.head\.bias.*float16"):
        save_checkpoint(path, broken, {}, compact=True)
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match="There is no model file .*nothing.safetensors"):
        load_checkpoint(tmp_path / "nothing.safetensors")


def test_folder(tmp_path):
    with pytest.raises(CheckpointError, match="not a file"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x80\x04\x95" * 100, b"\0" * 64])
def test_foreign_bytes(tmp_path, content):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_checkpoint(path)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_truncated(tmp_path, checkpoint, share):
    path = tmp_path / "short.safetensors"
    data = checkpoint.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match="ends too early.*Copy it again"):
        load_checkpoint(path)


def test_oversized_is_refused_unread(tmp_path):
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse: takes no disk
    with pytest.raises(CheckpointError, match="1024 MiB"):
        load_checkpoint(path)


def test_another_safetensors_file(tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors_torch.save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="no portrait model"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("version", "2", "model format 2.*reads format 1"),
        ("parts", '["background", "beard"]', "other parts .background, beard"),
        ("config", "{}", "configuration does not fit"),
        ("config", "[]", "no configuration"),
        ("info", "{not json", "header of .* is broken"),
    ],
)
def test_header_of_another_version(tmp_path, checkpoint, field, value, message):
    header, body = split(checkpoint)
    header["__metadata__"][field] = value
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(write(tmp_path / "model.safetensors", header, body))


def test_configuration_that_asks_for_more_than_the_file_holds(tmp_path, checkpoint):
    header, body = split(checkpoint)
    config = json.loads(header["__metadata__"]["config"])
    config["hidden"] = 10**6  # would take terabytes if it were believed
    header["__metadata__"]["config"] = json.dumps(config)
    with pytest.raises(CheckpointError, match="too few weights"):
        load_checkpoint(write(tmp_path / "model.safetensors", header, body))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("z_dim", "128"),
        ("people", 2.5),
        ("shuffle_blur", 1),
        ("near", None),
        ("render_channels", []),
        ("geometry_window", [0, 1, 2]),
    ],
)
def test_configuration_of_the_wrong_kind(tmp_path, checkpoint, field, value):
    header, body = split(checkpoint)
    config = json.loads(header["__metadata__"]["config"]) | {field: value}
    if field == "render_channels":
        config["image_size"] = config["ray_size"]
    header["__metadata__"]["config"] = json.dumps(config)
    with pytest.raises(CheckpointError, match="configuration is broken"):
        load_checkpoint(write(tmp_path / "model.safetensors", header, body))


def test_header_with_a_place_that_is_no_number(tmp_path, checkpoint):
    header, body = split(checkpoint)
    header["mapping.head.bias"]["data_offsets"] = [0, "end"]
    with pytest.raises(CheckpointError, match="no safetensors file|not a safetensors file"):
        load_checkpoint(write(tmp_path / "model.safetensors", header, body))


def test_weights_of_another_configuration(tmp_path, checkpoint):
    header, body = split(checkpoint)
    config = ModelConfig.tiny().to_dict() | {"base_dim": 7}
    header["__metadata__"]["config"] = json.dumps(config)
    with pytest.raises(CheckpointError, match="do not fit its configuration"):
        load_checkpoint(write(tmp_path / "model.safetensors", header, body))


def test_weights_that_are_not_numbers(tmp_path, checkpoint):
    header, body = split(checkpoint)
    start, end = header["mapping.head.bias"]["data_offsets"]
    body = body[:start] + b"\xff" * (end - start) + body[end:]  # NaN in float32
    with pytest.raises(CheckpointError, match="not finite"):
        load_checkpoint(write(tmp_path / "model.safetensors", header, body))


def test_a_model_files_card_says_what_it_is(model, tmp_path):
    path = tmp_path / "faces.safetensors"
    save_checkpoint(path, model, {"name": "faces", "portraits": 1200}, licence="CC-BY-4.0")
    card = read_card(path)
    assert (card.name, card.data, card.licence) == ("faces", "1,200 portraits", "CC-BY-4.0")
    assert card.image_size == model.config.image_size
    assert card.parameters == sum(tensor.numel() for tensor in model.state_dict().values())
    assert card.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_card_of_a_broken_header_says_so_in_words(checkpoint, tmp_path):
    header, body = split(checkpoint)
    header["__metadata__"]["config"] = "[]"
    with pytest.raises(CheckpointError, match="header of .* is broken"):
        read_card(write(tmp_path / "broken.safetensors", header, body))


def test_tiny_weights_stay_as_they_are_when_they_are_written_again(random_model, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Steps of theirs are so small that half precision rounds them by a tenth and more."""
    model = random_model(ModelConfig.tiny())
    basis = model.generators.groups[0].color_basis
    sizes = torch.logspace(-9, -2, basis.numel() // basis[0, 0].numel())
    basis.copy_(torch.rand_like(basis) * sizes.view(*basis.shape[:2], 1, 1, 1))
    paths = [tmp_path / "1.safetensors", tmp_path / "2.safetensors"]
    save_checkpoint(paths[0], model, {}, compact=True)
    first, _ = load_checkpoint(paths[0])
    save_checkpoint(paths[1], first, {}, compact=True)
    second, _ = load_checkpoint(paths[1])
    kept = [one.generators.groups[0].color_basis for one in (first, second)]
    assert torch.equal(*kept)
    assert float((kept[0] - basis).abs().max()) < 1e-4
