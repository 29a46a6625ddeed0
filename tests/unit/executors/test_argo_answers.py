"""What Argo's server answers when something is wrong: it passes, it may pass, or somebody has to do something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sciflow.errors import HostError, HostFailed, HostRefused, HostUnreachable
from sciflow.executors.argo.follow.waiting import trouble_of
from sciflow.executors.argo.server.objects import PodEvent
from sciflow.executors.argo.server.reaching import make_server
from sciflow.executors.argo.server.workflows import Workflows
from sciflow.executors.settings import ArgoSettings
from tests.unit.executors.argo_stand_in import StandIn, stand_in

HERE = "/api/v1/workflows/argo/run"


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as found:
        yield found


@pytest.fixture
def workflows(server: StandIn) -> Workflows:
    return make_server(ArgoSettings(server=server.url, namespace="argo", storage="bucket"))


@pytest.mark.parametrize(
    ("code", "said", "raised"),
    [
        (503, "connection error: desc = transport", HostUnreachable),
        (409, "Operation cannot be fulfilled: the object has been modified", HostUnreachable),
        (500, 'Put "https://10.0.0.1:443/apis": dial tcp: connect: connection refused', HostUnreachable),
        (500, "etcdserver: leader changed", HostUnreachable),
        (500, "context deadline exceeded", HostUnreachable),
        (403, 'workflows "run" is forbidden: exceeded quota: few', HostUnreachable),
        (500, "unable to compress or offload workflow nodes", HostFailed),
        (403, 'workflows "run" is forbidden: cannot patch', HostRefused),
        (400, "templates.main: timeout is no duration", HostRefused),
    ],
)
def test_what_is_said_decides_whether_it_is_tried_again(
    code: int, said: str, raised: type[HostError], server: StandIn, workflows: Workflows
) -> None:
    server.answers[f"PUT {HERE}/terminate"] = code, {"message": said}
    server.answers[f"GET {HERE}"] = 200, {"status": {"phase": "Running"}}
    with pytest.raises(HostError, match=said[:20]) as caught:
        workflows.terminate("run")
    assert caught.type is raised


def test_a_workflow_that_has_ended_or_is_gone_need_not_be_ended(server: StandIn, workflows: Workflows) -> None:
    server.answers[f"PUT {HERE}/terminate"] = 500, {"message": "cannot shutdown a completed workflow"}
    server.answers[f"GET {HERE}"] = 200, {"status": {"phase": "Failed"}}
    workflows.terminate("run")
    del server.answers[f"GET {HERE}"]
    workflows.terminate("run")
    workflows.resume("run")


def test_of_a_pods_events_the_last_warning_that_says_something_is_told() -> None:
    failed = {"type": "Warning", "reason": "Failed"}
    events = [
        PodEvent(type="Normal", reason="Pulling", message="Pulling image", last_timestamp="2026-01-01T00:00:09Z"),
        PodEvent(**failed, message="Error: ErrImagePull", last_timestamp="2026-01-01T00:00:08Z"),
        PodEvent(**failed, message='Failed to pull image "a"', last_timestamp="2026-01-01T00:00:07Z"),
        PodEvent(**failed, message="of long ago", event_time="2026-01-01T00:00:01Z"),
    ]
    assert trouble_of(events) == 'Failed: Failed to pull image "a"'
    assert trouble_of(events[:1]) == ""
    started = PodEvent(type="Normal", reason="Started", message="", last_timestamp="2026-01-01T00:00:10Z")
    assert trouble_of([*events, started]) == ""
