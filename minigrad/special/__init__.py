"""`torch.special` for real numbers. Loaded when first used.

What lies in `torch` too is the same function; the kernels of the others are in `minigrad.kernels`
(`bessel`, `normal`, `gamma_integrals`, `orthogonal`), with the errors they state.
"""

from ..ops import digamma as digamma
from ..ops import erf as erf
from ..ops import erfc as erfc
from ..ops import erfinv as erfinv
from ..ops import exp2 as exp2
from ..ops import expit as expit
from ..ops import expm1 as expm1
from ..ops import lgamma as gammaln
from ..ops import log1p as log1p
from ..ops import log_softmax as log_softmax
from ..ops import logit as logit
from ..ops import logsumexp as logsumexp
from ..ops import polygamma as polygamma
from ..ops import round as round
from ..ops import sinc as sinc
from ..ops import softmax as softmax
from ..ops import xlogy as xlogy
from . import bessel as _bessel
from . import normal as _normal
from . import polynomials as _polynomials
from .bessel import *  # noqa: F403
from .normal import *  # noqa: F403
from .pairs import gammainc, gammaincc, multigammaln, xlog1py, zeta
from .polynomials import *  # noqa: F403

psi = digamma

__all__ = [
    "digamma", "erf", "erfc", "erfinv", "exp2", "expit", "expm1", "gammainc", "gammaincc",
    "gammaln", "log1p", "log_softmax", "logit", "logsumexp", "multigammaln", "polygamma", "psi",
    "round", "sinc", "softmax", "xlog1py", "xlogy", "zeta",
    *_bessel.__all__, *_normal.__all__, *_polynomials.__all__,
]  # fmt: skip
