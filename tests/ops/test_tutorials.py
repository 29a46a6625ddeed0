import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ase.collections import dcdft

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "tutorials"


@pytest.fixture
def script(tmp_path):
    """Runs a tutorial from a copy of its folder, in an empty one."""
    shutil.copytree(TUTORIALS, tmp_path / "tutorials", ignore=shutil.ignore_patterns("results", "runs", "__pycache__"))

    def run(name):
        path = ":".join(map(str, (ROOT, ROOT / "ops")))
        command = [sys.executable, f"tutorials/{name}"]
        surroundings = {"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_demo_prints_its_table_and_writes_it_with_a_plot(script, tmp_path):
    printed = script("eos_metals.py")
    results = tmp_path / "tutorials" / "results"
    with (results / "eos_metals.csv").open(encoding="utf-8") as file:
        rows = {Path(row["key"]).stem: row for row in csv.DictReader(file)}
    assert list(rows) == ["Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au", "Ni3Al", "Cu3Au", "CuAu"]
    assert {row["status"] for row in rows.values()} == {"succeeded"}
    assert float(rows["Cu"]["a_A"]) == pytest.approx(3.590, abs=1e-3)
    assert float(rows["Pt"]["b0_GPa"]) == pytest.approx(277.9, abs=1.5)
    assert float(rows["Ag"]["a_dev_percent"]) == pytest.approx(-0.15, abs=0.02)
    assert rows["Cu3Au"]["b0_exp_GPa"] == ""
    assert "Al         3.994   4.022   -0.70     39.2     77   -49.1   Lejaeghere 2014" in printed
    assert (results / "eos_metals.png").read_bytes().startswith(b"\x89PNG")


def test_the_screening_ends_with_a_row_for_every_candidate(script):
    printed = script("screen_alloys.py")
    assert "72 candidates, 30 failed" in printed
    assert "Ni3Pt     -0.118" in printed


def test_the_sweep_gives_the_mixing_energy_by_composition(script):
    lines = script("random_alloy.py").splitlines()
    energies = [float(line.split()[3]) for line in lines if line.startswith("x = ")]
    assert len(energies) == 3
    assert 0 < energies[0] < energies[1] < 30


def test_the_measured_values_of_the_metals_are_those_that_ase_ships():
    with (TUTORIALS / "data" / "experiment.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            assert row["citation"], row
            if row["conditions"].startswith("0 K"):
                known = dcdft.data[row["structure"]]
                assert float(row["a_A"]) == pytest.approx((4 * known["exp_volume"]) ** (1 / 3), abs=6e-5)
                assert float(row["b0_GPa"]) == pytest.approx(known["exp_B"], abs=0.06)
