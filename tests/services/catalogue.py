"""All services by name, in the order of the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.services.service import Service
from tests.services.slurm import SlurmService

SERVICES: Mapping[str, Service[Any]] = {service.name: service for service in (SlurmService(),)}
