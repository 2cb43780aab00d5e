"""The profiler counts the calls that a program makes, and its times add up."""

from __future__ import annotations

import json
import threading

import pytest

import minigrad as mg
from minigrad.profiler import (
    ProfilerAction,
    profile,
    record_function,
    schedule,
    tensorboard_trace_handler,
)


def named(events):
    return {event.key: event for event in events}


def test_calls_are_counted_and_times_add_up():
    x = mg.ones(64, 64, requires_grad=True)
    with profile(record_shapes=True) as prof:
        with record_function("block"):
            for _ in range(3):
                y = mg.mm(x, x).relu()
        y.sum().backward()
    found = named(prof.key_averages())
    assert found["mm"].count == found["relu"].count == 3 and found["block"].count == 1
    assert found["ReluBackward0"].count == 1
    assert found["block"].cpu_time_total >= found["mm"].cpu_time_total > 0
    assert found["block"].self_cpu_time_total < found["block"].cpu_time_total
    total = sum(event.self_cpu_time_total for event in found.values())
    assert total == pytest.approx(prof.self_cpu_time_total)
    table = prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=2)
    assert table.count("\n") == 7 and "Name" in table
    shapes = prof.key_averages(group_by_input_shape=True)
    assert [64, 64] in next(e for e in shapes if e.key == "mm").input_shapes


def test_nothing_is_recorded_outside():
    with profile() as prof:
        pass
    mg.ones(2) + 1
    assert prof.events() == []
    with mg.autograd.profiler.profile(enabled=False) as off:
        mg.ones(2) + 1
    with pytest.raises(AssertionError):
        off.events()

    @record_function("named")
    def f():
        return 4

    assert f() == 4
    with profile() as prof:
        f()
    assert named(prof.events())["named"].count == 1


def test_an_exception_ends_recording():
    with pytest.raises(ZeroDivisionError), profile() as prof:
        mg.ones(2).exp()
        1 / 0  # noqa: B018
    assert "exp" in named(prof.events())
    mg.ones(2).exp()
    assert named(prof.key_averages())["exp"].count == 1


def test_threads_that_start_inside_are_seen():
    with profile() as prof:
        thread = threading.Thread(target=lambda: mg.ones(3).exp())
        thread.start()
        thread.join()
        mg.ones(3).log()
    events = named(prof.events())
    assert events["exp"].thread != events["log"].thread


@pytest.mark.parametrize(
    "arguments",
    [
        {"wait": 1, "warmup": 1, "active": 2, "repeat": 2, "skip_first": 1},
        {"wait": 0, "warmup": 0, "active": 1},
        {"wait": 2, "warmup": 1, "active": 3, "repeat": 1},
    ],
)
def test_schedules(arguments):
    torch = pytest.importorskip("torch")
    theirs = torch.profiler.schedule(**arguments)
    ours = schedule(**arguments)
    assert [ours(i).name for i in range(20)] == [theirs(i).name for i in range(20)]


def test_steps_are_recorded_as_scheduled(tmp_path):
    seen = []

    def ready(prof):
        seen.append(sorted(e.key for e in prof.key_averages()))
        tensorboard_trace_handler(tmp_path)(prof)

    with profile(
        schedule=schedule(wait=1, warmup=1, active=2, repeat=2), on_trace_ready=ready
    ) as prof:
        for i in range(9):
            (mg.ones(2).exp if i < 4 else mg.ones(2).log)()
            prof.step()
    assert seen == [
        ["ProfilerStep#2", "ProfilerStep#3", "exp"],
        ["ProfilerStep#6", "ProfilerStep#7", "log"],
    ]
    traces = [json.loads(path.read_text())["traceEvents"] for path in tmp_path.iterdir()]
    assert sorted(len(t) for t in traces) == [4, 4]
    assert {"name", "ph", "ts", "dur", "pid", "tid"} <= set(traces[0][0])
    assert prof.current_action is ProfilerAction.NONE
