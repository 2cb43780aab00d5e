"""`Distribution`, the base of all: shapes, checks of parameters and values, printing."""

from __future__ import annotations

import warnings
from typing import Any

from .. import ops
from ..autograd import no_grad
from ..autograd.variable import Variable
from ..size import Size
from . import constraints
from .utils import lazy_property

__all__ = ["Distribution"]


class Distribution:
    """A probability distribution over a batch of parameters.

    `batch_shape` is the shape of the parameters' batch, `event_shape` that of one sample; what
    `sample(shape)` gives has `shape + batch_shape + event_shape`. With `validate_args` (the
    default unless Python runs with `-O`) parameters are checked against `arg_constraints` and
    values against `support`: ValueError for those outside.
    """

    has_rsample: Any = False
    has_enumerate_support: Any = False
    _validate_args: bool = __debug__
    # Names of tensors in the instance that do not begin with the batch shape: not expanded.
    _unexpanded: tuple[str, ...] = ()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Switches checking on or off for distributions that are made without `validate_args`."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args: got {value!r}; needed True or False")
        Distribution._validate_args = value

    def __init__(
        self,
        batch_shape: Any = Size(()),  # noqa: B008 - a constant
        event_shape: Any = Size(()),  # noqa: B008
        validate_args: bool | None = None,
    ):
        self._batch_shape = Size(batch_shape)
        self._event_shape = Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    def _check_parameters(self) -> None:
        try:
            wanted = self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `arg_constraints`. Please set `arg_constraints = "
                "{}` or initialize the distribution with `validate_args=False` to turn off "
                "validation.",
                stacklevel=4,
            )
            return
        for name, constraint in wanted.items():
            if constraints.is_dependent(constraint):
                continue
            if name not in self.__dict__ and isinstance(
                getattr(type(self), name, None), lazy_property
            ):
                continue  # made from another parameter, which is checked
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape "
                    f"{tuple(value.shape)}) of distribution {self!r} to satisfy the constraint "
                    f"{constraint!r}, but found invalid values:\n{value}"
                )

    # -- shapes ------------------------------------------------------------------------------------

    @property
    def batch_shape(self) -> Any:
        """The shape of the batch of parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Any:
        """The shape of one sample of one distribution of the batch."""
        return self._event_shape

    def _extended_shape(self, sample_shape: Any = ()) -> Any:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution with its batch expanded to `batch_shape`; nothing is copied."""
        raise NotImplementedError

    def _get_checked_instance(self, cls: Any, _instance: Any = None) -> Any:
        """An instance without state for `expand` to fill.

        NotImplementedError for a subclass of `cls` with a constructor of its own.
        """
        if _instance is None and type(self).__init__ != cls.__init__:
            raise NotImplementedError(
                f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom __init__ "
                "method must also define a custom .expand() method."
            )
        return self.__new__(type(self)) if _instance is None else _instance

    def _expand_state(self, batch_shape: Any, _instance: Any = None) -> Any:
        """`expand` for distributions whose state is tensors and distributions of their batch."""
        package = __name__.rpartition(".")[0]
        ours = next(c for c in type(self).__mro__ if c.__module__.startswith(package + "."))
        new = self._get_checked_instance(ours, _instance)
        shape, n = Size(batch_shape), len(self._batch_shape)
        made: dict[int, Any] = {}  # one tensor under two names stays one
        set_already = set(new.__dict__)  # by a subclass that gave its own `_instance`
        for name, value in self.__dict__.items():
            if name in set_already:
                continue
            of_batch = name not in self._unexpanded and isinstance(value, Variable)
            if of_batch and value.shape[:n] == self._batch_shape:
                if id(value) not in made:
                    made[id(value)] = value.expand(shape + value.shape[n:])
                value = made[id(value)]
            elif isinstance(value, Distribution):
                tail = value._batch_shape[n:]
                value = value.expand(shape + tail)
            new.__dict__[name] = value
        new._batch_shape = shape
        return new

    # -- what a distribution defines ---------------------------------------------------------------

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """The constraint of each parameter by its name."""
        raise NotImplementedError

    @property
    def support(self) -> Any:
        """The constraint of samples."""
        raise NotImplementedError

    @property
    def mean(self) -> Any:
        """The mean."""
        raise NotImplementedError

    @property
    def mode(self) -> Any:
        """The value of the highest probability."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self) -> Any:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Any:
        """The standard deviation."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Any:
        """Random values without gradients."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Random values with gradients to the parameters."""
        raise NotImplementedError

    def sample_n(self, n: int) -> Any:
        """`sample((n,))`; deprecated."""
        warnings.warn(
            "`sample_n(n)` will be deprecated. Use `sample((n,))` instead.",
            FutureWarning,
            stacklevel=2,
        )
        return self.sample((n,))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density or probability of `value`."""
        raise NotImplementedError

    def cdf(self, value: Any) -> Any:
        """The probability of being at most `value`."""
        raise NotImplementedError

    def icdf(self, value: Any) -> Any:
        """The inverse of `cdf`."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values of a discrete distribution along a new first dimension.

        `expand=False` leaves the batch's dimensions at size 1.
        """
        raise NotImplementedError

    def entropy(self) -> Any:
        """The entropy, of the batch's shape."""
        raise NotImplementedError

    def perplexity(self) -> Any:
        """exp(entropy)."""
        return ops.exp(self.entropy())

    # -- checks and printing -----------------------------------------------------------------------

    def _check(self, value: Any) -> None:
        """Checks a value if checks are on."""
        if self._validate_args:
            self._validate_sample(value)

    def _validate_sample(self, value: Any) -> None:
        """ValueError unless a value has the right shape and lies in the support."""
        if not isinstance(value, Variable):
            raise ValueError("The value argument to log_prob must be a Tensor")
        shape, events = value.shape, self._event_shape
        if shape[len(shape) - len(events) :] != events:
            raise ValueError(
                f"The right-most size of value must match event_shape: {shape} vs {events}."
            )
        wanted = self._batch_shape + events
        if any(i != j and i != 1 and j != 1 for i, j in zip(shape[::-1], wanted[::-1])):
            raise ValueError(
                f"Value is not broadcastable with batch_shape+event_shape: {shape} vs {wanted}."
            )
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `support` to enable sample validation. Please "
                "initialize the distribution with `validate_args=False` to turn off validation.",
                stacklevel=4,
            )
            return
        if not support.check(value).all():
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(shape)}) to be "
                f"within the support ({support!r}) of the distribution {self!r}, but found "
                f"invalid values:\n{value}"
            )

    def __repr__(self) -> str:
        state = self.__dict__
        parameters = (
            f"{name}: {state[name] if state[name].numel() == 1 else state[name].size()}"
            for name in self.arg_constraints
            if name in state
        )
        return f"{type(self).__name__}({', '.join(parameters)})"
