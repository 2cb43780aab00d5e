// _C.adafactor_step: one call for lists of arrays. It returns False, having done nothing, if an
// array is of a layout or dtype that the kernel does not take.
#include <algorithm>
#include <cmath>
#include <vector>

#include "bindings/array.h"
#include "bindings/families.h"
#include "kernels.h"
#include "runtime/memory.h"

namespace mg {
namespace {

constexpr const char* kName = "adafactor_step";

bool check_lists(PyObject* const* lists) {
  constexpr const char* names[] = {"params", "grads", "rows", "columns", "steps"};
  for (int k = 0; k < 5; ++k) {
    if (!PyList_Check(lists[k])) {
      fail(PyExc_TypeError, "%s: %s is a %s; it must be a list of arrays", kName, names[k],
           Py_TYPE(lists[k])->tp_name);
      return false;
    }
    if (PyList_GET_SIZE(lists[k]) != PyList_GET_SIZE(lists[0])) {
      fail(PyExc_ValueError, "%s: %s has %zd arrays and params has %zd; they must be as many",
           kName, names[k], PyList_GET_SIZE(lists[k]), PyList_GET_SIZE(lists[0]));
      return false;
    }
  }
  return true;
}

bool need_size(const char* name, Py_ssize_t i, const Array& array, int64_t size) {
  if (array.size == size) return true;
  fail(PyExc_RuntimeError, "%s: %s[%zd] is %s; it must have %lld elements", kName, name, i,
       describe(array).c_str(), static_cast<long long>(size));
  return false;
}

// Reads tensor i; sets *taken to false for what the kernel does not take.
bool read_tensor(PyObject* const* lists, Py_ssize_t i, FactoredTensor* t, Array* step,
                 bool* taken) {
  Array param, grad, rows, columns;
  if (!read_array(kName, "params", PyList_GET_ITEM(lists[0], i), &param) ||
      !read_array(kName, "grads", PyList_GET_ITEM(lists[1], i), &grad) ||
      !read_array(kName, "rows", PyList_GET_ITEM(lists[2], i), &rows) ||
      !read_optional(kName, "columns", PyList_GET_ITEM(lists[3], i), &columns) ||
      !read_array(kName, "steps", PyList_GET_ITEM(lists[4], i), step)) {
    return false;
  }
  const bool matrix = columns.object && param.ndim > 1;
  t->width = matrix ? param.shape[param.ndim - 1] : param.size;
  t->height = matrix ? param.shape[param.ndim - 2] : 1;
  t->batches = 1;
  for (int k = 0; matrix && k < param.ndim - 2; ++k) t->batches *= param.shape[k];
  if (!need_size("grads", i, grad, param.size) || !need_size("steps", i, *step, 1) ||
      !need_size("rows", i, rows, matrix ? t->batches * t->height : param.size) ||
      (matrix && !need_size("columns", i, columns, t->batches * t->width))) {
    return false;
  }
  t->wide = param.dtype == DType::kFloat64;
  const auto fits = [&](const Array& a) { return a.dtype == param.dtype && a.contiguous; };
  const auto is_float = [](const Array& a) {
    return a.dtype == DType::kFloat32 || a.dtype == DType::kFloat64;
  };
  *taken = *taken && is_float(param) && is_float(*step) && step->contiguous && fits(param) &&
           fits(grad) && fits(rows) && param.writeable && rows.writeable && step->writeable &&
           matrix == (columns.object != nullptr) &&
           (!matrix || (fits(columns) && columns.writeable));
  t->param = param.data;
  t->grad = grad.data;
  t->rows = rows.data;
  t->columns = matrix ? columns.data : nullptr;
  return true;
}

double advance(const Array& step) {
  if (step.dtype == DType::kFloat64) return *step.as<double>() += 1;
  return static_cast<double>(*step.as<float>() += 1);
}

PyObject* adafactor_step(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count(kName, nargs, 12) || !check_lists(args)) return nullptr;
  FactoredOptions o{};
  double decay = 0;
  const struct {
    const char* name;
    double* to;
  } numbers[] = {{"lr", &o.lr},     {"beta2_decay", &decay},
                 {"eps1", &o.eps1}, {"eps2", &o.eps2},
                 {"d", &o.d},       {"weight_decay", &o.weight_decay}};
  for (int k = 0; k < 6; ++k) {
    if (!read_double(kName, numbers[k].name, args[5 + k], numbers[k].to)) return nullptr;
  }
  if (!read_bool(kName, "maximize", args[11], &o.maximize)) return nullptr;

  const Py_ssize_t count = PyList_GET_SIZE(args[0]);
  std::vector<FactoredTensor> tensors(static_cast<size_t>(count));
  std::vector<Array> steps(static_cast<size_t>(count));
  bool taken = true;
  int64_t work = 0, total = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    FactoredTensor& t = tensors[static_cast<size_t>(i)];
    if (!read_tensor(args, i, &t, &steps[static_cast<size_t>(i)], &taken)) return nullptr;
    work += factored_work(t);
    total += t.batches * t.height * t.width;
  }
  if (!taken) Py_RETURN_FALSE;
  Workspace scratch(static_cast<size_t>(work) * sizeof(double));
  if (scratch.failed()) return PyErr_NoMemory();
  auto* at = static_cast<double*>(scratch.data());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const double n = advance(steps[i]);
    tensors[i].share = std::pow(n, decay);
    tensors[i].limit = std::min(o.lr, 1 / std::sqrt(n));
    tensors[i].work = at;
    at += factored_work(tensors[i]);
  }
  {
    KernelScope scope(2.0 * static_cast<double>(total));
    kernels().optim.adafactor(tensors.data(), count, &o);
  }
  Py_RETURN_TRUE;
}

PyMethodDef kFunctions[] = {
    MG_FAST(adafactor_step,
            "adafactor_step(params, grads, rows, columns, steps, lr, beta2_decay, eps1, eps2, d, "
            "weight_decay, maximize) -> bool"),
    MG_TABLE_END,
};

}  // namespace

void bind_optim_factored(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
