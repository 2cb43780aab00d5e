"""`torch.sparse` as far as graph networks need it: coordinates and compressed rows.

Loaded when first used (`minigrad/deferred.py` names what `torch` and `Tensor` have of it).
"""

from . import pointwise as _pointwise  # noqa: F401 -- fills in SparseTensor's methods
from .legacy import BFloat16Tensor as BFloat16Tensor
from .legacy import ByteTensor as ByteTensor
from .legacy import CharTensor as CharTensor
from .legacy import DoubleTensor as DoubleTensor
from .legacy import FloatTensor as FloatTensor
from .legacy import HalfTensor as HalfTensor
from .legacy import IntTensor as IntTensor
from .legacy import LongTensor as LongTensor
from .legacy import ShortTensor as ShortTensor
from .making import spdiags
from .pointwise import log_softmax, softmax, sum
from .products import addmm, mm, sampled_addmm
from .tensor import SparseTensor as SparseTensor

__all__ = ["addmm", "check_sparse_tensor_invariants", "log_softmax", "mm", "sampled_addmm",
           "softmax", "spdiags", "sum"]  # fmt: skip


class check_sparse_tensor_invariants:
    """Indices are checked always: a context manager and a switch without effect."""

    def __init__(self, enable: bool = True):
        self.enabled = enable

    @staticmethod
    def is_enabled() -> bool:
        """True."""
        return True

    @staticmethod
    def enable() -> None:
        """Nothing to do."""

    @staticmethod
    def disable() -> None:
        """Has no effect."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass
