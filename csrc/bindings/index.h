// Elements at numbered places, on arrays: what index.cpp gives to the functions that record.
#pragma once

#include "bindings/array.h"

namespace mg {

// Where the numbers of an index stand. kRows: it names whole places of a dimension, and its own
// dimensions take that one's place (`x[:, index]`). kAlong: it has the table's dimensions, and each
// element is named by its own number (`gather`).
enum class Form { kRows, kAlong };

// The functions return nullptr without an error set where NumPy has to do it, or has to say what
// is wrong: other types, more dimensions than a walk has, numbers out of range. Nothing has been
// written then.

// A new array with the elements of x. `wrap`: negative numbers count from the end.
PyObject* take_places(PyArrayObject* x, int64_t dim, PyArrayObject* index, Form form, bool wrap);

// A new array: x (or zeros of `shape`, given by `ndim` numbers, where x is nullptr) with `values`,
// which broadcast to the places (kRows) or cover the index (kAlong), written (`how` 0), added (1),
// or combined with what is there by a CombineOp (2 and further, in its order). `skip`: the number
// of a row that gets nothing, or -1.
PyObject* put_places(PyArrayObject* x, int ndim, const npy_intp* shape, int64_t dim,
                     PyArrayObject* index, PyArrayObject* values, Form form, bool wrap, int how,
                     int64_t skip);

// The same for writing to x itself (whole places): 1 done, 0 nullptr's meaning above, -1 error.
int write_places(PyArrayObject* x, int64_t dim, PyArrayObject* index, PyArrayObject* values,
                 bool wrap, int how = 0);

// C-contiguous arrays of one type side by side along dimension `dim`, or (`stack`) a new one.
PyObject* join_arrays(PyArrayObject* const* arrays, Py_ssize_t count, int64_t dim, bool stack);

constexpr Py_ssize_t kMaxJoined = 256;

}  // namespace mg
