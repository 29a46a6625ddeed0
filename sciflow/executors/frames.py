"""What is said to a worker, as bytes: requests framed by their length."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import msgspec

from sciflow.core.job import SINGLE, Job, seed_of

_LENGTH = struct.Struct(">I")
_encode = msgspec.json.encode


def framed(text: bytes) -> bytes:
    """`text` behind its length."""
    return _LENGTH.pack(len(text)) + text


def hello_frame(facts: Mapping[str, object]) -> bytes:
    """The first request to a worker: where it is, and what is the same for all its tasks."""
    return framed(_encode({"hello": facts}))


def op_text(job: Job, gpus: tuple[int, ...]) -> bytes:
    """What a worker must know of an op, but for the number under which it is spoken of."""
    policy, resources = job.policy, job.need.resources
    options = {
        "isolate": policy.isolate,
        "keep": policy.keep,
        "never_keep": policy.never_keep,
        "cpus": resources.cpus,
        "memory_mb": resources.memory_mb,
        "gpus": gpus,
        "timeout_s": policy.timeout_s,
    }
    return b'"name":%s,"code":%s,"options":%s,"identity":%s' % (
        _encode(job.template.name),
        _encode(job.template.code),
        _encode(options),
        _encode(policy.cache),  # only the cache asks by what the code is known here
    )


def op_frame(number: int, text: bytes) -> bytes:
    """The request that makes an op known under a number."""
    return framed(b'{"op":%d,%s}' % (number, text))


def tasks_frame(op: int, job: Job, seconds_left: float | None) -> bytes:
    """The request to run a job's tasks one after the other."""
    left = b"null" if seconds_left is None else b"%.3f" % seconds_left
    path, base, first = job.path.encode(), job.seed, job.number(0)
    texts = []
    for position, (slice_, attempt, elements, key) in enumerate(
        zip(job.slices, job.attempts, job.elements, job.keys, strict=True)
    ):
        folder = b"tasks/%s" % path if slice_ == SINGLE else b"tasks/%s/%d" % (path, slice_)
        told = b"null" if key is None else _encode(key)
        seed = job.seeds[position] if job.seeds else seed_of(base, slice_)
        columns = b",".join(elements)
        texts.append(b'[%d,"%s",%d,%d,%s,%s,[%s]]' % (first + position, folder, attempt, seed, told, left, columns))
    head = b'{"do":%d,"fixed":%s,"columns":%s,"tasks":[' % (op, job.fixed, _encode(job.columns))
    return framed(b"%s%s]}" % (head, b",".join(texts)))
