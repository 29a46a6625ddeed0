"""The bucket through which a run on Argo and its author speak: texts and files under keys."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from sciflow.errors import HostRefused, HostUnreachable, RunDamaged
from sciflow.storage.s3_client import MISSING, explained, make_client
from sciflow.storage.settings import S3Settings

THREADS = 8
T = TypeVar("T")
R = TypeVar("R")


class Bucket:
    """One bucket. Safe to use from several threads.

    Every method raises:
        HostUnreachable: the server has not answered for a while.
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
        self._client = make_client(name, settings)

    def __repr__(self) -> str:
        return f"{self._settings.endpoint}/{self._settings.bucket}"

    def demand(self) -> None:
        """Refuses a bucket that is not there, also where the server would make it when it is written to."""
        from minio.error import S3Error

        with explained(self._name, self._settings):
            try:
                there = self._client.bucket_exists(self._settings.bucket)
            except S3Error:  # who may not ask for it may yet use it
                return
        if not there:
            fix = f"make it, or correct `bucket` in [storages.{self._name}]: it is that in which Argo keeps artifacts"
            raise HostRefused(f"{self!r}: there is no such bucket\n    fix:      {fix}")

    def get(self, key: str) -> bytes | None:
        """What is under a key; None if nothing is."""
        return self.part(key, 0, 0)

    def decoded(self, key: str, type_: type[T]) -> T | None:
        """What is written under a key in JSON; None if nothing is.

        Raises:
            RunDamaged: something else is there.
        """
        text = self.get(key)
        return None if text is None else self.read(key, text, lambda text: msgspec.json.decode(text, type=type_))

    def read(self, key: str, text: bytes, reader: Callable[[bytes], T]) -> T:
        """What somebody reads in the text that was under a key.

        Raises:
            RunDamaged: it is not to be read.
        """
        try:
            return reader(text)
        except (msgspec.DecodeError, ValueError) as error:
            fix = "use the version of sciflow that has written it; or remove it, if somebody else has put it there"
            raise RunDamaged(f"{self!r}: {key}: sciflow cannot read it: {error}\n    fix:      {fix}") from error

    def part(self, key: str, begin: int, size: int) -> bytes | None:
        """So many bytes of what is under a key, all for 0; None if nothing is."""
        from minio.error import S3Error

        with explained(self._name, self._settings):
            try:
                answer = self._client.get_object(self._settings.bucket, key, offset=begin, length=size)
            except S3Error as error:
                if error.code in MISSING:
                    return None
                raise
            try:
                return answer.read()
            finally:
                answer.close()
                answer.release_conn()

    def get_all(self, keys: Iterable[str], *, most: int = 0) -> dict[str, bytes]:
        """What is under several keys, without those under which nothing is; at `most` so many bytes, 0 for all."""
        keys = list(keys)
        found = zip(keys, self.at_once(lambda key: self.part(key, 0, most), keys), strict=True)
        return {key: data for key, data in found if data is not None}

    def at_once(self, call: Callable[[T], R], each: Sequence[T]) -> list[R]:
        """What a call comes to for each of several; a few are made at a time, since what takes long is to wait."""
        if len(each) < 2:
            return [call(one) for one in each]
        with ThreadPoolExecutor(THREADS, thread_name_prefix="sciflow-bucket") as pool:
            return list(pool.map(call, each))

    def fetch(self, key: str, target: Path) -> bool:
        """Brings an object to a new file, whole; False if there is none."""
        from minio.error import S3Error

        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{os.urandom(6).hex()}")
        part = beside.with_name(f"{beside.name}.part")  # the client would give it a name of its own
        try:
            with explained(self._name, self._settings):
                try:
                    self._client.fget_object(self._settings.bucket, key, str(beside), tmp_file_path=str(part))
                except S3Error as error:
                    if error.code in MISSING:
                        return False
                    raise
            beside.rename(target)
        finally:
            for left in (part, beside):
                left.unlink(missing_ok=True)
        return True

    def put(self, key: str, data: bytes) -> None:
        """Puts a text under a key."""
        with explained(self._name, self._settings):
            self._client.put_object(self._settings.bucket, key, io.BytesIO(data), len(data))

    def put_new(self, key: str, data: bytes) -> None:
        """Puts a text under a key, unless anything is there: of several who do so at once the first does.

        A server that knows no conditions puts it in any case.
        """
        from minio.error import S3Error

        only_new: dict[str, str | list[str] | tuple[str]] = {
            "If-None-Match": "*",
            "Content-Type": "application/octet-stream",
        }
        with explained(self._name, self._settings):
            try:
                # The client's public method takes conditions for metadata of the object.
                self._client._put_object(self._settings.bucket, key, data, only_new)  # noqa: SLF001
            except S3Error as error:
                if error.code == "NotImplemented":
                    self.put(key, data)
                elif error.code == "ConditionalRequestConflict":
                    raise HostUnreachable(f"{self!r}: {key}: somebody else is writing there") from error
                elif error.code != "PreconditionFailed":
                    raise

    def put_file(self, key: str, source: Path) -> None:
        """Puts a file under a key."""
        with explained(self._name, self._settings):
            self._client.fput_object(self._settings.bucket, key, str(source))

    def put_files(self, files: Mapping[str, Path]) -> None:
        """Puts several files under their keys."""
        self.at_once(lambda key: self.put_file(key, files[key]), list(files))

    def copy(self, key: str, to: str) -> bool:
        """Has the server copy an object; False if there is none."""
        from minio.commonconfig import CopySource
        from minio.error import S3Error

        bucket = self._settings.bucket
        with explained(self._name, self._settings):
            try:
                self._client.copy_object(bucket, to, CopySource(bucket, key))
            except S3Error as error:
                if error.code in MISSING:
                    return False
                raise
        return True

    def has(self, key: str) -> bool:
        """Whether anything is under a key."""
        from minio.error import S3Error

        with explained(self._name, self._settings):
            try:
                self._client.stat_object(self._settings.bucket, key)
            except S3Error as error:
                if error.code in MISSING:
                    return False
                raise
        return True

    def delete(self, key: str) -> None:
        """Removes what is under a key, if anything is: not all servers pass over it if nothing is."""
        from minio.error import S3Error

        with explained(self._name, self._settings):
            try:
                self._client.remove_object(self._settings.bucket, key)
            except S3Error as error:
                if error.code not in MISSING:
                    raise

    def delete_all(self, keys: Iterable[str]) -> None:
        """Removes what is under all of these."""
        with ThreadPoolExecutor(THREADS, thread_name_prefix="sciflow-bucket") as pool:
            list(pool.map(self.delete, keys))

    def sizes(self, prefix: str) -> dict[str, int]:
        """All keys that begin so, with the bytes of each."""
        with explained(self._name, self._settings):
            found = self._client.list_objects(self._settings.bucket, prefix=prefix, recursive=True)
            return {str(one.object_name): one.size or 0 for one in found}

    def list(self, prefix: str) -> dict[str, str]:
        """All keys that begin so, each with a word that changes with what is under it."""
        with explained(self._name, self._settings):
            found = self._client.list_objects(self._settings.bucket, prefix=prefix, recursive=True)
            return {str(one.object_name): f"{one.etag} {one.last_modified}" for one in found}
