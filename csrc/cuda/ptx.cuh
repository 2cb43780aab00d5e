// Instructions without a function in CUDA C++, one a wrapper; emulate/ptx.h has their twins.
// They end the kernel on chips that lack them: hosts must not launch such kernels there.
#pragma once

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define MG_IF_80(...) __trap();
#else
#define MG_IF_80(...) __VA_ARGS__
#endif

namespace mg {

__device__ __forceinline__ uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

// Copies Bytes (4, 8 or 16) to shared memory beside the thread; what lies behind `read` becomes 0.
template <int Bytes>
__device__ __forceinline__ void async_copy(void* to, const void* from, int read = Bytes) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
  if constexpr (Bytes == 16) {
    MG_IF_80(asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
                          "l"(from), "r"(read) : "memory");)
  } else {
    MG_IF_80(asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)),
                          "l"(from), "n"(Bytes), "r"(read) : "memory");)
  }
}
__device__ __forceinline__ void async_commit() {
  MG_IF_80(asm volatile("cp.async.commit_group;" :: : "memory");)
}
template <int Keep>
__device__ __forceinline__ void async_wait() {
  MG_IF_80(asm volatile("cp.async.wait_group %0;" ::"n"(Keep) : "memory");)
}

__device__ __forceinline__ void load_matrices_x4(uint32_t (&r)[4], const void* row) {
  MG_IF_80(
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]),
                   "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");)
}
__device__ __forceinline__ void load_matrices_x4_transposed(uint32_t (&r)[4], const void* row) {
  MG_IF_80(asm volatile(
               "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]),
               "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");)
}

// d (16, 8) += a (16, K) b (K, 8), fragments as in the PTX manual; the element type is the tag's.
#define MG_MMA(types, shape)                                                                  \
  MG_IF_80(asm volatile("mma.sync.aligned." shape ".row.col.f32." types ".f32 "               \
                        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" : "+f"(d[0]), \
                        "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), \
                        "r"(a[3]), "r"(b[0]), "r"(b[1]));)
__device__ __forceinline__ void mma(__nv_bfloat16, float (&d)[4], const uint32_t (&a)[4],
                                    const uint32_t (&b)[2]){
    MG_MMA("bf16.bf16", "m16n8k16")} __device__ __forceinline__
    void mma(__half, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]){
        MG_MMA("f16.f16", "m16n8k16")}  // TF32: a and b are floats rounded by to_tf32; K is 8.
__device__ __forceinline__
    void mma(float, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]){
        MG_MMA("tf32.tf32", "m16n8k8")} __device__ __forceinline__ uint32_t to_tf32(float x) {
  uint32_t r = 0;
  MG_IF_80(asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));)
  return r;
}

}  // namespace mg
