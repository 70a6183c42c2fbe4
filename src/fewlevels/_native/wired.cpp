// One crossbar with wire resistance: inexact Newton's method, its linear systems by conjugate gradients.
//
// With u the drop along a word line and b the bit line's voltage, Kirchhoff at the two nodes of each cell reads
//   Tw u = I(V - u - b),   Tb b = I(V - u - b),
// Tw and Tb the conductance matrices of the wires alone, tridiagonal along each line. It is the gradient of a convex
// function, so Newton's direction descends and a line search on it is safe. Its linear system, with g = dI/dV,
//   [Tw + g, g; g, Tb + g] [du; db] = -[Fu; Fb],
// loses du by elimination, word line by word line; what is left, S = Tb + g - g (Tw + g)^-1 g, goes to conjugate
// gradients, preconditioned by (Tb + g)^-1 and a correction of the smooth modes that this alone misses.
//
// Pivots are formed from conductances to ground, s_j = g_j + s_{j+1} / (1 + r s_{j+1}), without a subtraction, and
// hold for r = 0 as well. Arrays have `ld` doubles a row; past the last bit line and the last word line they are 0.
// Sums are kept per task and added in order, so that the number of threads does not matter.
#include <math.h>

#include "doubles.hpp"
#include "modes.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

constexpr double ROUNDING = 2.2e-16;  // of the currents that cancel at a node
constexpr double AT_A_STALL = 8.0;    // where no step helps any more, so many times that is as good as it gets

struct Sums {
  double imbalance, current, rounding, conductance, slope;
};

struct Solver {
  const Wired& w;
  const Team& team;
  int64_t rows, columns, padded_rows, ld, row_tasks, column_tasks;
  double word_siemens, bit_siemens, foot_siemens;  // 0 where the wire is ideal
  bool word_ideal, bit_ideal;
  double *conductance, *g, *u, *b, *fu, *fb;       // the state and its imbalance
  double *cw, *cb;                                 // factors; cw is transposed within each group of WIDE rows
  double *r, *z, *p, *q, *du;                      // r, z, p, q of conjugate gradients
  double *db;
  double *line;                                    // (workers, WIDE, ld)
  double *row_sums, *column_sums;                  // (tasks, 8)
  const double* volt;
  double step, alpha, beta;
  Modes modes;
};

inline int64_t columns_in_chunk(int64_t rows) { return (rows > 1024 ? 2 : 4) * WIDE; }

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
    vdouble before{};
    for (int64_t j = 0; j < s.columns; j += WIDE) {
      const vdouble own = load(u + j);
      vdouble ampere, siemens;
      evaluate(s.w.law, prepare(s.w.law, load(s.conductance + i * s.ld + j)), s.volt[i] - own - load(b + j), &ampere,
               &siemens);
      vdouble fu{};
      if (!s.word_ideal) fu = s.word_siemens * ((own - shifted(before, own)) + (own - load(u + j + 1))) - ampere;
      vdouble fb = s.bit_ideal ? -ampere : bit_wires(s, b + j, i) - ampere;
      if (j + WIDE > s.columns)
        for (int lane = 0; lane < WIDE; ++lane)
          if (j + lane >= s.columns) ampere[lane] = siemens[lane] = fu[lane] = fb[lane] = 0.0;
      before = own;
      store(s.g + i * s.ld + j, siemens), store(s.fu + i * s.ld + j, fu), store(s.fb + i * s.ld + j, fb);
      imbalance += magnitude(fu) + (s.bit_ideal ? vdouble{} : magnitude(fb));
      current += magnitude(ampere), conductance += siemens;
      rounding += (s.word_siemens + siemens) * magnitude(own) + (s.bit_siemens + siemens) * magnitude(load(b + j)) +
                  siemens * fabs(s.volt[i]);
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
ALWAYS_INLINE void direction_chunk(Solver& s, int64_t, int64_t begin) {
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

// Runs CHUNK<N>(solver, task, first column) with N vectors of columns, or what is left of them.
#define FOR_CHUNK(NAME, CHUNK)                                              \
  void NAME(void* context, int64_t task, int64_t) {                         \
    Solver& s = *(Solver*)context;                                          \
    const int64_t chunk = columns_in_chunk(s.rows), begin = task * chunk;   \
    const int64_t left = s.ld - begin < chunk ? s.ld - begin : chunk;       \
    switch (left / WIDE) {                                                  \
      case 1: CHUNK(1); break;                                              \
      case 2: CHUNK(2); break;                                              \
      case 3: CHUNK(3); break;                                              \
      default: CHUNK(4);                                                    \
    }                                                                       \
  }
#define START_CHUNK(N) bit_lines_chunk<true, N>(s, task, begin)
#define UPDATE_CHUNK(N) bit_lines_chunk<false, N>(s, task, begin)
#define DIRECTION_CHUNK(N) direction_chunk<N>(s, task, begin)
FOR_CHUNK(start_bit_lines, START_CHUNK)
FOR_CHUNK(update_bit_lines, UPDATE_CHUNK)
FOR_CHUNK(direction, DIRECTION_CHUNK)

// u += step du, b += step db
void move_rows(void* context, int64_t task, int64_t) {
  Solver& s = *(Solver*)context;
  for (int64_t i = task * WIDE; i < task * WIDE + WIDE && i < s.rows; ++i)
    for (int64_t at = i * s.ld; at < (i + 1) * s.ld; at += WIDE) {
      store(s.u + at, load(s.u + at) + s.step * load(s.du + at));
      if (!s.bit_ideal) store(s.b + at, load(s.b + at) + s.step * load(s.db + at));
    }
}

void run(Solver& s, int64_t tasks, void (*task)(void*, int64_t, int64_t)) { s.team.run(s.team.self, tasks, task, &s); }

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
  double product = added(s.column_sums, s.column_tasks, 0) + correct(s.modes, s.columns, s.ld);
  s.beta = 0.0;
  int64_t iteration = 0;
  while (rest > target && iteration < s.w.max_iterations) {
    run(s, s.column_tasks, direction);
    run(s, s.row_tasks, word_lines<OPERATOR>);
    s.alpha = product / added(s.row_sums, s.row_tasks, 0);
    if (!(s.alpha > 0.0)) break;
    run(s, s.column_tasks, update_bit_lines);
    rest = added(s.column_sums, s.column_tasks, 1);
    const double next = added(s.column_sums, s.column_tasks, 0) + correct(s.modes, s.columns, s.ld);
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
    choose(s.modes, now.conductance / (double)(s.rows * s.columns), s.word_siemens, s.bit_siemens);
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
    const double next = !bracketed ? high : low + (high - low) * fmin(0.9, fmax(0.1, low_slope / (low_slope - high_slope)));
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
      total = s.b[(s.rows - 1) * s.ld + j] * s.foot_siemens;
    w.output[sample * s.columns + j] = total;
  }
  if (w.u)
    for (int64_t i = 0; i < s.rows; ++i)
      for (int64_t j = 0; j < s.columns; ++j) {
        w.u[(sample * s.rows + i) * s.columns + j] = off ? 0.0 : s.u[i * s.ld + j];
        w.b[(sample * s.rows + i) * s.columns + j] = off ? 0.0 : s.b[i * s.ld + j];
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
    s.u = s.z, s.b = s.z;
    __builtin_memset(s.z, 0, sizeof(double) * s.padded_rows * s.ld);
    now = evaluate_all(s);
    s.u = u, s.b = b;
    if (warm.imbalance < now.imbalance) {
      now = evaluate_all(s);
    } else {
      __builtin_memset(s.u, 0, sizeof(double) * s.padded_rows * s.ld);
      __builtin_memset(s.b, 0, sizeof(double) * s.padded_rows * s.ld);
    }
  }
  int64_t step = 0, iterations = 0, stalled = 0;
  double before = INFINITY;
  const bool linear = w.law.slope_volt == 0.0;
  const auto unfinished = [&] {
    if (now.imbalance <= w.tolerance * now.current) return false;
    // Within rounding, a nonlinear circuit is worth steps for as long as they help.
    return now.imbalance > w.tolerance * now.current + now.rounding || (!linear && !stalled);
  };
  while (unfinished() && step < w.max_steps) {
    const double ratio = now.imbalance / before;
    double forcing = linear ? 0.0 : fmin(0.01, ratio * ratio);
    const double finest = 0.3 * (w.tolerance * now.current + (linear ? now.rounding : 0.1 * now.rounding));
    before = now.imbalance;
    const int64_t used = find_direction(s, now, fmax(finest, forcing * now.imbalance));
    iterations += used, ++step;
    s.step = 1.0;
    double descent = 0.0;
    run(s, s.row_tasks, [](void* context, int64_t task, int64_t) {
      Solver& t = *(Solver*)context;
      vdouble slope{};
      for (int64_t at = task * WIDE * t.ld; at < (task + 1) * WIDE * t.ld; at += WIDE)
        slope += load(t.fu + at) * load(t.du + at) + (t.bit_ideal ? vdouble{} : load(t.fb + at) * load(t.db + at));
      t.row_sums[8 * task] = sum(slope);
    });
    descent = -added(s.row_sums, s.row_tasks, 0);
    if (linear) {
      run(s, s.row_tasks, move_rows);
      now = evaluate_all(s);
    } else {
      now = line_search(s, descent, before);
    }
    const bool near_end = linear || now.imbalance <= 1e-6 * now.current + AT_A_STALL * now.rounding;
    stalled = near_end && now.imbalance > 0.5 * before ? stalled + 1 : 0;
    if (used == w.max_iterations || stalled == 2 || !(now.imbalance < INFINITY)) break;
  }
  const bool done = now.imbalance <= w.tolerance * now.current + (stalled ? AT_A_STALL : 1.0) * now.rounding;
  write_sample(s, sample, now, step, iterations, done);
}

// Rows of an odd number of cache lines where they are long: a column's entries then fall in different cache sets.
int64_t leading_dimension(int64_t columns) {
  const int64_t vectors = columns / WIDE + 1;
  return WIDE * (columns >= 128 && vectors % 2 == 0 ? vectors + 1 : vectors);
}

constexpr int ARRAYS = 14;

}  // namespace

int64_t wired_scratch(const Wired& w, int64_t workers) {
  const int64_t ld = leading_dimension(w.bit_lines), rows = (w.word_lines + WIDE - 1) / WIDE * WIDE;
  const int64_t modes = 2 * w.modes_bit * ld + 2 * w.modes_word * w.modes_bit + w.modes_word * ld + 64;
  return ARRAYS * (rows * ld + 16) + workers * WIDE * ld + 8 * (rows / WIDE + ld / WIDE + 2) + modes;
}

void wired(const Wired& w, const Team& team, double* scratch) {
  Solver s{w, team};
  s.rows = w.word_lines, s.columns = w.bit_lines, s.ld = leading_dimension(s.columns);
  s.padded_rows = (s.rows + WIDE - 1) / WIDE * WIDE;
  s.row_tasks = s.padded_rows / WIDE;
  s.column_tasks = (s.ld + columns_in_chunk(s.rows) - 1) / columns_in_chunk(s.rows);
  s.word_ideal = w.word_ohm == 0.0, s.bit_ideal = w.bit_ohm == 0.0;
  s.word_siemens = s.word_ideal ? 0.0 : 1.0 / w.word_ohm;
  s.bit_siemens = s.bit_ideal ? 0.0 : 1.0 / w.bit_ohm;
  s.foot_siemens = w.foot_ohm == 0.0 ? 0.0 : 1.0 / w.foot_ohm;
  double** const arrays[ARRAYS] = {&s.conductance, &s.g, &s.u, &s.b, &s.fu, &s.fb, &s.cw,
                                   &s.cb,          &s.r, &s.z, &s.p, &s.q,  &s.du, &s.db};
  for (double** array : arrays) *array = scratch, scratch += s.padded_rows * s.ld + 16;
  s.line = scratch, scratch += team.workers * WIDE * s.ld;
  s.row_sums = scratch, scratch += 8 * (s.row_tasks + 1);
  s.column_sums = scratch, scratch += 8 * (s.ld / WIDE + 1);
  prepare_modes(s.modes, w, s.ld, scratch);
  for (int64_t i = 0; i < s.rows; ++i) {
    for (int64_t j = 0; j < s.columns; ++j) s.conductance[i * s.ld + j] = w.conductance[i * s.columns + j];
    for (int64_t j = s.columns; j < s.ld; ++j) s.conductance[i * s.ld + j] = 1.0;
  }
  for (int64_t sample = 0; sample < w.samples; ++sample) solve_sample(s, sample);
}

}  // namespace fewlevels::FEWLEVELS_ISA
