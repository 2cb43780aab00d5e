"""Rows of `ops/loss.py` and `ops/margin_loss.py`."""

from .row import FLOATS, HALVES, A, Row, functional

_NUMBERS = (*FLOATS, *HALVES)
_HALF = {"float16": 5e-3, "bfloat16": 5e-2}
_REDUCTIONS = ("none", "mean", "sum")
_PROB = A(lo=0.05, hi=0.95)
_SHAPES = ((A((3, 4)), A((3, 3))), {}, RuntimeError, r"size of tensor a .* must match")


def _losses(name: str, args: tuple, bad: tuple, kwargs: dict | None = None, **more) -> list[Row]:
    """One row for each reduction; the first has the bad input and the 16-bit floats."""
    rows = []
    for reduction in _REDUCTIONS:
        first = {"dtypes": _NUMBERS, "rtol": _HALF, "bad": bad} if not rows else {}
        rows.append(
            Row(
                name,
                args,
                {"reduction": reduction, **(kwargs or {})},
                torch=functional(name),
                label=reduction,
                **{**first, **more},
            )
        )
    return rows


def _row(name: str, args: tuple, kwargs: dict | None = None, **more) -> Row:
    return Row(name, args, kwargs or {}, torch=functional(name), **more)


_MULTI = (A((3, 4)), A((3,), dtype="int64", lo=0, hi=4))
_SIGNS = A((3, 4), sign=True, grad=False)

ROWS = [
    *_losses("mse_loss", (A(), A()), _SHAPES),
    _row("mse_loss", (A((2, 3, 4)), A((3, 4))), label="broadcast"),
    _row("mse_loss", (A(), A()), {"weight": A(lo=0.1, grad=False)}, label="weight"),
    _row("mse_loss", (A(()), A(())), label="0d"),
    _row("mse_loss", (A(), A(dtype="float64")), label="mixed", dtypes=("float32",)),
    _row("mse_loss", (A(), A(dtype="int64")), label="integer target"),
    *_losses("l1_loss", (A(), A()), _SHAPES),
    _row("l1_loss", (A(), A()), {"weight": A(lo=0.1, grad=False)}, label="weight"),
    _row("l1_loss", (A(), A()), {"reduction": "sum"}, label="int", dtypes=("int64",), grad=False),
    *_losses("smooth_l1_loss", (A(), A()), _SHAPES),
    _row("smooth_l1_loss", (A(), A()), {"beta": 0.3}, label="beta"),
    _row("smooth_l1_loss", (A(), A()), {"beta": 0.0}, label="zero"),
    *_losses("huber_loss", (A(), A()), _SHAPES),
    _row("huber_loss", (A(), A()), {"delta": 0.7}, label="delta"),
    _row("huber_loss", (A(), A()), {"weight": A(lo=0.1, grad=False)}, label="weight"),
    *_losses(
        "binary_cross_entropy",
        (_PROB, _PROB),
        ((A(), A(lo=0, hi=1)), {}, RuntimeError, "should be between 0 and 1"),
    ),
    _row("binary_cross_entropy", (_PROB, _PROB, A((4,), lo=0.1, grad=False)), label="weight"),
    *_losses(
        "binary_cross_entropy_with_logits",
        (A(), _PROB),
        ((A((3, 4)), A((3,))), {}, ValueError, "must be the same as input size"),
    ),
    _row(
        "binary_cross_entropy_with_logits",
        (A(), _PROB, A((3, 1), lo=0.1, grad=False)),
        {"pos_weight": A((4,), lo=0.1, grad=False), "reduction": "sum"},
        label="weights",
    ),
    _row(
        "binary_cross_entropy_with_logits",
        (A((2, 3), lo=-300, hi=300), A((2, 3), lo=0, hi=1)),
        label="large",
        second=False,
    ),
    *_losses("kl_div", (A(lo=-3, hi=-0.1), _PROB), _SHAPES),
    *[
        _row(
            "kl_div",
            (A(lo=-3, hi=-0.1), A(lo=-3, hi=-0.1)),
            {"log_target": True, "reduction": r},
            label=f"log {r}",
        )
        for r in ("batchmean", "none")
    ],
    *_losses(
        "cosine_embedding_loss",
        (A((3, 4)), A((3, 4)), A((3,), sign=True, grad=False)),
        ((A((3, 4)), A((3, 4)), A((3, 4))), {}, RuntimeError, "multi-target not supported"),
        {"margin": 0.1},
    ),
    _row("cosine_embedding_loss", (A((4,)), A((4,)), A((), sign=True, grad=False)), label="1d"),
    *_losses("hinge_embedding_loss", (A(), _SIGNS), _SHAPES),
    _row(
        "hinge_embedding_loss",
        (A((3, 4)), A((4,), dtype="float32", sign=True, grad=False)),
        {"margin": 1.7, "reduction": "sum"},
        label="integers",
        dtypes=("int64",),
        grad=False,
    ),
    *_losses(
        "margin_ranking_loss",
        (A(), A(), _SIGNS),
        ((A((3, 4)), A((3, 4)), A((3,))), {}, RuntimeError, "should have same dimension"),
        {"margin": 0.5},
    ),
    *_losses("soft_margin_loss", (A(), _SIGNS), _SHAPES),
    *_losses(
        "triplet_margin_loss",
        (A(), A(), A()),
        ((A(), A(), A((2, 3, 4))), {}, RuntimeError, "same number of dimensions"),
    ),
    _row("triplet_margin_loss", (A(), A(), A()), {"swap": True, "p": 3}, label="swap"),
    _row(
        "triplet_margin_with_distance_loss",
        (A(), A(), A()),
        {"swap": True, "margin": 0.5},
        bad=((A(), A(), A()), {"margin": 0}, ValueError, "margin must be greater than 0"),
    ),
    *_losses("poisson_nll_loss", (A(), A(lo=0, hi=4)), _SHAPES),
    _row(
        "poisson_nll_loss",
        (A(lo=0.1), A(lo=0.1, hi=4, grad=False)),
        {"log_input": False, "full": True},
        label="full",
    ),
    *_losses(
        "gaussian_nll_loss",
        (A(), A(), A(lo=0.5)),
        ((A(), A(), A((2,), lo=0.5)), {}, ValueError, "var is of incorrect size"),
    ),
    _row("gaussian_nll_loss", (A(), A(), A((3, 1), lo=0.5)), {"full": True}, label="full"),
    _row("gaussian_nll_loss", (A(), A(), 2.0), label="number"),
    *_losses(
        "multi_margin_loss",
        _MULTI,
        ((A((3, 4)), A((2,), dtype="int64", lo=0, hi=4)), {}, RuntimeError, "target tensor"),
        dtypes=FLOATS,
        empty=_MULTI,
    ),  # PyTorch's mean of no samples is uninitialised memory
    _row(
        "multi_margin_loss",
        _MULTI,
        {"p": 2, "margin": 0.7, "weight": A((4,), lo=0.1, grad=False)},
        label="p2",
        empty=_MULTI,
    ),
    *_losses(
        "multilabel_soft_margin_loss", (A((3, 4)), A((3, 4), lo=0, hi=1, grad=False)), _SHAPES
    ),
]
