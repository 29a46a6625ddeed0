"""Mistakes in `[executors.NAME]`: all of them at once, each with its line and its mend."""

from __future__ import annotations

import json

import pytest

from sciflow import config
from sciflow.errors import InvalidSettings
from sciflow.executors.settings import ArgoSettings, BatchSettings, parse_executor


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))


def parsed(tmp_path, text):
    (tmp_path / "sciflow.toml").write_text(text)
    return parse_executor("cluster", config.load().executors["cluster"])


def problems(tmp_path, text):
    with pytest.raises(InvalidSettings) as caught:
        parsed(tmp_path, text)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]


GOOD = '[executors.cluster]\ntype = "batch"\nsystem = "slurm"\nhost = "login"\nwork_root = "/scratch/me"\n'


def test_settings_that_will_do_are_taken(tmp_path):
    settings = parsed(
        tmp_path, GOOD + 'walltime_s = 3600\ncleanup = "30d"\n[executors.cluster.options]\nwarning_s = 30\n'
    )
    assert isinstance(settings, BatchSettings)
    assert (settings.walltime_s, settings.cleanup, settings.options) == (3600, "30d", {"warning_s": 30})


def test_every_mistake_is_told_with_its_line(tmp_path):
    found = problems(
        tmp_path, 'workers = 2\n\n[executors.cluster]\ntype = "batch"\nsystem = "slrum"\nhots = "x"\nthrottle = 0\n'
    )
    assert [problem.splitlines()[0] for problem in found] == [
        "sciflow.toml:6: executor cluster: unknown setting 'hots'",
        "sciflow.toml:5: executor cluster: system has a value that will not do",
        "sciflow.toml:7: executor cluster: throttle has a value that will not do",
    ]
    assert "did you mean 'host'?" in found[0]
    assert "did you mean 'slurm'?" in found[1]
    assert "expected: a whole number from 1" in found[2]


def test_a_text_where_a_list_belongs_is_shown_as_a_list(tmp_path):
    (found,) = problems(tmp_path, GOOD + 'prologue = "module load vasp"\n')
    assert 'write prologue = ["module load vasp"]' in found


def test_an_unknown_type_is_told_with_the_one_that_was_meant(tmp_path):
    (found,) = problems(tmp_path, '[executors.cluster]\ntype = "bacth"\n')
    assert found.startswith("sciflow.toml:2: executor cluster: unknown type 'bacth'")
    assert "did you mean 'batch'?" in found


@pytest.mark.parametrize("line", ["pods = 0", "most_pods = 0", "parallelism = 0", "lost_retries = -1"])
def test_numbers_of_pods_are_at_least_one(tmp_path, line):
    argo = '[executors.cluster]\ntype = "argo"\nserver = "https://a.example"\nnamespace = "n"\nstorage = "s"\n'
    (problem,) = problems(tmp_path, f"{argo}{line}\n")
    assert f"found:    {line.partition(' = ')[2]}" in problem


def test_the_user_of_pods_is_a_number_or_left_to_the_namespace(tmp_path):
    argo = '[executors.cluster]\ntype = "argo"\nserver = "https://a.example"\nnamespace = "n"\nstorage = "s"\n'
    settings = parsed(tmp_path, argo + 'user = "namespace"\n')
    assert isinstance(settings, ArgoSettings)
    assert settings.user == "namespace"
    (problem,) = problems(tmp_path, argo + 'user = "nobody"\n')
    assert "expected: a whole number or 'namespace'" in problem


def test_a_host_without_a_folder_there_is_refused(tmp_path):
    (found,) = problems(tmp_path, GOOD.replace('work_root = "/scratch/me"\n', ""))
    assert "executor cluster: work_root is missing" in found
    (found,) = problems(tmp_path, GOOD.replace("/scratch/me", "scratch"))
    assert "an absolute path or one that begins with ~" in found


@pytest.mark.parametrize(
    ("system", "folder", "told"),
    [
        ("slurm", '/scratch/a"b', '"'),
        ("slurm", "/scratch/a\nb", "'\\n'"),
        ("pbs", "~/my files, new", "a space ,"),
        ("lsf", "/scratch/50%", "%"),
        ("sge", "/scratch/$USER", "$"),
    ],
)
def test_a_folder_that_a_job_script_cannot_name_is_refused(tmp_path, system, folder, told):
    text = GOOD.replace('"slurm"', f'"{system}"').replace('"/scratch/me"', json.dumps(folder))
    (found,) = problems(tmp_path, text)
    assert found.splitlines()[:2] == [
        f"sciflow.toml:5: executor cluster: work_root cannot be written in a job script of {system}: it has {told}",
        f"    found:    {folder!r}",
    ]
    assert "a link to this one" in found


def test_a_folder_that_no_directive_names_may_have_any_sign(tmp_path):
    text = GOOD.replace('"slurm"', '"shell"').replace('"/scratch/me"', """'/scratch/a "b", $c'""")
    assert parsed(tmp_path, text).work_root == '/scratch/a "b", $c'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("look_least_s = 60", "look_least_s is more than look_most_s"),
        ('cleanup = "sometimes"', '"keep", "on_success", or an age such as'),
        ('ssh_config = "/nowhere"', "no such ssh_config"),
        ("walltime_s = 0", "a number above 0"),
        ("walltime_s = inf", "a number above 0"),
        ("queue = 3", "expected: text"),
        ("[executors.cluster.options]\nwarnings_s = 3", "did you mean 'warning_s'?"),
        ("[executors.cluster.options]\nwarning_s = 'x'", "expected: a whole number"),
    ],
)
def test_what_cannot_be_is_told(tmp_path, line, told):
    (found,) = problems(tmp_path, f"{GOOD}{line}\n")
    assert told in found


def test_a_mistake_in_the_environment_is_told_by_its_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("SCIFLOW_EXECUTORS", '{"cluster": {"type": "batch", "system": "slurm", "queue": 3}}')
    (found,) = problems(tmp_path, "")
    assert found.startswith("environment SCIFLOW_EXECUTORS")
