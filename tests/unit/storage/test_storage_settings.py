"""What the settings say of storages: kinds, plug-ins, where credentials lie."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from sciflow.errors import ConfigError
from sciflow.storage.credentials import find_credentials
from sciflow.storage.directory import DirectoryStorage
from sciflow.storage.registry import check_storage, make_storage
from sciflow.storage.s3 import S3Storage
from sciflow.storage.settings import S3Settings

S3 = {"type": "s3", "endpoint": "https://s3.example.org", "bucket": "results"}
KEYS = {"AWS_ACCESS_KEY_ID": "AKEY", "AWS_SECRET_ACCESS_KEY": "very-secret"}


def settings(**more: Any) -> S3Settings:
    return S3Settings(endpoint="https://s3.example.org", bucket="results", **more)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (S3 | {"buckte": "x"}, r"unknown entry 'buckte'[\s\S]*did you mean 'bucket'"),
        ({"type": "s3", "bucket": "results"}, "missing required field `endpoint`"),
        (S3 | {"endpoint": "s3.example.org"}, "expected https://HOST"),
        (S3 | {"endpoint": "https://me:secret@s3.example.org"}, "an address with a password in it"),
        (S3 | {"bucket": "Results!"}, "small letters"),
        (S3 | {"parallel": 0}, "parallel from 1"),
        (S3 | {"patience_s": float("inf")}, "patience_s from 0"),
        ({"type": "s4"}, "unknown type 's4'"),
    ],
)
def test_a_mistake_in_the_settings_is_said(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=f"storage store: .*{said}"):
        check_storage("store", {"store": table})


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as refused:
        check_storage("store", {"store": S3 | {"endpoint": "https://me:secret@s3.example.org"}})
    assert "me:secret" not in str(refused.value)


def test_a_storage_is_made_by_its_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    made = make_storage("folder", {"folder": {"type": "directory", "path": str(tmp_path / "store")}})
    assert isinstance(made, DirectoryStorage)
    bucket = make_storage("store", {"store": S3 | {"prefix": "/eos/"}})
    assert isinstance(bucket, S3Storage)
    assert repr(bucket) == "S3Storage('store', https://s3.example.org/results/eos/)"


def test_a_plug_in_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_store.py").write_text("class Mine:\n    def __init__(self, *, place: str): self.place = place\n")
    info = tmp_path / "my_store-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-store\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sciflow.storages]\nmine = my_store:Mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    made: Any = make_storage("store", {"store": {"type": "mine", "place": "here"}})
    assert (type(made).__name__, made.place) == ("Mine", "here")
    with pytest.raises(ConfigError, match="missing a required argument: 'place'"):
        check_storage("store", {"store": {"type": "mine"}})
    del sys.modules["my_store"]


def test_credentials_come_from_the_environment_before_the_common_file(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = FILE\naws_secret_access_key = s%1\n[other]\n", "utf-8")
    environ = {"AWS_SHARED_CREDENTIALS_FILE": str(file)}
    assert find_credentials("store", settings(), environ).secret_key == "s%1"
    assert find_credentials("store", settings(), environ | KEYS).access_key == "AKEY"
    assert find_credentials("store", settings(profile="default"), environ | KEYS).access_key == "FILE"
    named = settings(access_key_env="MY_KEY", secret_key_env="MY_SECRET")
    assert find_credentials("store", named, {"MY_KEY": "m", "MY_SECRET": "s"} | KEYS).access_key == "m"
    with pytest.raises(ConfigError, match=r"profile 'other' of .* has no aws_access_key_id"):
        find_credentials("store", settings(profile="other"), environ)
    with pytest.raises(ConfigError, match="has no profile 'third'; it has: default, other"):
        find_credentials("store", settings(profile="third"), environ)


def test_credentials_are_not_shown(tmp_path: Path) -> None:
    made = find_credentials("store", settings(), KEYS | {"AWS_SESSION_TOKEN": "a-token"})
    assert made.session_token == "a-token"
    assert repr(made) == "Credentials(access_key='AKEY')"
    file = tmp_path / "credentials"
    file.write_text("very-secret\n", "utf-8")
    with pytest.raises(ConfigError, match="not in the form") as refused:
        find_credentials("store", settings(credentials_file=str(file)), {})
    assert "very-secret" not in str(refused.value)
