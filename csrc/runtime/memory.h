// The recycling memory pool behind arrays and workspaces: fresh pages cost more than the
// arithmetic on them, so freed blocks are kept and handed out again.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mg {

struct PoolStats {
  int64_t allocated;  // bytes in use, by size class
  int64_t reserved;   // bytes held from the system: in use and cached
  int64_t peak;       // largest `allocated` since the start or reset_pool_peak
  int64_t hits;       // requests served from the cache
  int64_t misses;     // requests that went to the system
  int64_t limit;      // cached bytes are at most this
};

// A block of at least `bytes`, 64-byte aligned, contents undefined; nullptr when memory is out.
void* pool_alloc(size_t bytes);
// Gives it back; `bytes` as it was requested.
void pool_free(void* block, size_t bytes);

void empty_pool_cache();  // returns every cached block to the system
PoolStats pool_stats();
void reset_pool_peak();
void set_pool_limit(int64_t bytes);  // >= 0; evicts what is over it

// A temporary block for the scratch space of a kernel call. Check data() against nullptr.
class Workspace {
 public:
  explicit Workspace(size_t bytes) : bytes_(bytes), data_(bytes ? pool_alloc(bytes) : nullptr) {}
  ~Workspace() {
    if (data_) pool_free(data_, bytes_);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  void* data() const { return data_; }
  bool failed() const { return bytes_ && !data_; }

 private:
  size_t bytes_;
  void* data_;
};

// Registers the fork handlers; call once, before init_threads.
void init_memory();

}  // namespace mg
