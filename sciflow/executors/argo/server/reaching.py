"""How an executor reaches its workflows: through Argo's server, or Kubernetes itself."""

from __future__ import annotations

from sciflow.executors.argo.server.access import Access, Words, bearer, certificates
from sciflow.executors.argo.server.argo_server import ArgoServer
from sciflow.executors.argo.server.connection import Connection
from sciflow.executors.argo.server.kubeconfig import kubeconfig_access
from sciflow.executors.argo.server.kubernetes_api import KubernetesApi
from sciflow.executors.argo.server.workflows import Workflows
from sciflow.executors.secrets import resolve_secret
from sciflow.executors.settings import ArgoSettings


def make_server(settings: ArgoSettings) -> Workflows:
    """Where an executor's workflows are; not asked yet.

    Raises:
        ConfigError: there is no token, no certificate, or no kubeconfig where one was named.
        MissingExtra: a package that it needs is not installed.
    """
    kind = ArgoServer if settings.server else KubernetesApi
    return kind(make_connection(settings), settings.namespace)


def make_connection(settings: ArgoSettings) -> Connection:
    """The same, for other calls.

    Raises:
        ConfigError, MissingExtra: as above.
    """
    return Connection(lambda: _access(settings), _words(settings))


def _access(settings: ArgoSettings) -> Access:
    if not settings.server:
        return kubeconfig_access(settings.kubeconfig, settings.context)
    token = resolve_secret(settings.token) if settings.token is not None else ""
    trust = certificates(settings.ca_file) if settings.verify and settings.ca_file else settings.verify
    return Access(url=settings.server, authorization=bearer(token), trust=trust)


def _words(settings: ArgoSettings) -> Words:
    if not settings.server:
        file = settings.kubeconfig
        return Words(
            server="Kubernetes",
            place=f"`server` of {file}",
            token=f"the token in {file}",
            ca=f"`certificate-authority` in {file}",
            unknown=" Has the cluster workflows of Argo at all?",
            plain="insecure-skip-tls-verify: true",
        )
    token = settings.token
    where, renewal = "`token`", ""
    if token is not None and token.file:
        where = f"`token`, in {token.file}"
    elif token is not None and token.env:
        where = f"`token`, in ${token.env}"
        renewal = "; an engine that is at work has read that variable, and would read a file again"
    return Words(
        server="Argo's server",
        place="`server`",
        token=where,
        ca="`ca_file`",
        renewal=renewal,
        plain="verify = false",
    )
