// Scratch memory of a kernel's call. It begins at a multiple of 64 bytes.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

// As it comes.
class Memory {
 public:
  explicit Memory(size_t bytes) : memory_(operator new(bytes, ALIGNMENT)) {}
  ~Memory() { operator delete(memory_, ALIGNMENT); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  void* data() { return memory_; }

 private:
  static constexpr std::align_val_t ALIGNMENT{64};
  void* memory_;
};

// All zeros, in large pages where the system has them.
class ZeroedMemory {
 public:
  explicit ZeroedMemory(size_t bytes) : bytes_(bytes + 64) {
#if defined(__linux__)
    mapped_ = bytes_ > (1 << 22);
    if (mapped_) {
      memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (memory_ == MAP_FAILED) throw std::bad_alloc();
      madvise(memory_, bytes_, MADV_HUGEPAGE);
      return;
    }
#endif
    memory_ = std::calloc(bytes_, 1);
    if (!memory_) throw std::bad_alloc();
  }
  ~ZeroedMemory() {
#if defined(__linux__)
    if (mapped_) {
      munmap(memory_, bytes_);
      return;
    }
#endif
    std::free(memory_);
  }
  ZeroedMemory(const ZeroedMemory&) = delete;
  ZeroedMemory& operator=(const ZeroedMemory&) = delete;
  void* data() { return (void*)(((uintptr_t)memory_ + 63) / 64 * 64); }

 private:
  size_t bytes_;
  void* memory_;
  bool mapped_ = false;
};
