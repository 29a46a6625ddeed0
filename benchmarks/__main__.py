"""`python -m benchmarks`: measures every row of the table, prints it, and writes all samples to a JSON file."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks import table
from benchmarks.measure import QUIET, ROOT, MeasurementError, Sample, compile_all, measure, python, wait_for_quiet
from benchmarks.records import Line, Row, Samples, Side, lines_of
from benchmarks.rows import all_rows, choose

RESULTS = ROOT / "benchmarks" / "results"
LEGEND = "others: part of the machine's CPU time that went to other processes meanwhile; n: samples of sciflow's value"


def main() -> int:
    """Exit code 1 if something installed could not be measured; a target that is missed is no error."""
    asked = _arguments()
    try:
        rows = choose(all_rows(quick=asked.quick), asked.rows)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    compile_all()
    facts, lines, samples, failed = table.machine(), [], {}, False
    print("  ".join(f"{name} {value}" for name, value in facts.items()), flush=True)
    for row in rows:
        samples[row.name], problems = measure_row(row, asked.repeat, Patience(asked.patience))
        for problem in problems:
            print(f"{row.name}: {problem}", file=sys.stderr)
        failed = failed or any(not problem.endswith("not installed") for problem in problems)
        done = lines_of(row, samples[row.name])
        lines += done
        _tell(row, done)
        table.write_json(asked.json, lines, rows, samples, facts)
    print(f"\n{table.text(lines)}\n\nload after: {table.machine()['load']}; every sample: {asked.json}\n{LEGEND}")
    return int(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", default="", metavar="NAME,...", help="only these rows")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="samples per median (default 5)")
    parser.add_argument("--json", type=Path, default=RESULTS / "latest.json", metavar="FILE")
    parser.add_argument(
        "--patience", type=float, default=0.0, metavar="SECONDS",
        help="on a machine with other work: wait so long in all per row for it to be quiet, and measure again if not",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works, not how fast")
    return parser.parse_args()


def _tell(row: Row, lines: list[Line]) -> None:
    note = f" ({row.note})" if row.note else ""
    print(f"\n{row.name}: {row.work}{note}", flush=True)
    if lines:
        print(table.text(lines), flush=True)


@dataclass(slots=True)
class Patience:
    """How many seconds more may be spent on waiting for quiet, and on samples that are thrown away for lack of it."""

    left_s: float

    def wait(self) -> None:
        """Waits for quiet."""
        self.left_s -= wait_for_quiet(self.left_s)

    def accepts(self, sample: Sample) -> bool:
        """Whether the machine was quiet meanwhile, or patience has ended."""
        if sample.others >= QUIET:
            self.left_s -= sample.figures["wall_s"]
        return sample.others < QUIET or self.left_s <= 0


def measure_row(row: Row, repeat: int, patience: Patience) -> tuple[Samples, list[str]]:
    """Samples of every side, which take turns, and what went wrong."""
    samples: dict[str, list[Sample]] = {side.name: [] for side in row.sides}
    problems = {side.name: "not installed" for side in row.sides if side.package and find_spec(side.package) is None}
    with _folder() as place:
        for _ in range(repeat):
            for side in row.sides:
                wanted = side.most or repeat * side.every
                if side.name not in problems and len(samples[side.name]) < wanted:
                    problems |= _sample(side, samples[side.name], place, patience, shared=row.shared)
    return samples, [f"{name}: {problem}" for name, problem in problems.items()]


def _sample(side: Side, samples: list[Sample], place: Path, patience: Patience, *, shared: bool) -> dict[str, str]:
    """Measures a side; what went wrong, if it did."""
    for _ in range(side.every):
        try:
            samples.append(_patient_sample(side, place, patience, shared=shared))
        except MeasurementError as error:
            return {side.name: str(error)}
    return {}


def _patient_sample(side: Side, place: Path, patience: Patience, *, shared: bool) -> Sample:
    while True:
        patience.wait()
        # its folder goes with the row's: ext4 without a journal looks at every file that was removed in the last
        # minutes whenever one is made, which then takes milliseconds
        folder = str(place) if shared else tempfile.mkdtemp(dir=place)
        argv = side.argv or python("-m", "benchmarks.child", side.work, str(side.size), "{folder}")
        sample = measure([part.replace("{folder}", folder) for part in argv], memory=side.memory)
        os.sync()  # what was written for one sample is not paid for by the next
        if patience.accepts(sample) or (shared and side.most == 1):  # that can be done once only
            return sample


@contextmanager
def _folder() -> Iterator[Path]:
    """An empty folder on the disk where the repository lies, not in memory; gone afterwards."""
    RESULTS.mkdir(exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=RESULTS))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
