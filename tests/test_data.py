"""Datasets, samplers and the data loader, beside PyTorch's."""

from __future__ import annotations

import collections
import gc
import itertools
import multiprocessing
import time
from typing import Any

import numpy as np
import pytest
from spawned import tell

import minigrad as mg
from minigrad.utils import data

try:
    import torch
    import torch.utils.data as torch_data
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")
Point = collections.namedtuple("Point", "x y")


class Squares(data.Dataset):
    """Sample i is (i, i squared)."""

    def __init__(self, n: int = 10):
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> tuple:
        return i, float(i * i)


class Failing(Squares):
    def __getitem__(self, i: int) -> tuple:
        if i == 5:
            raise KeyError("sample five")
        return super().__getitem__(i)


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
        return info.id, info.seed, mg.rand(1).item(), np.random.rand(), random.random()


class Stream(data.IterableDataset):
    """0 … n-1, shared out among the workers."""

    def __init__(self, n: int):
        self.n = n

    def __iter__(self) -> Any:
        info = data.get_worker_info()
        start, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(start, self.n, step))


class SizedStream(Stream):
    def __len__(self) -> int:
        return self.n


def keep(batch: Any) -> Any:
    return batch


def refuse(worker_id: int) -> None:
    raise RuntimeError("no")


def tensors(n: int = 10) -> tuple:
    x = np.arange(3.0 * n, dtype=np.float32).reshape(n, 3)
    return mg.tensor(x), mg.tensor(np.arange(n))


def lists(batches: Any) -> list:
    """Batches as nested lists."""
    return [[t.numpy().tolist() if hasattr(t, "numpy") else t for t in batch] for batch in batches]


# -- datasets --------------------------------------------------------------------------------------


def test_tensor_dataset() -> None:
    x, y = tensors()
    dataset = data.TensorDataset(x, y)
    assert len(dataset) == 10
    row, label = dataset[3]
    assert row.numpy().tolist() == [9, 10, 11] and label.item() == 3
    samples = dataset.__getitems__([1, 4])
    assert len(samples) == 2 and samples[1][1].item() == 4
    assert [s[1].item() for s in samples] == [1, 4]
    with pytest.raises(AssertionError, match="Size mismatch"):
        data.TensorDataset(x, mg.zeros(9))


def test_concat_chain_subset_stack() -> None:
    both = Squares(3) + Squares(2)
    assert len(both) == 5
    assert [both[i][0] for i in range(5)] == [0, 1, 2, 0, 1]
    assert both[-1][0] == 1
    with pytest.raises(ValueError, match="absolute value"):
        both[-6]
    assert list(Stream(2) + Stream(3)) == [0, 1, 0, 1, 2]
    subset = data.Subset(Squares(), [3, 1])
    assert len(subset) == 2 and subset[0][0] == 3
    assert [s[0] for s in subset.__getitems__([1, 0])] == [1, 3]
    stack = data.StackDataset(a=Squares(3), b=Squares(3))
    assert stack[2]["a"][0] == 2 and len(stack.__getitems__([0, 1])) == 2
    with pytest.raises(ValueError, match="Size mismatch"):
        data.StackDataset(Squares(3), Squares(4))


def test_subset_of_a_tensor_dataset_asks_for_batches() -> None:
    subset = data.Subset(data.TensorDataset(*tensors()), [7, 5, 3, 1])
    (x, y), *_ = data.DataLoader(subset, batch_size=3)
    assert y.numpy().tolist() == [7, 5, 3] and x.shape == (3, 3)


@needs_torch
@pytest.mark.parametrize("lengths", [[6, 4], [0.55, 0.25, 0.2]])
def test_random_split_is_pytorchs(lengths: list) -> None:
    ours = data.random_split(Squares(), lengths, generator=mg.Generator().manual_seed(4))
    theirs = torch_data.random_split(range(10), lengths, generator=torch.Generator().manual_seed(4))
    assert [p.indices for p in ours] == [list(p.indices) for p in theirs]


def test_random_split_refuses() -> None:
    with pytest.raises(ValueError, match="Sum of input lengths"):
        data.random_split(Squares(), [3, 3])
    with pytest.raises(ValueError, match="between 0 and 1"):
        data.random_split(Squares(), [1.5, -0.5])


# -- samplers --------------------------------------------------------------------------------------


def _orders(make: Any) -> list:
    """Two passes of a sampler made from (the data module, the library), after manual_seed."""
    found = []
    libraries = [(data, mg)] if torch is None else [(data, mg), (torch_data, torch)]
    for module, library in libraries:
        library.manual_seed(11)
        sampler = make(module, library)
        found.append([list(sampler), list(sampler), library.rand(1).item()])
    return found


@needs_torch
@pytest.mark.parametrize(
    "make",
    [
        lambda d, lib: d.RandomSampler(range(13)),
        lambda d, lib: d.RandomSampler(range(13), num_samples=30),
        lambda d, lib: d.RandomSampler(range(13), replacement=True, num_samples=70),
        lambda d, lib: d.RandomSampler(range(13), generator=lib.Generator().manual_seed(2)),
        lambda d, lib: d.SubsetRandomSampler([5, 3, 1, 7]),
        lambda d, lib: d.WeightedRandomSampler([0.1, 0.5, 0.0, 0.4], 20),
        lambda d, lib: d.WeightedRandomSampler([0.1, 0.5, 0.2, 0.4], 4, replacement=False),
        lambda d, lib: d.BatchSampler(d.RandomSampler(range(10)), 4, False),
        lambda d, lib: d.BatchSampler(d.SequentialSampler(range(10)), 4, True),
    ],
)
def test_samplers_give_pytorchs_order(make: Any) -> None:
    ours, theirs = _orders(make)
    assert ours[:2] == theirs[:2]
    assert ours[2] == pytest.approx(theirs[2])


def test_sampler_lengths_and_errors() -> None:
    assert len(data.BatchSampler(range(10), 4, False)) == 3
    assert len(data.BatchSampler(range(10), 4, True)) == 2
    with pytest.raises(ValueError, match="num_samples should be a positive"):
        data.RandomSampler([])
    with pytest.raises(ValueError, match="batch_size should be a positive"):
        data.BatchSampler(range(3), 0, False)
    with pytest.raises(ValueError, match="1d sequence"):
        data.WeightedRandomSampler([[1.0]], 1)


@needs_torch
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_distributed_sampler_is_pytorchs(drop_last: bool, shuffle: bool) -> None:
    for rank in range(3):
        args: dict = {"num_replicas": 3, "rank": rank, "shuffle": shuffle, "drop_last": drop_last}
        ours = data.DistributedSampler(range(10), **args)
        theirs = torch_data.DistributedSampler(range(10), **args)
        for epoch in (0, 1):
            ours.set_epoch(epoch)
            theirs.set_epoch(epoch)
            assert list(ours) == list(theirs)
        assert len(ours) == len(theirs)


def test_distributed_sampler_refuses() -> None:
    with pytest.raises(ValueError, match="Invalid rank"):
        data.DistributedSampler(range(3), 2, 2)
    with pytest.raises(RuntimeError, match="num_replicas and rank"):
        data.DistributedSampler(range(3))


# -- collating -------------------------------------------------------------------------------------

SAMPLES = [
    [1, 2],
    [1.5, 2.5],
    [True, False],
    ["a", "b"],
    [np.float32(1), np.float32(2)],
    [np.ones(2), np.zeros(2)],
    [(1, 2.0), (3, 4.0)],
    [[1, 2.0], [3, 4.0]],
    [{"a": 1, "b": ("x", 2)}, {"a": 3, "b": ("y", 4)}],
    [Point(1, 2.0), Point(3, 4.0)],
    [collections.OrderedDict(a=1), collections.OrderedDict(a=2)],
]


def _plain(value: Any) -> Any:
    """A collated value with dtypes and lists instead of tensors."""
    if hasattr(value, "numpy"):
        return str(value.dtype), tuple(value.shape), value.numpy().tolist()
    if isinstance(value, dict):
        return type(value).__name__, {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [_plain(v) for v in value]
    return value


@needs_torch
@pytest.mark.parametrize("batch", SAMPLES, ids=str)
def test_collate_is_pytorchs(batch: list) -> None:
    assert _plain(data.default_collate(batch)) == _plain(torch_data.default_collate(batch))
    for sample in batch:
        assert _plain(data.default_convert(sample)) == _plain(torch_data.default_convert(sample))


def test_collate_tensors_and_errors() -> None:
    stacked = data.default_collate([mg.ones(2), mg.zeros(2)])
    assert stacked.numpy().tolist() == [[1, 1], [0, 0]]
    leaf = mg.ones(2).requires_grad_()
    data.default_collate([leaf, leaf]).sum().backward()
    assert leaf.grad.numpy().tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="each element in list of batch"):
        data.default_collate([(1, 2), (1,)])
    with pytest.raises(TypeError, match="batch must contain"):
        data.default_collate([object()])
    with pytest.raises(RuntimeError, match="equal size"):
        data.default_collate([mg.ones(2), mg.ones(3)])


# -- the loader in one process ---------------------------------------------------------------------


@needs_torch
@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 4},
        {"batch_size": 4, "drop_last": True},
        {"batch_size": 4, "shuffle": True},
        {"batch_size": 5, "shuffle": True, "drop_last": True},
        {"batch_size": None},
        {"batch_size": 3, "sampler": [4, 2, 0, 1]},
        {"batch_sampler": [[1, 2], [3]]},
        {},
    ],
    ids=str,
)
def test_loader_is_pytorchs(options: dict) -> None:
    x, y = tensors()
    ours = data.DataLoader(data.TensorDataset(x, y), **options)
    theirs = torch_data.DataLoader(
        torch_data.TensorDataset(torch.tensor(x.numpy()), torch.tensor(y.numpy())), **options
    )
    mg.manual_seed(5)
    torch.manual_seed(5)
    for _ in range(2):
        assert lists(ours) == lists(theirs)
    assert len(ours) == len(theirs)
    assert mg.rand(1).item() == pytest.approx(torch.rand(1).item())  # as much was drawn


@needs_torch
@pytest.mark.parametrize("n", [10, 8])
def test_loader_with_a_generator_is_pytorchs(n: int) -> None:
    x, y = tensors(n)
    ours_g, theirs_g = mg.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    ours = data.DataLoader(data.TensorDataset(x, y), 4, shuffle=True, generator=ours_g)
    theirs = torch_data.DataLoader(
        torch_data.TensorDataset(torch.tensor(x.numpy()), torch.tensor(y.numpy())),
        4,
        shuffle=True,
        generator=theirs_g,
    )
    for _ in range(2):
        for a, b in itertools.zip_longest(ours, theirs):
            assert lists([a]) == lists([b])
            assert mg.rand(1, generator=ours_g).item() == pytest.approx(
                torch.rand(1, generator=theirs_g).item()
            )
        state = mg.randperm(5, generator=ours_g).numpy().tolist()
        assert state == torch.randperm(5, generator=theirs_g).tolist()


def test_custom_collate_gets_the_samples() -> None:
    dataset = data.TensorDataset(*tensors(4))
    (batch,) = data.DataLoader(dataset, batch_size=4, collate_fn=keep)
    assert isinstance(batch, list) and len(batch) == 4
    assert isinstance(batch[0], tuple) and batch[2][1].item() == 2


def test_batches_do_not_share_the_datasets_memory() -> None:
    x, y = tensors()
    for bx, _ in data.DataLoader(data.TensorDataset(x, y), batch_size=4):
        assert not np.shares_memory(bx.numpy(), x.numpy())


def test_own_getitems() -> None:
    class Whole(Squares):
        def __getitems__(self, indices: list) -> list:
            assert all(type(i) is int for i in indices)
            return [self[i] for i in indices]

    first, *_ = data.DataLoader(Whole(), batch_size=3, shuffle=False)
    assert first[0].numpy().tolist() == [0, 1, 2]


def test_streams() -> None:
    loader = data.DataLoader(Stream(7), batch_size=3)
    assert [b.numpy().tolist() for b in loader] == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(list(data.DataLoader(Stream(7), batch_size=3, drop_last=True))) == 2
    assert list(data.DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]
    assert len(data.DataLoader(SizedStream(7), batch_size=3)) == 3
    with pytest.raises(TypeError):
        len(loader)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"num_workers": -1}, ValueError, "non-negative"),
        ({"timeout": -1}, ValueError, "timeout option"),
        ({"prefetch_factor": 2}, ValueError, "could only be specified in multiprocessing"),
        ({"persistent_workers": True}, ValueError, "needs num_workers > 0"),
        ({"sampler": [1], "shuffle": True}, ValueError, "mutually exclusive with shuffle"),
        ({"batch_sampler": [[1]], "batch_size": 2}, ValueError, "mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, ValueError, "disables auto-batching"),
        ({"batch_size": 0}, ValueError, "positive integer"),
        ({"multiprocessing_context": "fork"}, ValueError, "num_workers > 0"),
        ({"multiprocessing_context": "x", "num_workers": 1}, ValueError, "valid start method"),
        ({"multiprocessing_context": 3, "num_workers": 1}, TypeError, "valid context object"),
    ],
)
def test_refused_options(options: dict, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        data.DataLoader(Squares(), **options)


def test_refused_for_streams_and_later() -> None:
    with pytest.raises(ValueError, match="expected unspecified shuffle"):
        data.DataLoader(Stream(3), shuffle=True)
    with pytest.raises(ValueError, match="expected unspecified sampler"):
        data.DataLoader(Stream(3), sampler=[1])
    loader = data.DataLoader(Squares())
    with pytest.raises(ValueError, match="should not be set after"):
        loader.batch_size = 3


def test_errors_of_the_dataset_pass_through() -> None:
    with pytest.raises(KeyError, match="sample five"):
        list(data.DataLoader(Failing(), batch_size=2))


# -- worker processes ------------------------------------------------------------------------------


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
    with pytest.warns(UserWarning, match="was reported to be 2"):
        assert len(list(loader)) == 5


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
