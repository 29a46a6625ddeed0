"""How many slices a fan has, as an expression of Argo. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sciflow.executors.argo.manifest.expr import INT64, Printed, whole


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """How many slices a fan has."""

    slices: Printed
    unequal: str = ""  # where its lists differ in length, so that it has none


def product_total(lengths: Sequence[Printed]) -> Total | None:
    """That of a fan over all combinations of its lists; None: it may be more than Argo can count."""
    total = lengths[0]
    for other in lengths[1:]:
        most = total.most * other.most
        if most > INT64:
            return None
        if total.constant is not None and other.constant is not None:
            total = whole(total.constant * other.constant)
        else:
            total = total.joined(f"{total.text} * {other.text}", other, kind="int", most=most)
    return Total(slices=total)


def zip_total(lengths: Sequence[Printed]) -> Total | None:
    """That of a fan over its lists side by side; None: they are known to differ."""
    different = list({length.text: length for length in lengths}.values())
    first, others = different[0], different[1:]
    if all(length.constant is not None for length in different) and others:
        return None  # it cannot be: let a pod say so
    unequal = " || ".join(f"{first.text} != {other.text}" for other in others)
    rests_on = first.rests_on.union(*(other.rests_on for other in others))
    return Total(slices=msgspec.structs.replace(first, rests_on=rests_on), unequal=unequal)
