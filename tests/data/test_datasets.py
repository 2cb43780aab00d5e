"""Datasets, splitting and collating, beside PyTorch's."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import pytest
from datasets import Squares, Stream, tensors

import minigrad as mg
from minigrad.utils import data

try:
    import torch
    import torch.utils.data as torch_data
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


def test_tensor_dataset() -> None:
    x, y = tensors()
    dataset = data.TensorDataset(x, y)
    assert len(dataset) == 10
    row, label = dataset[3]
    assert row.numpy().tolist() == [9, 10, 11] and label.item() == 3
    samples = dataset.__getitems__([1, 4])
    assert len(samples) == 2 and samples[1][1].item() == 4
    assert [s[1].item() for s in samples] == [1, 4]
    assert dataset.__getitems__(mg.tensor([1, 4]))[1][1].item() == 4
    assert dataset.__getitems__([mg.tensor(1), 4])[0][1].item() == 1
    with pytest.raises(IndexError, match="only integers, slices"):
        dataset.__getitems__([1.5])
    with pytest.raises(IndexError, match="list index out of range"):
        list(data.DataLoader(dataset, batch_sampler=[[]]))
    with pytest.raises(AssertionError, match="Size mismatch"):
        data.TensorDataset(x, mg.zeros(9))
    with pytest.raises(IndexError, match="no dimensions"):
        data.TensorDataset(mg.tensor(1.0))
    with pytest.raises(AttributeError, match="no attribute 'size'"):
        data.TensorDataset([1, 2])


def test_concat_chain_subset_stack() -> None:
    both = Squares(3) + Squares(2)
    assert len(both) == 5
    assert [both[i][0] for i in range(5)] == [0, 1, 2, 0, 1]
    assert both[-1][0] == 1
    with pytest.raises(ValueError, match="absolute value"):
        both[-6]
    assert list(Stream(2) + Stream(3)) == [0, 1, 0, 1, 2]
    with pytest.raises(TypeError, match="__iter__"):
        data.IterableDataset()
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
    with pytest.raises(TypeError):
        data.random_split(Squares(), [5.5, 4.5])


Point = collections.namedtuple("Point", "x y")
SAMPLES = [
    [1, 2],
    [1.5, 2.5],
    [True, False],
    ["a", "b"],
    [np.str_("a"), np.str_("b")],
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
    masked = np.ma.array([1, 2], mask=[True, False])
    assert data.default_convert(masked) is masked  # a tensor would show what is masked
    stacked = data.default_collate([mg.ones(2), mg.zeros(2)])
    assert stacked.numpy().tolist() == [[1, 1], [0, 0]]
    image = mg.ones(2, 3, 4, 5).to(memory_format=mg.channels_last)
    assert data.default_collate([image, image]).stride() == mg.stack([image, image]).stride()
    leaf = mg.ones(2).requires_grad_()
    data.default_collate([leaf, leaf]).sum().backward()
    assert leaf.grad.numpy().tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="each element in list of batch"):
        data.default_collate([(1, 2), (1,)])
    for batch in ([object()], [np.array(["a"])], [None]):
        with pytest.raises(TypeError, match="batch must contain"):
            data.default_collate(batch)
    with pytest.raises(TypeError, match="found Tensor, int in one batch"):
        data.default_collate([mg.ones(2), 1])
    with pytest.raises(RuntimeError, match="equal size"):
        data.default_collate([mg.ones(2), mg.ones(3)])
