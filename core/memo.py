"""Caches: the latest results of the stages, by the inputs that they were made from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class MemoLimit:
    """How much several memos keep together: the results that were used last.

    Attributes:
        limit: the sum of their sizes, in the unit of the memos.
        used: the sum now.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        # by the dict that holds a result, not by its memo: no cycle keeps an engine's memory
        self._sizes: OrderedDict[tuple[int, Hashable], tuple[dict[Hashable, Any], int]]
        self._sizes = OrderedDict()

    def resize(self, limit: int) -> None:
        """Keep ``limit`` from now on; results that were used longest ago go first."""
        self.limit = limit
        while self.used > limit:
            (_, key), (values, size) = self._sizes.popitem(last=False)
            self.used -= size
            del values[key]

    def touch(self, values: dict[Hashable, Any], key: Hashable) -> None:
        """A result was used."""
        self._sizes.move_to_end((id(values), key))

    def add(self, values: dict[Hashable, Any], key: Hashable, size: int) -> None:
        """A result was put into ``values``; the oldest ones that no longer fit go."""
        self.drop(values, key)
        self._sizes[id(values), key] = values, size
        self.used += size
        self.resize(self.limit)

    def drop(self, values: dict[Hashable, Any], key: Hashable) -> None:
        """A result is taken out of ``values``."""
        _, size = self._sizes.pop((id(values), key), (values, 0))
        self.used -= size


class Memo(Generic[Value]):
    """Keeps the results that were used last, as many as its limit allows.

    Attributes:
        made: how often a result was computed.
    """

    def __init__(self, limit: MemoLimit, size: Callable[[Value], int] = lambda _: 1) -> None:
        """
        Args:
            limit: may be shared with other memos.
            size: of a result, in the limit's unit; counts results if it is left out.
        """
        self.made = 0
        self._limit, self._size = limit, size
        self._values: dict[Hashable, Value] = {}

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The result for ``key``; computed by ``make`` if it is not there."""
        if key in self._values:
            self._limit.touch(self._values, key)
            return self._values[key]
        value = make()
        self.put(key, value)
        return value

    def known(self, keys: Iterable[Hashable]) -> dict[Hashable, Value]:
        """Those of the results that are there; they stay the caller's when others push them out."""
        found = {key: self._values[key] for key in keys if key in self._values}
        for key in found:
            self._limit.touch(self._values, key)
        return found

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a result that was computed elsewhere, as one of a batch."""
        self.made += 1
        self._values[key] = value
        self._limit.add(self._values, key, self._size(value))

    def clear(self) -> None:
        """Forget all results."""
        for key in self._values:
            self._limit.drop(self._values, key)
        self._values.clear()
