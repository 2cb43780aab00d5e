"""Samplers: in which order the indices of a dataset come, and in which batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from ... import creation, dtypes, random
from ...creation import as_tensor

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """An iterable of indices, or of lists of indices: a subclass defines `__iter__`."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError("Subclasses of Sampler should implement __iter__.")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ... in order."""

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


def draw_seed(generator: Any = None) -> int:
    """A seed from `generator` (the global one by default), drawn as PyTorch draws it."""
    return int(creation.empty((), dtype=dtypes.int64).random_(generator=generator).item())


class RandomSampler(Sampler[int]):
    """A random order, the one PyTorch has for the same seed; or draws with replacement.

    `num_samples`: how many (the dataset's length by default).
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Any = None,
    ):
        if not isinstance(replacement, bool):
            raise TypeError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                "num_samples should be a positive integer value, but got num_samples="
                f"{self.num_samples}"
            )

    @property
    def num_samples(self) -> int:
        """How many indices one pass has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, wanted = len(self.data_source), self.num_samples
        generator = self._generator()
        if self.replacement:
            for start in range(0, wanted, 32):  # PyTorch draws 32 at a time
                count = min(32, wanted - start)
                yield from random.randint(n, (count,), generator=generator)._array.tolist()
            return
        for _ in range(wanted // n):
            yield from random.randperm(n, generator=generator)._array.tolist()
        # PyTorch draws a last permutation even if nothing of it is used.
        yield from random.randperm(n, generator=generator)._array.tolist()[: wanted % n]

    def _generator(self) -> Any:
        if self.generator is not None:
            return self.generator
        generator = random.Generator()
        generator.manual_seed(draw_seed())
        return generator

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in a random order."""

    def __init__(self, indices: Sequence[int], generator: Any = None):
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in random.randperm(len(self.indices), generator=self.generator)._array.tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with probabilities proportional to `weights`."""

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Any = None,
    ):
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(
                f"num_samples should be a positive integer value, but got num_samples={num_samples}"
            )
        if not isinstance(replacement, bool):
            raise ValueError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        values = as_tensor(weights, dtype=dtypes.float64)
        if values.ndim != 1:
            raise ValueError(
                "weights should be a 1d sequence but given weights have shape "
                f"{tuple(values.shape)}"
            )
        self.weights = values
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        drawn = random.multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )
        yield from drawn._array.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` indices of another sampler; the last may be shorter, or dropped."""

    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool):
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(
                f"batch_size should be a positive integer value, but got batch_size={batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        size = len(self.sampler)  # type: ignore[arg-type]
        if self.drop_last:
            return size // self.batch_size
        return -(-size // self.batch_size)


def array_batches(batches: Any) -> Iterator[np.ndarray] | None:
    """What a `BatchSampler` gives, as arrays, where that is the same; else None.

    Only for samplers whose indices lie in one array anyway: it saves making 10 000 Python numbers.
    """
    if batches.__class__ is not BatchSampler:
        return None
    sampler = batches.sampler
    if sampler.__class__ is SequentialSampler:
        return _slices(lambda: np.arange(len(sampler)), lambda: None, batches)
    if (
        sampler.__class__ is RandomSampler
        and not sampler.replacement
        and sampler._num_samples is None
    ):
        return _random_slices(sampler, batches)
    return None


def _random_slices(sampler: RandomSampler, batches: BatchSampler) -> Iterator[np.ndarray]:
    generator = sampler._generator()
    n = len(sampler.data_source)

    def permutation() -> np.ndarray:
        return random.randperm(n, generator=generator)._array

    # A generator of the user's must be left as PyTorch leaves it, after one more permutation.
    more = (lambda: None) if sampler.generator is None else permutation
    yield from _slices(permutation, more, batches)


def _slices(order: Any, at_end: Any, batches: BatchSampler) -> Iterator[np.ndarray]:
    """Batches of `order()`; `at_end()` is called when a sampler would have found its end."""
    indices = order()
    size = batches.batch_size
    whole = len(indices) // size * size
    for start in range(0, whole, size):
        yield indices[start : start + size]
    at_end()
    if whole < len(indices) and not batches.drop_last:
        yield indices[whole:]
