"""All services by name, in the order of the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.services.kubernetes.service import KubernetesService
from tests.services.podman import PodmanService
from tests.services.s3 import RcloneService, SeaweedService
from tests.services.service import Service
from tests.services.sge import SgeService
from tests.services.slurm import SlurmService
from tests.services.sshd import SshdService

_ALL = (
    SlurmService(),
    SlurmService(accounting=True),
    SgeService(),
    SshdService(),
    PodmanService(),
    SeaweedService(),
    RcloneService(),
    KubernetesService(),
)

# Grid Engine takes a minute to begin a job while other tests use the cores: it is there for those who ask for it.
ON_REQUEST = frozenset({"sge"})

SERVICES: Mapping[str, Service[Any]] = {service.name: service for service in _ALL}
