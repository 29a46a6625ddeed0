"""Services as pytest fixtures: one of each per worker, started when first asked for, stopped at the end.

A test whose service cannot be had here is skipped and counted; with SCIFLOW_TEST_SERVICES=required it fails, with
SCIFLOW_TEST_SERVICES=kubernetes those alone that ask for Kubernetes.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import pytest

from tests.services import instances
from tests.services.catalogue import SERVICES
from tests.services.kubernetes.service import Kubernetes, KubernetesService
from tests.services.podman import Podman
from tests.services.processes import ServiceFailed
from tests.services.s3 import S3Server
from tests.services.sge import Sge
from tests.services.slurm import Slurm, SlurmService
from tests.services.sshd import Sshd, SshdService

_LIMIT_OF_BUILD_S = 60 * 60.0  # from its beginning, which was long before a test asks
_LIMIT_OF_CLUSTER_TEST_S = 300.0
_MISSING = re.compile(r"service missing: (\S+):")


def require(name: str) -> None:
    """Skips the test, or fails it in CI, if the service cannot be started here."""
    why = SERVICES[name].missing()
    if not why:
        return
    text = f"service missing: {name}: {why}"
    if os.environ.get("SCIFLOW_TEST_SERVICES") == "required":
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
def slurm_over_ssh(slurm_of_session: Slurm) -> Iterator[Sshd]:
    """The login node of `slurm`: an SSH server whose sessions find that Slurm."""
    require("sshd")
    with instances.running(SshdService(env=slurm_of_session.env)) as server:
        yield server


@pytest.fixture(scope="session")
def plain_machine() -> Iterator[Sshd]:
    """An SSH server of a machine without a batch system."""
    require("sshd")
    with instances.running(SshdService()) as server:
        yield server


@pytest.fixture(scope="session")
def sge_of_session(request: pytest.FixtureRequest) -> Iterator[Sge]:
    if not request.config.getoption("--whole-table"):
        pytest.skip("Grid Engine is asked for by --whole-table only")
    require("sge")
    with instances.running(SERVICES["sge"]) as sge:
        yield sge


@pytest.fixture
def sge(sge_of_session: Sge) -> Iterator[Sge]:
    """A Grid Engine without jobs."""
    yield sge_of_session
    sge_of_session.tidy()


@pytest.fixture(scope="session")
def sge_over_ssh(sge_of_session: Sge) -> Iterator[Sshd]:
    """The login node of `sge`: an SSH server whose sessions find the clients of that Grid Engine."""
    require("sshd")
    with instances.running(SshdService(env=sge_of_session.env)) as server:
        yield server


@pytest.fixture(scope="session")
def podman_of_session() -> Iterator[Podman]:
    require("podman")
    with instances.running(SERVICES["podman"]) as podman:
        yield podman


@pytest.fixture
def podman(podman_of_session: Podman, monkeypatch: pytest.MonkeyPatch) -> Iterator[Podman]:
    """podman without containers; the program `podman` finds its settings in the environment."""
    for name, value in podman_of_session.env.items():
        monkeypatch.setenv(name, value)
    yield podman_of_session
    podman_of_session.tidy()


@pytest.fixture(scope="session")
def s3_of_session() -> Iterator[S3Server]:
    require("s3")
    with instances.running(SERVICES["s3"]) as server:
        yield server


@pytest.fixture
def s3(s3_of_session: S3Server) -> Iterator[S3Server]:
    """An S3 server that other tests used before: choose a prefix of your own. Afterwards it answers again."""
    yield s3_of_session
    s3_of_session.tidy()


@pytest.fixture(scope="session")
def rclone_s3() -> Iterator[S3Server]:
    """Another S3 server, with gaps: no key below another key, and only with the region said."""
    require("rclone")
    with instances.running(SERVICES["rclone"]) as server:
        yield server


@pytest.fixture(scope="session")
def slurmdbd() -> Iterator[Slurm]:
    """A Slurm with accounting: `sacct` answers. Takes some ten seconds to start."""
    require("slurmdbd")
    with instances.running(SERVICES["slurmdbd"]) as slurm:
        yield slurm


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[Kubernetes]:
    """The Kubernetes of this machine, with Argo: all workers have the same one, so choose names of your own."""
    service = KubernetesService()
    service.await_installation(_LIMIT_OF_BUILD_S)
    why = service.missing()
    strict = os.environ.get("SCIFLOW_TEST_SERVICES") in {"required", service.name}
    absent = partial(pytest.fail, pytrace=False) if strict else pytest.skip
    if why:
        absent(f"service missing: {service.name}: {why}")
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(instances.running(service))
        except ServiceFailed as error:  # not every machine's kernel has what kubelet needs
            absent(f"service missing: {service.name}: it does not start here: {error}")
        yield cluster


@pytest.fixture(scope="session")
def start_slurm() -> Callable[..., AbstractContextManager[Slurm]]:
    """`with start_slurm(nodes=1, cpus=4) as slurm:` one more, for this test alone."""
    require("slurm")
    return lambda **options: instances.running(SlurmService(**options))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kubernetes: asks for the cluster, at the latest while it runs; comes last")


def pytest_itemcollected(item: pytest.Item) -> None:
    """`-m kubernetes` chooses the tests of the cluster."""
    if "kubernetes" in getattr(item, "fixturenames", ()):
        item.add_marker("kubernetes")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the cluster come last: it may still be being built, and waiting for that is none of their own time."""
    late = [item for item in items if _asks_for_cluster(item)]
    items[:] = [*(item for item in items if not _asks_for_cluster(item)), *late]
    for item in late:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_LIMIT_OF_CLUSTER_TEST_S, func_only=True))


def _asks_for_cluster(item: pytest.Item) -> bool:
    return item.get_closest_marker("kubernetes") is not None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """`services missing: slurm (3 tests), s3 (1 test)`."""
    reports = [*terminalreporter.stats.get("skipped", []), *terminalreporter.stats.get("error", [])]
    found = [_MISSING.search(str(report.longrepr)) for report in reports]
    counts = Counter(match.group(1) for match in found if match)
    if counts:
        parts = [f"{name} ({count} test{'s' * (count > 1)})" for name, count in sorted(counts.items())]
        terminalreporter.write_line(f"services missing: {', '.join(parts)}; make services installs them", yellow=True)
