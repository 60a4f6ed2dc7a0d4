"""Render hundreds of portraits from a table; a run that was killed goes on where it stopped.

    blender -b --python examples/batch_portraits.py -- jobs.csv --out DIR
    .venv/bin/python examples/batch_portraits.py -- jobs.csv --out DIR

The table has a line of column names and then a portrait a line. ``name`` is needed, the others have
defaults: seed (0), wanted (such as ``hair_style=afro age=old``: the first seed from that one on who
is so), truncation (1), yaw and pitch (degrees, 0), size (pixels, 256), parts (changes such as
``hair=22 hat=hide glasses=show``), mesh (yes or no).

DIR gets NAME.png, NAME.glb where a mesh is wanted, and manifest.jsonl with a line for each row that
was done: its values, the files with their SHA-256, seconds, and when. A row is skipped if the
manifest lists it with the same values and its files are there. A row that fails is reported with
its line and does not stop the others. Exit codes: 0 all rows are done, 1 some failed, 2 misuse.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import importlib
import importlib.util
import json
import math
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import bpy

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = "manifest.jsonl"
COLUMNS = ("name", "seed", "wanted", "truncation", "yaw", "pitch", "size", "parts", "mesh")
ANSWERS = {"": False, "no": False, "0": False, "false": False}
ANSWERS |= {"yes": True, "1": True, "true": True}
LEFTOVER = re.compile(r"\..+-[0-9a-f]{8}\.(png|glb)")


@dataclass(frozen=True)
class Row:
    """One portrait of the table. Angles in degrees, size in pixels."""

    name: str
    seed: int
    wanted: str
    truncation: float
    yaw: float
    pitch: float
    size: int
    parts: str
    mesh: bool

    @classmethod
    def of(cls, cells: dict[str, str]) -> Row:
        """Read the cells of a line.

        Raises:
            ValueError: a cell holds something else; the message says which and what it should be.
        """
        name = cells.get("name", "")
        if not name or name.startswith(".") or re.search(r'[\\/:*?"<>|\x00-\x1f]', name):
            raise ValueError(f"name {name!r} cannot be a file's name")
        answer = cells.get("mesh", "").lower()
        if answer not in ANSWERS:
            raise ValueError(f"mesh {answer!r} is neither yes nor no")
        return cls(
            name,
            _number(cells, "seed", int, 0),
            cells.get("wanted", ""),
            _number(cells, "truncation", float, 1.0),
            _number(cells, "yaw", float, 0.0),
            _number(cells, "pitch", float, 0.0),
            _number(cells, "size", int, 256),
            cells.get("parts", ""),
            ANSWERS[answer],
        )


def _number(cells: dict[str, str], column: str, kind: Callable[[str], Any], default: Any) -> Any:
    text = cells.get(column, "")
    if not text:
        return default
    try:
        value = kind(text)
        known = math.isfinite(value)
    except (ValueError, OverflowError):
        known = False
    if not known:
        raise ValueError(f"{column} {text!r} is no {'whole ' if kind is int else ''}number")
    return value


def read_table(path: Path) -> Iterator[tuple[int, Row | ValueError]]:
    """The rows of a table with their line numbers; a broken one as the error that says why.

    Raises:
        ValueError: the line of column names is missing or names an unknown column.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        columns = [(name or "").strip() for name in reader.fieldnames or ()]
        unknown = sorted(set(columns) - set(COLUMNS))
        if "name" not in columns or unknown:
            wrong = f"unknown: {', '.join(map(repr, unknown))}" if unknown else "'name' is missing"
            raise ValueError(f"{path}: the columns are {', '.join(COLUMNS)} ({wrong})")
        reader.fieldnames = columns
        lines: dict[str, int] = {}
        rows = iter(reader)
        while True:
            try:
                raw = next(rows)
            except StopIteration:
                return
            except csv.Error as error:  # a cell without an end
                yield reader.line_num, ValueError(str(error))
                continue
            line = reader.line_num
            if None in raw:
                yield line, ValueError(f"there are more cells than the {len(columns)} columns")
                continue
            try:
                row = Row.of({name: (text or "").strip() for name, text in raw.items()})
                # file systems of two of three platforms take Ann and ann for the same file
                first = lines.setdefault(row.name.casefold(), line)
                if first != line:
                    raise ValueError(f"name {row.name!r} stands in line {first} already")
            except ValueError as error:
                yield line, error
            else:
                yield line, row


class Manifest:
    """What was done, a line of JSON a row, appended when the row's files are complete."""

    def __init__(self, folder: Path, made_with: dict[str, Any]) -> None:
        """
        Args:
            made_with: what besides the row its files depend on.
        """
        self._folder, self._path, self._made_with = folder, folder / MANIFEST, made_with
        self._done: dict[str, dict[str, Any]] = {}
        text = self._path.read_text("utf-8", "replace") if self._path.exists() else ""
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                self._done[entry["row"]["name"]] = entry
            except (ValueError, KeyError, TypeError):
                continue  # the line that was being written when a run was killed
        self._broken = bool(text) and not text.endswith("\n")

    def has(self, row: Row) -> bool:
        """Whether a row was done with these values and its files are still there."""
        entry = self._done.get(row.name)
        return (
            entry is not None
            and entry["row"] == asdict(row)
            and entry.get("made with") == self._made_with
            and all((self._folder / file["file"]).is_file() for file in entry["files"])
        )

    def add(self, row: Row, seed: int, files: Sequence[Path], seconds: float) -> None:
        """Append a row whose files are complete; on the disk when this returns.

        Args:
            seed: whose portrait it became.
        """
        entry = {
            "row": asdict(row),
            "seed": seed,
            "made with": self._made_with,
            "files": [
                {
                    "file": path.name,
                    "bytes": path.stat().st_size,
                    "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                }
                for path in files
            ],
            "seconds": round(seconds, 3),
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" * self._broken + json.dumps(entry, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._broken = False


class Renderer:
    """The model, from the installed extension or else from this clone of the repository."""

    def __init__(self, mesh_resolution: int) -> None:
        """
        Raises:
            ValueError: the model's file is missing or broken.
        """
        self._mesh_resolution = mesh_resolution
        installed = [name for name in bpy.context.preferences.addons.keys() if _is_ours(name)]
        self._package = installed[0] if installed else _package_of_clone()
        self._is_installed = bool(installed)
        if installed:
            path = self.module("ssgan3d_blender.preferences").model_choice().path
        else:
            own = os.environ.get("SSGAN3D_MODEL")
            path = Path(own) if own else None
        card = self.module("core.model_card")
        self._path: Path = path or card.embedded_weights()
        self.made_with = {
            "model": card.read_card(self._path).sha256,
            "mesh_resolution": mesh_resolution,
        }

    @cached_property
    def _engine(self) -> Any:
        """Loaded for the first row that is to be made."""
        if self._is_installed:
            choice = self.module("ssgan3d_blender.preferences").model_choice()
            return self.module("ssgan3d_blender.runtime").engine(choice)
        return self.module("core.engine").PortraitEngine.load(self._path)

    def module(self, name: str) -> Any:
        """A module of the extension, such as "core.camera"."""
        return importlib.import_module(f"{self._package}.{name}")

    def seed(self, row: Row) -> int:
        """Of the row's portrait: the first who is as is wanted."""
        first_seed = self.module("core.wanted").first_seed
        found: int = first_seed(self._engine, row.seed, shlex.split(row.wanted))
        return found

    def __call__(self, row: Row, seed: int, folder: Path) -> list[Path]:
        """Write a row's files, of the portrait of a seed, and return their paths."""
        engine = self._engine
        latents = self._latents(row, seed)
        camera = self.module("core.camera").Camera.orbit(
            math.radians(row.yaw), math.radians(row.pitch)
        )
        rendering = engine.render(latents, camera, size=(row.size, row.size), outside="refuse")
        picture = self.module("core.compositing").display_picture(rendering)
        files = [folder / f"{row.name}.png"]
        self.module("ssgan3d_blender.images").write_png(files[0], picture)
        if row.mesh:
            extract_meshes = self.module("core.meshing").extract_meshes
            meshes = extract_meshes(engine, latents, resolution=self._mesh_resolution)
            files.append(folder / f"{row.name}.glb")
            write = self.module("core.mesh_files").export_meshes
            write(meshes, files[1], unit_metres=engine.config.unit_metres)
        return files

    def _latents(self, row: Row, seed: int) -> Any:
        """The row's portrait with its changes, one after another."""
        latents = self._engine.sample(seed, row.truncation)
        for change in row.parts.split():
            part, _, value = change.partition("=")
            if value == "show":
                latents = latents.with_visible([*latents.visible_names, part])
            elif value == "hide":
                latents = latents.with_visible(hidden=[part])
            elif value.isdecimal():
                latents = latents.replace(part, self._engine.sample(int(value), row.truncation))
            else:
                raise ValueError(f"parts {change!r} should be PART=SEED, PART=show or PART=hide")
        return latents


def _package_of_clone() -> str:
    """Make the clone a package, as Blender does with an installed extension, whatever its name."""
    name = "ssgan3d_clone"
    spec = importlib.util.spec_from_loader(name, None, is_package=True)
    assert spec is not None and spec.submodule_search_locations is not None
    spec.submodule_search_locations.append(str(ROOT))
    sys.modules[name] = importlib.util.module_from_spec(spec)
    return name


def _is_ours(addon: str) -> bool:
    return addon.rpartition(".")[2] == "ssgan3d_blender"


def run(table: Path, folder: Path, mesh_resolution: int) -> int:
    """Do all rows that are not done yet; returns the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if LEFTOVER.fullmatch(path.name):  # half a file, from a run that was killed
            path.unlink()
    render = Renderer(mesh_resolution)
    manifest = Manifest(folder, render.made_with)
    made = failed = skipped = 0
    for line, row in read_table(table):
        try:
            if isinstance(row, ValueError):
                raise row
            if manifest.has(row):
                skipped += 1
                continue
            begin = time.perf_counter()
            seed = render.seed(row)
            files = render(row, seed, folder)
            seconds = time.perf_counter() - begin
            manifest.add(row, seed, files, seconds)
        except ImportError:  # no row can be done
            raise
        except Exception as error:  # whatever it is, the other rows can still be done
            failed += 1
            print(f"{table}:{line}: {error}", file=sys.stderr, flush=True)
        else:
            made += 1
            print(f"{row.name}: {seconds:.2f} s", flush=True)
    print(f"{made} made, {skipped} were done before, {failed} failed: {folder / MANIFEST}")
    return 1 if failed else 0


def main(arguments: Sequence[str]) -> int:
    """Parse the arguments after ``--`` and run."""
    parser = argparse.ArgumentParser(
        prog="blender -b --python examples/batch_portraits.py --",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", type=Path, help="the CSV file")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to fill")
    parser.add_argument(
        "--mesh-resolution", type=int, default=128, help="cells along a side of a mesh (128)"
    )
    options = parser.parse_args(arguments)
    try:
        return run(options.table, options.out, options.mesh_resolution)
    except (OSError, ValueError, RuntimeError) as error:
        print(f"batch: {error}", file=sys.stderr)
        return 2
    except ImportError as error:
        print(
            f"batch: {error}: this Python has not all that portraits need. Install the extension "
            "and, in its preferences, PyTorch.",
            file=sys.stderr,
        )
        return 1


if __name__ == "__main__":
    begin = sys.argv.index("--") + 1 if "--" in sys.argv else 1
    sys.exit(main(sys.argv[begin:]))
