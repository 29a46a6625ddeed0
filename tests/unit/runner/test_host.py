"""What the engine asks of a machine: `python X.zip host VERB`, on the oldest Python that can be had, and this one."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from node_driver import PYTHONS, Batch, Node, sha256, tar, wait_until

REPLIES, OUT, ERR, PACK = range(4)
ECHO = "def f(x: str) -> str:\n    print(x)\n    return x"


@pytest.fixture(params=list(PYTHONS))
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Node:
    python = PYTHONS[request.param]
    if python is None:
        pytest.skip("no Python 3.9 or 3.10 is installed here")
    return Node(tmp_path, python)


# --- survey


def test_a_survey_brings_what_is_new_and_only_that(node: Node) -> None:
    batch = node.batch(ECHO, ["a", "b"], ["c"])
    batch.run(0)
    first = node.survey(batch)
    assert first.batch["elements"]["0"]["done"]
    assert first.data(0, OUT) == b"a\nb\n"
    assert [json.loads(line)[0] for line in first.data(0, REPLIES).splitlines()] == [2, 0, 0, 3]
    assert "1" not in first.batch["elements"]
    known = [len(first.data(0, kind)) for kind in (REPLIES, OUT, ERR, PACK)]
    second = node.survey(batch, offsets={"0": known})
    assert second.sections == {}
    assert second.batch["elements"]["0"]["done"]


def test_a_line_that_is_not_whole_waits(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    (batch.folder / "live").mkdir()
    (batch.folder / "live" / "0").write_text('[2,1,null,null]\n[0,1,"Succ')
    survey = node.survey(batch)
    assert survey.data(0, REPLIES) == b"[2,1,null,null]\n"
    assert not survey.batch["elements"]["0"]["done"]


def test_acknowledged_elements_are_out_of_the_way_and_found_again_from_the_start(node: Node) -> None:
    batch = node.batch(ECHO, ["a"], ["b"])
    batch.run(0)
    batch.run(1)
    assert set(node.survey(batch, taken=[0]).batch["elements"]) == {"1"}
    assert set(node.survey(batch, taken=[0]).batch["elements"]) == {"1"}  # told twice, since an answer was lost
    assert (batch.folder / "taken" / "0").exists()
    assert set(node.survey(batch, from_start=True).batch["elements"]) == {"0", "1"}


@pytest.mark.parametrize("limit", [1, 900])
def test_a_limit_cuts_the_answer_and_nothing_is_lost_nor_told_before_what_it_speaks_of(node: Node, limit: int) -> None:
    batch = node.batch(ECHO, ["a" * 40, "b" * 5000, "c"], ["d"])
    batch.run(0)
    batch.run(1)
    got: dict[tuple[int, int], bytes] = {}
    for _ in range(2000):
        places = {str(k): [len(got.get((k, kind), b"")) for kind in range(4)] for k in (0, 1)}
        survey = node.survey(batch, offsets=places, limit=limit)
        for place, (at, data) in survey.sections.items():
            assert at == len(got.get(place, b""))
            got[place] = got.get(place, b"") + data
        for k in (0, 1):
            for line in got.get((k, REPLIES), b"").splitlines():
                reply = json.loads(line)  # whole lines only
                if reply[0] == 0:
                    assert reply[6] <= len(got.get((k, OUT), b""))
                    if isinstance(reply[3], dict):
                        assert reply[3]["at"] + reply[3]["size"] <= len(got[k, PACK])
        if not survey.batch["more"]:
            break
        if limit == 1 and len(got.get((0, OUT), b"")) > 3:
            return  # it moves on; thousands of calls show no more
    assert got[0, OUT] == (batch.log(0)).encode()
    assert got[1, REPLIES] == (batch.folder / "done" / "1").read_bytes()


def test_without_a_mirror_only_replies_come(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    batch.run()
    assert set(node.survey(batch, mirror=False).sections) == {(0, REPLIES)}


def test_an_element_whose_script_ended_without_it_is_told_with_its_last_words(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    for part, text in (("died", "127\n"), ("out", "python3: command not found\n")):
        (batch.folder / part).mkdir()
        (batch.folder / part / "0").write_text(text)
    survey = node.survey(batch)
    assert survey.batch["died"] == {"0": 127}
    assert survey.batch["said"] == {"0": "python3: command not found\n"}
    assert node.survey(batch, taken=[0]).batch["died"] == {}


def test_a_script_that_looks_too_late_makes_no_death_of_an_element_that_was_acknowledged(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    batch.run()
    node.survey(batch, taken=[0])
    (batch.folder / "died").mkdir()
    (batch.folder / "died" / "0").write_text("0\n")
    assert node.survey(batch).batch["died"] == {}


def test_a_batch_that_was_removed_is_told(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    batch.folder.rename(batch.folder.with_name("elsewhere"))
    assert node.survey(batch).batch["gone"]


def test_the_queue_is_asked_once_for_all_who_want_to_know(node: Node) -> None:
    count = node.work_root / "count"
    queue = {"argv": ["sh", "-c", f"echo x >> {count}; cat {count}"], "timeout_s": 5, "fresh_s": 60}
    batch = node.batch(ECHO, ["a"])
    answers = [node.survey(batch, queue=queue).head["queue"] for _ in range(3)]
    assert [answer["stdout"] for answer in answers] == ["x\n"] * 3
    assert node.survey(batch, queue={**queue, "fresh_s": 0}).head["queue"]["stdout"] == "x\nx\n"


def test_a_queue_that_hangs_is_given_up_in_time_and_ended(node: Node) -> None:
    pids = node.work_root / "pids"
    argv = ["sh", "-c", f"echo $$ > {pids}; sleep 100 & wait"]
    began = time.monotonic()
    answer = node.survey(node.batch(ECHO, ["a"]), queue={"argv": argv, "timeout_s": 0.5}).head["queue"]
    assert time.monotonic() - began < 5
    assert answer["timed_out"]
    wait_until(lambda: not Path(f"/proc/{pids.read_text().strip()}").exists())


def test_what_has_ended_and_was_acknowledged_costs_a_survey_nothing(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    batch.run()
    (batch.folder / "taken").mkdir()
    for number in range(3000):
        (batch.folder / "taken" / str(number)).touch()

    def steps() -> int:
        argv = [*node.argv, "host", "survey", str(node.work_root)]
        asked = {"queue": None, "batches": [{"dir": str(batch.folder)}]}
        said = subprocess.run(
            ["strace", "-c", "-f", "-e", "trace=openat,stat,getdents64,newfstatat", *argv],
            input=json.dumps(asked).encode(), capture_output=True, check=False,
        )  # fmt: skip
        return int(said.stderr.decode().split("total")[0].split()[-1]) if b"total" in said.stderr else 0

    from shutil import which

    if which("strace") is None:
        pytest.skip("no strace here")
    assert steps() < 2000


# --- what is sent


def test_what_is_missing_is_told_and_what_is_there_is_linked_into_the_run(node: Node) -> None:
    have, lack = sha256(b"have"), sha256(b"lack")
    answer = node.ask("unpack", {"root": str(node.root)}, tar({f"blobs/{have}": b"have"}))
    assert answer["ok"]
    asked = {
        "root": str(node.root),
        "blobs": {have: ["artifacts/1/x", "artifacts/2/y"], lack: ["z"]},
        "code": [lack],
    }
    assert node.ask("missing", asked) == {"blobs": [lack], "code": [lack]}
    assert (node.root / "artifacts/1/x").read_bytes() == (node.root / "artifacts/2/y").read_bytes() == b"have"
    assert (node.root / "artifacts/1/x").samefile(node.work_root / "blobs" / have)


def test_files_folders_links_and_permissions_come_as_they_are_told(node: Node) -> None:
    content = b"#!/bin/sh\n"
    name = sha256(content)
    header = {
        "root": str(node.root),
        "links": {name: ["artifacts/d/run", "artifacts/d/text", "artifacts/größe ' $x/ü"]},
        "folders": ["artifacts/d/empty"],
        "executable": ["artifacts/d/run"],
        "symlinks": {"artifacts/d/link": "text"},
    }
    node.ask("unpack", header, tar({f"blobs/{name}": content}))
    folder = node.root / "artifacts" / "d"
    assert os.access(folder / "run", os.X_OK)
    assert not (folder / "text").stat().st_mode & stat.S_IXUSR
    assert (folder / "empty").is_dir()
    assert (folder / "link").read_bytes() == content
    node.ask("unpack", {**header, "links": {}, "executable": ["artifacts/d/text"]}, tar({}))
    assert os.access(folder / "text", os.X_OK)
    assert not (node.work_root / "blobs" / name).stat().st_mode & stat.S_IXUSR


def test_a_batch_appears_whole_or_not_at_all(node: Node) -> None:
    members = {f"blobs/{sha256(b'1' * 3000)}": b"1" * 3000, "batches/n/index.json": b"{}", "batches/n/requests": b"r"}
    body = tar(members)
    for end in (0, 100, 512, 2000, 3584, 4096, 4608, 5120, 5632, 6000):
        assert node.host("unpack", {"root": str(node.root)}, body[:end]).returncode == 65
        assert not (node.root / "batches" / "n").exists()
    assert node.ask("unpack", {"root": str(node.root)}, body)["batches"] == ["n"]
    assert (node.root / "batches" / "n" / "requests").read_bytes() == b"r"
    assert sorted(path.name for path in (node.root / "batches").iterdir()) == ["n"]
    assert [path.name for path in (node.work_root / "blobs").iterdir()] == [sha256(b"1" * 3000)]


def test_a_batch_that_is_there_is_left_as_it_is(node: Node) -> None:
    node.ask("unpack", {"root": str(node.root)}, tar({"batches/n/index.json": b"1"}))
    node.ask("unpack", {"root": str(node.root)}, tar({"batches/n/index.json": b"2"}))
    assert (node.root / "batches" / "n" / "index.json").read_bytes() == b"1"


@pytest.mark.parametrize("kind", ["blobs/{}", "code/{}.tar"])
def test_a_content_that_is_not_what_its_name_says_is_refused(node: Node, kind: str) -> None:
    name = sha256(b"right")
    done = node.host("unpack", {"root": str(node.root)}, tar({kind.format(name): b"wrong"}))
    assert done.returncode == 65
    assert sha256(b"wrong") in done.stderr.decode()
    left = [*(node.work_root / "blobs").iterdir(), *(node.work_root / "code").iterdir()]
    assert not [path for path in left if not path.name.startswith(node.zip.name)]


def test_a_bundle_is_unpacked_under_its_name(node: Node) -> None:
    bundle = tar({"pkg/__init__.py": b"", "pkg/data.txt": b"d"})
    name = sha256(bundle)
    node.ask("unpack", {"root": str(node.root)}, tar({f"code/{name}.tar": bundle}))
    assert (node.work_root / "code" / name / "pkg" / "data.txt").read_bytes() == b"d"
    assert node.ask("missing", {"root": str(node.root), "code": [name]})["code"] == []


HOSTILE = [
    {"../x": b""}, {"/tmp/x": b""}, {"blobs/../../x": b""}, {"blobs/" + "g" * 64: b""}, {"code/x.zip": b""},
    {"batches/../x/y": b""}, {"batches/n/../../../x": b""}, {"batches/n": b""}, {"batches//x": b""}, {"runs/x": b""},
    {f"code/{sha256(tar({'../x': b''}))}.tar": tar({"../x": b""})},
]  # fmt: skip


@pytest.mark.parametrize("members", HOSTILE, ids=lambda members: next(iter(members))[:20])
def test_no_member_is_put_where_it_does_not_belong(node: Node, members: dict[str, bytes]) -> None:
    before = _everything(node.work_root.parent)
    assert node.host("unpack", {"root": str(node.root)}, tar(members)).returncode == 65
    assert {path for path in _everything(node.work_root.parent) - before if path.is_file()} == set()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_no_member_is_anything_but_a_file(node: Node, kind: bytes) -> None:
    body = tar({"batches/n/x": b""}, kinds={"batches/n/x": kind})
    assert node.host("unpack", {"root": str(node.root)}, body).returncode == 65
    assert not (node.root / "batches" / "n").exists()


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "out/x", "a//b", "", "."])
def test_nothing_is_linked_outside_of_the_run(node: Node, path: str) -> None:
    outside = node.work_root.parent / "outside"
    outside.mkdir()
    (node.root / "out").symlink_to(outside)
    name = sha256(b"have")
    node.ask("unpack", {"root": str(node.root)}, tar({f"blobs/{name}": b"have"}))
    for header in ({"links": {name: [path]}}, {"folders": [f"{path}/y"]}, {"symlinks": {path: "/etc"}}):
        assert node.host("unpack", {"root": str(node.root), **header}, tar({})).returncode == 65
    assert node.host("missing", {"root": str(node.root), "blobs": {name: [path]}}).returncode == 65
    assert not list(outside.iterdir())
    assert not (node.root.parent / "x").exists()


def _everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


# --- submit


def submit(node: Node, batch: Batch, line: str, **more: object) -> dict[str, object]:
    request = {"dir": str(batch.folder), "argv": ["sh", "-c", line], "timeout_s": 10, **more}
    answer: dict[str, object] = node.ask("submit", request)
    return answer


COUNTED = "echo x >> count; echo Submitted 12"


def test_a_batch_is_submitted_once_however_often_that_is_asked(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    first, second = submit(node, batch, COUNTED), submit(node, batch, COUNTED)
    assert (first["stdout"], first["again"]) == ("Submitted 12\n", False)
    assert (second["stdout"], second["again"]) == ("Submitted 12\n", True)
    assert (batch.folder / "count").read_text() == "x\n"
    assert json.loads((batch.folder / "submitted").read_text())["stdout"] == "Submitted 12\n"


def test_a_submission_goes_on_when_the_one_who_asked_is_killed(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    request = {"dir": str(batch.folder), "argv": ["sh", "-c", f"sleep 1; {COUNTED}"], "timeout_s": 10}
    process = subprocess.Popen(
        [*node.argv, "host", "submit", str(node.work_root)], stdin=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(request).encode())
    process.stdin.close()
    wait_until((batch.folder / "submitting").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert submit(node, batch, COUNTED)["again"]
    assert (batch.folder / "count").read_text() == "x\n"


@pytest.mark.parametrize(("queue", "again"), [("echo 7 b1", True), ("true", False)])
def test_a_submission_that_was_killed_before_its_record_is_looked_for(node: Node, queue: str, again: bool) -> None:
    batch = node.batch(ECHO, ["a"])
    begun = {"pid": 1 << 22, "host": os.uname().nodename, "clock": time.time(), "timeout_s": 10}
    (batch.folder / "submitting").write_text(json.dumps(begun))
    answer = submit(node, batch, COUNTED, name="b1", find={"argv": ["sh", "-c", queue]})
    assert answer["again"] is again
    assert answer["stdout"] == ("7 b1\n" if again else "Submitted 12\n")
    assert (batch.folder / "count").exists() is not again


def test_while_the_queue_cannot_be_asked_nothing_is_submitted_twice(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    begun = {"pid": 1 << 22, "host": os.uname().nodename, "clock": time.time(), "timeout_s": 10}
    (batch.folder / "submitting").write_text(json.dumps(begun))
    answer = submit(node, batch, COUNTED, name="b1", find={"argv": ["sh", "-c", "exit 1"]})
    assert answer["unsure"]
    assert not (batch.folder / "count").exists()


def test_two_calls_for_the_same_batch_at_once_make_one_job(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    request = {"dir": str(batch.folder), "argv": ["sh", "-c", f"sleep 0.5; {COUNTED}"], "timeout_s": 10}
    argv = [*node.argv, "host", "submit", str(node.work_root)]
    calls = [subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    for call in calls:
        assert call.stdin is not None
        call.stdin.write(json.dumps(request).encode())
        call.stdin.close()
        call.stdin = None
    answers = [json.loads(call.communicate(timeout=30)[0]) for call in calls]
    assert sorted(answer["again"] for answer in answers) == [False, True, True]
    assert {answer["stdout"] for answer in answers} == {"Submitted 12\n"}
    assert (batch.folder / "count").read_text() == "x\n"


def test_what_was_told_to_be_never_submitted_is_not_submitted_by_a_call_that_comes_late(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    assert submit(node, batch, COUNTED, only_find=True)["never"]
    assert submit(node, batch, COUNTED)["never"]
    assert submit(node, batch, COUNTED, only_find=True)["never"]
    assert not (batch.folder / "count").exists()


def test_a_submission_begun_on_another_host_is_not_made_again_while_it_may_be_under_way(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    begun = {"pid": 1, "host": "login2", "clock": time.time(), "timeout_s": 10}
    (batch.folder / "submitting").write_text(json.dumps(begun))
    assert submit(node, batch, COUNTED, name="b1", find={"argv": ["true"]})["unsure"]
    assert not (batch.folder / "count").exists()
    (batch.folder / "submitting").write_text(json.dumps({**begun, "clock": time.time() - 60}))
    assert submit(node, batch, COUNTED, name="b1", find={"argv": ["true"]})["code"] == 0


def test_a_submission_whose_folder_is_out_of_sight_is_sought_in_the_queue_and_no_folder_is_made(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    runs = node.root.parent
    request = {"name": "b1", "only_find": True}
    hidden = node.root.rename(node.work_root / "hidden")
    assert submit(node, batch, COUNTED, find={"argv": ["echo", "7|b1"]}, **request)["found"]
    assert submit(node, batch, COUNTED, find={"argv": ["false"]}, **request)["unsure"]
    answer = submit(node, batch, COUNTED, find={"argv": ["true"]}, **request)
    assert (answer["gone"], answer["never"]) == (True, False)
    assert list(runs.iterdir()) == []
    runs.rmdir()
    done = node.host("submit", {"dir": str(batch.folder), "argv": ["true"], "timeout_s": 10})
    assert (done.returncode, b"is its file system mounted?" in done.stderr) == (74, True)
    runs.mkdir()
    hidden.rename(node.root)
    assert submit(node, batch, COUNTED, find={"argv": ["true"]}, **request)["never"]


def test_a_refusal_is_told_and_may_be_asked_again(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    answer = submit(node, batch, "echo no such partition >&2; exit 3")
    assert (answer["code"], answer["stderr"]) == (3, "no such partition\n")
    assert submit(node, batch, COUNTED)["code"] == 0


def test_secrets_reach_the_submitting_program_and_no_file(node: Node) -> None:
    batch = node.batch(ECHO, ["a"])
    answer = submit(node, batch, "test $SCIFLOW_SECRET_0 = hush && echo 1", secrets={"SCIFLOW_SECRET_0": "hush"})
    assert answer["code"] == 0
    assert not [path for path in node.work_root.rglob("*") if path.is_file() and b"hush" in path.read_bytes()]


# --- pack, facts, clean


def test_files_and_folders_are_packed_the_same_each_time(node: Node) -> None:
    folder = node.root / "tasks" / "t"
    (folder / "empty").mkdir(parents=True)
    (folder / "run").write_text("r")
    (folder / "run").chmod(0o700)
    (folder / "link").symlink_to("run")
    (node.root / "one").write_text("1")
    asked = {"root": str(node.root), "paths": ["tasks/t", "one", "gone"]}
    first = node.ask("pack", asked)
    assert first["missing"] == {"gone": "No such file or directory"}
    content = Path(first["archive"]).read_bytes()
    assert len(content) == first["size"]
    os.utime(folder / "run", (1, 1))
    assert Path(node.ask("pack", asked)["archive"]).read_bytes() == content
    with tarfile.open(first["archive"]) as archive:
        found = {member.name: member for member in archive}
    assert sorted(found) == ["one", "tasks/t", "tasks/t/empty", "tasks/t/link", "tasks/t/run"]
    assert found["tasks/t/run"].mode == 0o755
    assert found["tasks/t/link"].linkname == "run"


@pytest.mark.parametrize("path", ["../../code", "/etc/passwd", "out/passwd"])
def test_nothing_is_packed_from_outside_of_the_run(node: Node, path: str) -> None:
    (node.root / "out").symlink_to("/etc")
    assert node.host("pack", {"root": str(node.root), "paths": [path]}).returncode == 65


def test_facts_tell_of_the_machine(node: Node) -> None:
    told = node.ask("facts", {})
    assert told["writable"]
    assert told["links"]
    assert told["python"] >= [3, 9]
    assert abs(told["clock"] - time.time()) < 60
    assert told["free_bytes"] > 0


def test_clean_removes_runs_and_contents_that_none_needs(node: Node) -> None:
    kept, left = sha256(b"kept"), sha256(b"left")
    members = {f"blobs/{kept}": b"kept", f"blobs/{left}": b"left"}
    node.ask("unpack", {"root": str(node.root), "links": {kept: ["a"], left: ["b"]}}, tar(members))
    other = node.root.with_name("r2")
    node.ask("missing", {"root": str(other), "blobs": {kept: ["a"]}})
    answer = node.ask("clean", {"runs": ["r1", "nothing"], "blob_age_s": 0})
    assert (answer["runs"], answer["freed_bytes"]) == (["r1"], 4)
    assert not node.root.exists()
    assert [path.name for path in (node.work_root / "blobs").iterdir()] == [kept]
    assert (other / "a").read_bytes() == b"kept"


def test_clean_removes_old_code_of_which_no_submission_speaks(node: Node) -> None:
    used, left, fresh = (tar({"mod.py": text}) for text in (b"1", b"2", b"3"))
    members = {f"code/{sha256(bundle)}.tar": bundle for bundle in (used, left, fresh)}
    index = json.dumps({"hello": {"sys_path": [f"$DEPOT/code/{sha256(used)}"]}}).encode()
    node.ask("unpack", {"root": str(node.root)}, tar({**members, "batches/n/index.json": index}))
    code = node.work_root / "code"
    for path in code.iterdir():
        os.utime(path, (1, 1))
    node.ask("missing", {"root": str(node.root), "code": [sha256(fresh)]})
    node.ask("clean", {"code_age_s": 3600})
    assert {path.name for path in code.iterdir() if path.is_dir()} == {sha256(used), sha256(fresh)}
    assert node.zip.exists()


def test_clean_leaves_a_run_with_submissions_of_others_and_whatever_is_not_a_run(node: Node) -> None:
    node.batch(ECHO, ["a"])
    assert node.ask("clean", {"runs": ["r1"], "batches": ["another"]})["kept"] == ["r1"]
    assert node.root.exists()
    for name in ("../code", "", "..", "a/b"):
        assert node.host("clean", {"runs": [name]}).returncode == 65
    assert node.zip.exists()


def test_a_request_that_makes_no_sense_is_refused_in_words(node: Node) -> None:
    for verb, request in (("survey", {}), ("missing", []), ("nothing", {})):
        done = node.host(verb, request)
        assert done.returncode == 64
        assert done.stderr
