"""`sciflow deploy --dry-run`: what Argo would be given, and what is refused; parameters as they are read in a pod."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sciflow.cli.main import exit_code
from sciflow.core.from_json import Unfit
from sciflow.core.ports import NONE, Type, list_of, optional
from sciflow.executors.argo.manifest.naming import workflow_name
from sciflow.executors.argo.manifest.parameters import AS_DEPLOYED, parameter_of, value_of

yaml = pytest.importorskip("yaml")
pytest.importorskip("ase")

FLOW = Path(__file__).with_name("flow_deployed.py")
BUCKET = {"type": "s3", "endpoint": "http://minio.argo:9000", "bucket": "artifacts", "prefix": "sciflow"}
ARGO = {"type": "argo", "server": "https://argo.example.org", "namespace": "argo", "storage": "bucket"}
INT, FLOAT, STR, BOOL, PATH = (Type(name=name) for name in ("int", "float", "str", "bool", "path"))
CELL = Type(name="object", of="users:Cell", kind="namedtuple", fields={"a": FLOAT, "b": FLOAT})

A_CELL = {"$": "record", "type": "users:Cell", "kind": "namedtuple", "v": {"a": 1.0, "b": 2.0}}


@pytest.fixture
def deploy(monkeypatch, tmp_path, capsys):
    """`deploy("plain", "--n", "3")`: exit code, what is printed, and what is said."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cu.cif").write_text("Cu")
    monkeypatch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": BUCKET}))
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"cluster": ARGO}))

    def said(name, *args, namespace="argo"):
        monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"cluster": ARGO | {"namespace": namespace}}))
        code = exit_code(["deploy", f"{FLOW}:{name}", "--on", "cluster", "--dry-run", *args])
        return code, *capsys.readouterr()

    return said


SCHEDULE = ("--structure", "cu.cif", "--xs", "[1, 2]", "--cron", "0 6 * * 1", "--timezone", "Europe/Berlin")


def test_the_manifests_of_a_deployment(deploy, golden):
    code, printed, said = deploy("many", *SCHEDULE)
    assert code == 0, said
    anonymous = re.sub(r"[0-9a-f]{64}", "<sha256>", re.sub(r"many-[0-9a-f]{8}", "many-<version>", printed))
    anonymous = re.sub(r'(made-by: "?sciflow )[\w.]+', r"\1<version>", anonymous)
    golden("argo/deployed.yaml", re.sub(r'(version: )"?[0-9a-f]{8}"?', r"\1<version>", anonymous))


def test_the_same_content_has_the_same_version_and_another_has_another(deploy, tmp_path):
    def version(*args):
        return yaml.safe_load(deploy("many", "--structure", "cu.cif", *args)[1])["metadata"]["name"]

    first = version()
    assert version() == first
    assert version("--xs", "[1]") != first
    (tmp_path / "cu.cif").write_text("Ni")
    assert version() != first


def test_what_no_text_can_say_has_to_be_given_and_some_names_are_taken(deploy):
    code, printed, said = deploy("of_atoms")
    assert (code, printed) == (2, "")
    assert "input atoms needs a value now: runs on Argo are given text, which cannot say what a Atoms is" in said
    assert "Argo takes no parameter of the name 'json'" in said
    assert "Argo takes no parameter of the name 'größe'" in said


def test_a_question_that_only_an_engine_can_answer_is_refused(deploy):
    code, _, said = deploy("asks")
    assert code == 2
    assert "gate asks for a value, which only an engine can give" in said


def test_a_schedule_gives_no_values(deploy):
    code, _, said = deploy("many", "--cron", "0 6 * * *")
    assert code == 2
    assert "input structure needs a value now: a schedule gives none" in said
    assert "input xs needs a value now" in said
    assert deploy("plain", "--timezone", "Europe/Berlin")[0] == 2


def test_times_that_are_none_are_told(deploy):
    for cron in ("x y", "0 6 * *", "", "0 6 * * 1 2"):
        code, _, said = deploy("plain", "--cron", cron or " ")
        assert code == 2
        assert "says no times" in said
    code, _, said = deploy("plain", "--cron", "@daily", "--timezone", "Europe/Berlni")
    assert code == 2
    assert "did you mean Europe/Berlin?" in said
    assert deploy("plain", "--cron", "*/5 0-6 1,15 JAN-MAR MON")[0] == 0


def test_only_executors_of_argo_take_deployments_and_have_runs_of_others(deploy, capsys):
    for asked in (["deploy", f"{FLOW}:plain", "--dry-run"], ["adopt", "x", "--on", "local"], ["list", "--on", "other"]):
        assert exit_code(asked) == 2
        said = capsys.readouterr().err
        assert "expected: an executor of type argo: cluster" in said
        assert "fix:      --on cluster" in said


def test_argo_finds_no_fault_with_what_is_deployed(deploy, kubernetes, tmp_path):
    code, printed, said = deploy("many", *SCHEDULE, namespace=kubernetes.namespace)
    assert code == 0, said
    (tmp_path / "deployed.yaml").write_text(printed)
    lint = ("argo", "lint", "--offline", "--no-color", str(tmp_path / "deployed.yaml"))
    assert "no linting errors" in kubernetes.run(*lint)


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (INT, 3, "3"),
        (FLOAT, 0.94, "0.94"),
        (FLOAT, {"$": "float", "v": "inf"}, "Infinity"),
        (STR, "it's", "it's"),
        (STR, "{{workflow.name}}", AS_DEPLOYED),
        (STR, "two\nlines", AS_DEPLOYED),
        (STR, "x" * 2000, AS_DEPLOYED),
        (BOOL, True, "true"),
        (optional(BOOL), None, "null"),
        (optional(STR), None, ""),
        (optional(INT), None, "null"),
        (PATH, {"$": "artifact", "path": "artifacts/1/cu.cif", "kind": "file"}, "cu.cif"),
        (optional(PATH), None, ""),
        (list_of(FLOAT), [0.94, 1.0], "[0.94, 1.0]"),
        (list_of(STR), {"$": "value", "file": "values/0-inputs", "at": 0, "size": 9000}, AS_DEPLOYED),
        (Type(name="tuple", args=(INT, STR)), {"$": "tuple", "v": [1, "a"]}, '[1, "a"]'),
        (CELL, A_CELL, '{"a": 1.0, "b": 2.0}'),
        (Type(name="object", of="datetime:date", kind="class"), {"$": "date", "v": "2026-01-31"}, "2026-01-31"),
        (Type(name="literal", values=(1, "one")), "one", "one"),
    ],
)  # fmt: skip
def test_a_default_is_shown_as_it_would_be_written(type_, value, text):
    parameter = parameter_of("x", type_, [value])
    assert parameter.text == text
    if text not in (AS_DEPLOYED, "", "cu.cif"):
        assert value_of(parameter, text, nothing) == value


@pytest.mark.parametrize(
    ("type_", "text", "told"),
    [
        (INT, "x", "expected int, as JSON; found 'x'"),
        (INT, "1.5", "expected int, found 1.5"),
        (BOOL, "yes", "expected one of false, true, found 'yes'"),
        (Type(name="literal", values=("Cu", "Ni")), "Nu", "did you mean"),
        (list_of(INT), "[1, true]", "expected int, found True"),
        (CELL, '{"a": 1}', "Cell has also b"),
        (CELL, '{"a": 1, "b": 2, "c": 3}', "Cell has no field c"),
        (PATH, "", "expected Path, found ''"),
        (list_of(PATH), '["nowhere"]', "no such key"),
    ],
)
def test_a_text_that_is_no_value_is_told(type_, text, told):
    with pytest.raises(Unfit, match=re.escape(told)):
        value_of(parameter_of("x", type_, []), text, nothing)


def test_a_text_may_be_one_of_several_types():
    either = parameter_of("x", Type(name="union", args=(INT, STR, NONE)), [])
    assert [value_of(either, text, nothing) for text in ("3", "all", "null")] == [3, "all", None]
    assert parameter_of("x", Type(name="object", of="ase.atoms:Atoms", kind="class"), []) is None
    assert parameter_of("x", list_of(Type(name="bytes")), []) is None


def nothing(_text, _type):
    raise Unfit("no such key")


def test_the_name_of_a_workflow_is_in_the_id_of_its_run():
    assert workflow_name("eos-x7k2p-20261122-185106-3fa85f64") == "eos-x7k2p"
    assert workflow_name("eos-20261122-185106-3fa8") == "eos-20261122-185106-3fa8"
