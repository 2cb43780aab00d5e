"""The operations: one family, one file, forward and backward together.

`CATALOGUE` names every public operation; each has a row in the op table of the tests.
"""

from . import arith, movement, reduce, unary
from .arith import *  # noqa: F403
from .movement import *  # noqa: F403
from .reduce import *  # noqa: F403
from .unary import *  # noqa: F403

FAMILIES = (arith, movement, reduce, unary)
CATALOGUE: dict[str, object] = {
    name: getattr(family, name) for family in FAMILIES for name in family.__all__
}
