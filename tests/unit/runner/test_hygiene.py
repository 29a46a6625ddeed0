# ruff: noqa: E501  lines of the small programs in here, and of tables
"""What an op changes about its process, and what it leaves running, disturbs no later slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from driver import Worker, wait_until

BASICS = """
    import os, random, signal, subprocess, sys, threading, time
    from pathlib import Path
    from typing import Any, Dict, List
    import sciflow.runner.context as place
"""

EVERYTHING = """
    import gc, locale, logging, resource, warnings, decimal
    import numpy as np

    def look() -> Dict[str, Any]:
        loggers = {n: (l.level, len(l.handlers), l.propagate, l.disabled) for n, l in
                   [("root", logging.root), ("a", logging.getLogger("a")), ("new", logging.getLogger("new"))]}
        return dict(
            cwd=os.getcwd(), files=os.listdir("."), env=dict(os.environ), umask=os.umask(0o22), path=list(sys.path),
            argv=list(sys.argv), handlers=[str(signal.getsignal(n)) for n in range(1, 32) if n not in (9, 19)],
            timer=signal.getitimer(signal.ITIMER_REAL), mask=[int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
            limit=sys.getrecursionlimit(), hook=str(sys.excepthook), filters=[str(f) for f in warnings.filters],
            show=str(warnings.showwarning), loggers=loggers, disable=logging.root.manager.disable, locale=locale.setlocale(locale.LC_ALL),
            precision=decimal.getcontext().prec, files_limit=resource.getrlimit(resource.RLIMIT_NOFILE), gc=gc.isenabled(),
            err=np.geterr(), out=(sys.stdout.fileno(), sys.stderr.fileno(), sys.stdin.fileno()), main=sys.modules["__main__"].__name__,
            fd1=os.fstat(1).st_ino, random=0,
        )

    def change() -> int:
        os.mkdir("/tmp/" + str(os.getpid())); os.chdir("/tmp/" + str(os.getpid())); os.rmdir("/tmp/" + str(os.getpid()))
        os.environ["NEW"] = "1"; os.environ.pop("HOME", None); os.environ["PATH"] = "/nowhere"; os.putenv("RAW", "1")
        os.umask(0o777); sys.path.insert(0, "/nowhere"); sys.path = ["/other"]; sys.argv[:] = ["changed"]
        for n in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD): signal.signal(n, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0.05); signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        sys.setrecursionlimit(5000); sys.excepthook = print; warnings.simplefilter("error"); warnings.showwarning = print
        logging.basicConfig(level=1, filename="/dev/null", force=True); logging.disable(50); logging.getLogger("a").setLevel(5)
        logging.getLogger("new").addHandler(logging.StreamHandler()); logging.getLogger("a").propagate = False
        locale.setlocale(locale.LC_ALL, "C"); decimal.getcontext().prec = 3
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1])); gc.disable()
        np.seterr(all="raise"); random.seed(1); np.random.seed(1); sys.modules["__main__"] = sys
        sys.stdout.close(); sys.stderr = None; sys.stdin = None; os.close(1); os.open("/dev/null", os.O_WRONLY); os.close(2)
        return 1
"""


def started(start: Any, code: str, name: str = "f", **options: Any) -> Worker:
    worker: Worker = start(BASICS + code)
    worker.op(name, **options)
    return worker


def test_an_op_that_changes_everything_changes_nothing_for_the_next(start: Any) -> None:
    worker = started(start, EVERYTHING, "look")
    before = worker.value(worker.call())
    worker.op("change")
    changed = worker.call()
    assert changed.phase == "Succeeded", changed.error
    after = worker.value(worker.do(op=1)[0])
    assert {n: v for n, v in after.items() if v != before[n]} == {}
    assert "RAW" not in after["env"]


def test_the_streams_work_again_after_an_op_has_closed_them(start: Any) -> None:
    code = """
    def f(i: int) -> int:
        print("slice", i); sys.stderr.write("err\\n"); os.system(f"echo child {i}")
        if i == 1: sys.stdout.close(); os.close(1); os.close(2)
        if i == 2: sys.stdout = open(os.devnull, "w"); os.dup2(sys.stdout.fileno(), 1)
        return i
    """
    worker = started(start, code)
    ended = worker.do([1], [2], [3], columns=("i",))
    lines = [f"{what} {n}" for n in (1, 2, 3) for what in ("slice", "child")]
    assert worker.stdout.read_text().splitlines() == lines
    assert [e.stdout_end for e in ended] == [16, 32, 48]
    assert [e.stderr_end for e in ended] == [4, 8, 12]


def test_printing_keeps_the_order_of_python_c_and_children(start: Any) -> None:
    code = """
    import ctypes, numpy
    def f() -> int:
        print("python", end=""); sys.stdout.flush(); ctypes.CDLL(None).printf(b"+c\\n"); ctypes.CDLL(None).fflush(None)
        subprocess.run(["echo", "child"]); print("\\ud800 ü"); ctypes.CDLL(None).printf(b"unflushed"); return 1
    """
    worker = started(start, code)
    ended = worker.call()
    assert worker.stdout.read_text(encoding="utf-8") == "python+c\nchild\n\\ud800 ü\nunflushed"
    assert ended.stdout_end == worker.stdout.stat().st_size


def test_much_printing_costs_no_memory(start: Any) -> None:
    code = """
    def f() -> int:
        for _ in range(200): sys.stdout.write("x" * 500_000 + "\\n")
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    """
    worker = started(start, code)
    ended = worker.call()
    assert ended.stdout_end == 200 * 500_001
    assert ended.output < 80_000


def test_a_full_disk_under_the_log_is_the_places_fault(start: Any) -> None:
    code = """
    def f(i: int) -> int:
        if i == 1: sys.stdout = open("/dev/full", "w", buffering=1); print("x")
        return i
    """
    worker = started(start, code)
    first, second = worker.do([1], [2], columns=("i",))
    assert (first.phase, first.error["kind"], second.output) == ("Error", "place", 2)


def test_random_numbers_are_those_of_the_slices_seed(start: Any) -> None:
    code = """
    import numpy as np
    def f(n: int) -> List[float]: return [random.random() for _ in range(n)] + [float(np.random.rand())]
    """
    worker = started(start, code)
    outputs = [worker.do([n], columns=("n",), seed=seed)[0].output for n, seed in ((1, 5), (9, 6), (1, 5), (1, 6))]
    assert outputs[0] == outputs[2]
    assert outputs[0] != outputs[3]
    assert outputs[1][0] == outputs[3][0]


def test_what_a_module_sets_while_it_is_imported_stays(start: Any) -> None:
    code = """
    os.environ["FROM_MODULE"] = "1"
    def f() -> str: return os.environ.get("FROM_MODULE", "")
    """
    worker = started(start, code)
    assert [e.output for e in worker.do([], [])] == ["1", "1"]


def test_the_working_folder_is_new_after_an_op_has_removed_or_closed_it(start: Any) -> None:
    code = """
    def f(i: int) -> str:
        assert os.listdir(".") == []
        if i == 1: os.rmdir(os.getcwd())
        if i == 2: Path("x").write_text(""); os.chmod(".", 0)
        if i == 3: here = os.getcwd(); os.rmdir(here); Path(here).write_text("a file now")
        return os.path.basename(os.getcwd()) if i not in (1, 3) else "cwd"
    """
    worker = started(start, code)
    ended = worker.do([1], [2], [3], [4], columns=("i",))
    assert [e.output for e in ended] == ["cwd"] * 4, [e.error for e in ended]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_processes_that_an_op_leaves_are_ended_with_their_descendants(start: Any) -> None:
    code = """
    def f() -> List[int]:
        one = subprocess.Popen("sleep 100 & sleep 100 & wait", shell=True)
        double = subprocess.Popen([sys.executable, "-c",
            "import os, time\\nif os.fork() == 0:\\n    os.setsid(); open('pid', 'w').write(str(os.getpid())); time.sleep(100)"])
        double.wait()
        while not (os.path.exists("pid") and open("pid").read()): time.sleep(0.01)
        return [one.pid, int(open("pid").read())]
    """
    worker = started(start, code)
    ended = worker.call()
    assert ended.phase == "Succeeded", ended.error
    assert ended.extra["children"] >= 2
    assert not any(map(alive, ended.output))
    assert worker.call().extra["children"] >= 2


def test_a_fork_bomb_ends_with_its_slice(start: Any) -> None:
    code = """
    def f() -> int:
        there, here = os.pipe()
        bomb = f"import os,time\\nfor _ in range(5): os.fork()\\nos.write({here}, b'x'); time.sleep(100)"
        for _ in range(3): subprocess.Popen([sys.executable, "-c", bomb], pass_fds=[here])
        for _ in range(8): os.read(there, 1)
        return 1
    def g() -> int: return 2
    """
    worker = started(start, code)
    assert worker.call().extra["children"] > 3
    worker.op("g")
    assert worker.call().extra == {}


def test_a_timer_or_thread_of_an_op_does_not_reach_the_next(start: Any) -> None:
    code = """
    def f(i: int) -> int:
        if i == 1:
            signal.signal(signal.SIGALRM, lambda *_: os._exit(9)); signal.setitimer(signal.ITIMER_REAL, 0.02)
            c = place.context()
            threading.Thread(target=lambda: [(time.sleep(0.005), c.progress(k)) for k in range(20)], daemon=True).start()
        else: time.sleep(0.1)
        return i
    """
    worker = started(start, code)
    assert [e.output for e in worker.do([1], [2], columns=("i",))] == [1, 2]
    assert [p for p in worker.progress if p[1] != 1] == []


# ---- a process per slice


def test_isolated_slices_share_nothing_and_the_worker_outlives_them(start: Any) -> None:
    code = """
    STATE = []
    def f(i: int) -> List[int]:
        STATE.append(i); Path("left").write_text("x")
        if i == 1: os._exit(0)
        if i == 2: os.kill(os.getpid(), 11)
        if i == 3: os.rmdir(os.getcwd()) if not os.listdir(".") else None; sys.exit(4)
        return [len(STATE), os.getpid()]
    """
    worker = started(start, code, isolate=True)
    ended = worker.do([1], [2], [3], [4], [5], columns=("i",))
    assert [e.phase for e in ended] == ["Error", "Error", "Failed", "Succeeded", "Succeeded"]
    assert [(e.error["kind"], e.error["exit_code"], e.error["signal"]) for e in ended[:3]] == [
        ("died", 0, None), ("died", None, "SIGSEGV"), ("user", 4, None),
    ]  # fmt: skip
    assert [e.output[0] for e in ended[3:]] == [1, 1]
    assert len({e.output[1] for e in ended[3:]} | {worker.process.pid}) == 3
    assert all(
        e.extra["files"] and [p.name for p in (worker.root / f"tasks/step/{e.number}").iterdir()] == ["left"]
        for e in ended
    )
    wait_until(lambda: worker.running() == 0)


def test_processes_that_an_isolated_op_leaves_are_ended(start: Any) -> None:
    code = """
    def f() -> int:
        print(subprocess.Popen(["sleep", "100"]).pid, flush=True); os._exit(3)
    """
    worker = started(start, code, isolate=True)
    ended = worker.call()
    assert ended.extra["children"] == 1
    wait_until(lambda: not alive(int(worker.stdout.read_text())))
