// Optimizer steps: SGD, Adam(W), RMSprop, Adagrad over many tensors in one launch.
// Memory-bound: each element is read, updated in registers and written once, 16 bytes at a time
// from every array, however many terms its rule has; unscaling the gradient and the 16-bit copy of
// the result ride along.
#include "cuda/optim_core.cuh"

namespace mg::cuda {
namespace {

// A rule is made of the options and of what depends on the tensor's step count (in double, once a
// block), and updates an element p with gradient g and states s.
struct Scalars {
  double rate, a, b;
};

template <class V>
struct Sgd {
  V rate, momentum, share, decay;
  bool with_momentum, with_decay, maximize, nesterov, first;

  static MG_DEVICE Scalars scalars(const OptimOptions&, double lr, double) { return {lr, 0, 0}; }
  MG_DEVICE Sgd(const OptimOptions& o, const Scalars& c, const StepTensor& t)
      : rate(V(-c.rate)),
        momentum(V(o.momentum)),
        share(V(1 - o.dampening)),
        decay(V(o.weight_decay)),
        with_momentum(t.state[0] != nullptr),
        with_decay(o.weight_decay != 0),
        maximize(o.maximize),
        nesterov(o.nesterov),
        first(o.first) {}
  MG_DEVICE void step(V& p, V g, V (&s)[3]) const {
    g = gradient(g, p, decay, with_decay, maximize);
    if (with_momentum) {
      s[0] = first ? g : fma(share, g, s[0] * momentum);
      g = nesterov ? fma(momentum, s[0], g) : s[0];
    }
    p = fma(rate, g, p);
  }
};

template <class V>
struct Adam {
  V weight, other, beta2, share, eps, rate, root, shrink, decay;
  bool amsgrad, decoupled, with_decay, small, maximize;

  static MG_DEVICE Scalars scalars(const OptimOptions& o, double lr, double count) {
    return {lr, lr / (1 - ::pow(o.beta1, count)), ::sqrt(1 - ::pow(o.beta2, count))};
  }
  MG_DEVICE Adam(const OptimOptions& o, const Scalars& c, const StepTensor& t)
      : weight(V(1 - o.beta1)),
        other(V(1 - (1 - o.beta1))),
        beta2(V(o.beta2)),
        share(V(1 - o.beta2)),
        eps(V(o.eps)),
        rate(V(-c.a)),
        root(V(c.b)),
        shrink(V(1 - c.rate * o.weight_decay)),
        decay(V(o.weight_decay)),
        amsgrad(t.state[2] != nullptr),
        decoupled(o.decoupled && o.weight_decay != 0),
        with_decay(!o.decoupled && o.weight_decay != 0),
        small(1 - o.beta1 < 0.5),
        maximize(o.maximize) {}
  MG_DEVICE void step(V& p, V g, V (&s)[3]) const {
    g = gradient(g, p, decay, with_decay, maximize);
    if (decoupled) p *= shrink;
    s[0] = lerp(s[0], g, weight, other, small);
    s[1] = fma(share * g, g, s[1] * beta2);
    V v = s[1];
    if (amsgrad) v = s[2] = maximum(s[2], v);
    p = p + rate * s[0] / (sqrt(v) / root + eps);
  }
};

template <class V>
struct RmsProp {
  V alpha, share, other, eps, rate, momentum, decay;
  bool with_momentum, centered, with_decay, small, maximize;

  static MG_DEVICE Scalars scalars(const OptimOptions&, double lr, double) { return {lr, 0, 0}; }
  MG_DEVICE RmsProp(const OptimOptions& o, const Scalars& c, const StepTensor& t)
      : alpha(V(o.alpha)),
        share(V(1 - o.alpha)),
        other(V(1 - (1 - o.alpha))),
        eps(V(o.eps)),
        rate(V(-c.rate)),
        momentum(V(o.momentum)),
        decay(V(o.weight_decay)),
        with_momentum(t.state[1] != nullptr),
        centered(t.state[2] != nullptr),
        with_decay(o.weight_decay != 0),
        small(1 - o.alpha < 0.5),
        maximize(o.maximize) {}
  MG_DEVICE void step(V& p, V g, V (&s)[3]) const {
    g = gradient(g, p, decay, with_decay, maximize);
    s[0] = fma(share * g, g, s[0] * alpha);
    V square = s[0];
    if (centered) {
      s[2] = lerp(s[2], g, share, other, small);
      square = fma(-s[2], s[2], square);
    }
    const V root = sqrt(square) + eps;
    if (with_momentum) {
      s[1] = s[1] * momentum + g / root;
      p = fma(rate, s[1], p);
    } else {
      p = p + rate * g / root;
    }
  }
};

template <class V>
struct Adagrad {
  V rate, eps, decay;
  bool with_decay, maximize;

  static MG_DEVICE Scalars scalars(const OptimOptions& o, double lr, double count) {
    return {lr, lr / (1 + (count - 1) * o.lr_decay), 0};
  }
  MG_DEVICE Adagrad(const OptimOptions& o, const Scalars& c, const StepTensor&)
      : rate(V(-c.a)),
        eps(V(o.eps)),
        decay(V(o.weight_decay)),
        with_decay(o.weight_decay != 0),
        maximize(o.maximize) {}
  MG_DEVICE void step(V& p, V g, V (&s)[3]) const {
    g = gradient(g, p, decay, with_decay, maximize);
    s[0] = fma(g, g, s[0]);
    p = p + rate * g / (sqrt(s[0]) + eps);
  }
};

template <class T, class Rule>
__global__ void __launch_bounds__(kBlockThreads)
    step_kernel(const TensorTable table, const StepOptions options) {
  using V = Computed<T>;
  MG_SHARED(Scalars, scalars, [1]);
  if (options.found && *options.found != 0.0f) return;
  const int index = tensor_of(table, static_cast<int>(blockIdx.x));
  const StepTensor& t = table.tensors[index];
  if (threadIdx.x == 0) {
    const double lr = options.rate ? static_cast<double>(*options.rate) : options.numbers.lr;
    scalars[0] = Rule::scalars(options.numbers, lr, t.step ? *t.step : t.count);
  }
  __syncthreads();
  const Rule rule(options.numbers, scalars[0], t);
  const V scale = options.scale ? static_cast<V>(*options.scale) : V(1);
  const bool scaled = options.scale != nullptr;
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) - table.first_block[index]) * kOptimChunk;
  const int64_t end = begin + kOptimChunk < t.size ? begin + kOptimChunk : t.size;
  walk_chunk(begin, end, in_packs(t), [&](int64_t at, int n) {
    V p[kLanes], g[kLanes], s[3][kLanes];
    load_part<T>(p, t.param, at, n, V(0));
    load_typed(g, t.grad, options.grad_type, at, n);
#pragma unroll
    for (int k = 0; k < 3; ++k) {
      if (t.state[k]) load_part<T>(s[k], t.state[k], at, n, V(1));
    }
#pragma unroll
    for (int i = 0; i < kLanes; ++i) {
      V state[3] = {s[0][i], s[1][i], s[2][i]};
      rule.step(p[i], scaled ? g[i] * scale : g[i], state);
#pragma unroll
      for (int k = 0; k < 3; ++k) s[k][i] = state[k];
    }
    store_part<T>(t.param, at, p, n);
#pragma unroll
    for (int k = 0; k < 3; ++k) {
      if (t.state[k]) store_part<T>(t.state[k], at, s[k], n);
    }
    if (!t.copy) return;
    if (options.copy_type == DType::kFloat16) {
      store_part<__half>(t.copy, at, p, n);
    } else {
      store_part<__nv_bfloat16>(t.copy, at, p, n);
    }
  });
}

// Counts the steps that stand in the device's memory; a launch of its own, since every block of the
// next one reads them.
__global__ void __launch_bounds__(kBlockThreads)
    count_kernel(const TensorTable table, const float* found) {
  if (found && *found != 0.0f) return;
  const int i = static_cast<int>(threadIdx.x);
  if (i < table.count && table.tensors[i].step) *table.tensors[i].step += 1.0f;
}

template <class T, template <class> class Rule>
Error step_typed(const StepTensor* tensors, int64_t count, const StepOptions& options,
                 Stream stream) {
  return launch_tables(tensors, count, kOptimChunk,
                       [&](const TensorTable& table, unsigned blocks) -> Error {
                         bool counts = false;
                         for (int i = 0; i < table.count; ++i)
                           counts = counts || table.tensors[i].step;
                         if (counts) {
                           const Error error = MG_LAUNCH(count_kernel, dim3(1), dim3(kBlockThreads),
                                                         0, stream, table, options.found);
                           if (error || blocks == 0) return error;
                         }
                         return MG_LAUNCH((step_kernel<T, Rule<Computed<T>>>), dim3(blocks),
                                          dim3(kBlockThreads), 0, stream, table, options);
                       });
}

template <template <class> class Rule>
Error step_all(const StepTensor* tensors, int64_t count, const StepOptions& options,
               Stream stream) {
  switch (options.type) {
    case DType::kFloat64:
      return step_typed<double, Rule>(tensors, count, options, stream);
    case DType::kFloat16:
      return step_typed<__half, Rule>(tensors, count, options, stream);
    case DType::kBFloat16:
      return step_typed<__nv_bfloat16, Rule>(tensors, count, options, stream);
    default:
      return step_typed<float, Rule>(tensors, count, options, stream);
  }
}

}  // namespace

Error sgd(const StepTensor* tensors, int64_t count, const StepOptions& options, Stream stream) {
  return step_all<Sgd>(tensors, count, options, stream);
}
Error adam(const StepTensor* tensors, int64_t count, const StepOptions& options, Stream stream) {
  return step_all<Adam>(tensors, count, options, stream);
}
Error rmsprop(const StepTensor* tensors, int64_t count, const StepOptions& options, Stream stream) {
  return step_all<RmsProp>(tensors, count, options, stream);
}
Error adagrad(const StepTensor* tensors, int64_t count, const StepOptions& options, Stream stream) {
  return step_all<Adagrad>(tensors, count, options, stream);
}

}  // namespace mg::cuda
