// _C.empty and _C.empty_like: arrays whose memory comes from the pool. A pooled array's base is a
// small object of ours that gives the block back when the last view of it dies.
#include "runtime/memory.h"

#include <new>

#include "bindings/array.h"
#include "bindings/families.h"

namespace mg {
namespace {

// Below this NumPy's allocator, which caches small blocks itself, is as fast and has no base.
constexpr size_t kPooledBytes = size_t{32} << 10;

struct Block {
  PyObject_HEAD void* data;
  size_t bytes;
};

void free_block(PyObject* self) {
  Block* block = reinterpret_cast<Block*>(self);
  if (block->data) pool_free(block->data, block->bytes);
  PyObject_Free(self);
}

PyTypeObject g_block_type;

bool ready_block_type() {
  PyTypeObject& type = g_block_type;
  Py_SET_REFCNT(reinterpret_cast<PyObject*>(&type), 1);
  type.tp_name = "minigrad._C.Block";
  type.tp_basicsize = sizeof(Block);
  type.tp_dealloc = free_block;
  type.tp_flags = Py_TPFLAGS_DEFAULT;
  type.tp_doc = "Owner of a block of the memory pool";
  return PyType_Ready(&type) == 0;
}

}  // namespace

PyObject* new_array(PyArray_Descr* descr, int ndim, const npy_intp* shape) {
  // One past the limit saturates, so that NumPy's own check finds sizes that overflow.
  size_t bytes = static_cast<size_t>(PyDataType_ELSIZE(descr));
  bool plain = bytes > 0 && !PyDataType_REFCHK(descr);
  for (int i = 0; i < ndim; ++i) {
    if (shape[i] < 0 || __builtin_mul_overflow(bytes, static_cast<size_t>(shape[i]), &bytes)) {
      plain = false;
    }
  }
  if (bytes < kPooledBytes || !plain) {
    return PyArray_Empty(ndim, shape, descr, 0);
  }
  Block* block = PyObject_New(Block, &g_block_type);
  if (!block) {
    Py_DECREF(descr);
    return nullptr;
  }
  block->bytes = bytes;
  block->data = pool_alloc(bytes);
  if (!block->data) {
    Py_DECREF(block);
    Py_DECREF(descr);
    return fail(PyExc_MemoryError, "empty: %zu bytes were asked for; the system has not as many",
                bytes);
  }
  PyObject* array = PyArray_NewFromDescr(&PyArray_Type, descr, ndim, shape, nullptr, block->data,
                                         NPY_ARRAY_CARRAY, nullptr);
  if (!array) {
    Py_DECREF(block);
    return nullptr;
  }
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(array),
                            reinterpret_cast<PyObject*>(block)) < 0) {
    Py_DECREF(array);  // SetBaseObject has dropped the block
    return nullptr;
  }
  return array;
}

namespace {

bool read_shape(PyObject* argument, npy_intp* shape, int* ndim) {
  if (PyTuple_CheckExact(argument) && PyTuple_GET_SIZE(argument) <= NPY_MAXDIMS) {
    *ndim = static_cast<int>(PyTuple_GET_SIZE(argument));
    for (int i = 0; i < *ndim; ++i) {
      shape[i] = PyLong_AsSsize_t(PyTuple_GET_ITEM(argument, i));
      if (MG_UNLIKELY(shape[i] == -1 && PyErr_Occurred())) return false;
      if (MG_UNLIKELY(shape[i] < 0)) {
        fail(PyExc_ValueError, "empty: dimension %d is %zd; it must be 0 or more", i, shape[i]);
        return false;
      }
    }
    return true;
  }
  fail(PyExc_TypeError, "empty: shape is a %s; it must be a tuple of at most %d integers",
       Py_TYPE(argument)->tp_name, NPY_MAXDIMS);
  return false;
}

PyObject* empty(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  npy_intp shape[NPY_MAXDIMS];
  int ndim;
  if (!check_count("empty", nargs, 2) || !read_shape(args[0], shape, &ndim)) return nullptr;
  PyArray_Descr* descr;
  if (PyArray_DescrCheck(args[1])) {
    descr = reinterpret_cast<PyArray_Descr*>(args[1]);
    Py_INCREF(descr);
  } else if (args[1] == Py_None) {  // NumPy would read it as float64
    return fail(PyExc_TypeError, "empty: dtype is None; it must be a numpy.dtype");
  } else if (!PyArray_DescrConverter(args[1], &descr)) {
    return nullptr;
  }
  return new_array(descr, ndim, shape);
}

PyObject* empty_like(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Array array;
  if (!check_count("empty_like", nargs, 1) || !read_array("empty_like", "array", args[0], &array)) {
    return nullptr;
  }
  PyArray_Descr* descr = PyArray_DESCR(array.object);
  Py_INCREF(descr);
  return new_array(descr, array.ndim, array.shape);
}

PyMethodDef kFunctions[] = {
    MG_FAST(empty, "empty(shape, dtype): uninitialised C-contiguous array; large ones are pooled"),
    MG_FAST(empty_like, "empty_like(array): the same shape and dtype, C-contiguous"),
    MG_TABLE_END,
};

}  // namespace

void bind_memory(PyObject* module) {
  if (!ready_block_type()) throw_python_error();
  add_functions(module, kFunctions);
}

}  // namespace mg
