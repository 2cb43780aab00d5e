"""`energy`: the joules that a block took, where counters of the machine can be read.

CPUs: Linux's powercap counters (RAPL); GPUs: NVML, through nvidia-ml-py. Both count the whole
device, other programs' work included. Where neither can be read, the reasons and CPU-seconds are
what there is: no figure is made up from them.
"""

from __future__ import annotations

import importlib
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

POWERCAP = "/sys/class/powercap"
GPUS = "/proc/driver/nvidia/gpus"


class Meter:
    """A counter of energy: `read()` gives joules, and starts at 0 again after `wraps_at`."""

    def __init__(self, name: str, read: Callable[[], float], wraps_at: float | None, part_of: str):
        self.name, self.read, self.wraps_at = name, read, wraps_at
        self.part_of = part_of  # "cpu" or "gpu": what it adds to; "" for parts of other counters
        self.last = read()
        self.joules = 0.0

    def update(self) -> None:
        """Counts what was taken since the last call; the counter must not have wrapped twice."""
        now = self.read()
        grown = now - self.last
        if grown < 0:
            if self.wraps_at is None:
                raise OSError("the counter went backwards")
            grown += self.wraps_at
        self.joules += grown
        self.last = now


def _number(path: Path) -> float:
    return int(path.read_text()) * 1e-6


def cpu_meters(folder: str = POWERCAP) -> tuple[list[Meter], list[str]]:
    """The counters of CPU packages and their parts, and why some (or all) cannot be read.

    Packages and memory (dram) count for the CPU; cores and uncore are parts of their package, and
    psys holds all of the machine.
    """
    zones = sorted(Path(folder).glob("*:*")) if os.path.isdir(folder) else []
    zones = [zone for zone in zones if (zone / "energy_uj").exists()]
    # The same package is found again under intel-rapl-mmio.
    if any(zone.name.startswith("intel-rapl:") for zone in zones):
        zones = [zone for zone in zones if not zone.name.startswith("intel-rapl-mmio")]
    if not zones:
        return [], [f"CPU: no energy counters in {folder}"]
    names = {zone.name: (zone / "name").read_text().strip() for zone in zones}
    meters, refused = [], []
    for zone in zones:
        own = names[zone.name]
        above = names.get(zone.name.rpartition(":")[0])
        name = own if above is None else f"{above} {own}"
        counts = own.startswith("package") or own == "dram"
        try:
            limit = _number(zone / "max_energy_range_uj")
            read = lambda path=zone / "energy_uj": _number(path)  # noqa: E731
            meters.append(Meter(name, read, limit, "cpu" if counts else ""))
        except (OSError, ValueError) as error:
            refused.append(
                f"CPU: {zone / 'energy_uj'}: {getattr(error, 'strerror', None) or error}"
            )
    return meters, refused


def gpu_meters(folder: str = GPUS) -> tuple[list[Meter], list[str]]:
    """The counters of NVIDIA's GPUs, and why some (or all) cannot be read."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        if not os.path.isdir(folder):
            return [], []
        return [], ['GPU: NVML is not installed: pip install "minigrad[energy]"']
    try:
        nvml.nvmlInit()
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        return [], [f"GPU: NVML: {error}"] if os.path.isdir(folder) else []
    meters, refused = [], []
    for i in range(count):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(i)
            meters.append(Meter(f"gpu {i}", _gpu_reader(nvml, handle), None, "gpu"))
        except nvml.NVMLError as error:
            refused.append(f"GPU {i}: {error}")
    return meters, refused


def _gpu_reader(nvml: Any, handle: Any) -> Callable[[], float]:
    def read() -> float:
        try:
            return nvml.nvmlDeviceGetTotalEnergyConsumption(handle) * 1e-3
        except nvml.NVMLError as error:
            raise OSError(str(error)) from error

    first = nvml.nvmlDeviceGetTotalEnergyConsumption(handle)  # old ones have no counter: NVMLError
    assert first >= 0
    return read


def _cpu_seconds() -> float:
    """Seconds of processors that this process and its ended children took."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


class energy:
    """`with energy() as used: ...` measures the block; `print(used)` says what it took.

    - `joules`: of all that could be measured, or None; `cpu_joules` and `gpu_joules` likewise.
    - `domains`: the joules of each counter, such as {"package-0": 12.5, "package-0 core": 9.1}.
    - `seconds`, `cpu_seconds` (this process and its ended children), `watts` (joules / seconds).
    - `missing`: for what could not be measured, the reasons.

    In the block the attributes count up to now. `start()` and `stop()` do without a block, and
    start anew. Counters wrap around (after minutes at full load): a thread reads them every
    `interval` seconds. ValueError for an interval that is not positive.
    """

    def __init__(
        self,
        *,
        cpu: bool = True,
        gpu: bool = True,
        interval: float = 10.0,
        powercap: str = POWERCAP,
    ):
        if not interval > 0:
            raise ValueError(f"energy: interval is {interval}; needed: seconds above 0")
        self.cpu, self.gpu, self.interval, self.powercap = cpu, gpu, interval, powercap
        self.missing: list[str] = []
        self._meters: list[Meter] = []
        self._lost: dict[str, str] = {}
        self._lock = threading.Lock()
        self._done: threading.Event | None = None
        self._started: tuple[float, float] | None = None
        self._ended: tuple[float, float] | None = None

    def start(self) -> energy:
        """Begins at zero. RuntimeError if it runs already."""
        if self._done is not None:
            raise RuntimeError("energy: start() while it runs; needed: stop() before")
        self._meters, self.missing, self._lost, self._ended = [], [], {}, None
        for wanted, find in ((self.cpu, lambda: cpu_meters(self.powercap)), (self.gpu, gpu_meters)):
            if wanted:
                meters, refused = find()
                self._meters += meters
                self.missing += refused
        self._done = threading.Event()
        if self._meters:
            threading.Thread(target=self._watch, args=(self._done,), daemon=True).start()
        self._started = (time.perf_counter(), _cpu_seconds())
        return self

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(self.interval):
            self._update()

    def _update(self) -> None:
        with self._lock:
            for meter in self._meters:
                if meter.name not in self._lost:
                    try:
                        meter.update()
                    except (OSError, ValueError) as error:
                        self._lost[meter.name] = f"{meter.name}: lost while measuring ({error})"
                        self.missing.append(self._lost[meter.name])

    def stop(self) -> energy:
        """Ends; the attributes keep what was measured."""
        if self._done is None:
            raise RuntimeError("energy: stop() without start()")
        self._ended = (time.perf_counter(), _cpu_seconds())
        self._update()
        self._done.set()
        self._done = None
        return self

    def __enter__(self) -> energy:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # -- what was measured -----------------------------------------------------------------------

    def _span(self, which: int) -> float:
        if self._started is None:
            return 0.0
        now = self._ended or (time.perf_counter(), _cpu_seconds())
        return now[which] - self._started[which]

    @property
    def seconds(self) -> float:
        """Seconds on the clock."""
        return self._span(0)

    @property
    def cpu_seconds(self) -> float:
        """Seconds of processors."""
        return self._span(1)

    @property
    def domains(self) -> dict[str, float]:
        """The joules of each counter."""
        if self._done is not None:
            self._update()
        return {m.name: m.joules for m in self._meters if m.name not in self._lost}

    def _sum(self, *parts: str) -> float | None:
        found = self.domains
        values = [found[m.name] for m in self._meters if m.part_of in parts and m.name in found]
        if any(m.part_of in parts for m in self._meters if m.name in self._lost):
            return None  # a sum that lacks one of its counters would be too small
        return sum(values) if values else None

    @property
    def cpu_joules(self) -> float | None:
        """Joules of all CPU packages and their memory; None if they cannot be measured."""
        return self._sum("cpu")

    @property
    def gpu_joules(self) -> float | None:
        """Joules of all GPUs; None if there are none or they cannot be measured."""
        return self._sum("gpu")

    @property
    def joules(self) -> float | None:
        """Joules of all that can be measured; None if nothing can."""
        known = [j for j in (self.cpu_joules, self.gpu_joules) if j is not None]
        return sum(known) if known else None

    @property
    def watts(self) -> float | None:
        """Joules a second, on average."""
        joules = self.joules
        return None if joules is None or not self.seconds else joules / self.seconds

    def __str__(self) -> str:
        parts = []
        for name, joules in (("CPU", self.cpu_joules), ("GPU", self.gpu_joules)):
            if joules is not None:
                parts.append(f"{name} {joules:.2f} J")
        reasons = "; ".join(re.sub(r"^(CPU|GPU): ", "", reason) for reason in self.missing)
        if not parts:
            parts = ["energy: not measurable here" + (f" ({reasons})" if reasons else "")]
        elif reasons:
            parts.append(f"not measurable here: {reasons}")
        return f"{', '.join(parts)}; {self.cpu_seconds:.3f} CPU-seconds in {self.seconds:.3f} s"

    def __repr__(self) -> str:
        return f"<energy: {self}>"
