"""Deploys a workflow: into the bucket what its runs are given, and to Argo's server what they are started from."""

from __future__ import annotations

import hashlib
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.config import Tables
from sciflow.core.expr import Tree
from sciflow.core.graph import Graph, Suspend
from sciflow.core.naming import nearest
from sciflow.core.ports import NONE, Port
from sciflow.errors import ConfigError, InvalidInput, Problem
from sciflow.executors.argo.manifest import Manifest
from sciflow.executors.argo.manifest.deployed import (
    DEPLOYED_LABEL,
    LONGEST_NAME,
    RUN,
    Deployment,
    Schedule,
    cron_manifest,
    template_manifest,
)
from sciflow.executors.argo.manifest.naming import dns_name
from sciflow.executors.argo.manifest.parameters import Parameter, parameter_of
from sciflow.executors.argo.manifest.workflow import VERSION_LABEL
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.facts import Facts
from sciflow.executors.argo.place.layout import PARAMETERS, Delivery
from sciflow.executors.argo.place.parcels import package_parcel, runner_parcel
from sciflow.executors.argo.place.sending import PARTS_GIVEN, Sender
from sciflow.executors.argo.shelf import open_shelf
from sciflow.executors.argo.submission import bucket_settings, layout_of, submission_of
from sciflow.executors.errand import Errand
from sciflow.executors.settings import ArgoSettings

_TIMES = re.compile(r"@[a-z]+( \S+)?|[\d*]\S*( +[\w*?]\S*){4}")  # which of these there are, Argo says
RESERVED = "json"  # Argo has all parameters under this name


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be deployed, besides the workflow."""

    name: str
    about: str = ""
    schedule: Schedule | None = None


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What would be deployed."""

    deployment: Deployment
    facts: Facts
    manifests: Sequence[Manifest]


def prepare(name: str, settings: ArgoSettings, storages: Tables, errand: Errand, wish: Wish) -> Prepared:
    """What a workflow becomes, as a run of it would be; nothing is contacted.

    Raises:
        InvalidInput: inputs that no parameter can give, or that a schedule would have to give.
        ConfigError: something of it cannot be had on Argo.
    """
    whole = errand.whole
    assert whole is not None
    if wish.schedule is not None:
        _check(wish.schedule)
    submission = submission_of(name, settings, storages, whole)
    site, delivery = submission.site, Delivery(runner=runner_parcel().name, package=package_parcel().name)
    facts, plan, layout = submission.facts(errand), submission.plan(RUN), submission.layout(RUN)
    deployment = Deployment(
        name=dns_name(wish.name, most=LONGEST_NAME),
        version="",
        about=wish.about,
        parameters=_parameters(facts, scheduled=wish.schedule is not None),
    )

    def template(name: str) -> Manifest:
        return template_manifest(name, deployment, whole.spec, plan, layout=layout, site=site, delivery=delivery)

    version = _version([template(""), _lasting(facts), _hashes(errand.root)])
    deployment = msgspec.structs.replace(deployment, version=version)
    manifests = [template(deployment.key), template(deployment.name)]
    if wish.schedule is not None:
        manifests.append(cron_manifest(deployment, wish.schedule, site))
    return Prepared(deployment=deployment, facts=facts, manifests=manifests)


def _check(schedule: Schedule) -> None:
    """Kubernetes takes what Argo then cannot read."""
    if not _TIMES.fullmatch(schedule.cron):
        raise ConfigError(
            f"{schedule.cron!r} says no times\n"
            "    expected: minute, hour, day, month and day of the week, as * or numbers: 0 6 * * 1 is Mondays at 6"
        )
    zones = zoneinfo.available_timezones()  # there may be none on this machine
    if schedule.timezone and zones and schedule.timezone not in zones:
        near = nearest(schedule.timezone, sorted(zones))
        hint = f"\n    fix:      did you mean {near}?" if near else ""
        raise ConfigError(f"there is no time zone {schedule.timezone!r}\n    expected: a name as Europe/Berlin{hint}")


def deploy(name: str, settings: ArgoSettings, storages: Tables, errand: Errand, prepared: Prepared) -> bool:
    """Does it; False if all of it was there."""
    store = bucket_settings(name, settings, storages)
    bucket = Bucket(settings.storage, store)
    layout = layout_of(store, "").deployed(prepared.deployment.key)
    shelf = open_shelf(settings)
    try:
        bucket.put(layout.part(PARAMETERS), msgspec.json.encode(prepared.deployment.parameters))
        Sender(bucket, layout, errand.root, prepared.facts, errand.code).send()
        changed = [shelf.put(manifest) for manifest in prepared.manifests]
        return any(changed)
    finally:
        shelf.close()


def remove(name: str, settings: ArgoSettings, storages: Tables, deployed: str) -> Sequence[str]:
    """Removes what was deployed under a name, with all its versions; or one version, and what begins runs of it."""
    store = bucket_settings(name, settings, storages)
    bucket = Bucket(settings.storage, store)
    shelf = open_shelf(settings)
    try:
        found = [one for one in shelf.deployed() if deployed in (one["metadata"]["labels"][DEPLOYED_LABEL], _key(one))]
        # what begins runs first; last that by which the rest is found again, should this be cut short
        found.sort(key=lambda one: (_is_version(one), one["kind"]))
        for one in found:
            if _is_version(one):
                bucket.delete_all(bucket.list(layout_of(store, "").deployed(_key(one)).part("")))
            shelf.remove(one)
        return [f"{one['kind']} {one['metadata']['name']}" for one in found]
    finally:
        shelf.close()


def listed(settings: ArgoSettings) -> list[Manifest]:
    """What is deployed."""
    shelf = open_shelf(settings)
    try:
        return list(shelf.deployed())
    finally:
        shelf.close()


def _key(manifest: Manifest) -> str:
    labels = manifest["metadata"]["labels"]
    return f"{labels[DEPLOYED_LABEL]}-{labels[VERSION_LABEL]}"


def _is_version(manifest: Manifest) -> bool:
    """Whether it is the template that stays with its version."""
    return bool(manifest["metadata"]["name"] == _key(manifest))


def _parameters(facts: Facts, *, scheduled: bool) -> list[Parameter]:
    """Those of the inputs that can be given; the others must have a value, and keep it."""
    entry = facts.spec.templates[facts.spec.entry]
    assert isinstance(entry, Graph)
    made: list[Parameter] = []
    problems = [
        _asking(one) for one in facts.spec.templates.values() if isinstance(one, Suspend) and one.output != NONE
    ]
    for port in entry.inputs:
        value = _value(port, facts.inputs)
        parameter = parameter_of(port.name, port.type, value)
        if port.name == RESERVED or not port.name.isascii():
            problems.append(_unnameable(port, entry.where))
        elif (parameter is None or scheduled) and not value:
            problems.append(_ungiven(port, entry.where, scheduled=parameter is not None))
        elif parameter is not None:
            made.append(parameter)
    if problems:
        raise InvalidInput(problems)
    return made


def _asking(gate: Suspend) -> Problem:
    return Problem(
        where=gate.where,
        what=f"{gate.name} asks for a value, which only an engine can give, and no engine looks after a deployed run",
        expected="a suspension without a type, which Argo lets go itself",
        found=f"type={gate.output}",
        fix="make the value an input; or divide the workflow there, and deploy both parts",
    )


def _value(port: Port, inputs: Mapping[str, Tree]) -> list[Tree]:
    if port.name in inputs:
        return [inputs[port.name]]
    return [] if port.default is None else [port.default.value]


def _unnameable(port: Port, where: str) -> Problem:
    return Problem(
        where=where,
        what=f"Argo takes no parameter of the name {port.name!r}",
        expected=f"Latin letters, digits and _, and another name than {RESERVED!r}",
        found=port.name,
        fix="give the input another name",
    )


def _ungiven(port: Port, where: str, *, scheduled: bool) -> Problem:
    why = (
        "a schedule gives none" if scheduled else f"runs on Argo are given text, which cannot say what a {port.type} is"
    )
    other = "give the input a default" if scheduled else "let the workflow take a Path"
    return Problem(
        where=where,
        what=f"input {port.name} needs a value now: {why}",
        expected=f"{port.name}: {port.type}",
        found="none",
        fix=f"give {port.name} when deploying, or {other}",
    )


def _lasting(facts: Facts) -> list[object]:
    """What of the facts is the workflow's, and not the place and time of its deployment."""
    return [facts.spec, facts.inputs, facts.reuse, facts.bundle, facts.host, facts.inline_bytes, facts.main]


def _hashes(root: Path) -> list[tuple[str, str]]:
    """What was given as files."""
    files = [path for part in PARTS_GIVEN for path in sorted((root / part).rglob("*")) if path.is_file()]
    return [(str(path.relative_to(root)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]


def _version(made_of: object) -> str:
    return hashlib.sha256(msgspec.json.encode(made_of, order="sorted")).hexdigest()[:8]
