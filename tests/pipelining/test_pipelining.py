"""A pipeline's gradients are the unsplit model's, in processes and here; errors come home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pipeline_parts import Failing, First, TwoWays, mean_loss

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F
from minigrad.pipelining import (
    PipelineStage,
    Schedule1F1B,
    ScheduleGPipe,
    SplitPoint,
    balanced_split_spec,
    merge_chunks,
    pipeline,
    split_args_kwargs_into_chunks,
)
from minigrad.pipelining.stage import _balanced

CUT = {"2": SplitPoint.BEGINNING, "3": SplitPoint.END}


def model() -> nn.Sequential:
    mg.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 3)
    )


def batch(n: int = 24) -> tuple:
    mg.manual_seed(1)
    return mg.randn(n, 6), mg.randint(0, 3, (n,))


def grads(net: nn.Module) -> list[np.ndarray]:
    return [p.grad.numpy().copy() for p in net.parameters()]


def close(a: list, b: list, tolerance: float = 2e-6) -> None:
    assert len(a) == len(b)
    for x, y in zip(a, b):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=tolerance)


@pytest.mark.parametrize("processes", [False, True])
@pytest.mark.parametrize("schedule", [ScheduleGPipe, Schedule1F1B])
@pytest.mark.parametrize("n, count", [(24, 4), (23, 5), (7, 3)])
def test_gradients_are_the_unsplit_models(schedule, processes, n, count):
    whole, split = model(), model()
    x, y = batch(n)
    wanted = F.cross_entropy(whole(x), y)
    wanted.backward()
    stages = pipeline(split, (x[:2],), split_spec=CUT).stages()
    assert [len(s.submod) for s in stages] == [2, 2, 1]
    with schedule(stages, count, F.cross_entropy, processes=processes) as run:
        losses: list = []
        out = run.step(x, target=y, losses=losses)
        close([out.numpy()], [whole(x).detach().numpy()])
        close(grads(split), grads(whole))
        parts = [
            F.cross_entropy(a, b) for a, b in zip(*(t.tensor_split(count) for t in (whole(x), y)))
        ]
        close(losses, [p.item() for p in parts])
        assert run.step(x, target=y, return_outputs=False) is None  # gradients add up
        close(grads(split), [2 * g for g in grads(whole)])
        losses = []
        np.testing.assert_array_equal(run.eval(x, target=y, losses=losses), out)
        assert len(losses) == count and not out.requires_grad
        close(grads(split), [2 * g for g in grads(whole)])


@pytest.mark.parametrize("processes", [False, True])
def test_training_goes_on_as_without_a_pipeline(processes):
    """Optimizers in this process write to the stages' memory; the model stays an ordinary one."""
    whole, split = model(), model()
    a, b = (optim.Adam(m.parameters(), lr=0.02) for m in (whole, split))
    x, y = batch(32)
    stages = pipeline(split, split_spec=CUT).stages()
    with ScheduleGPipe(stages, 4, F.cross_entropy, processes=processes) as run:
        for _ in range(12):
            a.zero_grad()
            F.cross_entropy(whole(x), y).backward()
            a.step()
            b.zero_grad()
            run.step(x, target=y)
            b.step()
        close(
            [p.detach() for p in split.parameters()], [p.detach() for p in whole.parameters()], 1e-4
        )
        state = model().state_dict()
        split.load_state_dict(state)
        close([run.eval(x)], [model()(x).detach()])
    close([split(x).detach()], [model()(x).detach()])


@pytest.mark.parametrize("processes", [False, True])
def test_buffers_modes_and_frozen_parameters_follow(processes):
    def net():
        mg.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    plain, split = net(), net()
    x, y = batch(24)
    for part, label in zip(x.split(6), y.split(6)):
        (F.cross_entropy(plain(part), label) / 4).backward()
    stages = pipeline(split, split_spec={"2": SplitPoint.BEGINNING}).stages()
    with ScheduleGPipe(stages, 4, F.cross_entropy, processes=processes) as run:
        run.step(x, target=y)
        close(grads(split), grads(plain))
        close(list(split.buffers()), list(plain.buffers()))
        assert split[1].num_batches_tracked == 4
        split.eval(), plain.eval()
        close([run.eval(x)], [plain(x).detach()])
        assert split[1].num_batches_tracked == 4
        split[0].requires_grad_(False)
        split.zero_grad()
        run.step(x, target=y)
        assert split[0].weight.grad is None and split[1].weight.grad is not None


@pytest.mark.parametrize("processes", [False, True])
@pytest.mark.parametrize("schedule", [ScheduleGPipe, Schedule1F1B])
def test_stages_of_ones_own(schedule, processes):
    """Several tensors between stages, whole numbers among them, and keyword arguments."""
    mg.manual_seed(0)
    first, second = TwoWays(), TwoWays(last=True)
    x, y = mg.randn(12, 4), mg.randn(12, 4)
    mean_loss(second(*first(x, scale=2.0)), y).backward()
    wanted = grads(first) + grads(second)
    first.zero_grad(), second.zero_grad()
    stages = [PipelineStage(first, 0, 2), PipelineStage(second, 1, 2)]
    with schedule(stages, 3, mean_loss, processes=processes) as run:
        run.step(x, scale=2.0, target=y)
        close(grads(first) + grads(second), wanted)
        first.zero_grad(), second.zero_grad()
        run.step(x, scale=2.0, target=y, loss_kwargs={"factor": 3.0})
        close(grads(first) + grads(second), [3 * g for g in wanted])


def test_losses_that_add_up():
    whole, split = model(), model()
    x, y = batch()
    F.cross_entropy(whole(x), y, reduction="sum").backward()
    sums = lambda out, target: F.cross_entropy(out, target, reduction="sum")  # noqa: E731
    run = ScheduleGPipe(pipeline(split, split_spec=CUT).stages(), 4, sums, scale_grads=False)
    run.step(x, target=y)
    close(grads(split), grads(whole), 1e-5)


def test_autocast_and_dropout_in_processes():
    x, y = batch(16)
    net = model()
    stages = pipeline(net, split_spec=CUT).stages()
    with ScheduleGPipe(stages, 2, F.cross_entropy, processes=True) as run:
        with mg.autocast("cpu"):
            assert run.eval(x).dtype is mg.bfloat16
        assert run.eval(x).dtype is mg.float32
    made = []
    for seed in (3, 3, 4):
        net = nn.Sequential(nn.Dropout(0.5), nn.Identity())
        mg.manual_seed(seed)
        stages = pipeline(net, split_spec={"1": SplitPoint.BEGINNING}).stages()
        with ScheduleGPipe(stages, 2, processes=True) as run:
            made.append(run.eval(x).numpy())
    assert (made[0] == made[1]).all() and (made[0] != made[2]).any()
    assert (made[0][:8] != made[0][8:]).any()


@pytest.mark.parametrize("where", [0, 1, 2])
@pytest.mark.parametrize("when", ["forward", "backward"])
def test_errors_come_home_and_the_next_batch_runs(where, when):
    parts: list = [nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)]
    failing = Failing(when)
    parts[where] = nn.Sequential(parts[where], failing)
    stages = [PipelineStage(p, i, 3) for i, p in enumerate(parts)]
    x, y = batch()
    with ScheduleGPipe(stages, 6, F.cross_entropy, processes=True) as run:
        run.step(x, target=y)
        before = [p.grad.clone() for part in parts for p in part.parameters()]
        for _ in range(3):
            with mg.no_grad():
                failing.trigger.fill_(1)
            with pytest.raises(KeyError, match=f"(?s)stage {where} of the pipeline.*the reason"):
                run.step(x, target=y)
            after = [p.grad for part in parts for p in part.parameters()]
            close(after, before)
            with mg.no_grad():
                failing.trigger.fill_(0)
            for part in parts:
                part.zero_grad()
            run.step(x, target=y)
            close([p.grad for part in parts for p in part.parameters()], before)


def test_a_killed_process_is_an_error_and_the_others_end():
    stages = pipeline(model(), split_spec=CUT).stages()
    x, y = batch()
    run = ScheduleGPipe(stages, 4, F.cross_entropy, processes=True)
    run.step(x, target=y)
    processes = run._workers._processes
    os.kill(processes[1].pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="stage 1 .*signal 9"):
        for _ in range(3):
            run.step(x, target=y)
    assert not any(p.is_alive() for p in processes)
    with pytest.raises(RuntimeError, match="have ended"):
        run.step(x, target=y)
    run.close()


def test_processes_end_with_the_schedule():
    stages = pipeline(model(), split_spec=CUT).stages()
    run = ScheduleGPipe(stages, 4, F.cross_entropy, processes=True)
    processes = run._workers._processes
    run.close()
    run.close()
    assert [p.exitcode for p in processes] == [0, 0, 0]
    run = ScheduleGPipe(stages, 4, F.cross_entropy, processes=True)
    processes = run._workers._processes
    del run
    end = time.monotonic() + 30
    while any(p.is_alive() for p in processes) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(p.is_alive() for p in processes)


def test_processes_end_when_the_caller_is_killed(tmp_path):
    program = tmp_path / "caller.py"
    program.write_text(
        "import os, signal\nimport minigrad as mg\nfrom minigrad import nn, pipelining\n"
        "net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))\n"
        "spec = {'1': pipelining.SplitPoint.BEGINNING}\n"
        "stages = pipelining.pipeline(net, split_spec=spec).stages()\n"
        "run = pipelining.ScheduleGPipe(stages, 2, nn.functional.mse_loss, processes=True)\n"
        "run.step(mg.ones(4, 2), target=mg.ones(4, 2))\n"
        "print(*[p.pid for p in run._workers._processes], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    paths = [str(Path(p).resolve()) for p in sys.path if p]
    done = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    end = time.monotonic() + 30
    while any(_runs(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return state[state.rindex(")") + 2] != "Z"


def test_processes_started_anew():
    """With "spawn" everything is pickled, shared memory and connections, too."""
    mg.manual_seed(0)
    first, second = TwoWays(), TwoWays(last=True)
    x, y = mg.randn(12, 4), mg.randn(12, 4)
    mean_loss(second(*first(x)), y).backward()
    wanted = grads(first) + grads(second)
    first.zero_grad(), second.zero_grad()
    stages = [PipelineStage(first, 0, 2), PipelineStage(second, 1, 2)]
    with ScheduleGPipe(stages, 3, mean_loss, processes=True, start_method="spawn") as run:
        run.step(x, target=y)
    close(grads(first) + grads(second), wanted)


def test_1f1b_keeps_no_more_micro_batches_than_stages():
    assert Schedule1F1B.order(0, 2, 4, True) == [
        ("F", 0), ("F", 1), ("B", 0), ("F", 2), ("B", 1), ("F", 3), ("B", 2), ("B", 3),
    ]  # fmt: skip
    for stages, count in ((1, 3), (2, 2), (4, 9)):
        for i in range(stages):
            order = Schedule1F1B.order(i, stages, count, True)
            alive = np.cumsum([1 if kind == "F" else -1 for kind, _ in order])
            assert alive.max() == stages - i and alive[-1] == 0
            assert sorted(order) == sorted(ScheduleGPipe.order(i, stages, count, True))


def test_cutting():
    nested = nn.Sequential(
        nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Linear(2, 2), nn.Sequential(nn.ReLU())
    )
    pipe = pipeline(nested, split_spec={"0": SplitPoint.END, "2.0": SplitPoint.BEGINNING})
    assert pipe.num_stages == 3 and [len(pipe.get_stage_module(i)) for i in range(3)] == [2, 1, 1]
    x = mg.randn(3, 2)
    y = x
    for i in range(3):
        y = pipe.get_stage_module(i)(y)
    np.testing.assert_array_equal(y.detach(), nested(x).detach())
    assert _balanced([1, 1, 1, 3], 2) == [3] and _balanced([5, 4, 1, 1, 1, 3], 3) == [1, 3]
    net = model()
    spec = balanced_split_spec(net, 3, (mg.randn(4, 6),))
    assert pipeline(net, split_spec=spec).num_stages == 3
    assert all(p.grad is None for p in net.parameters())
    recurrent = nn.Sequential(nn.LSTM(2, 3), First(), nn.Linear(3, 3))  # hands on a tuple first
    assert list(balanced_split_spec(recurrent, 2, (x,))) == ["2"]
    with pytest.raises(ValueError, match="cut, 1 times"):
        balanced_split_spec(recurrent, 3, (x,))
    with pytest.raises(TypeError, match="Sequential"):
        pipeline(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="no layer '9'"):
        pipeline(nested, split_spec={"9": SplitPoint.END})
    with pytest.raises(ValueError, match="without layers"):
        pipeline(nested, split_spec={"0": SplitPoint.BEGINNING})
    with pytest.raises(ValueError, match="one layer at least"):
        balanced_split_spec(net, 9, (mg.randn(4, 6),))


def test_what_is_refused():
    net = model()
    stages = pipeline(net, split_spec=CUT).stages()
    x, y = batch()
    with pytest.raises(ValueError, match="all stages"):
        ScheduleGPipe(stages[:2], 4)
    with pytest.raises(ValueError, match="n_microbatches is 0"):
        ScheduleGPipe(stages, 0)
    with pytest.raises(ValueError, match="greater than or equal"):
        Schedule1F1B(stages, 2)
    with pytest.raises(ValueError, match="out of range"):
        PipelineStage(net, 3, 3)
    run = ScheduleGPipe(stages, 4, F.cross_entropy)
    with pytest.raises(ValueError, match="no target"):
        run.step(x)
    with pytest.raises(ValueError, match="at least 4 samples"):
        run.step(x[:3], target=y[:3])
    with ScheduleGPipe(stages, 4, F.cross_entropy, processes=True) as run:
        with pytest.raises(RuntimeError, match="processes=False"):
            run.step(x.clone().requires_grad_(), target=y)
        with pytest.raises(RuntimeError, match="mat1 and mat2|shape|size"):
            run.step(mg.randn(24, 5), target=y)
        run.step(x, target=y)
        net[0].weight.data = net[0].weight.detach().clone()
        with pytest.raises(RuntimeError, match="memory was exchanged"):
            run.step(x, target=y)


def test_chunks_are_pytorchs():
    microbatch = pytest.importorskip("torch.distributed.pipelining.microbatch")
    torch = pytest.importorskip("torch")
    ours = split_args_kwargs_into_chunks((mg.arange(7.0), 3), {"k": [mg.ones(4, 2)]}, 3)
    theirs = microbatch.split_args_kwargs_into_chunks(
        (torch.arange(7.0), 3), {"k": [torch.ones(4, 2)]}, 3
    )
    for a, b in zip(ours[0], theirs[0]):
        assert a[0].tolist() == b[0].tolist() and a[1] == b[1] == 3
    for a, b in zip(ours[1], theirs[1]):
        assert a["k"][0].tolist() == b["k"][0].tolist()
    assert merge_chunks([c[0] for c in ours[0]]).tolist() == list(range(7))
    with pytest.raises(ValueError, match="equal values"):
        merge_chunks([1, 2])
