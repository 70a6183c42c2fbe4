// Every kernel exists once per instruction set, in a namespace of that name.
#pragma once
#include "common/kernels.hpp"

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
  int64_t assign_scratch(const Assignment& a);         \
  void assign(const Assignment& a, void* scratch);     \
  int64_t screening_scratch(const Screening& c);       \
  void screen(const Screening& c, void* scratch);      \
  int64_t clustering_scratch(const Clustering& c);     \
  void cluster(const Clustering& c, void* scratch);    \
  int64_t choice_scratch(const Choice& c);             \
  void choose(const Choice& c, void* scratch);         \
  int64_t gradient_scratch(const Gradient& g);         \
  void gradient(const Gradient& g, void* scratch);     \
  void adam(const Adam& a);                            \
  }
FEWLEVELS_FOR_EACH_ISA(DECLARE)
#undef DECLARE
}  // namespace fewlevels
