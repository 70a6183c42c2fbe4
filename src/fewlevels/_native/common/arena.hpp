// Arrays cut out of one block of memory, each at a multiple of 64 bytes. Without memory it only counts bytes.
#pragma once
#include <cstdint>

#include "common/instruction_set.hpp"

namespace fewlevels::FEWLEVELS_ISA {

struct Arena {
  char* memory;
  int64_t used = 0;

  template <class T>
  T* take(int64_t count) {
    T* const taken = memory ? (T*)(memory + used) : nullptr;
    used += (count * (int64_t)sizeof(T) + 63) / 64 * 64;
    return taken;
  }
};

}  // namespace fewlevels::FEWLEVELS_ISA
