"""``python -m training``: the commands that make data and models."""

from __future__ import annotations

import argparse
import importlib
import sys

from core.errors import PortraitError

_COMMANDS = {
    "synthesize": ("training.synthetic.synthesize", "render a labelled data set"),
    "prepare": ("training.prepare", "convert another data set to this format"),
    "train": ("training.trainer", "train a model on data sets"),
    "graft": ("training.graft", "give a model some parts of another one"),
    "widen": ("training.widen", "give some parts' generators more channels, all else as before"),
    "relief": ("training.relief", "give faces one surface, from the depth of renders"),
    "refine": ("training.refine", "teach a trained model finer detail, without forgetting anybody"),
    "closeup": ("training.closeup", "fit single parts of portraits to renders, and nothing else"),
    "refit": ("training.refit", "fit all parts and all people to renders together, on a GPU"),
    "sharpen": ("training.sharpen", "make pictures as sharp as renders, by the render net alone"),
    "backdrop": ("training.backdrop", "smooth backgrounds, also where no render shows them"),
    "blend": ("training.blend", "the weighted mean of two models of one run"),
    "localize": ("training.localize", "make a model's edits change less outside of the part"),
    "detail": ("training.detail", "teach a model where how much fine structure lies"),
    "grain": ("training.grain", "measure how much grain skin has, and give a model as much"),
    "beards": ("training.beards", "give beards the strength that they have in renders"),
    "matte": ("training.matte", "make hair end in strands, as sharply as in renders"),
    "traits": ("training.traits", "give a model's people the spots of their renders"),
    "garments": ("training.garments", "give a model's people what they wear in their renders"),
    "complexions": ("training.complexions", "keep the colours of people's noses, ears and necks"),
    "eigenclothes": ("training.eigenclothes", "give people what clothes in renders have more"),
    "eigenpaint": ("training.eigenpaint", "give people what eyes and mouths in renders have more"),
    "eigenskin": ("training.eigenskin", "give people what skin in renders has more"),
    "hair": ("training.hair", "how straight hair is, in renders and in a model's pictures"),
    "upscale": ("training.upscale", "teach a model to double its pictures, from larger renders"),
    "bench": ("training.bench", "how fast a step is beside a plain one"),
    "evaluate": ("training.evaluate.command", "measure a model against held-out renders"),
    "pack": ("training.pack", "put data sets and a run into few files of bounded size"),
    "unpack": ("training.unpack", "restore what pack has packed"),
    "export": ("training.export", "write a run's generator as a model file"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed, 130 interrupted.

    Raises:
        SystemExit: of argparse, 2 where the command line is wrong, 0 after ``--help``.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, text) in _COMMANDS.items():
        command = commands.add_parser(name, help=text)
        if arguments[:1] == [name]:  # the others' dependencies are not needed
            room = importlib.import_module(module)
            room.add_arguments(command)
            command.set_defaults(run=room.run)
    args = parser.parse_args(arguments)
    try:
        return args.run(args)
    except PortraitError as error:
        print(f"python -m training {args.command}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"python -m training {args.command}: {where}{error.strerror or error}", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
