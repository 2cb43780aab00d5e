"""The data loader in one process, beside PyTorch's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from datasets import Failing, SizedStream, Squares, Stream, keep, lists, tensors

import minigrad as mg
from minigrad.utils import data

try:
    import torch
    import torch.utils.data as torch_data
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


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


def test_a_timeout_needs_workers() -> None:
    with pytest.raises(AssertionError, match="timeout must be 0"):
        iter(data.DataLoader(Squares(), timeout=1))


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


def test_pinning_is_accepted_with_a_warning() -> None:
    loader = data.DataLoader(Squares(2), pin_memory=True)
    with pytest.warns(UserWarning, match="no accelerator is found"):
        assert len(list(loader)) == 2


def test_loaders_that_never_end_as_programs_make_them():
    class Repeated:
        def __init__(self, sampler):
            self.sampler = sampler

        def __iter__(self):
            while True:
                yield from self.sampler

    class Endless(data.DataLoader):
        def __init__(self, *args):
            super().__init__(*args)
            self._DataLoader__initialized = False  # PyTorch's name, which guards the samplers
            self.batch_sampler = Repeated(self.batch_sampler)
            self._DataLoader__initialized = True
            self.iterator = super().__iter__()

        def __iter__(self):
            for _ in range(2):
                yield next(self.iterator)

    loader = Endless(list(range(5)), 4)
    assert [[b.tolist() for b in loader] for _ in range(2)] == [[[0, 1, 2, 3], [4]]] * 2
    with pytest.raises(ValueError, match="batch_sampler attribute should not be set after Endless"):
        loader.batch_sampler = None
    assert isinstance(loader.iterator, data.dataloader._BaseDataLoaderIter)
    assert type(loader.iterator).__name__ == "_SingleProcessDataLoaderIter"
