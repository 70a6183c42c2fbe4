// Which settings of a quantizer may be a network's best: all that a bound does not rule out.
//
// Of settings the best recognises most samples, then has the largest of smallest margins. A setting is given up as soon
// as what it can still reach lies below what another is sure of; the samples that ruled out others come first, each
// with the rival that came nearest to its own output, so that most settings see one sample and two of the outputs.
// Bounds allow for all rounding, here and in recognise(), whose word on the few settings that are left is the answer.
//
// Quantized weights are linear in the levels: a weight is the first level and all jumps to the next level at positions
// below its rank. So is what a sample gives to the first layer, and the difference of two columns of the last: a sum
// over jumps of rows of a table, made once a network.
#include <math.h>

#include "common/doubles.hpp"
#include "quantization/quantization_kernels.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

constexpr double ULP = 2.220446049250313e-16;
constexpr int64_t TABLE_BYTES = 2 << 20;  // of the tables of samples, and of those of pairs of columns

ALWAYS_INLINE int64_t vectors(int64_t n) { return (int64_t)((uint64_t)(n + WIDE - 1) / WIDE); }
int64_t bucket_count(int64_t n) { return n < 64 ? 256 : n < 16384 ? 8 * n : 131072; }

// Magnitudes of one group in ascending order, with what finds positions and means in them.
struct Ranks {
  int64_t n, buckets, reach;  // reach: a power of two; no bucket holds as many magnitudes as twice that
  double* ordered;            // (2 n + 2,), infinite after the last
  double* sum;                // (n + 1,)
  int32_t* start;             // (buckets + 1,), the first magnitude of a bucket
  double factor;              // from magnitude to bucket

  ALWAYS_INLINE int64_t bucket(double magnitude) const {
    const double b = magnitude * factor, above = b > 0.0 ? b : 0.0;
    return (int64_t)(above < (double)buckets ? above : (double)buckets);
  }
  void take(const double* magnitudes) {
    sum[0] = 0.0;
    for (int64_t i = 0; i < n; ++i) {
      ordered[i] = magnitudes[i];
      sum[i + 1] = sum[i] + magnitudes[i];
    }
    for (int64_t i = n; i < 2 * n + 2; ++i) ordered[i] = INFINITY;
    factor = ordered[n - 1] > 0.0 ? (double)buckets / ordered[n - 1] : 0.0;
    int64_t next = 0, most = 1, last = 0;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t b = bucket(ordered[i]);
      if (next > b) continue;
      for (; next <= b; ++next) start[next] = (int32_t)i;
      most = i - last > most ? i - last : most;
      last = i;
    }
    for (; next <= buckets; ++next) start[next] = (int32_t)n;
    most = n - last > most ? n - last : most;
    for (reach = 1; 2 * reach - 1 < most; reach *= 2) {}
  }
  // How many magnitudes are at most `threshold`.
  template <int REACH>
  ALWAYS_INLINE int64_t position(double threshold) const {
    int64_t p = start[bucket(threshold)];
    for (int64_t step = REACH ? REACH : reach; step; step >>= 1) p += ordered[p + step - 1] <= threshold ? step : 0;
    return p;
  }
};

struct Bound {
  int64_t count;
  double margin;
  ALWAYS_INLINE bool below(const Bound& other) const {
    return count < other.count || (count == other.count && margin < other.margin);
  }
};

// Vectors of b end in zeros.
ALWAYS_INLINE double dot(const double* a, const vdouble* b, int64_t width) {
  vdouble total = load(a) * b[0];
  for (int64_t v = 1; v < width; ++v) total += load(a + v * WIDE) * b[v];
  return sum(total);
}
ALWAYS_INLINE double dot_of_inputs(const double* x, const vdouble* b, int64_t n) {
  double rest = 0.0;
  for (int64_t i = n / WIDE * WIDE; i < n; ++i) rest += x[i] * ((const double*)b)[i];
  return n < WIDE ? rest : rest + dot(x, b, n / WIDE);
}

// The weights of a group from a position on, summed into rows: row p leaves out the first p.
struct Table {
  int64_t width;         // vectors of a row
  const vdouble* rows;   // (rows, width)
  const int32_t* row_of; // (n + 1,), where in `rows` the row of a position begins

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
  // The sum of the weights' levels, (width * WIDE,). level: the first, and the jump at each position.
  ALWAYS_INLINE void sum_of_levels(const double* level, const int32_t* position, int64_t cuts, double* result) const {
    if (width == 3) return add<3>(level, position, cuts, 0, result);
    if (width == 2) return add<2>(level, position, cuts, 0, result);
    for (int64_t v = 0; v < width; ++v) add<1>(level, position, cuts, v, result);
  }
};

// 1 / (1 + exp(-x)) within ROUGH: 2^n times the minimax polynomial of simd.hpp.
constexpr double ROUGH = 2e-7;
ALWAYS_INLINE vdouble rough_sigmoid(vdouble x) {
  vdouble t = x * -1.4426950408889634;
  t = t < -60.0 ? all(-60.0) : t;
  t = t > 60.0 ? all(60.0) : t;
  const vdouble rounded = t + SHIFT;
  const vdouble f = t - (rounded - SHIFT);
  vdouble p = f * 1.32647272e-3 + 9.67151269e-3;
  p = p * f + 5.55073374e-2;
  p = p * f + 2.40222421e-1;
  p = p * f + 6.93146978e-1;
  p = p * f + 1.0;
  return 1.0 / (1.0 + (vdouble)((vlong)p + ((vlong)rounded << 52)));
}

// Cuts a block of memory into arrays, each at a multiple of 64 bytes.
struct Arena {
  char* at;
  template <class T>
  T* take(int64_t count) {
    T* const found = (T*)at;
    at += (count * (int64_t)sizeof(T) + 63) / 64 * 64;
    return found;
  }
};

class Screen {
 public:
  // Without memory it only counts: `bytes` are what it needs.
  Screen(const Screening& screening, char* memory) : c(screening) {
    measure();
    Arena arena{memory};
    column_at = arena.take<int64_t>(columns + 1);
    column_rank = arena.take<vdouble>(padded), column = arena.take<vdouble>(padded);
    column_done = arena.take<bool>(columns);
    ranks = arena.take<Ranks>(c.groups);
    ordered = arena.take<double>(2 * c.weights + 2 * c.groups), sums = arena.take<double>(c.weights + c.groups);
    starts = arena.take<int32_t>(buckets);
    levels = arena.take<double>(BLOCK * c.groups * (most_cuts + 1));
    reciprocal = arena.take<double>(c.weights + 1);
    signals = arena.take<double>(vectors(widest) * WIDE), next = arena.take<double>(vectors(widest) * WIDE);
    difference = arena.take<double>(vectors(widest) * WIDE), sum_of_inputs = arena.take<double>(c.samples);
    order = arena.take<int32_t>(c.samples), rival = arena.take<int32_t>(c.samples);
    failed = arena.take<bool>(c.samples);
    table_of = arena.take<int32_t>(c.samples), pair_of = arena.take<int32_t>(outputs() * outputs());
    by_rank = arena.take<int32_t>(c.weights);
    row_of = arena.take<int32_t>(group_size + 1), pair_row_of = arena.take<int32_t>(pairs * (last_group_size + 1));
    table = arena.take<vdouble>(tables * table_rows * vectors(c.sizes[1]));
    pair_table = arena.take<vdouble>(pairs * pair_rows * vectors(c.sizes[c.layers - 1]));
    kept = arena.take<Kept>(c.settings), position = arena.take<int32_t>(c.settings * c.groups * most_cuts);
    bytes = arena.at - memory;
    if (memory) fill();
    // Settings in a golden section's order: neighbours are much alike, and a rising row would have to be kept whole.
    for (stride = (int64_t)(0.618 * (double)c.settings) | 1; divisor(c.settings, stride) > 1;) stride += 2;
  }

  int64_t bytes;

  void run(int64_t model) {
    prepare(model);
    favourite = 0;
    for (int64_t i = 0; i < c.numbers; ++i) compare_settings(model, i);
  }

 private:
  static constexpr int64_t BLOCK = 16;

  // level: (groups, cuts + 1), the first and the jump at each position (groups, cuts). upper: what it can reach.
  struct Setting {
    int64_t setting;
    const int32_t* position;
    double* level;
    Bound upper;
  };
  struct Kept {
    int64_t setting;
    Bound upper;
  };

  const Screening& c;
  int64_t columns, widest, padded, buckets, most_cuts, group_size, last_group_size, table_rows, pair_rows;
  int64_t tables, pairs, tables_used, pairs_used;  // 0 where the columns of the first or last layer share no levels
  int64_t* column_at;                 // (columns,), the vectors of a column within the next two
  vdouble *column_rank, *column;      // c.rank of its weights; its quantized weights, where done
  bool* column_done;                  // (columns,)
  Ranks* ranks;                       // (groups,)
  double *ordered, *sums;             // of all groups
  int32_t* starts;
  double* levels;                     // of the settings of a block, each as in Setting
  int32_t* position;                  // (settings, groups, cuts): where levels jump
  const int32_t* at_hand;             // (groups, cuts), of the setting at hand
  const double* level_at_hand;        // (groups, cuts + 1)
  double *reciprocal, *signals, *next, *difference, *sum_of_inputs;
  int32_t *order, *rival;             // (samples,)
  bool* failed;                       // (samples,), by the setting at hand
  int32_t *table_of, *pair_of;        // (samples,), (outputs, outputs): their tables, -1 where none
  int32_t *by_rank, *row_of, *pair_row_of;    // the weight of a rank or -1; rows of positions
  vdouble *table, *pair_table;
  Kept* kept;
  int64_t cuts, favourite, stride;
  double error_of_inputs, error_of_outputs, level_error, largest_level;
  Bound sure;            // what some setting reaches
  double ahead_of_sure;  // an own output less far ahead of a rival gives a smaller margin than that

  void measure() {
    const int64_t last = c.layers - 1;
    columns = padded = buckets = most_cuts = group_size = last_group_size = 0;
    widest = c.sizes[0];
    bool one_first = true, one_last = true;
    for (int64_t l = 0, own = 0; l < c.layers; ++l) {
      widest = c.sizes[l + 1] > widest ? c.sizes[l + 1] : widest;
      padded += c.sizes[l + 1] * vectors(c.sizes[l]);
      for (int64_t j = 0; j < c.sizes[l + 1]; ++j, ++columns) {
        if (l == 0) one_first = one_first && c.group[columns] == c.group[0];
        if (l == last) one_last = one_last && c.group[columns] == c.group[columns - j];
        own += c.sizes[l];
        if (!(l == last && j + 1 == c.sizes[l + 1]) && c.group[columns + 1] == c.group[columns]) continue;
        buckets += bucket_count(own) + 1;
        if (c.group[columns] == 0) group_size = own;
        last_group_size = own, own = 0;
      }
    }
    for (int64_t i = 0; i < c.numbers; ++i) most_cuts = c.levels[i] > most_cuts ? c.levels[i] : most_cuts;
    const int64_t vector = sizeof(vdouble);
    table_rows = c.sizes[0] * c.sizes[1] + 1, pair_rows = 2 * c.sizes[last] + 1;
    tables = one_first ? TABLE_BYTES / (table_rows * vectors(c.sizes[1]) * vector) : 0;
    tables = tables < c.samples ? tables : c.samples;
    const bool paired = one_last && c.layers > 1;
    pairs = paired ? TABLE_BYTES / (pair_rows * vectors(c.sizes[last]) * vector + 4 * (last_group_size + 1)) : 0;
    pairs = pairs < outputs() * outputs() ? pairs : outputs() * outputs();
  }

  void fill() {
    int64_t at = 0;
    for (int64_t l = 0, k = 0; l < c.layers; ++l)
      for (int64_t j = 0; j < c.sizes[l + 1]; ++j, ++k) column_at[k] = at, at += vectors(c.sizes[l]);
    for (int64_t g = 0; g < c.groups; ++g) ranks[g].n = 0;
    for (int64_t l = 0, k = 0; l < c.layers; ++l)
      for (int64_t j = 0; j < c.sizes[l + 1]; ++j, ++k) ranks[c.group[k]].n += c.sizes[l];
    double *ordered_at = ordered, *sum_at = sums;
    int32_t* start_at = starts;
    for (int64_t g = 0; g < c.groups; ++g) {
      Ranks& r = ranks[g];
      r.buckets = bucket_count(r.n);
      r.ordered = ordered_at, r.sum = sum_at, r.start = start_at;
      ordered_at += 2 * r.n + 2, sum_at += r.n + 1, start_at += r.buckets + 1;
    }
    reciprocal[0] = 0.0;
    for (int64_t n = 1; n <= c.weights; ++n) reciprocal[n] = 1.0 / (double)n;
    for (int64_t s = 0; s < c.samples; ++s) {
      sum_of_inputs[s] = 0.0;
      for (int64_t i = 0; i < c.sizes[0]; ++i) sum_of_inputs[s] += fabs(c.x[s * c.sizes[0] + i]);
    }
    for (int64_t i = 0; i < vectors(widest) * WIDE; ++i) signals[i] = next[i] = difference[i] = 0.0;
  }

  void prepare(int64_t model) {
    const double* rank = c.rank + model * c.weights;
    const double* magnitudes = c.ordered + model * c.weights;
    for (int64_t l = 0, k = 0; l < c.layers; ++l) {
      const int64_t rows = c.sizes[l], units = c.sizes[l + 1];
      for (int64_t j = 0; j < units; ++j, ++k) {
        double* const own = (double*)(column_rank + column_at[k]);
        for (int64_t i = 0; i < rows; ++i) own[i] = rank[i * units + j];
        for (int64_t i = rows; i < vectors(rows) * WIDE; ++i) own[i] = 0.0;
      }
      rank += rows * units;
    }
    for (int64_t g = 0; g < c.groups; ++g) {
      ranks[g].take(magnitudes);
      magnitudes += ranks[g].n;
    }
    tables_used = pairs_used = 0;
    for (int64_t s = 0; s < c.samples; ++s) {
      order[s] = (int32_t)s, rival[s] = (int32_t)((c.y[s] + 1) % outputs());
      table_of[s] = -1;
    }
    for (int64_t i = 0; i < outputs() * outputs(); ++i) pair_of[i] = -1;
    if (!tables) return;
    rank = c.rank + model * c.weights;
    for (int64_t i = 0; i < group_size; ++i) by_rank[i] = -1;
    for (int64_t i = 0; i + 1 < table_rows; ++i) by_rank[(int64_t)fabs(rank[i]) - 1] = (int32_t)i;
    int32_t row = 0;
    const int32_t width = (int32_t)vectors(c.sizes[1]);
    for (int64_t i = 0; i < group_size; ++i) row_of[i] = row, row += by_rank[i] >= 0 ? width : 0;
    row_of[group_size] = row;
  }

  // What the weights of the first layer give to each of its units for this sample.
  Table sample_table(int64_t model, int64_t sample) {
    const int64_t units = c.sizes[1], width = vectors(units);
    vdouble* rows = table + table_of[sample] * table_rows * width;
    if (table_of[sample] >= 0) return {width, rows, row_of};
    table_of[sample] = (int32_t)tables_used++;
    rows = table + table_of[sample] * table_rows * width;
    const double *rank = c.rank + model * c.weights, *x = c.x + sample * c.sizes[0];
    int64_t row = table_rows - 1;
    for (int64_t v = 0; v < width; ++v) rows[row * width + v] = vdouble{};
    for (int64_t i = group_size; i-- > 0;) {
      const int32_t weight = by_rank[i];
      if (weight < 0) continue;
      const int32_t unit = weight % (int32_t)units, input = weight / (int32_t)units;
      --row;
      for (int64_t v = 0; v < width; ++v) rows[row * width + v] = rows[(row + 1) * width + v];
      if (x[input] != 0.0) ((double*)(rows + row * width))[unit] += rank[weight] < 0.0 ? -x[input] : x[input];
    }
    return {width, rows, row_of};
  }

  // The difference between the columns of two outputs, for each input of the last layer; or one column where they are one.
  Table pair_table_of(int32_t output, int32_t other_output) {
    const int64_t fan_in = c.sizes[c.layers - 1], width = vectors(fan_in);
    int32_t& pair = pair_of[output * outputs() + other_output];
    const bool made = pair >= 0;
    if (!made) pair = (int32_t)pairs_used++;
    vdouble* const rows = pair_table + pair * pair_rows * width;
    int32_t* const row_at = pair_row_of + pair * (last_group_size + 1);
    if (made) return {width, rows, row_at};
    const double *own_rank = (const double*)(column_rank + column_at[last_column(output)]),
                 *other_rank = (const double*)(column_rank + column_at[last_column(other_output)]);
    // First which weight has a rank: i of the own column, fan_in + i of the other.
    for (int64_t i = 0; i <= last_group_size; ++i) row_at[i] = -1;
    for (int64_t i = 0; i < fan_in; ++i) {
      if (output != other_output) row_at[(int64_t)fabs(other_rank[i]) - 1] = (int32_t)(fan_in + i);
      row_at[(int64_t)fabs(own_rank[i]) - 1] = (int32_t)i;
    }
    int64_t row = pair_rows - 1;
    for (int64_t v = 0; v < width; ++v) rows[row * width + v] = vdouble{};
    for (int64_t i = last_group_size; i >= 0; --i) {
      const int64_t weight = row_at[i];
      if (weight >= 0) {
        const int64_t input = weight < fan_in ? weight : weight - fan_in;
        const double sign = weight < fan_in ? own_rank[input] : -other_rank[input];
        --row;
        for (int64_t v = 0; v < width; ++v) rows[row * width + v] = rows[(row + 1) * width + v];
        ((double*)(rows + row * width))[input] += sign < 0.0 ? -1.0 : 1.0;
      }
      row_at[i] = (int32_t)(row * width);
    }
    return {width, rows, row_at};
  }

  static int64_t divisor(int64_t a, int64_t b) { return b ? divisor(b, a % b) : a; }
  ALWAYS_INLINE int64_t outputs() const { return c.sizes[c.layers]; }
  ALWAYS_INLINE int64_t last_column(int64_t output) const { return columns - outputs() + output; }

  void compare_settings(int64_t model, int64_t number) {
    cuts = c.levels[number] - 1;
    find_positions(model, number);
    sure = {-1, -INFINITY}, ahead_of_sure = -INFINITY;
    int64_t keeping = 0;
    const int64_t begin_with = favourite;
    const auto take = [&](int64_t setting) {
      Kept found{setting, {c.samples, INFINITY}};
      Bound lower{0, INFINITY};
      for (int64_t k = 0; k < columns; ++k) column_done[k] = false;
      if (beaten_by_rivals(model, &found.upper) || !survives(model, &found.upper, &lower)) return;
      if (sure.below(lower)) surely(lower, setting);
      kept[keeping++] = found;
    };
    Setting block[BLOCK];
    for (int64_t i = -1, following = 0; i < c.settings;) {
      int64_t n = 0;
      while (n < BLOCK && i < c.settings) {
        const int64_t setting = i < 0 ? begin_with : following;
        if (i >= 0) following = (following + stride) % c.settings;
        const bool first_one = i++ < 0;
        if (!first_one && setting == begin_with) continue;
        at_hand = position + setting * c.groups * cuts;
        if ((c.means || !cuts) && repeats(model, number, setting, keeping)) continue;
        block[n] = {setting, at_hand, levels + n * c.groups * (most_cuts + 1), {c.samples, INFINITY}};
        take_levels(model, number, block[n++]);
        if (first_one) break;
      }
      glance(model, block, n);
      for (int64_t b = 0; b < n; ++b) {
        const Setting& one = block[b];
        if (one.upper.below(sure)) continue;
        at_hand = one.position, level_at_hand = one.level;
        take(one.setting);
      }
    }
    bool* const contender = c.contender + (model * c.numbers + number) * c.settings;
    for (int64_t i = 0; i < c.settings; ++i) contender[i] = false;
    for (int64_t k = 0; k < keeping; ++k)
      if (!kept[k].upper.below(sure)) contender[kept[k].setting] = true;
  }

  // What the first samples and their rivals say of settings, without a branch, so that many are under way at once.
  void glance(int64_t model, Setting* block, int64_t n) {
    const int64_t needed = c.samples - sure.count + 1, most = needed < c.samples ? needed : c.samples;
    if (sure.count < 0 || c.layers != 2) return;
    const int64_t g = c.group[0], last = c.group[columns - 1], width = vectors(c.sizes[1]);
    vdouble outputs_of[2][BLOCK / WIDE];
    double *const own_output = (double*)outputs_of[0], *const ahead = (double*)outputs_of[1];
    for (int64_t at = 0; at < most; ++at) {
      const int64_t sample = order[at];
      const int32_t own = c.y[sample], other = rival[sample];
      if (table_of[sample] < 0 || (pair_of[own * outputs() + other] < 0 && pairs_used + 2 > pairs)) return;
      const Table hidden = sample_table(model, sample), pair = pair_table_of(own, other), one = pair_table_of(own, own);
      for (int64_t b = 0; b < n; ++b) {
        hidden.sum_of_levels(block[b].level + g * (cuts + 1), block[b].position + g * cuts, cuts, signals);
        pair.sum_of_levels(block[b].level + last * (cuts + 1), block[b].position + last * cuts, cuts, difference);
        one.sum_of_levels(block[b].level + last * (cuts + 1), block[b].position + last * cuts, cuts, next);
        vdouble pair_total = {}, own_total = {};
        for (int64_t v = 0; v < width; ++v) {
          const vdouble signal = rough_sigmoid(load(signals + v * WIDE));
          pair_total += signal * load(difference + v * WIDE);
          own_total += signal * load(next + v * WIDE);
        }
        ahead[b] = sum(pair_total), own_output[b] = sum(own_total);
      }
      const double error = error_of(sample), slack = 0.5 * error + 2.0 * ROUGH;
      for (int64_t v = 0; v < (n + WIDE - 1) / WIDE; ++v)
        outputs_of[0][v] = rough_sigmoid(outputs_of[0][v]) - rough_sigmoid(outputs_of[0][v] - outputs_of[1][v]) + slack;
      for (int64_t b = 0; b < n; ++b) {
        block[b].upper.count -= ahead[b] < -2.0 * error;
        block[b].upper.margin = own_output[b] < block[b].upper.margin ? own_output[b] : block[b].upper.margin;
      }
    }
  }

  void surely(const Bound& lower, int64_t setting) {
    sure = lower, favourite = setting;
    // At most tanh(ahead / 4): the sigmoid is steepest halfway between the two outputs.
    const double margin = lower.margin - 64.0 * ULP;
    ahead_of_sure = margin > 0.0 ? 4.0 * atanh(margin) * (1.0 - 8.0 * ULP) : -INFINITY;
  }

  template <int REACH>
  ALWAYS_INLINE void find_positions_of(const Ranks& r, const double* level, const double* threshold, int32_t* found) const {
    const int64_t stride = c.groups * cuts;
    for (int64_t k = 0; k < cuts; ++k) {
      const double *own = threshold ? threshold + k * c.settings : level + k * c.settings, *above = own + c.settings;
      if (threshold)
        for (int64_t s = 0; s < c.settings; ++s) found[s * stride + k] = (int32_t)r.position<REACH>(own[s]);
      else
        for (int64_t s = 0; s < c.settings; ++s)
          found[s * stride + k] = (int32_t)r.position<REACH>(0.5 * (own[s] + above[s]));
    }
  }

  void find_positions(int64_t model, int64_t number) {
    level_error = largest_level = 0.0;
    for (int64_t g = 0; g < c.groups; ++g) {
      const Ranks& r = ranks[g];
      const double scale = c.scale[model * c.groups + g];
      const int64_t given = c.means ? 1 : cuts + 1, slab = model * c.groups + g;
      const double* const level = c.level[number] + slab * given * c.settings;
      const double* const threshold = c.threshold[number] ? c.threshold[number] + slab * cuts * c.settings : nullptr;
      int32_t* const found = position + g * cuts;
      if (r.reach == 1) find_positions_of<1>(r, level, threshold, found);
      else if (r.reach == 2) find_positions_of<2>(r, level, threshold, found);
      else if (r.reach == 4) find_positions_of<4>(r, level, threshold, found);
      else find_positions_of<0>(r, level, threshold, found);
      for (int64_t s = 0; s < c.settings; ++s) {
        largest_level = larger_of(largest_level, fabs(level[s]) * scale);
        largest_level = larger_of(largest_level, fabs(level[(given - 1) * c.settings + s]) * scale);
      }
      if (!c.means) continue;
      largest_level = larger_of(largest_level, r.ordered[r.n - 1] * scale);
      level_error = larger_of(level_error, (double)r.n * ULP * r.sum[r.n] * scale);
    }
    level_error += 4.0 * ULP * largest_level;
    // The error of an output is error_of_inputs times the sum of the sample's inputs, plus error_of_outputs.
    error_of_inputs = level_error + rounding(c.sizes[0]);
    error_of_outputs = 0.0;
    for (int64_t l = 1; l < c.layers; ++l) {
      const double rows = (double)c.sizes[l];
      error_of_inputs *= 0.25 * rows * largest_level;
      error_of_outputs =
          rows * (largest_level * (0.25 * error_of_outputs + ROUGH) + level_error + rounding(c.sizes[l]));
    }
  }
  // Of a sum of so many weights times inputs up to 1, per weight.
  double rounding(int64_t rows) const { return 2.0 * (double)(rows + cuts + 8) * ULP * largest_level; }
  ALWAYS_INLINE static double larger_of(double a, double b) { return a > b ? a : b; }

  void take_levels(int64_t model, int64_t number, const Setting& one) {
    for (int64_t g = 0; g < c.groups; ++g) {
      const Ranks& r = ranks[g];
      const double scale = c.scale[model * c.groups + g];
      const int64_t given = c.means ? 1 : cuts + 1;
      const double* const level = c.level[number] + (model * c.groups + g) * given * c.settings + one.setting;
      const int32_t* const own = one.position + g * cuts;
      double* const jumps = one.level + g * (cuts + 1);
      double last = level[0];
      jumps[0] = last * scale;
      for (int64_t k = 0; k < cuts; ++k) {
        const int64_t begin = own[k], end = k + 1 < cuts ? own[k + 1] : r.n;
        const double value = c.means ? (r.sum[end] - r.sum[begin]) * reciprocal[end - begin]  // 0 where it holds nothing
                                     : level[(k + 1) * c.settings];
        jumps[k + 1] = (value - last) * scale;
        last = value;
      }
    }
  }

  // Whether a kept setting leads to the same weights; the first of them is the one to keep.
  bool repeats(int64_t model, int64_t number, int64_t setting, int64_t keeping) {
    const int64_t n = c.groups * cuts, given = c.groups * (c.means ? 1 : cuts + 1);
    const double* const level = c.level[number] + model * given * c.settings;
    for (int64_t k = 0; k < keeping; ++k) {
      int64_t left = given;
      while (left && level[(left - 1) * c.settings + kept[k].setting] == level[(left - 1) * c.settings + setting]) --left;
      if (left) continue;
      const int32_t* const own = position + kept[k].setting * n;
      for (left = n; left && own[left - 1] == at_hand[left - 1];) --left;
      if (left) continue;
      if (setting < kept[k].setting) {
        if (favourite == kept[k].setting) favourite = setting;
        kept[k].setting = setting;
      }
      return true;
    }
    return false;
  }

  const vdouble* quantized(int64_t k, int64_t fan_in) {
    vdouble* const own = column + column_at[k];
    if (!column_done[k]) {
      const int64_t n = vectors(fan_in);
      int64_t v = 0;
      for (; v + 3 <= n; v += 3) quantize_vectors<3>(k, v);
      for (; v < n; ++v) quantize_vectors<1>(k, v);
      for (int64_t i = fan_in; i < n * WIDE; ++i) ((double*)own)[i] = 0.0;
      column_done[k] = true;
    }
    return own;
  }

  template <int N>
  ALWAYS_INLINE void quantize_vectors(int64_t k, int64_t v) {
    const vdouble* const rank = column_rank + column_at[k] + v;
    const int64_t g = c.group[k];
    vdouble value[N];
    const double* const level = level_at_hand + g * (cuts + 1);
    for (int i = 0; i < N; ++i) value[i] = all(level[0]);
    for (int64_t cut = 0; cut < cuts; ++cut) {
      const vdouble step = all(level[cut + 1]), from = all((double)at_hand[g * cuts + cut]);
      for (int i = 0; i < N; ++i) value[i] += magnitude(rank[i]) > from ? step : vdouble{};
    }
    for (int i = 0; i < N; ++i)
      column[column_at[k] + v + i] = (vdouble)((vlong)value[i] ^ ((vlong)rank[i] & INT64_MIN));
  }

  // Fills `signals` with what goes into the last layer, or with its outputs where it is the first.
  ALWAYS_INLINE void forward(int64_t model, int64_t sample) {
    if (table_of[sample] >= 0 || tables_used < tables) {
      const int64_t g = c.group[0];
      sample_table(model, sample).sum_of_levels(level_at_hand + g * (cuts + 1), at_hand + g * cuts, cuts, signals);
    } else {
      const double* const x = c.x + sample * c.sizes[0];
      for (int64_t j = 0; j < c.sizes[1]; ++j) signals[j] = dot_of_inputs(x, quantized(j, c.sizes[0]), c.sizes[0]);
    }
    for (int64_t l = 1, k = c.sizes[1]; l < c.layers; ++l) {
      const int64_t width = vectors(c.sizes[l]);
      for (int64_t v = 0; v < width; ++v) store(signals + v * WIDE, rough_sigmoid(load(signals + v * WIDE)));
      if (l + 1 == c.layers) return;
      for (int64_t j = 0; j < c.sizes[l + 1]; ++j, ++k) next[j] = dot(signals, quantized(k, c.sizes[l]), width);
      double* const swapped = signals;
      signals = next;
      next = swapped;
    }
  }

  ALWAYS_INLINE double output(int64_t k) {
    const int64_t fan_in = c.sizes[c.layers - 1];
    return c.layers > 1 ? dot(signals, quantized(last_column(k), fan_in), vectors(fan_in)) : signals[k];
  }

  // How far a sample's own output is ahead of its rival's.
  ALWAYS_INLINE double ahead_of_rival(int64_t sample) {
    const int32_t own = c.y[sample], other = rival[sample];
    if (pairs_used == pairs && pair_of[own * outputs() + other] < 0) return output(own) - output(other);
    const int64_t g = c.group[columns - 1], fan_in = c.sizes[c.layers - 1];
    pair_table_of(own, other).sum_of_levels(level_at_hand + g * (cuts + 1), at_hand + g * cuts, cuts, difference);
    return dot(signals, (const vdouble*)difference, vectors(fan_in));
  }

  ALWAYS_INLINE double error_of(int64_t sample) const {
    return error_of_inputs * sum_of_inputs[sample] + error_of_outputs;
  }

  // Whether samples and their rivals show that the setting is not the best. Lowers its upper bound.
  bool beaten_by_rivals(int64_t model, Bound* upper) {
    if (outputs() == 1) return false;
    for (int64_t at = 0; at < c.samples; ++at) {
      const int64_t sample = order[at];
      forward(model, sample);
      const double ahead = ahead_of_rival(sample) + 2.0 * error_of(sample);
      failed[sample] = ahead < 0.0;
      if (failed[sample]) {
        --upper->count;
        promote(at);
      }
      if (upper->count > sure.count) continue;
      if (upper->count < sure.count || ahead < ahead_of_sure) return promote(at);
      const double found = margin(output(c.y[sample]), output(rival[sample])) + slack(sample);
      if (found < upper->margin) upper->margin = found;
      if (upper->below(sure)) return promote(at);
    }
    return false;
  }

  // Bounds on what the setting reaches, from all outputs of all samples; false as soon as it is not the best.
  bool survives(int64_t model, Bound* upper, Bound* lower) {
    bool bounded = true;
    for (int64_t at = 0; at < c.samples; ++at) {
      const int64_t sample = order[at], own = c.y[sample];
      forward(model, sample);
      const double own_output = output(own), error = error_of(sample);
      double runner_up = -INFINITY;
      for (int64_t k = 0; k < outputs(); ++k) {
        const double other = k == own ? -INFINITY : output(k);
        if (other > runner_up) runner_up = other, rival[sample] = (int32_t)k;
      }
      const double ahead = own_output - runner_up;
      if (ahead < -2.0 * error && !(outputs() > 1 && failed[sample])) --upper->count;
      const double inputs = c.layers > 1 ? (double)c.sizes[c.layers - 1] : sum_of_inputs[sample];
      if (ahead > 2.0 * error + 2e-12 * largest_level * inputs) ++lower->count;
      const double found = margin(own_output, runner_up);
      if (found + slack(sample) < upper->margin) upper->margin = found + slack(sample);
      if (found - slack(sample) < lower->margin) lower->margin = found - slack(sample);
      bounded = bounded && slack(sample) < INFINITY;
      if (upper->below(sure)) return !promote(at);
    }
    if (!bounded) *lower = {-1, -INFINITY};  // weights too large to say
    return true;
  }

  // Of a margin: the sigmoid rises by at most a quarter of its argument.
  ALWAYS_INLINE double slack(int64_t sample) const { return 0.5 * error_of(sample) + 64.0 * ULP; }

  ALWAYS_INLINE static double margin(double own, double other) {
    vdouble both = {};
    both[0] = own, both[1] = other;
    both = sigmoid(both);
    return both[0] - both[1];
  }

  // Lets the sample come earlier next time. Always true.
  ALWAYS_INLINE bool promote(int64_t at) {
    const int32_t earlier = order[at / 2];
    order[at / 2] = order[at];
    order[at] = earlier;
    return true;
  }
};

}  // namespace

int64_t screening_scratch(const Screening& c) { return Screen(c, nullptr).bytes; }

void screen(const Screening& c, void* scratch) {
  Screen one(c, (char*)scratch);
  for (int64_t model = 0; model < c.models; ++model) one.run(model);
}

}  // namespace fewlevels::FEWLEVELS_ISA
