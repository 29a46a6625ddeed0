"""How each phase looks: a mark of one column, and a style for terminals."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sciflow.core.records import Phase


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """`style` is one of rich's, `colour` one of Mermaid's, graphviz's and HTML's."""

    mark: str
    style: str
    colour: str


LOOKS: Mapping[Phase, Look] = {
    Phase.PENDING: Look(mark="○", style="dim", colour="#8c8c8c"),
    Phase.RUNNING: Look(mark="●", style="cyan", colour="#0e7c9b"),
    Phase.SUCCEEDED: Look(mark="✓", style="green", colour="#2e7d32"),
    Phase.FAILED: Look(mark="✗", style="bold red", colour="#c62828"),
    Phase.ERROR: Look(mark="✗", style="bold magenta", colour="#8e24aa"),
    Phase.SKIPPED: Look(mark="-", style="dim", colour="#8c8c8c"),
    Phase.OMITTED: Look(mark="-", style="yellow", colour="#b26a00"),
    Phase.SUSPENDED: Look(mark="=", style="yellow", colour="#b26a00"),
}
