"""Arrays: numpy arrays and array scalars arrive bit for bit."""

from __future__ import annotations

import math

import numpy as np

from sciflow import op
from tests.conformance.cases.values import echo_any
from tests.conformance.table import Case, through


@op
def echo_array(value: np.ndarray) -> np.ndarray:
    return value


@op
def echo_double(value: np.float64) -> np.float64:
    return value


STRUCTURED = np.array([(1, 2.5, b"ab"), (3, -0.0, b"c")], dtype=[("n", "<i2"), ("x", ">f8"), ("s", "S2")])
ARRAYS = [
    np.arange(12, dtype=np.int32).reshape(3, 4), np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.array([]),
    np.zeros((0, 3)), np.array(5.0), np.array([math.nan, math.inf, -0.0]), np.array([True, False]),
    np.array([1 + 2j], dtype=np.complex64), np.array(["ab", "文字"]), np.array([b"x\0y"]), STRUCTURED,
    np.array(["2024-02-29T12:00"], dtype="datetime64[s]"), np.arange(3, dtype=">u2"),
]  # fmt: skip

CASES = [
    Case("arrays arrive with type, shape, order and bytes", **through(echo_array, ARRAYS)),
    Case("array scalars stay array scalars", **through(echo_double, [np.float64(0.1), np.float64("nan")])),
    Case(
        "array scalars of all kinds arrive",
        **through(echo_any, [np.int8(-5), np.uint64(2**64 - 1), np.bool_(True), np.complex64(1 + 2j), np.float32(0.1)]),
    ),
]
