"""`Tensor`: a `Variable` with PyTorch's methods. A method *is* an op function: no wrapper frames.

Sections follow the op families; a method that is not an op (conversion, memory, identity) stands in
`Tensor`'s own part at the top.
"""

from __future__ import annotations

import builtins
import warnings
from typing import Any

import numpy as np

from . import attributes, conversion, dtypes, fills, ops, printing, random
from .autograd import api
from .autograd import variable as _v
from .autograd.record import alias
from .autograd.variable import Variable, is_float
from .backend import device, device_of, strided
from .creation import legacy, methods
from .ops import assign, movement, subscript
from .ops._inplace import in_place, in_place_view
from .ops._operators import (
    comparing,
    float_power_in_place,
    invert,
    polygamma_method,
    reflected,
    where_method,
)
from .ops._shape import as_shape
from .ops.linalg import operator_matmul, operator_rmatmul
from .size import Size

_new_tuple = tuple.__new__


class Tensor(Variable):
    """A multi-dimensional array of one dtype, with automatic differentiation."""

    __slots__ = ("__dict__",)
    # NumPy leaves binary operators to us instead of looping over our elements.
    __array_priority__ = 1000

    def __new__(cls, *args: Any, device: Any = None) -> Any:
        """Old constructor: `Tensor(2, 3)` is not initialised, `Tensor([2, 3])` holds values."""
        return legacy.construct(args, device, dtypes.default_numpy(), strict=False)

    @staticmethod
    def _from_array(array: np.ndarray) -> Tensor:
        """A tensor over an array as it is (not copied, not checked)."""
        return _v.wrap(array)

    # -- what it is ------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        return _new_tuple(Size, self._array.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.from_numpy(self._array.dtype)

    @property
    def device(self) -> device:
        return device_of(self._array)

    @property
    def ndim(self) -> builtins.int:
        return self._array.ndim

    itemsize = property(attributes.element_size)
    nbytes = property(lambda self: self._array.nbytes)
    size = attributes.size
    stride = attributes.stride
    dim = ndimension = attributes.dim
    numel = nelement = attributes.numel
    element_size = attributes.element_size
    is_contiguous = attributes.is_contiguous
    data_ptr = attributes.data_ptr
    storage_offset = attributes.storage_offset
    untyped_storage = attributes.untyped_storage
    is_floating_point = attributes.is_floating_point
    is_signed = attributes.is_signed
    is_complex = attributes.is_complex
    is_nonzero = attributes.is_nonzero
    is_same_size = attributes.is_same_size
    is_set_to = attributes.is_set_to
    get_device = attributes.get_device
    is_shared = attributes.is_shared
    share_memory_ = attributes.share_memory_
    pin_memory = attributes.pin_memory
    is_pinned = attributes.is_pinned
    is_cpu = True
    is_cuda = is_mps = is_meta = is_sparse = is_sparse_csr = is_quantized = is_mkldnn = False
    is_nested = is_xla = is_xpu = is_mtia = is_maia = is_ipu = is_vulkan = False
    is_conj = attributes.is_conj
    is_neg = attributes.is_neg
    conj = conj_physical = resolve_conj = resolve_neg = attributes.same_tensor
    real = property(attributes.same_tensor)
    imag = property(attributes.imag)
    layout = strided

    @property
    def data(self) -> Tensor:
        """The same memory outside the graph. Assigning replaces the values' memory."""
        return _v.wrap(self._array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Variable):
            raise TypeError(f"Variable data has to be a tensor, but got {value.__class__.__name__}")
        if self._fn is not None and not is_float(value._array):
            raise RuntimeError(
                "data set to a tensor that requires gradients must be floating point or complex "
                "dtype"
            )
        self._array = value._array

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient, or None. Warns for results that do not keep theirs."""
        if self._grad is None and not self.is_leaf and not self.retains_grad:
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its "
                ".grad attribute won't be populated during autograd.backward(). If you indeed want "
                "the .grad field to be populated for a non-leaf Tensor, use .retain_grad() on the "
                "non-leaf Tensor.",
                UserWarning,
                stacklevel=2,
            )
        return self._grad  # type: ignore[return-value]

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Variable):
                raise TypeError(
                    f"assigned grad expected to be a Tensor or None but got grad of type "
                    f"{value.__class__.__name__}"
                )
            if value is self:
                raise RuntimeError("can't assign Variable as its own grad")
            if value._array.shape != self._array.shape:
                raise RuntimeError(
                    f"assigned grad has data of a different size: given {list(value.shape)}, "
                    f"needed {list(self.shape)}"
                )
            if value._array.dtype != self._array.dtype:
                raise RuntimeError(
                    f"assigned grad has data of a different type: given {value.dtype}, "
                    f"needed {self.dtype}"
                )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    # -- gradients -------------------------------------------------------------------------------

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: builtins.bool | None = None,
        create_graph: builtins.bool = False,
        inputs: Any = None,
    ) -> None:
        """Adds to `.grad` of the leaves the gradient of self, weighted by `gradient`."""
        api.backward(self, gradient, retain_graph, create_graph, inputs)

    def requires_grad_(self, requires_grad: builtins.bool = True) -> Tensor:
        """Sets `requires_grad` and returns self."""
        _v.set_requires_grad(self, requires_grad)
        return self

    detach = alias
    detach_ = attributes.detach_
    set_ = attributes.set_
    resize_ = attributes.resize_
    resize_as_ = attributes.resize_as_
    retain_grad = _v.retain_grad
    retains_grad = property(_v.retains_grad)
    register_hook = _v.register_hook
    register_post_accumulate_grad_hook = _v.register_post_accumulate_grad_hook

    # -- new tensors of the same type ------------------------------------------------------------

    new_tensor = methods.new_tensor
    new_empty = methods.new_empty
    new_zeros = methods.new_zeros
    new_ones = methods.new_ones
    new_full = methods.new_full
    new_empty_strided = methods.new_empty_strided
    new = legacy.new

    # -- random numbers, in place ----------------------------------------------------------------

    uniform_ = fills.uniform_
    normal_ = fills.normal_
    bernoulli_ = fills.bernoulli_
    random_ = fills.random_
    exponential_ = fills.exponential_
    log_normal_ = fills.log_normal_
    geometric_ = fills.geometric_
    cauchy_ = fills.cauchy_
    bernoulli = random.bernoulli
    multinomial = random.multinomial

    # -- conversion ------------------------------------------------------------------------------

    to = conversion.to
    type = conversion.type_
    type_as = conversion.type_as
    float = conversion.caster("float", dtypes.float32)
    double = conversion.caster("double", dtypes.float64)
    half = conversion.caster("half", dtypes.float16)
    bfloat16 = conversion.caster("bfloat16", dtypes.bfloat16)
    int = conversion.caster("int", dtypes.int32)
    long = conversion.caster("long", dtypes.int64)
    short = conversion.caster("short", dtypes.int16)
    char = conversion.caster("char", dtypes.int8)
    byte = conversion.caster("byte", dtypes.uint8)
    bool = conversion.caster("bool", dtypes.bool_)
    cpu = conversion.cpu
    cuda = conversion.cuda
    item = conversion.item
    tolist = conversion.tolist
    __float__ = conversion.to_float
    __int__ = conversion.to_int
    __complex__ = conversion.to_complex
    __bool__ = attributes.is_nonzero
    __index__ = conversion.to_index
    __format__ = conversion.format_
    __len__ = conversion.length
    __iter__ = conversion.iterate
    __reversed__ = conversion.reverse
    __contains__ = conversion.contains
    __delitem__ = conversion.refuse_deleting
    numpy = conversion.numpy
    __array__ = conversion.as_numpy
    __array_wrap__ = conversion.wrap_result
    __dlpack__ = conversion.dlpack
    __dlpack_device__ = conversion.dlpack_device
    __deepcopy__ = conversion.deepcopy
    __reduce_ex__ = conversion.reduce
    __repr__ = printing.tensor_repr

    __hash__ = object.__hash__

    # -- ops: arith --------------------------------------------------------------------------------

    add = __add__ = __radd__ = ops.add
    sub = subtract = __sub__ = ops.sub
    mul = multiply = __mul__ = __rmul__ = ops.mul
    div = divide = true_divide = __truediv__ = ops.div
    floor_divide = __floordiv__ = ops.floor_divide
    remainder = __mod__ = ops.remainder
    fmod = ops.fmod
    neg = negative = __neg__ = ops.neg
    positive = __pos__ = ops.positive
    __rsub__ = reflected(ops.sub)
    __rtruediv__ = reflected(ops.div)
    __rfloordiv__ = reflected(ops.floor_divide)
    __rmod__ = reflected(ops.remainder)
    add_ = __iadd__ = in_place(ops.add)
    sub_ = subtract_ = __isub__ = in_place(ops.sub)
    mul_ = multiply_ = __imul__ = in_place(ops.mul)
    div_ = divide_ = true_divide_ = __itruediv__ = in_place(ops.div)
    floor_divide_ = __ifloordiv__ = in_place(ops.floor_divide)
    remainder_ = __imod__ = in_place(ops.remainder)
    fmod_ = in_place(ops.fmod)
    neg_ = negative_ = in_place(ops.neg)
    addcmul, addcmul_ = ops.addcmul, in_place(ops.addcmul)
    addcdiv, addcdiv_ = ops.addcdiv, in_place(ops.addcdiv)
    lerp, lerp_ = ops.lerp, in_place(ops.lerp)

    # -- ops: power, pairs, extrema ----------------------------------------------------------------

    pow = __pow__ = ops.pow
    pow_ = __ipow__ = in_place(ops.pow)
    __rpow__ = reflected(ops.pow)
    float_power, float_power_ = ops.float_power, float_power_in_place
    square, square_ = ops.square, in_place(ops.square)
    copysign, copysign_ = ops.copysign, in_place(ops.copysign)
    gcd, gcd_ = ops.gcd, in_place(ops.gcd)
    heaviside, heaviside_ = ops.heaviside, in_place(ops.heaviside)
    hypot, hypot_ = ops.hypot, in_place(ops.hypot)
    lcm, lcm_ = ops.lcm, in_place(ops.lcm)
    ldexp, ldexp_ = ops.ldexp, in_place(ops.ldexp)
    logaddexp = ops.logaddexp
    logaddexp2 = ops.logaddexp2
    nextafter, nextafter_ = ops.nextafter, in_place(ops.nextafter)
    xlogy, xlogy_ = ops.xlogy, in_place(ops.xlogy)
    clamp_max, clamp_max_ = ops.clamp_max, in_place(ops.clamp_max)
    clamp_min, clamp_min_ = ops.clamp_min, in_place(ops.clamp_min)
    fmax = ops.fmax
    fmin = ops.fmin
    maximum = ops.maximum
    minimum = ops.minimum
    nan_to_num, nan_to_num_ = ops.nan_to_num, in_place(ops.nan_to_num)
    atan2 = arctan2 = ops.atan2
    atan2_ = arctan2_ = in_place(ops.atan2)
    clamp = clip = ops.clamp
    clamp_ = clip_ = in_place(ops.clamp)

    # -- ops: unary, rounding, trigonometric, special ----------------------------------------------

    exp, exp_ = ops.exp, in_place(ops.exp)
    exp2, exp2_ = ops.exp2, in_place(ops.exp2)
    expm1, expm1_ = ops.expm1, in_place(ops.expm1)
    log, log_ = ops.log, in_place(ops.log)
    log10, log10_ = ops.log10, in_place(ops.log10)
    log1p, log1p_ = ops.log1p, in_place(ops.log1p)
    log2, log2_ = ops.log2, in_place(ops.log2)
    reciprocal, reciprocal_ = ops.reciprocal, in_place(ops.reciprocal)
    rsqrt, rsqrt_ = ops.rsqrt, in_place(ops.rsqrt)
    sqrt, sqrt_ = ops.sqrt, in_place(ops.sqrt)
    abs = absolute = __abs__ = ops.abs
    abs_ = absolute_ = in_place(ops.abs)
    ceil, ceil_ = ops.ceil, in_place(ops.ceil)
    floor, floor_ = ops.floor, in_place(ops.floor)
    frac, frac_ = ops.frac, in_place(ops.frac)
    round, round_ = ops.round, in_place(ops.round)
    sgn, sgn_ = ops.sgn, in_place(ops.sgn)
    sign, sign_ = ops.sign, in_place(ops.sign)
    trunc = fix = ops.trunc
    trunc_ = fix_ = in_place(ops.trunc)
    sin, sin_ = ops.sin, in_place(ops.sin)
    cos, cos_ = ops.cos, in_place(ops.cos)
    tan, tan_ = ops.tan, in_place(ops.tan)
    asin = arcsin = ops.asin
    asin_ = arcsin_ = in_place(ops.asin)
    acos = arccos = ops.acos
    acos_ = arccos_ = in_place(ops.acos)
    atan = arctan = ops.atan
    atan_ = arctan_ = in_place(ops.atan)
    sinh, sinh_ = ops.sinh, in_place(ops.sinh)
    cosh, cosh_ = ops.cosh, in_place(ops.cosh)
    tanh, tanh_ = ops.tanh, in_place(ops.tanh)
    asinh = arcsinh = ops.asinh
    asinh_ = arcsinh_ = in_place(ops.asinh)
    acosh = arccosh = ops.acosh
    acosh_ = arccosh_ = in_place(ops.acosh)
    atanh = arctanh = ops.atanh
    atanh_ = arctanh_ = in_place(ops.atanh)
    sinc, sinc_ = ops.sinc, in_place(ops.sinc)
    deg2rad, deg2rad_ = ops.deg2rad, in_place(ops.deg2rad)
    rad2deg, rad2deg_ = ops.rad2deg, in_place(ops.rad2deg)
    digamma, digamma_ = ops.digamma, in_place(ops.digamma)
    erf, erf_ = ops.erf, in_place(ops.erf)
    erfc, erfc_ = ops.erfc, in_place(ops.erfc)
    erfinv, erfinv_ = ops.erfinv, in_place(ops.erfinv)
    lgamma, lgamma_ = ops.lgamma, in_place(ops.lgamma)
    logit, logit_ = ops.logit, in_place(ops.logit)
    sigmoid, sigmoid_ = ops.sigmoid, in_place(ops.sigmoid)
    relu, relu_ = ops.relu, in_place(ops.relu)
    prelu = ops.prelu
    hardshrink = ops.hardshrink
    polygamma, polygamma_ = polygamma_method, in_place(polygamma_method, "polygamma_")

    # -- ops: compare ------------------------------------------------------------------------------

    eq = ops.eq
    eq_ = in_place(ops.eq)
    __eq__ = comparing(ops.eq)
    ne = not_equal = ops.ne
    ne_ = not_equal_ = in_place(ops.ne)
    __ne__ = comparing(ops.ne)
    lt = less = ops.lt
    lt_ = less_ = in_place(ops.lt)
    __lt__ = comparing(ops.lt)
    le = less_equal = ops.le
    le_ = less_equal_ = in_place(ops.le)
    __le__ = comparing(ops.le)
    gt = greater = ops.gt
    gt_ = greater_ = in_place(ops.gt)
    __gt__ = comparing(ops.gt)
    ge = greater_equal = ops.ge
    ge_ = greater_equal_ = in_place(ops.ge)
    __ge__ = comparing(ops.ge)
    isnan = ops.isnan
    isinf = ops.isinf
    isfinite = ops.isfinite
    isposinf = ops.isposinf
    isneginf = ops.isneginf
    isreal = ops.isreal
    signbit = ops.signbit
    isclose = ops.isclose
    allclose = ops.allclose
    equal = ops.equal
    logical_and, logical_and_ = ops.logical_and, in_place(ops.logical_and)
    logical_or, logical_or_ = ops.logical_or, in_place(ops.logical_or)
    logical_xor, logical_xor_ = ops.logical_xor, in_place(ops.logical_xor)
    logical_not, logical_not_ = ops.logical_not, in_place(ops.logical_not)
    bitwise_not, bitwise_not_ = ops.bitwise_not, in_place(ops.bitwise_not)
    bitwise_and = __and__ = ops.bitwise_and
    bitwise_and_ = __iand__ = in_place(ops.bitwise_and)
    __rand__ = reflected(ops.bitwise_and)
    bitwise_or = __or__ = ops.bitwise_or
    bitwise_or_ = __ior__ = in_place(ops.bitwise_or)
    __ror__ = reflected(ops.bitwise_or)
    bitwise_xor = __xor__ = ops.bitwise_xor
    bitwise_xor_ = __ixor__ = in_place(ops.bitwise_xor)
    __rxor__ = reflected(ops.bitwise_xor)
    bitwise_left_shift = __lshift__ = ops.bitwise_left_shift
    bitwise_left_shift_ = __ilshift__ = in_place(ops.bitwise_left_shift)
    __rlshift__ = reflected(ops.bitwise_left_shift)
    bitwise_right_shift = __rshift__ = ops.bitwise_right_shift
    bitwise_right_shift_ = __irshift__ = in_place(ops.bitwise_right_shift)
    __rrshift__ = reflected(ops.bitwise_right_shift)
    __invert__ = invert
    where = where_method

    # -- ops: reduce -----------------------------------------------------------------------------

    sum = ops.sum

    def sum_to_size(self, *size: Any) -> Tensor:
        """The sum over the dimensions that broadcasting `size` to self's shape would repeat."""
        shape, own = as_shape(size), self._array.shape
        fits = len(shape) <= len(own) and all(
            n in (1, m) for n, m in zip(reversed(shape), reversed(own), strict=False)
        )
        if not fits:
            raise RuntimeError(f"size {{{list(shape)}}} is not expandable to size {{{list(own)}}}.")
        if shape == own and own:
            return self
        lead = len(own) - len(shape)
        dims = [i for i, n in enumerate(own) if i < lead or (shape[i - lead] == 1 and n != 1)]
        return ops.sum(self, dims, True).view(shape)

    nansum = ops.nansum
    mean = ops.mean
    nanmean = ops.nanmean
    prod = ops.prod
    logsumexp = ops.logsumexp
    all = ops.all
    any = ops.any
    count_nonzero = ops.count_nonzero
    trace = ops.trace

    # -- ops: maxima -----------------------------------------------------------------------------

    max = ops.max
    min = ops.min
    amax = ops.amax
    amin = ops.amin
    aminmax = ops.aminmax
    argmax = ops.argmax
    argmin = ops.argmin

    # -- ops: stats ------------------------------------------------------------------------------

    var = ops.var
    std = ops.std

    # -- ops: norms ------------------------------------------------------------------------------

    norm = ops.norm

    # -- ops: scan -------------------------------------------------------------------------------

    cumsum = ops.cumsum
    cumprod = ops.cumprod
    logcumsumexp = ops.logcumsumexp
    cummax = ops.cummax
    cummin = ops.cummin
    cumsum_ = in_place(ops.cumsum)
    cumprod_ = in_place(ops.cumprod)
    diff = ops.diff

    # -- ops: sorting ----------------------------------------------------------------------------

    sort = ops.sort
    argsort = ops.argsort
    msort = ops.msort
    topk = ops.topk
    kthvalue = ops.kthvalue
    median = ops.median
    nanmedian = ops.nanmedian
    mode = ops.mode

    # -- ops: quantiles --------------------------------------------------------------------------

    quantile = ops.quantile
    nanquantile = ops.nanquantile

    # -- ops: sets -------------------------------------------------------------------------------

    unique = ops.unique
    unique_consecutive = ops.unique_consecutive
    histc = ops.histc
    bincount = ops.bincount

    # -- ops: softmaxes --------------------------------------------------------------------------

    softmax = ops.softmax
    log_softmax = ops.log_softmax

    # -- ops: linalg -----------------------------------------------------------------------------

    matmul = ops.matmul
    __matmul__ = operator_matmul
    __rmatmul__ = operator_rmatmul
    mm = ops.mm
    bmm = ops.bmm
    mv = ops.mv
    dot = ops.dot
    vdot = ops.vdot
    inner = ops.inner
    outer = ger = ops.outer
    addmm = ops.addmm
    addmv = ops.addmv
    addbmm = ops.addbmm
    baddbmm = ops.baddbmm
    addr = ops.addr
    trace = ops.trace
    kron = ops.kron
    cross = ops.cross
    matrix_power = ops.matrix_power
    addmm_ = in_place(ops.addmm)
    addmv_ = in_place(ops.addmv)
    addbmm_ = in_place(ops.addbmm)
    baddbmm_ = in_place(ops.baddbmm)
    addr_ = in_place(ops.addr)

    # -- ops: movement ---------------------------------------------------------------------------

    T = property(movement.reversed_dims)
    mT = mH = property(movement.matrix_transpose)
    adjoint = movement.matrix_transpose
    H = property(movement.hermitian)
    reshape = ops.reshape
    reshape_as = ops.reshape_as
    view = ops.view
    view_as = ops.view_as
    flatten = ops.flatten
    unflatten = ops.unflatten
    ravel = ops.ravel
    t = ops.t
    transpose = swapaxes = swapdims = ops.transpose
    permute = ops.permute
    movedim = moveaxis = ops.movedim
    squeeze = ops.squeeze
    unsqueeze = ops.unsqueeze
    expand = ops.expand
    expand_as = ops.expand_as
    broadcast_to = ops.broadcast_to
    t_ = in_place_view(ops.t, "t_")
    transpose_ = in_place_view(ops.transpose, "transpose_")
    swapaxes_ = in_place_view(ops.swapaxes, "swapaxes_")
    swapdims_ = in_place_view(ops.swapdims, "swapdims_")
    squeeze_ = in_place_view(ops.squeeze, "squeeze_")
    unsqueeze_ = in_place_view(ops.unsqueeze, "unsqueeze_")

    # -- ops: slices -----------------------------------------------------------------------------

    narrow = ops.narrow
    select = ops.select
    diagonal = ops.diagonal
    unfold = ops.unfold
    as_strided = ops.as_strided
    as_strided_ = in_place_view(ops.as_strided, "as_strided_")
    split = ops.split
    split_with_sizes = ops.split_with_sizes
    chunk = ops.chunk
    tensor_split = ops.tensor_split
    hsplit = ops.hsplit
    vsplit = ops.vsplit
    dsplit = ops.dsplit
    unbind = ops.unbind

    # -- ops: rearrange --------------------------------------------------------------------------

    clone = ops.clone
    contiguous = ops.contiguous
    flip = ops.flip
    fliplr = ops.fliplr
    flipud = ops.flipud
    rot90 = ops.rot90
    roll = ops.roll
    repeat = ops.repeat
    tile = ops.tile
    tril = ops.tril
    triu = ops.triu
    tril_ = in_place(ops.tril)
    triu_ = in_place(ops.triu)
    diag = ops.diag
    diag_embed = ops.diag_embed
    select_scatter = ops.select_scatter
    slice_scatter = ops.slice_scatter

    # -- ops: index, scatter, masked -------------------------------------------------------------

    __getitem__ = subscript.getitem
    __setitem__ = subscript.setitem
    copy_ = assign.copy_
    fill_ = assign.fill_
    fill_diagonal_ = assign.fill_diagonal_
    zero_ = assign.zero_
    index_put = ops.index_put
    index_put_ = in_place(ops.index_put)
    gather = ops.gather
    scatter = ops.scatter
    scatter_ = in_place(ops.scatter)
    scatter_add = ops.scatter_add
    scatter_add_ = in_place(ops.scatter_add)
    scatter_reduce = ops.scatter_reduce
    scatter_reduce_ = in_place(ops.scatter_reduce)
    index_select = ops.index_select
    index_add = ops.index_add
    index_add_ = in_place(ops.index_add)
    index_copy = ops.index_copy
    index_copy_ = in_place(ops.index_copy)
    index_fill = ops.index_fill
    index_fill_ = in_place(ops.index_fill)
    take = ops.take
    put = ops.put
    put_ = in_place(ops.put)
    take_along_dim = ops.take_along_dim
    repeat_interleave = ops.repeat_interleave
    masked_fill = ops.masked_fill
    masked_fill_ = in_place(ops.masked_fill)
    masked_select = ops.masked_select
    masked_scatter = ops.masked_scatter
    masked_scatter_ = in_place(ops.masked_scatter)
    nonzero = ops.nonzero
    argwhere = ops.argwhere


_v.set_tensor_class(Tensor)
