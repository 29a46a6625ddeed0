"""What the pods of an executor have in common, as far as a manifest says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """See `executors.settings.ArgoSettings`, where users write these."""

    namespace: str
    image: str
    base_image: str
    python: str
    secret: str
    access_key: str
    secret_key: str
    secrets: Mapping[str, str]  # variable -> "secret/key" of Kubernetes
    service_account: str
    executor_account: str
    pull_secrets: Sequence[str]
    user: int | None  # none: as the namespace, or else an image, says
    parallelism: int | None
    node_selector: Mapping[str, str]
    tolerations: Sequence[Mapping[str, Any]]
    volumes: Sequence[Mapping[str, Any]]
    mounts: Sequence[Mapping[str, Any]]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    priority_class: str
    lost_retries: int
    keep_workflow_s: int | None
    store: Mapping[str, Any]  # the bucket as pods reach it
