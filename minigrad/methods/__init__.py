"""`Tensor`'s methods that are op functions: one class for each family, a base of `Tensor`."""

from .arranging import Arranging
from .comparing import Comparing
from .deferring import Deferring
from .pointwise import Pointwise
from .reducing import Reducing

__all__ = ["Arranging", "Comparing", "Deferring", "Pointwise", "Reducing"]
