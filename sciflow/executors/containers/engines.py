"""What the engines' programs are told, one pure function for each: `sciflow.runner.container` says what follows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import msgspec

from sciflow.core.expr import Tree
from sciflow.executors.containers.box import Box, Mount
from sciflow.runner.container import mount

GPUS = "CUDA_VISIBLE_DEVICES"
OF_ALL = "all"
ENVIRONMENT = (  # patterns of variables by which an engine's program finds its daemon, images and settings
    "CONTAINER*", "CUDA_VISIBLE_DEVICES", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_*", "APPTAINER*", "REGISTRY_AUTH_FILE",
    "SINGULARITY*", "XDG_*", "*_proxy", "*_PROXY",
)  # fmt: skip
NO_RIGHTS = ("--cap-drop=all", "--security-opt=no-new-privileges")
# What is the host's own and would mislead a program in an image.
MISLEADING = ("PYTHONPATH", "PYTHONHOME", "LD_PRELOAD")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What one container is to have beside its image; paths are those of the executing machine.

    `gpus`: numbers where they are counted by number, `OF_ALL` where a batch system has chosen.
    """

    mounts: Sequence[Mount] = ()
    variables: Sequence[str] = ()  # names: values are in the environment of whoever starts it
    set_: Sequence[tuple[str, str]] = ()
    cpus: int | None = None  # at most so much at once
    memory_mb: int = 0
    gpus: Sequence[int] | str = ()


def podman(box: Box, wanted: Wanted) -> dict[str, Tree]:
    """Of podman, 4 or newer; without root it needs the user's subordinate ids, and GPUs need its CDI files."""
    chosen = [wanted.gpus] if isinstance(wanted.gpus, str) else wanted.gpus
    gpus = [f"--device=nvidia.com/gpu={number}" for number in chosen]
    begin = [box.program or "podman", "run", *_common(box, wanted), "--security-opt=label=disable", *gpus]
    return {
        "engine": "podman",
        "begin": [*begin, *box.arguments],
        "rootless": ["--userns=keep-id"],
        "init": "/usr/libexec/podman/catatonit",
        "remove": [box.program or "podman", "rm", "--force", "--ignore", "--time=0"],
        **_OF_DAEMONS,
    }


def docker(box: Box, wanted: Wanted) -> dict[str, Tree]:
    """Of Docker, 20.10 or newer, its daemon on the same machine."""
    chosen = wanted.gpus if isinstance(wanted.gpus, str) else ",".join(map(str, wanted.gpus))
    gpus = () if not chosen else ("--gpus", chosen if chosen == OF_ALL else f'"device={chosen}"')
    begin = [box.program or "docker", "run", "--init", *_common(box, wanted), *gpus]
    return {
        "engine": "docker",
        "begin": [*begin, *box.arguments],
        "rootless": [],
        "init": "",
        "remove": [box.program or "docker", "rm", "--force"],
        **_OF_DAEMONS,
    }


def apptainer(box: Box, wanted: Wanted) -> dict[str, Tree]:
    """Of Apptainer (or Singularity CE) 1.0 or newer; the environment comes along, but for what would mislead."""
    begin = [*chain.from_iterable(("-u", name) for name in MISLEADING)]
    begin += [f"{name}={value}" for name, value in wanted.set_]
    begin += [box.program or "apptainer", "exec", "--contain"]
    begin += [] if box.network else ["--net", "--network=none"]
    begin += ["--nv"] if wanted.gpus else []
    begin += chain.from_iterable(mount(m.source, to=m.to, writable=m.write) for m in wanted.mounts)
    begin += _limits(wanted)
    return {
        "engine": "apptainer",
        "begin": ["env", *begin, *box.arguments],
        "named": "",
        "workdir": "--pwd",
        "user": "",
        "rootless": [],
        "attached": [],
        "variable": "",
        "bare": [],
        "init": "",
        "remove": [],
    }


_OF_DAEMONS: dict[str, Tree] = {
    "named": "--name",
    "workdir": "--workdir",
    "user": "--user",
    "attached": ["--interactive"],
    "variable": "--env",
    "bare": ["--entrypoint", ""],
}


def _common(box: Box, wanted: Wanted) -> list[str]:
    options = ["--rm", "--log-driver=none", *NO_RIGHTS]
    options += [] if box.network else ["--network=none"]
    options += chain.from_iterable(("--env", name) for name in wanted.variables)
    options += chain.from_iterable(("--env", f"{name}={value}") for name, value in wanted.set_)
    options += chain.from_iterable(mount(m.source, to=m.to, writable=m.write) for m in wanted.mounts)
    return options + _limits(wanted)


def _limits(wanted: Wanted) -> list[str]:
    cpus = [] if wanted.cpus is None else [f"--cpus={wanted.cpus}"]
    return cpus + ([f"--memory={wanted.memory_mb}m"] if wanted.memory_mb else [])
