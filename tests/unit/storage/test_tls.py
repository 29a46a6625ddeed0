"""A bucket behind TLS: the certificate is checked, always."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sciflow.errors import HostRefused
from tests.services.buckets import storage_at
from tests.services.s3 import S3Server
from tests.services.tls_front import certificate, tls_before

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made by openssl")


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, Path]:
    return certificate(tmp_path)


@pytest.fixture
def endpoint(s3: S3Server, signed: tuple[Path, Path]) -> Iterator[str]:
    with tls_before(s3.port, certificate=signed[0], key=signed[1]) as port:
        yield f"https://127.0.0.1:{port}"


def test_a_certificate_that_nobody_knows_is_refused_at_once(s3: S3Server, endpoint: str, tmp_path: Path) -> None:
    storage = storage_at(s3, tmp_path, endpoint=endpoint)
    with pytest.raises(HostRefused, match=r"its certificate is not accepted.*set `ca_file`"):
        storage.exists("a")


def test_a_server_without_tls_is_told_from_one_whose_certificate_is_not_known(s3: S3Server, tmp_path: Path) -> None:
    storage = storage_at(s3, tmp_path, endpoint=s3.url.replace("http://", "https://"))
    with pytest.raises(HostRefused, match="is it http:// instead of https://"):
        storage.exists("a")


def test_a_certificate_that_the_settings_trust_is_accepted(
    s3: S3Server, endpoint: str, signed: tuple[Path, Path], tmp_path: Path
) -> None:
    storage = storage_at(s3, tmp_path, endpoint=endpoint, ca_file=str(signed[0]), prefix=secrets.token_hex(4))
    (tmp_path / "in").write_bytes(secrets.token_bytes(20 << 20))
    stored = storage.put(tmp_path / "in", str)
    storage.get(stored, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()
