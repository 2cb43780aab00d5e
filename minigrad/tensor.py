"""`Tensor`: a `Variable` with PyTorch's methods. A method *is* an op function: no wrapper frames.

Here stands what is no op: identity, memory, gradients, conversion. The ops come by family from the
bases in `methods`, which add no slots and cost nothing when a method is called.
"""

from __future__ import annotations

import builtins
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from . import (
    attributes,
    conversion,
    dispatch,
    dtypes,
    element_calls,
    fills,
    printing,
    random,
)
from .autograd import api
from .autograd import variable as _v
from .autograd.record import alias
from .autograd.variable import Variable, is_float
from .backend import device, strided
from .creation import legacy
from .creation import new as own_type
from .deferred import deferred
from .kernels import fast
from .methods import Arranging, Comparing, Deferring, Pointwise, Reducing
from .ops._operators import compile_operators
from .size import Size


class Tensor(Pointwise, Comparing, Reducing, Arranging, Deferring, Variable):
    """A multi-dimensional array of one dtype, with automatic differentiation."""

    __slots__ = ("__dict__",)
    # NumPy leaves binary operators to us instead of looping over our elements.
    __array_priority__ = 1000

    def __new__(cls, *args: Any, device: Any = None) -> Any:
        """Old constructor: `Tensor(2, 3)` is not initialised, `Tensor([2, 3])` holds values."""
        t = legacy.construct(args, device, dtypes.default_numpy(), strict=False)
        return t if cls is Tensor else element_calls.as_subclass(t, cls)

    def __init_subclass__(cls, arms: builtins.bool = True, **options: Any) -> None:
        super().__init_subclass__(**options)
        fast.inherit_operators(cls)
        if cls.__torch_function__ is dispatch.disabled_torch_function:
            dispatch.plain_classes.add(cls)
        elif arms:
            dispatch.arm(Tensor)
            # A class that nobody can reach any more asks for nothing.
            weakref.finalize(cls, dispatch.release).atexit = False

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What a subclass does with an operation on its tensors: runs it, the results are its own.

        Subclasses override it to see every call; see `minigrad.overrides`.
        """
        if not all(issubclass(cls, t) for t in types):
            return NotImplemented
        with dispatch.DisableTorchFunctionSubclass():
            result = func(*args, **(kwargs or {}))
        return (
            result if func in dispatch.returns_no_subclass else element_calls.convert(result, cls)
        )

    @staticmethod
    def _from_array(array: np.ndarray) -> Tensor:
        """A tensor over an array as it is (not copied, not checked)."""
        return _v.wrap(array)

    # -- what it is ------------------------------------------------------------------------------

    if TYPE_CHECKING:

        @property
        def shape(self) -> Size: ...
        @property
        def dtype(self) -> dtypes.dtype: ...
        @property
        def device(self) -> device: ...
        @property
        def ndim(self) -> builtins.int: ...
    else:
        shape, dtype, device, ndim = [
            fast.getter(Variable, name) for name in ("shape", "dtype", "device", "ndim")
        ]

    itemsize = property(attributes.element_size)
    nbytes = property(lambda self: self._array.nbytes)
    size = attributes.size
    stride = attributes.stride
    dim = ndimension = attributes.dim
    numel = nelement = attributes.numel
    element_size = attributes.element_size
    is_contiguous = attributes.is_contiguous
    data_ptr = const_data_ptr = attributes.data_ptr
    dim_order = attributes.dim_order
    storage_offset = attributes.storage_offset
    untyped_storage = attributes.untyped_storage
    is_floating_point = attributes.is_floating_point
    is_signed = attributes.is_signed
    is_complex = attributes.is_complex
    is_nonzero = attributes.is_nonzero
    is_same_size = attributes.is_same_size
    is_set_to = attributes.is_set_to
    is_distributed = attributes.is_distributed
    name = None
    volatile = False
    grad_dtype = property(attributes.grad_dtype)
    get_device = attributes.get_device
    is_shared = attributes.is_shared
    share_memory_ = deferred("share_memory_")
    pin_memory = attributes.pin_memory
    is_pinned = attributes.is_pinned
    is_cpu = property(attributes.is_cpu)
    is_cuda = property(attributes.is_cuda)
    is_mps = is_meta = is_sparse = is_sparse_csr = is_quantized = is_mkldnn = False
    is_nested = is_xla = is_xpu = is_mtia = is_maia = is_ipu = is_vulkan = False
    is_conj = attributes.is_conj
    is_neg = attributes.is_neg
    conj = attributes.conj
    conj_physical_ = attributes.conj_physical_
    resolve_conj = resolve_neg = attributes.same_tensor
    conj_physical = attributes.conj_physical
    cfloat, cdouble, chalf = deferred("cfloat"), deferred("cdouble"), deferred("chalf")
    real = property(attributes.real)
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
        api.backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def requires_grad_(self, requires_grad: builtins.bool = True) -> Tensor:
        """Sets `requires_grad` and returns self."""
        _v.set_requires_grad(self, requires_grad)
        return self

    detach = alias
    detach_ = attributes.detach_
    set_ = attributes.set_
    resize_ = attributes.resize_
    resize_as_ = attributes.resize_as_
    resize = element_calls.resize
    resize_as = element_calls.resize_as
    as_subclass = element_calls.as_subclass
    module_load = element_calls.module_load
    retain_grad = _v.retain_grad
    retains_grad = property(_v.retains_grad)
    register_hook = _v.register_hook
    register_post_accumulate_grad_hook = _v.register_post_accumulate_grad_hook

    # -- new tensors of the same type ------------------------------------------------------------

    new_tensor = own_type.new_tensor
    new_empty = own_type.new_empty
    new_zeros = own_type.new_zeros
    new_ones = own_type.new_ones
    new_full = own_type.new_full
    new_empty_strided = own_type.new_empty_strided
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

    # -- a Python function for each element, and what programs outlived -------------------------

    apply_ = element_calls.apply_
    map_ = element_calls.map_
    map2_ = element_calls.map2_
    reinforce = element_calls.reinforce

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
    __int__ = __long__ = conversion.to_int
    __complex__ = conversion.to_complex
    __bool__ = __nonzero__ = attributes.is_nonzero
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
    __cuda_array_interface__ = property(conversion.cuda_array_interface)
    __deepcopy__ = conversion.deepcopy
    __reduce_ex__ = conversion.reduce
    __repr__ = printing.tensor_repr

    __hash__ = object.__hash__


_v.set_tensor_class(Tensor)
compile_operators()
dispatch.plain_classes.add(Tensor)
