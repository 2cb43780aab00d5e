"""Rows of `ops/attention.py`."""

from .row import FLOATS, HALVES, A, Row, functional


def _row(args: tuple, kwargs: dict | None = None, **more) -> Row:
    name = "scaled_dot_product_attention"
    return Row(name, args, kwargs or {}, torch=functional(name), **more)


_Q, _K, _V = A((2, 3, 4, 5)), A((2, 3, 6, 5)), A((2, 3, 6, 2))
_NONE = (A((0, 4, 5)), A((0, 6, 5)), A((0, 6, 2)), A((4, 6)))
_HALF = {"float16": 4e-3, "bfloat16": 3e-2}

ROWS = [
    _row(
        (_Q, _K, _V),
        dtypes=(*FLOATS, *HALVES),
        rtol=_HALF,
        bad=((A((4,)), A((4,)), A((4,))), {}, RuntimeError, "at least 2 dimensional"),
    ),
    _row((_Q, _Q, _Q), {"is_causal": True}, label="causal"),
    _row((_Q, _K, _K), {"is_causal": True, "scale": 0.3}, label="causal wide"),
    _row((A((4, 5)), A((3, 5)), A((3, 5))), {"is_causal": True}, label="2d"),
    _row((_Q, _K, _V, A((4, 6))), label="mask", empty=_NONE),
    _row((_Q, _K, _V, A((2, 1, 4, 6))), label="mask 4d"),
    _row((_Q, _K, _V, A((4, 6), dtype="bool")), label="boolean", empty=_NONE),
    _row((A((2, 4, 3, 5)), A((2, 2, 3, 5)), A((2, 2, 3, 5))), {"enable_gqa": True}, label="gqa"),
    _row((_Q, A((1, 3, 6, 5)), A((1, 1, 6, 2))), label="broadcast"),
    _row((_Q, A((2, 3, 0, 5)), A((2, 3, 0, 2))), label="no keys", second=False),
]
