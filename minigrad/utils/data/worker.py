"""What runs in a worker process of a `DataLoader`: fetching, and carrying errors home."""

from __future__ import annotations

import dataclasses
import functools
import io
import os
import pickle
import queue
import random as python_random
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ... import random
from ...kernels import cpu
from ...tensor import Tensor
from . import arena
from .collate import default_collate
from .dataset import IterableDataset, Samples

POLL_SECONDS = 0.5  # how often an idle worker looks whether it is still needed
STOP, RESUME = "stop", "resume"
END = "end"  # the answer when a worker's stream is exhausted


@dataclasses.dataclass(frozen=True)
class WorkerInfo:
    """What a worker process knows of itself: `id`, `num_workers`, `seed` and its `dataset`."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """The `WorkerInfo` of this worker process; None in the main process."""
    return _info


class _Message(str):
    """A text whose repr is itself: KeyError prints the repr of its argument."""

    def __repr__(self) -> str:
        return str(self)


class WorkerError:
    """An exception on its way to the main process, with its traceback as text."""

    def __init__(self, where: str):
        kind, _, _ = sys.exc_info()
        assert kind is not None
        self.kind = kind
        self.text = traceback.format_exc()
        self.where = where

    def reraise(self) -> None:
        """Raises an exception of the same class that tells where it came from."""
        text = f"Caught {self.kind.__name__} in {self.where}.\nOriginal {self.text}"
        try:
            error = self.kind(_Message(text) if issubclass(self.kind, KeyError) else text)
        except Exception:  # a class whose constructor wants something else
            error = RuntimeError(text)
        try:
            raise error
        finally:
            del error  # its traceback holds this frame, and with it the iterator


def fetcher(dataset: Any, collate: Callable, batched: bool, drop_last: bool) -> Callable:
    """The function that makes a batch (or one sample) of what the sampler gave."""
    if isinstance(dataset, IterableDataset):
        return _StreamFetcher(dataset, collate, batched, drop_last)
    if not batched:
        return lambda index: collate(dataset[index])
    whole = getattr(dataset, "__getitems__", None)
    if not callable(whole):
        return lambda indices: collate([dataset[i] for i in indices])

    def fetch(indices: Any) -> Any:
        samples = whole(indices)
        if samples.__class__ is Samples and collate is not default_collate:
            samples = list(samples)
        return collate(samples)

    return fetch


class _StreamFetcher:
    """Batches of a stream; StopIteration at its end, again and again."""

    def __init__(self, dataset: Any, collate: Callable, batched: bool, drop_last: bool):
        self.stream: Iterator = iter(dataset)
        self.collate, self.batched, self.drop_last = collate, batched, drop_last
        self.ended = False

    def __call__(self, indices: Any) -> Any:
        if self.ended:
            raise StopIteration
        if not self.batched:
            return self.collate(next(self.stream))
        batch = []
        for _ in indices:
            try:
                batch.append(next(self.stream))
            except StopIteration:
                self.ended = True
                break
        if not batch or (self.drop_last and len(batch) < len(indices)):
            raise StopIteration
        return self.collate(batch)


def seed_everything(base_seed: int, worker_id: int) -> None:
    """Seeds minigrad and Python with base_seed + worker_id, NumPy with a hash of the two."""
    seed = base_seed + worker_id
    python_random.seed(seed)
    random.manual_seed(seed)
    entropy = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(entropy).generate_state(4))


class _Source:
    """A worker's fetcher, or the error that kept it from being made."""

    def __init__(self, make_fetcher: tuple, where: str):
        self.make_fetcher, self.where = make_fetcher, where
        self.stream = isinstance(make_fetcher[0], IterableDataset)
        self.fetch: Any = None
        self.failure: WorkerError | None = None
        self.told = False

    def start(self, init: Callable[[], None] | None = None) -> None:
        """Begins a pass over the dataset."""
        self.failure, self.told = None, False
        try:
            if init is not None:
                init()
            self.fetch = fetcher(*self.make_fetcher)
        except Exception:
            self.failure = WorkerError(self.where)

    def answer(self, indices: Any, memory: arena.Writer | None) -> tuple[bytes, Any]:
        """A batch, an error or the end, pickled; and the place of its arrays in `memory`.

        A stream that failed to start then ends.
        """
        try:
            if self.failure is None:
                return _batch_bytes(self.fetch(indices), memory)
            if self.stream and self.told:
                return pickle.dumps(END), None
            self.told = True
            return _pickled(self.failure), None
        except StopIteration:
            end = pickle.dumps(END) if self.stream else _pickled(WorkerError(self.where))
            return end, None
        except Exception:
            return _pickled(WorkerError(self.where)), None


def run(
    tasks: Any, results: Any, done: Any, make_fetcher: tuple, base_seed: int, worker_id: int,
    num_workers: int, init_fn: Callable | None, memory: arena.Writer | None,
) -> None:  # fmt: skip
    """The life of a worker: answers each (number, indices, slots of `memory` that are free again).

    An answer is (number, worker, pickle, place of the arrays in `memory`, or None). What is sent is
    pickled here and not by the queue's thread, so that an error is seen.
    """
    global _info
    parent = os.getppid()
    cpu._C.set_num_threads(1)  # the workers share the processors
    seed_everything(base_seed, worker_id)
    _info = WorkerInfo(worker_id, num_workers, base_seed + worker_id, make_fetcher[0])
    source = _Source(make_fetcher, f"DataLoader worker process {worker_id}")
    try:
        source.start(None if init_fn is None else functools.partial(init_fn, worker_id))
        while (task := _next(tasks, done, parent)) is not None:
            number, indices, gone = task
            if memory is not None:
                memory.release(gone)
            if number == RESUME:
                source.start()
                results.put((RESUME, worker_id, b"", None))
            else:
                results.put((number, worker_id, *source.answer(indices, memory)))
    except KeyboardInterrupt:
        pass  # the main process raises it
    if done.is_set():
        results.cancel_join_thread()
        results.close()


class _BatchPickler(pickle.Pickler):
    """Refuses tensors with a graph behind them: it would stay here, and gradients be lost."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor) and not obj.is_leaf:
            raise RuntimeError(
                "DataLoader: a worker's batch holds a tensor that requires grad and is not a leaf, "
                "whose graph cannot leave the worker process; needed: tensors without a graph, as "
                "detach() gives them"
            )
        return NotImplemented


def _batch_bytes(batch: Any, memory: arena.Writer | None) -> tuple[bytes, Any]:
    """A batch, pickled, and the place in `memory` of its arrays; None if they are in the pickle."""
    out = io.BytesIO()
    if memory is not None:
        buffers: list = []
        _BatchPickler(out, protocol=5, buffer_callback=buffers.append).dump(batch)
        place = memory.place(buffers)
        if place is not None or not buffers:
            return out.getvalue(), place
        out = io.BytesIO()
    _BatchPickler(out, protocol=5).dump(batch)
    return out.getvalue(), None


def _pickled(error: WorkerError) -> bytes:
    """A WorkerError as bytes; one whose class does not pickle becomes a RuntimeError."""
    try:
        return pickle.dumps(error, protocol=5)
    except Exception:
        error.kind = RuntimeError
        return pickle.dumps(error, protocol=5)


def _next(tasks: Any, done: Any, parent: int) -> Any:
    """The next task; None when the worker must end: told so, or the main process is gone."""
    while True:
        try:
            task = tasks.get(timeout=POLL_SECONDS)
        except queue.Empty:
            if done.is_set() or os.getppid() != parent:
                return None
            continue
        if task == STOP or done.is_set():
            return None
        return task
