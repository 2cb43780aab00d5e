"""CUDA graphs: the work of a block of code, captured once and launched again as a whole.

Captured work reads and writes the same memory at each launch. What it allocates comes from a pool
of the graph's own, so that nobody else gets that memory while the graph lives. Numbers computed by
Python are captured as they were, but for dropout's place in its stream, which each launch moves on.
"""

from __future__ import annotations

import gc
from typing import Any

import numpy as np

from ..backend import device as _device
from ..generator import default_of
from ..kernels.cuda_array import CudaArray
from ..kernels.cuda_library import library
from ._devices import cupy, index_of, synchronize
from ._streams import Stream, StreamContext


def graph_pool_handle() -> Any:
    """A pool of memory that several graphs may share, if they are launched one after the other."""
    return cupy().cuda.MemoryPool()


class Draws:
    """What a captured graph takes of a generator's counter-based stream, from anew at each launch.

    Captured kernels read their offsets from the device: `advance` writes them before a launch.
    """

    MOST = 8192  # kernels that draw in one graph

    def __init__(self, generator: Any):
        self._generator, self._seed = generator, generator.initial_seed()
        self._offsets = cupy().zeros(self.MOST, "int64")
        self._begins: list[int] = []
        self._relative: Any = None
        self._total = 0

    def reserve(self, n: int) -> tuple[int, Any]:
        """(seed, offset on the device) for `n` numbers of each launch."""
        at = len(self._begins)
        if at == self.MOST:
            raise RuntimeError(f"a CUDA graph may draw {self.MOST} masks of dropout, not more")
        self._begins.append(self._total)
        self._total += n
        return self._seed, CudaArray(self._offsets[at : at + 1])

    def finish(self) -> None:
        """Ends the capture."""
        if self._begins:
            self._relative = cupy().asarray(np.array(self._begins))

    def advance(self) -> None:
        """The ranges of the next launch. RuntimeError if another seed was set since the capture."""
        if self._relative is None:
            return
        seed, offset = self._generator.reserve(self._total)
        if seed != self._seed:
            raise RuntimeError(
                "CUDAGraph.replay: the generator was given another seed since the capture; "
                "needed: capture again"
            )
        cupy().add(self._relative, offset, out=self._offsets[: len(self._begins)])


class CUDAGraph:
    """Captured work. NoDevice where there is no device."""

    def __init__(self, keep_graph: bool = False):
        cupy()
        self._pool: Any = None
        self._graph: Any = None
        self._context: Any = None
        self._draws: Draws | None = None

    def capture_begin(self, pool: Any = None, capture_error_mode: str = "global") -> None:
        """Captures the work of the current stream, which must not be the default one, from now."""
        module = cupy().cuda
        stream = module.get_current_stream()
        if stream.ptr == 0:
            raise RuntimeError("CUDA graphs must be captured on a non-default stream.")
        self._generator = default_of(_device("cuda", index_of()))
        self._draws = self._generator._captured = Draws(self._generator)
        self._pool = graph_pool_handle() if pool is None else pool
        self._context = module.using_allocator(self._pool.malloc)
        self._context.__enter__()
        stream.begin_capture()

    def capture_end(self) -> None:
        """Ends the capture."""
        if self._context is None:
            raise RuntimeError("capture_end() must be preceded by a successful capture_begin()")
        self._context.__exit__(None, None, None)
        self._context = None
        self._generator._captured = None
        self._graph = cupy().cuda.get_current_stream().end_capture()
        if self._draws is not None:
            self._draws.finish()

    def replay(self) -> None:
        """Launches the captured work in the current stream."""
        if self._graph is None:
            raise RuntimeError("Called CUDAGraph::replay without a preceding successful capture.")
        if self._draws is not None:
            self._draws.advance()
        self._graph.launch(stream=cupy().cuda.get_current_stream())

    def reset(self) -> None:
        """Lets go of the captured work and its memory."""
        self._graph = self._pool = self._draws = None

    def pool(self) -> Any:
        """The pool that the captured work's memory comes from."""
        return self._pool


class graph:
    """`with graph(g):` captures the block's work into `g`, in a stream of its own."""

    default_capture_stream: Any = None

    def __init__(
        self,
        cuda_graph: CUDAGraph,
        pool: Any = None,
        stream: Any = None,
        capture_error_mode: str = "global",
    ):
        cupy()
        if stream is None:
            if graph.default_capture_stream is None:
                graph.default_capture_stream = Stream()
            stream = graph.default_capture_stream
        self.pool, self.capture_stream, self.cuda_graph = pool, stream, cuda_graph
        self.capture_error_mode = capture_error_mode
        self._context = StreamContext(stream)

    def __enter__(self) -> None:
        synchronize()
        gc.collect()
        self._context.__enter__()
        self.cuda_graph.capture_begin(self.pool, self.capture_error_mode)

    def __exit__(self, *exc: object) -> None:
        try:
            self.cuda_graph.capture_end()
        finally:
            self._context.__exit__(*exc)


def is_current_stream_capturing() -> bool:
    """Whether a graph is being captured."""
    return not library().reason and cupy().cuda.get_current_stream().is_capturing()
