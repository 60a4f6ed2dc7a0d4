from pathlib import Path

import pytest
import torch

from core.errors import CheckpointError
from training.state import (
    optimizer_tensors,
    prefixed,
    read_state,
    restore_optimizer,
    unprefixed,
    write_state,
)


def test_state_comes_back_as_it_was(tmp_path: Path) -> None:
    tensors = {"a.x": torch.randn(3, 2), "a.y": torch.tensor([True, False]), "b.x": torch.ones(1)}
    facts = {"step": 7, "names": ["one", "two"], "config": {"near": None}}
    write_state(tmp_path / "run" / "state.safetensors", tensors, facts)
    again, told = read_state(tmp_path / "run" / "state.safetensors")
    assert told == facts
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[key], value) for key, value in tensors.items())
    assert unprefixed("a", again).keys() == {"x", "y"}
    assert prefixed("a", unprefixed("a", again).items()).keys() == {"a.x", "a.y"}
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["state.safetensors"]


def test_a_failed_write_keeps_the_old_state(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    write_state(path, {"x": torch.ones(1)}, {"step": 1})
    with pytest.raises(TypeError):
        write_state(path, {"x": torch.zeros(1)}, {"step": object()})
    tensors, facts = read_state(path)
    assert facts["step"] == 1
    assert float(tensors["x"]) == 1


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_a_broken_state_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "state.safetensors"
    if damage != "missing":
        write_state(path, {"x": torch.ones(1000)}, {"step": 1})
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if damage == "truncated" else b"something else")
    with pytest.raises(CheckpointError, match=r"state\.safetensors"):
        read_state(path)


def test_optimizer_goes_on_where_it_stopped() -> None:
    def steps(optimizer: torch.optim.Optimizer, values: torch.nn.Parameter, count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            (values**4).sum().backward()
            optimizer.step()

    first = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    one = torch.optim.Adam([first], 0.1)
    steps(one, first, 3)
    second = torch.nn.Parameter(first.detach().clone())
    two = torch.optim.Adam([second], 0.1)
    stored = {key: value.clone() for key, value in optimizer_tensors("o", one).items()}
    restore_optimizer("o", two, stored)
    steps(one, first, 2)
    steps(two, second, 2)
    assert torch.equal(first, second)


def test_optimizer_state_of_another_size_is_left_out() -> None:
    grown, kept = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(3))
    old = torch.optim.Adam([grown, kept], 0.1)
    (grown.sum() + kept.sum()).backward()
    old.step()
    new = torch.optim.Adam([torch.nn.Parameter(torch.ones(4)), kept], 0.1)
    restore_optimizer("o", new, optimizer_tensors("o", old))
    assert list(new.state_dict()["state"]) == [1]
