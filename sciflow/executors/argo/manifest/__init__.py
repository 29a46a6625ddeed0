"""The graph as a Workflow of Argo. Pure: dictionaries out, nothing sent."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]  # what Kubernetes is given, or a part of it
