"""Devices in files: where a tensor lay when it was saved, and where it is to lie when read."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import address_of, as_device, device, device_of, move, namespace, on_gpu, owner_of


class Hosts:
    """Copies on the CPU of memory on GPUs, one for all tensors that share it."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}

    def of(self, array: Any) -> tuple[Any, str]:
        """(the array on the CPU, its location's name)."""
        if not on_gpu(array):
            return array, "cpu"
        owner = owner_of(array)
        key = address_of(owner)
        pair = self._known.get(key)
        if pair is None:
            pair = self._known[key] = (move(owner, device("cpu")), owner)  # which stays alive
        host, where = pair[0], str(device_of(array))
        if not array.size or (array.shape, array.strides) == (host.shape, host.strides):
            return (host if array.size else np.empty(array.shape, array.dtype)), where
        return np.ndarray(
            array.shape, array.dtype, host.data, address_of(array) - key, array.strides
        ), where


NOT_THERE = (
    "Attempting to deserialize object on a {} device, but it is not available here. If you are "
    "running on a CPU-only machine, please use load with map_location=minigrad.device('cpu') to "
    "map your storages to the CPU."
)


def target_of(location: str, map_location: Any) -> device | None:
    """The device for a storage that lay at `location`; None: it is not one that can be used."""
    if isinstance(map_location, dict):
        location = map_location.get(location, location)
        map_location = None
    if map_location is not None:
        return as_device(map_location)
    try:
        return as_device(location)
    except RuntimeError:
        return None


def there(array: np.ndarray, raw: np.ndarray, where: device, known: dict) -> Any:
    """An array over the bytes `raw` as one on a device, sharing memory there as it does here.

    `known` keeps what was moved: the bytes, by the number that the caller has for them.
    """
    if where.type != "cuda" or not array.size:
        return move(array, where)
    key = raw.__array_interface__["data"][0]
    moved = known.get(key)
    if moved is None:
        moved = known[key] = move(raw, where)
    item = array.itemsize
    start = (array.__array_interface__["data"][0] - key) // item
    flat = moved[: raw.size // item * item].view(array.dtype)
    return namespace(moved).lib.stride_tricks.as_strided(flat[start:], array.shape, array.strides)
