"""``python -m training evaluate``: one table, each number beside the renders' own."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from core.camera import Camera
from core.checkpoint import load_checkpoint
from core.config import DEFAULT_TRUNCATION
from core.engine import PortraitEngine, embedded_weights
from core.errors import PortraitError
from core.parts import PART_NAMES
from core.people_mixture import PeopleMixture
from training.data import PortraitSet, read_views
from training.evaluate import (
    agreement,
    bare,
    eyes,
    faces,
    inversion,
    locality,
    segmentation,
    sheet,
    texture,
)
from training.evaluate.distribution import PART_MOST, PART_SPLITS, Distances, distances
from training.evaluate.inception import InceptionFeatures
from training.evaluate.neighbours import largest_shares, nearest
from training.evaluate.pictures import (
    CHUNK,
    FIRST_SEED,
    detail,
    generated,
    generated_features,
    generated_set,
    renders,
)
from training.evaluate.report import Report

SEGMENTER = "segmenter.safetensors"
FACE_YAWS = (0, 15, 30, 45)
BARE_YAWS = (-30, 0, 30)
STEEP = 37.5, 52.5
"""Renders with |yaw| in this range stand beside the model's pictures at 45°, in degrees."""
SHARES = 1000
"""Seeds whose faces are asked for the people that they are blended from: no picture is drawn."""
MUCH = 0.9
"""A face of which one training person is more than this counts as that person's."""
_UNCHANGED = "no pixel changed when the part was swapped"

_Measured = TypeVar("_Measured")


@dataclass(frozen=True)
class Amounts:
    """How much is measured.

    Attributes:
        pictures: random portraits at the held-out cameras, one picture each.
        distribution: the same, for the distances between distributions.
        copies: random portraits whose nearest training picture is looked for.
        faces: portraits rendered at all of ``FACE_YAWS``.
        edits: pairs of portraits whose parts are swapped.
        pairs: pairs of near views.
        people: held-out people that codes are fitted to, in ``steps`` steps.
    """

    pictures: int
    distribution: int
    copies: int
    faces: int
    edits: int
    pairs: int
    people: int
    steps: int


FULL = Amounts(
    pictures=1024,
    distribution=5000,
    copies=200,
    faces=128,
    edits=16,
    pairs=64,
    people=24,
    steps=200,
)
QUICK = Amounts(
    pictures=96, distribution=192, copies=48, faces=16, edits=2, pairs=20, people=4, steps=40
)


class Evaluation:
    """What all measures share: the model, the held-out renders, and the report."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        amounts = QUICK if arguments.quick else FULL
        self.amounts = replace(amounts, edits=arguments.edits or amounts.edits)
        # what is wrong with a file is said before an hour of work
        self.basis = inversion.read_basis(arguments.basis)
        self.inception = InceptionFeatures(arguments.inception) if arguments.inception else None
        if arguments.train_data:
            read_views(arguments.train_data)
        self.weights: Path = arguments.weights or embedded_weights()
        self.engine = PortraitEngine.load(
            self.weights, device=arguments.device, precision="float32"
        )
        self.truncation: float = arguments.truncation
        self.data = PortraitSet(read_views(arguments.data, held_out=True))
        self.renders = renders(self.data)
        self.report = Report()
        count = max(self.amounts.pictures, len(self.renders))
        cameras = [self.renders.cameras[i % len(self.renders)] for i in range(count)]
        self.sample = generated_set(self.engine, cameras, self.truncation)
        self.sheets: Path | None = arguments.sheet
        self.face_features: faces.FaceFeatures | None = None
        self.no_faces = ""
        try:
            self.face_features = faces.FaceFeatures()
        except faces.FacesMissingError as error:
            self.no_faces = str(error)

    def mask_is_true(self) -> None:
        """IoU of a network trained on renders with the model's masks."""
        self.report.heading("mask is true: IoU with a network that has only seen renders")
        net = self._segmenter()
        if net is None:
            reason = "no segmentation network: give --train-data, or a --cache that holds one"
            self.report.without(["mask_miou_ratio"], reason)
            return
        own = segmentation.mask_truth(net, self.sample)
        true = segmentation.mask_truth(net, self.renders)
        both = ~own.iou.isnan() & ~true.iou.isnan()
        for part, name in enumerate(PART_NAMES):
            values = float(own.iou[part]), float(true.iou[part])
            self.report.add(f"mask_iou.{name}", name, *values)
        mine, ceiling = own.mean(both), true.mean(both)
        self.report.add("mask_miou", "mean", mine, ceiling)
        self.report.keep("mask_miou_ratio", mine / ceiling, "no part in common")

    def _segmenter(self) -> segmentation.SegmentationNet | None:
        cache: Path | None = self.arguments.cache
        if cache is not None and (cache / SEGMENTER).exists():
            return segmentation.load_segmenter(cache / SEGMENTER)
        if not self.arguments.train_data:
            return None
        steps = segmentation.STEPS
        print(f"training the segmentation network, {steps} steps", flush=True)
        data = PortraitSet(read_views(self.arguments.train_data))
        net = segmentation.train_segmenter(data, steps)
        if cache is not None:
            facts = {"steps": steps, "pictures": len(data)}
            segmentation.save_segmenter(net, cache / SEGMENTER, facts)
        return net

    def edits_stay_local(self) -> None:
        """Change outside a part whose codes are swapped."""
        pairs = [(FIRST_SEED + 2 * i, FIRST_SEED + 2 * i + 1) for i in range(self.amounts.edits)]
        sums = locality.swap_changes(self.engine, pairs, self.truncation)
        siblings = {n: c.ratio for n, c in locality.sibling_changes(self.data).items()}
        self.report.heading("edits stay local: D_mean^masked / D_mean of a swapped part")
        for (part, kind), total in sums.items():
            self.report.keep(f"edit.{part}.{kind}", total.ratio, _UNCHANGED)
            self.report.keep(f"edit.{part}.{kind}.D_mean", total.whole / total.count, "")
        ratios = locality.part_ratios(sums)
        for part, ratio in ratios.items():
            ceiling = siblings.get(part, math.nan)
            self.report.add(f"edit_outside.{part}", part, ratio, ceiling, reason=_UNCHANGED)
        own, ceiling = locality.headline(ratios), locality.headline(siblings)
        still = ", ".join(part for part in locality.HEADLINE if math.isnan(ratios[part]))
        reason = f"{_UNCHANGED}: {still}"
        name = "mean of " + ", ".join(locality.HEADLINE)
        self.report.add("edit_outside_ratio", name, own, ceiling, reason=reason)
        if self.sheets:
            sheet.edits(self.sheets / "edits.png", self.engine, pairs[0], self.truncation)

    def hair_comes_off(self) -> None:
        """Whether there is a head beneath hidden hair, beside renders of people without any."""
        self.report.heading("hair comes off: the head beneath, from in front and from 30°")
        mine, ceiling = map(bare.mean_head, self._without(bare.HIDING, _head))
        text = "crown above brows : brows to mouth"
        self.report.add("bare_crown", text, mine.crown, ceiling.crown)
        self.report.add("bare_gaps", "share of gaps above the brows", mine.gaps, ceiling.gaps)

    def clothes_come_off(self) -> None:
        """Whether there are shoulders beneath hidden clothes, beside renders without clothes."""
        self.report.heading("clothes come off: the shoulders beneath, from in front and from 30°")
        kinds = self._without(["clothes"], _shoulders)
        for at, key, text in (
            (0, "bare_shoulders", "share of the lowest sixteenth"),
            (1, "bare_smears", "share of the neck that is no skin"),
        ):
            own, ceiling = (bare.mean_known(found[at] for found in kind) for kind in kinds)
            self.report.add(key, text, own, ceiling)

    def _without(
        self, hidden: Collection[str], measure: Callable[[Tensor, Tensor], _Measured]
    ) -> tuple[list[_Measured], list[_Measured]]:
        """Measures of random portraits with parts hidden, and of renders that lack them.

        Args:
            measure: is called with a picture (3, S, S) in [-1, 1] and its labels (S, S).
        """
        own: list[_Measured] = []
        cameras = [Camera.orbit(math.radians(yaw)) for yaw in BARE_YAWS]
        for seed in range(FIRST_SEED, FIRST_SEED + self.amounts.faces):
            shown = self.engine.sample(seed, self.truncation).with_visible(hidden=hidden)
            drawn = self.engine.render(shown, cameras)
            own += map(measure, drawn.image, drawn.labels)
        views = read_views(self.arguments.data, held_out=True)
        if self.arguments.train_data:
            views += read_views(self.arguments.train_data)
        steepest = math.radians(max(BARE_YAWS))
        views = [v for v in views if abs(v.yaw) <= steepest and not v.present & set(hidden)]
        if not views:
            return own, []
        data = PortraitSet(views)
        return own, [measure(data.picture(at), labels) for at, labels in enumerate(data.labels)]

    def views_agree(self) -> None:
        """Pixels carried by depth between near views."""
        pairs = agreement.near_pairs(self.renders, self.amounts.pairs)
        self.report.heading("views agree: pixels carried to another view by depth")
        if not pairs:
            reason = "the held-out set has no two near views of one person"
            self.report.without(["view_disagreement_ratio"], reason)
        else:
            middle = math.degrees(pairs[len(pairs) // 2][0])
            true = agreement.carry_pairs(self.renders, [(a, b) for _, a, b in pairs])
            cameras = [(self.renders.cameras[a], self.renders.cameras[b]) for _, a, b in pairs]
            own = self._carried(cameras)
            text = f"{len(pairs)} pairs {middle:.0f}° apart (median)"
            self._agreement_rows("view", text, own, true)
            ratio = own.disagreement / true.disagreement
            self.report.keep("view_disagreement_ratio", ratio, "no pixel has a partner")
        step = math.radians(10)
        starts = torch.linspace(-0.7, 0.7 - step, self.amounts.pairs).tolist()
        close = self._carried([(Camera.orbit(yaw), Camera.orbit(yaw + step)) for yaw in starts])
        self._agreement_rows("view10", "10° apart", close, agreement.Carried(math.nan, 1, 0))

    def _agreement_rows(
        self, key: str, text: str, own: agreement.Carried, true: agreement.Carried
    ) -> None:
        values = own.disagreement, true.disagreement
        self.report.add(f"{key}_disagreement", f"L1, {text}", *values, form=".4f")
        lonely = math.nan if math.isnan(true.error) else true.orphaned
        self.report.add(f"{key}_orphans", f"no partner, {text}", own.orphaned, lonely)

    def _carried(self, cameras: Sequence[tuple[Camera, Camera]]) -> agreement.Carried:
        """Sums over a new person for each pair of cameras."""
        total = agreement.Carried()
        for i, pair in enumerate(cameras):
            both = generated(self.engine, FIRST_SEED + i, pair, self.truncation)
            total += agreement.carry_pairs(both, [(0, 1)])
        return total

    def people_can_be_fitted(self) -> None:
        """Inversion of held-out people from one view."""
        model, _ = load_checkpoint(self.weights)
        groups = inversion.frontal_first(self.data, self.amounts.people)
        self.report.heading(f"inversion: {len(groups)} unseen people fitted to one view")
        if not groups:
            self.report.without(["inversion_other_l1"], "nobody in the set has two views")
            return
        result = inversion.invert(model, self.data, groups, self.amounts.steps, self.basis)
        for name, errors in (("fitted", result.fitted), ("other", result.others)):
            views = "the fitted view" if name == "fitted" else "the other views"
            add = self.report.add
            add(f"inversion_{name}_l1", f"L1, {views}", errors.l1, 0.0, ".4f")
            add(f"inversion_{name}_psnr", f"PSNR in dB, {views}", errors.psnr, form=".2f")
            add(f"inversion_{name}_mask_iou", f"mask IoU, {views}", errors.mask_iou, 1.0)
            add(f"inversion_{name}_depth", f"depth error, {views}", errors.depth, 0.0, ".4f")
        if self.sheets:
            sheet.rows(self.sheets / "inversion.png", result.pictures)

    def faces_are_faces(self) -> None:
        """What an independent face detector and its landmarks say."""
        self.report.heading("faces, by mediapipe's detector and landmarks")
        keys = ["face_found_30", "face_found_45", "yaw_mae_deg", "people_between"]
        try:
            finder = faces.FaceFinder()
        except faces.FacesMissingError as error:
            self.report.without(keys, str(error))
            return
        found: dict[int, list[faces.Face]] = {yaw: [] for yaw in FACE_YAWS}
        same: list[faces.Face] = []
        for i in range(self.amounts.faces):
            yaws = [side * yaw for yaw in FACE_YAWS for side in ((1, -1) if yaw else (1,))]
            cameras = [Camera.orbit(math.radians(yaw)) for yaw in yaws]
            pictures = generated(self.engine, FIRST_SEED + i, cameras, self.truncation)
            for yaw, face in zip(yaws, finder.find_all(pictures), strict=True):
                found[abs(yaw)].append(face)
                if abs(yaw) <= 15:
                    same.append(face)
        true = finder.find_all(self.renders)
        turned = [abs(math.degrees(camera.yaw)) for camera in self.renders.cameras]
        banded = lambda low, high: [f for f, y in zip(true, turned, strict=True) if low <= y < high]  # noqa: E731
        for yaw, own in found.items():
            near = banded(*((yaw - 7.5, yaw + 7.5) if yaw < 45 else STEEP))
            text = f"exactly one face at |yaw| {yaw}°"
            shares = faces.found_share(own), faces.found_share(near)
            self.report.add(f"face_found.{yaw}", text, *shares)
        front = [face for yaw in FACE_YAWS if yaw <= 30 for face in found[yaw]]
        ceiling = faces.found_share(banded(0, STEEP[0]))
        text = "exactly one face at |yaw| ≤ 30°"
        self.report.add("face_found_30", text, faces.found_share(front), ceiling)
        self.report.keep("face_found_45", faces.found_share(found[45]), "")
        seen = finder.find_all(self.sample)
        own_error, own_share = faces.yaw_error(seen, self.sample)
        true_error, true_share = faces.yaw_error(true, self.renders)
        self.report.add("yaw_mae_deg", "yaw error in degrees", own_error, true_error, ".2f")
        pitches = faces.pitch_errors(seen, self.sample, true, self.renders)
        self.report.add("pitch_mae_deg", "pitch error in degrees", *pitches, ".2f")
        self.report.add("yaw_known", "share with landmarks", own_share, true_share)
        views = len(same) // max(self.amounts.faces, 1)
        who = [i // views for i in range(len(same))]
        between, within = faces.shape_distances(same, who)
        near_front = [i for i, y in enumerate(turned) if y <= 20]
        people = [self.renders.people[i] for i in near_front]
        ceilings = faces.shape_distances([true[i] for i in near_front], people)
        self.report.add("people_between", "face shape, between people", between, ceilings[0])
        self.report.add("people_within", "face shape, views of one", within, ceilings[1])

    def distribution(self) -> None:
        """Detail, and Fréchet and kernel distance to the renders."""
        self.report.heading("distribution: distances to the renders in networks' features")
        sharpness = detail(self.sample.image), detail(self.renders.image)
        self.report.add("detail", "difference of neighbouring pixels", *sharpness, form=".4f")
        spaces: dict[str, Callable[[Tensor], Tensor]] = {}
        if self.face_features is not None:
            spaces[""] = self.face_features
        else:
            self.report.without(["frechet_ratio", "kernel"], self.no_faces)
        if self.inception is not None:
            spaces["inception_"] = self.inception
        if len(set(self.renders.people)) < 2:
            self.report.without(["frechet_ratio"], "halves need at least two people")
            return
        count = self.amounts.distribution
        measured = generated_features(
            self.engine, self.renders.cameras, count, self.truncation, list(spaces.values())
        )
        for (key, features), own in zip(spaces.items(), measured, strict=True):
            result = distances(own, features(self.renders.image), self.renders.people)
            self._add_distances(key, "Inception" if key else "landmark network", result)
            self.report.keep(f"{key}frechet_ratio", result.frechet / result.frechet_floor, "")
        self._eyes()

    def _eyes(self) -> None:
        """The same distances of eyes alone."""
        if self.face_features is None:
            self.report.without(_keys("eyes_"), self.no_faces)
            return
        features = eyes.EyeFeatures()
        (own, _), true = features(self.sample), features(self.renders)
        self._part_distances("eyes_", "eyes in the iris network", own, *true)

    def textures(self) -> None:
        """The same distances of hair, clothes and skin, in features that know textures."""
        self.report.heading("texture: distances to the renders in an ImageNet network's features")
        try:
            features = texture.TextureFeatures()
        except texture.TexturesMissingError as error:
            keys = [key for name in texture.REGIONS for key in _keys(f"texture_{name}_")]
            self.report.without(keys, str(error))
            return
        own, true = features(self.sample), features(self.renders)
        for name in texture.REGIONS:
            self._part_distances(f"texture_{name}_", name, own[name][0], *true[name])

    def _part_distances(
        self, key: str, text: str, own: Tensor, true: Tensor, people: list[int]
    ) -> None:
        """Distances between features of a part that not every picture shows."""
        if len(set(people)) < 2 or 2 * len(own) < len(true):
            self.report.without(_keys(key), f"too few pictures show it: {text}")
            return
        result = distances(own, true, people, splits=PART_SPLITS, most=PART_MOST)
        self._add_distances(key, text, result)

    def _add_distances(self, key: str, text: str, result: Distances) -> None:
        """A row each of Fréchet and kernel distance, beside those between halves of the renders."""
        text = f"{text}, {result.count} a side"
        frechet, kernel = _keys(key)
        values = result.frechet, result.frechet_floor
        self.report.add(frechet, f"Fréchet, {text}", *values, form=".2f")
        values = result.kernel, result.kernel_floor
        self.report.add(kernel, f"kernel, {text}", *values, form=".4f")

    def nobody_is_copied(self) -> None:
        """Who faces come from; the training picture nearest to each, beside held-out renders'."""
        self.report.heading("nobody is copied: distance to the nearest training picture")
        mapping = self.engine.mapping
        if isinstance(mapping, PeopleMixture):
            shares = largest_shares(mapping, range(FIRST_SEED, FIRST_SEED + SHARES))
            much = float((shares > MUCH).float().mean())
            self.report.add(
                "face_share", "one person's share of a face, median", float(shares.median())
            )
            self.report.add("face_share_much", f"faces of which one person is over {MUCH:g}", much)
        if self.face_features is None:
            self.report.without(["nearest_training"], self.no_faces)
            return
        if not self.arguments.train_data:
            self.report.without(["nearest_training"], "no training renders: give --train-data")
            return
        training = PortraitSet(read_views(self.arguments.train_data))
        rows = [
            torch.arange(len(training))[start : start + CHUNK]
            for start in range(0, len(training), CHUNK)
        ]
        known = torch.cat([self.face_features(training.picture(chunk.tolist())) for chunk in rows])
        sample = self.sample.pick(range(min(self.amounts.copies, len(self.sample))))
        own = nearest(self.face_features(sample.image), known)
        true = nearest(self.face_features(self.renders.image), known)
        for key, share in (("nearest_training", 0.5), ("nearest_training_closest", 0.05)):
            text = "median" if share == 0.5 else "5 % of portraits are closer"
            mine, ceiling = (float(found.distances.quantile(share)) for found in (own, true))
            self.report.add(key, text, mine, ceiling)
        if self.sheets:
            order = own.distances.argsort().tolist()
            pairs = [(sample.image[i], training.picture([int(own.rows[i])])[0]) for i in order]
            sheet.pairs(self.sheets / "nearest.png", pairs)

    def samples(self) -> None:
        """The sheet of random portraits."""
        if self.sheets:
            sheet.samples(self.sheets / "samples.png", self.engine, self.truncation)

    def run(self) -> None:
        """All measures, one after the other."""
        measures: list[Callable[[], None]] = [
            self.samples,
            self.faces_are_faces,
            self.distribution,
            self.textures,
            self.mask_is_true,
            self.edits_stay_local,
            self.hair_comes_off,
            self.clothes_come_off,
            self.views_agree,
            self.people_can_be_fitted,
            self.nobody_is_copied,
        ]
        for measure in measures:
            started = time.monotonic()
            measure()
            if self.arguments.json:  # the last measures take half of an hour, and may fail
                self.report.write(self.arguments.json)
            print(f"{measure.__name__}: {time.monotonic() - started:.0f} s", flush=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training evaluate``."""
    parser.add_argument("--weights", type=Path, help="model file (default: the embedded one)")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="data sets with held-out identities"
    )
    parser.add_argument("--quick", action="store_true", help="fewer samples: about two minutes")
    parser.add_argument(
        "--edits",
        type=int,
        metavar="PAIRS",
        help=f"pairs of portraits whose parts are swapped (default {FULL.edits}; with --quick "
        f"{QUICK.edits}, too few to tell models apart)",
    )
    parser.add_argument(
        "--json", type=Path, help="write the numbers to this file, measure by measure"
    )
    parser.add_argument("--previous", type=Path, help="JSON file of an earlier model, to compare")
    parser.add_argument("--sheet", type=Path, help="folder for pictures of what was measured")
    parser.add_argument(
        "--train-data",
        type=Path,
        nargs="+",
        default=[],
        help="renders for training, on which the segmentation network is trained",
    )
    parser.add_argument(
        "--inception",
        type=Path,
        help="a TorchScript file of Inception-v3, for Fréchet distances that compare with papers",
    )
    parser.add_argument("--cache", type=Path, help="folder that keeps the segmentation network")
    parser.add_argument(
        "--basis", type=Path, help="the run's basis.safetensors, from which inversion starts"
    )
    parser.add_argument(
        "--truncation",
        type=float,
        default=DEFAULT_TRUNCATION,
        help=f"of the random portraits (default {DEFAULT_TRUNCATION}, as users get them)",
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training evaluate``."""
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    previous = _previous(arguments.previous)
    evaluation = Evaluation(arguments)
    evaluation.run()
    report = evaluation.report
    info = evaluation.engine.checkpoint_info
    print(
        f"\n{evaluation.weights}: "
        + ", ".join(f"{key} {info[key]}" for key in ("steps", "minutes", "mode") if key in info)
        + f"; truncation {evaluation.truncation}, {len(evaluation.sample)} random portraits, "
        f"{len(evaluation.renders)} held-out renders of {len(evaluation.data.identities)} people\n"
    )
    print(report.text(previous))
    return 0


def _keys(prefix: str) -> list[str]:
    """Of both distances."""
    return [f"{prefix}frechet", f"{prefix}kernel"]


def _head(_: Tensor, labels: Tensor) -> bare.BareHead | None:
    return bare.bare_head(labels)


def _shoulders(image: Tensor, labels: Tensor) -> tuple[float, float | None]:
    return bare.bare_shoulders(labels), bare.bare_smears(image, labels)


def _previous(path: Path | None) -> dict[str, float] | None:
    if path is None:
        return None
    try:
        values = json.loads(path.read_text())
        return {key: float(v) for key, v in values.items() if isinstance(v, int | float)}
    except (OSError, ValueError, AttributeError) as error:
        raise PortraitError(f"{path} is not the JSON file of an evaluation ({error}).") from error
