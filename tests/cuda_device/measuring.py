"""`gpu.worker` of bench on the imitation of CuPy, with a clock that tells no time: for a test.

python measuring.py rows.jsonl [options] [--dies NAME]   # ends itself in that case, once
"""

import importlib
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench"), str(ROOT / "tests")]


class NoClock:
    """Calls what is to be timed, and says a millisecond."""

    def __init__(self, cupy):
        self.cupy = cupy

    def wait(self):
        self.cupy.cuda.Device().synchronize()

    def host(self, run):
        run()
        return 1e-3

    def kernels(self, run, seconds, host):
        run()
        return [1e-3] * 5

    def calls(self, run, seconds):
        return self.kernels(run, seconds, 0.0)


def main() -> int:
    imitation = importlib.import_module("cuda_device.emulated_cupy")
    imitation.install()
    worker = importlib.import_module("gpu.worker")
    arguments = sys.argv[1:]
    if "--dies" in arguments:
        at = arguments.index("--dies")
        fatal = arguments[at + 1]
        del arguments[at : at + 2]
        measure = worker.measure

        def dying(group, work, *rest):
            if work.case.name == fatal:
                os._exit(9)
            return measure(group, work, *rest)

        worker.measure = dying
    return worker.main(arguments, NoClock)


if __name__ == "__main__":
    sys.exit(main())
