"""Joules from counters that the test writes, and what is said where there are none."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from minigrad import profiler
from minigrad.profiler import energy, meters


def zone(folder: Path, directory: str, name: str, joules: float, wraps_at: float = 1000.0) -> Path:
    """A counter as the kernel shows it; the file that counts."""
    place = folder / directory
    place.mkdir(parents=True)
    (place / "name").write_text(f"{name}\n")
    (place / "max_energy_range_uj").write_text(f"{round(wraps_at * 1e6)}\n")
    (place / "energy_uj").write_text(f"{round(joules * 1e6)}\n")
    return place / "energy_uj"


def put(counter: Path, joules: float) -> None:
    fresh = counter.with_name("fresh")  # the kernel's counters are never seen half written
    fresh.write_text(f"{round(joules * 1e6)}\n")
    fresh.replace(counter)


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    folder = tmp_path / "powercap"
    folder.mkdir()
    (folder / "intel-rapl").mkdir()  # the type of the zones: no counter of its own
    return folder


def test_packages_and_parts(powercap: Path) -> None:
    first = zone(powercap, "intel-rapl:0", "package-0", 100)
    core = zone(powercap, "intel-rapl:0:0", "core", 10)
    dram = zone(powercap, "intel-rapl:0:1", "dram", 5)
    second = zone(powercap, "intel-rapl:1", "package-1", 7)
    psys = zone(powercap, "intel-rapl:2", "psys", 1)
    zone(powercap, "intel-rapl-mmio:0", "package-0", 100)  # package-0 once more
    with energy(gpu=False, powercap=str(powercap)) as used:
        put(first, 130)
        assert used.joules == pytest.approx(30)  # up to now
        for counter, joules in ((first, 140), (core, 25), (dram, 8), (second, 9), (psys, 99)):
            put(counter, joules)
    put(first, 500)
    assert used.domains == pytest.approx(
        {"package-0": 40, "package-0 core": 15, "package-0 dram": 3, "package-1": 2, "psys": 98}
    )
    assert used.joules == used.cpu_joules == pytest.approx(45)  # packages and memory
    assert used.gpu_joules is None and used.missing == []
    assert used.watts == pytest.approx(45 / used.seconds)
    assert str(used).startswith("CPU 45.00 J; ") and "not measurable" not in str(used)
    with used:  # anew
        put(second, 10)
    assert used.joules == pytest.approx(1)


def test_counters_wrap_around(powercap: Path) -> None:
    counter = zone(powercap, "intel-rapl:0", "package-0", 990)
    with energy(gpu=False, powercap=str(powercap)) as used:
        put(counter, 15)
    assert used.joules == pytest.approx(25)
    put(counter, 900)
    with energy(gpu=False, powercap=str(powercap), interval=0.005) as used:
        for joules in (300, 800, 300, 800, 250):  # around three times
            before = used._meters[0].last
            put(counter, joules)
            limit = time.monotonic() + 20
            while used._meters[0].last == before and time.monotonic() < limit:
                time.sleep(0.002)  # the thread reads it
    assert used.joules == pytest.approx(400 + 500 + 500 + 500 + 450)


def test_not_measurable(tmp_path: Path) -> None:
    with energy(gpu=False, powercap=str(tmp_path / "absent")) as used:
        sum(range(200000))
    assert used.joules is used.cpu_joules is used.watts is None and used.domains == {}
    assert "not measurable here" in str(used) and "CPU-seconds" in str(used)
    assert used.cpu_seconds > 0 and used.seconds > 0
    assert "no energy counters" in used.missing[0]
    seconds = used.seconds
    assert used.seconds == seconds


def test_counters_that_may_not_be_read(powercap: Path, monkeypatch: Any) -> None:
    first = zone(powercap, "intel-rapl:0", "package-0", 1)
    read_text = Path.read_text

    def refuse(path: Path, *args: Any, **kwargs: Any) -> str:
        if path == first:
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    with energy(gpu=False, powercap=str(powercap)) as used:
        pass
    assert used.joules is None
    assert "Permission denied" in str(used) and "intel-rapl:0" in str(used)


def test_a_counter_that_is_lost_leaves_no_sum(powercap: Path) -> None:
    first = zone(powercap, "intel-rapl:0", "package-0", 1)
    second = zone(powercap, "intel-rapl:1", "package-1", 1)
    with energy(gpu=False, powercap=str(powercap)) as used:
        put(first, 3)
        second.write_text("nothing")
    assert used.joules is None and used.domains == pytest.approx({"package-0": 2})
    assert "package-1: lost" in str(used)


def test_gpus(monkeypatch: Any, powercap: Path) -> None:
    counted = {0: 5000, 1: 100}

    class NVMLError(Exception):
        pass

    def total(handle: int) -> int:
        if handle == 2:
            raise NVMLError("Not Supported")
        return counted[handle]

    fake = SimpleNamespace(
        NVMLError=NVMLError, nvmlInit=lambda: None, nvmlDeviceGetCount=lambda: 3,
        nvmlDeviceGetHandleByIndex=lambda i: i, nvmlDeviceGetTotalEnergyConsumption=total,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    counter = zone(powercap, "intel-rapl:0", "package-0", 1)
    with energy(powercap=str(powercap)) as used:
        counted.update({0: 7500, 1: 600})
        put(counter, 2)
    assert used.domains == pytest.approx({"package-0": 1, "gpu 0": 2.5, "gpu 1": 0.5})
    assert used.gpu_joules == pytest.approx(3) and used.joules == pytest.approx(4)
    assert used.missing == ["GPU 2: Not Supported"]
    assert str(used).startswith("CPU 1.00 J, GPU 3.00 J, not measurable here: GPU 2")


def test_a_gpu_without_nvml(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    found, missing = meters.gpu_meters(str(tmp_path))
    assert found == [] and 'pip install "minigrad[energy]"' in missing[0]
    assert meters.gpu_meters(str(tmp_path / "absent")) == ([], [])


def test_children_count(tmp_path: Path) -> None:
    import subprocess

    code = "import time\nwhile time.process_time() < 0.3: pass"
    with energy(powercap=str(tmp_path)) as used:
        subprocess.run([sys.executable, "-c", code], check=True)
    assert used.cpu_seconds >= 0.25


def test_start_and_stop() -> None:
    used = energy()
    assert used.seconds == 0 and used.joules is None
    with pytest.raises(RuntimeError, match="without start"):
        used.stop()
    used.start()
    with pytest.raises(RuntimeError, match="while it runs"):
        used.start()
    assert used.stop() is used
    with pytest.raises(ValueError, match="interval"):
        profiler.energy(interval=0)
