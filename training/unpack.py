"""``python -m training unpack``: the command; :mod:`training.pack` does the work."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.pack import unpack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m training unpack``."""
    parser.add_argument("source", type=Path, help="folder of the pack")
    parser.add_argument("--out", type=Path, required=True, help="where data/ and run/ are to be")


def run(arguments: argparse.Namespace) -> int:
    """Entry of ``python -m training unpack``."""
    done = unpack(arguments.source, arguments.out)
    print(f"{arguments.out}: {'unpacked' if done else 'has this pack already'}", flush=True)
    return 0
