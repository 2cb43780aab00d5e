"""The data loader with worker processes: order, errors, seeds, and their end."""

from __future__ import annotations

import gc
import multiprocessing
import time
from typing import Any

import numpy as np
import pytest
from datasets import Failing, Squares, Stream, lists, tell, tensors

import minigrad as mg
from minigrad.utils import data

try:
    import torch
    import torch.utils.data as torch_data
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


class Odd(Exception):
    """An exception that cannot be made from one text."""

    def __init__(self, a: int, b: int):
        super().__init__(a, b)


class FailingOddly(Squares):
    def __getitem__(self, i: int) -> tuple:
        raise Odd(1, 2)


class Unpicklable(Squares):
    def __getitem__(self, i: int) -> Any:
        return lambda: i


class Dying(Squares):
    def __getitem__(self, i: int) -> tuple:
        import os

        os._exit(3)


class Slow(Squares):
    def __getitem__(self, i: int) -> int:
        time.sleep(30 if i == 0 else 0)
        return i


class Seeds(Squares):
    """The random numbers that a worker sees."""

    def __getitem__(self, i: int) -> tuple:
        import random

        info = data.get_worker_info()
        assert info is not None
        with pytest.raises(AttributeError, match="id"):
            info.id = 5
        return info.id, info.seed, mg.rand(1).item(), np.random.rand(), random.random()


def refuse(worker_id: int) -> None:
    raise RuntimeError("no")


def no_children() -> bool:
    gc.collect()  # a failed test before this one may still hold its iterator
    for _ in range(100):
        if not multiprocessing.active_children():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_keep_the_order(context: str) -> None:
    dataset = data.TensorDataset(*tensors(23))
    plain = lists(data.DataLoader(dataset, batch_size=4))
    loader = data.DataLoader(
        dataset,
        batch_size=4,
        num_workers=2,
        multiprocessing_context=context,
        worker_init_fn=tell,
    )
    assert lists(loader) == plain
    assert no_children()


@needs_torch
def test_workers_shuffle_as_pytorch() -> None:
    mg.manual_seed(3)
    torch.manual_seed(3)
    ours = data.DataLoader(Squares(), batch_size=3, shuffle=True, num_workers=2)
    theirs = torch_data.DataLoader(range(10), batch_size=3, shuffle=True)
    assert [b[0].numpy().tolist() for b in ours] == [b.numpy().tolist() for b in theirs]


def test_out_of_order_gives_the_same_batches() -> None:
    loader = data.DataLoader(Squares(), batch_size=3, num_workers=2, in_order=False)
    assert sorted(b[0].numpy().tolist() for b in loader) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


def test_persistent_workers() -> None:
    loader = data.DataLoader(
        Squares(), batch_size=3, num_workers=2, persistent_workers=True, prefetch_factor=3
    )
    first = lists(loader)
    pids = {p.pid for p in multiprocessing.active_children()}
    assert len(pids) == 2
    next(iter(loader))  # an unfinished pass
    assert lists(loader) == first
    assert {p.pid for p in multiprocessing.active_children()} == pids
    del loader
    assert no_children()


def test_dropping_the_iterator_early_ends_the_workers() -> None:
    big = data.TensorDataset(mg.zeros(400, 5000))
    iterator = iter(data.DataLoader(big, batch_size=100, num_workers=2))
    next(iterator)
    del iterator
    assert no_children()


def test_an_error_in_a_worker() -> None:
    iterator = iter(data.DataLoader(Failing(), batch_size=2, num_workers=2))
    assert next(iterator)[0].numpy().tolist() == [0, 1]
    next(iterator)
    with pytest.raises(KeyError) as caught:
        next(iterator)
    text = str(caught.value)
    assert "Caught KeyError in DataLoader worker process 0" in text
    assert "sample five" in text and "__getitem__" in text
    assert next(iterator)[0].numpy().tolist() == [6, 7]  # the worker lives on


def test_errors_that_cannot_be_made_again() -> None:
    with pytest.raises(RuntimeError, match="Caught Odd in DataLoader worker process 0"):
        next(iter(data.DataLoader(FailingOddly(), num_workers=1)))
    with pytest.raises(Exception, match="in DataLoader worker process 0"):
        next(iter(data.DataLoader(Unpicklable(), num_workers=1, batch_size=None)))
    with pytest.raises(RuntimeError, match="Caught RuntimeError in DataLoader worker process 0"):
        next(iter(data.DataLoader(Squares(), num_workers=1, worker_init_fn=refuse)))


def test_a_worker_that_dies() -> None:
    with pytest.raises(RuntimeError, match=r"worker \(pid\(s\) \d+\) exited unexpectedly"):
        next(iter(data.DataLoader(Dying(), num_workers=1)))


def test_timeout() -> None:
    with pytest.raises(RuntimeError, match="timed out after 0.2 seconds"):
        next(iter(data.DataLoader(Slow(), num_workers=1, timeout=0.2)))
    assert no_children()


def test_streams_are_shared_out() -> None:
    loader = data.DataLoader(Stream(11), batch_size=2, num_workers=2)
    batches = [b.numpy().tolist() for b in loader]
    assert sorted(v for b in batches for v in b) == list(range(11))
    assert batches[:2] == [[0, 2], [1, 3]]
    assert data.get_worker_info() is None


class Liar(Stream):
    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize("workers", [0, 1])
def test_a_stream_longer_than_it_said(workers: int) -> None:
    loader = data.DataLoader(Liar(5), num_workers=workers)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2") as warned:
        assert len(list(loader)) == 5
    assert ("multiprocessing" in str(warned[0].message)) == bool(workers)


@pytest.mark.filterwarnings("error")
def test_batches_are_counted_against_the_length_of_the_stream() -> None:
    loader = data.DataLoader(Liar(4), batch_size=2)
    assert len(loader) == 1
    assert len(list(loader)) == 2


@pytest.mark.parametrize("scale", [1, 2])
def test_a_graph_does_not_leave_a_worker_unnoticed(scale: int) -> None:
    x = mg.ones(4, requires_grad=True)
    dataset = data.TensorDataset(x * scale if scale > 1 else x)
    with pytest.raises(RuntimeError, match="needed: tensors without a graph"):
        list(data.DataLoader(dataset, batch_size=2, num_workers=1))
    (batch,) = data.DataLoader([x], None, num_workers=1)
    assert batch.requires_grad and batch.is_leaf


def test_seeds_of_the_workers() -> None:
    def epoch() -> list:
        mg.manual_seed(8)
        loader = data.DataLoader(Seeds(4), num_workers=2, batch_size=None)
        return list(loader)

    first, second = epoch(), epoch()
    assert first == second  # deterministic
    assert first[1][1] == first[0][1] + 1  # base_seed + worker_id
    assert first[0][2:] != first[1][2:]


@needs_torch
def test_the_seed_of_numpy_is_pytorchs() -> None:
    from torch.utils.data._utils.worker import _generate_state

    base, worker = 0x123456789ABCDEF, 3
    entropy = [worker, base & 0xFFFFFFFF, base >> 32, 0]
    ours = np.random.SeedSequence(entropy).generate_state(4)
    assert list(ours) == _generate_state(base, worker)


def test_an_error_leaves_no_cycle_behind() -> None:
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(KeyError):
            list(data.DataLoader(Failing(), batch_size=2, num_workers=1))
        for _ in range(100):
            if not multiprocessing.active_children():
                return
            time.sleep(0.05)
        raise AssertionError("the workers of a pass that failed live on")
    finally:
        gc.enable()


def test_a_forked_copy_does_not_end_its_parents_workers() -> None:
    iterator = iter(data.DataLoader(Squares(20), num_workers=1))
    next(iterator)
    child = multiprocessing.get_context("fork").Process(target=iterator.__del__)
    child.start()
    child.join()
    assert child.exitcode == 0
    assert len(list(iterator)) == 19


class NoStream(Stream):
    def __iter__(self) -> Any:
        raise ValueError("no stream")


def test_what_fails_at_the_start_says_so() -> None:
    iterator = iter(data.DataLoader(Squares(2), num_workers=1, worker_init_fn=refuse))
    for _ in range(2):  # for every batch that the worker owes
        with pytest.raises(RuntimeError, match="Original Traceback"):
            next(iterator)
    assert list(iterator) == []
    stream = iter(data.DataLoader(NoStream(3), num_workers=1))
    with pytest.raises(ValueError, match="no stream"):
        next(stream)
    assert list(stream) == []


def test_more_workers_than_processors_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="will create 5000 worker processes"):
        data.DataLoader(Squares(), num_workers=5000)
