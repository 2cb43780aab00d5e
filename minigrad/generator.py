"""`Generator`: the state of random numbers, with PyTorch's CPU stream, and the default one.

PyTorch's stream is serial. What may be faster than it (dropout) draws from a counter-based stream
instead, of which a generator only hands out ranges: `Generator.reserve`.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from .autograd import variable as _v
from .autograd.variable import Variable
from .backend import CPU, as_device, device
from .kernels import cpu, fast
from .kernels.streams import WORDS, normal_pairs

_DEFAULT_SEED = 67280421310721

# The layout of PyTorch's CPU generator state, so that states can be exchanged with it.
_STATE = np.dtype(
    [
        ("seed", "<u8"),
        ("left", "<i4"),
        ("seeded", "<i4"),
        ("next", "<u8"),
        ("words", "<u8", (WORDS,)),
        ("normal_x", "<f8"),
        ("normal_y", "<f8"),
        ("normal_rho", "<f8"),
        ("normal_valid", "<i8"),
        ("float_normal", "<f4"),
        ("float_valid", "<i4"),
    ]
)


class Generator:
    """A source of random numbers for tensors on a device. Safe to be used by several threads.

    The numbers are those of PyTorch's CPU generator for every device: they are made on the CPU.

    `_state` is the engine's (624 words and their number used; None until the first draw),
    `_normal` the second value of the last pair of normals, if it was not handed out yet.
    """

    __slots__ = (
        "__weakref__", "_captured", "_lock", "_normal", "_offset", "_place", "_seed", "_state",
    )  # fmt: skip

    def __init__(self, device: Any = "cpu"):
        self._place = as_device(device)
        self._lock = threading.RLock()
        self._seed = _DEFAULT_SEED
        self._captured: Any = None  # while a CUDA graph is captured: what hands out its ranges
        self._restart()

    def _restart(self) -> None:
        self._state: np.ndarray | None = None
        self._normal: float | None = None
        self._offset = 0  # of the counter-based stream

    @property
    def device(self) -> device:
        """Which device the numbers are for."""
        return self._place

    def manual_seed(self, seed: int) -> Generator:
        """Starts the stream of `seed`, from -2**63 to 2**64 - 1, and returns self."""
        if not isinstance(seed, (int, np.integer)):
            raise RuntimeError(f"manual_seed expected a long, but got {seed.__class__.__name__}")
        if not -(1 << 63) <= seed < 1 << 64:
            raise ValueError("Overflow when unpacking long long")
        with self._lock:
            self._seed = int(seed) % (1 << 64)
            self._restart()
        return self

    def seed(self) -> int:
        """Starts a stream nobody can foresee and returns its seed."""
        value = int.from_bytes(os.urandom(8), "little")
        self.manual_seed(value)
        return value

    def initial_seed(self) -> int:
        """The seed of the stream."""
        return self._seed

    def reserve(self, n: int) -> tuple[int, Any]:
        """(seed, offset) for `n` numbers of the counter-based stream, which nobody else gets.

        While a CUDA graph is captured the offset is an array on the device, of one element.
        """
        if self._captured is not None:
            return self._captured.reserve(n)
        with self._lock:
            offset = self._offset
            self._offset += n
            return self._seed, offset

    # -- state -----------------------------------------------------------------------------------

    def get_state(self) -> Any:
        """The state as a uint8 tensor, in PyTorch's layout (of the counter-based stream: none)."""
        with self._lock:
            record = np.zeros((), _STATE)
            record["seed"] = self._seed
            record["seeded"] = 1
            state = self._engine()
            used = int(state[WORDS])
            fresh = used > WORDS
            record["left"] = 1 if fresh else WORDS + 1 - used
            record["next"] = 0 if fresh else used
            record["words"] = state[:WORDS]
            record["normal_rho"] = self._offset
            if self._normal is not None:
                record["normal_y"] = self._normal
                record["normal_valid"] = 1
            return _v.wrap(np.frombuffer(bytearray(record.tobytes()), np.uint8))

    def set_state(self, new_state: Any) -> Generator:
        """Continues from a state that `get_state` gave. RuntimeError for one that is damaged."""
        if not isinstance(new_state, Variable):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        array = new_state._array
        if array.dtype != np.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if array.size != _STATE.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {_STATE.itemsize} but found the input "
                f"RNG state size to be {array.size}"
            )
        record = np.frombuffer(array.tobytes(), _STATE)[0]
        left, used = int(record["left"]), int(record["next"])
        fresh = left == 1 and used == 0
        words = record["words"]
        valid = record["seeded"] == 1 and used <= WORDS and (fresh or left == WORDS + 1 - used)
        if not valid or (words >> np.uint64(32)).any() or not words.any():
            raise RuntimeError("Invalid mt19937 state")
        state = np.empty(WORDS + 1, np.uint32)
        state[:WORDS] = words
        state[WORDS] = WORDS + 1 if fresh else used
        with self._lock:
            self._state = state
            self._seed = int(record["seed"])
            rho = float(record["normal_rho"])
            self._offset = int(rho) if 0 <= rho < 2**53 else 0
            self._normal = float(record["normal_y"]) if record["normal_valid"] else None
        return self

    def clone_state(self) -> Generator:
        """A generator that continues as this one would."""
        other = Generator(self._place)
        with self._lock:
            other._seed, other._offset, other._normal = self._seed, self._offset, self._normal
            other._state = None if self._state is None else self._state.copy()
        return other

    graphsafe_get_state = clone_state

    def assign(self, other: Generator) -> None:
        """Continues as `other` would, which may be used again."""
        with self._lock:
            self._seed, self._offset, self._normal = other._seed, other._offset, other._normal
            self._state = None if other._state is None else other._state.copy()

    def __deepcopy__(self, memo: dict) -> Generator:
        return self.clone_state()

    def __reduce__(self) -> tuple:
        return (_restored, (self._seed, self.get_state().numpy(), self._place))

    # -- draws: arrays of a shape ----------------------------------------------------------------

    def _engine(self) -> np.ndarray:
        """The engine's state; 625 words used mean that none was drawn since seeding."""
        if self._state is None:
            state = np.empty(WORDS + 1, np.uint32)
            cpu.mt_seed(state, self._seed)
            state[WORDS] = WORDS + 1
            self._state = state
        return self._state

    def _draw(self, kernel: Any, out: np.ndarray) -> np.ndarray:
        if out.size:
            with self._lock:
                kernel(self._engine(), out)
        return out

    def raw32(self, shape: Any) -> np.ndarray:
        """The next outputs of the engine, uint32."""
        return self._draw(cpu.draw32, np.empty(shape, np.uint32))

    def raw64(self, shape: Any) -> np.ndarray:
        """Pairs of outputs as uint64, the first of a pair in the high half."""
        return self._draw(cpu.draw64, np.empty(shape, np.uint64))

    def uniform32(self, shape: Any) -> np.ndarray:
        """float32 in [0, 1): multiples of 2**-24, one output each."""
        return self._draw(cpu.uniform32, np.empty(shape, np.float32))

    def uniform64(self, shape: Any) -> np.ndarray:
        """float64 in [0, 1): multiples of 2**-53, two outputs each."""
        return self._draw(cpu.uniform64, np.empty(shape, np.float64))

    def normals(self, n: int) -> np.ndarray:
        """`n` float64 normals, made in pairs of which one may be kept for the next call."""
        with self._lock:
            kept = [] if self._normal is None or not n else [self._normal]
            if kept:
                self._normal = None
            pairs = (n - len(kept) + 1) // 2
            values = normal_pairs(self.uniform64((pairs, 2)))
            if kept:
                values = np.concatenate((kept, values))
            if len(values) > n:
                self._normal = float(values[n])
            return values[:n]

    def fill(self, distribution: str, out: np.ndarray, first: float, second: float) -> None:
        """Fills `out`, contiguous and of float32 or float64.

        "uniform" in [first, second); "normal" of mean `first` and standard deviation `second`,
        made in blocks of 16, of which there must be one at least.
        """
        if out.size:
            with self._lock:
                kernel = cpu.normal_fill if distribution == "normal" else cpu.uniform_fill
                kernel(self._engine(), out, first, second)

    def integers(self, out: np.ndarray, low: int, span: int) -> np.ndarray:
        """Fills `out`, contiguous int64, with low + an output of the engine % span; returns it."""
        if out.size:
            with self._lock:
                cpu.integers(self._engine(), out, low, span)
        return out

    def permutation(self, n: int) -> np.ndarray:
        """The numbers below `n` in random order, int64."""
        return self._draw(cpu.shuffle, np.arange(n))


def _restored(seed: int, state: np.ndarray, place: Any = "cpu") -> Generator:
    generator = Generator(place).set_state(_v.wrap(state))
    generator._seed = seed
    return generator


default_generator = Generator()
default_generator._seed = int.from_bytes(os.urandom(8), "little")
fast.bind_generator(Generator, default_generator)


class _Settings:
    """Which stream dropout draws from."""

    dropout_follows_torch = False


settings = _Settings()


# The default generators of the CUDA devices that were used, by number.
cuda_generators: dict[int, Generator] = {}


def default_of(where: device) -> Generator:
    """The generator of a device's random numbers, where none is named."""
    if where.type != "cuda":
        return default_generator
    index = as_device(where).index or 0
    generator = cuda_generators.get(index)
    if generator is None:
        generator = cuda_generators[index] = Generator(where)
        generator._seed = default_generator._seed
    return generator


def seed_all(seed: int) -> None:
    """Starts the streams of every device's default generator from a seed."""
    default_generator.manual_seed(seed)
    for generator in cuda_generators.values():
        generator.manual_seed(seed)


def chosen(generator: Generator | None, where: device = CPU) -> Generator:
    """The generator given as `generator=`, or a device's default one. TypeError for other things.

    RuntimeError for a generator of another kind of device.
    """
    if generator is None:
        return default_generator if where is CPU else default_of(where)
    if not isinstance(generator, Generator):
        raise TypeError(
            f"argument 'generator' must be torch.Generator, not {generator.__class__.__name__}"
        )
    if generator._place.type != where.type:
        raise RuntimeError(
            f"Expected a '{where.type}' device type for generator but found "
            f"'{generator._place.type}'"
        )
    return generator
