"""``python -m training export``: a run's averaged generator as a model file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.config import ModelConfig
from core.errors import PortraitError
from core.model import SSGAN3D
from core.model_card import WEIGHTS_FOLDER
from core.people_mixture import PeopleMixture
from training.codes import CodeBook, Codes, FactorIndex
from training.data import presence_of, read_views
from training.discriminator import write_discriminator
from training.fit_mapping import fit_mapping, mixed_people
from training.model_files import write_model
from training.state import read_state, unprefixed


@dataclass
class PortraitRows:
    """Which rows of the code book the run's portraits have.

    Attributes:
        base: (P,) rows of w_base.
        parts: (P, K) rows of the part codes.
        presence: (P, K) bool, which parts a portrait has.
        usual: (P,) bool, portraits that are no siblings.
        identity: (P,) numbers of their identities; None where the state does not say.
        generators: versions of the generators that rendered the data.
    """

    base: Tensor
    parts: Tensor
    presence: Tensor
    usual: Tensor
    identity: Tensor | None
    generators: list[str]

    def codes(self, book: CodeBook) -> Codes:
        """Codes of all portraits."""
        with torch.no_grad():
            base, shape, texture = book(self.base, self.parts)
        return base, shape, texture

    def led_by(self, people: Sequence[int]) -> PortraitRows:
        """The same portraits, those of ``people`` first and in their order.

        A mixture that goes on from another one keeps its people's places, and so a seed its people.
        """
        if self.identity is None:
            return self
        place = {identity: number for number, identity in enumerate(people)}
        last = len(place)
        places = [
            place.get(identity, last) if usual else last
            for identity, usual in zip(self.identity.tolist(), self.usual.tolist(), strict=True)
        ]
        order = torch.tensor(sorted(range(len(places)), key=places.__getitem__))
        return PortraitRows(
            self.base[order],
            self.parts[order],
            self.presence[order],
            self.usual[order],
            self.identity[order],
            self.generators,
        )


def stored_rows(tensors: dict[str, Tensor], facts: dict[str, Any]) -> PortraitRows | None:
    """The rows as the trainer stores them; None in states of trainers that did not."""
    stored = unprefixed("index", tensors)
    if not stored:
        return None
    return PortraitRows(
        stored["base_rows"],
        stored["part_rows"],
        stored["presence"].bool(),
        stored.get("usual", torch.ones(len(stored["presence"]))).bool(),
        stored.get("identity"),
        list(facts["generators"]),
    )


def rows_from_data(facts: dict[str, Any], folders: Sequence[Path]) -> PortraitRows:
    """The rows of those portraits in ``folders`` that the run knows.

    Raises:
        PortraitError: the run knows none of them.
    """
    views = read_views(folders)
    firsts = list({view.person: view for view in reversed(views)}.values())[::-1]
    index = FactorIndex.build(firsts)
    known = [{name: row for row, name in enumerate(facts[key])} for key in _NAMES]
    base, parts, presence = [], [], presence_of(firsts)
    usual = torch.tensor([view.usual for view in firsts])
    identity = torch.tensor([view.identity for view in firsts])
    keep = []
    for portrait, (base_row, part_rows) in enumerate(
        zip(index.base_rows.tolist(), index.part_rows.tolist(), strict=True)
    ):
        names = [index.names[1][row] for row in part_rows]
        if index.names[0][base_row] in known[0] and all(name in known[1] for name in names):
            keep.append(portrait)
            base.append(known[0][index.names[0][base_row]])
            parts.append([known[1][name] for name in names])
    if not keep:
        raise PortraitError(
            f"The run was not trained on {', '.join(map(str, folders))}: it knows none of the "
            "portraits there. Give its data sets with --data."
        )
    generators = sorted({view.generator for view in views})
    return PortraitRows(
        torch.tensor(base),
        torch.tensor(parts),
        presence[keep],
        usual[keep],
        identity[keep],
        generators,
    )


_NAMES = ("base_names", "part_names")


def averaged_model(
    run: Path, data: Sequence[Path] = (), name: str = "portrait256"
) -> tuple[SSGAN3D, dict[str, Any]]:
    """The averaged generator of a run, with a mapping network that fits it, and facts about it.

    A mapping network that was never trained is fitted to the codes of the run's portraits.

    Args:
        run: folder of the run.
        data: the run's data sets; only for states that do not hold the rows of their portraits.

    Raises:
        CheckpointError: the run has no state, or a broken one.
        PortraitError: the data is needed and not given, or another run's.
    """
    tensors, facts = read_state(run / "state.safetensors")
    model = SSGAN3D(ModelConfig.from_dict(facts["config"]))
    model.load_state_dict(unprefixed("ema", tensors))
    rows = stored_rows(tensors, facts)
    if rows is None and data:
        rows = rows_from_data(facts, data)
    mode = facts["options"]["mode"]
    trained = mode == "adversarial"
    if not trained:
        if rows is None:
            raise PortraitError(
                f"The state of {run} does not say which portraits have which codes. Give the run's "
                "data sets: --data " + " ".join(facts["options"]["data"])
            )
        rows = rows.led_by((facts.get("ancestor") or {}).get("people", []))
        book = unprefixed("book", tensors)
        codes = rows.codes(CodeBook(book["base"], book["shape"], book["texture"]))
        fit_mapping(model, codes, rows.presence, rows.usual)
    info = {
        "name": name,
        "mode": mode,
        "mapping": _mapping_fact(model, trained),
        "steps": int(facts["step"]),
        "minutes": round(float(facts["seconds"]) / 60, 1),
        "portraits": int(facts["portraits"]),
        "pictures": int(facts["pictures"]),
        "generators": rows.generators if rows else [],
    }
    people = _identities(model, rows) if rows and not trained else []
    if people:
        info["people"] = people
    if facts.get("ancestor"):
        # its people are found among these, or nowhere: their numbers say nothing here
        before = {key: value for key, value in facts["ancestor"].items() if key != "people"}
        info["trained further from"] = before
    return model, info


def _identities(model: SSGAN3D, rows: PortraitRows) -> list[int]:
    """Identity numbers of the people that a model mixes; empty where they name nobody."""
    if not isinstance(model.mapping, PeopleMixture) or rows.identity is None:
        return []
    people = rows.identity[mixed_people(rows.usual, model.config.people)].tolist()
    return people if len(set(people)) == len(people) else []  # numbers of several data sets


def _mapping_fact(model: SSGAN3D, trained: bool) -> str:
    if isinstance(model.mapping, PeopleMixture):
        return "mixes the codes of training portraits"
    return "trained" if trained else "fitted to the codes of the training portraits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training export``."""
    parser.add_argument("--run", type=Path, required=True, dest="folder", help="folder of the run")
    parser.add_argument(
        "--out",
        type=Path,
        default=WEIGHTS_FOLDER / "portrait256.safetensors",
        help="model file to write (default: the one that the extension embeds)",
    )
    parser.add_argument(
        "--discriminator",
        type=Path,
        help="also write the run's discriminator here, for `train --start-discriminator`",
    )
    parser.add_argument("--name", help="name of the model (default: that of the file)")
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        default=[],
        help="the run's data sets; only for states that do not describe their portraits",
    )


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training export``."""
    torch.manual_seed(0)
    model, info = averaged_model(
        arguments.folder, arguments.data, arguments.name or arguments.out.stem
    )
    write_model(arguments.out, model, info)
    if arguments.discriminator:
        tensors, facts = read_state(arguments.folder / "state.safetensors")
        judge = unprefixed("discriminator", tensors)
        write_discriminator(arguments.discriminator, judge, float(facts["augmentation"]))
    size = arguments.out.stat().st_size / 2**20
    print(f"{arguments.out}: {size:.1f} MiB, " + ", ".join(f"{k} {v}" for k, v in info.items()))
    return 0
