// Adafactor: the averages of squared gradients are kept as rows and columns of matrices.
// A matrix is cut into units of some rows; the column sums of a unit stay in the caches while its
// rows pass, and the update is computed twice instead of being stored.
#include "cpu/optim_steps.h"
#include "runtime/threads.h"

namespace mg::MG_ISA {
namespace {

template <class T>
class Factored {
  using V = typename Vec<T>::type;
  static constexpr int kLanes = Vec<T>::lanes;

 public:
  Factored(const FactoredTensor& t, const FactoredOptions& o)
      : t_(t),
        o_(o),
        p_(static_cast<T*>(t.param)),
        g_(static_cast<const T*>(t.grad)),
        rows_(static_cast<T*>(t.rows)),
        columns_(static_cast<T*>(t.columns)),
        cuts_(factored_cuts(t)),
        units_(t.batches * cuts_),
        height_((t.height + cuts_ - 1) / cuts_),
        grain_(max_of(kOptimGrain / max_of(height_ * t.width, int64_t{1}), int64_t{1})) {}

  void step() {
    parallel_for(units_, grain_, [this](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; ++u) gather(u);
    });
    if (columns_) finish_averages();
    parallel_for(units_, grain_, [this](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; ++u) measure(u);
    });
    double of_p = 0, of_u = 0;
    for (int64_t u = 0; u < units_; ++u) of_p += sums(u)[0], of_u += sums(u)[1];
    const double n = static_cast<double>(t_.batches * t_.height * t_.width);
    const double size = __builtin_sqrt(of_p / n) > o_.eps2 ? __builtin_sqrt(of_p / n) : o_.eps2;
    const double excess = __builtin_sqrt(of_u / n) / o_.d;
    const double rate = size * t_.limit / (excess > 1 ? excess : 1);
    const T change = static_cast<T>(o_.maximize ? rate : -rate);
    parallel_for(units_, grain_, [this, change](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; ++u) move(u, change);
    });
  }

 private:
  // Two sums and the column sums of a unit.
  double* sums(int64_t unit) const { return t_.work + unit * (2 + t_.width); }
  T* column_sums(int64_t unit) const { return reinterpret_cast<T*>(sums(unit) + 2); }

  // Calls body(row, first element of it) for the rows of a unit.
  template <class Body>
  MG_RULE void each_row(int64_t unit, Body body) const {
    const int64_t batch = unit / cuts_, begin = unit % cuts_ * height_;
    const int64_t end = min_of(begin + height_, t_.height);
    for (int64_t r = begin; r < end; ++r) {
      const int64_t row = batch * t_.height + r;
      body(row, row * t_.width);
    }
  }

  // Calls body(i, n) for the vectors of a row, n < lanes at its end.
  template <class Body>
  MG_RULE void each_vector(Body body) const {
    int64_t i = 0;
    for (; i + kLanes <= t_.width; i += kLanes) body(i, int64_t{kLanes});
    if (i < t_.width) body(i, t_.width - i);
  }
  static MG_RULE V get(const T* p, int64_t n) { return n == kLanes ? load(p) : load_partial(p, n); }
  static MG_RULE void put(T* p, V v, int64_t n) {
    n == kLanes ? store(p, v) : store_partial(p, v, n);
  }

  MG_RULE V blended(V old, V now) const {
    return lerp(old, now, constant<T>(t_.share), constant<T>(1 - t_.share), t_.share < 0.5);
  }

  // The sums of p^2, the averages of rows, the sums of columns; or the averages themselves.
  void gather(int64_t unit) const {
    double of_p = 0;
    T* const columns = column_sums(unit);
    if (columns_) {
      for (int64_t i = 0; i < t_.width; ++i) columns[i] = 0;
    }
    each_row(unit, [&](int64_t row, int64_t at) MG_RULE {
      V squares = {}, values = {};
      each_vector([&](int64_t i, int64_t n) MG_RULE {
        const V g = get(g_ + at + i, n), p = get(p_ + at + i, n);
        values = fma(p, p, values);
        if (columns_) {
          squares = fma(g, g, squares);
          put(columns + i, fma(g, g, get(columns + i, n)), n);
        } else {
          put(rows_ + at + i, blended(get(rows_ + at + i, n), g * g), n);
        }
      });
      of_p += static_cast<double>(hsum(values));
      if (columns_) {
        const T mean =
            static_cast<T>(static_cast<double>(hsum(squares)) / static_cast<double>(t_.width));
        rows_[row] = blended(constant<T>(rows_[row]), constant<T>(mean))[0];
      }
    });
    sums(unit)[0] = of_p;
  }

  // The averages of columns; sums[1] of a batch's first unit: one over the mean of its rows.
  void finish_averages() const {
    parallel_for(t_.batches, max_of(kOptimGrain / max_of(cuts_ * t_.width, int64_t{1}), int64_t{1}),
                 [this](int64_t begin, int64_t end) {
                   for (int64_t b = begin; b < end; ++b) finish_batch(b);
                 });
  }
  void finish_batch(int64_t batch) const {
    T* const total = column_sums(batch * cuts_);
    for (int64_t k = 1; k < cuts_; ++k) {
      const T* const more = column_sums(batch * cuts_ + k);
      each_vector([&](int64_t i, int64_t n)
                      MG_RULE { put(total + i, get(total + i, n) + get(more + i, n), n); });
    }
    T* const columns = columns_ + batch * t_.width;
    const V height = constant<T>(static_cast<double>(t_.height));
    each_vector([&](int64_t i, int64_t n) MG_RULE {
      put(columns + i, blended(get(columns + i, n), get(total + i, n) / height), n);
    });
    double mean = 0;
    for (int64_t r = 0; r < t_.height; ++r) mean += rows_[batch * t_.height + r];
    mean /= static_cast<double>(t_.height);
    total[0] = static_cast<T>(mean < o_.eps1 ? o_.eps1 : mean);  // the sums are done with
  }

  // Calls body(place, n, u) for the update u = g / sqrt(estimate) of a unit.
  template <class Body>
  MG_RULE void each_update(int64_t unit, Body body) const {
    const V least = constant<T>(o_.eps1 * o_.eps1);
    const int64_t batch = unit / cuts_;
    const T* const columns = columns_ + batch * t_.width;
    const T mean = columns_ ? column_sums(batch * cuts_)[0] : T{1};
    each_row(unit, [&](int64_t row, int64_t at) MG_RULE {
      const V factor = columns_ ? constant<T>(rows_[row] / mean) : V{};
      each_vector([&](int64_t i, int64_t n) MG_RULE {
        const V estimate = columns_ ? factor * get(columns + i, n) : get(rows_ + at + i, n);
        body(at + i, n, get(g_ + at + i, n) / sqrt(max(least, estimate)));
      });
    });
  }

  void measure(int64_t unit) const {
    double total = 0;
    V sum = {};
    int64_t run = 0;
    each_update(unit, [&](int64_t, int64_t n, V u) MG_RULE {
      if (n < kLanes) {  // 0 / sqrt(0) in the lanes behind the end
        T lanes[kLanes] = {};
        store_partial(lanes, u, n);
        u = load(lanes);
      }
      sum = fma(u, u, sum);
      if (++run == 256) total += static_cast<double>(hsum(sum)), sum = V{}, run = 0;
    });
    sums(unit)[1] = total + static_cast<double>(hsum(sum));
  }

  void move(int64_t unit, T change) const {
    const V rate = set1(change), shrink = constant<T>(1 - o_.lr * o_.weight_decay);
    const bool with_decay = o_.weight_decay != 0;
    each_update(unit, [&](int64_t at, int64_t n, V u) MG_RULE {
      V p = get(p_ + at, n);
      if (with_decay) p = rounded(p * shrink);
      put(p_ + at, fma(rate, u, p), n);
    });
  }

  const FactoredTensor& t_;
  const FactoredOptions& o_;
  T* const p_;
  const T* const g_;
  T* const rows_;
  T* const columns_;
  const int64_t cuts_, units_, height_, grain_;
};

void step_one(const FactoredTensor& t, const FactoredOptions& o) {
  if (t.batches * t.height * t.width == 0) return;
  t.wide ? Factored<double>(t, o).step() : Factored<float>(t, o).step();
}

}  // namespace

// Large tensors one after the other, each by all threads; the others side by side.
void adafactor_step(const FactoredTensor* tensors, int64_t count, const FactoredOptions* options) {
  constexpr int64_t kLarge = 1 << 19;
  const auto large = [tensors](int64_t i) {
    return tensors[i].batches * tensors[i].height * tensors[i].width >= kLarge;
  };
  for (int64_t i = 0; i < count; ++i) {
    if (large(i)) step_one(tensors[i], *options);
  }
  parallel_for(count, 4, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (!large(i)) step_one(tensors[i], *options);
    }
  });
}

}  // namespace mg::MG_ISA
