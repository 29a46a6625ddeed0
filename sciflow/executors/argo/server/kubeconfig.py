"""The way to a cluster as `kubectl` knows it: a kubeconfig file, or what Kubernetes gives to every pod."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import subprocess
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import msgspec

from sciflow.errors import ConfigError, MissingExtra
from sciflow.executors.argo.server.access import Access, bearer

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_CLUSTER = "in-cluster"  # in place of a file: this is a pod of the cluster
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LONGEST = 300  # characters of what such a program says
PLUGIN_S = 60.0  # for a program that fetches a token: somebody may have to log in


class Entries(msgspec.Struct, frozen=True):
    """Of a kubeconfig what matters in one context."""

    folder: Path  # for relative paths
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]

    def __repr__(self) -> str:
        """Without what gives access."""
        return f"Entries({str(self.folder)!r}, {self.cluster.get('server')!r}, user={sorted(self.user)})"


def kubeconfig_access(file: str, context: str) -> Access:
    """The way to the cluster of a context; "": the file's own.

    Raises:
        ConfigError: the file is not to be read, or lacks something; or a program that it names gives no token.
        MissingExtra: the package `pyyaml` is not installed.
    """
    if file == IN_CLUSTER:
        return _of_pod()
    found = _entries(Path(file).expanduser(), context)
    given = _from_plugin(found.user["exec"]) if "exec" in found.user else found.user
    return Access(
        url=str(found.cluster["server"]),
        authorization=_authorization(found.folder, given),
        trust=_trust(found, given),
        server_name=str(found.cluster.get("tls-server-name", "")),
    )


def _of_pod() -> Access:
    try:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        token = (ACCOUNT / "token").read_text().strip()
    except (KeyError, OSError) as error:
        raise ConfigError(f'kubeconfig = "{IN_CLUSTER}" is for an engine that is a pod of the cluster') from error
    address = f"[{host}]" if ":" in host else host
    trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    return Access(url=f"https://{address}:{port}", authorization=bearer(token), trust=trust)


def _entries(file: Path, context: str) -> Entries:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingExtra("pyyaml", "argo", "a kubeconfig") from error
    try:
        config = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"kubeconfig {file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        at = f" (line {error.problem_mark.line + 1})" if isinstance(error, yaml.MarkedYAMLError) else ""
        raise ConfigError(f"kubeconfig {file}: no YAML{at}") from None  # which shows lines of it, with a token perhaps
    config = config if isinstance(config, dict) else {}
    named = context or str(config.get("current-context") or "")
    chosen = _named(file, config, "context", named)
    cluster = _named(file, config, "cluster", str(chosen.get("cluster", "")))
    if "server" not in cluster:
        raise ConfigError(f"kubeconfig {file}: the cluster of context {named} has no server")
    user = _named(file, config, "user", str(chosen["user"])) if chosen.get("user") else {}
    return Entries(file.parent, cluster, user)


def _named(file: Path, config: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    entries = {str(entry.get("name")): entry.get(kind) or {} for entry in config.get(f"{kind}s") or ()}
    if name not in entries:
        known = ", ".join(entries) or "none"
        fix = "`kubectl config get-contexts` lists them; `context` in the executor's settings chooses one"
        raise ConfigError(f"kubeconfig {file}: there is no {kind} {name!r}\n    found:    {known}\n    fix:      {fix}")
    found: Mapping[str, Any] = entries[name]
    return found


# --- who speaks


def _from_plugin(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the program that a cluster's owner gives one says: a token, or a certificate with its key."""
    version = str(told.get("apiVersion", "client.authentication.k8s.io/v1"))
    asked = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    env = {entry["name"]: str(entry["value"]) for entry in told.get("env") or ()}
    env = {**os.environ, "KUBERNETES_EXEC_INFO": msgspec.json.encode(asked).decode(), **env}
    argv = [str(told["command"]), *map(str, told.get("args") or ())]
    try:
        done = subprocess.run(
            argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PLUGIN_S, check=True
        )
        status = msgspec.json.decode(done.stdout)["status"]
    except OSError as error:
        hint = str(told.get("installHint", "")).strip()
        raise ConfigError(f"{argv[0]}, which the kubeconfig names: {error.strerror}. {hint}".rstrip(". ")) from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"{argv[0]}, which the kubeconfig names, took longer than {PLUGIN_S:.0f} s") from error
    except subprocess.CalledProcessError as error:
        raise ConfigError(f"{argv[0]}, which the kubeconfig names, failed: {_last_line(error.stderr)}") from error
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise ConfigError(f"{argv[0]}, which the kubeconfig names, gave no credentials") from error
    names = {
        "token": "token",
        "clientCertificateData": "client-certificate-data",
        "clientKeyData": "client-key-data",
    }
    return {ours: status[theirs] for theirs, ours in names.items() if status.get(theirs)}


def _last_line(printed: str) -> str:
    """What a program has come to. What it says before may be how it speaks with a server, tokens and all."""
    said = printed.strip().rpartition("\n")[2]
    return said if len(said) <= LONGEST else f"{said[:LONGEST]} ..."


def _authorization(folder: Path, user: Mapping[str, Any]) -> str:
    if "tokenFile" in user:
        try:
            return bearer((folder / str(user["tokenFile"])).read_text().strip())
        except OSError as error:
            raise ConfigError(f"the token of the kubeconfig, {user['tokenFile']}: {error.strerror}") from error
    if "username" in user:
        pair = f"{user['username']}:{user.get('password', '')}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"
    if "auth-provider" in user:
        raise ConfigError("the kubeconfig has an `auth-provider`, which Kubernetes has given up: have it name `exec`")
    return bearer(str(user.get("token", "")))


def _trust(found: Entries, user: Mapping[str, Any]) -> ssl.SSLContext:
    cluster = found.cluster
    try:
        context = ssl.create_default_context()
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        elif "certificate-authority-data" in cluster:
            context = ssl.create_default_context(cadata=_decoded(cluster["certificate-authority-data"]).decode())
        elif "certificate-authority" in cluster:
            context = ssl.create_default_context(cafile=str(found.folder / str(cluster["certificate-authority"])))
        if "client-certificate" in user or "client-certificate-data" in user:
            files = (_file(found.folder, user, name) for name in ("client-certificate", "client-key"))
            with next(files) as certificate, next(files) as key:
                context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise ConfigError(f"the certificates of the kubeconfig: {error}") from error
    return context


@contextmanager
def _file(folder: Path, user: Mapping[str, Any], name: str) -> Iterator[str]:
    """A file with a certificate or key, for the moment in which it is read: Python takes it from nowhere else."""
    data = user.get(f"{name}-data")
    if data is None:
        yield str(folder / str(user.get(name, "")))
        return
    with NamedTemporaryFile(prefix="sciflow-") as made:  # readable for its owner alone
        made.write(_decoded(data))
        made.flush()
        yield made.name


def _decoded(data: object) -> bytes:
    text = str(data)
    if text.startswith("-----"):  # as plugins give it
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from error
