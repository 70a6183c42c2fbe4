// What samples give to the first layer, and how two outputs differ, as sums over the jumps of a setting's levels.
//
// Quantized weights are linear in the levels: a weight is the first level and all jumps to the next level at positions
// below its rank. So is every sum of signed weights: a sum over jumps of rows of a table, made once a network.
#pragma once
#include <math.h>

#include "common/doubles.hpp"
#include "quantization/screening_settings.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

constexpr int64_t TABLE_BYTES = 2 << 20;  // of the tables of samples, and of those of pairs: they stay in the cache

// Signed weights of a group from a position on, summed into rows: row p leaves out the first p.
struct Table {
  int64_t width;          // vectors of a row
  const vdouble* rows;    // (rows, width)
  const int32_t* row_of;  // (n + 1,), where in `rows` the row of a position begins

  // The sums that a setting gives, (width * WIDE,).
  ALWAYS_INLINE void sums(const Setting& one, int64_t group, double* result) const {
    const double* const level = one.levels_of(group);
    const int32_t* const position = one.positions_of(group);
    if (width == 3) return add<3>(level, position, one.cuts, 0, result);
    if (width == 2) return add<2>(level, position, one.cuts, 0, result);
    for (int64_t v = 0; v < width; ++v) add<1>(level, position, one.cuts, v, result);
  }

 private:
  template <int N>
  ALWAYS_INLINE void add(const double* level, const int32_t* position, int64_t cuts, int64_t v, double* result) const {
    vdouble total[N];
    for (int i = 0; i < N; ++i) total[i] = level[0] * rows[row_of[0] + v + i];
    for (int64_t k = 0; k < cuts; ++k) {
      const vdouble* const row = rows + row_of[position[k]] + v;
      for (int i = 0; i < N; ++i) total[i] += level[k + 1] * row[i];
    }
    for (int i = 0; i < N; ++i) store(result + (v + i) * WIDE, total[i]);
  }
};

// For each sample, what the weights of the first layer give to each of its units; where these share levels.
class SampleTables {
 public:
  SampleTables(const Screening& screening, Arena& arena) : c(screening) {
    const int64_t units = c.sizes[1];
    width = vectors(units), rows = c.sizes[0] * units + 1, group_size = most = 0;
    bool shared = true;
    for (int64_t j = 0; j < units; ++j) shared = shared && c.group[j] == 0;
    for (int64_t l = 0, column = 0; l < c.layers; ++l)
      for (int64_t j = 0; j < c.sizes[l + 1]; ++j) group_size += c.group[column++] == 0 ? c.sizes[l] : 0;
    if (shared) most = TABLE_BYTES / (rows * width * (int64_t)sizeof(vdouble));
    most = most < c.samples ? most : c.samples;
    table_of = arena.take<int32_t>(c.samples), row_of = arena.take<int32_t>(group_size + 1);
    by_rank = arena.take<int32_t>(group_size), tables = arena.take<vdouble>(most * rows * width);
  }

  void start_model(int64_t model) {
    rank = c.rank + model * c.weights, made = 0;
    for (int64_t s = 0; s < c.samples; ++s) table_of[s] = -1;
    if (!most) return;
    for (int64_t i = 0; i < group_size; ++i) by_rank[i] = -1;
    for (int64_t i = 0; i + 1 < rows; ++i) by_rank[(int64_t)fabs(rank[i]) - 1] = (int32_t)i;
    int32_t row = 0;
    for (int64_t i = 0; i < group_size; ++i) row_of[i] = row, row += by_rank[i] >= 0 ? (int32_t)width : 0;
    row_of[group_size] = row;
  }

  bool available(int64_t sample) const { return table_of[sample] >= 0 || made < most; }

  ALWAYS_INLINE Table of(int64_t sample) {
    if (table_of[sample] < 0) make(sample);
    return {width, tables + table_of[sample] * rows * width, row_of};
  }

 private:
  const Screening& c;
  int64_t width, rows, group_size, most, made;
  const double* rank;
  int32_t *table_of, *row_of, *by_rank;  // (samples,), -1 where not made; (positions,); the weight of a rank or -1
  vdouble* tables;                       // (most, rows, width)

  __attribute__((noinline)) void make(int64_t sample) {
    table_of[sample] = (int32_t)made++;
    vdouble* const own = tables + table_of[sample] * rows * width;
    const double* const x = c.x + sample * c.sizes[0];
    const int32_t units = (int32_t)c.sizes[1];
    int64_t row = rows - 1;
    for (int64_t v = 0; v < width; ++v) own[row * width + v] = vdouble{};
    for (int64_t i = group_size; i-- > 0;) {
      const int32_t weight = by_rank[i];
      if (weight < 0) continue;
      const int32_t unit = weight % units, input = weight / units;
      --row;
      for (int64_t v = 0; v < width; ++v) own[row * width + v] = own[(row + 1) * width + v];
      if (x[input] != 0.0) ((double*)(own + row * width))[unit] += rank[weight] < 0.0 ? -x[input] : x[input];
    }
  }
};

// The difference between the columns of two outputs, for each input of the last layer, or one column where the two are
// one; where the last layer shares levels.
class PairTables {
 public:
  PairTables(const Screening& screening, Arena& arena) : c(screening) {
    fan_in = c.sizes[c.layers - 1], outputs = c.sizes[c.layers], width = vectors(fan_in), rows = 2 * fan_in + 1;
    int64_t columns = 0;
    for (int64_t l = 0; l < c.layers; ++l) columns += c.sizes[l + 1];
    group = c.group[columns - 1], group_size = most = 0;
    const bool shared = c.group[columns - outputs] == group;
    for (int64_t l = 0, column = 0; l < c.layers; ++l)
      for (int64_t j = 0; j < c.sizes[l + 1]; ++j) group_size += c.group[column++] == group ? c.sizes[l] : 0;
    if (shared && c.layers > 1) most = TABLE_BYTES / (rows * width * (int64_t)sizeof(vdouble) + 4 * (group_size + 1));
    most = most < outputs * outputs ? most : outputs * outputs;
    table_of = arena.take<int32_t>(outputs * outputs), row_of = arena.take<int32_t>(most * (group_size + 1));
    tables = arena.take<vdouble>(most * rows * width);
  }

  void start_model(int64_t model) {
    rank = c.rank + (model + 1) * c.weights - fan_in * outputs, made = 0;
    for (int64_t i = 0; i < outputs * outputs; ++i) table_of[i] = -1;
  }

  bool available(int64_t one, int64_t other) const { return table_of[one * outputs + other] >= 0 || made < most; }

  ALWAYS_INLINE Table of(int64_t one, int64_t other) {
    int32_t& own = table_of[one * outputs + other];
    if (own < 0) own = (int32_t)made++, make(own, one, other);
    return {width, tables + own * rows * width, row_of + own * (group_size + 1)};
  }

  int64_t group;  // of the last layer

 private:
  const Screening& c;
  int64_t fan_in, outputs, width, rows, group_size, most, made;
  const double* rank;            // (fan_in, outputs)
  int32_t *table_of, *row_of;    // (outputs, outputs), -1 where not made; (most, positions)
  vdouble* tables;               // (most, rows, width)

  __attribute__((noinline)) void make(int64_t table, int64_t one, int64_t other) {
    vdouble* const own = tables + table * rows * width;
    int32_t* const row_at = row_of + table * (group_size + 1);
    // First which weight has a rank: input i of one output, fan_in + i of the other.
    for (int64_t i = 0; i <= group_size; ++i) row_at[i] = -1;
    for (int64_t i = 0; i < fan_in; ++i) {
      if (one != other) row_at[(int64_t)fabs(rank[i * outputs + other]) - 1] = (int32_t)(fan_in + i);
      row_at[(int64_t)fabs(rank[i * outputs + one]) - 1] = (int32_t)i;
    }
    int64_t row = rows - 1;
    for (int64_t v = 0; v < width; ++v) own[row * width + v] = vdouble{};
    for (int64_t i = group_size; i >= 0; --i) {
      const int64_t weight = row_at[i];
      if (weight >= 0) {
        const int64_t input = weight < fan_in ? weight : weight - fan_in;
        const double sign = weight < fan_in ? rank[input * outputs + one] : -rank[input * outputs + other];
        --row;
        for (int64_t v = 0; v < width; ++v) own[row * width + v] = own[(row + 1) * width + v];
        ((double*)(own + row * width))[input] += sign < 0.0 ? -1.0 : 1.0;
      }
      row_at[i] = (int32_t)(row * width);
    }
  }
};

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
