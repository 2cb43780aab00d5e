// Optimizer steps that are less often used: NAdam, RAdam, Adamax, Adadelta, ASGD, Rprop, Lion.
// Each is a rule on vectors; optim.cpp walks the tensors.
#include "cpu/optim_steps.h"

namespace mg::MG_ISA {
namespace {

// The averages of g and g^2 that Adam's relatives keep, with the forms of weight decay.
template <class T>
struct Moments {
  using V = typename Vec<T>::type;
  V weight, other, beta2, share, shrink, decay;
  bool decoupled, with_decay, small, maximize;

  MG_RULE explicit Moments(const OptimOptions& o) {
    const double w = 1 - o.beta1;
    weight = constant<T>(w), other = constant<T>(1 - w);
    beta2 = constant<T>(o.beta2), share = constant<T>(1 - o.beta2);
    shrink = constant<T>(1 - o.lr * o.weight_decay), decay = constant<T>(o.weight_decay);
    decoupled = o.decoupled && o.weight_decay != 0;
    with_decay = !o.decoupled && o.weight_decay != 0;
    small = w < 0.5, maximize = o.maximize;
  }
  // Updates p's decay, s[0] and s[1]; returns the gradient.
  MG_RULE V update(V& p, V g, V* s) const {
    g = gradient(g, p, decay, with_decay, maximize);
    if (decoupled) p = rounded(p * shrink);
    s[0] = lerp(s[0], g, weight, other, small);
    s[1] = fma(share * g, g, rounded(s[1] * beta2));
    return g;
  }
};

constexpr int kBoth[] = {0, 1};

template <class T>
struct Nadam {
  static void step(const Piece<T>& x, const OptimTensor& t, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const Moments<T> moments(o);
    const V of_gradient = constant<T>(t.a), of_average = constant<T>(t.b);
    const V correction = constant<T>(t.c), eps = constant<T>(o.eps);
    sweep<T, 2>(x, kBoth, [=](V& p, V g, V* s) MG_RULE {
      g = moments.update(p, g, s);
      const V root = sqrt(s[1] / correction) + eps;
      p = p + of_gradient * g / root;
      p = p + of_average * s[0] / root;
    });
  }
};

template <class T>
struct Radam {
  static void step(const Piece<T>& x, const OptimTensor& t, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const Moments<T> moments(o);
    const V correction = constant<T>(t.a), root = constant<T>(t.b), rectify = constant<T>(t.c);
    const V rate = constant<T>(o.lr), eps = constant<T>(o.eps);
    const bool adaptive = t.c != 0;
    sweep<T, 2>(x, kBoth, [=](V& p, V g, V* s) MG_RULE {
      moments.update(p, g, s);
      V step = s[0] / correction * rate;
      if (adaptive) step = step * (root / (sqrt(s[1]) + eps)) * rectify;
      p = p - rounded(step);
    });
  }
};

template <class T>
struct Adamax {
  static void step(const Piece<T>& x, const OptimTensor& t, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const double w = 1 - o.beta1;
    const V weight = constant<T>(w), other = constant<T>(1 - w), beta2 = constant<T>(o.beta2);
    const V rate = constant<T>(-t.a), eps = constant<T>(o.eps), decay = constant<T>(o.weight_decay);
    const bool with_decay = o.weight_decay != 0, maximize = o.maximize, small = w < 0.5;
    sweep<T, 2>(x, kBoth, [=](V& p, V g, V* s) MG_RULE {
      g = gradient(g, p, decay, with_decay, maximize);
      s[0] = lerp(s[0], g, weight, other, small);
      s[1] = maximum(s[1] * beta2, magnitude(g) + eps);
      p = p + rate * s[0] / s[1];
    });
  }
};

template <class T>
struct Adadelta {
  static void step(const Piece<T>& x, const OptimTensor&, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const V rho = constant<T>(o.rho), share = constant<T>(1 - o.rho), eps = constant<T>(o.eps);
    const V rate = constant<T>(-o.lr), decay = constant<T>(o.weight_decay);
    const bool with_decay = o.weight_decay != 0, maximize = o.maximize;
    sweep<T, 2>(x, kBoth, [=](V& p, V g, V* s) MG_RULE {
      g = gradient(g, p, decay, with_decay, maximize);
      s[0] = fma(share * g, g, rounded(s[0] * rho));
      const V delta = sqrt(s[1] + eps) / sqrt(s[0] + eps) * g;
      s[1] = fma(share * delta, delta, rounded(s[1] * rho));
      p = fma(rate, delta, p);
    });
  }
};

template <class T>
struct Asgd {
  static void step(const Piece<T>& x, const OptimTensor& t, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const V shrink = constant<T>(1 - o.lambd * t.a), rate = constant<T>(-t.a);
    const V share = constant<T>(t.b), decay = constant<T>(o.weight_decay);
    const bool with_decay = o.weight_decay != 0, maximize = o.maximize, averaging = t.b != 1;
    constexpr int present[] = {0};
    sweep<T, 1>(x, present, [=](V& p, V g, V* s) MG_RULE {
      g = gradient(g, p, decay, with_decay, maximize);
      p = fma(rate, g, rounded(p * shrink));
      s[0] = averaging ? s[0] + rounded((p - s[0]) * share) : p;
    });
  }
};

template <class T>
struct Rprop {
  static void step(const Piece<T>& x, const OptimTensor&, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const V minus = constant<T>(o.eta_minus), plus = constant<T>(o.eta_plus);
    const V least = constant<T>(o.step_min), most = constant<T>(o.step_max);
    const V zero = V{}, one = constant<T>(1);
    const bool maximize = o.maximize;
    sweep<T, 2>(x, kBoth, [=](V& p, V g, V* s) MG_RULE {
      if (maximize) g = -g;
      const V product = g * s[0];
      const V factor = product > zero ? plus : product < zero ? minus : one;
      s[1] = min(most, max(least, s[1] * factor));
      g = product < zero ? zero : g;
      p = p - rounded(sign(g) * s[1]);
      s[0] = g;
    });
  }
};

template <class T>
struct Lion {
  static void step(const Piece<T>& x, const OptimTensor&, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const V beta1 = constant<T>(o.beta1), share1 = constant<T>(1 - o.beta1);
    const V beta2 = constant<T>(o.beta2), share2 = constant<T>(1 - o.beta2);
    const V rate = constant<T>(o.lr), shrink = constant<T>(1 - o.lr * o.weight_decay);
    const bool with_decay = o.weight_decay != 0, maximize = o.maximize;
    constexpr int present[] = {0};
    sweep<T, 1>(x, present, [=](V& p, V g, V* s) MG_RULE {
      if (maximize) g = -g;
      if (with_decay) p = rounded(p * shrink);
      p = p - rounded(rate * sign(fma(share1, g, rounded(s[0] * beta1))));
      s[0] = fma(share2, g, rounded(s[0] * beta2));
    });
  }
};

}  // namespace

#define MG_DEFINE_STEP(name, R)                                                                  \
  MG_OPTIM_STEP(name) {                                                                          \
    walk_tensors({R<float>::step, R<double>::step, true}, tensors, count, total, options, sums); \
  }
MG_DEFINE_STEP(nadam_step, Nadam)
MG_DEFINE_STEP(radam_step, Radam)
MG_DEFINE_STEP(adamax_step, Adamax)
MG_DEFINE_STEP(adadelta_step, Adadelta)
MG_DEFINE_STEP(asgd_step, Asgd)
MG_DEFINE_STEP(rprop_step, Rprop)
MG_DEFINE_STEP(lion_step, Lion)

}  // namespace mg::MG_ISA
