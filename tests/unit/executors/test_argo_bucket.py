"""What is put into a run's bucket, and what is read there, whoever has written it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from sciflow.errors import HostRefused, HostUnreachable, RunDamaged
from sciflow.executors.argo.follow.gates import Gates
from sciflow.executors.argo.follow.harvest import Harvest
from sciflow.executors.argo.follow.news import News, Told
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.given import learn_given, read_facts
from sciflow.executors.argo.place.layout import FACTS
from sciflow.executors.argo.place.run_files import RunFiles, bring_files
from sciflow.executors.argo.place.sending import Sender
from sciflow.pod.bucket_source import BucketSource
from sciflow.runner.packs import Pack, read_stored
from tests.unit.executors.argo_facts import facts
from tests.unit.executors.argo_follower import outcome
from tests.unit.executors.argo_left import LAYOUT, ended, folder, followed
from tests.unit.executors.bucket_stand_in import Objects


def told_by(bucket: Bucket, root: Path) -> list[News]:
    """What is told of the answers in a bucket."""
    told: list[News] = []
    gates = Gates(followed(bucket, root), send=lambda *_: None, tell=told.append)
    gates.look()
    gates.look()
    return told


def test_long_answers_reach_the_pods_one_after_the_other(bucket: Bucket, tmp_path: Path) -> None:
    root = folder(tmp_path / "run")
    pack = Pack(str(root), "values/1-engine", inline_bytes=8)
    sender = Sender(bucket, LAYOUT, root, facts(), {})
    for letter in "ab":
        tag = pack.put(json.dumps(letter * 100))
        sender.send_answer(letter, json.dumps(tag).encode())
        there = bucket.part(LAYOUT.part(tag["file"]), tag["at"], tag["size"])
        assert hashlib.sha256(there or b"").hexdigest() == tag["sha256"]


def test_an_answer_is_sent_with_what_it_speaks_of_and_nothing_else_of_the_run(
    bucket: Bucket, objects: Objects, tmp_path: Path
) -> None:
    root = folder(tmp_path / "run")
    for path in ("artifacts/1/other", "artifacts/2/deep/file", "artifacts/3/tool", "values/1-other"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    (root / "artifacts/3/tool").chmod(0o755)
    tags = [{"$": "artifact", "path": path} for path in ("artifacts/2/deep", "artifacts/3/tool")]
    text = json.dumps(Pack(str(root), "values/1-engine", inline_bytes=8).put(json.dumps(tags))).encode()
    Sender(bucket, LAYOUT, root, facts(), {}).send_answer("gate", text)
    sent = ["answers/gate", "artifacts/2/deep/file", "artifacts/3/tool", "values/1-engine"]
    assert sorted(objects.held) == [LAYOUT.part(path) for path in sent]
    shapes = RunFiles(bucket, LAYOUT)
    learn_given(bucket, LAYOUT, shapes)
    assert not bring_files(shapes, tmp_path / "brought", ["artifacts/2/deep", "artifacts/3/tool"], place="")
    assert (tmp_path / "brought/artifacts/2/deep/file").read_text() == "artifacts/2/deep/file"
    assert (tmp_path / "brought/artifacts/3/tool").stat().st_mode & 0o111


def test_an_answer_that_is_here_in_part_is_not_sent(bucket: Bucket, objects: Objects, tmp_path: Path) -> None:
    root = folder(tmp_path / "run")
    tag = Pack(str(root), "values/1-engine", inline_bytes=8).put('"long"')
    (root / "values/1-engine").unlink()
    with pytest.raises(RunDamaged, match=r"the answer to gate: .*values/1-engine"):
        Sender(bucket, LAYOUT, root, facts(), {}).send_answer("gate", json.dumps(tag).encode())
    assert not objects.held


def test_what_is_not_there_may_be_removed(bucket: Bucket, objects: Objects) -> None:
    bucket.put("a", b"1")
    bucket.delete_all(["a", "b"])
    assert not objects.held


def test_a_file_whose_name_is_not_utf_8_is_refused_by_name_and_not_waited_for(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "caf\udce9").write_text("x")
    with pytest.raises(HostRefused, match=r"caf\\udce9' cannot be a name there\n    fix:      rename"):
        bucket.put_file("caf\udce9", tmp_path / "caf\udce9")


@pytest.mark.parametrize("conditional", [True, False], ids=["", "on a server that knows no conditions"])
def test_an_answer_is_sent_and_told(conditional: bool, bucket: Bucket, objects: Objects, tmp_path: Path) -> None:
    objects.conditional = conditional
    Sender(bucket, LAYOUT, folder(tmp_path / "run"), facts(), {}).send_answer("gate", b"1")
    assert told_by(bucket, tmp_path / "run") == [Told(path="gate", text=b"1")]


def test_what_is_not_ours_in_the_bucket_is_told_with_its_key(bucket: Bucket, tmp_path: Path) -> None:
    harvest = Harvest(followed(bucket, tmp_path))
    source = BucketSource(bucket, LAYOUT, RunFiles(bucket, LAYOUT))  # as pods read it
    damaged = outcome("main/a")[1].replace(b'"Succeeded"', b"7")
    for text in (b"", b"{}", b"{}\n{}\n[]", damaged):
        bucket.put(LAYOUT.outcomes("main/a", 0), text)
        with pytest.raises(RunDamaged, match="bucket: runs/run/outcomes/main/a/0: sciflow cannot read it"):
            list(harvest.news(None))
        with pytest.raises(RunDamaged, match="outcomes/main/a/0: sciflow cannot read it"):
            source.earlier("main/a", 0)
    bucket.put(LAYOUT.outcomes("main/a", 0), b"<html>")
    with pytest.raises(RunDamaged, match="outcomes/main/a/0: sciflow cannot read it"):
        source.successes("main/a", [0])
    bucket.put(LAYOUT.part(FACTS), b"{}")
    with pytest.raises(RunDamaged, match=r"facts\.json: sciflow cannot read it"):
        read_facts(bucket, LAYOUT)
    bucket.delete(LAYOUT.part(FACTS))
    bucket.put(LAYOUT.answer("gate"), b"<html>")
    with pytest.raises(RunDamaged, match="answers/gate: sciflow cannot read it"):
        harvest.fetch(["artifacts/a"])


def test_of_two_answers_at_the_same_time_the_first_holds(bucket: Bucket, tmp_path: Path) -> None:
    for name, text in (("here", b"1"), ("there", b"2")):  # each has seen that there was none
        Sender(bucket, LAYOUT, folder(tmp_path / name), facts(), {}).send_answer("gate", text)
    assert told_by(bucket, tmp_path / "there") == [Told(path="gate", text=b"1")]


def test_a_long_value_out_of_the_cache_is_brought_and_no_logs_are_looked_for(
    bucket: Bucket, objects: Objects, tmp_path: Path
) -> None:
    there, here = folder(tmp_path / "there"), folder(tmp_path / "here")
    tag = Pack(str(there), "values/cached-1", inline_bytes=8).put('"long"')
    bucket.put_file(LAYOUT.part("values/cached-1"), there / "values/cached-1")
    bucket.put(*ended(tag, worker=""))
    (told,) = Harvest(followed(bucket, here)).news(None)
    assert [end.slice for end in told.ends] == [-1]
    assert read_stored(str(here), tag) == b'"long"'
    assert not [asked for asked in objects.asked if "/logs/" in asked]


@pytest.mark.parametrize(
    ("output", "worker"),
    [
        ({"$": "value", "file": "values/../../x", "at": 0, "size": 1}, ""),
        ({"$": "value", "file": "run.db", "at": 0, "size": 1 << 40}, ""),
        (1, "../../x"),
    ],
    ids=["a value outside of the run", "a value that is another file of the run", "a log outside of the run"],
)
def test_what_ends_speak_of_is_written_nowhere_but_to_its_place(
    output: object, worker: str, bucket: Bucket, objects: Objects, tmp_path: Path
) -> None:
    here = folder(tmp_path / "runs/run")
    (here / "run.db").write_text("mine")
    for path in ("values/../../x", "run.db", "logs/../../x.out"):
        objects.held[LAYOUT.part(path)] = b"theirs"
    bucket.put(*ended(output, worker=worker))
    with pytest.raises(RunDamaged, match="is no path of a run's file"):
        list(Harvest(followed(bucket, here)).news(None))
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]


@pytest.mark.parametrize("page", ["<html><body>Please log in<br></body></html>", "<html>Please log in</html>", "no"])
def test_what_answers_and_does_not_speak_s3_is_waited_for(
    page: str, bucket: Bucket, objects: Objects, tmp_path: Path
) -> None:
    bucket.put("page", b"<html>ours</html>")
    objects.kind = "text/html"
    assert bucket.get("page") == b"<html>ours</html>"
    objects.kind = "application/xml"
    assert not bucket.has("other")
    objects.kind, objects.page = "text/html", page
    for call in (
        lambda: bucket.list(""),
        lambda: bucket.sizes(""),
        lambda: bucket.get("page"),
        lambda: bucket.has("page"),
        lambda: bucket.fetch("page", tmp_path / "page"),
        lambda: bucket.put("page", b"1"),
        lambda: bucket.put_new("page", b"1"),
        lambda: bucket.delete("page"),
    ):
        with pytest.raises(HostUnreachable, match="what answers there does not speak S3"):
            call()
    objects.kind = "application/xml"
    with pytest.raises(HostUnreachable, match="what answers there does not speak S3"):
        bucket.list("")
    objects.page = None
    assert bucket.list("").keys() == {"page"}


def test_nothing_is_left_of_a_file_whose_transfer_was_broken_off(
    bucket: Bucket, objects: Objects, tmp_path: Path
) -> None:
    objects.held["long"] = b"x" * 1000
    objects.breaks_at = 500
    with pytest.raises(HostUnreachable):
        bucket.fetch("long", tmp_path / "long")
    assert not list(tmp_path.iterdir())
