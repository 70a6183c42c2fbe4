// One crossbar with wire resistance: inexact Newton's method, its linear systems by conjugate gradients.
//
// With u the drop along a word line and b the bit line's voltage, Kirchhoff at the two nodes of each cell reads
//   Tw u = I(V - u - b),   Tb b = I(V - u - b),
// Tw and Tb the conductance matrices of the wires alone, tridiagonal along each line. It is the gradient of a convex
// function, so Newton's direction descends and a line search on it is safe. The state holds b as the line's foot and what
// lies above it: where wires are next to nothing beside the reference resistor, the differences that drive their
// currents would be lost in the rounding of b. Its linear system, with g = dI/dV,
//   [Tw + g, g; g, Tb + g] [du; db] = -[Fu; Fb],
// loses du by elimination, word line by word line; what is left, S = Tb + g - g (Tw + g)^-1 g, goes to conjugate
// gradients, preconditioned by (Tb + g)^-1 and a correction of the smooth modes that this alone misses.
#include "circuit/lines.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

constexpr double ROUNDING = 2.2e-16;  // of the currents that cancel at a node
constexpr double AT_A_STALL = 8.0;    // where no step helps any more, so many times that is as good as it gets
constexpr double AT_MOST = 1e-8;      // of the cell currents, that rounding may leave in a solution

struct Sums {
  double imbalance, current, rounding, conductance, slope;
};

// u += step du, b += step db; what all of a bit line moves by goes to its foot
void move_rows(void* context, int64_t task, int64_t) {
  Solver& s = *(Solver*)context;
  const double* const last = s.db + (s.rows - 1) * s.ld;
  if (task == s.row_tasks - 1 && !s.bit_ideal)
    for (int64_t j = 0; j < s.ld; j += WIDE) store(s.foot + j, load(s.foot + j) + s.step * load(last + j));
  for (int64_t i = task * WIDE; i < task * WIDE + WIDE && i < s.rows; ++i)
    for (int64_t j = 0; j < s.ld; j += WIDE) {
      const int64_t at = i * s.ld + j;
      store(s.u + at, load(s.u + at) + s.step * load(s.du + at));
      if (!s.bit_ideal) store(s.b + at, load(s.b + at) + s.step * (load(s.db + at) - load(last + j)));
    }
}

// F . d at the present point
void slope_rows(void* context, int64_t task, int64_t) {
  Solver& s = *(Solver*)context;
  vdouble slope{};
  for (int64_t at = task * WIDE * s.ld; at < (task + 1) * WIDE * s.ld; at += WIDE)
    slope += load(s.fu + at) * load(s.du + at) + (s.bit_ideal ? vdouble{} : load(s.fb + at) * load(s.db + at));
  s.row_sums[8 * task] = sum(slope);
}

void run(Solver& s, int64_t tasks, void (*task)(void*, int64_t, int64_t)) { s.w.team.run(s.w.team.self, tasks, task, &s); }

double added(const double* sums, int64_t tasks, int64_t which) {
  double total = 0.0;
  for (int64_t t = 0; t < tasks; ++t) total += sums[8 * t + which];
  return total;
}

Sums evaluate_all(Solver& s) {
  run(s, s.row_tasks, evaluate_rows);
  return {added(s.row_sums, s.row_tasks, 0), added(s.row_sums, s.row_tasks, 1),
          ROUNDING * added(s.row_sums, s.row_tasks, 2), added(s.row_sums, s.row_tasks, 3),
          added(s.row_sums, s.row_tasks, 4)};
}

// Leaves db with sum |S db - r| <= target, or after max_iterations, or where it gains nothing. Returns the iterations.
int64_t conjugate_gradients(Solver& s, double target) {
  run(s, s.column_tasks, start_bit_lines);
  double rest = added(s.column_sums, s.column_tasks, 1);
  double product = added(s.column_sums, s.column_tasks, 0) + correct(s.modes, s.ld);
  s.beta = 0.0;
  int64_t iteration = 0;
  while (rest > target && iteration < s.w.max_iterations) {
    run(s, s.column_tasks, direction);
    run(s, s.row_tasks, word_lines<OPERATOR>);
    s.alpha = product / added(s.row_sums, s.row_tasks, 0);
    if (!(s.alpha > 0.0)) break;
    run(s, s.column_tasks, update_bit_lines);
    rest = added(s.column_sums, s.column_tasks, 1);
    const double next = added(s.column_sums, s.column_tasks, 0) + correct(s.modes, s.ld);
    s.beta = next / product;
    product = next;
    ++iteration;
  }
  return iteration;
}

// Newton's direction into du and db; returns the iterations it took.
int64_t find_direction(Solver& s, const Sums& now, double target) {
  run(s, s.row_tasks, word_lines<RIGHT_SIDE>);
  int64_t iterations = 0;
  if (!s.bit_ideal) {
    choose(s.modes, now.conductance / (double)(s.rows * s.columns));
    iterations = conjugate_gradients(s, target);
  }
  run(s, s.row_tasks, word_lines<BACK>);
  return iterations;
}

// Goes along du and db until the imbalance is below half of `before`, or the slope, which starts at -descent, is less
// than half as steep. Returns the sums there.
Sums line_search(Solver& s, double descent, double before) {
  double here = 0.0, low = 0.0, high = 1.0, low_slope = -descent, high_slope = 0.0;
  bool bracketed = false;
  Sums sums{};
  for (int attempt = 0; attempt < 30; ++attempt) {
    const double secant = fmin(0.9, fmax(0.1, low_slope / (low_slope - high_slope)));
    const double next = bracketed ? low + (high - low) * secant : high;
    s.step = next - here;
    run(s, s.row_tasks, move_rows);
    here = next;
    sums = evaluate_all(s);
    if (sums.imbalance <= 0.5 * before || fabs(sums.slope) <= 0.5 * descent) return sums;
    if (sums.slope <= 0.0) {
      if (!bracketed) return sums;
      low = here, low_slope = sums.slope;
    } else {
      high = here, high_slope = sums.slope, bracketed = true;
    }
  }
  return sums;
}

bool all_zero(const double* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    if (x[i] != 0.0) return false;
  return true;
}

void write_sample(Solver& s, int64_t sample, const Sums& now, int64_t steps, int64_t iterations, bool converged) {
  const Wired& w = s.w;
  const bool off = now.current == 0.0;  // no input at all: the nodes of the last sample must not show
  w.steps[sample] = steps, w.iterations[sample] = iterations, w.converged[sample] = converged;
  w.residual[sample] = off ? 0.0 : now.imbalance / now.current;
  for (int64_t j = 0; j < s.columns; ++j) {
    double total = 0.0;
    if (s.bit_ideal && !off)
      for (int64_t i = 0; i < s.rows; ++i) total -= s.fb[i * s.ld + j];
    else if (!off)
      total = s.foot[j] * s.foot_siemens;
    w.output[sample * s.columns + j] = total;
  }
  if (w.u)
    for (int64_t i = 0; i < s.rows; ++i)
      for (int64_t j = 0; j < s.columns; ++j) {
        w.u[(sample * s.rows + i) * s.columns + j] = off ? 0.0 : s.u[i * s.ld + j];
        w.b[(sample * s.rows + i) * s.columns + j] = off ? 0.0 : s.foot[j] + s.b[i * s.ld + j];
      }
}

void solve_sample(Solver& s, int64_t sample) {
  const Wired& w = s.w;
  s.volt = w.input + sample * s.rows;
  s.step = 0.0;
  if (all_zero(s.volt, s.rows)) return write_sample(s, sample, {}, 0, 0, true);
  Sums now = evaluate_all(s);
  if (sample > 0) {  // the last input's solution is the start only where it is nearer than zero
    Sums warm = now;
    double* const u = s.u;
    double* const b = s.b;
    double* const foot = s.foot;
    s.u = s.b = s.foot = s.z;
    __builtin_memset(s.z, 0, sizeof(double) * s.padded_rows * s.ld);
    now = evaluate_all(s);
    s.u = u, s.b = b, s.foot = foot;
    if (warm.imbalance < now.imbalance) {
      now = evaluate_all(s);
    } else {
      __builtin_memset(s.u, 0, sizeof(double) * s.padded_rows * s.ld);
      __builtin_memset(s.b, 0, sizeof(double) * s.padded_rows * s.ld);
      __builtin_memset(s.foot, 0, sizeof(double) * s.ld);
    }
  }
  int64_t step = 0, iterations = 0, stalled = 0;
  double before = INFINITY;
  const bool linear = s.linear;
  const auto unfinished = [&] {
    if (!(now.imbalance < INFINITY && now.current < INFINITY)) return false;
    if (now.imbalance <= w.tolerance * now.current) return false;
    // Within rounding, a nonlinear circuit is worth steps for as long as they help.
    return now.imbalance > w.tolerance * now.current + now.rounding || (!linear && !stalled);
  };
  while (unfinished() && step < w.max_steps) {
    const double ratio = now.imbalance / before;
    const double forcing = linear ? 0.0 : fmin(0.01, ratio * ratio);
    const double finest = 0.3 * (w.tolerance * now.current + (linear ? now.rounding : 0.1 * now.rounding));
    before = now.imbalance;
    const int64_t used = find_direction(s, now, fmax(finest, forcing * now.imbalance));
    iterations += used, ++step;
    if (linear) {
      s.step = 1.0;
      run(s, s.row_tasks, move_rows);
      now = evaluate_all(s);
    } else {
      run(s, s.row_tasks, slope_rows);
      now = line_search(s, -added(s.row_sums, s.row_tasks, 0), before);
    }
    const bool near_end = linear || now.imbalance <= 1e-6 * now.current + AT_A_STALL * now.rounding;
    stalled = near_end && now.imbalance > 0.5 * before ? stalled + 1 : 0;
    if (used == w.max_iterations || stalled == 2) break;
  }
  const double left = fmin((stalled ? AT_A_STALL : 1.0) * now.rounding, AT_MOST * now.current);
  const bool done = now.current < INFINITY && now.imbalance <= w.tolerance * now.current + left;
  write_sample(s, sample, now, step, iterations, done);
}

// Rows of an odd number of cache lines where they are long: a column's entries then fall in different cache sets.
int64_t leading_dimension(int64_t columns) {
  const int64_t vectors = columns / WIDE + 1;
  return WIDE * (columns >= 128 && vectors % 2 == 0 ? vectors + 1 : vectors);
}

constexpr int ARRAYS = 13;

}  // namespace

int64_t wired_scratch(const Wired& w) {
  const int64_t ld = leading_dimension(w.bit_lines), rows = (w.word_lines + WIDE - 1) / WIDE * WIDE;
  const int64_t modes = 2 * w.modes_bit * ld + 2 * w.modes_word * w.modes_bit + w.modes_word * ld + 64;
  const int64_t sums = 8 * (rows / WIDE + ld / WIDE + 2);
  return (int64_t)sizeof(double) * (ARRAYS * (rows * ld + 16) + ld + w.team.workers * WIDE * ld + sums + modes);
}

void wired(const Wired& w, void* zeros) {
  double* scratch = (double*)zeros;
  Solver s(w);
  s.rows = w.word_lines, s.columns = w.bit_lines, s.ld = leading_dimension(s.columns);
  s.padded_rows = (s.rows + WIDE - 1) / WIDE * WIDE;
  s.row_tasks = s.padded_rows / WIDE;
  s.column_tasks = (s.ld + CHUNK - 1) / CHUNK;
  s.word_ideal = w.word_ohm == 0.0, s.bit_ideal = w.bit_ohm == 0.0;
  s.word_siemens = s.word_ideal ? 0.0 : 1.0 / w.word_ohm;
  s.bit_siemens = s.bit_ideal ? 0.0 : 1.0 / w.bit_ohm;
  s.foot_siemens = w.foot_ohm == 0.0 ? 0.0 : 1.0 / w.foot_ohm;
  double** const arrays[ARRAYS] = {&s.conductance, &s.u, &s.b, &s.fu, &s.fb, &s.cw, &s.cb,
                                   &s.r,           &s.z, &s.p, &s.q,  &s.db, &s.g};
  s.linear = w.law.slope_volt == 0.0;
  for (double** array : arrays) *array = scratch, scratch += s.padded_rows * s.ld + 16;
  s.du = s.q;  // is found when q has done its work
  if (s.linear) s.g = s.conductance;
  s.foot = scratch, scratch += s.ld;
  s.line = scratch, scratch += w.team.workers * WIDE * s.ld;
  s.row_sums = scratch, scratch += 8 * (s.row_tasks + 1);
  s.column_sums = scratch, scratch += 8 * (s.ld / WIDE + 1);
  prepare_modes(s.modes, w, s.ld, scratch);
  for (int64_t i = 0; i < s.rows; ++i) {
    for (int64_t j = 0; j < s.columns; ++j) s.conductance[i * s.ld + j] = w.conductance[i * s.columns + j];
    for (int64_t j = s.columns; j < s.ld; ++j) s.conductance[i * s.ld + j] = s.linear ? 0.0 : 1.0;
  }
  for (int64_t sample = 0; sample < w.samples; ++sample) solve_sample(s, sample);
}

}  // namespace fewlevels::FEWLEVELS_ISA
