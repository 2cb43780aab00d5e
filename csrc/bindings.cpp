// The module minigrad._C: initialises the runtime, adds its settings (instruction set, threads,
// denormals, memory pool, what was built) and lets each family add its functions.
//
// The one file that includes pybind11: its headers take six seconds to compile.
#define MG_IMPORT_NUMPY
#include <pybind11/stl.h>

#include <stdexcept>
#include <string>

#include "bindings/array.h"
#include "bindings/families.h"
#include "dispatch.h"
#include "runtime/denormal.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

namespace py = pybind11;

namespace mg {

void set_python_error() {
  try {
    throw;
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

void throw_python_error() { throw py::error_already_set(); }

void add_functions(PyObject* module, PyMethodDef* table) {
  if (PyModule_AddFunctions(module, table) != 0) throw_python_error();
}

namespace {

void choose_isa(const std::string& name) {
  if (set_isa(name)) return;
  std::string available;
  for (const std::string& isa : available_isas()) available += " " + isa;
  throw py::value_error("set_isa: '" + name + "' was given; this machine can run:" + available);
}

void choose_threads(int64_t count) {
  if (count < 1 || count > kMaxThreads) {
    throw py::value_error("set_num_threads: " + std::to_string(count) +
                          " was given; it must be from 1 to " + std::to_string(kMaxThreads));
  }
  set_num_threads(static_cast<int>(count));
}

py::dict stats() {
  const PoolStats s = pool_stats();
  py::dict result;
  result["allocated"] = s.allocated;
  result["reserved"] = s.reserved;
  result["peak"] = s.peak;
  result["hits"] = s.hits;
  result["misses"] = s.misses;
  result["limit"] = s.limit;
  return result;
}

void choose_limit(int64_t bytes) {
  if (bytes < 0) {
    throw py::value_error("set_pool_limit: " + std::to_string(bytes) +
                          " bytes were given; it must be 0 or more");
  }
  set_pool_limit(bytes);
}

// For the tests: how often each index of [0, n) was visited, optionally from nested calls.
py::list test_parallel_for(int64_t n, int64_t grain, bool nested) {
  if (n < 0 || grain < 1) throw py::value_error("_test_parallel_for: n >= 0, grain >= 1 needed");
  std::vector<int> visits(static_cast<size_t>(n), 0);
  {
    KernelScope scope(1e9);
    parallel_for(n, grain, [&](int64_t begin, int64_t end) {
      const auto mark = [&](int64_t b, int64_t e) {
        for (int64_t i = begin + b; i < begin + e; ++i) ++visits[static_cast<size_t>(i)];
      };
      if (nested) {
        parallel_for(end - begin, 3, mark);
      } else {
        mark(0, end - begin);
      }
    });
  }
  return py::cast(visits);
}

// For the tests: half of the smallest normal float, computed in each of `chunks` chunks.
py::list test_denormals(int64_t chunks) {
  if (chunks < 0) throw py::value_error("_test_denormals: chunks >= 0 needed");
  std::vector<float> halves(static_cast<size_t>(chunks), 1.0f);
  volatile float smallest = 0x1p-126f;
  {
    KernelScope scope(0);
    parallel_for(chunks, 1, [&](int64_t begin, int64_t) {
      halves[static_cast<size_t>(begin)] = smallest * 0.5f;
    });
  }
  return py::cast(halves);
}

void bind_settings(py::module_& m) {
  m.attr("cuda_status") = MG_CUDA_STATUS;
  m.def("isa", &current_isa, "Name of the instruction set in use");
  m.def("available_isas", &available_isas, "Names that this machine can run, slowest first");
  m.def("set_isa", &choose_isa, py::arg("name"), "Switches every later kernel call");
  m.def("get_num_threads", &get_num_threads, "Threads that a kernel may use");
  m.def("set_num_threads", &choose_threads, py::arg("count"), "Takes effect at the next call");
  m.def("default_num_threads", &default_num_threads, "Physical cores this process may use");
  m.def(
      "set_flush_denormal", [](bool on) { g_flush_denormal = on; }, py::arg("on"),
      "Whether kernels flush denormals to zero (they do by default)");
  m.def(
      "get_flush_denormal", [] { return g_flush_denormal.load(); },
      "Whether kernels flush denormals to zero");
  m.def("empty_cache", &empty_pool_cache, "Returns the pool's cached blocks to the system");
  m.def("pool_stats", &stats, "Bytes allocated, reserved, peak and limit; hits and misses");
  m.def("reset_pool_peak", &reset_pool_peak, "Sets the peak to what is allocated now");
  m.def("set_pool_limit", &choose_limit, py::arg("bytes"), "Bound of the cached bytes");
  m.def("_test_parallel_for", &test_parallel_for, py::arg("n"), py::arg("grain"), py::arg("nested"),
        "For the tests: how often each index was visited");
  m.def("_test_denormals", &test_denormals, py::arg("chunks"),
        "For the tests: 2**-126 / 2 as each chunk computes it");
}

}  // namespace
}  // namespace mg

PYBIND11_MODULE(_C, m) {
  m.doc() = "minigrad's compiled kernels; use them through minigrad.kernels.cpu";
  if (_import_array() < 0) throw py::error_already_set();
  if (!mg::init_dtypes()) throw py::error_already_set();
  mg::init_memory();
  mg::init_threads();
  mg::bind_settings(m);
  mg::bind_answers(m.ptr());
  mg::bind_attention(m.ptr());
  mg::bind_attributes(m.ptr());
  mg::bind_blend(m.ptr());
  mg::bind_cast(m.ptr());
  mg::bind_conv(m.ptr());
  mg::bind_conv_record(m.ptr());
  mg::bind_copy(m.ptr());
  mg::bind_creation(m.ptr());
  mg::bind_ctc(m.ptr());
  mg::bind_data(m.ptr());
  mg::bind_distance(m.ptr());
  mg::bind_draw(m.ptr());
  mg::bind_dropout(m.ptr());
  mg::bind_elementwise(m.ptr());
  mg::bind_operators_family(m.ptr());
  mg::bind_engine(m.ptr());
  mg::bind_extrema(m.ptr());
  mg::bind_factor(m.ptr());
  mg::bind_gemm(m.ptr());
  mg::bind_graph(m.ptr());
  mg::bind_grid_sample(m.ptr());
  mg::bind_in_place(m.ptr());
  mg::bind_index(m.ptr());
  mg::bind_int8(m.ptr());
  mg::bind_loss(m.ptr());
  mg::bind_memory(m.ptr());
  mg::bind_movement(m.ptr());
  mg::bind_moved_tensors(m.ptr());
  mg::bind_nll(m.ptr());
  mg::bind_norm(m.ptr());
  mg::bind_optim(m.ptr());
  mg::bind_optim_factored(m.ptr());
  mg::bind_overrides(m.ptr());
  mg::bind_patches(m.ptr());
  mg::bind_pieces(m.ptr());
  mg::bind_pool(m.ptr());
  mg::bind_products(m.ptr());
  mg::bind_quantize(m.ptr());
  mg::bind_random(m.ptr());
  mg::bind_record(m.ptr());
  mg::bind_reduce(m.ptr());
  mg::bind_resample(m.ptr());
  mg::bind_rnn(m.ptr());
  mg::bind_samplers(m.ptr());
  mg::bind_scan(m.ptr());
  mg::bind_softmax(m.ptr());
  mg::bind_sort(m.ptr());
  mg::bind_sparse(m.ptr());
  mg::bind_view_index(m.ptr());
  mg::bind_views(m.ptr());
}
