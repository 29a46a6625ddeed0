"""Settings: where they come from, which wins, and what is said about mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sciflow import config
from sciflow.errors import ConfigError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "deep" / "er").mkdir(parents=True)
    return folder


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_any_source_every_setting_has_its_default(tmp_path: Path) -> None:
    settings = config.load(start=tmp_path, environ={})
    assert settings.runs == tmp_path / "runs"
    assert settings.workers is None
    assert set(settings.origins.values()) == {"default"}


def test_the_project_file_is_found_upward_and_its_paths_are_relative_to_it(project: Path) -> None:
    write(project / "sciflow.toml", 'runs = "calculations"\nworkers = 4\n')
    settings = config.load(start=project / "deep" / "er", environ={})
    assert settings.runs == project / "calculations"
    assert settings.workers == 4
    assert settings.project == project


def test_a_storages_folder_is_the_same_one_wherever_in_the_project_it_is_asked_for(project: Path) -> None:
    write(project / "sciflow.toml", '[storages.shared]\ntype = "directory"\npath = "store"\n')
    settings = config.load(start=project / "deep", environ={})
    assert settings.storages["shared"]["path"] == str(project / "store")


def test_a_later_source_wins_over_an_earlier_one(project: Path, tmp_path: Path) -> None:
    file = write(project / "sciflow.toml", "workers = 1\nmemory_mb = 10\ngpus = 1\nparallelism = 1\n")
    user = write(tmp_path / "home" / "sciflow" / "config.toml", "memory_mb = 20\ngpus = 2\nparallelism = 2\n")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "home"), "SCIFLOW_GPUS": "3", "SCIFLOW_PARALLELISM": "3"}
    settings = config.load(start=project, environ=environ, arguments={"parallelism": 4, "workers": None})
    assert (settings.workers, settings.memory_mb, settings.gpus, settings.parallelism) == (1, 20, 3, 4)
    assert settings.origins["workers"] == f"{file}:1"
    assert settings.origins["memory_mb"] == f"{user}:1"
    assert settings.origins["gpus"] == "environment SCIFLOW_GPUS"
    assert settings.origins["parallelism"] == "argument parallelism"


def test_tables_are_merged_entry_by_entry(project: Path, tmp_path: Path) -> None:
    write(project / "sciflow.toml", '[host]\nvasp = "/opt/vasp"\npseudo = "a"\n[locks]\nlicence = 2\n')
    write(tmp_path / "sciflow" / "config.toml", '[host]\npseudo = "b"\n')
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "SCIFLOW_LOCKS": '{"disk": 1}'}
    settings = config.load(start=project, environ=environ)
    assert settings.host == {"vasp": "/opt/vasp", "pseudo": "b"}
    assert settings.locks == {"licence": 2, "disk": 1}
    assert settings.origins["host"].count(",") == 1


def test_every_mistake_is_reported_at_once_with_its_line_and_its_mend(project: Path) -> None:
    file = write(project / "sciflow.toml", '# a comment\nruns = "x"\nwokers = 4\ndurable = "sometimes"\n')
    with pytest.raises(ConfigError) as caught:
        config.load(start=project, environ={"SCIFLOW_WORKER": "2", "SCIFLOW_GPUS": "-1", "SCIFLOW_HOST": "{"})
    message = str(caught.value)
    assert f"{file}:3: unknown setting 'wokers'" in message
    assert "did you mean 'workers'?" in message
    assert f"{file}:4: durable has a value that will not do" in message
    assert 'expected: "normal" or "full"' in message
    assert "unknown setting 'SCIFLOW_WORKER'" in message
    assert "did you mean 'SCIFLOW_WORKERS'?" in message
    assert "environment SCIFLOW_GPUS" in message
    assert "SCIFLOW_HOST" in message
    assert "not JSON" in message


@pytest.mark.parametrize(
    "line",
    ["workers = 0", 'workers = "4"', "workers = true", "timeout_s = 0", "runs = 3", "inline_bytes = 1", "locks = 3",
     "locks = {a = 0}", "progress = 1", 'executor = ""'],
)  # fmt: skip
def test_a_value_of_a_wrong_kind_is_refused(project: Path, line: str) -> None:
    write(project / "sciflow.toml", line + "\n")
    with pytest.raises(ConfigError, match="a value that will not do"):
        config.load(start=project, environ={})


def test_a_file_that_is_no_toml_is_named_with_the_place_of_the_mistake(project: Path) -> None:
    file = write(project / "sciflow.toml", "runs = \n")
    with pytest.raises(ConfigError, match="line 1") as caught:
        config.load(start=project, environ={})
    assert str(file) in str(caught.value)


def test_variables_of_the_tests_are_no_settings(tmp_path: Path) -> None:
    assert config.load(start=tmp_path, environ={"SCIFLOW_TEST_KILLS": "3"}).workers is None


def test_text_in_the_environment_is_read_as_what_the_setting_takes(tmp_path: Path) -> None:
    environ = {"SCIFLOW_RUNS": "1234", "SCIFLOW_TIMEOUT_S": "1.5", "SCIFLOW_PROGRESS": "false", "SCIFLOW_WORKERS": "2"}
    settings = config.load(start=tmp_path, environ=environ)
    assert settings.runs == tmp_path / "1234"
    assert (settings.timeout_s, settings.progress, settings.workers) == (1.5, False, 2)
