"""`Tensor` methods over dimensions, from sum to sort: each *is* an op function."""

from __future__ import annotations

from .. import ops
from ..ops._inplace import in_place
from ..ops._operators import sum_to_size


class Reducing:
    """Reductions, scans, sorting and sets."""

    __slots__ = ()

    # -- reduce ------------------------------------------------------------------------------------

    sum = ops.sum
    sum_to_size = sum_to_size
    nansum = ops.nansum
    mean = ops.mean
    nanmean = ops.nanmean
    prod = ops.prod
    logsumexp = ops.logsumexp
    all = ops.all
    any = ops.any
    count_nonzero = ops.count_nonzero
    trace = ops.trace

    # -- maxima ------------------------------------------------------------------------------------

    max = ops.max
    min = ops.min
    amax = ops.amax
    amin = ops.amin
    aminmax = ops.aminmax
    argmax = ops.argmax
    argmin = ops.argmin

    # -- stats -------------------------------------------------------------------------------------

    var = ops.var
    std = ops.std
    cov = ops.cov
    corrcoef = ops.corrcoef

    # -- norms -------------------------------------------------------------------------------------

    norm = ops.norm
    renorm = ops.renorm
    renorm_ = in_place(ops.renorm)
    dist = ops.dist

    # -- scan --------------------------------------------------------------------------------------

    cumsum = ops.cumsum
    cumprod = ops.cumprod
    logcumsumexp = ops.logcumsumexp
    cummax = ops.cummax
    cummin = ops.cummin
    cumsum_ = in_place(ops.cumsum)
    cumprod_ = in_place(ops.cumprod)
    diff = ops.diff

    # -- sorting -----------------------------------------------------------------------------------

    sort = ops.sort
    argsort = ops.argsort
    msort = ops.msort
    topk = ops.topk
    kthvalue = ops.kthvalue
    median = ops.median
    nanmedian = ops.nanmedian
    mode = ops.mode

    # -- quantiles ---------------------------------------------------------------------------------

    quantile = ops.quantile
    nanquantile = ops.nanquantile

    # -- sets --------------------------------------------------------------------------------------

    unique = ops.unique
    unique_consecutive = ops.unique_consecutive
    histc = ops.histc
    histogram = ops.histogram
    bincount = ops.bincount

    # -- softmaxes ---------------------------------------------------------------------------------

    softmax = ops.softmax
    log_softmax = ops.log_softmax
