// Rectangles of a crossbar's cells seen from outside, and how two of them become one.
//
// A node gives way to conductances between its neighbours, g_pq += g_p g_q / sum(g). The diagonal of the conductance
// matrix is never held: the sum is formed anew at each node, so that nothing is ever subtracted. With T = double a
// matrix belongs to one rectangle, with T = vdouble to WIDE rectangles of one size, one in each lane.
#pragma once
#include "circuit/circuit_kernels.hpp"
#include "common/doubles.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

enum Side { LEFT, RIGHT, TOP, BOTTOM };

// How many terminals a rectangle of cells has at each side, in this order: the nodes to its left, its own last word
// nodes, its own first bit nodes, the nodes below it. Two neighbours share the nodes between them.
struct Sides {
  int64_t size[4];
  int64_t begin(int side) const {
    int64_t before = 0;
    for (int k = 0; k < side; ++k) before += size[k];
    return before;
  }
  int64_t total() const { return begin(4); }
};

template <class T>
struct Block {
  T* siemens;  // (terminals, ld), the upper half
  int64_t ld;
  Sides sides;
};

// What lies outside of a rectangle.
struct Edges {
  bool right, top;     // nothing: its nodes at this side can go
  bool sources, feet;  // the ends of the lines: conductances among sources, or among feet, are not asked for
};

// How a matrix is laid out: nodes that go first, then terminals by sides.
struct Layout {
  int64_t inner, nodes, ld;
  int64_t sources_end, feet_begin;  // [inner, sources_end) are sources, [feet_begin, nodes) feet
};

// Rows of an odd number of cache lines: entries of a column then fall in different cache sets.
template <class T>
int64_t leading_dimension(int64_t nodes) {
  return sizeof(T) == 8 && nodes > 32 ? 8 * (nodes / 8 | 1) : nodes;
}

// ---- elimination, T = vdouble ----

template <int INNER>
void eliminate_lanes(vdouble* m, const Layout& x) {
  const int64_t ld = x.ld, nodes = x.nodes;
  vdouble share[INNER];  // 1 / sum(g) of each node that goes
  for (int p = 0; p < INNER; ++p) {
    vdouble total{};
    for (int64_t j = p + 1; j < nodes; ++j) {
      vdouble siemens = m[p * ld + j];
      for (int q = 0; q < p; ++q) siemens += share[q] * m[q * ld + p] * m[q * ld + j];
      m[p * ld + j] = siemens;
      total += siemens;
    }
    share[p] = 1.0 / total;
  }
  for (int64_t i = INNER; i < nodes; ++i) {
    vdouble part[INNER];
    for (int p = 0; p < INNER; ++p) part[p] = share[p] * m[p * ld + i];
    for (int64_t j = i + 1; j < nodes; ++j) {
      vdouble siemens = m[i * ld + j];
      for (int p = 0; p < INNER; ++p) siemens += part[p] * m[p * ld + j];
      m[i * ld + j] = siemens;
    }
  }
}

void eliminate(vdouble* m, const Layout& x, const Team*) {
  switch (x.inner) {
    case 1: return eliminate_lanes<1>(m, x);
    case 2: return eliminate_lanes<2>(m, x);
    case 4: return eliminate_lanes<4>(m, x);
    default: return eliminate_lanes<8>(m, x);
  }
}

// ---- elimination, T = double, by panels of nodes; every size is a multiple of 8 ----

constexpr int64_t PANEL = 32;
constexpr int64_t SHARED = 512;  // nodes of a matrix from which on threads share the work
constexpr int TALL = LANES == 16 ? 8 : 4, BROAD = LANES == 4 ? 2 : 3;  // a tile of TALL rows and BROAD vectors

struct Panel {
  double* m;
  const Layout& x;
  int64_t begin, end;
};

// Row p from column j on, N vectors: what the panel's nodes before it leave there. Returns the sum.
template <int N>
ALWAYS_INLINE vdouble finish(const Panel& a, int64_t p, int64_t j) {
  const int64_t ld = a.x.ld;
  vdouble siemens[N], total{};
  for (int k = 0; k < N; ++k) siemens[k] = load(a.m + p * ld + j + k * WIDE);
  for (int64_t q = a.begin; q < p; ++q) {
    const double own = a.m[q * ld + p];
    for (int k = 0; k < N; ++k) siemens[k] += own * load(a.m + q * ld + j + k * WIDE);
  }
  for (int k = 0; k < N; ++k) store(a.m + p * ld + j + k * WIDE, siemens[k]), total += siemens[k];
  return total;
}

// Rows of the panel become g / sqrt(sum(g)), 0 up to the diagonal.
void finish_rows(const Panel& a) {
  vlong lane{};
  for (int k = 0; k < WIDE; ++k) lane[k] = k;
  const int64_t nodes = a.x.nodes;
  for (int64_t p = a.begin; p < a.end; ++p) {
    double* const row = a.m + p * a.x.ld;
    const int64_t first = p / WIDE * WIDE;
    finish<1>(a, p, first);
    vdouble total = lane > p - first ? load(row + first) : vdouble{};
    store(row + first, total);
    int64_t j = first + WIDE;
    for (; j + 4 * WIDE <= nodes; j += 4 * WIDE) total += finish<4>(a, p, j);
    for (; j < nodes; j += WIDE) total += finish<1>(a, p, j);
    const double scale = 1.0 / __builtin_sqrt(sum(total));
    for (j = first; j < nodes; j += WIDE) store(row + j, scale * load(row + j));
  }
}

// What the panel adds to a tile of the rows that stay.
template <int N>
ALWAYS_INLINE void add_to_tile(const Panel& a, int64_t i, int64_t j) {
  const int64_t ld = a.x.ld;
  vdouble siemens[TALL][N];
  for (int r = 0; r < TALL; ++r)
    for (int k = 0; k < N; ++k) siemens[r][k] = load(a.m + (i + r) * ld + j + k * WIDE);
  for (int64_t p = a.begin; p < a.end; ++p) {
    const double* const row = a.m + p * ld;
    vdouble other[N];
    for (int k = 0; k < N; ++k) other[k] = load(row + j + k * WIDE);
    for (int r = 0; r < TALL; ++r)
      for (int k = 0; k < N; ++k) siemens[r][k] += row[i + r] * other[k];
  }
  for (int r = 0; r < TALL; ++r)
    for (int k = 0; k < N; ++k) store(a.m + (i + r) * ld + j + k * WIDE, siemens[r][k]);
}

// One task: BROAD vectors of columns, all rows down to the diagonal of which something is asked.
void add_to_columns(void* context, int64_t task, int64_t) {
  const Panel& a = *(const Panel*)context;
  const int64_t begin = a.end + task * BROAD * WIDE, left = (a.x.nodes - begin) / WIDE;
  const int64_t end = begin + (left < BROAD ? left : BROAD) * WIDE;
  int64_t rows = end < a.x.feet_begin ? end : a.x.feet_begin;
  if (end <= a.x.sources_end && rows > a.x.inner) rows = a.x.inner;
  for (int64_t i = a.end; i < rows; i += TALL) {
    if (left >= BROAD) add_to_tile<BROAD>(a, i, begin);
    else if (left == 2) add_to_tile<2>(a, i, begin);
    else add_to_tile<1>(a, i, begin);
  }
}

void eliminate(double* m, const Layout& x, const Team* team) {
  for (int64_t begin = 0; begin < x.inner; begin += PANEL) {
    Panel a{m, x, begin, begin + PANEL < x.inner ? begin + PANEL : x.inner};
    finish_rows(a);
    const int64_t width = BROAD * WIDE, tasks = (x.nodes - a.end + width - 1) / width;
    if (x.nodes >= SHARED) team->run(team->self, tasks, add_to_columns, &a);
    else for (int64_t task = 0; task < tasks; ++task) add_to_columns(&a, task, 0);
  }
}

// ---- joining ----

// Nodes that stand together in the joint matrix: from `at` on there, from a and b on in the parts, -1 where not in it.
struct Group {
  int64_t size, at, a, b;
};

// Part of a block's matrix, from anywhere in its upper half; where row > column it stands there as (column, row).
template <class T, bool ADD>
void copy(T* to, int64_t ld, const Block<T>& from, int64_t row, int64_t column, int64_t rows, int64_t columns) {
  const auto put = [](T* where, T value) { *where = ADD ? *where + value : value; };
  if (row <= column)
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) put(to + i * ld + j, from.siemens[(row + i) * from.ld + column + j]);
  else
    for (int64_t j = 0; j < columns; ++j)
      for (int64_t i = 0; i < rows; ++i) put(to + i * ld + j, from.siemens[(column + j) * from.ld + row + i]);
}

template <class T>
void clear(T* to, int64_t ld, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) to[i * ld + j] = T{};
}

// Nodes of the joint matrix of blocks with so many terminals at their sides.
int64_t joint_nodes(const Sides& a, const Sides& b, bool beside) {
  return a.total() + b.total() - a.size[beside ? RIGHT : BOTTOM];
}

// b stands beside a, to its right, or below it. What they share goes, and so does what has nothing outside.
// m: scratch, joint_nodes * leading_dimension of it. to: where the joint block shall be, before m; a and b may lie there.
template <class T>
Block<T> join(const Block<T>& a, const Block<T>& b, bool beside, const Edges& edges, T* m, T* to, const Team* team) {
  const int from_a = beside ? RIGHT : BOTTOM, from_b = beside ? LEFT : TOP;
  const bool closed[4] = {false, edges.right, edges.top, false};
  Group groups[7];
  int count = 0;
  Layout x{};
  Sides sides{};
  const auto add = [&](int64_t size, int64_t in_a, int64_t in_b) {
    if (size) groups[count++] = {size, x.nodes, in_a, in_b};
    x.nodes += size;
  };
  const auto add_sides = [&](bool that_go) {
    for (int side = 0; side < 4; ++side) {
      if (closed[side] != that_go) continue;
      const int64_t before = x.nodes;
      if (side != from_a) add(a.sides.size[side], a.sides.begin(side), -1);
      if (side != from_b) add(b.sides.size[side], -1, b.sides.begin(side));
      if (!that_go) sides.size[side] = x.nodes - before;
    }
  };
  add(a.sides.size[from_a], a.sides.begin(from_a), b.sides.begin(from_b));
  add_sides(true);
  x.inner = x.nodes;
  add_sides(false);
  x.ld = leading_dimension<T>(x.nodes);
  x.sources_end = x.inner + (edges.sources ? sides.size[LEFT] : 0);
  x.feet_begin = x.nodes - (edges.feet ? sides.size[BOTTOM] : 0);

  for (const Group* row = groups; row < groups + count && row->at < x.feet_begin; ++row)
    for (const Group* column = row; column < groups + count; ++column) {
      if (row->at >= x.inner && column->at < x.sources_end) continue;
      T* const part = m + row->at * x.ld + column->at;
      const bool in_a = row->a >= 0 && column->a >= 0, in_b = row->b >= 0 && column->b >= 0;
      if (!in_a && !in_b) clear(part, x.ld, row->size, column->size);
      if (in_a) copy<T, false>(part, x.ld, a, row->a, column->a, row->size, column->size);
      if (in_a && in_b) copy<T, true>(part, x.ld, b, row->b, column->b, row->size, column->size);
      if (!in_a && in_b) copy<T, false>(part, x.ld, b, row->b, column->b, row->size, column->size);
    }
  eliminate(m, x, team);
  const int64_t terminals = x.nodes - x.inner;
  const Block<T> joint{to, leading_dimension<T>(terminals), sides};
  for (int64_t i = 0; i < terminals; ++i)
    __builtin_memmove(to + i * joint.ld + i, m + (x.inner + i) * (x.ld + 1), sizeof(T) * (terminals - i));
  return joint;
}

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
