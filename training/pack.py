"""``python -m training pack`` and ``unpack``: data sets and a run in few files of bounded size.

For machines that are lent for minutes and take and give back so many files of so many MiB. A pack
is a folder: pieces of one tar archive, and ``pack.json`` with their checksums, written last. A run
in it is compact: weights and codes in half precision, the optimisers' moments as bfloat16 where
they fit. ``--compact`` halves the bytes of the pictures too, with some loss: WebP, and depth in
coarser steps.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from core.errors import PortraitError
from core.files import write_bytes
from training.data import View, check_names, read_views
from training.state import read_state, write_state

PIECE_MIB = 15.0
_TABLE = "pack.json"
_UNPACKED = "unpacked.json"
_RUN_FILES = ("basis.safetensors", "log.jsonl")
_MIB = 2**20
_TAR_OVERHEAD = 1536  # header and padding of a small file
COMPACT_QUALITY = 93
COMPACT_DEPTH_SCALE = 400.0
"""Steps of 0.4 mm: a twelfth of what `training.encode` expects depth to miss by."""
_HALF = ("model.", "ema.", "book.", "discriminator.")


class PackError(PortraitError):
    """A pack cannot be made or read."""


def pack(
    out: Path,
    *,
    data: Sequence[Path] = (),
    run: Path | None = None,
    mib: float = 40.0,
    piece_mib: float = PIECE_MIB,
    compact: bool = False,
) -> dict[str, int]:
    """Write a pack, replacing the one in ``out``.

    Args:
        data: data sets; as many families (an identity and its siblings) as there is room for.
        run: a run's folder; None for data alone.
        mib: of the whole pack.
        piece_mib: of a piece.
        compact: compress pictures and depth again, with some loss.

    Returns:
        What is in it: "portraits", "pictures", "left out" portraits, "bytes".

    Raises:
        PackError: there is nothing to pack, or the run alone is too big.
        DatasetError: a data set cannot be read, or two have the same name.
        CheckpointError: the run has no state.
    """
    if not data and run is None:
        raise PackError("There is nothing to pack: give --data or --run.")
    check_names(data)
    room = int(mib * _MIB)
    counts = {"portraits": 0, "pictures": 0, "left out": 0}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=1) as tar:
        if run is not None:
            _add_run(tar, run, room)
        for folder in data:
            _add_set(tar, folder, archive, room, counts, compact)
    content = archive.getvalue()
    _write_pieces(out, content, int(piece_mib * _MIB))
    return counts | {"bytes": len(content)}


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _add_run(tar: tarfile.TarFile, run: Path, room: int) -> None:
    tensors, facts = read_state(run / "state.safetensors")
    others = [run / name for name in _RUN_FILES if (run / name).is_file()]
    room -= sum(path.stat().st_size + _TAR_OVERHEAD for path in others)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.safetensors"
        write_state(path, compact_state(tensors, room), facts)
        if path.stat().st_size > room:
            raise PackError(
                f"The run in {run} needs {path.stat().st_size / _MIB:.0f} MiB without its "
                f"optimisers; there is room for {room / _MIB:.0f}. Give a larger --mib."
            )
        for file in (path, *others):
            _add_bytes(tar, f"run/{file.name}", file.read_bytes())


def compact_state(tensors: dict[str, Tensor], room: int) -> dict[str, Tensor]:
    """A training state of at most ``room`` bytes if that can be, which resumes nearly as well.

    The optimisers' moments are left out, the generator's last, where they do not fit: a run then
    goes on with fresh ones.
    """
    groups: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, value in tensors.items():
        group = name.split(".", 1)[0]
        small = value
        if value.is_floating_point() and value.ndim:
            moments = group.endswith("optimizer")  # squares of gradients are too small for float16
            small = value.bfloat16() if moments else value
            if name.startswith(_HALF):
                small = value.clamp(-6e4, 6e4).half()
        groups["kept" if not group.endswith("optimizer") else group][name] = small
    kept = dict(groups["kept"])
    used = sum(value.nbytes for value in kept.values()) + _MIB // 4  # names and facts
    for group in ("optimizer", "discriminator_optimizer"):
        size = sum(value.nbytes for value in groups[group].values())
        if used + size <= room:
            kept |= groups[group]
            used += size
    return kept


def _families(folder: Path) -> Iterator[list[View]]:
    """Views of an identity and all its siblings, family by family."""
    by_base: dict[int, list[View]] = defaultdict(list)
    for view in read_views([folder]):
        by_base[view.factors["global"]].append(view)
    yield from by_base.values()


def _add_set(
    tar: tarfile.TarFile,
    folder: Path,
    archive: io.BytesIO,
    room: int,
    counts: dict[str, int],
    compact: bool,
) -> None:
    rows = {}
    for table in sorted(folder.glob("views*.jsonl")):
        for line in table.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                row = json.loads(line)
                if compact:
                    row["depth_scale"] = COMPACT_DEPTH_SCALE
                rows[row["name"]] = json.dumps(row) + "\n"
    chosen = []
    place = f"data/{folder.resolve().name}"
    families = list(_families(folder))  # says what is wrong with a set
    header = (folder / "dataset.json").read_bytes()
    _add_bytes(tar, f"{place}/dataset.json", header)
    table_size, full = 0, False
    for family in families:
        files: dict[str, bytes] = {}
        for view in [] if full else family:
            for kind, ending in (("images", "jpg"), ("labels", "png"), ("depth", "png")):
                name = f"{kind}/{view.name}.{ending}"
                path = folder / name
                files[name] = _smaller(path, kind, view) if compact else path.read_bytes()
        size = sum(len(content) + _TAR_OVERHEAD for content in files.values())
        lines = sum(len(rows[view.name]) for view in family)
        people = len({view.identity for view in family})
        full = full or archive.tell() + size + table_size + lines + 16 * _TAR_OVERHEAD > room
        if full:
            counts["left out"] += people
            continue
        for name, content in files.items():
            _add_bytes(tar, f"{place}/{name}", content)
        chosen += [rows[view.name] for view in family]
        table_size += lines
        counts["portraits"] += people
        counts["pictures"] += len(family)
    if not chosen:
        raise PackError(f"Not one portrait of {folder} fits into the pack. Give a larger --mib.")
    _add_bytes(tar, f"{place}/views.jsonl", "".join(chosen).encode())


def _smaller(path: Path, kind: str, view: View) -> bytes:
    """A file of a set with fewer bytes; it keeps its name, and readers look at what is inside."""
    content = io.BytesIO()
    with Image.open(path) as picture:
        if kind == "images":
            picture.convert("RGB").save(content, "WEBP", quality=COMPACT_QUALITY, method=5)
        elif kind == "labels":
            picture.save(content, "PNG", optimize=True)
        else:
            depth = np.asarray(picture)
            steps = np.rint(depth * (COMPACT_DEPTH_SCALE / view.depth_scale))
            steps = np.where(depth > 0, np.maximum(steps, 1), 0)  # 0 is background
            Image.fromarray(steps.astype(np.uint16)).save(content, "PNG", optimize=True)
    return content.getvalue()


def _write_pieces(out: Path, content: bytes, piece: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    old = {path for path in out.glob("piece_*") if path.is_file()}
    mark = hashlib.sha256(content).hexdigest()[:8]  # new names: the old pack is whole till the end
    pieces = []
    for number, start in enumerate(range(0, len(content), piece)):
        part = content[start : start + piece]
        name = f"piece_{mark}_{number:02d}"
        write_bytes(out / name, part)
        pieces.append({"name": name, "sha256": hashlib.sha256(part).hexdigest()})
    write_bytes(out / _TABLE, json.dumps({"pieces": pieces}, indent=1).encode())
    for path in old - {out / str(entry["name"]) for entry in pieces}:
        path.unlink()


def unpack(source: Path, out: Path) -> bool:
    """Restore a pack to ``out/data/SET`` and ``out/run``; False where that was done before.

    A pack whose pieces were unpacked to ``out`` already changes nothing there, so that a run which
    has gone on since is not set back.

    Raises:
        PackError: a piece is missing or damaged.
    """
    try:
        table = (source / _TABLE).read_text()
        entries = json.loads(table)["pieces"]
    except (OSError, ValueError, KeyError) as error:
        raise PackError(f"There is no pack in {source}: {error!r}.") from error
    if (out / _UNPACKED).is_file() and (out / _UNPACKED).read_text() == table:
        return False
    content = bytearray()
    for entry in entries:
        try:
            piece = (source / entry["name"]).read_bytes()
        except OSError as error:
            raise PackError(f"A piece of the pack in {source} is missing: {error}.") from error
        if hashlib.sha256(piece).hexdigest() != entry["sha256"]:
            raise PackError(f"{source / entry['name']} is damaged: copy the pack again.")
        content += piece
    out.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(bytes(content))) as tar:
        tar.extractall(out, filter="data")
    write_bytes(out / _UNPACKED, table.encode())
    return True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training pack``."""
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="data sets")
    parser.add_argument("--run", type=Path, dest="folder", help="a run to go on with")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pack")
    parser.add_argument("--mib", type=float, default=40.0, help="of the whole pack (40)")
    parser.add_argument(
        "--compact", action="store_true", help="compress pictures and depth again, with some loss"
    )
    parser.add_argument("--piece-mib", type=float, default=PIECE_MIB, help="of a piece (15)")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training pack``."""
    counts = pack(
        arguments.out,
        data=arguments.data,
        run=arguments.folder,
        mib=arguments.mib,
        piece_mib=arguments.piece_mib,
        compact=arguments.compact,
    )
    size = counts.pop("bytes") / _MIB
    print(f"{arguments.out}: {size:.1f} MiB, " + ", ".join(f"{k} {v}" for k, v in counts.items()))
    return 0
