"""Argo: does its server answer, is the token good, what may we do there, is the bucket ours to use?"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from functools import cached_property
from types import TracebackType
from typing import Self

import msgspec

from sciflow.config import Tables
from sciflow.core.graph import Secret
from sciflow.errors import ConfigError, HostError, HostUnreachable
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.server.reaching import make_server
from sciflow.executors.argo.server.workflows import Workflows
from sciflow.executors.argo.submission import bucket_settings, layout_of
from sciflow.executors.checkup.finding import Finding, bad, note, ok
from sciflow.executors.secrets import resolve_secret
from sciflow.executors.settings import ArgoSettings
from sciflow.storage.settings import S3Settings

OLDEST = (3, 6)  # of which mutexes and schedules have the names that we write
PATIENCE_S = 5.0  # with a bucket that does not answer: somebody sits here
TRIP_BYTES = 4 << 20
RIGHTS = "workflows: create, get, list, watch, update, patch, delete; pods, pods/log, events: get, list, watch"


class ArgoVisit:
    """One examination of an executor of type `argo`. What is made lazily raises what it raises."""

    def __init__(self, name: str, settings: ArgoSettings, storages: Tables, *, wait_s: float) -> None:
        """`wait_s`: how long the test workflow may wait and run."""
        self.name = name
        self.settings = settings
        self.storages = storages
        self.wait_s = wait_s
        self.mark = f"doctor-{secrets.token_hex(4)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if "server" in vars(self):
            self.server.close()

    @property
    def table(self) -> str:
        """How the settings' table is called."""
        return f"[executors.{self.name}]"

    @property
    def role(self) -> str:
        """What to do where something is forbidden."""
        return (
            f"in namespace {self.settings.namespace} the account of the token needs a Role with the verbs for {RIGHTS}"
        )

    @cached_property
    def server(self) -> Workflows:
        """Not asked yet."""
        return make_server(self.settings)

    @cached_property
    def store(self) -> S3Settings:
        """The settings of the bucket."""
        found = bucket_settings(self.name, self.settings, self.storages)
        return msgspec.structs.replace(found, patience_s=min(found.patience_s, PATIENCE_S))

    @cached_property
    def bucket(self) -> Bucket:
        """Not asked yet."""
        return Bucket(self.settings.storage, self.store)

    @cached_property
    def layout(self) -> Layout:
        """The keys of the test workflow."""
        return layout_of(self.store, self.mark)


def server(visit: ArgoVisit) -> Iterator[Finding]:
    """Whether Argo's server is there, and new enough."""
    try:
        version = visit.server.version()
    except (HostError, ConfigError) as error:
        said, _, fix = str(error).partition("\n    fix:      ")
        yield bad("server", said, _way_there(said, fix, visit))
        return
    if not visit.settings.server:
        yield ok("server", f"{visit.server.url}: Kubernetes, with the workflows of some Argo")
        return
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    if numbers is None:
        yield note("server", f"version {version or 'unknown'}", f"{OLDEST[0]}.{OLDEST[1]} or newer is needed")
    elif (int(numbers[1]), int(numbers[2])) < OLDEST:
        fix = f"Argo Workflows {OLDEST[0]}.{OLDEST[1]} or newer is needed: ask those who run the cluster"
        yield bad("server", f"Argo {version}", fix)
    else:
        yield ok("server", f"Argo {version}")


def _way_there(said: str, fix: str, visit: ArgoVisit) -> str:
    if visit.settings.server and "refused" in said:
        return f"{fix} Where it is reached through kubectl: kubectl -n argo port-forward service/argo-server 2746"
    return fix or f"is this the address of Argo's server? `server` in {visit.table} is what one opens in a browser"


def account(visit: ArgoVisit) -> Iterator[Finding]:
    """Whose token it is; whether it is good shows in what it may do."""
    token = visit.settings.token
    if token is None and visit.settings.server:
        yield note("account", "no token", f"enough where the server asks for none; else `token` in {visit.table}")
        return
    origin = visit.settings.kubeconfig
    if token is not None:
        origin = f"${token.env}" if token.env else str(token.file)
    try:
        name = visit.server.account()
    except HostError as error:
        yield bad("account", str(error), f"a new token belongs in {origin}")
        return
    if name:
        yield ok("account", f"{name}, by the token in {origin}" if token is not None else f"{name}, by {origin}")
    else:
        yield note("account", f"the token in {origin}: whose it is, the server does not say")


def readable_token(visit: ArgoVisit) -> Iterator[Finding]:
    """Whether the token is to be had here."""
    token = visit.settings.token
    if token is None:
        return
    try:
        empty = not resolve_secret(token)
    except ConfigError as error:
        yield bad("token", str(error), _origin(token, visit.table))
    else:
        if empty:
            yield bad("token", "it is empty", _origin(token, visit.table))


def _origin(token: Secret, table: str) -> str:
    say = f"export {token.env}=..." if token.env else f"write it into {token.file}"
    return f"{say}, with what `argo auth token` says or the token of a service account; or correct `token` in {table}"


def permissions(visit: ArgoVisit) -> Iterator[Finding]:
    """Whether we may see and make workflows."""
    space = visit.settings.namespace
    nothing = {"name": "main", "suspend": {}}
    workflow = {
        "metadata": {"name": visit.mark, "namespace": space},
        "spec": {"entrypoint": "main", "templates": [nothing]},
    }
    try:
        visit.server.check_access(workflow)
    except HostUnreachable:
        raise
    except HostError as error:
        said, _, advice = str(error).partition("\n    fix:      ")
        if "(401)" in said:
            fix = advice
        elif "(404)" in said:
            fix = f"is there a namespace {space}? `namespace` in {visit.table} is that of your workflows"
        elif "not allowed" in said:  # Argo's own words, also of a namespace that is not there
            fix = f"is {space} the namespace of your workflows (`namespace` in {visit.table})? If so: {visit.role}"
        else:
            fix = visit.role
        yield bad("permissions", said, fix)
    else:
        yield ok("permissions", f"workflows of namespace {space} may be listed, checked and created")


def bucket(visit: ArgoVisit) -> Iterator[Finding]:
    """Whether a file comes back from the bucket as it went."""
    content = os.urandom(TRIP_BYTES)
    try:
        key, where = visit.layout.part("file"), repr(visit.bucket)
        visit.bucket.demand()
        began = time.monotonic()
        visit.bucket.put(key, content)
        between = time.monotonic()
        back = visit.bucket.get(key)
        ended = time.monotonic()
        visit.bucket.delete(key)
    except (HostError, ConfigError) as error:
        said, _, fix = str(error).partition("\n    fix:      ")
        yield bad("bucket", said, fix or f"`sciflow doctor {visit.settings.storage}` looks at it by itself")
        return
    if back != content:
        yield bad("bucket", f"{where}: a file came back changed", "tell the people who run it")
        return
    to, fro = (TRIP_BYTES / 1e6 / max(seconds, 1e-6) for seconds in (between - began, ended - between))
    yield ok(
        "bucket", f"{where}: {TRIP_BYTES >> 20} MiB unchanged; {to:,.0f} MB/s there, {fro:,.0f} MB/s back; removed"
    )
