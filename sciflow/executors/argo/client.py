"""Argo's server, by its REST API (Argo Workflows 3.7, `api/openapi-spec/swagger.json`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from sciflow.errors import HostRefused, HostUnreachable, MissingExtra

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 30.0
MISSING, TAKEN = 404, 409
TRANSIENT = frozenset({429, 500, 502, 503, 504})


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A node of a workflow, as far as it matters here."""

    id: str = ""
    type: str = ""
    phase: str = ""
    message: str = ""
    progress: str = ""  # "N/M"
    template: str = msgspec.field(default="", name="templateName")
    inputs: Mapping[str, Any] = {}

    def parameter(self, name: str) -> str:
        """The value of an input parameter; empty if there is none."""
        return next((str(p.get("value", "")) for p in self.inputs.get("parameters", ()) if p["name"] == name), "")


class WorkflowStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far a workflow is."""

    phase: str = ""
    message: str = ""
    progress: str = ""  # of all its nodes together, "N/M"
    nodes: Mapping[str, NodeStatus] = {}
    suspended: bool = False  # as a whole

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it, short of a retry."""
        return self.phase in ("Succeeded", "Failed", "Error")


class _Workflow(msgspec.Struct, frozen=True):
    status: WorkflowStatus = WorkflowStatus()
    spec: Mapping[str, Any] = {}


class ArgoServer:
    """One server and namespace. Safe to use from several threads.

    Every method raises:
        HostUnreachable: it does not answer now.
        HostRefused: it answers, and somebody has to do something first, which the message says.
    """

    def __init__(self, url: str, namespace: str, *, token: str = "", ca_file: str = "", verify: bool = True) -> None:
        """`token`: with or without `Bearer` in front.

        Raises:
            MissingExtra: the package `httpx` is not installed.
        """
        try:
            import httpx
        except ModuleNotFoundError as error:
            raise MissingExtra("httpx", "argo", "Argo's server") from error
        import ssl

        trust: Any = verify
        if verify and ca_file:
            trust = ssl.create_default_context(cafile=ca_file)
        bearer = token if not token or token.lower().startswith(("bearer ", "basic ")) else f"Bearer {token}"
        headers = {"Authorization": bearer} if bearer else {}
        self.url = url.rstrip("/")
        self.namespace = namespace
        self._client: httpx.Client = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT_S, verify=trust)

    def close(self) -> None:
        """Lets go of its connections."""
        self._client.close()

    def version(self) -> str:
        """That of Argo."""
        return str(self._json("GET", "/api/v1/version").get("version", ""))

    def account(self) -> str:
        """On whose behalf the token speaks; empty if the server does not know."""
        told = self._json("GET", "/api/v1/userinfo")
        return next((str(told[key]) for key in ("name", "email", "subject") if told.get(key)), "")

    def check_access(self, workflow: Mapping[str, Any]) -> None:
        """Does all that needs the right to see and create workflows, and changes nothing.

        Raises:
            HostRefused: what is not allowed.
        """
        self._json("GET", f"/api/v1/workflows/{self.namespace}?listOptions.limit=1&fields=items.metadata.name")
        self.lint(workflow)
        self._json("POST", f"/api/v1/workflows/{self.namespace}", {"workflow": workflow, "serverDryRun": True})

    def lint(self, workflow: Mapping[str, Any]) -> None:
        """Has a workflow checked.

        Raises:
            HostRefused: what is wrong with it.
        """
        self._json("POST", f"/api/v1/workflows/{self.namespace}/lint", {"workflow": workflow})

    def create(self, workflow: Mapping[str, Any]) -> bool:
        """Submits a workflow; False if one of this name is there."""
        answer = self._ask("POST", f"/api/v1/workflows/{self.namespace}", {"workflow": workflow}, passed=(TAKEN,))
        return answer.status_code != TAKEN

    def status(self, name: str, *, nodes: bool) -> WorkflowStatus | None:
        """How far a workflow is; None if there is none."""
        fields = "spec.suspend,status.phase,status.message,status.progress"
        if nodes:
            fields += ",status.nodes"
        answer = self._ask("GET", f"{self._place(name)}?fields={fields}", passed=(MISSING,))
        if answer.status_code == MISSING:
            return None
        found = msgspec.json.decode(answer.content, type=_Workflow)
        return msgspec.structs.replace(found.status, suspended=bool(found.spec.get("suspend")))

    def label(self, name: str, label: str) -> str:
        """A label of a workflow; empty if it has none."""
        answer = self._json("GET", f"{self._place(name)}?fields=metadata.labels")
        return str(answer.get("metadata", {}).get("labels", {}).get(label, ""))

    def repository(self, name: str) -> Mapping[str, Any]:
        """Where Argo keeps the artifacts of a workflow that has begun: `s3`, `gcs`, ... with their settings."""
        answer = self._json("GET", f"{self._place(name)}?fields=status.artifactRepositoryRef")
        told = answer.get("status", {}).get("artifactRepositoryRef", {}).get("artifactRepository", {})
        return told if isinstance(told, dict) else {}

    def words(self, name: str, *, container: str) -> str:
        """The ends of what containers of that name in a workflow's pods have printed; empty if nobody may see it."""
        ask = f"{self._place(name)}/log?logOptions.container={container}&logOptions.tailLines=30"
        answer = self._ask("GET", ask, passed=(400, 403, MISSING, 500))
        lines = answer.content.splitlines() if answer.is_success else []
        told = [msgspec.json.decode(line).get("result", {}).get("content", "") for line in lines if line.strip()]
        return "\n".join(line for line in told if "argo=true" not in line)

    def log(
        self, name: str, *, pod: str = "", tail: int | None = None, selector: str = "", follow: bool = False
    ) -> Iterator[tuple[str, str]]:
        """The lines that the containers `main` of a workflow's pods print: (pod, line).

        `tail`: the last so many of each; `follow`: until the workflow has ended. None if there is no such workflow.
        """
        asked = {"container": "main", **({"tailLines": tail} if tail is not None else {})}
        options = "&".join(f"logOptions.{key}={value}" for key, value in asked.items())
        options += f"&podName={pod}" if pod else f"&selector={selector}"
        options += "&logOptions.follow=true" if follow else ""
        import httpx

        with self._explained():
            patience = httpx.Timeout(TIMEOUT_S, read=None if follow else TIMEOUT_S)
            with self._client.stream("GET", f"{self._place(name)}/log?{options}", timeout=patience) as answer:
                if not answer.is_success:
                    answer.read()
                    self._check(answer, "GET", self._place(name), passed=(MISSING,))
                    return
                for text in answer.iter_lines():
                    yield from self._entry(text)

    def _entry(self, text: str) -> Iterator[tuple[str, str]]:
        told = msgspec.json.decode(text) if text.strip() else {}
        if "error" in told:
            said, code = told["error"].get("message", ""), told["error"].get("http_code", 500)
            raise HostRefused(f"{self.url}: the log: {said} ({code}){_advice(code)}")
        if "result" in told:
            yield str(told["result"].get("podName", "")), str(told["result"].get("content", ""))

    def suspend(self, name: str) -> None:
        """Begins no more pods."""
        self._json("PUT", f"{self._place(name)}/suspend", {})

    def resume(self, name: str, *, node: str = "") -> None:
        """Goes on; with a selector of nodes those alone."""
        self._json("PUT", f"{self._place(name)}/resume", {"nodeFieldSelector": node} if node else {})

    def give(self, name: str, node: str, values: Mapping[str, str]) -> None:
        """Sets output parameters of a suspended node."""
        told = {"nodeFieldSelector": f"id={node}", "outputParameters": msgspec.json.encode(values).decode()}
        self._json("PUT", f"{self._place(name)}/set", told)

    def stop(self, name: str) -> None:
        """Ends its pods, then runs its exit handler."""
        self._json("PUT", f"{self._place(name)}/stop", {})

    def terminate(self, name: str) -> None:
        """Ends its pods."""
        self._json("PUT", f"{self._place(name)}/terminate", {})

    def retry(self, name: str, *, succeeded: bool) -> None:
        """Runs again what has failed, and what depends on it; also of a workflow that has `succeeded` all the same."""
        told = {"restartSuccessful": True, "nodeFieldSelector": "phase=Failed"} if succeeded else {}
        self._json("PUT", f"{self._place(name)}/retry", told)

    def delete(self, name: str) -> None:
        """Removes it, with its pods."""
        self._ask("DELETE", self._place(name), passed=(MISSING,))

    def _place(self, name: str) -> str:
        return f"/api/v1/workflows/{self.namespace}/{name}"

    def _json(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(self._ask(method, path, body).content or b"{}")
        return found

    def _ask(self, method: str, path: str, body: object = None, *, passed: Sequence[int] = ()) -> httpx.Response:
        content = None if body is None else msgspec.json.encode(body)
        with self._explained():
            answer = self._client.request(method, path, content=content)
        return self._check(answer, method, path, passed=passed)

    def _check(self, answer: httpx.Response, method: str, path: str, *, passed: Sequence[int]) -> httpx.Response:
        if answer.is_success or answer.status_code in passed:
            return answer
        where = f"{self.url}: {method} {path.partition('?')[0]}"
        said = _message(answer.content)
        if answer.status_code in TRANSIENT and answer.status_code != 500:
            raise HostUnreachable(f"{where}: the server does not serve now ({answer.status_code}): {said}")
        raise HostRefused(f"{where}: {said} ({answer.status_code}){_advice(answer.status_code)}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except httpx.TransportError as error:
            raise HostUnreachable(
                f"{self.url}: no answer: {error}: is `server` right, and Argo's server up?"
            ) from error


def _message(content: bytes) -> str:
    try:
        return str(msgspec.json.decode(content)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return content[:300].decode(errors="replace")


def _advice(code: int) -> str:
    match code:
        case 401:
            return "\n    fix:      renew `token`: it is missing, wrong, or has expired"
        case 403:
            return "\n    fix:      let the account of `token` do what the page on Argo lists, in that namespace"
        case _:
            return ""
