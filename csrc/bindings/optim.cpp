// _C.sgd_step, adam_step ...: one call for lists of arrays. They return False, having done nothing,
// if an array is of a layout or dtype that the kernels do not take.
#include <algorithm>
#include <cmath>

#include "bindings/families.h"
#include "bindings/optim_call.h"

namespace mg {
namespace {

using O = OptimOptions;
using K = OptimKernels;

constexpr OptimRule kSgd = {
    "sgd_step",
    true,
    {{"momentum_buffers", true}},
    false,
    {},
    {{"lr", &O::lr},
     {"momentum", &O::momentum},
     {"dampening", &O::dampening},
     {"weight_decay", &O::weight_decay}},
    {{"nesterov", &O::nesterov}, {"maximize", &O::maximize}, {"first", &O::first}},
    nullptr,
    &K::sgd,
    0.5,
    false};

constexpr OptimRule kAdam = {
    "adam_step",
    true,
    {{"exp_avgs", false}, {"exp_avg_sqs", false}, {"max_exp_avg_sqs", true}},
    true,
    {},
    {{"lr", &O::lr},
     {"beta1", &O::beta1},
     {"beta2", &O::beta2},
     {"eps", &O::eps},
     {"weight_decay", &O::weight_decay}},
    {{"decoupled", &O::decoupled}, {"maximize", &O::maximize}},
    [](const O& o, double n, double*, bool, OptimTensor* t) {
      t->a = o.lr / (1 - std::pow(o.beta1, n));
      t->b = std::sqrt(1 - std::pow(o.beta2, n));
    },
    &K::adam,
    1.0,
    false};

constexpr OptimRule kRmsProp = {
    "rmsprop_step",
    true,
    {{"square_avgs", false}, {"momentum_buffers", true}, {"grad_avgs", true}},
    true,
    {},
    {{"lr", &O::lr},
     {"alpha", &O::alpha},
     {"eps", &O::eps},
     {"weight_decay", &O::weight_decay},
     {"momentum", &O::momentum}},
    {{"maximize", &O::maximize}},
    nullptr,
    &K::rmsprop,
    1.0,
    false};

constexpr OptimRule kAdagrad = {"adagrad_step",
                                true,
                                {{"sums", false}},
                                true,
                                {},
                                {{"lr", &O::lr},
                                 {"lr_decay", &O::lr_decay},
                                 {"eps", &O::eps},
                                 {"weight_decay", &O::weight_decay}},
                                {{"maximize", &O::maximize}},
                                [](const O& o, double n, double*, bool, OptimTensor* t) {
                                  t->a = o.lr / (1 + (n - 1) * o.lr_decay);
                                },
                                &K::adagrad,
                                1.0,
                                false};

constexpr OptimRule kNadam = {
    "nadam_step",
    true,
    {{"exp_avgs", false}, {"exp_avg_sqs", false}},
    true,
    {"mu_products"},
    {{"lr", &O::lr},
     {"beta1", &O::beta1},
     {"beta2", &O::beta2},
     {"eps", &O::eps},
     {"weight_decay", &O::weight_decay},
     {"momentum_decay", &O::momentum_decay}},
    {{"decoupled", &O::decoupled}, {"maximize", &O::maximize}},
    [](const O& o, double n, double* product, bool single, OptimTensor* t) {
      const double mu = o.beta1 * (1 - 0.5 * std::pow(0.96, n * o.momentum_decay));
      const double next = o.beta1 * (1 - 0.5 * std::pow(0.96, (n + 1) * o.momentum_decay));
      *product = single ? static_cast<double>(static_cast<float>(*product) * static_cast<float>(mu))
                        : *product * mu;
      t->a = -o.lr * (1 - mu) / (1 - *product);
      t->b = -o.lr * next / (1 - *product * next);
      t->c = 1 - std::pow(o.beta2, n);
    },
    &K::nadam,
    1.5,
    false};

constexpr OptimRule kRadam = {"radam_step",
                              true,
                              {{"exp_avgs", false}, {"exp_avg_sqs", false}},
                              true,
                              {},
                              {{"lr", &O::lr},
                               {"beta1", &O::beta1},
                               {"beta2", &O::beta2},
                               {"eps", &O::eps},
                               {"weight_decay", &O::weight_decay}},
                              {{"decoupled", &O::decoupled}, {"maximize", &O::maximize}},
                              [](const O& o, double n, double*, bool, OptimTensor* t) {
                                const double power = std::pow(o.beta2, n);
                                const double most = 2 / (1 - o.beta2) - 1;
                                const double length = most - 2 * n * power / (1 - power);
                                t->a = 1 - std::pow(o.beta1, n);
                                t->b = std::sqrt(1 - power);
                                t->c = length > 5 ? std::sqrt((length - 4) * (length - 2) * most /
                                                              ((most - 4) * (most - 2) * length))
                                                  : 0;
                              },
                              &K::radam,
                              1.5,
                              false};

constexpr OptimRule kAdamax = {"adamax_step",
                               true,
                               {{"exp_avgs", false}, {"exp_infs", false}},
                               true,
                               {},
                               {{"lr", &O::lr},
                                {"beta1", &O::beta1},
                                {"beta2", &O::beta2},
                                {"eps", &O::eps},
                                {"weight_decay", &O::weight_decay}},
                               {{"maximize", &O::maximize}},
                               [](const O& o, double n, double*, bool, OptimTensor* t) {
                                 t->a = o.lr / (1 - std::pow(o.beta1, n));
                               },
                               &K::adamax,
                               1.0,
                               false};

constexpr OptimRule kAdadelta = {
    "adadelta_step",
    true,
    {{"square_avgs", false}, {"acc_deltas", false}},
    true,
    {},
    {{"lr", &O::lr}, {"rho", &O::rho}, {"eps", &O::eps}, {"weight_decay", &O::weight_decay}},
    {{"maximize", &O::maximize}},
    nullptr,
    &K::adadelta,
    1.5,
    false};

constexpr OptimRule kAsgd = {"asgd_step",
                             true,
                             {{"axs", false}},
                             true,
                             {"etas", "mus"},
                             {{"lr", &O::lr},
                              {"lambd", &O::lambd},
                              {"alpha", &O::alpha},
                              {"t0", &O::t0},
                              {"weight_decay", &O::weight_decay}},
                             {{"maximize", &O::maximize}},
                             [](const O& o, double n, double* eta_mu, bool, OptimTensor* t) {
                               t->a = eta_mu[0],
                               t->b = eta_mu[1];  // this step's; those of the next one:
                               eta_mu[0] = o.lr / std::pow(1 + o.lambd * o.lr * n, o.alpha);
                               eta_mu[1] = 1 / std::max(1.0, n - o.t0);
                             },
                             &K::asgd,
                             0.7,
                             false};

constexpr OptimRule kRprop = {"rprop_step",
                              true,
                              {{"prevs", false}, {"step_sizes", false}},
                              true,
                              {},
                              {{"eta_minus", &O::eta_minus},
                               {"eta_plus", &O::eta_plus},
                               {"step_min", &O::step_min},
                               {"step_max", &O::step_max}},
                              {{"maximize", &O::maximize}},
                              nullptr,
                              &K::rprop,
                              1.0,
                              false};

constexpr OptimRule kLion = {"lion_step",
                             true,
                             {{"exp_avgs", false}},
                             false,
                             {},
                             {{"lr", &O::lr},
                              {"beta1", &O::beta1},
                              {"beta2", &O::beta2},
                              {"weight_decay", &O::weight_decay}},
                             {{"maximize", &O::maximize}},
                             nullptr,
                             &K::lion,
                             0.7,
                             false};

constexpr OptimRule kLamb = {"lamb_step",
                             true,
                             {{"exp_avgs", false}, {"exp_avg_sqs", false}},
                             true,
                             {},
                             {{"lr", &O::lr},
                              {"beta1", &O::beta1},
                              {"beta2", &O::beta2},
                              {"eps", &O::eps},
                              {"weight_decay", &O::weight_decay}},
                             {{"maximize", &O::maximize}},
                             [](const O& o, double n, double*, bool, OptimTensor* t) {
                               t->a = 1 - std::pow(o.beta1, n);
                               t->b = std::sqrt(1 - std::pow(o.beta2, n));
                             },
                             &K::lamb,
                             2.0,
                             true};

constexpr OptimRule kLerp = {"lerp_tensors", true,     {},  false, {}, {{"weight", &O::weight}}, {},
                             nullptr,        &K::lerp, 0.4, false};

constexpr OptimRule kScale = {
    "scale_tensors", false,     {},  false, {}, {{"factor", &O::weight}}, {},
    nullptr,         &K::scale, 0.3, false};

constexpr OptimRule kNorms = {"tensor_norms", false,   {},  false, {}, {}, {},
                              nullptr,        nullptr, 0.2, true};

template <const OptimRule& rule>
PyObject* step(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return OptimCall(rule).run(args, nargs);
}

PyObject* tensor_norms(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int64_t order = 0;
  if (!check_count("tensor_norms", nargs, 2)) return nullptr;
  if (!read_int("tensor_norms", "order", args[1], &order)) return nullptr;
  if (order < 0 || order > 2) {
    return fail(PyExc_ValueError, "tensor_norms: order is %lld; it must be 0 (infinity), 1 or 2",
                static_cast<long long>(order));
  }
  return OptimCall(kNorms).norms(args[0], static_cast<int>(order));
}

PyMethodDef kFunctions[] = {
    MG_FAST_NAMED("sgd_step", step<kSgd>,
                  "sgd_step(params, grads, momentum_buffers, lr, momentum, dampening, "
                  "weight_decay, nesterov, maximize, first) -> bool"),
    MG_FAST_NAMED("adam_step", step<kAdam>,
                  "adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, "
                  "lr, beta1, beta2, eps, weight_decay, decoupled, maximize) -> bool"),
    MG_FAST_NAMED("rmsprop_step", step<kRmsProp>,
                  "rmsprop_step(params, grads, square_avgs, momentum_buffers, grad_avgs, "
                  "steps, lr, alpha, eps, weight_decay, momentum, maximize) -> bool"),
    MG_FAST_NAMED("adagrad_step", step<kAdagrad>,
                  "adagrad_step(params, grads, sums, steps, lr, lr_decay, eps, "
                  "weight_decay, maximize) -> bool"),
    MG_FAST_NAMED("nadam_step", step<kNadam>,
                  "nadam_step(params, grads, exp_avgs, exp_avg_sqs, steps, mu_products, lr, beta1, "
                  "beta2, eps, weight_decay, momentum_decay, decoupled, maximize) -> bool"),
    MG_FAST_NAMED("radam_step", step<kRadam>,
                  "radam_step(params, grads, exp_avgs, exp_avg_sqs, steps, lr, beta1, beta2, eps, "
                  "weight_decay, decoupled, maximize) -> bool"),
    MG_FAST_NAMED("adamax_step", step<kAdamax>,
                  "adamax_step(params, grads, exp_avgs, exp_infs, steps, lr, beta1, beta2, eps, "
                  "weight_decay, maximize) -> bool"),
    MG_FAST_NAMED("adadelta_step", step<kAdadelta>,
                  "adadelta_step(params, grads, square_avgs, acc_deltas, steps, lr, rho, eps, "
                  "weight_decay, maximize) -> bool"),
    MG_FAST_NAMED("asgd_step", step<kAsgd>,
                  "asgd_step(params, grads, axs, steps, etas, mus, lr, lambd, alpha, t0, "
                  "weight_decay, maximize) -> bool"),
    MG_FAST_NAMED("rprop_step", step<kRprop>,
                  "rprop_step(params, grads, prevs, step_sizes, steps, eta_minus, eta_plus, "
                  "step_min, step_max, maximize) -> bool"),
    MG_FAST_NAMED("lion_step", step<kLion>,
                  "lion_step(params, grads, exp_avgs, lr, beta1, beta2, weight_decay, maximize) "
                  "-> bool"),
    MG_FAST_NAMED("lamb_step", step<kLamb>,
                  "lamb_step(params, grads, exp_avgs, exp_avg_sqs, steps, lr, beta1, beta2, eps, "
                  "weight_decay, maximize) -> bool"),
    MG_FAST_NAMED("lerp_tensors", step<kLerp>, "lerp_tensors(params, ends, weight) -> bool"),
    MG_FAST_NAMED("scale_tensors", step<kScale>, "scale_tensors(params, factor) -> bool"),
    MG_FAST(tensor_norms, "tensor_norms(arrays, order) -> ndarray | None"),
    MG_TABLE_END,
};

}  // namespace

void bind_optim(PyObject* module) { add_functions(module, kFunctions); }

}  // namespace mg
