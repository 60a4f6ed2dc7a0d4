"""How long a run goes on: so many steps or minutes, with a line and a copy now and then."""

from __future__ import annotations

import json

import pytest
import torch

from training import budget as module
from training.budget import Budget


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that pass as a test says."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_so_many_steps(capsys: pytest.CaptureFixture[str]) -> None:
    budget, saved = Budget(60, 4, report_every=2, save=lambda spent: saved.append(spent)), []
    seen = []
    for progress in budget:
        seen.append(progress)
        budget.note({"image": float(budget.step), "mask": torch.tensor(0.5)})
    assert seen == [0, 0.25, 0.5, 0.75]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["steps"] for line in lines] == [1, 2, 4]
    assert [line["image"] for line in lines] == [0, 1, 2.5]  # means of the steps since the last
    assert [line["mask"] for line in lines] == [0.5, 0.5, 0.5]
    assert [spent["steps"] for spent in saved] == [4]


def test_no_minutes_are_no_steps() -> None:
    saved: list[dict[str, float]] = []
    assert list(Budget(0, save=saved.append)) == []
    assert saved == [{"steps": 0, "minutes": 0.0}]


def test_so_many_minutes_and_a_copy_on_the_way(clock: list[float]) -> None:
    saved = []
    budget = Budget(1, save=saved.append, save_minutes=0.5)
    seen = []
    for progress in budget:
        seen.append(progress)
        clock[0] += 20
    assert seen == pytest.approx([0, 1 / 3, 2 / 3])
    assert budget.spent() == {"steps": 3, "minutes": 1.0}
    # after 40 seconds, 20 of them late, and at the end
    assert [spent["steps"] for spent in saved] == [2, 3]
