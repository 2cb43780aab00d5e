"""Starting a function in several processes, and passing on the first error of any."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any


class ProcessExitedException(Exception):
    """A process ended with an exit code or a signal."""

    def __init__(
        self, msg: str, error_index: int, error_pid: int, exit_code: int | None,
        signal_name: str | None = None,
    ):  # fmt: skip
        super().__init__(msg)
        self.msg = msg
        self.error_index = error_index
        self.pid = error_pid
        self.exit_code = exit_code
        self.signal_name = signal_name


class ProcessRaisedException(Exception):
    """A process ended with an exception, whose traceback the message holds."""

    def __init__(self, msg: str, error_index: int, error_pid: int):
        super().__init__(msg)
        self.msg = msg
        self.error_index = error_index
        self.pid = error_pid


def _run(fn: Callable, i: int, args: tuple, errors: Any) -> None:
    try:
        fn(i, *args)
    except KeyboardInterrupt:
        pass
    except Exception:
        errors.put(traceback.format_exc())
        sys.exit(1)


class ProcessContext:
    """Processes that `spawn` started."""

    def __init__(self, processes: list, errors: list):
        self.processes = processes
        self.errors = errors

    def pids(self) -> list[int]:
        """The processes' numbers."""
        return [p.pid for p in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Waits until all have ended (True), or one failed: the others are ended and it raises.

        False if the time ran out. ProcessRaisedException or ProcessExitedException.
        """
        waiting = {p.sentinel: i for i, p in enumerate(self.processes) if p.is_alive()}
        ready: Any = multiprocessing.connection.wait(list(waiting), timeout) if waiting else []
        for sentinel in ready:  # it has ended, and is about to tell its exit code
            self.processes[waiting[sentinel]].join()
        codes = [p.exitcode for p in self.processes]
        failed = next((i for i, code in enumerate(codes) if code not in (0, None)), None)
        if failed is None:
            return len(ready) == len(waiting)
        end = time.monotonic() + (grace_period or 0)
        for p in self.processes:
            p.join(max(0.0, end - time.monotonic()) if grace_period else 0)
            if p.is_alive():
                p.terminate()
        for p in self.processes:
            p.join()
        p = self.processes[failed]
        if self.errors[failed].empty():
            how = f"signal {-p.exitcode}" if p.exitcode < 0 else f"exit code {p.exitcode}"
            raise ProcessExitedException(
                f"process {failed} terminated with {how}", failed, p.pid, p.exitcode
            )
        trace = self.errors[failed].get()
        message = f"\n\n-- Process {failed} terminated with the following error:\n{trace}"
        raise ProcessRaisedException(message, failed, p.pid)


SpawnContext = ProcessContext


def start_processes(
    fn: Callable,
    args: tuple = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> Any:
    """Runs `fn(i, *args)` in `nprocs` processes. Returns their context if `join` is False."""
    context: Any = multiprocessing.get_context(start_method)
    processes, errors = [], []
    for i in range(nprocs):
        queue = context.SimpleQueue()
        process = context.Process(target=_run, args=(fn, i, args, queue), daemon=daemon)
        process.start()
        processes.append(process)
        errors.append(queue)
    started = ProcessContext(processes, errors)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(
    fn: Callable,
    args: tuple = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> Any:
    """Runs `fn(i, *args)` in `nprocs` new processes."""
    return start_processes(fn, args, nprocs, join, daemon, start_method)
