// What the solver of wired crossbars does along lines: currents and imbalances, word lines eliminated by groups of WIDE
// rows, bit lines solved by chunks of columns. Each function is one task of a round; wired.cpp puts rounds together.
//
// Pivots are formed from conductances to ground, s_j = g_j + s_{j+1} / (1 + r s_{j+1}), without a subtraction, and
// hold for r = 0 as well. Arrays have `ld` doubles a row; past the last bit line and the last word line they are 0.
// Sums are kept per task and added in order, so that the number of threads does not matter.
#pragma once
#include <math.h>

#include "circuit/cell_law.hpp"
#include "circuit/modes.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

struct Solver {
  explicit Solver(const Wired& w) : w(w) {}
  const Wired& w;
  int64_t rows, columns, padded_rows, ld, row_tasks, column_tasks;
  double word_siemens, bit_siemens, foot_siemens;  // 0 where the wire is ideal
  bool word_ideal, bit_ideal, linear;
  double *conductance, *g, *u, *b, *fu, *fb;       // the state and its imbalance; b counts from the foot
  double *foot;                                    // (ld,), the bit lines' last nodes
  double *cw, *cb;                                 // factors; cw is transposed within each group of WIDE rows
  double *r, *z, *p, *q, *du;                      // r, z, p, q of conjugate gradients
  double *db;
  double *line;                                    // (workers, WIDE, ld)
  double *row_sums, *column_sums;                  // (tasks, 8)
  const double* volt;
  double step, alpha, beta;
  Modes modes;
};

constexpr int64_t CHUNK = 4 * WIDE;  // bit lines that one task solves: enough of each row to read it at full speed

// x[i] of all lanes becomes lane i of all x.
ALWAYS_INLINE void transpose(vdouble* x) {
#if FEWLEVELS_LANES == 16
  vdouble y[8];
  for (int i = 0; i < 8; i += 2) {
    y[i] = __builtin_shufflevector(x[i], x[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    y[i + 1] = __builtin_shufflevector(x[i], x[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = i; j < i + 2; ++j) {
      x[j] = __builtin_shufflevector(y[j], y[j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      x[j + 2] = __builtin_shufflevector(y[j], y[j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (int j = 0; j < 4; ++j) {
    y[j] = __builtin_shufflevector(x[j], x[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    y[j + 4] = __builtin_shufflevector(x[j], x[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
  for (int j = 0; j < 8; ++j) x[j] = y[j];
#elif FEWLEVELS_LANES == 8
  vdouble y[4];
  for (int i = 0; i < 4; i += 2) {
    y[i] = __builtin_shufflevector(x[i], x[i + 1], 0, 4, 2, 6);
    y[i + 1] = __builtin_shufflevector(x[i], x[i + 1], 1, 5, 3, 7);
  }
  for (int j = 0; j < 2; ++j) {
    x[j] = __builtin_shufflevector(y[j], y[j + 2], 0, 1, 4, 5);
    x[j + 2] = __builtin_shufflevector(y[j], y[j + 2], 2, 3, 6, 7);
  }
#else
  const vdouble first = x[0];
  x[0] = __builtin_shufflevector(first, x[1], 0, 2);
  x[1] = __builtin_shufflevector(first, x[1], 1, 3);
#endif
}

// The neighbour to the left: the last lane of the vector before, then all but the last of this one.
ALWAYS_INLINE vdouble shifted(vdouble before, vdouble x) {
#if FEWLEVELS_LANES == 16
  return __builtin_shufflevector(before, x, 7, 8, 9, 10, 11, 12, 13, 14);
#elif FEWLEVELS_LANES == 8
  return __builtin_shufflevector(before, x, 3, 4, 5, 6);
#else
  return __builtin_shufflevector(before, x, 1, 2);
#endif
}

// Tb x at row i: the bit-line wires alone.
ALWAYS_INLINE vdouble bit_wires(const Solver& s, const double* x, int64_t i) {
  const vdouble own = load(x);
  vdouble difference{};
  if (i > 0) difference += own - load(x - s.ld);
  if (i + 1 < s.rows) return s.bit_siemens * (difference + (own - load(x + s.ld)));
  return s.bit_siemens * difference + s.foot_siemens * own;
}

// Currents, their slopes and Kirchhoff's imbalance at u and b, for WIDE word lines.
void evaluate_rows(void* context, int64_t task, int64_t) {
  Solver& s = *(Solver*)context;
  vdouble imbalance{}, current{}, rounding{}, conductance{}, slope{};
  for (int64_t i = task * WIDE; i < task * WIDE + WIDE && i < s.rows; ++i) {
    const double* const u = s.u + i * s.ld;
    const double* const b = s.b + i * s.ld;
    const double foot_siemens = i + 1 < s.rows ? 0.0 : s.foot_siemens;
    vdouble before{};
    for (int64_t j = 0; j < s.columns; j += WIDE) {
      const vdouble own = load(u + j), foot = load(s.foot + j);
      vdouble ampere, siemens;
      evaluate(s.w.law, prepare(s.w.law, load(s.conductance + i * s.ld + j)), s.volt[i] - own - foot - load(b + j),
               &ampere, &siemens);
      vdouble fu{};
      if (!s.word_ideal) fu = s.word_siemens * ((own - shifted(before, own)) + (own - load(u + j + 1))) - ampere;
      vdouble fb = s.bit_ideal ? -ampere : bit_wires(s, b + j, i) + foot_siemens * foot - ampere;
      if (j + WIDE > s.columns)
        for (int lane = 0; lane < WIDE; ++lane)
          if (j + lane >= s.columns) ampere[lane] = siemens[lane] = fu[lane] = fb[lane] = 0.0;
      before = own;
      if (!s.linear) store(s.g + i * s.ld + j, siemens);
      store(s.fu + i * s.ld + j, fu), store(s.fb + i * s.ld + j, fb);
      imbalance += magnitude(fu) + (s.bit_ideal ? vdouble{} : magnitude(fb));
      current += magnitude(ampere), conductance += siemens;
      rounding += (s.word_siemens + siemens) * magnitude(own) + (s.bit_siemens + siemens) * magnitude(load(b + j)) +
                  (siemens + foot_siemens) * magnitude(foot) + siemens * fabs(s.volt[i]);
      if (s.step != 0.0)
        slope += fu * load(s.du + i * s.ld + j) + (s.bit_ideal ? vdouble{} : fb * load(s.db + i * s.ld + j));
    }
  }
  const double sums[5] = {sum(imbalance), sum(current), sum(rounding), sum(conductance), sum(slope)};
  for (int k = 0; k < 5; ++k) s.row_sums[8 * task + k] = sums[k];
}

// (Tw + g)^-1 for WIDE word lines at a time. It is applied to what `what` says:
enum What { RIGHT_SIDE, OPERATOR, BACK };
// RIGHT_SIDE factors, and r = -Fb - g (Tw + g)^-1 (-Fu);  OPERATOR: q = S p and p . q;
// BACK: du = (Tw + g)^-1 (-Fu - g db).
template <What WHAT>
void word_lines(void* context, int64_t task, int64_t worker) {
  Solver& s = *(Solver*)context;
  const int64_t first = task * WIDE, ld = s.ld;
  double* const factors = s.cw + first * ld;
  double* const line = s.line + worker * WIDE * ld;
  vdouble x[WIDE], g[WIDE], sum_above{}, y{}, c{};
  for (int64_t j = ld - WIDE; j >= 0; j -= WIDE) {
    for (int k = 0; k < WIDE; ++k) {
      const int64_t at = (first + k) * ld + j;
      if (WHAT == RIGHT_SIDE) x[k] = -load(s.fu + at), g[k] = load(s.g + at);
      if (WHAT == OPERATOR) x[k] = load(s.g + at) * load(s.p + at);
      if (WHAT == BACK) x[k] = -load(s.fu + at) - load(s.g + at) * load(s.db + at);
    }
    transpose(x);
    if (WHAT == RIGHT_SIDE) transpose(g);
    for (int k = WIDE - 1; k >= 0; --k) {
      y = x[k] + c * y;
      if (WHAT == RIGHT_SIDE) {
        sum_above = g[k] + c * sum_above;
        c = 1.0 / (1.0 + s.w.word_ohm * sum_above);
        store(factors + (j + k) * WIDE, c);
      } else {
        c = load(factors + (j + k) * WIDE);
      }
      store(line + (j + k) * WIDE, y);
    }
  }
  vdouble before{}, product{};
  for (int64_t j = 0; j < ld; j += WIDE) {
    for (int k = 0; k < WIDE; ++k) {
      const vdouble factor = load(factors + (j + k) * WIDE);
      before = factor * (s.w.word_ohm * load(line + (j + k) * WIDE)) + factor * before;
      x[k] = before;
    }
    transpose(x);
    for (int k = 0; k < WIDE; ++k) {
      const int64_t at = (first + k) * ld + j;
      if (WHAT == BACK) store(s.du + at, x[k]);
      if (first + k >= s.rows) continue;
      if (WHAT == RIGHT_SIDE) store(s.r + at, -load(s.fb + at) - load(s.g + at) * x[k]);
      if (WHAT == OPERATOR) {
        const vdouble p = load(s.p + at);
        const vdouble q = bit_wires(s, s.p + at, first + k) + load(s.g + at) * (p - x[k]);
        store(s.q + at, q);
        product += p * q;
      }
    }
  }
  s.row_sums[8 * task] = sum(product);
}

// One chunk of bit lines: [x += alpha p, r -= alpha q,] z = (Tb + g)^-1 r, r . z, sum of |r|, and r seen by the modes.
template <bool START, int N>
ALWAYS_INLINE void bit_lines_chunk(Solver& s, int64_t task, int64_t begin) {
  const int64_t ld = s.ld;
  vdouble y[N] = {}, c[N] = {}, sum_above[N] = {}, rest{};
  for (int64_t i = 0; i < s.rows; ++i)
    for (int k = 0; k < N; ++k) {
      const int64_t at = i * ld + begin + k * WIDE;
      vdouble r = load(s.r + at);
      if (START) {
        const double ohm = i + 1 < s.rows ? s.w.bit_ohm : s.w.foot_ohm;
        sum_above[k] = load(s.g + at) + c[k] * sum_above[k];
        y[k] = r + c[k] * y[k];
        c[k] = 1.0 / (1.0 + ohm * sum_above[k]);
        store(s.cb + at, c[k]), store(s.db + at, vdouble{});
      } else {
        r -= s.alpha * load(s.q + at);
        store(s.r + at, r);
        store(s.db + at, load(s.db + at) + s.alpha * load(s.p + at));
        y[k] = r + c[k] * y[k];
        c[k] = load(s.cb + at);
      }
      rest += magnitude(r);
      store(s.z + at, y[k]);
    }
  vdouble above[N] = {}, product{};
  for (int64_t i = s.rows - 1; i >= 0; --i)
    for (int k = 0; k < N; ++k) {
      const int64_t at = i * ld + begin + k * WIDE;
      const double ohm = i + 1 < s.rows ? s.w.bit_ohm : s.w.foot_ohm;
      const vdouble factor = load(s.cb + at);
      above[k] = factor * (ohm * load(s.z + at)) + factor * above[k];
      store(s.z + at, above[k]);
      product += load(s.r + at) * above[k];
    }
  s.column_sums[8 * task] = sum(product), s.column_sums[8 * task + 1] = sum(rest);
  project<N>(s.modes, s.r, s.rows, ld, begin);
}

// p = z + coarse correction + beta p
template <int N>
ALWAYS_INLINE void direction_chunk(Solver& s, int64_t begin) {
  for (int64_t i = 0; i < s.rows; ++i) {
    vdouble z[N];
    for (int k = 0; k < N; ++k) z[k] = load(s.z + i * s.ld + begin + k * WIDE);
    prolong<N>(s.modes, z, s.rows, s.ld, i, begin);
    for (int k = 0; k < N; ++k) {
      double* const p = s.p + i * s.ld + begin + k * WIDE;
      store(p, s.beta == 0.0 ? z[k] : z[k] + s.beta * load(p));
    }
  }
}

// Runs BODY(N) with N vectors of columns, or what is left of them.
#define FOR_CHUNK(NAME, BODY)                                         \
  void NAME(void* context, int64_t task, int64_t) {                   \
    Solver& s = *(Solver*)context;                                    \
    const int64_t begin = task * CHUNK;                               \
    const int64_t left = s.ld - begin < CHUNK ? s.ld - begin : CHUNK; \
    switch (left / WIDE) {                                            \
      case 1: BODY(1); break;                                         \
      case 2: BODY(2); break;                                         \
      case 3: BODY(3); break;                                         \
      default: BODY(4);                                               \
    }                                                                 \
  }
#define RUN_START(N) bit_lines_chunk<true, N>(s, task, begin)
#define RUN_UPDATE(N) bit_lines_chunk<false, N>(s, task, begin)
#define RUN_DIRECTION(N) direction_chunk<N>(s, begin)
FOR_CHUNK(start_bit_lines, RUN_START)
FOR_CHUNK(update_bit_lines, RUN_UPDATE)
FOR_CHUNK(direction, RUN_DIRECTION)

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
