"""How long a run goes on, in which order it takes data, what it tells, and when it saves."""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor


class Allowance(Protocol):
    """Options that say how long a run may go on; see :class:`Budget`."""

    @property
    def minutes(self) -> float:
        """How long to go on; 0 takes no step."""
        ...

    @property
    def steps(self) -> int:
        """How many steps instead; 0 goes on for ``minutes``."""
        ...

    @property
    def save_minutes(self) -> float:
        """Time between two writings of what it makes."""
        ...


class Budget:
    """Minutes or steps that a run may take.

    ``for progress in budget`` yields the share that is spent, from 0 to below 1, before each step.

    Attributes:
        step: how many steps are over.
        seconds: how long they took.
    """

    def __init__(
        self,
        minutes: float,
        steps: int = 0,
        *,
        report_every: int = 50,
        save: Callable[[dict[str, float]], None] | None = None,
        save_minutes: float = 5.0,
    ) -> None:
        """
        Args:
            minutes: how long to go on; 0 takes no step.
            steps: how many steps instead; 0 goes on for ``minutes``.
            report_every: steps whose losses one line of the log averages, after the first's own.
            save: is called with :meth:`spent` every ``save_minutes``, and at the end.
        """
        self.minutes, self.steps, self.report_every = minutes, steps, report_every
        self.save, self.save_minutes = save, save_minutes
        self.step, self.seconds = 0, 0.0
        self._sums: dict[str, float | Tensor] = defaultdict(float)
        self._reported = 0

    @classmethod
    def of(
        cls, options: Allowance, *, report_every: int, save: Callable[[dict[str, float]], None]
    ) -> Budget:
        """What a run's options allow."""
        return cls(
            options.minutes,
            options.steps,
            report_every=report_every,
            save=save,
            save_minutes=options.save_minutes,
        )

    def __iter__(self) -> Iterator[float]:
        started = saved = time.monotonic()
        while (progress := self._progress()) < 1:
            yield progress
            self.step += 1
            now = time.monotonic()
            self.seconds = now - started
            if self.step == 1 or self.step % self.report_every == 0:
                self._report()
            if self.save and now - saved > self.save_minutes * 60:
                self.save(self.spent())
                saved = now
        if self.save:
            self.save(self.spent())

    def _progress(self) -> float:
        if self.steps:
            return self.step / self.steps
        return self.seconds / (self.minutes * 60) if self.minutes > 0 else 1.0

    def spent(self) -> dict[str, float]:
        """Steps and minutes, as model files and the log have them."""
        return {"steps": self.step, "minutes": round(self.seconds / 60, 1)}

    def note(self, values: Mapping[str, float | Tensor]) -> None:
        """Have a step's losses in the log's next line."""
        for name, value in values.items():
            # a tensor stays one: its value, asked for, would have the step wait for a GPU
            self._sums[name] += value.detach() if isinstance(value, Tensor) else value

    def _report(self) -> None:
        count, self._reported = self.step - self._reported, self.step
        means = {name: round(float(value) / count, 5) for name, value in self._sums.items()}
        print(json.dumps(self.spent() | means), flush=True)
        self._sums.clear()


def add_options(
    parser: argparse.ArgumentParser, defaults: object, texts: Mapping[str, str]
) -> None:
    """Arguments for fields of a command's options, of the types of their defaults.

    Args:
        defaults: has an attribute for each.
        texts: what they mean, by name.
    """
    for name, text in texts.items():
        default = getattr(defaults, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(default),
            default=default,
            help=f"{text} (default {default})",
        )


def add_run_arguments(
    parser: argparse.ArgumentParser,
    *,
    minutes: float,
    pictures: int,
    rate: float,
    of: str = "renders",
    option: str = "pictures",
) -> None:
    """Arguments of a command that trains on pictures, with its defaults.

    Args:
        of: what its pictures are called.
        option: the option that says how many, whose value is ``pictures`` all the same.
    """
    for name, default, text in (
        ("minutes", minutes, "how long to train"),
        ("steps", 0, "how many steps instead"),
        ("pictures", pictures, f"{of} a step"),
        ("rate", rate, "learning rate at first; it falls to zero by a half cosine"),
        ("threads", 2, "CPU threads"),
        ("seed", 0, "what every random choice depends on"),
    ):
        parser.add_argument(
            f"--{option if name == 'pictures' else name}",
            dest=name,
            type=type(default),
            default=default,
            help=f"{text} (default {default})",
        )


def dealt(order: list[int], count: int, total: int, generator: torch.Generator) -> list[int]:
    """The next ``count`` of ``total`` numbers in random order; all come before one comes again.

    Args:
        order: those that are left, at first none; changed in place.
    """
    if len(order) < count:
        order += torch.randperm(total, generator=generator).tolist()
    chosen = order[:count]
    del order[:count]
    return chosen
