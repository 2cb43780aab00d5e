"""CUDA graphs: the work of a block of code, captured once and launched again as a whole.

Captured work reads and writes the same memory at each launch. What it allocates comes from a pool
of the graph's own, so that nobody else gets that memory while the graph lives. Numbers computed by
Python, such as random ones and an optimizer's count of steps, are captured as they were.
"""

from __future__ import annotations

import gc
from typing import Any

from ..kernels.cuda_library import library
from ._devices import cupy, synchronize
from ._streams import Stream, StreamContext


def graph_pool_handle() -> Any:
    """A pool of memory that several graphs may share, if they are launched one after the other."""
    return cupy().cuda.MemoryPool()


class CUDAGraph:
    """Captured work. NoDevice where there is no device."""

    def __init__(self, keep_graph: bool = False):
        cupy()
        self._pool: Any = None
        self._graph: Any = None
        self._context: Any = None

    def capture_begin(self, pool: Any = None, capture_error_mode: str = "global") -> None:
        """Captures the work of the current stream, which must not be the default one, from now."""
        module = cupy().cuda
        stream = module.get_current_stream()
        if stream.ptr == 0:
            raise RuntimeError("CUDA graphs must be captured on a non-default stream.")
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
        self._graph = cupy().cuda.get_current_stream().end_capture()

    def replay(self) -> None:
        """Launches the captured work in the current stream."""
        if self._graph is None:
            raise RuntimeError("Called CUDAGraph::replay without a preceding successful capture.")
        self._graph.launch(stream=cupy().cuda.get_current_stream())

    def reset(self) -> None:
        """Lets go of the captured work and its memory."""
        self._graph = self._pool = None

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


def make_graphed_callables(callables: Any, sample_args: Any, **options: Any) -> Any:
    """Not offered: capture the whole step with `graph`. NotImplementedError."""
    cupy()
    raise NotImplementedError(
        "make_graphed_callables: not offered; needed: `with cuda.graph(g):` around the whole step"
    )
