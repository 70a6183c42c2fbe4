// The transfer matrix of a crossbar of linear cells, exact to rounding in every entry.
//
// Nodes give way to conductances between their neighbours (see mesh.hpp) until sources and feet alone are left; what
// then lies between source i and foot j is the transfer matrix. Its sums, products and quotients of positive numbers
// lose no digits, whatever the conductances.
//
// Nodes go in the order of nested dissection. Two rectangles of cells join, and the nodes between them go, until one
// rectangle is left. A tile of n x n cells takes some 32 n^3 operations so, where a recursion line by line takes 2 n^4.
// Rectangles of LEAF x LEAF cells are made WIDE at a time, one in each lane.
//
// The array is filled up to whole leaves by cells of 0 S, above it and to its right. They change nothing.
#include "circuit/mesh.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

constexpr int64_t LEAF = 8;  // cells along the side of the smallest rectangles

struct Rectangle {
  int64_t top, bottom, left, right;
  int64_t rows() const { return bottom - top; }
  int64_t columns() const { return right - left; }
  int64_t area() const { return rows() * columns(); }
};

struct Halves {
  bool beside;
  Rectangle a, b;
};

// Cuts the longer side; the first part of it is a power of two.
Halves halve(const Rectangle& r) {
  const bool beside = r.columns() >= r.rows();
  int64_t part = 1;
  while (2 * part < (beside ? r.columns() : r.rows())) part *= 2;
  Halves halves{beside, r, r};
  if (beside) halves.a.right = halves.b.left = r.left + part;
  else halves.a.bottom = halves.b.top = r.top + part;
  return halves;
}

// Rectangles are put together from units, which parts.take(r, to) makes. parts.sides(r), parts.edges(r): of any rectangle.
template <class Parts>
int64_t kept_size(const Parts& parts, const Rectangle& r) {
  const int64_t terminals = parts.sides(r).total();
  return terminals * leading_dimension<typename Parts::T>(terminals);
}

template <class Parts>
int64_t scratch_size(const Parts& parts, const Rectangle& r) {
  if (r.area() == 1) return kept_size(parts, r);
  const Halves h = halve(r);
  const int64_t nodes = joint_nodes(parts.sides(h.a), parts.sides(h.b), h.beside);
  const int64_t a = kept_size(parts, h.a), b = kept_size(parts, h.b);
  const int64_t joint = a + b + nodes * leading_dimension<typename Parts::T>(nodes);
  const int64_t first = scratch_size(parts, h.a), second = a + scratch_size(parts, h.b);
  const int64_t most = first > second ? first : second;
  return joint > most ? joint : most;
}

// The block of r, at the beginning of scratch.
template <class Parts>
Block<typename Parts::T> build(Parts& parts, const Rectangle& r, typename Parts::T* scratch) {
  if (r.area() == 1) return parts.take(r, scratch);
  const Halves h = halve(r);
  auto* const beyond_a = scratch + kept_size(parts, h.a);
  const auto a = build(parts, h.a, scratch);
  const auto b = build(parts, h.b, beyond_a);
  return join(a, b, h.beside, parts.edges(r), beyond_a + kept_size(parts, h.b), scratch, parts.team);
}

// The cells of WIDE leaves, one leaf a lane; a unit is a cell.
struct LeafCells {
  using T = vdouble;
  const Team* team = nullptr;
  vdouble word_siemens, bit_siemens[LEAF];  // of the segment below each row
  vdouble conductance[LEAF][LEAF];

  Sides sides(const Rectangle& r) const { return {{r.rows(), r.rows(), r.columns(), r.columns()}}; }
  Edges edges(const Rectangle&) const { return {}; }
  Block<vdouble> take(const Rectangle& r, vdouble* to) const {
    to[4 * LEFT + RIGHT] = word_siemens, to[4 * LEFT + TOP] = to[4 * LEFT + BOTTOM] = vdouble{};
    to[4 * RIGHT + TOP] = conductance[r.top][r.left], to[4 * RIGHT + BOTTOM] = vdouble{};
    to[4 * TOP + BOTTOM] = bit_siemens[r.top];
    return {to, 4, sides(r)};
  }
};

constexpr Rectangle ONE_LEAF{0, LEAF, 0, LEAF};

// All of a crossbar; a unit is a leaf. WIDE leaves are made when the first of them is taken.
struct Leaves {
  using T = double;
  const Transfer& t;
  const Team* team;
  Rectangle whole;
  vdouble* lanes;  // scratch, where leaves are made
  int64_t taken;
  Block<vdouble> made;

  Edges edges(const Rectangle& r) const {
    return {r.right == whole.right, r.top == whole.top, r.left == whole.left, r.bottom == whole.bottom};
  }
  Sides sides(const Rectangle& r) const {
    const int64_t rows = LEAF * r.rows(), columns = LEAF * r.columns();
    const Edges e = r.area() == 1 ? Edges{} : edges(r);
    return {{rows, e.right ? 0 : rows, e.top ? 0 : columns, columns}};
  }
  Block<double> take(const Rectangle& r, double* to) {
    const Block<double> leaf{to, leading_dimension<double>(4 * LEAF), sides(r)};
    const int64_t lane = taken % WIDE;
    if (lane == 0) make_more();
    for (int64_t i = 0; i < 4 * LEAF; ++i)
      for (int64_t j = i + 1; j < 4 * LEAF; ++j) to[i * leaf.ld + j] = made.siemens[i * made.ld + j][lane];
    ++taken;
    return leaf;
  }
  void make_more();
  Rectangle in_order(int64_t index) const;
};

// The leaf that is taken after so many others.
Rectangle Leaves::in_order(int64_t index) const {
  Rectangle r = whole;
  while (r.area() > 1) {
    const Halves h = halve(r);
    const bool in_a = index < h.a.area();
    r = in_a ? h.a : h.b;
    if (!in_a) index -= h.a.area();
  }
  return r;
}

void Leaves::make_more() {
  const int64_t above = LEAF * whole.bottom - t.word_lines;  // rows that fill up
  LeafCells cells{};
  cells.word_siemens = all(t.word_siemens);
  for (vdouble& siemens : cells.bit_siemens) siemens = all(t.bit_siemens);
  for (int64_t lane = 0; lane < WIDE && taken + lane < whole.area(); ++lane) {
    const Rectangle leaf = in_order(taken + lane);
    for (int64_t i = 0; i < LEAF; ++i) {
      const int64_t row = LEAF * leaf.top + i - above;
      if (row + 1 == t.word_lines) cells.bit_siemens[i][lane] = t.foot_siemens;
      for (int64_t j = 0; j < LEAF && row >= 0; ++j) {
        const int64_t column = LEAF * leaf.left + j;
        if (column < t.bit_lines) cells.conductance[i][j][lane] = t.conductance[row * t.bit_lines + column];
      }
    }
  }
  made = build(cells, ONE_LEAF, lanes);
}

Leaves leaves_of(const Transfer& t) {
  const int64_t rows = (t.word_lines + LEAF - 1) / LEAF, columns = (t.bit_lines + LEAF - 1) / LEAF;
  return {t, &t.team, {0, rows, 0, columns > 1 ? columns : 2}, nullptr, 0, {}};  // a leaf alone would not be joined
}

}  // namespace

int64_t transfer_scratch(const Transfer& t) {
  const Leaves leaves = leaves_of(t);
  return (int64_t)sizeof(double) * (WIDE * scratch_size(LeafCells{}, ONE_LEAF) + scratch_size(leaves, leaves.whole));
}

void transfer(const Transfer& t, void* zeros) {
  double* const scratch = (double*)zeros;
  Leaves leaves = leaves_of(t);
  leaves.lanes = (vdouble*)scratch;
  const Block<double> found = build(leaves, leaves.whole, scratch + WIDE * scratch_size(LeafCells{}, ONE_LEAF));
  const int64_t above = LEAF * leaves.whole.bottom - t.word_lines;
  for (int64_t i = 0; i < t.word_lines; ++i)
    for (int64_t j = 0; j < t.bit_lines; ++j)
      t.transfer[i * t.bit_lines + j] = found.siemens[(above + i) * found.ld + found.sides.begin(BOTTOM) + j];
}

}  // namespace fewlevels::FEWLEVELS_ISA
