// Atomic operations on global and shared memory. One thread of the system runs all: they are atomic
// by nature; the compiler's atomics are there for ThreadSanitizer to see.
#pragma once

#include <cstring>
#include <type_traits>

#include "cuda/emulate/scheduler.h"

namespace emu {

template <class T, class Change>
T atomic(T* p, Change change) {
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t,
                                  std::conditional_t<sizeof(T) == 4, uint32_t, uint16_t>>;
  static_assert(sizeof(T) == sizeof(Bits), "atomics take 2, 4 or 8 bytes");
  if (reinterpret_cast<uintptr_t>(p) % sizeof(T)) die("misaligned atomic operation");
  Bits* bits = reinterpret_cast<Bits*>(p);
  Bits before = __atomic_load_n(bits, __ATOMIC_RELAXED), after;
  T old;
  do {
    memcpy(&old, &before, sizeof old);
    const T changed = change(old);
    memcpy(&after, &changed, sizeof after);
  } while (!__atomic_compare_exchange_n(bits, &before, after, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
  return old;
}

}  // namespace emu

template <class T, class V>
T atomicAdd(T* p, V value) {
  return emu::atomic(p, [=](T old) { return static_cast<T>(old + static_cast<T>(value)); });
}
template <class T, class V>
T atomicMax(T* p, V value) {
  const T v = static_cast<T>(value);
  return emu::atomic(p, [=](T old) { return old > v ? old : v; });
}
template <class T, class V>
T atomicMin(T* p, V value) {
  const T v = static_cast<T>(value);
  return emu::atomic(p, [=](T old) { return old < v ? old : v; });
}
template <class T, class V>
T atomicOr(T* p, V value) {
  return emu::atomic(p, [=](T old) { return static_cast<T>(old | static_cast<T>(value)); });
}
template <class T, class V>
T atomicExch(T* p, V value) {
  return emu::atomic(p, [=](T) { return static_cast<T>(value); });
}
template <class T>
T atomicCAS(T* p, T compare, T value) {
  return emu::atomic(p, [=](T old) { return old == compare ? value : old; });
}
