// Losses: the kernels on arrays, and in one call with tensor and node for the losses of float
// tensors. Where the functions return None (other types and layouts, classes or probabilities out
// of range), the Python code, which says what happens here and raises the errors, does it.
#include "kernels/loss.h"

#include "bindings/families.h"
#include "bindings/graph.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

constexpr double kExp = 0.7;   // nanoseconds for one exponential on one thread, roughly
constexpr double kPair = 0.5;  // and for one element of a pair

PyArrayObject* as_array(PyObject* object) { return reinterpret_cast<PyArrayObject*>(object); }

template <class T>
T* data_of(PyObject* array) {
  return static_cast<T*>(PyArray_DATA(as_array(array)));
}

bool is_single(PyObject* array) { return PyArray_TYPE(as_array(array)) == NPY_FLOAT; }

// Both float arrays of one type and one number of elements.
bool alike(PyObject* a, PyObject* b) {
  return is_fast(a) && is_fast(b) && PyArray_TYPE(as_array(a)) == PyArray_TYPE(as_array(b));
}

PyObject* number_like(PyObject* array, double value) {
  PyArray_Descr* descr = PyArray_DESCR(as_array(array));
  Py_INCREF(descr);
  PyObject* out = new_array(descr, 0, nullptr);
  if (!out) return nullptr;
  if (is_single(array)) {
    *data_of<float>(out) = static_cast<float>(value);
  } else {
    *data_of<double>(out) = value;
  }
  return out;
}

enum class Reduction { kNone, kSum, kMean, kOther };

Reduction read_reduction(PyObject* object) {
  if (!PyUnicode_CheckExact(object)) return Reduction::kOther;
  if (PyUnicode_CompareWithASCIIString(object, "mean") == 0) return Reduction::kMean;
  if (PyUnicode_CompareWithASCIIString(object, "sum") == 0) return Reduction::kSum;
  if (PyUnicode_CompareWithASCIIString(object, "none") == 0) return Reduction::kNone;
  return Reduction::kOther;
}

// What came of the gradient `grad` of a reduced loss: one number, or one for each of n elements.
struct Gradient {
  PyObject* each;  // nullptr for one number
  double one;
};

bool read_gradient(PyObject* grad, PyObject* like, Reduction reduction, int64_t n, Gradient* to) {
  if (!alike(grad, like) || PyArray_SIZE(as_array(grad)) != (reduction == Reduction::kNone ? n : 1))
    return false;
  to->each = reduction == Reduction::kNone ? grad : nullptr;
  to->one = to->each          ? 1
            : is_single(grad) ? static_cast<double>(*data_of<float>(grad))
                              : *data_of<double>(grad);
  return true;
}

// ---- class scores ----

// Arguments of a cross-entropy, checked.
struct Scores {
  PyObject *x, *target, *weight;  // weight is nullptr for None
  int64_t rows, columns, length, ignored, counted;
  double smoothing;

  template <class T>
  ClassScores<T> of() const {
    return {data_of<T>(x),
            data_of<int64_t>(target),
            weight ? data_of<T>(weight) : nullptr,
            rows,
            columns,
            length,
            ignored,
            smoothing};
  }
  double work() const { return kExp * static_cast<double>(rows * columns * length); }
};

// x (N, C, ...), target int64 (N, ...), weight (C) or None; false where Python has to do it.
bool read_scores(PyObject* x, PyObject* target, PyObject* weight, Scores* s) {
  if (!is_fast(x) || !PyArray_CheckExact(target)) return false;
  PyArrayObject *a = as_array(x), *t = as_array(target);
  const int n = PyArray_NDIM(a);
  if (n < 2 || PyArray_NDIM(t) != n - 1 || PyArray_TYPE(t) != NPY_INT64 ||
      !PyArray_ISCARRAY_RO(t) || PyArray_SIZE(a) == 0 || PyArray_DIM(a, 0) != PyArray_DIM(t, 0)) {
    return false;
  }
  s->length = 1;
  for (int i = 2; i < n; ++i) {
    if (PyArray_DIM(a, i) != PyArray_DIM(t, i - 1)) return false;
    s->length *= PyArray_DIM(a, i);
  }
  s->rows = PyArray_DIM(a, 0), s->columns = PyArray_DIM(a, 1);
  s->x = x, s->target = target, s->weight = weight == Py_None ? nullptr : weight;
  if (s->columns > INT32_MAX ||
      (s->weight && (!alike(x, weight) || PyArray_NDIM(as_array(weight)) != 1 ||
                     PyArray_DIM(as_array(weight), 0) != s->columns))) {
    return false;
  }
  return kernels().loss.check(data_of<int64_t>(target), s->rows * s->length, s->columns, s->ignored,
                              &s->counted);
}

template <class T>
double run_forward(const LossOf<T>& k, const Scores& s, T* each, T* lse, double* denominator) {
  KernelScope scope(s.work());
  const ClassScores<T> scores = s.of<T>();
  *denominator = s.weight ? k.weights(scores) : static_cast<double>(s.counted);
  return k.cross_entropy(each, lse, scores);
}

// The loss; sets lse (new) and the denominator of the mean. nullptr: error.
PyObject* forward(const Scores& s, Reduction reduction, PyObject** lse, double* denominator) {
  *lse = nullptr;
  PyArrayObject* t = as_array(s.target);
  PyArray_Descr* descr = PyArray_DESCR(as_array(s.x));
  Workspace scratch(reduction == Reduction::kNone
                        ? 0
                        : static_cast<size_t>(s.rows * s.length * PyArray_ITEMSIZE(as_array(s.x))));
  if (scratch.failed()) return PyErr_NoMemory();
  PyObject* out = nullptr;
  if (reduction == Reduction::kNone) {
    Py_INCREF(descr);
    if (!(out = new_array(descr, PyArray_NDIM(t), PyArray_DIMS(t)))) return nullptr;
  }
  Py_INCREF(descr);
  *lse = new_array(descr, PyArray_NDIM(t), PyArray_DIMS(t));
  if (!*lse) {
    Py_XDECREF(out);
    return nullptr;
  }
  void* each = out ? PyArray_DATA(as_array(out)) : scratch.data();
  const LossKernels& k = kernels().loss;
  double sum =
      is_single(s.x)
          ? run_forward(k.f32, s, static_cast<float*>(each), data_of<float>(*lse), denominator)
          : run_forward(k.f64, s, static_cast<double*>(each), data_of<double>(*lse), denominator);
  if (!out) {
    if (reduction == Reduction::kMean) sum /= *denominator;
    out = number_like(s.x, sum);
    if (!out) Py_CLEAR(*lse);
  }
  return out;
}

// cross_entropy(x, target, weight, ignored, reduction, smoothing): (loss, lse, denominator), None.
PyObject* cross_entropy(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Scores s;
  if (!check_count("cross_entropy", nargs, 6) ||
      !read_int("cross_entropy", "ignored", args[3], &s.ignored) ||
      !read_double("cross_entropy", "smoothing", args[5], &s.smoothing)) {
    return nullptr;
  }
  const Reduction reduction = read_reduction(args[4]);
  if (reduction == Reduction::kOther || !read_scores(args[0], args[1], args[2], &s)) {
    return new_none();
  }
  double denominator;
  PyObject* lse;
  PyObject* loss = forward(s, reduction, &lse, &denominator);
  return loss ? Py_BuildValue("NNd", loss, lse, denominator) : nullptr;
}

template <class T>
void run_backward(const LossOf<T>& k, const Scores& s, const Gradient& g, double scale,
                  PyObject* lse, PyObject* out) {
  KernelScope scope(s.work());
  k.cross_entropy_backward(data_of<T>(out), g.each ? data_of<T>(g.each) : nullptr,
                           static_cast<T>(g.one * scale), data_of<T>(lse), s.of<T>());
}

// cross_entropy_backward(grad, x, target, weight, lse, denominator, ignored, reduction, smoothing)
PyObject* cross_entropy_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* name = "cross_entropy_backward";
  Scores s;
  Gradient g;
  double denominator;
  if (!check_count(name, nargs, 9) || !read_double(name, "denominator", args[5], &denominator) ||
      !read_int(name, "ignored", args[6], &s.ignored) ||
      !read_double(name, "smoothing", args[8], &s.smoothing)) {
    return nullptr;
  }
  const Reduction reduction = read_reduction(args[7]);
  if (reduction == Reduction::kOther || !read_scores(args[1], args[2], args[3], &s) ||
      !alike(args[4], s.x) || PyArray_SIZE(as_array(args[4])) != s.rows * s.length ||
      !read_gradient(args[0], s.x, reduction, s.rows * s.length, &g)) {
    return new_none();
  }
  PyObject* out = array_like(as_array(s.x));
  if (!out) return nullptr;
  const double scale = reduction == Reduction::kMean ? 1 / denominator : 1;
  if (is_single(s.x)) {
    run_backward(kernels().loss.f32, s, g, scale, args[4], out);
  } else {
    run_backward(kernels().loss.f64, s, g, scale, args[4], out);
  }
  return out;
}

// ---- pairs ----

struct Pair {
  int op;
  PyObject *x, *t;
  int64_t n;
  double number;
};

bool read_pair(int64_t op, PyObject* x, PyObject* t, Pair* p) {
  p->op = static_cast<int>(op), p->x = x, p->t = t;
  if (op < 0 || op >= static_cast<int>(PairLoss::kCount) || !alike(x, t) ||
      !PyArray_SAMESHAPE(as_array(x), as_array(t))) {
    return false;
  }
  p->n = PyArray_SIZE(as_array(x));
  return p->n > 0;
}

template <class T>
void run_pair(const LossOf<T>& k, const Pair& p, PyObject* out, double* slots) {
  KernelScope scope(kPair * static_cast<double>(p.n));
  k.pairs[p.op].forward(out ? data_of<T>(out) : nullptr, slots, data_of<T>(p.x), data_of<T>(p.t),
                        p.n, p.number);
}

// The loss, or None for elements outside its domain.
PyObject* pair_forward(const Pair& p, Reduction reduction) {
  constexpr int64_t kFew = 8;
  double few[2 * kFew];
  const int64_t chunks = ceil_div(p.n, kLossChunk);
  Workspace scratch(chunks > kFew ? static_cast<size_t>(chunks) * 2 * sizeof(double) : 0);
  if (scratch.failed()) return PyErr_NoMemory();
  double* slots = chunks > kFew ? static_cast<double*>(scratch.data()) : few;
  PyObject* out = nullptr;
  if (reduction == Reduction::kNone && !(out = array_like(as_array(p.x)))) return nullptr;
  if (is_single(p.x)) {
    run_pair(kernels().loss.f32, p, out, slots);
  } else {
    run_pair(kernels().loss.f64, p, out, slots);
  }
  double sum = 0, outside = 0;
  for (int64_t i = 0; i < chunks; ++i) {
    sum += slots[2 * i];
    outside += slots[2 * i + 1];
  }
  if (outside != 0) {
    Py_XDECREF(out);
    return new_none();
  }
  if (out) return out;
  return number_like(p.x, reduction == Reduction::kMean ? sum / static_cast<double>(p.n) : sum);
}

// pair_loss(op, x, t, reduction, number): the loss, or None.
PyObject* pair_loss(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Pair p;
  int64_t op;
  if (!check_count("pair_loss", nargs, 5) || !read_int("pair_loss", "op", args[0], &op) ||
      !read_double("pair_loss", "number", args[4], &p.number)) {
    return nullptr;
  }
  const Reduction reduction = read_reduction(args[3]);
  if (reduction == Reduction::kOther || !read_pair(op, args[1], args[2], &p)) return new_none();
  return pair_forward(p, reduction);
}

template <class T>
void run_slope(const LossOf<T>& k, const Pair& p, const Gradient& g, double scale, bool target,
               PyObject* out) {
  const PairLossOf<T>& loss = k.pairs[p.op];
  const bool negative = target && !loss.target_slope;
  KernelScope scope(kPair * static_cast<double>(p.n));
  (target && !negative ? loss.target_slope : loss.slope)(
      data_of<T>(out), g.each ? data_of<T>(g.each) : nullptr, data_of<T>(p.x), data_of<T>(p.t), p.n,
      p.number, static_cast<T>(negative ? -g.one * scale : g.one * scale));
}

// pair_loss_backward(op, grad, x, t, reduction, number, target): the gradient of t or x, or None.
PyObject* pair_loss_backward(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* name = "pair_loss_backward";
  Pair p;
  Gradient g;
  int64_t op;
  bool target;
  if (!check_count(name, nargs, 7) || !read_int(name, "op", args[0], &op) ||
      !read_double(name, "number", args[5], &p.number) ||
      !read_bool(name, "target", args[6], &target)) {
    return nullptr;
  }
  const Reduction reduction = read_reduction(args[4]);
  if (reduction == Reduction::kOther || !read_pair(op, args[2], args[3], &p) ||
      !read_gradient(args[1], p.x, reduction, p.n, &g)) {
    return new_none();
  }
  PyObject* out = array_like(as_array(p.x));
  if (!out) return nullptr;
  const double scale = reduction == Reduction::kMean ? 1 / static_cast<double>(p.n) : 1;
  if (is_single(p.x)) {
    run_slope(kernels().loss.f32, p, g, scale, target, out);
  } else {
    run_slope(kernels().loss.f64, p, g, scale, target, out);
  }
  return out;
}

// ---- recorded ----

// The tensor over `loss` (its reference is taken): with a node of `cls` that has saved all inputs
// (variables, or None) and whose attribute `name` is `value` (likewise taken) if recorded.
PyObject* finish(PyObject* cls, PyObject* const* inputs, PyObject* const* arrays, int count,
                 PyObject* loss, PyObject* name, PyObject* value) {
  bool tracked = false;
  PyObject* next = PyTuple_New(count);
  PyObject* saved = PyTuple_New(count);
  PyObject* cells = PyList_New(0);
  bool ok = loss && value && next && saved && cells;
  for (int i = 0; ok && i < count; ++i) {
    PyObject* fn = inputs[i] == Py_None ? Py_None : slot(inputs[i], g.fn);
    tracked |= fn != Py_None;
    Py_INCREF(fn);
    PyTuple_SET_ITEM(next, i, fn);
    Py_INCREF(arrays[i]);
    PyTuple_SET_ITEM(saved, i, arrays[i]);
  }
  tracked &= t_recording;
  for (int i = 0; ok && tracked && i < count; ++i) {
    if (inputs[i] == Py_None) continue;
    PyObject* cell = saved_cell(inputs[i]);
    ok = cell && PyList_Append(cells, cell) == 0;
  }
  PyObject* result = nullptr;
  if (ok && !tracked) {
    Py_INCREF(loss);
    result = new_tensor(loss, Py_None);
  } else if (ok) {
    PyObject* node = new_node(cls, next);
    next = nullptr;
    if (node && PyObject_SetAttr(node, name, value) == 0) {
      replace(node, g.saved, saved);
      replace(node, g.cells, cells);
      saved = cells = nullptr;
      Py_INCREF(loss);
      result = new_tensor(loss, node);
    }
    Py_XDECREF(node);
  }
  Py_XDECREF(next);
  Py_XDECREF(saved);
  Py_XDECREF(cells);
  Py_XDECREF(loss);
  Py_XDECREF(value);
  return result;
}

// fast_pair_loss(cls, input, target, terms); terms = (op, number, reduction, anything)
PyObject* fast_pair_loss(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  static PyObject* const name = PyUnicode_InternFromString("terms");
  if (!check_count("fast_pair_loss", nargs, 4)) return nullptr;
  PyObject* terms = args[3];
  if (!PyTuple_CheckExact(terms) || PyTuple_GET_SIZE(terms) != 4) {
    return fail(PyExc_TypeError, "fast_pair_loss: terms must be a tuple of four");
  }
  Pair p;
  int64_t op;
  if (!read_int("fast_pair_loss", "op", PyTuple_GET_ITEM(terms, 0), &op) ||
      !read_double("fast_pair_loss", "number", PyTuple_GET_ITEM(terms, 1), &p.number)) {
    return nullptr;
  }
  const Reduction reduction = read_reduction(PyTuple_GET_ITEM(terms, 2));
  if (reduction == Reduction::kOther || !g.tensor || g_anomaly || !is_variable(args[1]) ||
      !is_variable(args[2])) {
    return new_none();
  }
  PyObject* arrays[2] = {slot(args[1], g.array), slot(args[2], g.array)};
  if (!read_pair(op, arrays[0], arrays[1], &p)) return new_none();
  Keep keep(true, {arrays[0], arrays[1]});
  PyObject* loss = pair_forward(p, reduction);
  if (!loss || loss == Py_None) return loss;
  Py_INCREF(terms);
  return finish(args[0], args + 1, arrays, 2, loss, name, terms);
}

// fast_cross_entropy(cls, input, target, weight, ignored, reduction, smoothing)
PyObject* fast_cross_entropy(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  static PyObject* const terms = PyUnicode_InternFromString("terms");
  const char* name = "fast_cross_entropy";
  if (!check_count(name, nargs, 7)) return nullptr;
  Scores s;
  const Reduction reduction = read_reduction(args[5]);
  if (reduction == Reduction::kOther || !g.tensor || g_anomaly || !is_variable(args[1]) ||
      !is_variable(args[2]) || (args[3] != Py_None && !is_variable(args[3])) ||
      !PyLong_CheckExact(args[4]) || !PyFloat_CheckExact(args[6])) {
    return new_none();
  }
  s.smoothing = PyFloat_AS_DOUBLE(args[6]);
  s.ignored = PyLong_AsLongLong(args[4]);
  if (s.ignored == -1 && PyErr_Occurred()) return nullptr;
  const bool weighted = args[3] != Py_None;
  PyObject* arrays[3] = {slot(args[1], g.array), slot(args[2], g.array),
                         weighted ? slot(args[3], g.array) : Py_None};
  if (!(s.smoothing >= 0 && s.smoothing <= 1) || (weighted && slot(args[3], g.fn) != Py_None) ||
      !read_scores(arrays[0], arrays[1], arrays[2], &s)) {
    return new_none();
  }
  Keep keep(true, {arrays[0], arrays[1], arrays[2]});
  double denominator;
  PyObject* lse;
  PyObject* loss = forward(s, reduction, &lse, &denominator);
  if (!loss) return nullptr;
  PyObject* value = Py_BuildValue("NdOOO", lse, denominator, args[4], args[5], args[6]);
  return finish(args[0], args + 1, arrays, 3, loss, terms, value);
}

PyMethodDef kFunctions[] = {
    MG_FAST(cross_entropy,
            "cross_entropy(x, target, weight, ignored, reduction, smoothing): (loss, lse, "
            "denominator), or None if NumPy has to"),
    MG_FAST(cross_entropy_backward,
            "cross_entropy_backward(grad, x, target, weight, lse, denominator, ignored, "
            "reduction, smoothing), or None"),
    MG_FAST(pair_loss, "pair_loss(op, x, t, reduction, number), or None"),
    MG_FAST(pair_loss_backward,
            "pair_loss_backward(op, grad, x, t, reduction, number, target), or None"),
    MG_FAST(fast_pair_loss,
            "fast_pair_loss(cls, input, target, (op, number, reduction, ...)): recorded, or None"),
    MG_FAST(fast_cross_entropy,
            "fast_cross_entropy(cls, input, target, weight, ignored, reduction, smoothing): "
            "recorded, or None"),
    MG_TABLE_END,
};

}  // namespace

void bind_loss(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
