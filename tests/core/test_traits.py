"""What is kept with people: whole for who is like one of them, nothing halfway between two."""

import pytest
import torch

from core.traits import traits_of

CODES = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 9.0]])
TRAITS = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
ALL = torch.ones(3, dtype=torch.bool)


def at(x: float, y: float, known: torch.Tensor = ALL) -> list[float]:
    return traits_of(torch.tensor([[x, y]]), CODES, TRAITS, known, 1)[0].tolist()


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (0.0, [1.0, 10.0]),  # the person's own code
        (1.0, [1.0, 10.0]),  # a quarter of the way to the next one
        (1.5, [0.5, 10.0]),  # three eighths: half of the amount
        (2.0, [0.0, 10.0]),  # halfway
        (2.5, [1.0, 20.0]),
        (3.0, [2.0, 20.0]),
    ],
)
def test_amounts_fade_between_two_people_and_the_rest_is_of_the_nearer_one(
    x: float, expected: list[float]
) -> None:
    assert at(x, 0.0) == pytest.approx(expected)


def test_who_lacks_the_part_lends_nothing() -> None:
    known = torch.tensor([True, False, True])
    assert at(4.0, 0.0, known) == pytest.approx([0.5 * (0.5 - 4 / (4 + 97**0.5)) / 0.125, 10.0])


def test_a_code_like_nobodys_has_next_to_nothing() -> None:
    assert at(200.0, 300.0)[0] < 0.1


def test_each_of_a_batch_has_their_own() -> None:
    both = traits_of(CODES[[1, 2]], CODES, TRAITS, ALL, 1)
    torch.testing.assert_close(both, TRAITS[[1, 2]])
