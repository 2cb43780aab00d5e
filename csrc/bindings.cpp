// The module minigrad._C: initialises the runtime and lets each family add its functions.
#define MG_IMPORT_NUMPY
#include "bindings/array.h"
#include "bindings/families.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

PYBIND11_MODULE(_C, m) {
  m.doc() = "minigrad's compiled kernels; use them through minigrad.kernels.cpu";
  if (_import_array() < 0) throw pybind11::error_already_set();
  mg::init_dtypes();
  mg::init_memory();
  mg::init_threads();
  mg::bind_runtime(m);
  mg::bind_memory(m);
  mg::bind_attention(m);
  mg::bind_cast(m);
  mg::bind_conv(m);
  mg::bind_dropout(m);
  mg::bind_elementwise(m);
  mg::bind_gemm(m);
  mg::bind_graph(m);
  mg::bind_index(m);
  mg::bind_loss(m);
  mg::bind_norm(m);
  mg::bind_optim(m);
  mg::bind_pool(m);
  mg::bind_random(m);
  mg::bind_record(m);
  mg::bind_engine(m);
  mg::bind_reduce(m);
  mg::bind_softmax(m);
  mg::bind_views(m);
}
