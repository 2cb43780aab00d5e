"""One process of one library: makes a case, gives its answer, times slices when told to.

Reads a line of JSON for each order from standard input and answers with one on a pipe of its own
(what libraries print does not disturb it).
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import peers
from cases import Case, group

SAMPLE = 20_000  # numbers of an answer that are compared
RAPL = Path("/sys/class/powercap/intel-rapl:0/energy_uj")


def to_numpy(value: Any) -> np.ndarray:
    """An answer's array as float64."""
    if hasattr(value, "detach"):
        value = value.detach()
        if "bfloat16" in str(value.dtype) or "float16" in str(value.dtype):
            value = value.float()
        value = value.numpy()
    return np.asarray(value).astype(np.float64)


def answer(result: Any) -> list[list[float]]:
    """What a run returned, thinned out: [largest magnitude, sample...] of each array."""
    parts = result if isinstance(result, (list, tuple)) else [result]
    answers = []
    for part in parts:
        flat = to_numpy(part).reshape(-1)
        thin = flat[:: max(1, flat.size // SAMPLE)]
        largest = float(np.abs(flat[np.isfinite(flat)]).max(initial=0))
        answers.append([largest, *thin.tolist()])
    return answers


def make(case: Case, peer: str, library: Any):
    """The case's function, or None where this library has no form of it."""
    if peer == "numpy":
        return case.numpy and case.numpy()
    if peer == "jax":
        return case.jax and case.jax(library)
    return case.make(library)


def energy() -> float | None:
    """Joules the processor has used, where the machine tells."""
    try:
        return int(RAPL.read_text()) * 1e-6
    except (OSError, ValueError):
        return None


def peak_memory() -> int:
    """The most memory, in bytes, that this process has held since its program was started.

    What `getrusage` says is kept over `exec`: it is at least what the parent held at the fork.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def time_slice(run, seconds: float, calls: int) -> list[float]:
    """Seconds of a call, for as many samples of `calls` calls as the slice has time for."""
    samples = []
    clock = time.perf_counter
    deadline = clock() + seconds
    while True:
        started = clock()
        for _ in range(calls):
            run()
        ended = clock()
        samples.append((ended - started) / calls)
        if ended > deadline:
            return samples


def calibrate(run) -> int:
    """Calls in a sample, so that it lasts about 0.3 ms or one call."""
    calls = 1
    while True:
        started = time.perf_counter()
        for _ in range(calls):
            run()
        spent = time.perf_counter() - started
        if spent > 3e-4 or calls >= 1000:
            return calls
        calls *= 2


def main() -> None:
    peer, threads = sys.argv[1], int(sys.argv[2])
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    library = peers.load(peer, threads)
    run, calls = None, 1

    def obey(order: dict) -> Any:
        nonlocal run, calls
        if order["do"] == "version":
            return getattr(library, "__version__", "")
        if order["do"] == "make":
            run = None
            case = next(c for c in group(order["group"]) if c.name == order["case"])
            run = make(case, peer, library)
            return None if run is None else answer(run())
        if order["do"] == "warm":
            calls = calibrate(run)
            time_slice(run, order["seconds"], calls)
            return calls
        if order["do"] == "time":
            before = energy()
            samples = time_slice(run, order["seconds"], calls)
            after = energy()
            joules = None
            if before is not None and after is not None and after > before:
                joules = (after - before) / (len(samples) * calls)
            return {"samples": samples, "joules": joules}
        if order["do"] == "memory":
            return peak_memory()
        raise ValueError(order)

    for line in sys.stdin:
        try:
            reply = {"ok": obey(json.loads(line))}
        except Exception as error:  # told to the one who asked, who goes on with the others
            reply = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()
