"""A convolutional network in a TensorFlow Lite file, read and run with torch.

Only what the face landmark network of mediapipe needs: convolutions, parametric ReLU, maxima,
additions and padding, in float32 or float16. The file is a FlatBuffer; the numbers of fields and
operators are those of TensorFlow Lite's schema.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.errors import PortraitError

ADD, CONV, DEPTHWISE, DEQUANTIZE, MAX_POOL, PAD, PRELU = 0, 3, 4, 6, 17, 34, 54
_TYPES = {0: np.float32, 1: np.float16, 2: np.int32}
_SAME = 0


class _Table:
    """A FlatBuffer table: fields by number."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position = data, position

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def _field(self, number: int) -> int:
        """Position of a field, 0 where it is left out."""
        start = self.position - struct.unpack_from("<i", self.data, self.position)[0]
        if 4 + 2 * number >= struct.unpack_from("<H", self.data, start)[0]:
            return 0
        offset = struct.unpack_from("<H", self.data, start + 4 + 2 * number)[0]
        return self.position + offset if offset else 0

    def number(self, field: int, kind: str, default: int = 0) -> int:
        place = self._field(field)
        return struct.unpack_from(f"<{kind}", self.data, place)[0] if place else default

    def table(self, field: int) -> _Table:
        place = self._field(field)
        return _Table(self.data, place + struct.unpack_from("<I", self.data, place)[0])

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._field(field)
        if not place:
            return 0, 0
        start = place + struct.unpack_from("<I", self.data, place)[0]
        return start + 4, struct.unpack_from("<I", self.data, start)[0]

    def tables(self, field: int) -> list[_Table]:
        start, count = self._vector(field)
        places = [start + 4 * i for i in range(count)]
        return [_Table(self.data, p + struct.unpack_from("<I", self.data, p)[0]) for p in places]

    def integers(self, field: int) -> list[int]:
        start, count = self._vector(field)
        return list(struct.unpack_from(f"<{count}i", self.data, start))

    def bytes(self, field: int) -> bytes:
        start, count = self._vector(field)
        return self.data[start : start + count]


class TFLiteNetwork:
    """Runs a network and gives any of its tensors, by name.

    Raises:
        PortraitError: the file is missing, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._read(path.read_bytes())
        except (OSError, struct.error, KeyError, IndexError, ValueError) as error:
            raise PortraitError(f"{path} is not a network that can be read ({error}).") from error

    def _read(self, data: bytes) -> None:
        model = _Table.root(data)
        codes = [max(c.number(0, "b"), c.number(3, "i")) for c in model.tables(1)]
        graph, buffers = model.tables(2)[0], model.tables(4)
        self.names, self.constants = [], {}
        for index, tensor in enumerate(graph.tables(0)):
            self.names.append(tensor.bytes(3).decode())
            raw = buffers[tensor.number(2, "I")].bytes(0)
            if raw:
                values = np.frombuffer(raw, _TYPES[tensor.number(1, "b")])
                self.constants[index] = torch.from_numpy(values.reshape(tensor.integers(0)).copy())
        self.input = graph.integers(1)[0]
        self.operators = []
        for operator in graph.tables(3):
            code = codes[operator.number(0, "I")]
            inputs, output = operator.integers(1), operator.integers(2)[0]
            if code == DEQUANTIZE:
                self.constants[output] = self.constants[inputs[0]].float()
            else:
                self.operators.append((code, inputs, output, operator))

    @torch.no_grad()
    def __call__(self, image: Tensor, wanted: Sequence[str]) -> list[Tensor]:
        """Run on pictures (N, 3, H, W) in the network's own range.

        Returns:
            The tensors called ``wanted``, (N, C, h, w) each.
        """
        missing = set(wanted) - set(self.names)
        if missing:
            raise PortraitError(f"The network has no tensor {', '.join(sorted(missing))}.")
        values: dict[int, Tensor] = {self.input: image}
        left = {self.names.index(name) for name in wanted}
        for code, inputs, output, operator in self.operators:
            values[output] = self._run(code, inputs, operator, values)
            left.discard(output)
            if not left:
                break
        return [values[self.names.index(name)] for name in wanted]

    def _run(
        self, code: int, inputs: list[int], operator: _Table, values: dict[int, Tensor]
    ) -> Tensor:
        x = values[inputs[0]]
        if code == ADD:
            return x + values[inputs[1]]
        if code == PRELU:
            return torch.where(x > 0, x, x * self.constants[inputs[1]].reshape(-1, 1, 1))
        if code == PAD:  # (axis, before and after) in N, H, W, C order
            (n0, n1), (h0, h1), (w0, w1), (c0, c1) = self.constants[inputs[1]].tolist()
            return F.pad(x, (w0, w1, h0, h1, c0, c1, n0, n1))
        options = operator.table(4)
        stride = options.number(2, "i"), options.number(1, "i")
        same = options.number(0, "b") == _SAME
        if code == MAX_POOL:
            size = options.number(4, "i"), options.number(3, "i")
            x = _pad_same(x, size, stride, -torch.inf) if same else x
            return F.max_pool2d(x, size, stride)
        if code not in (CONV, DEPTHWISE):
            raise PortraitError(f"The network has an operator that is not known here: {code}.")
        weight = self.constants[inputs[1]]
        bias = self.constants[inputs[2]]
        # (C out, h, w, C in), and (1, h, w, C) for depthwise ones
        weight = weight.permute(3, 0, 1, 2) if code == DEPTHWISE else weight.permute(0, 3, 1, 2)
        x = _pad_same(x, weight.shape[2:], stride, 0.0) if same else x
        return F.conv2d(x, weight, bias, stride, groups=x.shape[1] if code == DEPTHWISE else 1)


def _pad_same(x: Tensor, size: Sequence[int], stride: Sequence[int], value: float) -> Tensor:
    """TensorFlow's "same" padding: what is odd goes to the right and the bottom."""
    pads = []
    for length, window, step in zip(x.shape[2:], size, stride, strict=True):
        total = max((-(-length // step) - 1) * step + window - length, 0)
        pads.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = pads
    return F.pad(x, (left, right, top, bottom), value=value)
