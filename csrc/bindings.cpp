// The module minigrad._C: initialises the runtime and lets each family add its functions.
#define MG_IMPORT_NUMPY
#include <pybind11/pybind11.h>

#include "bindings/array.h"
#include "bindings/families.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

namespace mg {

void set_python_error() {
  try {
    throw;
  } catch (pybind11::error_already_set& error) {
    error.restore();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

void throw_python_error() { throw pybind11::error_already_set(); }

void add_functions(PyObject* module, PyMethodDef* table) {
  if (PyModule_AddFunctions(module, table) != 0) throw_python_error();
}

}  // namespace mg

PYBIND11_MODULE(_C, m) {
  m.doc() = "minigrad's compiled kernels; use them through minigrad.kernels.cpu";
  if (_import_array() < 0) throw pybind11::error_already_set();
  if (!mg::init_dtypes()) throw pybind11::error_already_set();
  mg::init_memory();
  mg::init_threads();
  mg::bind_rnn(m.ptr());
  mg::bind_runtime(m.ptr());
  mg::bind_memory(m.ptr());
  mg::bind_movement(m.ptr());
  mg::bind_nll(m.ptr());
  mg::bind_attention(m.ptr());
  mg::bind_cast(m.ptr());
  mg::bind_conv(m.ptr());
  mg::bind_copy(m.ptr());
  mg::bind_dropout(m.ptr());
  mg::bind_elementwise(m.ptr());
  mg::bind_gemm(m.ptr());
  mg::bind_graph(m.ptr());
  mg::bind_index(m.ptr());
  mg::bind_loss(m.ptr());
  mg::bind_norm(m.ptr());
  mg::bind_optim(m.ptr());
  mg::bind_pool(m.ptr());
  mg::bind_random(m.ptr());
  mg::bind_record(m.ptr());
  mg::bind_engine(m.ptr());
  mg::bind_reduce(m.ptr());
  mg::bind_softmax(m.ptr());
  mg::bind_sort(m.ptr());
  mg::bind_views(m.ptr());
}
