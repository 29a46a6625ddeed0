"""A submission whose elements, or the programs that they run, run in containers: what `index.json` says of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.graph import Program, Resources
from sciflow.core.job import Job
from sciflow.errors import ConfigError
from sciflow.executors.containers.box import Box, Engine, Mount
from sciflow.executors.containers.engines import GPUS, OF_ALL, Wanted, apptainer, docker, podman
from sciflow.executors.request import Element
from sciflow.runner.batch import INSIDE
from sciflow.runner.container import Containers
from sciflow.runner.node import started
from sciflow.runner.shell_job import MARK

ENGINES: Mapping[Engine, Callable[[Box, Wanted], dict[str, Tree]]] = {
    "podman": podman,
    "docker": docker,
    "apptainer": apptainer,
}
READ_ONLY = ("artifacts", "code", "control")  # of a run folder: not for tasks to write in
HIDDEN = "run.db"
HOME = "/tmp"  # noqa: S108  an image's own; there need not be any other folder that any user may write in
OF_THE_PLACE = (MARK, "SCIFLOW_END_TIME", "SCIFLOW_JOB", "SCIFLOW_ELEMENT")


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the containers of a submission before its host is reached.

    `inside`: the elements run in them; otherwise they run beside them, and only the programs of their ops inside.
    """

    box: Box
    image: str
    inside: bool
    resources: Resources
    gpus: tuple[int, ...] | str
    bundles: tuple[str, ...]  # of the user's modules


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a submission lies on its host; `own`: the run's root is the run folder itself."""

    root: str
    depot: str
    runner: str
    folder: str
    batch: str
    own: bool


def launch_of(box: Box | None, job: Job, *, gpus: tuple[int, ...] | None, bundles: Iterable[str]) -> Launch | None:
    """How jobs like this one are run in containers; None if they are not.

    Args:
        box: of the executor; None if it has no containers.
        job: one of those that go together.
        gpus: their numbers; None where they are not counted by number.
        bundles: of the user's modules.

    Raises:
        ConfigError: there is an image and no engine, or the other way round.
    """
    need = job.need
    image = need.image or (box.image if box is not None else "")
    if box is None:
        if image:
            raise ConfigError(no_containers(job.path, need.executor))
        return None
    if not image:
        raise ConfigError(no_image(job.path, need.executor))
    return Launch(
        box=box,
        image=image,
        inside=not isinstance(job.template.code, Program),
        resources=need.resources,
        gpus=gpus if gpus is not None else OF_ALL if need.resources.gpus else (),
        bundles=tuple(bundles),
    )


def no_containers(where: str, executor: str) -> str:
    """What is said of an image that cannot be had."""
    return (
        f"{where} names an image, and the executor {executor} has no container engine\n"
        f'    fix:      write `container = "apptainer"` (or podman, docker) in [executors.{executor}], or leave '
        "`image` out"
    )


def no_image(where: str, executor: str) -> str:
    """What is said where an image is missing."""
    return (
        f"{where} is to run in a container of {executor}, and names no image\n"
        f"    fix:      write `.options(image=...)`, or `image` in [executors.{executor}]"
    )


def told_of(launch: Launch, place: Place, variables: Sequence[str]) -> dict[str, Tree]:
    """What `index.json` says of the containers; `variables` are all that ops and their surroundings need."""
    set_ = [("HOME", HOME)]
    if launch.inside:
        set_.append((INSIDE, place.batch))
    visible = (GPUS,) if launch.gpus == OF_ALL else ()
    limited = place.own and launch.box.engine != "apptainer" if launch.box.limits is None else launch.box.limits
    wanted = Wanted(
        mounts=[*_mounts(launch, place), *map(_as_mount, launch.box.mounts)],
        variables=list(dict.fromkeys([*variables, *OF_THE_PLACE, *visible])),
        set_=set_,
        cpus=launch.resources.cpus * launch.resources.ranks if limited else None,
        memory_mb=launch.resources.memory_mb if limited else 0,
        gpus=launch.gpus,
    )
    engine = ENGINES[launch.box.engine](launch.box, wanted)
    return {**engine, "image": launch.image, "inside": launch.inside, "python": launch.box.python}


def command_of(told: Mapping[str, Tree], place: Place, python: str) -> tuple[str, ...]:
    """The argv, but for its number, that runs an element with its containers; `python` is the host's."""
    if told["remove"]:
        return started(python, place.runner, "keep", place.folder)
    if not told["inside"]:
        return started(python, place.runner, "element", place.folder)
    containers = Containers(told, "", "")
    return tuple(containers.argv([told["python"], place.runner, "element", place.folder], name=""))


def argv_of(box: Box, command: Sequence[str], *, mounts: Sequence[Mount]) -> tuple[str, ...]:
    """What runs one command in a container of the executor's own image, on this machine."""
    engine = ENGINES[box.engine](box, Wanted(mounts=[*mounts, *map(_as_mount, box.mounts)], set_=[("HOME", HOME)]))
    return tuple(Containers({**engine, "image": box.image}, "", "").argv(command, name=""))


def _as_mount(given: str | Mount) -> Mount:
    return Mount(source=given) if isinstance(given, str) else given


def _mounts(launch: Launch, place: Place) -> Iterator[Mount]:
    """The run's root but for what is none of a task's business, and code; for programs nothing but their own folder."""
    if not launch.inside:
        return
    yield Mount(source=place.root, write=True)
    yield Mount(source=place.runner)
    for bundle in launch.bundles:
        yield Mount(source=f"{place.depot}/code/{bundle}")
    if place.own:
        for part in READ_ONLY:
            if os.path.isdir(f"{place.root}/{part}"):
                yield Mount(source=f"{place.root}/{part}")
        if os.path.exists(f"{place.root}/{HIDDEN}"):
            yield Mount(source=os.devnull, to=f"{place.root}/{HIDDEN}")


def seen_inside(launch: Launch, elements: Sequence[Element]) -> Sequence[Element]:
    """Elements as they find the machine: an engine that shows some GPUs only numbers them anew."""
    if not launch.inside or launch.box.engine == "apptainer":
        return elements
    return [msgspec.structs.replace(element, gpus=tuple(range(len(element.gpus)))) for element in elements]
