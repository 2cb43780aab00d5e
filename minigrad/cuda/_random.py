"""Random numbers for tensors on CUDA devices: each device has a generator.

They are the very numbers that a CPU generator gives for the same seed, made on the CPU and copied;
dropout's masks are made on the device, by the same counter-based stream as on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..backend import device as _device
from ..generator import Generator, default_generator, default_of
from ..kernels.cuda_library import library
from ._devices import index_of


def _generator(device: Any = None) -> Generator:
    return default_of(_device("cuda", index_of(device)))


def generators() -> tuple[Generator, ...]:
    """The generators of all devices."""
    return tuple([_generator(i) for i in range(library().devices)])


def manual_seed(seed: int) -> None:
    """The seed of the current device's random numbers; without one there is nothing to seed."""
    seed = int(seed)
    if not library().reason:
        _generator().manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """The seed of all devices' random numbers; without one there is nothing to seed."""
    seed = int(seed)
    for generator in generators():
        generator.manual_seed(seed)


def seed() -> None:
    """A random seed for the current device; without one there is nothing to seed."""
    if not library().reason:
        _generator().seed()


def seed_all() -> None:
    """A random seed for all devices, the same for each."""
    manual_seed_all(default_generator.clone_state().seed())


def initial_seed() -> int:
    """The seed of the current device's random numbers."""
    return _generator().initial_seed()


def get_rng_state(device: Any = "cuda") -> Any:
    """The state of a device's generator as a uint8 tensor (on the CPU)."""
    return _generator(device).get_state()


def get_rng_state_all() -> list:
    """The states of all devices' generators."""
    return [generator.get_state() for generator in generators()]


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Sets the state of a device's generator; without a device nothing is done."""
    if not library().reason:
        _generator(device).set_state(new_state)


def set_rng_state_all(new_states: Iterable) -> None:
    """Sets the states of all devices' generators. NoDevice for a state without a device."""
    for i, state in enumerate(new_states):
        _generator(i).set_state(state)
