"""A bucket as storage, of any server that speaks S3. A folder is one object, see `parcel`.

Large objects travel in parts, several at once. What is under a key is whole: the server shows an object when it has
all of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, unquote

from sciflow.runner.failures import PlaceError
from sciflow.runner.hashing import folder_hash
from sciflow.runner.removal import remove
from sciflow.storage.parcel import Parcel, ParcelReader, parcel_of, unpack
from sciflow.storage.s3_client import BREAKS, FIRST_PAUSE_S, MISSING, explained, make_client
from sciflow.storage.settings import S3Settings
from sciflow.storage.storage import Stored

if TYPE_CHECKING:
    from typing import BinaryIO

PART_BYTES = 16 << 20
MOST_PARTS = 9000  # S3 allows 10,000
BLOCK_BYTES = 1 << 20
PLAIN = "/!-_.*'() +,:;=@&$~"  # besides letters and digits; the rest is written %XX: not every server takes it
EXECUTABLE = "executable"  # metadata of an object


class S3Storage:
    """See `storage.storage.Storage`. Safe to use from several threads.

    Besides what the protocol says, every method raises:
        HostUnreachable: the server has not answered for a while; nothing half is there, try again.
        HostRefused: it answers, and somebody has to do something first, which the message says.
    """

    def __init__(self, name: str, settings: S3Settings) -> None:
        """`name` is for messages.

        Raises:
            ConfigError: no credentials.
            MissingExtra: the package `minio` is not installed.
        """
        self._name = name
        self._settings = settings
        self._bucket = settings.bucket
        self._prefix = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""
        self._client = make_client(name, settings)
        self._found = False  # the bucket was seen

    def __repr__(self) -> str:
        return f"S3Storage({self._name!r}, {self._settings.endpoint}/{self._bucket}/{self._prefix})"

    def put(self, source: Path, key: Callable[[str], str]) -> Stored:
        """See `Storage`.

        Raises:
            OSError: it cannot be read, or was changed meanwhile.
        """
        with parcel_of(source) as parcel:
            stored = Stored(key=key(parcel.sha256), kind=parcel.kind, sha256=parcel.sha256, size=parcel.size)
            if not self.exists(stored.key):
                with explained(self._name, self._settings):
                    self._upload(parcel, self._object(stored.key))
        return stored

    def _upload(self, parcel: Parcel, name: str) -> None:
        from minio.error import S3Error

        reader = ParcelReader(parcel)
        try:
            self._client.put_object(
                self._bucket,
                name,
                cast("BinaryIO", reader),
                parcel.length,
                metadata={EXECUTABLE: "yes"} if parcel.executable else None,
                part_size=max(PART_BYTES, -(-parcel.length // MOST_PARTS // BLOCK_BYTES) * BLOCK_BYTES),
                num_parallel_uploads=self._settings.parallel,
            )
        except S3Error as error:
            if error.code != "NoSuchUpload" or not self._is_there(name):
                raise  # else its end was acknowledged, and the acknowledgement lost
        finally:
            reader.close()

    def get(self, stored: Stored, target: Path) -> None:
        """See `Storage`."""
        beside = target.with_name(f".get-{os.urandom(8).hex()}")
        try:
            if stored.kind == "file":
                found = self._download(stored.key, beside, stored.size)
                made = beside
            else:
                self._download(stored.key, beside, None)
                made = beside.with_name(f"{beside.name}-folder")
                unpack(str(beside), str(made))
                found = folder_hash(str(made))[0]
            if found != stored.sha256:
                raise self._changed(stored.key, f"SHA-256 {stored.sha256[:12]}, now {found[:12]}")
            made.rename(target)
        finally:
            for left in (beside, beside.with_name(f"{beside.name}-folder")):
                if os.path.lexists(left):
                    remove(str(left))

    def _changed(self, key: str, how: str) -> PlaceError:
        return PlaceError(f"{self!r}: {key} was changed after it was stored: {how}")

    def _download(self, key: str, target: Path, size: int | None) -> str:
        """Brings an object to a new file; its SHA-256."""
        from minio.error import S3Error

        name = self._object(key)
        with explained(self._name, self._settings):
            try:
                found = self._client.stat_object(self._bucket, name)
                if size is not None and found.size != size:
                    raise self._changed(key, f"{size} bytes, now {found.size}")
                mode = 0o755 if f"x-amz-meta-{EXECUTABLE}" in (found.metadata or {}) else 0o644
                fd = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
                try:
                    return self._parts(name, fd, found.size or 0)
                finally:
                    os.close(fd)
            except S3Error as error:
                if error.code not in MISSING:
                    raise
                raise PlaceError(f"{self!r}: {key} is not there any more") from error

    def _parts(self, name: str, fd: int, size: int) -> str:
        """Brings the parts of an object, several at once; they are hashed in their order."""
        digest = sha256()
        if size <= PART_BYTES:
            self._range(name, fd, 0, size)
            _hash(fd, 0, size, digest.update)
            return digest.hexdigest()
        pool = ThreadPoolExecutor(self._settings.parallel, thread_name_prefix="sciflow-s3")
        try:
            parts: list[tuple[int, int, Future[None]]] = []
            for begin in range(0, size, PART_BYTES):
                length = min(PART_BYTES, size - begin)
                parts.append((begin, length, pool.submit(self._range, name, fd, begin, length)))
            for begin, length, future in parts:
                future.result()
                _hash(fd, begin, length, digest.update)
        finally:
            pool.shutdown(cancel_futures=True)
        return digest.hexdigest()

    def _range(self, name: str, fd: int, begin: int, length: int) -> None:
        """Brings a part; when the connection breaks, the rest of it."""
        from urllib3.exceptions import HTTPError

        done = breaks = 0
        while done < length:
            response = self._client.get_object(self._bucket, name, offset=begin + done, length=length - done)
            try:
                for block in response.stream(BLOCK_BYTES):
                    done += os.pwrite(fd, block, begin + done)
            except HTTPError:
                breaks += 1
                if breaks > BREAKS:
                    raise
                time.sleep(FIRST_PAUSE_S * 2**breaks)
            finally:
                response.close()
                response.release_conn()

    def exists(self, key: str) -> bool:
        """See `Storage`."""
        with explained(self._name, self._settings):
            return self._is_there(self._object(key))

    def _is_there(self, name: str) -> bool:
        from minio.error import S3Error

        try:
            self._client.stat_object(self._bucket, name)
        except S3Error as error:
            if error.code in MISSING:
                if not self._found:
                    self._ask_why()
                    self._found = True
                return False
            if error.response.status in (400, 403):
                self._ask_why()
            raise
        return True

    def _ask_why(self) -> None:
        """Makes a request whose answer tells why another failed, which to a HEAD servers do not.

        Raises:
            S3Error: the server's own words.
        """
        next(self._client.list_objects(self._bucket, prefix=f"{self._prefix}.none"), None)

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Storage`; a page of them at a time, in the order of their bytes as the server keeps them."""
        with explained(self._name, self._settings):
            for found in self._client.list_objects(self._bucket, prefix=self._object(prefix), recursive=True):
                if not found.is_dir:
                    yield _key(str(found.object_name).removeprefix(self._prefix))

    def copy(self, key: str, to: str) -> None:
        """See `Storage`; the content does not travel."""
        from minio.commonconfig import CopySource

        if not self.exists(to):
            with explained(self._name, self._settings):
                source = CopySource(self._bucket, self._object(key))
                self._client.copy_object(self._bucket, self._object(to), source)

    def delete(self, key: str) -> None:
        """See `Storage`."""
        from minio.error import S3Error

        with explained(self._name, self._settings):
            try:
                self._client.remove_object(self._bucket, self._object(key))
            except S3Error as error:
                if error.code not in MISSING:
                    raise

    def _object(self, key: str) -> str:
        """The name of the object that holds what is under a key."""
        parts = (quote(os.fsencode(part), safe=PLAIN) for part in key.split("/"))
        return self._prefix + "/".join(part.replace(".", "%2E") if part in (".", "..") else part for part in parts)


def _key(name: str) -> str:
    return unquote(name, errors="surrogateescape")


def _hash(fd: int, begin: int, length: int, update: Callable[[bytes], None]) -> None:
    at, end = begin, begin + length
    while at < end and (block := os.pread(fd, min(BLOCK_BYTES, end - at), at)):
        update(block)
        at += len(block)
