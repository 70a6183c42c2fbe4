// Every kernel exists once per instruction set, in a namespace of that name.
#pragma once
#include "kernels.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#define FEWLEVELS_FOR_EACH_ISA(DO) DO(v4) DO(v3) DO(baseline)
#else
#define FEWLEVELS_FOR_EACH_ISA(DO) DO(baseline)
#endif

namespace fewlevels {
#define DECLARE(isa)                                   \
  namespace isa {                                      \
  int64_t training_scratch(const Training& t);         \
  void train(const Training& t, void* scratch);        \
  int64_t recognition_scratch(const Recognition& r);   \
  void recognise(const Recognition& r, void* scratch); \
  void quantize(const Quantization& q);                \
  }
FEWLEVELS_FOR_EACH_ISA(DECLARE)
#undef DECLARE
}  // namespace fewlevels
