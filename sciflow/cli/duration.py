"""Spans of time on the command line."""

from __future__ import annotations

import re

import click

from sciflow.runner.duration import is_seconds

UNITS_S = {"h": 3600, "d": 86400, "w": 7 * 86400}


class Seconds(click.ParamType[float]):
    """A number of seconds above 0."""

    name = "seconds"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not is_seconds(seconds) or seconds == 0:
            self.fail(f"expected a number of seconds above 0, found {value!r}", param, ctx)
        return seconds


class Age(click.ParamType[float]):
    """A time span: `12h`, `30d`, `2w`; in seconds."""

    name = "age"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([hdw])", str(value).strip())
        if found is None:
            self.fail(f"expected a number of hours, days or weeks such as 12h, 30d, 2w; found {value!r}", param, ctx)
        return float(found[1]) * UNITS_S[found[2]]
