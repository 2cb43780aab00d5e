"""Gradient modes: no_grad, enable_grad, set_grad_enabled, inference_mode, anomaly detection.

The mode belongs to a thread. Operations must read it in a nanosecond, so a global counter says how
many threads have recording off: while it is 0 nobody has to look at thread-local state.
"""

from __future__ import annotations

import functools
import inspect
import threading
import warnings
from collections.abc import Callable
from typing import Any

from ..kernels import fast


class _ThreadState(threading.local):
    grad = True
    inference = False
    running: Any = None  # under anomaly detection, the node whose backward runs
    saved_hooks: tuple = ()  # (pack, unpack) of `saved_tensors_hooks`, the innermost last
    no_saved_hooks: str | None = None  # why such hooks are forbidden
    task: Any = None  # of the backward that runs: (roots, wanted), while `tasks_noted`


state = _ThreadState()
_lock = threading.Lock()
_warned: set[str] = set()
# Threads that have recording switched off. A thread that ends while off leaves its count behind:
# others are then a little slower, never wrong.
threads_off = 0


def warn_once(message: str) -> None:
    """Warns the caller's caller, the first time in this process."""
    if message not in _warned:
        _warned.add(message)
        warnings.warn(message, UserWarning, stacklevel=3)


def is_grad_enabled() -> bool:
    """Whether operations of this thread are recorded."""
    return threads_off == 0 or state.grad


def set_recording(on: bool) -> bool:
    """Switches recording for this thread and returns what it was. Inference mode keeps it off."""
    global threads_off
    before = state.grad
    on = on and not state.inference
    if before is not on:
        with _lock:
            threads_off += -1 if on else 1
        state.grad = on
        fast.set_recording(on)
    return before


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`."""
    return state.inference


def _set_inference(on: bool, recording: bool) -> None:
    state.inference = on
    fast.set_inference(on)
    set_recording(recording)


def unrecorded() -> str:
    """Why this thread does not record, as the last entry of `Variable._view`."""
    return "inference" if state.inference else "no_grad"


class _Mode:
    """A context manager that is also a decorator, for functions and for generators."""

    def clone(self) -> _Mode:
        return self.__class__()

    def __enter__(self) -> None:
        raise NotImplementedError

    def __exit__(self, *exc: object) -> None:
        raise NotImplementedError

    def __call__(self, function: Callable) -> Callable:
        if inspect.isclass(function):
            function.__init__ = self(function.__init__)  # type: ignore[method-assign]
            return function
        if inspect.isgeneratorfunction(function):
            return self._wrap_generator(function)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return wrapped

    def _wrap_generator(self, function: Callable) -> Callable:
        # The mode holds only while the generator's own code runs, not between its values.
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            try:
                with self.clone():
                    value = next(generator)
                while True:
                    try:
                        sent = yield value
                    except GeneratorExit:
                        with self.clone():
                            generator.close()
                        raise
                    except BaseException as error:
                        with self.clone():
                            value = generator.throw(error)
                    else:
                        with self.clone():
                            value = generator.send(sent)
            except StopIteration as stop:
                return stop.value

        return wrapped


class set_grad_enabled(_Mode):
    """Switches recording on or off: at once as a function, until the block's end as a context."""

    def __init__(self, mode: bool):
        if mode.__class__ is not bool:
            raise TypeError(
                f"set_grad_enabled: mode is a {mode.__class__.__name__}; needed: a bool"
            )
        self._mode = mode
        self._before = set_recording(self._mode)

    def clone(self) -> set_grad_enabled:
        return set_grad_enabled(self._mode)

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self._mode})"

    def __call__(self, function: Callable) -> Callable:
        set_recording(self._before)  # as a decorator it must not act before the call
        return super().__call__(function)

    def __enter__(self) -> None:
        set_recording(self._mode)

    def __exit__(self, *exc: object) -> None:
        set_recording(self._before)


class no_grad(_Mode):
    """Operations inside are not recorded; results do not require grad."""

    def __new__(cls, function: Callable | None = None) -> Any:
        self = super().__new__(cls)
        return self if function is None else self(function)

    def __enter__(self) -> None:
        self._before = set_recording(False)

    def __exit__(self, *exc: object) -> None:
        set_recording(self._before)


class enable_grad(no_grad):
    """Operations inside are recorded, also within `no_grad`."""

    def __enter__(self) -> None:
        self._before = set_recording(True)


class inference_mode(_Mode):
    """As `no_grad`, and new tensors inside are inference tensors.

    Outside, those cannot be written in place, saved for backward or made to require grad: `clone()`
    gives a normal tensor. `inference_mode(False)` switches back to normal tensors and recording.
    """

    _mode: bool

    def __new__(cls, mode: bool | Callable = True) -> Any:
        self = super().__new__(cls)
        if isinstance(mode, bool):
            self._mode = mode
            return self
        self._mode = True
        return self(mode)

    def clone(self) -> inference_mode:
        return inference_mode(self._mode)

    def __enter__(self) -> None:
        self._before = (state.grad, state.inference)
        _set_inference(self._mode, not self._mode)

    def __exit__(self, *exc: object) -> None:
        _set_inference(self._before[1], self._before[0])


# Anomaly detection is global, as in PyTorch.
anomaly = False
anomaly_check_nan = True
# Whether every recorded node is looked at: under anomaly detection, or while a thread has hooks on
# what is saved. Recording is then left to the Python code.
watched = False
_packing = 0  # how many hooks on what is saved are active in all threads
tasks_noted = False  # whether the backward loop says which roots it runs from; stays on


def push_saved_hooks(pair: tuple[Callable, Callable]) -> None:
    """Makes a pair of hooks the ones that what this thread saves passes through."""
    global _packing
    if state.no_saved_hooks is not None:
        raise RuntimeError(state.no_saved_hooks)
    state.saved_hooks = (*state.saved_hooks, pair)
    with _lock:
        _packing += 1
        _watch()


def pop_saved_hooks() -> None:
    """Takes back the last `push_saved_hooks`."""
    global _packing
    state.saved_hooks = state.saved_hooks[:-1]
    with _lock:
        _packing -= 1
        _watch()


def _watch() -> None:
    global watched
    watched = anomaly or _packing > 0
    fast.set_anomaly(watched)


def is_anomaly_enabled() -> bool:
    """Whether backward errors name the forward operation that they belong to."""
    return anomaly


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection looks for NaN."""
    return anomaly_check_nan


class set_detect_anomaly(_Mode):
    """Switches anomaly detection: at once as a function, until the block's end as a context.

    With it on, an error in backward warns where the forward operation was called, and a backward
    that returns NaN (with `check_nan`) raises RuntimeError.
    """

    def __init__(self, mode: bool = True, check_nan: bool = True):
        self._args = (mode, check_nan)
        self._before = (anomaly, anomaly_check_nan)
        _set(self._args)

    def clone(self) -> set_detect_anomaly:
        return self.__class__(*self._args)

    def __enter__(self) -> None:
        _set(self._args)

    def __exit__(self, *exc: object) -> None:
        _set(self._before)


class detect_anomaly(set_detect_anomaly):
    """`with detect_anomaly(check_nan=True): ...`"""

    def __init__(self, check_nan: bool = True):
        self._args = (True, check_nan)
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should "
            "only be enabled for debugging.",
            UserWarning,
            stacklevel=2,
        )

    def clone(self) -> detect_anomaly:
        return detect_anomaly(self._args[1])

    def __enter__(self) -> None:
        self._before = (anomaly, anomaly_check_nan)
        super().__enter__()


def _set(values: tuple[bool, bool]) -> None:
    global anomaly, anomaly_check_nan
    with _lock:
        anomaly, anomaly_check_nan = values
        _watch()
