"""The operations: one family, one file, forward and backward together.

`CATALOGUE` names every public operation; each has a row in the op table of the tests.
"""

from . import (
    activation,
    adaptive,
    added_products,
    arith,
    attention,
    bags,
    blend,
    calculus,
    channel_norm,
    class_losses,
    compare,
    contractions,
    conv,
    conv_forms,
    copies,
    ctc,
    difference,
    distance,
    dropouts,
    embeddings,
    extrema,
    fake_quantize,
    fractional,
    grids,
    histograms,
    index,
    join,
    likelihood_loss,
    linalg,
    loss,
    margin_loss,
    masked,
    maxima,
    membership,
    moments,
    movement,
    multilabel,
    native,
    normalization,
    norms,
    padding,
    pairs,
    patches,
    permutation,
    places,
    pool,
    pool_volumes,
    power,
    products,
    quantiles,
    rearrange,
    rectifiers,
    reduce,
    reduce_at,
    resample,
    restride,
    rounding,
    sampling,
    scan,
    scattered,
    scattering,
    segments,
    sets,
    slices,
    softmaxes,
    sorting,
    special,
    splits,
    stats,
    trigonometric,
    unary,
)
from .activation import *  # noqa: F403
from .adaptive import *  # noqa: F403
from .added_products import *  # noqa: F403
from .arith import *  # noqa: F403
from .attention import *  # noqa: F403
from .bags import *  # noqa: F403
from .blend import *  # noqa: F403
from .calculus import *  # noqa: F403
from .channel_norm import *  # noqa: F403
from .class_losses import *  # noqa: F403
from .compare import *  # noqa: F403
from .contractions import *  # noqa: F403
from .conv import *  # noqa: F403
from .conv_forms import *  # noqa: F403
from .copies import *  # noqa: F403
from .ctc import *  # noqa: F403
from .difference import *  # noqa: F403
from .distance import *  # noqa: F403
from .dropouts import *  # noqa: F403
from .embeddings import *  # noqa: F403
from .extrema import *  # noqa: F403
from .fake_quantize import *  # noqa: F403
from .fractional import *  # noqa: F403
from .grids import *  # noqa: F403
from .histograms import *  # noqa: F403
from .index import *  # noqa: F403
from .join import *  # noqa: F403
from .likelihood_loss import *  # noqa: F403
from .linalg import *  # noqa: F403
from .loss import *  # noqa: F403
from .margin_loss import *  # noqa: F403
from .masked import *  # noqa: F403
from .maxima import *  # noqa: F403
from .membership import *  # noqa: F403
from .moments import *  # noqa: F403
from .movement import *  # noqa: F403
from .multilabel import *  # noqa: F403
from .native import *  # noqa: F403
from .normalization import *  # noqa: F403
from .norms import *  # noqa: F403
from .padding import *  # noqa: F403
from .pairs import *  # noqa: F403
from .patches import *  # noqa: F403
from .permutation import *  # noqa: F403
from .places import *  # noqa: F403
from .pool import *  # noqa: F403
from .pool_volumes import *  # noqa: F403
from .power import *  # noqa: F403
from .products import *  # noqa: F403
from .quantiles import *  # noqa: F403
from .rearrange import *  # noqa: F403
from .rectifiers import *  # noqa: F403
from .reduce import *  # noqa: F403
from .reduce_at import *  # noqa: F403
from .resample import *  # noqa: F403
from .restride import *  # noqa: F403
from .rounding import *  # noqa: F403
from .sampling import *  # noqa: F403
from .scan import *  # noqa: F403
from .scattered import *  # noqa: F403
from .scattering import *  # noqa: F403
from .segments import *  # noqa: F403
from .sets import *  # noqa: F403
from .slices import *  # noqa: F403
from .softmaxes import *  # noqa: F403
from .sorting import *  # noqa: F403
from .special import *  # noqa: F403
from .splits import *  # noqa: F403
from .stats import *  # noqa: F403
from .trigonometric import *  # noqa: F403
from .unary import *  # noqa: F403

FAMILIES = (
    activation,
    adaptive,
    added_products,
    arith,
    attention,
    bags,
    blend,
    calculus,
    channel_norm,
    class_losses,
    compare,
    contractions,
    conv,
    conv_forms,
    copies,
    ctc,
    difference,
    distance,
    dropouts,
    embeddings,
    extrema,
    fake_quantize,
    fractional,
    grids,
    histograms,
    index,
    join,
    linalg,
    loss,
    likelihood_loss,
    margin_loss,
    masked,
    maxima,
    membership,
    moments,
    movement,
    multilabel,
    native,
    normalization,
    norms,
    padding,
    pairs,
    patches,
    permutation,
    places,
    pool,
    pool_volumes,
    power,
    products,
    quantiles,
    rearrange,
    rectifiers,
    reduce,
    reduce_at,
    resample,
    restride,
    rounding,
    sampling,
    scan,
    scattered,
    scattering,
    segments,
    sets,
    slices,
    softmaxes,
    sorting,
    special,
    splits,
    stats,
    trigonometric,
    unary,
)
CATALOGUE: dict[str, object] = {
    name: getattr(family, name) for family in FAMILIES for name in family.__all__
}
__all__ = list(CATALOGUE)  # noqa: PLE0605 -- the families themselves are no names of the package
