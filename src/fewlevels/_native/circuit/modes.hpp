// The coarse correction: what a crossbar of the mean conductance does to its smoothest modes, exactly.
//
// For cells that all have the conductance g, S and (Tb + g)^-1 are diagonal in products of the wires' eigenvectors:
// with eigenvalues lw and lb, S = lb + g lw / (lw + g), so that 1 / S - 1 / (lb + g) is what the preconditioner lacks.
#pragma once
#include "circuit/circuit_kernels.hpp"
#include "common/doubles.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

struct Modes {
  int64_t have_word, have_bit, word, bit;   // modes at hand, modes in use
  const double *word_values, *bit_values;
  const double* bit_modes;                  // (have_bit, word_lines)
  double *word_modes;                       // (have_word, ld)
  double *seen, *table, *weight, *back;     // (bit, ld), (bit, word), (bit, word), (bit, ld)
};

ALWAYS_INLINE void prepare_modes(Modes& m, const Wired& w, int64_t ld, double* scratch) {
  m.have_word = w.modes_word, m.have_bit = w.modes_bit, m.word = m.bit = 0;
  m.word_values = w.word_values, m.bit_values = w.bit_values, m.bit_modes = w.bit_modes;
  m.word_modes = scratch, scratch += m.have_word * ld;
  m.seen = scratch, scratch += m.have_bit * ld;
  m.back = scratch, scratch += m.have_bit * ld;
  m.table = scratch, scratch += m.have_bit * m.have_word;
  m.weight = scratch;
  for (int64_t k = 0; k < m.have_word; ++k)
    for (int64_t j = 0; j < w.bit_lines; ++j) m.word_modes[k * ld + j] = w.word_modes[k * w.bit_lines + j];
}

// As many modes as leave out only those that the preconditioner alone treats within a twenty-fifth.
ALWAYS_INLINE void choose(Modes& m, double g) {
  constexpr double LEFT_OUT = 0.04;
  m.word = m.bit = 0;
  if (!m.have_word || !m.have_bit) return;
  const double word = g / (m.word_values[0] + g), bit = g / (m.bit_values[0] + g);
  while (m.word < m.have_word && bit * g / (m.word_values[m.word] + g) > LEFT_OUT) m.word += 1;
  while (m.bit < m.have_bit && word * g / (m.bit_values[m.bit] + g) > LEFT_OUT) m.bit += 1;
  if (m.word == 0 || m.bit == 0) m.word = m.bit = 0;
  for (int64_t k = 0; k < m.bit; ++k)
    for (int64_t l = 0; l < m.word; ++l) {
      const double lb = m.bit_values[k], lw = m.word_values[l], s = lb + g * lw / (lw + g);
      m.weight[k * m.word + l] = g * g / (lw + g) / (s * (lb + g));
    }
}

// seen[k][columns] = sum_i bit_modes[k][i] r[i][columns], for N vectors of columns from `begin`
template <int N>
ALWAYS_INLINE void project(Modes& m, const double* r, int64_t rows, int64_t ld, int64_t begin) {
  int64_t k = 0;
  for (; k + 4 <= m.bit; k += 4) {
    vdouble total[4][N] = {};
    for (int64_t i = 0; i < rows; ++i)
      for (int n = 0; n < N; ++n) {
        const vdouble x = load(r + i * ld + begin + n * WIDE);
        for (int d = 0; d < 4; ++d) total[d][n] += m.bit_modes[(k + d) * rows + i] * x;
      }
    for (int d = 0; d < 4; ++d)
      for (int n = 0; n < N; ++n) store(m.seen + (k + d) * ld + begin + n * WIDE, total[d][n]);
  }
  for (; k < m.bit; ++k) {
    vdouble total[N] = {};
    for (int64_t i = 0; i < rows; ++i)
      for (int n = 0; n < N; ++n) total[n] += m.bit_modes[k * rows + i] * load(r + i * ld + begin + n * WIDE);
    for (int n = 0; n < N; ++n) store(m.seen + k * ld + begin + n * WIDE, total[n]);
  }
}

// Weighs what was seen, by both kinds of modes, and returns what it adds to r . z.
ALWAYS_INLINE double correct(Modes& m, int64_t ld) {
  double product = 0.0;
  for (int64_t k = 0; k < m.bit; ++k) {
    for (int64_t l = 0; l < m.word; ++l) {
      vdouble total{};
      for (int64_t j = 0; j < ld; j += WIDE) total += load(m.seen + k * ld + j) * load(m.word_modes + l * ld + j);
      const double seen = sum(total), weighed = m.weight[k * m.word + l] * seen;
      product += seen * weighed;
      m.table[k * m.word + l] = weighed;
    }
    for (int64_t j = 0; j < ld; j += WIDE) {
      vdouble total{};
      for (int64_t l = 0; l < m.word; ++l) total += m.table[k * m.word + l] * load(m.word_modes + l * ld + j);
      store(m.back + k * ld + j, total);
    }
  }
  return product;
}

// z[row][columns] += sum_k bit_modes[k][row] back[k][columns]
template <int N>
ALWAYS_INLINE void prolong(const Modes& m, vdouble* z, int64_t rows, int64_t ld, int64_t row, int64_t begin) {
  for (int64_t k = 0; k < m.bit; ++k)
    for (int n = 0; n < N; ++n) z[n] += m.bit_modes[k * rows + row] * load(m.back + k * ld + begin + n * WIDE);
}

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
