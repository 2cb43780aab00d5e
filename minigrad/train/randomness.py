"""The state of everything that random numbers come from, as plain values that `save` takes."""

from __future__ import annotations

import random as _python
from typing import Any

import numpy as np

from ..random import Generator, get_rng_state, set_rng_state


def random_state(*generators: Any) -> dict[str, Any]:
    """The global states of minigrad, Python and NumPy, and those of the given generators.

    A generator is a `minigrad.Generator`, a `numpy.random.Generator` or a `random.Random`;
    TypeError for others.
    """
    name, words, used, has_gauss, gauss = np.random.get_state(legacy=True)
    return {
        "minigrad": get_rng_state(),
        "python": _python.getstate(),
        "numpy": (name, np.asarray(words).tolist(), used, has_gauss, gauss),
        "generators": [_state_of(g) for g in generators],
    }


def set_random_state(state: dict[str, Any], *generators: Any) -> None:
    """Restores what `random_state` gave, into as many generators. ValueError for other counts."""
    saved = state["generators"]
    if len(saved) != len(generators):
        raise ValueError(
            f"set_random_state: given {len(generators)} generators; needed: {len(saved)}, as when "
            "the state was taken"
        )
    set_rng_state(state["minigrad"])
    _python.setstate(_tuples(state["python"]))
    name, words, *rest = state["numpy"]
    np.random.set_state((name, np.array(words, np.uint32), *rest))
    for generator, value in zip(generators, saved):
        if isinstance(generator, Generator):
            generator.set_state(value)
        elif isinstance(generator, np.random.Generator):
            generator.bit_generator.state = value
        else:
            generator.setstate(_tuples(value))


def loader_generators(loader: Any) -> list[Any]:
    """The generators that a `DataLoader` and its samplers draw from, each once."""
    parts = [loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)]
    parts.append(getattr(parts[-1], "sampler", None))
    found: list[Any] = []
    for part in parts:
        generator = getattr(part, "generator", None)
        known = (Generator, np.random.Generator, _python.Random)
        if isinstance(generator, known) and all(generator is not g for g in found):
            found.append(generator)
    return found


def _state_of(generator: Any) -> Any:
    if isinstance(generator, Generator):
        return generator.get_state()
    if isinstance(generator, np.random.Generator):
        return _plain(generator.bit_generator.state)
    if isinstance(generator, _python.Random):
        return generator.getstate()
    raise TypeError(
        f"random_state: a generator is {type(generator).__name__}; needed: minigrad.Generator, "
        "numpy.random.Generator or random.Random"
    )


def _plain(value: Any) -> Any:
    """NumPy's nested state with lists in the place of its unsigned arrays."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value
