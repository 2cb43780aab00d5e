// Instruction-set dispatch: a list of tables, a CPU check for each, one pointer to the current one.
#include "dispatch.h"

#include <atomic>

#include "kernels.h"

namespace mg {

// The tables that the build made; csrc/cpu/table.cpp defines each in its namespace.
namespace baseline {
const KernelTable& table();
}
namespace avx2 {
const KernelTable& table();
}
namespace avx512 {
const KernelTable& table();
}
namespace avx512vnni {
const KernelTable& table();
}
namespace avx512bf16 {
const KernelTable& table();
}

namespace {

struct Isa {
  const char* name;
  bool (*supported)();
  const KernelTable& (*table)();
};

[[maybe_unused]] bool has_avx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
#else
  return false;
#endif
}

[[maybe_unused]] bool has_avx512() {
#if defined(__x86_64__)
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

[[maybe_unused]] bool has_avx512vnni() {
#if defined(__x86_64__)
  return has_avx512() && __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

[[maybe_unused]] bool has_avx512bf16() {
#if defined(__x86_64__)
  return has_avx512vnni() && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

constexpr Isa kIsas[] = {
    {"baseline", [] { return true; }, baseline::table},
#ifdef MG_HAVE_AVX2
    {"avx2", has_avx2, avx2::table},
#endif
#ifdef MG_HAVE_AVX512
    {"avx512", has_avx512, avx512::table},
#endif
#ifdef MG_HAVE_AVX512VNNI
    {"avx512vnni", has_avx512vnni, avx512vnni::table},
#endif
#ifdef MG_HAVE_AVX512BF16
    {"avx512bf16", has_avx512bf16, avx512bf16::table},
#endif
};

const Isa* fastest() {
  const Isa* best = &kIsas[0];
  for (const Isa& isa : kIsas) {
    if (isa.supported()) best = &isa;
  }
  return best;
}

struct Choice {
  std::atomic<const Isa*> isa;
  std::atomic<const KernelTable*> table;
  Choice() : isa(fastest()), table(&isa.load()->table()) {}
} g_choice;

}  // namespace

const KernelTable& kernels() { return *g_choice.table.load(std::memory_order_relaxed); }

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Isa& isa : kIsas) {
    if (isa.supported()) names.emplace_back(isa.name);
  }
  return names;
}

const char* current_isa() { return g_choice.isa.load()->name; }

bool set_isa(const std::string& name) {
  for (const Isa& isa : kIsas) {
    if (name == isa.name && isa.supported()) {
      g_choice.isa = &isa;
      g_choice.table = &isa.table();
      return true;
    }
  }
  return false;
}

}  // namespace mg
