"""Calls to an HTTP server that takes and gives JSON: Argo's own, or the API server of Kubernetes.

What it answers becomes one of two errors: it may answer later, or somebody has to do something first. A server that has
served us before may do so again, however it refuses our token or shows another certificate: that is waited for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from sciflow.errors import ConfigError, HostFailed, HostRefused, HostUnreachable, MissingExtra
from sciflow.executors.argo.server.access import Access, Words
from sciflow.executors.argo.server.said import Said, is_word, message_of, says_missing

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
TIMEOUT_S = 30.0
JSON = "application/json"
MISSING, TAKEN, UNKNOWN = 404, 409, 401
TRANSIENT = frozenset({409, 429, 502, 503, 504})  # 409: somebody else has changed the workflow at the same time
FORBIDDEN, FAILED = 403, 500
# What is said, also by 500 or 403, where Kubernetes does not answer Argo's server now, or has no room now.
PASSING = re.compile(
    r"connection refused|connection reset|connection lost|timed? ?out|deadline exceeded|EOF|TLS handshake|etcdserver: "
    r"(leader|no leader|too many)|object has been modified|exceeded quota|try again",
    re.IGNORECASE,
)


class Connection:
    """One server. Safe to use from several threads.

    Every method raises:
        HostUnreachable: it does not answer now, or not any more as it did.
        HostRefused: it answers, and somebody has to do something first, which the message says.
    """

    def __init__(self, access: Callable[[], Access], words: Words, *, timeout_s: float = TIMEOUT_S) -> None:
        """`access` is asked again when the server does not know the token any more.

        Raises:
            ConfigError: from `access`.
            MissingExtra: the package `httpx` is not installed.
        """
        self._access = access
        self._words = words
        self._timeout_s = timeout_s
        self._served = False
        self._said = Said()
        self.url = ""
        self._client: httpx.Client = self._connected()
        self._outworn: httpx.Client | None = None

    def close(self) -> None:
        """Lets go of it."""
        self._client.close()
        if self._outworn is not None:
            self._outworn.close()

    def json(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """What a call answers."""
        return self.decoded(self.ask(method, path, body).content, dict[str, Any])

    def decoded(self, content: bytes | str, type_: type[T]) -> T:
        """What an answer says, or a line of one; nothing is taken for an empty one.

        Raises:
            HostUnreachable: who answers now is somebody else.
        """
        try:
            return msgspec.json.decode(content or b"{}", type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            found = f"{self._said.shown(content)} ({self._said.shown(str(error))})"
            raise HostUnreachable(f"{self.url}: {self._stranger(found)}") from error

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        passed: Sequence[int] = (),
        sought: str = "",
        kind: str = JSON,
        wanted: str = JSON,
        tokenless: bool = False,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        """A call that succeeds, or answers with one of the codes `passed`.

        Args:
            method: of HTTP.
            path: with what is asked.
            body: to be JSON.
            passed: codes that are no errors, whoever says them: of nothing that is concluded from.
            sought: the name of an object; it is no error, but MISSING, if the server itself says that there is none.
            kind: of the body.
            wanted: the kind of the answer.
            tokenless: it is answered whoever asks, which tells nothing of our token.
            timeout_s: for which an answer is waited for, if not as long as for others.
        """
        import httpx

        content = None if body is None else msgspec.json.encode(body)
        told = {"Accept": wanted, **({} if body is None else {"Content-Type": kind})}
        patience = httpx.Timeout(self._timeout_s, read=timeout_s or self._timeout_s)
        with self._explained():
            answer = self._client.request(method, path, content=content, headers=told, timeout=patience)
            if answer.status_code == UNKNOWN and self._renewed():
                answer = self._client.request(method, path, content=content, headers=told, timeout=patience)
        self._judge(answer, f"{method} {path.partition('?')[0]}", passed, sought)
        self._served = self._served or not tokenless
        return answer

    def shown(self, said: str) -> str:
        """What a server says, as it may stand in a message: see `Said`."""
        return self._said.shown(said)

    def lines_until_silent(self, path: str, *, silence_s: float) -> list[str]:
        """Those that come before a silence, of an answer that has no end; none if it is refused."""
        import httpx

        found: list[str] = []
        patience = httpx.Timeout(self._timeout_s, read=silence_s)
        with suppress(httpx.TransportError), self._client.stream("GET", path, timeout=patience) as answer:
            found.extend(answer.iter_lines() if answer.is_success else ())
        return found

    def lines(self, path: str, *, endless: bool = False, passed: Sequence[int] = ()) -> Iterator[str]:
        """The lines of an answer as they come; none if it answers with one of the codes `passed`.

        `endless`: it may be silent for as long as it likes.
        """
        import httpx

        patience = httpx.Timeout(self._timeout_s, read=None if endless else self._timeout_s)
        with self._explained(), ExitStack() as stack:
            answer = stack.enter_context(self._client.stream("GET", path, timeout=patience))
            if answer.status_code == UNKNOWN and self._renewed():
                answer = stack.enter_context(self._client.stream("GET", path, timeout=patience))
            if not answer.is_success:
                answer.read()
            self._judge(answer, f"GET {path.partition('?')[0]}", passed)
            if answer.is_success:
                yield from answer.iter_lines()

    def advice(self, code: int) -> str:
        """What to do about an answer."""
        match code:
            case 401:
                fix = f"renew {self._words.token}: it is missing, wrong, or has expired{self._words.renewal}"
            case 403:
                fix = f"let the account of {self._words.token} do what the page on Argo lists, in that namespace"
            case _:
                return ""
        return f"\n    fix:      {fix}"

    # ---

    def _connected(self) -> httpx.Client:
        try:
            import httpx
        except ModuleNotFoundError as error:
            raise MissingExtra("httpx", "argo", self._words.server) from error
        way = self._access()
        self._said = self._said.without(way.authorization)
        self.url = way.url.rstrip("/")
        headers = {"Authorization": way.authorization} if way.authorization else {}
        try:
            client = httpx.Client(base_url=self.url, headers=headers, timeout=self._timeout_s, verify=way.trust)
        except httpx.InvalidURL as error:
            raise ConfigError(f"{self.url}: no address: {error}\n    fix:      correct {self._words.place}") from error
        if way.server_name:
            client.event_hooks = {"request": [_asking_for(way.server_name)]}
        return client

    def _renewed(self) -> bool:
        """Reads anew who speaks; False if that cannot be read now."""
        try:
            renewed = self._connected()
        except ConfigError:
            return False
        if self._outworn is not None:
            self._outworn.close()
        self._outworn, self._client = self._client, renewed  # the one may be in use elsewhere
        return True

    def _judge(self, answer: httpx.Response, call: str, passed: Sequence[int], sought: str = "") -> None:
        code = answer.status_code
        if answer.is_redirect or (answer.is_success and "text/html" in answer.headers.get("Content-Type", "")):
            raise self._refusal(f"{self.url}: {call}: {self._stranger(f'a web page ({code})')}")
        if answer.is_success or code in passed:
            return
        if code == MISSING and says_missing(answer.content, sought):
            return
        whole = message_of(answer.content)
        said = self._said.shown(whole)
        if code == MISSING and not is_word(answer.content):
            raise self._refusal(f"{self.url}: {call}: {self._stranger(f'{said} ({code})')}{self._words.unknown}")
        if code in TRANSIENT or (code in (FORBIDDEN, FAILED) and PASSING.search(whole)):
            raise HostUnreachable(f"{self.url}: {call}: not now: {said} ({code})")
        if code == FAILED:
            raise HostFailed(f"{self.url}: {call}: the server has failed: {said} ({code})")
        text = f"{self.url}: {call}: {said} ({code}){self.advice(code)}"
        raise self._refusal(text) if code == UNKNOWN else HostRefused(text)

    def _refusal(self, text: str) -> HostUnreachable | HostRefused:
        return HostUnreachable(text) if self._served else HostRefused(text)

    def _stranger(self, found: str) -> str:
        return (
            f"what answers there is not {self._words.server}, it may be the network's own page or a proxy\n"
            f"    found:    {found}\n"
            f"    fix:      log in to the network (VPN) if it asks for it; is {self._words.place} right?"
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.TransportError, httpx.DecodingError) as error:
            said = str(error) or type(error).__name__
            text = f"{self.url}: no answer: {self._said.shown(said)}\n    fix:      {self._way_there(said)}"
            raise (self._refusal(text) if "CERTIFICATE" in said else HostUnreachable(text)) from error

    def _way_there(self, said: str) -> str:
        words = self._words
        match said:
            case _ if "match" in said and "CERTIFICATE_VERIFY_FAILED" in said:
                return f"write in {words.place} the name that stands in the server's certificate"
            case _ if "CERTIFICATE_VERIFY_FAILED" in said:
                return f"name the certificate of who signed the server's: {words.ca}; for a test: {words.plain}"
            case _ if "CERTIFICATE_REQUIRED" in said:
                return (
                    "the server asks for a certificate of yours: `client-certificate` and `client-key` of a kubeconfig"
                )
            case _ if "WRONG_VERSION_NUMBER" in said or "record layer" in said:
                return f"the server speaks http: write http:// in {words.place}"
            case _ if "disconnected" in said or "reset" in said:
                return f"if the server speaks https, write https:// in {words.place}"
            case _ if "refused" in said:
                return f"is {words.server} up, and the port in {words.place} right?"
            case _:
                return f"is this machine on the network (VPN), {words.server} up, and {words.place} right?"


def _asking_for(server_name: str) -> Callable[[httpx.Request], None]:
    def hook(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = server_name

    return hook
