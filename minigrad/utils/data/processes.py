"""The main process's side of a `DataLoader` with workers: handing out work, collecting batches."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import queue
import time
import warnings
from collections.abc import Iterator
from typing import Any

from . import arena, worker
from .dataset import IterableDataset
from .sampler import draw_seed

_JOIN_SECONDS = 5.0
_POLL_SECONDS = 1.0  # how often a wait for results looks whether the workers are alive
_ENDED = object()  # in place of a result of a stream that had ended


class ToldLength:
    """Warns when a loader yields more batches than the length that its stream told `len(loader)`.

    A stream counts samples and not batches, so only batches of one sample are counted well: so
    does PyTorch, and a warning of its own would stop programs that make errors of warnings.
    """

    def __init__(self, loader: Any):
        self.told = loader._told
        self.dataset = loader.dataset
        self.hint = ""
        if loader.num_workers:
            self.hint = (
                " For multiprocessing data-loading, this could be caused by not properly "
                "configuring the IterableDataset replica at each worker."
            )
        self.yielded = 0

    def count(self) -> None:
        """Notes that one more batch is handed out."""
        self.yielded += 1
        if self.told is not None and self.yielded == self.told + 1:
            warnings.warn(
                f"Length of IterableDataset {self.dataset} was reported to be {self.told} (when "
                f"accessing len(dataloader)), but {self.yielded} samples have been fetched."
                f"{self.hint}",
                stacklevel=3,
            )


class _BaseDataLoaderIter:
    """One pass over a loader. The names of these classes are PyTorch's: programs look for them."""

    _index_sampler: Any

    def __iter__(self) -> Any:
        return self

    def __len__(self) -> int:
        return len(self._index_sampler)


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """One pass over a loader with workers (several passes if they are persistent).

    Tasks are numbered and go to the workers in turn; every task is answered exactly once. Results
    are handed out by number, or as they come with `in_order=False`.
    """

    def __init__(self, loader: Any):
        # The loader itself is not kept: it keeps persistent workers, and would never be freed.
        self._index_sampler = loader._index_sampler
        self._prefetch = loader.prefetch_factor * loader.num_workers
        self._in_order = loader.in_order
        self._persistent = loader.persistent_workers
        self._length = ToldLength(loader)
        self._shut = False
        self._owner = os.getpid()
        self._timeout = loader.timeout
        context = loader.multiprocessing_context or multiprocessing.get_context()
        base_seed = draw_seed(loader.generator)
        self._stream = isinstance(loader.dataset, IterableDataset)
        self._results = context.Queue()
        self._done = context.Event()
        self._tasks = []
        self._workers = []
        self._memories: list[arena.Reader | None] = []
        source = (
            loader.dataset, loader.collate_fn, loader.batch_sampler is not None, loader.drop_last,
        )  # fmt: skip
        for i in range(loader.num_workers):
            tasks = context.Queue()
            tasks.cancel_join_thread()
            memory = arena.Writer() if arena.available() else None
            process = context.Process(
                target=worker.run,
                args=(
                    tasks, self._results, self._done, source, base_seed, i, loader.num_workers,
                    loader.worker_init_fn, memory,
                ),
                daemon=True,
            )  # fmt: skip
            process.start()
            self._tasks.append(tasks)
            self._workers.append(process)
            self._memories.append(None if memory is None else memory.reader())
        self._begin()

    def _begin(self) -> None:
        self._indices: Iterator = iter(self._index_sampler)
        self._sent = 0  # the number of the next task
        self._next = 0  # the number of the next result to hand out
        self._pending: dict[int, int] = {}  # task -> worker, while it is not answered
        self._arrived: dict[int, Any] = {}  # results that came before their turn
        self._active = [True] * len(self._workers)
        self._turn = itertools.cycle(range(len(self._workers)))
        self._length.yielded = 0
        for _ in range(self._prefetch):
            self._send()

    def restart(self) -> None:
        """Begins another pass with the same workers."""
        if self._shut:
            raise RuntimeError("DataLoader: its workers have ended; needed: a new DataLoader")
        for source, tasks in enumerate(self._tasks):
            tasks.put((worker.RESUME, None, self._gone(source)))
        waiting = len(self._tasks)
        while waiting:  # answers to tasks of an unfinished pass are passed over
            number, source, _, place = self._receive()
            memory = self._memories[source]
            if number == worker.RESUME:
                waiting -= 1
            elif memory is not None:
                memory.discard(place)
        self._begin()

    def _send(self) -> None:
        """Gives the next batch of indices to the next worker that still works."""
        for _ in range(len(self._workers)):
            chosen = next(self._turn)
            if self._active[chosen]:
                break
        else:
            return
        try:
            indices = next(self._indices)
        except StopIteration:
            return
        self._tasks[chosen].put((self._sent, indices, self._gone(chosen)))
        self._pending[self._sent] = chosen
        self._sent += 1

    def _gone(self, source: int) -> list[int]:
        """Parts of a worker's memory that it may use again."""
        memory = self._memories[source]
        return [] if memory is None else memory.gone()

    def _receive(self) -> tuple:
        """The next answer (number, worker, message, place). RuntimeError if late or impossible."""
        deadline = time.monotonic() + self._timeout if self._timeout else None
        while True:
            wait = _POLL_SECONDS
            if deadline is not None:
                wait = min(wait, max(deadline - time.monotonic(), 0.0))
            try:
                return self._results.get(timeout=wait)
            except queue.Empty:
                dead = [w.pid for w in self._workers if not w.is_alive()]
                if dead:
                    self._shutdown()
                    pids = ", ".join(str(pid) for pid in dead)
                    raise RuntimeError(
                        f"DataLoader worker (pid(s) {pids}) exited unexpectedly"
                    ) from None
                if deadline is not None and time.monotonic() >= deadline:
                    self._shutdown()
                    raise RuntimeError(
                        f"DataLoader timed out after {self._timeout} seconds"
                    ) from None

    def __next__(self) -> Any:
        while self._pending or self._arrived:
            if self._next in self._arrived:
                result = self._arrived.pop(self._next)
                self._next += 1
                if result is _ENDED:  # a task whose stream had ended
                    continue
                return self._deliver(result)
            number, source, message, place = self._receive()
            del self._pending[number]
            memory = self._memories[source]
            buffers = None if place is None or memory is None else memory.buffers(place)
            result = pickle.loads(message, buffers=buffers)
            if isinstance(result, str) and result == worker.END and self._stream:
                self._active[source] = False
                result = _ENDED
            self._send()
            if self._in_order:
                self._arrived[number] = result
            elif result is not _ENDED:
                return self._deliver(result)
        if not self._persistent:
            self._shutdown()
        raise StopIteration

    def _deliver(self, result: Any) -> Any:
        if isinstance(result, worker.WorkerError):
            result.reraise()
        self._length.count()
        return result

    def _shutdown(self) -> None:
        """Ends the workers: asked first, then killed."""
        if self._shut:
            return
        self._shut = True
        if os.getpid() != self._owner:  # a forked process's copy; the workers are its parent's
            return
        self._done.set()
        for tasks in self._tasks:
            tasks.put(worker.STOP)
        deadline = time.monotonic() + _JOIN_SECONDS
        for process in self._workers:
            process.join(timeout=max(deadline - time.monotonic(), 0.0))
            if process.is_alive():
                process.terminate()
                process.join()
        for channel in (*self._tasks, self._results):
            channel.cancel_join_thread()
            channel.close()
        for memory in self._memories:
            if memory is not None:
                memory.close()

    def __del__(self) -> None:
        if "_shut" in vars(self) and "_workers" in vars(self):
            self._shutdown()
