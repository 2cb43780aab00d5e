"""The thread pool, the denormals' switch and the choice of instruction set."""

import os
import subprocess
import sys
import threading
import time

import pytest

from minigrad.kernels.cpu import _C


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("n, grain", [(0, 1), (1, 1), (7, 8), (8, 8), (9, 8), (100_003, 7)])
@pytest.mark.parametrize("nested", [False, True])
def test_every_index_is_visited_once(threads, n, grain, nested, num_threads):
    num_threads(threads)
    for _ in range(3):
        assert _C._test_parallel_for(n, grain, nested) == [1] * n


def test_many_jobs_in_a_row(num_threads):
    for i in range(3000):
        if i % 300 == 0:
            num_threads(1 + i // 300 % 4)
        if i % 1000 == 0:
            time.sleep(0.01)  # lets the workers fall asleep
        assert _C._test_parallel_for(64, 1, False) == [1] * 64


def test_concurrent_callers(num_threads):
    num_threads(3)
    wrong = []

    def work():
        for _ in range(200):
            if _C._test_parallel_for(5000, 16, False) != [1] * 5000:
                wrong.append(1)

    callers = [threading.Thread(target=work) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_makes_its_own_workers(num_threads):
    num_threads(3)
    assert sum(_C._test_parallel_for(1000, 1, False)) == 1000  # the parent has workers
    children = []
    for _ in range(5):
        child = os.fork()
        if child == 0:
            good = all(_C._test_parallel_for(1000, 1, False) == [1] * 1000 for _ in range(20))
            os._exit(0 if good else 1)
        children.append(child)
        assert _C._test_parallel_for(1000, 1, False) == [1] * 1000
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 5


@pytest.mark.parametrize("count", [0, -1, 2000])
def test_bad_number_of_threads(count):
    with pytest.raises(ValueError, match=f"set_num_threads: {count} was given"):
        _C.set_num_threads(count)


def test_denormals_are_flushed_in_every_thread_and_only_inside(num_threads):
    num_threads(3)
    try:
        _C.set_flush_denormal(True)
        assert _C._test_denormals(500) == [0.0] * 500
        assert 2.0**-1022 / 2 > 0  # the caller's arithmetic is as it was
        _C.set_flush_denormal(False)
        assert _C._test_denormals(500) == [2.0**-127] * 500
    finally:
        _C.set_flush_denormal(True)


def test_isa(isa):
    assert _C.isa() == isa
    with pytest.raises(ValueError, match="'sse1' was given; this machine can run: baseline"):
        _C.set_isa("sse1")
    assert _C.isa() == isa


def in_new_process(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_environment_chooses():
    show = "import minigrad; minigrad.show_config()"
    result = in_new_process(
        show, MINIGRAD_CPU_ISA="baseline", MINIGRAD_NUM_THREADS="3", MINIGRAD_POOL_LIMIT="16M"
    )
    assert "instruction set: baseline" in result.stdout, result.stderr
    assert "threads: 3" in result.stdout
    assert "caches at most 16 MiB" in result.stdout
    result = in_new_process(show, MINIGRAD_NUM_THREADS="", OMP_NUM_THREADS="4,2")
    assert "threads: 4" in result.stdout, result.stderr


@pytest.mark.parametrize(
    "name, value", [("CPU_ISA", "sse1"), ("NUM_THREADS", "0"), ("POOL_LIMIT", "lots")]
)
def test_bad_environment_is_named(name, value):
    result = in_new_process("import minigrad.kernels.cpu", **{f"MINIGRAD_{name}": value})
    assert result.returncode != 0
    assert f"ValueError: MINIGRAD_{name}" in result.stderr and value in result.stderr


def test_exit_while_a_thread_works():
    code = (
        "import threading; from minigrad.kernels.cpu import _C; _C.set_num_threads(3)\n"
        "def work():\n"
        "    while True: _C._test_parallel_for(100000, 10, False)\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "_C._test_parallel_for(100000, 10, False)"
    )
    assert in_new_process(code).returncode == 0


def test_threadpoolctl():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    from minigrad.kernels import threadpool

    threadpool.register()
    threadpool.register()
    ours = [i for i in threadpoolctl.threadpool_info() if i["user_api"] == "minigrad"]
    assert len(ours) == 1 and ours[0]["num_threads"] == _C.get_num_threads()
    with threadpoolctl.threadpool_limits(1, user_api="minigrad"):
        assert _C.get_num_threads() == 1
