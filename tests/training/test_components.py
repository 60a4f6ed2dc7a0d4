"""Principal components of rows that are known in part, and how a model keeps them."""

from __future__ import annotations

import torch

from training.components import in_steps, likely, principal


def test_components_are_found_where_rows_are_known_in_part() -> None:
    generator = torch.Generator().manual_seed(0)
    shares, planes = (torch.randn(size, generator=generator) for size in ((60, 2), (2, 200)))
    rows = 0.3 + shares @ planes
    known = (torch.rand(rows.shape, generator=generator) > 0.1).float()
    mean, components, amounts = principal(rows * known, known, 2)
    left = rows - mean - amounts @ components
    # also where nothing was known
    assert float(left.square().mean()) < 0.02 * float(rows.square().mean())
    assert float((components[0] @ components[1]).abs()) < 1e-2 * float(components[0].norm()) ** 2
    assert float(components[0].norm()) > float(components[1].norm())


def test_who_is_hardly_known_is_near_the_mean() -> None:
    """One component of size 2 on two texels, and a row that is known on one: by hand."""
    components = torch.tensor([[2.0, 2.0]])
    maps = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    known = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    # (4 + 2 * 0.5) a = 2 and (8 + 2 * 0.5) a = 4
    torch.testing.assert_close(
        likely(maps, known, components, 0.5), torch.tensor([[2 / 5], [4 / 9]])
    )
    exact = likely(maps, known, components, 0.0)
    torch.testing.assert_close(exact, torch.tensor([[0.5], [0.5]]))


def test_rows_are_kept_as_whole_numbers_of_their_own_steps() -> None:
    whole, steps = in_steps(torch.tensor([[1.27, -0.634, 0.0], [0.0, 0.0, 0.0]]))
    assert whole.dtype == torch.int8
    assert whole.tolist() == [[127, -63, 0], [0, 0, 0]]
    torch.testing.assert_close(steps[0], torch.tensor(0.01))
