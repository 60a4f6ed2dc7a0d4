"""Contact sheets of seeds."""

import numpy as np
import pytest

from core.camera import Camera
from core.compositing import display_picture
from core.errors import PortraitError
from core.sheet import contact_sheet, parse_seeds


def test_each_portrait_stands_in_its_place_with_its_number_below(engine):
    sheet = contact_sheet(engine, [3, 4, 11], columns=2, tile=32)
    assert sheet.shape == (2 * (32 + 7 + 2) + 2, 2 * (32 + 2) + 2, 4)
    for seed, (top, left) in {3: (2, 2), 4: (2, 36), 11: (43, 2)}.items():
        rendering = engine.render(engine.sample(seed), Camera.orbit(0.0), size=(32, 32))
        picture = display_picture(rendering)
        np.testing.assert_array_equal(sheet[top : top + 32, left : left + 32], picture)
    ink = (sheet[34:41, :, 0] < 0.5).numpy()
    assert ink[:, 2:5].sum() == 11 and ink[:, 36:39].sum() == 9  # a 3 and a 4, 3 × 5 pixels
    eleven = (sheet[75:82, 2:36, 0] < 0.5).numpy()
    assert eleven.sum() == 16 and (eleven[:, :3] == eleven[:, 4:7]).all()
    assert (sheet[43:, 36:, :3] > 0.9).all()  # nobody


def test_seeds_are_written_as_a_range_or_a_list():
    assert parse_seeds("0:4") == [0, 1, 2, 3]
    assert parse_seeds("7, 3,10:12") == [7, 3, 10, 11]
    for wrong in ("", "4:4", "a", "-1", "3:", ":3", "1,,2"):
        with pytest.raises(PortraitError, match="seed"):
            parse_seeds(wrong)
    for many in ("0:9999999999", "0:" + "9" * 30, "1," * 9 + "0:1000000"):  # told, not counted
        with pytest.raises(PortraitError, match="seeds"):
            parse_seeds(many)


def test_a_number_that_does_not_fit_is_left_out(engine):
    sheet = contact_sheet(engine, [1234, 12345], columns=2, tile=16)
    ink = (sheet[18:, :, 0] < 0.5).numpy()
    assert ink[:, 2:18].any() and not ink[:, 20:].any()


def test_progress_can_stop_a_sheet(engine):
    def stop(share):
        if share >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        contact_sheet(engine, range(4), tile=16, progress=stop)


def test_bad_sizes_are_refused(engine):
    with pytest.raises(PortraitError, match="at least one column, not 0"):
        contact_sheet(engine, [1], columns=0)
    with pytest.raises(PortraitError, match="16 to 1024 pixels a side, not 4"):
        contact_sheet(engine, [1], tile=4)
    with pytest.raises(PortraitError, match="fewer seeds"):
        contact_sheet(engine, range(100_000))
    with pytest.raises(PortraitError, match="no seed"):
        contact_sheet(engine, [])
