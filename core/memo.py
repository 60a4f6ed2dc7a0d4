"""A small cache: the latest results of one stage, by the inputs that they were made from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Memo(Generic[Value]):
    """Keeps the ``capacity`` results that were used last.

    Attributes:
        made: how often a result was computed.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.made = 0
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The result for ``key``; computed by ``make`` if it is not there."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = make()
        self.put(key, value)
        return value

    def known(self, keys: Iterable[Hashable]) -> dict[Hashable, Value]:
        """Those of the results that are there; they stay the caller's when others push them out."""
        found = {key: self._values[key] for key in keys if key in self._values}
        for key in found:
            self._values.move_to_end(key)
        return found

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a result that was computed elsewhere, as one of a batch."""
        self.made += 1
        self._values[key] = value
        self._values.move_to_end(key)
        self.resize(self.capacity)

    def resize(self, capacity: int) -> None:
        """Keep ``capacity`` results from now on; those used longest ago go first."""
        self.capacity = capacity
        while len(self._values) > capacity:
            self._values.popitem(last=False)

    def clear(self) -> None:
        """Forget all results."""
        self._values.clear()
