"""A bucket's server dies in the middle, refuses, or has other bytes than it was given; the clock is wrong."""

from __future__ import annotations

import io
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from minio import Minio

import sciflow
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.stored_files import read_index
from sciflow.errors import ConfigError, HostRefused, HostUnreachable
from sciflow.runner.failures import PlaceError
from sciflow.storage.s3 import S3Storage
from sciflow.storage.settings import S3Settings
from sciflow.storage.storage import Stored
from tests.services.buckets import credentials_file, storage_at
from tests.services.s3 import S3Server

pytestmark = pytest.mark.faults

LARGE = 80 << 20


@pytest.fixture
def prefix() -> str:
    return f"faults/{secrets.token_hex(4)}"


@pytest.fixture
def storage(s3: S3Server, tmp_path: Path, prefix: str) -> S3Storage:
    return storage_at(s3, tmp_path, prefix=prefix)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / "large.bin"
    file.write_bytes(os.urandom(LARGE))
    return file


def eventually(holds: Callable[[], object], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def key(sha256: str) -> str:
    return f"a/{sha256}"


def occupied(server: S3Server) -> int:
    """Bytes that the server has on its disk."""
    return sum(file.stat().st_size for file in (server.folder / "data").rglob("*") if file.is_file())


def put_until_it_has_begun(pool: ThreadPoolExecutor, storage: S3Storage, large: Path, s3: S3Server) -> Future[Stored]:
    before = occupied(s3)
    putting = pool.submit(storage.put, large, key)
    eventually(lambda: occupied(s3) > before + (8 << 20) or putting.done())
    assert not putting.done(), "it was too quick to be disturbed"
    return putting


def test_an_upload_outlives_the_death_of_the_server(
    storage: S3Storage, s3: S3Server, large: Path, tmp_path: Path
) -> None:
    storage.exists("a")
    with ThreadPoolExecutor(1) as pool:
        putting = put_until_it_has_begun(pool, storage, large, s3)
        s3.stop()
        time.sleep(0.5)
        assert not putting.done()
        s3.start()
        stored = putting.result()
    storage.get(stored, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == large.read_bytes()


def test_an_upload_to_a_server_that_stays_dead_leaves_nothing_half(
    s3: S3Server, large: Path, tmp_path: Path, prefix: str
) -> None:
    storage = storage_at(s3, tmp_path, prefix=prefix, patience_s=1.0)
    storage.exists("a")
    with ThreadPoolExecutor(1) as pool:
        putting = put_until_it_has_begun(pool, storage, large, s3)
        s3.stop()
        with pytest.raises(HostUnreachable, match="and the server up"):
            putting.result()
    s3.start()
    eventually(lambda: _answers(storage))
    assert list(storage.keys("")) == []
    assert storage.exists(storage.put(large, key).key)


def _answers(storage: S3Storage) -> bool:
    try:
        return storage.exists("none") or True
    except (HostUnreachable, HostRefused):
        return False


def test_a_download_outlives_the_death_of_the_server(
    storage: S3Storage, s3: S3Server, large: Path, tmp_path: Path
) -> None:
    stored = storage.put(large, key)
    target = tmp_path / "folder" / "back"
    target.parent.mkdir()

    def arrived() -> int:
        return sum(file.stat().st_blocks * 512 for file in target.parent.iterdir())

    with ThreadPoolExecutor(1) as pool:
        getting = pool.submit(storage.get, stored, target)
        eventually(lambda: arrived() > 1 << 20 or getting.done())
        s3.stop()
        time.sleep(0.3)
        s3.start()
        getting.result()
    assert target.read_bytes() == large.read_bytes()
    assert [file.name for file in target.parent.iterdir()] == ["back"]


def test_a_download_from_a_server_that_stays_dead_leaves_nothing(
    s3: S3Server, large: Path, tmp_path: Path, prefix: str
) -> None:
    storage = storage_at(s3, tmp_path, prefix=prefix, patience_s=1.0)
    stored = storage.put(large, key)
    s3.stop()
    (tmp_path / "folder").mkdir()
    with pytest.raises(HostUnreachable):
        storage.get(stored, tmp_path / "folder" / "back")
    assert list((tmp_path / "folder").iterdir()) == []


def test_wrong_credentials_are_told_apart_and_never_shown(s3: S3Server, tmp_path: Path, prefix: str) -> None:
    file = credentials_file(s3, tmp_path, secret="not-the-secret-at-all")
    settings = S3Settings(endpoint=s3.url, bucket=s3.bucket, prefix=prefix, credentials_file=str(file))
    with pytest.raises(HostRefused, match="secret key does not belong") as refused:
        S3Storage("store", settings).exists("a")
    assert "not-the-secret" not in str(refused.value)
    file.write_text(file.read_text().replace(s3.access_key, "nobody"))
    with pytest.raises(HostRefused, match="credentials are not known there"):
        S3Storage("store", settings).exists("a")
    (tmp_path / "a").write_text("a")
    with pytest.raises(HostRefused, match="credentials are not known there"):
        S3Storage("store", settings).put(tmp_path / "a", key)


def test_wrong_credentials_are_refused_by_a_server_that_does_not_speak_s3_well(
    rclone_s3: S3Server, tmp_path: Path
) -> None:
    file = credentials_file(rclone_s3, tmp_path, secret="not-the-secret-at-all")
    settings = S3Settings(endpoint=rclone_s3.url, bucket=rclone_s3.bucket, credentials_file=str(file))
    with pytest.raises(HostRefused, match=r"secret key|credentials"):
        S3Storage("store", settings).exists("a")


@pytest.mark.parametrize("server", ["s3", "rclone_s3"])
def test_a_bucket_that_is_not_there_is_said_to_be_missing(
    server: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    storage = storage_at(request.getfixturevalue(server), tmp_path, bucket="no-such-bucket")
    (tmp_path / "a").write_text("a")
    with pytest.raises(HostRefused, match="no such bucket"):
        storage.exists("a")
    with pytest.raises(HostRefused, match="no such bucket"):
        storage.put(tmp_path / "a", key)
    with pytest.raises(HostRefused, match="no such bucket"):
        list(storage.keys(""))


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("damage", ["other bytes", "shorter", "gone"])
def test_an_object_that_was_changed_on_the_server_is_refused_and_leaves_nothing(
    kind: str, damage: str, storage: S3Storage, s3: S3Server, tmp_path: Path, prefix: str
) -> None:
    source = tmp_path / "source"
    if kind == "file":
        source.write_bytes(os.urandom(10_000))
    else:
        source.mkdir()
        (source / "one").write_bytes(os.urandom(10_000))
    stored = storage.put(source, key)
    client = Minio(s3.endpoint, s3.access_key, s3.secret_key, secure=False, region=s3.region)
    name = f"{prefix}/{stored.key}"
    content = bytearray(client.get_object(s3.bucket, name).read())
    content[5000] ^= 1
    if damage == "shorter":
        del content[-6000:]
    client.remove_object(s3.bucket, name)
    if damage != "gone":
        client.put_object(s3.bucket, name, io.BytesIO(content), len(content))
    (tmp_path / "folder").mkdir()
    with pytest.raises(PlaceError, match=r"changed|damaged|not there any more"):
        storage.get(stored, tmp_path / "folder" / "back")
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_file_that_is_written_to_while_it_is_stored_is_not_stored(storage: S3Storage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(40 << 20))

    def changed(sha256: str) -> str:  # asked for between the hash and the upload
        with source.open("r+b") as file:
            file.seek(30 << 20)
            file.write(b"x")
        return key(sha256)

    with pytest.raises(OSError, match="changed while it was being stored"):
        storage.put(source, changed)
    assert list(storage.keys("")) == []


def test_a_clock_that_is_wrong_is_said_to_be(s3: S3Server, tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler, by which the clock is set")
    shim = tmp_path / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", shim, source, "-ldl"], check=True)
    (tmp_path / "clock").write_text("-7200")
    code = (
        "import sys; from sciflow.storage.s3 import S3Storage; from sciflow.storage.settings import S3Settings\n"
        "S3Storage('store', S3Settings(endpoint=sys.argv[1], bucket=sys.argv[2], credentials_file=sys.argv[3]))"
        ".exists('a')"
    )
    argv = [sys.executable, "-c", code, s3.url, s3.bucket, str(credentials_file(s3, tmp_path))]
    env = {**os.environ, "LD_PRELOAD": str(shim), "SHIM_CLOCK": str(tmp_path / "clock")}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert "HostRefused" in done.stderr
    assert "this machine's clock is 7" in done.stderr
    assert "s behind the server's" in done.stderr


def test_nobody_at_the_address_is_unreachable_and_no_credentials_is_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: S3Server
) -> None:
    storage = storage_at(s3, tmp_path, endpoint="http://127.0.0.1:9", patience_s=0.5)
    with pytest.raises(HostUnreachable, match="no answer"):
        storage.exists("a")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="no credentials"):
        S3Storage("store", S3Settings(endpoint=s3.url, bucket=s3.bucket))


SCRIPT = """
import sys, time
from pathlib import Path
from sciflow import op, workflow

@op
def write(number: int, flag: str) -> Path:
    while not Path(flag).exists():
        time.sleep(0.05)
    Path("made.txt").write_text(str(number))
    return Path("made.txt")

@workflow
def written(flag: str) -> list[Path]:
    return write.partial(flag=flag).map(number=[0, 1, 2])

if __name__ == "__main__":
    print(written.options(storage="store").submit(sys.argv[1]).folder)
"""


def test_a_run_waits_for_its_storage_and_the_next_engine_stores_what_a_killed_one_could_not(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    table = {"type": "s3", "endpoint": s3.url, "bucket": s3.bucket, "prefix": prefix}
    table["credentials_file"] = str(credentials_file(s3, tmp_path))
    lines = [f'{name} = "{value}"' for name, value in table.items()]
    (tmp_path / "sciflow.toml").write_text("\n".join(["[storages.store]", *lines, "patience_s = 0.5"]), "utf-8")
    (tmp_path / "script.py").write_text(SCRIPT, "utf-8")
    argv = [sys.executable, "script.py", str(tmp_path / "flag")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    run: sciflow.Run[list[Path]] = sciflow.open_run(Path(done.stdout.strip()))
    s3.stop()
    (tmp_path / "flag").touch()
    eventually(lambda: "files wait for their storage" in run.snapshot().message)
    assert run.running
    os.kill(int(_holder(run)), signal.SIGKILL)
    eventually(lambda: not run.running)
    assert read_index(run.folder) == {}
    s3.start()
    assert run.resume(detach=False) == "Succeeded"
    assert len(read_index(run.folder)) == 3
    shutil.rmtree(run.folder / "tasks")
    assert [path.read_text() for path in run.result] == ["0", "1", "2"]


def _holder(run: sciflow.Run[list[Path]]) -> str:
    """The process that is the run's engine."""
    text = RunFolder(run.folder).lock().holder()
    return next(word.strip(",.") for word in text.split() if word.strip(",.").isdigit())
