"""Rows of `ops/pool.py`, `pool_volumes.py`, `adaptive.py` and `fractional.py`: pooling."""

from collections.abc import Callable

from .row import ALL_INTS, FLOATS, HALVES, A, Row

NUMBERS = (*HALVES, *FLOATS)


def _torch(name: str) -> Callable:
    def call(*args, **kwargs):
        import torch.nn.functional as F

        return getattr(F, name)(*args, **kwargs)

    return call


def _rows(name: str, n: int) -> list[Row]:
    is_max = name.startswith("max")
    size, kernel = (5, 7, 6)[3 - n :], (2, 3, 2)[3 - n :]
    x = A((2, 3, *size), distinct=True)
    small = A((2, 3, *(3, 3, 2)[3 - n :]), distinct=True)
    one = A((3, *size), distinct=True)
    floats = FLOATS if name == "avg_pool3d" else NUMBERS  # PyTorch has no others
    types = (*ALL_INTS, *NUMBERS) if is_max and n > 1 else NUMBERS
    types = types if is_max else ("int64", *floats)
    f = _torch(name)
    bad = ((small, (4,) * n), {}, RuntimeError, "output size|Output size is too small|smaller than")
    rows = [
        Row(name, (x, kernel), torch=f, dtypes=types, bad=bad, empty=(A((0, 3, *size)), kernel)),
        Row(name, (x, 2), {"stride": 1}, torch=f, dtypes=types, label="overlap",
            empty=(A((2, 0, *size)), 2)),
        Row(name, (x, 3), {"stride": 2, "padding": 1}, torch=f, dtypes=floats, label="padding"),
        Row(name, (x, 3, 2, 1), {"ceil_mode": True}, torch=f, dtypes=floats, label="ceil"),
        Row(name, (x, 2, 3), {"ceil_mode": True}, torch=f, label="ceil-gaps"),
        Row(name, (one, 2), torch=f, label="unbatched"),
    ]  # fmt: skip
    if is_max:
        return [
            *rows,
            Row(name, (x, 2), {"dilation": 2, "stride": 1, "padding": 1}, torch=f,
                label="dilation"),
            Row(name, (x, 3), {"stride": 2, "padding": 1, "return_indices": True}, torch=f,
                dtypes=(*ALL_INTS, *NUMBERS), label="indices"),
            Row(name, (A((2, 3, *size), lo=0, hi=2, dtype="float32"), 3),
                {"stride": 1, "return_indices": True}, torch=f, grad=False, label="ties"),
        ]  # fmt: skip
    rows += [
        Row(name, (x, 3, 2, 1), {"ceil_mode": True, "count_include_pad": False}, torch=f,
            label="without-padding"),
    ]  # fmt: skip
    if n > 1:
        rows += [
            Row(name, (x, 3, 2, 1), {"divisor_override": 5}, torch=f, dtypes=("int64", *floats),
                label="divisor"),
        ]  # fmt: skip
    return rows


def _adaptive(name: str, n: int) -> list[Row]:
    size = (5, 7, 6)[3 - n :]
    x, one = A((2, 3, *size), distinct=True), A((3, *size), distinct=True)
    f = _torch(name)
    bad = ((A((2,)), 2), {}, RuntimeError, "Expected")
    rows = [
        Row(
            name, (x, (3, 4, 2)[:n]), torch=f, dtypes=NUMBERS, bad=bad, empty=(A((0, 3, *size)), 2)
        ),
        Row(name, (x, 1), torch=f, dtypes=NUMBERS, label="one", empty=(A((2, 0, *size)), 1)),
        Row(name, (x, 9), torch=f, label="larger", empty=(A((2, 3, 0, 4, 4)[: n + 2]), 1)),
        Row(name, (one, 2), torch=f, label="unbatched"),
    ]
    if n > 1:
        rows.append(Row(name, (x, (None, 3, 2)[:n]), torch=f, label="none"))
    if "max" in name:
        rows.append(Row(name, (x, 2), {"return_indices": True}, torch=f, label="indices"))
    return rows


def _unpool(name: str, n: int) -> Row:
    """Unpools what was pooled just before."""
    pool = name.replace("un", "")

    def ours(x, *args):
        import minigrad as mg

        values, index = mg.ops.CATALOGUE[pool](x, *args, return_indices=True)
        return mg.ops.CATALOGUE[name](values, index, *args)

    def theirs(x, *args):
        import torch.nn.functional as F

        values, index = getattr(F, pool)(x, *args, return_indices=True)
        return getattr(F, name)(values, index, *args)

    x = A((2, 3, *(4, 8, 6)[3 - n :]), distinct=True)
    return Row(name, (x, 2), op=ours, torch=theirs)


def _fractional(name: str, n: int) -> list[Row]:
    """Both with the same samples, of which the result is no function with a gradient."""
    x, one = A((2, 3, *(6, 8, 7)[:n]), distinct=True), A((3, *(6, 8, 7)[:n]), distinct=True)
    samples = A((2, 3, n), lo=0, hi=1, grad=False)

    def theirs(x, kernel, size, samples):
        import torch.nn.functional as F

        return getattr(F, name)(x, kernel, size, None, True, samples.detach())

    wide = 7 if n == 2 else 4  # volumes need one more
    bad = ((x, wide, 3, samples), {}, RuntimeError, "too large relative to input")
    empty = (A((0, 3, *(6, 8, 7)[:n])), 2, 3, samples)
    return [
        Row(name, (x, 2, 3, samples), torch=theirs, bad=bad, empty=empty),
        Row(name, (one, (2, 3, 1)[:n], (4, 3, 5)[:n], samples), torch=theirs,
            label="unbatched", empty=empty),
    ]  # fmt: skip


ROWS = [
    *(row for n in (1, 2, 3) for row in _rows(f"max_pool{n}d", n)),
    *(row for n in (1, 2, 3) for row in _rows(f"avg_pool{n}d", n)),
    *(row for n in (1, 2, 3) for row in _adaptive(f"adaptive_avg_pool{n}d", n)),
    *(row for n in (1, 2, 3) for row in _adaptive(f"adaptive_max_pool{n}d", n)),
    *(row for n in (2, 3) for row in _fractional(f"fractional_max_pool{n}d", n)),
    *(_unpool(f"max_unpool{n}d", n) for n in (1, 2, 3)),
    Row("max_unpool1d", (A((2, 3, 1)), A((2, 3, 1), lo=0, hi=2, dtype="int64"), 2), grad=False,
        torch=_torch("max_unpool1d"), label="plain", empty=(A((3,)), A((3,), dtype="int64"), 2),
        bad=((A((1, 2)), A((1, 2)), 2), {}, RuntimeError, "int64")),
    Row("max_unpool3d", (A((2, 3, 1, 1, 1)), A((2, 3, 1, 1, 1), lo=0, hi=8, dtype="int64"), 2),
        torch=_torch("max_unpool3d"), label="plain", grad=False,
        empty=(A((3,)), A((3,), dtype="int64"), 2),
        bad=((A((1, 2, 2, 2)), A((1, 2, 2, 2)), 2), {}, RuntimeError, "int64")),
    Row("max_unpool2d", (A((2, 3, 1, 1)), A((2, 3, 1, 1), lo=0, hi=4, dtype="int64"), 2),
        torch=_torch("max_unpool2d"), label="plain", grad=False,
        empty=(A((3,)), A((3,), dtype="int64"), 2),
        bad=((A((1, 2, 2)), A((1, 2, 2)), 2), {}, RuntimeError, "int64")),
]  # fmt: skip
