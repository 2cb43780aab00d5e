"""Batches of workers in shared memory: those that are held keep their values, slots come again."""

from __future__ import annotations

import multiprocessing
import pickle
from typing import Any

import pytest
from child_processes import Images

import minigrad as mg
from minigrad.utils import data
from minigrad.utils.data import arena, worker

pytestmark = pytest.mark.skipif(not arena.available(), reason="no files without a name here")


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_batches_that_are_held_keep_their_values(context: str) -> None:
    workers = 1 if context == "spawn" else 2
    loader = data.DataLoader(Images(), 4, num_workers=workers, multiprocessing_context=context)
    held = list(loader)  # longer than the workers and the loader live
    assert not multiprocessing.active_children()
    for i, batch in enumerate(held):
        expected = list(range(4 * i, 4 * i + 4))
        assert batch["y"].tolist() == expected and batch["name"] == [str(e) for e in expected]
        assert batch["x"].dtype == mg.float32 and batch["half"].dtype == mg.bfloat16
        for key in ("x", "half"):
            assert (batch[key].float() == mg.tensor(expected).float()[:, None]).all()
        assert batch["x"].numpy().ctypes.data % 64 == 0
        batch["x"].mul_(0)  # each has memory of its own


def slots_of(iterator: Any) -> int:
    return sum(len(memory._pages) for memory in iterator._memories)


def test_slots_are_used_again() -> None:
    loader = data.DataLoader(Images(160), 4, num_workers=1, persistent_workers=True)
    for _ in range(3):
        for batch in loader:
            assert (batch["x"] == batch["y"][:, None]).all()
        next(iter(loader))  # an unfinished pass: what nobody reads is given back, too
    assert slots_of(loader._iterator) <= 6
    kept = [batch["x"][1] for batch in loader]  # a view keeps the slot of its batch
    assert [int(x[0]) for x in kept] == list(range(1, 160, 4))
    assert slots_of(loader._iterator) >= 40


def test_views_of_a_batch_that_is_gone_keep_it() -> None:
    writer = arena.Writer()
    reader = writer.reader()

    def sent(value: float) -> Any:
        message, place = worker._batch_bytes(mg.full((5000,), value), writer)
        assert place is not None and len(message) < 1000
        return pickle.loads(message, buffers=reader.buffers(place))

    first = sent(1.0)
    view, second = first[10:20], sent(2.0)
    del first
    assert reader.gone() == []
    del second
    assert reader.gone() == [1]
    writer.release([1])
    third = sent(3.0)
    assert len(reader._pages) == 2  # the same slot
    assert view.sum().item() == 10.0 and third[0].item() == 3.0
    del view
    assert reader.gone() == [0]
    reader.close()
    assert (third == 3).all()


def test_small_batches_travel_in_the_pipe() -> None:
    writer = arena.Writer()
    message, place = worker._batch_bytes([mg.ones(8), "a"], writer)
    assert place is None and pickle.loads(message)[0].sum().item() == 8
    writer.reader().close()


def test_without_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena, "available", lambda: False)
    loader = data.DataLoader(Images(), 5, num_workers=1)
    assert sum(batch["x"][:, 0].sum().item() for batch in loader) == sum(range(24))
