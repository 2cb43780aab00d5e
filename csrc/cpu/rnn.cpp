// One step of a recurrent layer beside its products. All gates of a column are in registers at
// once: sums are read and gates written in one pass, and so are their gradients.
#include "kernels/rnn.h"

#include "transpose.h"
#include "vmath.h"

namespace mg::MG_ISA {
namespace {

template <class T>
using V = typename Vec<T>::type;

// Columns [j, j + n) of a row; a whole vector of them if kWhole.
template <bool kWhole>
struct Columns {
  int64_t j, n;
  template <class T>
  MG_INLINE V<T> get(const Columns& at, const T* row) {
    return kWhole ? load(row + at.j) : load_partial(row + at.j, at.n);
  }
  template <class T>
  MG_INLINE V<T> get_or_zero(const Columns& at, const T* row) {
    return row ? get(at, row) : V<T>{};
  }
  template <class T>
  MG_INLINE void put(const Columns& at, T* row, V<T> v) {
    if (kWhole) {
      store(row + at.j, v);
    } else {
      store_partial(row + at.j, v, at.n);
    }
  }
};

template <class T>
MG_INLINE T* row_of(T* base, int64_t i, int64_t width) {
  return base ? base + i * width : nullptr;
}

template <RnnMode kMode, bool kWhole, class T>
MG_INLINE void step(const RnnCell<T>& s, int64_t i, Columns<kWhole> at) {
  using C = Columns<kWhole>;
  const int64_t w = s.hidden;
  if constexpr (kMode == RnnMode::kTanh || kMode == RnnMode::kRelu) {
    T* row = s.gates + i * w;
    const V<T> x = C::get(at, row);
    if constexpr (kMode == RnnMode::kTanh) {
      C::put(at, row, tanh(x));
    } else {
      C::put(at, row, max(V<T>{}, x));
    }
  } else if constexpr (kMode == RnnMode::kLstm) {
    T* row = s.gates + i * 4 * w;
    const V<T> in = sigmoid(C::get(at, row)), forget = sigmoid(C::get(at, row + w));
    const V<T> g = tanh(C::get(at, row + 2 * w)), o = sigmoid(C::get(at, row + 3 * w));
    const V<T> c = forget * C::get_or_zero(at, row_of(s.c_prev, i, w)) + in * g;
    C::put(at, row, in);
    C::put(at, row + w, forget);
    C::put(at, row + 2 * w, g);
    C::put(at, row + 3 * w, o);
    C::put(at, s.c + i * w, c);
    C::put(at, s.h + i * w, o * tanh(c));
  } else {
    T* row = s.gates + i * 4 * w;
    const V<T> r = sigmoid(C::get(at, row + w)), z = sigmoid(C::get(at, row + 2 * w));
    const V<T> n = tanh(C::get(at, row) + r * C::get(at, row + 3 * w));
    const V<T> h = C::get_or_zero(at, row_of(s.h_prev, i, w));
    C::put(at, row, n);
    C::put(at, row + w, r);
    C::put(at, row + 2 * w, z);
    C::put(at, s.h + i * w, n + z * (h - n));
  }
}

template <bool kWhole, class T>
MG_INLINE void put_gate(Columns<kWhole> at, T* gates, T* bias, V<T> d) {
  using C = Columns<kWhole>;
  C::put(at, gates, d);
  C::put(at, bias, C::get(at, bias) + d);
}

template <RnnMode kMode, bool kWhole, class T>
MG_INLINE void step_back(const RnnCell<T>& s, int64_t i, Columns<kWhole> at) {
  using C = Columns<kWhole>;
  const int64_t w = s.hidden;
  T* const dh = s.dh + i * w;
  const V<T> d = C::get(at, dh) + C::get_or_zero(at, row_of(s.grad, i, w));
  if constexpr (kMode == RnnMode::kTanh || kMode == RnnMode::kRelu) {
    const V<T> y = C::get(at, s.h + i * w);
    const V<T> back =
        kMode == RnnMode::kTanh ? d * (set1(T{1}) - y * y) : (y <= V<T>{} ? V<T>{} : d);
    put_gate(at, s.dgates + i * w, s.dbias, back);
  } else {
    const T* row = s.gates + i * 4 * w;
    T *const to = s.dgates + i * 4 * w, *const bias = s.dbias;
    const V<T> one = set1(T{1});
    if constexpr (kMode == RnnMode::kLstm) {
      const V<T> in = C::get(at, row), forget = C::get(at, row + w);
      const V<T> g = C::get(at, row + 2 * w), o = C::get(at, row + 3 * w);
      const V<T> t = tanh(C::get(at, s.c + i * w));
      const V<T> before = C::get_or_zero(at, row_of(s.c_prev, i, w));
      const V<T> dc = C::get(at, s.dc + i * w) + d * o * (one - t * t);
      put_gate(at, to, bias, dc * g * (in * (one - in)));
      put_gate(at, to + w, bias + w, dc * before * (forget * (one - forget)));
      put_gate(at, to + 2 * w, bias + 2 * w, dc * in * (one - g * g));
      put_gate(at, to + 3 * w, bias + 3 * w, d * t * (o * (one - o)));
      C::put(at, s.dc + i * w, dc * forget);
    } else {
      const V<T> n = C::get(at, row), r = C::get(at, row + w);
      const V<T> z = C::get(at, row + 2 * w), part = C::get(at, row + 3 * w);
      const V<T> before = C::get_or_zero(at, row_of(s.h_prev, i, w));
      const V<T> dn = d * (one - z) * (one - n * n);
      put_gate(at, to, bias, dn);
      put_gate(at, to + w, bias + w, dn * part * (r * (one - r)));
      put_gate(at, to + 2 * w, bias + 2 * w, d * (before - n) * (z * (one - z)));
      put_gate(at, to + 3 * w, bias + 3 * w, dn * r);
      C::put(at, dh, d * z);
    }
  }
}

template <RnnMode kMode, bool kBack, class T>
void rows(const RnnCell<T>& s) {
  constexpr int64_t kLanes = Vec<T>::lanes;
  for (int64_t i = 0; i < s.rows; ++i) {
    for (int64_t j = 0; j < s.hidden; j += kLanes) {
      const int64_t n = min_of(s.hidden - j, kLanes);
      if constexpr (kBack) {
        if (n == kLanes) {
          step_back<kMode>(s, i, Columns<true>{j, n});
        } else {
          step_back<kMode>(s, i, Columns<false>{j, n});
        }
      } else if (n == kLanes) {
        step<kMode>(s, i, Columns<true>{j, n});
      } else {
        step<kMode>(s, i, Columns<false>{j, n});
      }
    }
  }
}

template <bool kBack, class T>
void run(const RnnCell<T>& s) {
  switch (s.mode) {
    case RnnMode::kTanh:
      return rows<RnnMode::kTanh, kBack>(s);
    case RnnMode::kRelu:
      return rows<RnnMode::kRelu, kBack>(s);
    case RnnMode::kLstm:
      return rows<RnnMode::kLstm, kBack>(s);
    case RnnMode::kGru:
      return rows<RnnMode::kGru, kBack>(s);
  }
}

template <class T>
void turn_panels(T* out, const T* w, int64_t panels, int64_t width, int64_t k) {
  for (int64_t p = 0; p < panels; ++p) {
    turned_copy(out + p * width * k, width, w + p * width * k, k, int64_t{1}, width, k);
  }
}

}  // namespace

extern const RnnKernels kRnn = {
    {run<false, float>, run<true, float>, turn_panels<float>},
    {run<false, double>, run<true, double>, turn_panels<double>},
};

}  // namespace mg::MG_ISA
