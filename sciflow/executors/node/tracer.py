"""Stands for `sciflow.author.tracer`: where ops run, nothing is traced."""

from __future__ import annotations


class GraphTracer:
    """Of which there are none here."""
