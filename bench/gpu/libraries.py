"""The libraries that are compared, each with its tensors on a device, and what they answer."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any

import numpy as np

SAMPLE = 20_000  # numbers of an answer that are compared
PEERS = ("torch", "cupy")


class Modules:
    """A library's `nn`, whose layers begin with the CPU's random numbers: they are everyone's."""

    def __init__(self, library: Any, device: str):
        self._nn, self._device = library.nn, device

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._nn, name)
        if not isinstance(found, type) or not issubclass(found, self._nn.Module):
            return found
        if name in ("Module", "Sequential"):
            return found  # base classes of networks, and what holds layers that are there already
        return lambda *args, **kwargs: found(*args, **kwargs).to(self._device)


class OnDevice:
    """A library for `bench/cases`: what it makes of NumPy's arrays lies on a device."""

    def __init__(self, library: ModuleType, place: str, dtype: str = ""):
        self._library, self.place, self._dtype = library, place, dtype
        self.__name__ = library.__name__
        self.nn = Modules(library, place)

    def typed(self, dtype: str) -> OnDevice:
        """The same, which gives floating-point arrays this type."""
        return OnDevice(self._library, self.place, dtype)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def from_numpy(self, array: np.ndarray) -> Any:
        made = self._library.from_numpy(array).to(self.place)
        if self._dtype and array.dtype.kind == "f":
            made = made.to(getattr(self._library, self._dtype))
        return made

    def arange(self, *args: Any, **kwargs: Any) -> Any:
        return self._library.arange(*args, device=self.place, **kwargs)

    def ones(self, *args: Any, **kwargs: Any) -> Any:
        return self._library.ones(*args, device=self.place, **kwargs)

    def allow_tf32(self, allowed: bool) -> None:
        """Whether products and convolutions of float32 may be rounded to TF32."""
        self._library.backends.cuda.matmul.allow_tf32 = allowed
        self._library.backends.cudnn.allow_tf32 = allowed


def installed(peer: str) -> bool:
    return importlib.util.find_spec(peer) is not None


def load(peers: tuple[str, ...]) -> dict[str, Any]:
    """minigrad and those of the peers that are there: {name: library}.

    PyTorch without CUDA computes on the CPU: its answers are of use, its times are not.
    """
    loaded: dict[str, Any] = {"minigrad": OnDevice(importlib.import_module("minigrad"), "cuda")}
    if "torch" in peers and installed("torch"):
        torch = importlib.import_module("torch")
        loaded["torch"] = OnDevice(torch, "cuda" if torch.cuda.is_available() else "cpu")
    if "cupy" in peers:
        loaded["cupy"] = importlib.import_module("cupy")
    return loaded


def to_numpy(value: Any) -> np.ndarray:
    """An answer's array as float64 on the CPU."""
    if hasattr(value, "detach"):
        value = value.detach()
        if "float16" in str(value.dtype):  # bfloat16 too
            value = value.float()
        value = value.cpu().numpy()
    elif hasattr(value, "get"):
        value = value.get()
    return np.asarray(value).astype(np.float64)


def thinned(value: Any) -> Any:
    """About SAMPLE elements of a large answer, taken on the device."""
    if not hasattr(value, "reshape") or value.ndim == 0:
        return value
    flat = value.reshape(-1)
    return flat[:: max(1, flat.shape[0] // SAMPLE)]


def answer(result: Any) -> list[list[float]]:
    """What a run returned, thinned out: [largest magnitude, sample...] of each array."""
    answers = []
    for part in result if isinstance(result, (list, tuple)) else [result]:
        sample = to_numpy(thinned(part)).reshape(-1)
        largest = float(np.abs(sample[np.isfinite(sample)]).max(initial=0))
        answers.append([largest, *sample.tolist()])
    return answers
