"""Samplers: PyTorch's orders for the same seeds."""

from __future__ import annotations

from typing import Any

import pytest

import minigrad as mg
from minigrad import distributed
from minigrad.utils import data

try:
    import torch
    import torch.utils.data as torch_data
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


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


def test_distributed_sampler_asks_the_process_group(tmp_path: Any) -> None:
    distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        sampler = data.DistributedSampler(range(10), shuffle=False)
        assert (sampler.num_replicas, sampler.rank, list(sampler)) == (1, 0, list(range(10)))
        assert data.DistributedSampler(range(10), num_replicas=2, shuffle=False).rank == 0
    finally:
        distributed.destroy_process_group()
