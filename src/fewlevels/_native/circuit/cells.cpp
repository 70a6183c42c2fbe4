// Cells of their own, and crossbars with ideal wires: every bit line one scalar equation, one bit line per vector lane.
#include "circuit/cell_law.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

constexpr int64_t MAX_STEPS = 100;
constexpr int64_t GROUPS = 8;  // vectors of bit lines in one task

// Sums over the word lines of one vector of bit lines that all have the foot voltage u: currents, derivatives,
// magnitudes, and derivatives times the sizes of the voltages that cancel.
ALWAYS_INLINE void line(const Columns& c, const Cell* cell, const vdouble* volt, vdouble u, vdouble* ampere,
                        vdouble* siemens, vdouble* total, vdouble* cancelling) {
  vdouble i_sum{}, g_sum{}, magnitudes{}, sizes{};
  const bool grounded = c.reference_ohm == 0.0;
  for (int64_t i = 0; i < c.word_lines; ++i) {
    if (grounded && !any(volt[i] != 0.0)) continue;
    vdouble ampere_i, siemens_i;
    evaluate(c.law, cell[i], volt[i] - u, &ampere_i, &siemens_i);
    i_sum += ampere_i, g_sum += siemens_i, magnitudes += magnitude(ampere_i);
    sizes += siemens_i * magnitude(volt[i]);
  }
  *ampere = i_sum, *siemens = g_sum, *total = magnitudes, *cancelling = sizes + g_sum * magnitude(u);
}

// Newton's method inside a bracket. A lane that has converged no longer moves, so that its neighbours do not matter, and
// every lane ends where its residual was taken: NaN where a current is beyond double precision.
ALWAYS_INLINE int32_t solve_lines(const Columns& c, const Cell* cell, const vdouble* volt, vdouble* u, vdouble* ampere,
                                  vdouble* residual, vlong* converged) {
  constexpr double ENOUGH = 1e-14, NEXT_TO_IT = 1e-8, AFTER_IT = 1e-12;
  constexpr double TOLERANCE = 1e-11, ROUNDING = 8 * 2.2e-16, AT_MOST = 1e-8;
  vdouble current, slope, total, cancelling;
  if (c.reference_ohm == 0.0) {
    line(c, cell, volt, vdouble{}, ampere, &slope, &total, &cancelling);
    *u = vdouble{}, *residual = *ampere - *ampere, *converged = *residual == 0.0;
    return 1;
  }
  vdouble low{}, high{}, x{};
  for (int64_t i = 0; i < c.word_lines; ++i) {
    low = volt[i] < low ? volt[i] : low;
    high = larger(volt[i], high);
  }
  const double foot = 1.0 / c.reference_ohm;
  vlong moving = (low < 0.0) | (high > 0.0), near = vlong{};  // no input, no current
  *residual = vdouble{}, *converged = ~moving;
  int32_t steps = 0;
  for (; steps < MAX_STEPS; ++steps) {
    line(c, cell, volt, x, &current, &slope, &total, &cancelling);
    const vdouble imbalance = current - foot * x;
    const vdouble scale = total + magnitude(foot * x);
    *residual = moving ? (scale == 0.0 ? vdouble{} : magnitude(imbalance) / scale) : *residual;
    const vlong rounded = (magnitude(imbalance) <= ROUNDING * cancelling) & (*residual <= AT_MOST);
    *converged = (~moving & *converged) | (moving & ((*residual <= TOLERANCE) | rounded));
    // One step from nearby squares what was left, down to rounding.
    moving &= ~((*residual <= ENOUGH) | (near & (*residual <= AFTER_IT)));
    near = *residual <= NEXT_TO_IT;
    low = imbalance > 0.0 ? x : low;
    high = imbalance > 0.0 ? high : x;
    vdouble next = x + imbalance / (slope + foot);
    next = (next < low) | (next > high) ? 0.5 * (low + high) : next;
    moving &= magnitude(next - x) > 4e-16 * magnitude(next);
    if (!any(moving) || steps + 1 == MAX_STEPS) break;
    x = moving ? next : x;
  }
  *u = x, *ampere = foot * x;
  return steps;
}

void task(void* context, int64_t index, int64_t) {
  const Columns& c = *(const Columns*)context;
  const int64_t lines = c.draws * c.bit_lines, begin = index * GROUPS * WIDE;
  const int64_t end = begin + GROUPS * WIDE < lines ? begin + GROUPS * WIDE : lines;
  char* const memory = (char*)__builtin_malloc(64 + c.word_lines * (sizeof(Cell) + sizeof(vdouble)));
  Cell* const cell = (Cell*)(((uintptr_t)memory + 63) / 64 * 64);
  vdouble* const volt = (vdouble*)(cell + c.word_lines);
  const int64_t cells = c.word_lines * c.bit_lines;
  for (int64_t first = begin; first < end; first += WIDE) {
    int64_t draw[WIDE], bit[WIDE];
    for (int lane = 0; lane < WIDE; ++lane) {
      const int64_t own = first + lane < end ? first + lane : end - 1;
      draw[lane] = own / c.bit_lines, bit[lane] = own % c.bit_lines;
    }
    for (int64_t i = 0; i < c.word_lines; ++i) {
      vdouble conductance;
      for (int lane = 0; lane < WIDE; ++lane)
        conductance[lane] = c.conductance[draw[lane] * cells + i * c.bit_lines + bit[lane]];
      cell[i] = prepare(c.law, conductance);
    }
    int32_t most = 0;
    for (int64_t s = 0; s < c.samples; ++s) {
      for (int64_t i = 0; i < c.word_lines; ++i)
        for (int lane = 0; lane < WIDE; ++lane)
          volt[i][lane] = c.input[draw[lane] * c.input_stride + s * c.word_lines + i];
      vdouble u, ampere, residual;
      vlong converged;
      const int32_t steps = solve_lines(c, cell, volt, &u, &ampere, &residual, &converged);
      most = steps > most ? steps : most;
      for (int lane = 0; lane < WIDE && first + lane < end; ++lane) {
        const int64_t to = (draw[lane] * c.samples + s) * c.bit_lines + bit[lane];
        c.output[to] = ampere[lane], c.foot[to] = u[lane];
        c.residual[to] = residual[lane], c.converged[to] = converged[lane] != 0;
      }
    }
    for (int lane = 0; lane < WIDE && first + lane < end; ++lane) c.steps[first + lane] = most;
  }
  __builtin_free(memory);
}

}  // namespace

void columns(const Columns& c, void*) {
  c.team.run(c.team.self, (c.draws * c.bit_lines + GROUPS * WIDE - 1) / (GROUPS * WIDE), task, (void*)&c);
}

void cells(const Cells& c, void*) {
  for (int64_t first = 0; first < c.cells; first += WIDE) {
    vdouble volt{}, conductance = all(1.0), ampere, siemens;
    const int64_t width = c.cells - first < WIDE ? c.cells - first : WIDE;
    if (width == WIDE) {
      volt = load(c.volt + first), conductance = load(c.conductance + first);
    } else {
      for (int64_t k = 0; k < width; ++k) volt[k] = c.volt[first + k], conductance[k] = c.conductance[first + k];
    }
    evaluate(c.law, prepare(c.law, conductance), volt, &ampere, &siemens);
    if (width == WIDE) {
      store(c.ampere + first, ampere), store(c.siemens + first, siemens);
    } else {
      for (int64_t k = 0; k < width; ++k) c.ampere[first + k] = ampere[k], c.siemens[first + k] = siemens[k];
    }
  }
}

}  // namespace fewlevels::FEWLEVELS_ISA
