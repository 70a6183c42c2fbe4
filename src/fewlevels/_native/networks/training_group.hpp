// What training holds of one group of LANES models, and loops whose sums stay in registers.
#pragma once
#include "common/simd.hpp"
#include "networks/network_kernels.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

// Memory of one group of models, one vector for each of the numbers in brackets.
struct Group {
  vfloat *w1, *w2;        // (inputs, hidden), (hidden, outputs)
  vfloat *w1_copy;        // (inputs, hidden), what a snapshot writes out
  vfloat *h, *g1, *e;     // (hidden,): sigmoid(x W1); rate * d1, not yet applied; rate * d2 W2' of some outputs
  vfloat *g2;             // (outputs,): rate * d2
  vfloat *before, *now;   // (inputs,), Primal: the sample of the update not yet applied and the one to come
  vfloat *p, *a;          // (samples, hidden), Dual; see training_dual.hpp
  vfloat *waiting;        // (STEPS, hidden) and LANES unused, Dual: updates not yet applied; g1 is one of its rows
};

struct Free {
  ALWAYS_INLINE vfloat operator()(vfloat weight) const { return weight; }
};

// Projection on [-limit, limit].
struct Limited {
  float limit;
  ALWAYS_INLINE vfloat operator()(vfloat weight) const {
    const vfloat high = broadcast(limit), low = -high;
    weight = weight < high ? weight : high;
    return weight > low ? weight : low;
  }
};

constexpr int BLOCK = LANES == 16 ? 10 : 5;  // columns whose sums and operands are held in registers at once
constexpr int WHOLE = 10;  // columns whose sums alone fit in registers

template <int N>
struct Width {
  static constexpr int value = N;
};

// Runs body.template run<N>(begin) over [0, n) in pieces of N <= MOST columns, as even as possible.
template <int MOST, class Body>
ALWAYS_INLINE void in_blocks(int64_t n, const Body& body) {
  const int64_t pieces = (n + MOST - 1) / MOST;
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const int64_t begin = piece * n / pieces, width = (piece + 1) * n / pieces - begin;
    const auto run = [&](auto... candidate) {
      ((width == candidate.value ? body.template run<candidate.value>(begin) : (void)0), ...);
    };
    if constexpr (MOST == 10) run(Width<1>{}, Width<2>{}, Width<3>{}, Width<4>{}, Width<5>{}, Width<6>{}, Width<7>{},
                                  Width<8>{}, Width<9>{}, Width<10>{});
    else if constexpr (MOST == 5) run(Width<1>{}, Width<2>{}, Width<3>{}, Width<4>{}, Width<5>{});
    else run(Width<1>{}, Width<2>{}, Width<3>{});
  }
}

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
