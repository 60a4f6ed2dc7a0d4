"""Writing files so that a failure never costs the user what was there before."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import PackageError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well.

    The temporary name keeps the suffix, because exporters choose the format by it. On an error the
    temporary file goes away and ``path`` is as it was.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` at once or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write files that are of use only together: none of them is replaced before all are written.

    Raises:
        OSError: a folder cannot be written, or the disk is full.
    """
    with contextlib.ExitStack() as all_or_none:
        for path, data in files.items():
            all_or_none.enter_context(replacing(path)).write_bytes(data)


def load_pillow() -> Any:
    """Pillow's module ``Image``, loaded when pictures are written.

    Raises:
        PackageError: the package is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise PackageError("Writing pictures", "pillow") from None
    return Image


def load_trimesh() -> Any:
    """The package trimesh, loaded when meshes are wanted.

    Raises:
        PackageError: it, or what it needs, is not installed.
    """
    try:
        import trimesh
        import trimesh.smoothing
    except ImportError as error:
        raise PackageError("A mesh", error.name or "trimesh") from None
    return trimesh
