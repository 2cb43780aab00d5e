"""A group of one process: collectives that have one right answer, and wrappers of modules."""

from __future__ import annotations

import pytest

import minigrad as mg
import minigrad.distributed as dist
import minigrad.distributed.nn as dist_nn
from minigrad.optim.redundancy import ZeroRedundancyOptimizer


@pytest.fixture
def world(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    dist.init_process_group("gloo")
    yield
    dist.destroy_process_group()


def test_who_is_there(world):
    assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (0, 1, "gloo")
    assert dist.is_initialized() and dist.group.WORLD is not None
    assert dist.get_process_group_ranks() == [0] and dist.new_group([0]).size() == 1
    with pytest.raises(ValueError, match="twice"):
        dist.init_process_group("gloo")
    with pytest.raises(ValueError, match="ranks"):
        dist.new_group([0, 1])


def test_collectives(world):
    t = mg.arange(3.0)
    for op in (dist.ReduceOp.SUM, dist.ReduceOp.AVG, dist.ReduceOp.MAX):
        dist.all_reduce(t, op=op)
    assert dist.all_reduce(t, async_op=True).wait()
    dist.broadcast(t, src=0)
    dist.reduce(t, 0)
    dist.barrier()
    assert t.tolist() == [0, 1, 2]
    for call in (
        lambda out: dist.all_gather([out], t),
        lambda out: dist.all_gather_into_tensor(out, t),
        lambda out: dist.gather(t, [out]),
        lambda out: dist.scatter(out, [t]),
        lambda out: dist.reduce_scatter(out, [t]),
        lambda out: dist.reduce_scatter_tensor(out, t),
        lambda out: dist.all_to_all([out], [t]),
        lambda out: dist.all_to_all_single(out, t),
    ):
        out = mg.zeros(3)
        call(out)
        assert out.tolist() == [0, 1, 2]
    objects = [None]
    dist.all_gather_object(objects, {"a": 1})
    assert objects == [{"a": 1}]
    with pytest.raises(ValueError, match="one"):
        dist.all_gather([mg.zeros(3), mg.zeros(3)], t)
    with pytest.raises(ValueError, match="process 1"):
        dist.broadcast(t, src=1)
    with pytest.raises(ValueError, match="rank"):
        dist.send(t, 0)
    with pytest.raises(TypeError):
        dist.all_reduce(3)


def test_more_processes_and_nccl_are_refused(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="2 processes"):
        dist.init_process_group("gloo")
    monkeypatch.setenv("WORLD_SIZE", "1")
    with pytest.raises(RuntimeError, match="CUDA"):
        dist.init_process_group("nccl")
    assert not dist.is_initialized()
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(RuntimeError, match="LOCAL_RANK"):
        dist.get_node_local_rank()
    assert dist.get_node_local_rank(3) == 3


def test_wrappers_call_their_module(world):
    model = mg.nn.Linear(2, 3)
    x = mg.ones(4, 2)
    for wrapper in (mg.nn.DataParallel, mg.nn.parallel.DistributedDataParallel):
        wrapped = wrapper(model)
        assert mg.equal(wrapped(x), model(x)) and wrapped.module is model
        assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    with wrapped.no_sync():
        wrapped(x).sum().backward()
    assert model.weight.grad is not None
    with pytest.raises(RuntimeError, match="parameter"):
        mg.nn.parallel.DistributedDataParallel(mg.nn.ReLU())


def test_a_wrapper_of_several_processes_needs_a_group():
    with pytest.raises(ValueError, match="init_process_group"):
        mg.nn.parallel.DistributedDataParallel(mg.nn.Linear(1, 1))


def work(i, folder):
    (folder / f"{i}").write_text("done")


def fail(i):
    if i == 1:
        raise KeyError("broken")


def test_spawned_processes(tmp_path):
    mg.multiprocessing.start_processes(work, (tmp_path,), nprocs=2, start_method="fork")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "1"]
    with pytest.raises(mg.multiprocessing.ProcessRaisedException, match="broken"):
        mg.multiprocessing.start_processes(fail, nprocs=2, start_method="fork")
    assert mg.multiprocessing.cpu_count() >= 1
    with pytest.raises(ValueError, match="sharing"):
        mg.multiprocessing.set_sharing_strategy("none")


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_an_optimizer_that_shares_out_its_state(world, name):
    found = []
    for shared in (True, False):
        weights = [mg.nn.Parameter(mg.arange(4.0)), mg.nn.Parameter(mg.ones(2))]
        cls = getattr(mg.optim, name)
        if shared:
            optimizer = ZeroRedundancyOptimizer(weights[:1], cls, lr=0.1, weight_decay=0.01)
        else:
            optimizer = cls(weights[:1], lr=0.1, weight_decay=0.01)
        optimizer.add_param_group({"params": weights[1:], "lr": 0.2})
        scheduler = mg.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        for _ in range(3):
            optimizer.zero_grad()
            sum((w * w).sum() for w in weights).backward()
            optimizer.step()
            scheduler.step()
        state = optimizer.state_dict()
        optimizer.load_state_dict(state)
        found.append(([w.tolist() for w in weights], str(state), optimizer.param_groups[1]["lr"]))
    assert found[0] == found[1]
    x = mg.ones(2, requires_grad=True)
    (dist_nn.all_reduce(x) + dist_nn.all_gather(x)[0]).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
