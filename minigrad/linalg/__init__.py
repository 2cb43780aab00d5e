"""`torch.linalg` for real numbers, on NumPy's LAPACK: batched, with gradients of every order.

Loaded when first used. The older functions of `torch` (det, svd, lu …) live here too; which names
they have there and on `Tensor` says `minigrad/deferred.py`.
"""

from ..ops._lapack import LinAlgError as LinAlgError
from ..ops.linalg import matmul as matmul
from ..ops.products import matrix_power as matrix_power
from .determinants import det, slogdet
from .ldl import ldl_factor, ldl_factor_ex, ldl_solve
from .lu import lu, lu_factor, lu_factor_ex, lu_solve
from .norms import cond, matrix_norm, matrix_rank, norm, vector_norm
from .orthogonal import householder_product, qr
from .products import cross, diagonal, matrix_exp, multi_dot, vander, vecdot
from .spectral import eig, eigh, eigvals, eigvalsh, svd, svdvals
from .systems import inv, inv_ex, lstsq, pinv, solve, solve_ex, tensorinv, tensorsolve
from .triangular import cholesky, cholesky_ex, solve_triangular

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh",
    "eigvals", "eigvalsh", "householder_product", "inv", "inv_ex", "ldl_factor", "ldl_factor_ex",
    "ldl_solve", "lstsq", "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul", "matrix_exp",
    "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet",
    "solve", "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander",
    "vecdot", "vector_norm",
]  # fmt: skip
