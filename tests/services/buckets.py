"""Our storage on the servers of `s3.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sciflow.storage.s3 import S3Storage
from sciflow.storage.settings import S3Settings
from tests.services.s3 import S3Server


def credentials_file(server: S3Server, folder: Path, *, secret: str = "") -> Path:
    """The server's keys as AWS's programs keep them."""
    file = folder / "s3-credentials"
    key = f"aws_access_key_id = {server.access_key}\naws_secret_access_key = {secret or server.secret_key}"
    file.write_text(f"[default]\n{key}\n", "utf-8")
    file.chmod(0o600)
    return file


def storage_at(server: S3Server, folder: Path, **settings: Any) -> S3Storage:
    """The server's bucket as a storage; `folder` is where its keys are written."""
    made = {
        "endpoint": server.url,
        "bucket": server.bucket,
        "region": server.region,
        "credentials_file": str(credentials_file(server, folder)),
    }
    return S3Storage("test", S3Settings(**made | settings))
