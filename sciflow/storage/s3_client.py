"""The `minio` client as our settings want it, and what its errors mean to people."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from sciflow.errors import HostError, HostRefused, HostUnreachable, MissingExtra
from sciflow.storage.credentials import find_credentials
from sciflow.storage.settings import S3Settings

if TYPE_CHECKING:
    from minio import Minio
    from urllib3 import Retry

CONNECT_S = 10.0
SILENCE_S = 60.0  # after which a server that has taken a request and says nothing is given up
BREAKS = 4  # times that a request is made again after the connection broke, or fell silent
LONGEST_PAUSE_S = 10.0
FIRST_PAUSE_S = 0.2
TRANSIENT = frozenset({429, 500, 502, 503, 504})
_PARTS = {"status": r"code: (\d+)", "code": r"<Code>(\w+)</Code>", "message": r"<Message>([^<]*)</Message>"}
MISSING = frozenset({"NoSuchKey", "NoSuchObject", "ResourceNotFound"})


def make_client(name: str, settings: S3Settings) -> Minio:
    """A client that makes requests again while the server does not answer.

    Raises:
        ConfigError: no credentials.
        MissingExtra: the package is not installed.
    """
    try:
        from minio import Minio
    except ModuleNotFoundError as error:
        raise MissingExtra("minio", "s3", f"the storage {name!r}") from error
    import ssl

    from urllib3 import Timeout

    from sciflow.storage.s3_connections import S3Connections

    keys = find_credentials(name, settings)
    url = urlsplit(settings.endpoint)
    trusted = ssl.create_default_context()
    if settings.ca_file:
        trusted.load_verify_locations(settings.ca_file)
    http = S3Connections(
        maxsize=4 * settings.parallel,
        timeout=Timeout(connect=CONNECT_S, read=SILENCE_S),
        retries=retries(settings.patience_s),
        ssl_context=trusted,
    )
    return Minio(
        url.netloc,
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        session_token=keys.session_token,
        secure=url.scheme == "https",
        region=settings.region,
        http_client=http,
    )


def retries(patience_s: float) -> Retry:
    """As many tries as fit into the time, with pauses that double up to a limit. Every request may be repeated."""
    from urllib3 import Retry

    times, waited = 0, 0.0
    while waited < patience_s:
        times += 1
        waited += min(FIRST_PAUSE_S * 2**times, LONGEST_PAUSE_S)
    return Retry(
        total=None,
        connect=times,
        read=min(times, BREAKS),
        status=times,
        redirect=3,
        other=0,  # a certificate that is not accepted now will not be a second later
        backoff_factor=FIRST_PAUSE_S,
        backoff_max=LONGEST_PAUSE_S,
        status_forcelist=TRANSIENT,
        allowed_methods=None,
        raise_on_status=False,
    )


@contextmanager
def explained(name: str, settings: S3Settings) -> Iterator[None]:
    """What the client raises inside becomes an error that says what to do.

    Raises:
        HostUnreachable: the server does not answer; to be tried again later.
        HostRefused: it answers, and somebody has to do something first.
    """
    from xml.etree.ElementTree import ParseError

    from minio.error import InvalidResponseError, MinioException, S3Error
    from urllib3.exceptions import HTTPError

    where = f"storage {name} ({settings.endpoint}, bucket {settings.bucket})"
    try:
        yield
    except S3Error as error:
        said = Said(error.response.status, str(error.code), str(error.message), error.response.headers)
        raise _answered(where, said, settings) from error
    except InvalidResponseError as error:
        raise _answered(where, _read(str(error)), settings) from error
    except UnicodeEncodeError as error:  # of a name
        fix = "rename the file: where S3 keeps files, their names are UTF-8"
        raise HostRefused(f"{where}: {error.object!a} cannot be a name there\n    fix:      {fix}") from error
    except (ParseError, ValueError) as error:  # of a body that is not S3's, though its code says success
        raise HostUnreachable(f"{where}: {_stranger(str(error))}") from error
    except (HTTPError, MinioException) as error:
        _raise_connection(where, error)


def _stranger(found: str) -> str:
    return (
        "what answers there does not speak S3, it may be the network's own page or a proxy\n"
        f"    found:    {found}\n"
        "    fix:      log in to the network (VPN) if it asks for it; is `endpoint` right?"
    )


def _raise_connection(where: str, error: Exception) -> None:
    from urllib3.exceptions import SSLError

    reason = getattr(error, "reason", None) or error
    if isinstance(reason, SSLError):
        if "WRONG_VERSION_NUMBER" in str(reason):
            raise HostRefused(
                f"{where}: what answers there speaks no TLS: is it http:// instead of https://?"
            ) from error
        fix = "set `ca_file` to the certificate of who signed it, if you trust them"
        raise HostRefused(f"{where}: its certificate is not accepted: {reason}; {fix}") from error
    raise HostUnreachable(f"{where}: no answer: {reason}: is `endpoint` right, and the server up?") from error


class Said(NamedTuple):
    """What a server has answered instead of what it was asked for."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = {}


def _read(text: str) -> Said:
    """What an answer says that has not the form which the client expects: a proxy's, or XML by another name."""
    found = {name: re.search(pattern, text) for name, pattern in _PARTS.items()}
    status, code, message = (match[1] if match else "" for match in found.values())
    return Said(int(status or 0), code, message or text[:300])


def _answered(where: str, said: Said, settings: S3Settings) -> HostError:
    if said.status in TRANSIENT:
        return HostUnreachable(f"{where}: the server does not serve now: {said.code or said.status}: {said.message}")
    return HostRefused(f"{where}: {_refusal(said, settings)}")


def _refusal(told: Said, settings: S3Settings) -> str:
    said = f"{told.code}: {told.message}"
    match told.code:
        case "InvalidAccessKeyId" | "InvalidToken" | "InvalidTokenId" | "ExpiredToken":
            return f"the credentials are not known there, or not any more ({said}): renew them"
        case "SignatureDoesNotMatch":
            return f"the secret key does not belong to the access key ({said}): correct the credentials"
        case "RequestTimeTooSkewed" | "RequestExpired":
            return f"{_skew(told.headers)} ({said}): set this machine's clock, by NTP as a rule"
        case "NoSuchBucket":
            return f"there is no such bucket ({said}): make it, or correct `bucket`"
        case "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException":
            there = told.headers.get("x-amz-bucket-region")
            fix = f'set `region = "{there}"`' if there else "set `region` to that of the bucket"
            return f"the bucket is in another region than {settings.region} ({said}): {fix}"
        case "AccessDenied" | "AllAccessDisabled":
            return f"the account may not do that ({said}): let it read, write, list and delete there"
        case "":
            return f"what answers there does not speak S3, or not to us: {told.message}: is `endpoint` right?"
        case _:
            return f"the server refuses ({said})"


def _skew(headers: Mapping[str, str]) -> str:
    try:
        theirs = parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return "the clocks of this machine and the server differ too much"
    ahead = time.time() - theirs
    return f"this machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the server's"
