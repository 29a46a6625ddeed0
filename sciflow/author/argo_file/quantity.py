"""Times and amounts as Kubernetes writes them: "90", "1m30s", "500m", "2Gi"."""

from __future__ import annotations

import math
import re

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?(?:[eE]\d+)?)(m|k|[KMGTP]i?)?")
_FACTORS = {
    None: 1.0, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip


def seconds(text: str) -> float | None:
    """A duration in seconds; None if it is none."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def amount(text: str) -> float | None:
    """A quantity as a number; None if it is none."""
    found = _AMOUNT.fullmatch(text)
    return None if found is None else float(found.group(1)) * _FACTORS[found.group(2)]


def megabytes(text: str) -> int | None:
    """Memory in MB, not less than is asked for."""
    found = amount(text)
    return None if found is None else math.ceil(found / 1e6)
