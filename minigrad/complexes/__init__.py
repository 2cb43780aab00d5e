"""Complex numbers as pairs of real ones; see `tensor`. Loaded when first used."""

from . import functions as functions
from . import inverses as inverses
from . import matrices as matrices
from . import places as places
from . import rules as rules
from .tensor import RULES as RULES
from .tensor import ComplexTensor as ComplexTensor
from .tensor import as_complex as as_complex
from .tensor import cdouble as cdouble
from .tensor import cfloat as cfloat
from .tensor import chalf as chalf
from .tensor import complex as complex
from .tensor import filled as filled
from .tensor import from_array as from_array
from .tensor import from_data as from_data
from .tensor import make as make
from .tensor import polar as polar
from .tensor import to_dtype as to_dtype
from .tensor import view_as_complex as view_as_complex
from .tensor import view_as_real as view_as_real
