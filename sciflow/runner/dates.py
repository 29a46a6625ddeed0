"""Dates and times, their zone and fold kept."""

from __future__ import annotations

import datetime as dt
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sciflow.runner.encoder import Encoder

    Tree = Any


def write(encoder: Encoder, value: Any) -> Tree | None:
    """The tree of a date, time or duration; None: a subclass, or a zone, that has no form."""
    kind = type(value)
    if kind is dt.timedelta:
        return {"$": "timedelta", "v": [value.days, value.seconds, value.microseconds]}
    if kind is dt.date:
        return {"$": "date", "v": value.isoformat()}
    if kind is dt.datetime or kind is dt.time:
        return _with_zone(encoder, value, kind.__name__)
    return None


def _with_zone(encoder: Encoder, value: Any, kind: str) -> Tree | None:
    tree = {"$": kind, "v": value.replace(tzinfo=None, fold=0).isoformat()}
    if value.fold:
        tree["fold"] = 1
    if value.tzinfo is None:
        return tree
    zone = _zone(encoder, value.tzinfo)
    return None if zone is None else {**tree, "tz": zone}


def _zone(encoder: Encoder, zone: Any) -> Tree | None:
    if zone is dt.timezone.utc:
        return {"utc": True}
    if type(zone) is dt.timezone:
        arguments: Any = zone
        offset, *name = arguments.__getinitargs__()
        return {"offset": write(encoder, offset), "name": name[0] if name else None}
    zoneinfo = sys.modules.get("zoneinfo")
    if zoneinfo is not None and type(zone) is zoneinfo.ZoneInfo and zone.key:
        return {"zone": zone.key}
    return None


def read(tree: Tree) -> Any:
    """The inverse of `write`."""
    kind, text = tree["$"], tree["v"]
    if kind == "timedelta":
        return dt.timedelta(*text)
    if kind == "date":
        return dt.date.fromisoformat(text)
    value: Any = getattr(dt, kind).fromisoformat(text)
    return value.replace(tzinfo=_read_zone(tree.get("tz")), fold=tree.get("fold", 0))


def _read_zone(tree: Tree | None) -> dt.tzinfo | None:
    if tree is None:
        return None
    if "utc" in tree:
        return dt.timezone.utc
    if "zone" in tree:
        from zoneinfo import ZoneInfo

        return ZoneInfo(tree["zone"])
    offset = read(tree["offset"])
    return dt.timezone(offset) if tree["name"] is None else dt.timezone(offset, tree["name"])
