"""Services as pytest fixtures: one of each per worker, started when first asked for, stopped at the end.

A test whose service cannot be had here is skipped and counted; with CI=true it fails.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.services import instances
from tests.services.catalogue import SERVICES
from tests.services.slurm import Slurm, SlurmService

_MISSING = re.compile(r"service missing: (\S+):")


def require(name: str) -> None:
    """Skips the test, or fails it in CI, if the service cannot be started here."""
    why = SERVICES[name].missing()
    if not why:
        return
    text = f"service missing: {name}: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


@pytest.fixture(scope="session")
def slurm_of_session() -> Iterator[Slurm]:
    require("slurm")
    with instances.running(SERVICES["slurm"]) as slurm:
        yield slurm


@pytest.fixture
def slurm(slurm_of_session: Slurm) -> Iterator[Slurm]:
    """A Slurm without jobs, all nodes up; whatever the test does to it is put right after it."""
    yield slurm_of_session
    slurm_of_session.tidy()


@pytest.fixture(scope="session")
def start_slurm() -> Callable[..., AbstractContextManager[Slurm]]:
    """`with start_slurm(nodes=1, cpus=4) as slurm:` one more, for this test alone."""
    require("slurm")
    return lambda **options: instances.running(SlurmService(**options))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """`services missing: slurm (3 tests), s3 (1 test)`."""
    reports = [*terminalreporter.stats.get("skipped", []), *terminalreporter.stats.get("error", [])]
    found = [_MISSING.search(str(report.longrepr)) for report in reports]
    counts = Counter(match.group(1) for match in found if match)
    if counts:
        parts = [f"{name} ({count} test{'s' * (count > 1)})" for name, count in sorted(counts.items())]
        terminalreporter.write_line(f"services missing: {', '.join(parts)}; make services installs them", yellow=True)
