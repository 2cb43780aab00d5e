"""PyTorch's names of the types that arguments of layers have."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")
_Any: Any = T  # the names below are for programs to import, not for a type checker
_scalar_or_tuple_any_t: Any = _Any | tuple[_Any, ...]
_scalar_or_tuple_1_t: Any = _Any | tuple[_Any]
_scalar_or_tuple_2_t: Any = _Any | tuple[_Any, _Any]
_scalar_or_tuple_3_t: Any = _Any | tuple[_Any, _Any, _Any]
_scalar_or_tuple_4_t: Any = _Any | tuple[_Any, _Any, _Any, _Any]
_scalar_or_tuple_5_t: Any = _Any | tuple[_Any, _Any, _Any, _Any, _Any]
_scalar_or_tuple_6_t: Any = _Any | tuple[_Any, _Any, _Any, _Any, _Any, _Any]
_size_any_t = _scalar_or_tuple_any_t[int]
_size_1_t = _scalar_or_tuple_1_t[int]
_size_2_t = _scalar_or_tuple_2_t[int]
_size_3_t = _scalar_or_tuple_3_t[int]
_size_4_t = _scalar_or_tuple_4_t[int]
_size_5_t = _scalar_or_tuple_5_t[int]
_size_6_t = _scalar_or_tuple_6_t[int]
_size_any_opt_t = _scalar_or_tuple_any_t[int | None]
_size_2_opt_t = _scalar_or_tuple_2_t[int | None]
_size_3_opt_t = _scalar_or_tuple_3_t[int | None]
_ratio_2_t = _scalar_or_tuple_2_t[float]
_ratio_3_t = _scalar_or_tuple_3_t[float]
_ratio_any_t = _scalar_or_tuple_any_t[float]
_tensor_list_t = _scalar_or_tuple_any_t[Any]
_maybe_indices_t = _scalar_or_tuple_2_t[Any]
