// Copies in another order as lists of stretches for every dimension: what the functions of arrays
// and those of tensors share.
#pragma once

#include <vector>

#include "bindings/array.h"
#include "kernels.h"

namespace mg {

// Rows of this many bytes are long enough to be left apart: they are what the threads share.
constexpr int64_t kRowBytes = 2048;

class Maps {
 public:
  explicit Maps(int64_t item) : item_(item) { stretches_.reserve(32); }

  // Dimensions are told from the outermost to the innermost, each with its stretches after it.
  void dimension(int64_t extent) {
    shape_[ndim_] = 0;
    in_[ndim_] = extent;
    begin_[ndim_++] = stretches_.size();
  }
  void add(int64_t count, int64_t from, int64_t step, int64_t each = 1) {
    if (count == 0) return;
    stretches_.push_back({count, from, from < 0 ? 0 : step, each});
    shape_[ndim_ - 1] += count;
  }
  void whole(int64_t extent) {
    dimension(extent);
    add(extent, 0, 1);
  }
  int ndim() const { return ndim_; }
  const npy_intp* shape() const { return shape_; }

  // Merges dimensions; false if too many are left.
  bool finish(Movement* m) {
    begin_[ndim_] = stretches_.size();
    m->item = item_;
    m->fill = 0;
    int n = 0;
    int kept[NPY_MAXDIMS];  // from the innermost
    for (int d = ndim_ - 1; d >= 0; --d) {
      if (n && in_[d] == 1 && shape_[d] == 1 && stretches_[begin_[d]].from == 0) continue;
      if (n && merge(d, kept[n - 1])) {
        kept[n - 1] = d;
      } else {
        kept[n++] = d;
      }
    }
    if (n > kMoveDims) return false;
    m->ndim = n;
    for (int i = 0; i < n; ++i) {
      const int d = kept[n - 1 - i];
      m->in[i] = in_[d];
      m->out[i] = merged_[d] ? merged_[d] : shape_[d];
      m->stretch[i] = stretches_.data() + begin_[d];
      m->stretches[i] = static_cast<int64_t>(begin_[d + 1] - begin_[d]);
    }
    return true;
  }

 private:
  // Dimension d takes in the dimension `inner`, if that stays as it is and d has no other order.
  bool merge(int d, int inner) {
    const int64_t extent = merged_[inner] ? merged_[inner] : shape_[inner];
    if (begin_[inner + 1] - begin_[inner] != 1 || extent * item_ >= kRowBytes) return false;
    const Stretch& s = stretches_[begin_[inner]];
    if (s.from != 0 || s.step != 1 || s.each != 1 || in_[inner] != extent) return false;
    for (size_t k = begin_[d]; k < begin_[d + 1]; ++k) {
      const Stretch& t = stretches_[k];
      if (t.each != 1 || (t.from >= 0 && t.step != 1 && t.count != 1)) return false;
    }
    for (size_t k = begin_[d]; k < begin_[d + 1]; ++k) {
      Stretch& t = stretches_[k];
      t.count *= extent;
      if (t.from >= 0) {
        t.from *= extent;
        t.step = 1;
      }
    }
    merged_[d] = shape_[d] * extent;
    in_[d] *= extent;
    return true;
  }

  int64_t item_;
  int ndim_ = 0;
  npy_intp shape_[NPY_MAXDIMS];  // of the result
  int64_t in_[NPY_MAXDIMS];
  int64_t merged_[NPY_MAXDIMS] = {};  // the extent with what was taken in; 0: nothing was
  size_t begin_[NPY_MAXDIMS + 1];
  std::vector<Stretch> stretches_;
};

// The array that a function takes; nullptr without an error where NumPy has to do it.
PyArrayObject* readable(PyObject* argument);

// Runs the maps over x: a new array, or None where NumPy has to do it.
PyObject* moved(PyArrayObject* x, Maps* maps, uint64_t fill = 0);

// The maps of each function. `turned`: by dimension; `by`: places, from 0 to the extent, put
// together by add_shift; `times`: for every dimension, and for new ones before them.
void flip_maps(PyArrayObject* x, const bool* turned, Maps* maps);
void add_shift(PyArrayObject* x, int64_t shift, int64_t dim, int64_t* by);
void roll_maps(PyArrayObject* x, const int64_t* by, Maps* maps);
void repeat_maps(PyArrayObject* x, int n, const int64_t* times, Maps* maps);
void each_maps(int ndim, const npy_intp* shape, int64_t times, int64_t dim, Maps* maps);

enum Mode { kConstant, kReflect, kReplicate, kCircular };
// One padded dimension; widths that are negative cut off. False: NumPy's work.
bool pad_dimension(int64_t n, int64_t before, int64_t after, int mode, Maps* maps);

}  // namespace mg
