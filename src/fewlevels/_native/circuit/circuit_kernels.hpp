// What the circuit kernels take: plain pointers and sizes, the same for every instruction set.
#pragma once
#include <cstdint>

#include "common/instruction_set.hpp"

namespace fewlevels {

// A cell: a resistor of 1 / conductance + series_ohm, alone or in series with a diode that has gmin across it.
struct CellLaw {
  double slope_volt;  // n k T / q; 0 where there is no diode
  double saturation_ampere, gmin_siemens, series_ohm;
};

// Threads that wait for work. run() calls task(context, index, worker) for each index in [0, tasks), in any order.
struct Team {
  void (*run)(void* self, int64_t tasks, void (*task)(void*, int64_t, int64_t), void* context);
  void* self;
  int64_t workers;
};

// Cells of their own.
struct Cells {
  int64_t cells;
  CellLaw law;
  const double *volt, *conductance;  // (cells,)
  double *ampere, *siemens;          // (cells,), the current and its derivative
};

// Crossbars with ideal wires: each bit line is one scalar equation, sum_i I(V_i - u; G_ij) = u / reference.
struct Columns {
  Team team;
  int64_t draws, samples, word_lines, bit_lines;
  CellLaw law;
  double reference_ohm;
  const double* conductance;  // (draws, word_lines, bit_lines)
  const double* input;        // (draws, samples, word_lines), or (1, samples, word_lines) with input_stride = 0
  int64_t input_stride;
  double* output;             // (draws, samples, bit_lines), ampere
  double* foot;               // the same shape, volt
  double* residual;           // the same shape, imbalance over the sum of absolute currents; NaN beyond doubles
  bool* converged;            // the same shape: to 1e-11, or to what rounding leaves, at most 1e-8
  int32_t* steps;             // (draws * bit_lines,), the most Newton steps any sample took
};

// One crossbar with wires. Unknown are u, the drop from the source to each cell's word node, and b, each bit node.
struct Wired {
  Team team;
  int64_t samples, word_lines, bit_lines;
  CellLaw law;
  double word_ohm, bit_ohm, foot_ohm;  // foot: last bit segment and reference resistor together
  const double* conductance;           // (word_lines, bit_lines)
  const double* input;                 // (samples, word_lines)
  int64_t modes_word, modes_bit;       // modes of the coarse correction that are at hand
  const double *word_modes, *bit_modes;    // (modes_word, bit_lines) and (modes_bit, word_lines), orthonormal
  const double *word_values, *bit_values;  // their eigenvalues, siemens
  double tolerance;
  int64_t max_steps, max_iterations;
  double *u, *b;                       // (samples, word_lines, bit_lines) or null
  double* output;                      // (samples, bit_lines), ampere
  int64_t *steps, *iterations;         // (samples,), Newton steps and conjugate gradient iterations
  double *residual;                    // (samples,), sum of |imbalance| over nodes / sum of |cell current|
  bool* converged;                     // (samples,)
};

// The transfer matrix of one crossbar of linear cells; no wire is ideal.
struct Transfer {
  Team team;
  int64_t word_lines, bit_lines;
  double word_siemens, bit_siemens, foot_siemens;  // of a segment; foot: as in Wired
  const double* conductance;                       // (word_lines, bit_lines)
  double* transfer;                                // the same shape, siemens
};

namespace FEWLEVELS_ISA {
void cells(const Cells& c, void*);
void columns(const Columns& c, void*);
int64_t wired_scratch(const Wired& w);
void wired(const Wired& w, void* zeros);
int64_t transfer_scratch(const Transfer& t);
void transfer(const Transfer& t, void* zeros);
}

}  // namespace fewlevels
