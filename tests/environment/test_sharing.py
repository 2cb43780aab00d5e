"""`share_memory_`: other processes write to the same memory, however they were started."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from child_processes import add_one

import minigrad as mg
import minigrad.multiprocessing as mp
from minigrad import nn


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_write_to_the_same_memory(method):
    tensor = mg.arange(6.0).reshape(2, 3).t().clone().share_memory_()
    module = nn.Linear(2, 2)
    assert module.share_memory() is module and type(module.weight) is nn.Parameter
    context = mp.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    received = context.Event()
    process = context.Process(target=add_one, args=(tensor, module, sender, received))
    process.start()
    sender.close()  # so that a child that dies ends the wait
    try:
        sent = receiver.recv()
    except EOFError:
        process.join()
        pytest.fail(f"the child ended with exit code {process.exitcode}")
    received.set()
    assert not isinstance(sent, str), sent
    is_shared, weight_is_shared, came_back = sent
    process.join()
    assert process.exitcode == 0 and is_shared and weight_is_shared
    wanted = np.arange(6, dtype=np.float32).reshape(2, 3).T + 1
    np.testing.assert_array_equal(tensor.numpy(), wanted)
    assert bool((module.weight == 7).all()) and module.weight.requires_grad
    came_back.zero_()  # it is the same memory, too
    assert not tensor.any()


def test_what_is_shared():
    t = mg.ones(2, 3)
    assert not t.is_shared()
    assert t.share_memory_() is t and t.is_shared() and t[1:].is_shared() and t.t().is_shared()
    assert mg.equal(t, mg.ones(2, 3)) and t.share_memory_() is t
    assert (
        not t.clone().is_shared() and not (t + 1).is_shared() and not copy.copy(t + 1).is_shared()
    )
    assert not pickle.loads(pickle.dumps(t)).is_shared()  # noqa: S301
    assert mg.empty(0).share_memory_().numel() == 0
    x = mg.ones(4)
    half = x[:2]
    for tensor in (x, half):
        with pytest.raises(RuntimeError, match="view"):
            tensor.share_memory_()
    del half, tensor
    assert x.share_memory_().is_shared()


def test_optimizers_and_gradients_work_on_shared_memory():
    model = nn.Linear(3, 1).share_memory()
    twin = copy.deepcopy(model)
    for m in (model, twin):
        optimizer = mg.optim.Adagrad(m.parameters(), lr=0.1)
        optimizer.share_memory()
        for _ in range(3):
            optimizer.zero_grad()
            m(mg.ones(2, 3)).pow(2).sum().backward()
            optimizer.step()
        assert all(s["sum"].is_shared() for s in optimizer.state.values())
    assert model.weight.is_shared() and mg.equal(model.weight, twin.weight)
