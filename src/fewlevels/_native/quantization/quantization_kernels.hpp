// What the kernels that quantize take: plain pointers and sizes, the same for every instruction set.
#pragma once
#include <cstdint>

#include "common/instruction_set.hpp"

namespace fewlevels {

// Weights to levels in equal intervals from `low` on, for each model.
struct Quantization {
  int64_t models, n, requested;
  bool magnitudes;          // quantize |w| and give the level w's sign
  const double* weights;    // (models, n)
  const double* low;        // (models,), where the first interval begins
  const double* interval;   // (models,), its width; 0 puts every weight in level 0
  const double* levels;     // (models, requested)
  int64_t* assignment;      // (models, n)
  double* values;           // (models, n)
};

// The level of each weight: level k where thresholds[k - 1] < weight <= thresholds[k].
struct Assignment {
  int64_t models, weights, levels;
  bool magnitudes;           // compare |weight|, and give the level the weight's sign
  bool means;                // levels from the second on that hold a weight become the mean of what they hold
  const double* weight;      // (models, weights)
  double* level;             // (models, levels), ascending
  const double* threshold;   // (models, levels - 1), ascending
  int64_t* assignment;       // (models, weights); null: not wanted
  double* value;             // (models, weights); null: not wanted
  double* squared_error;     // (models,), sum over the weights; null: not wanted
};

// Every setting of a quantizer at several numbers of levels on every network: which may recognise best.
struct Screening {
  int64_t models, weights, samples, layers, settings, groups, numbers;
  bool means;               // levels from the second on are the mean of the weights they hold
  const int64_t* sizes;     // (layers + 1,)
  const int32_t* group;     // (columns of all layers,), ascending from 0: which weights share levels
  const double* rank;       // (models, weights), from 1 up by magnitude within its group, with the weight's sign
  const double* ordered;    // (models, weights), magnitudes of a group ascending, group after group
  const double* scale;      // (models, groups), from the unit of ordered, level and threshold to that of weights
  const int64_t* levels;    // (numbers,)
  const double* const* level;      // (numbers,) of (models, groups, levels, settings), ascending, or of the first alone
                                   // where means
  const double* const* threshold;  // (numbers,) of (models, groups, levels - 1, settings); null: halfway
  const double* x;          // (samples, inputs)
  const int32_t* y;         // (samples,)
  bool* contender;          // (models, numbers, settings)
};

// Optimal one-dimensional k-means of each row, for k = 1 .. clusters, or for k = clusters alone.
struct Clustering {
  int64_t models, values, clusters, rows;  // rows: clusters, or 1
  const double* sorted;                    // (models, values), ascending
  double* centre;                          // (models, rows, clusters), ascending; the last repeats where k is less
};

// Which `levels` of a table, its lowest among them, times each of a model's own scales, represent a row with least
// squared error.
struct Choice {
  int64_t models, scales, values, entries, levels;
  const double* sorted;   // (models, values), ascending
  const double* table;    // (entries,), ascending
  const double* scale;    // (models, scales)
  int64_t* chosen;        // (models, scales, levels), ascending indices of the table
  double* squared_error;  // (models, scales), sum over the values
};

namespace FEWLEVELS_ISA {
void quantize(const Quantization& q, void*);
int64_t assign_scratch(const Assignment& a);
void assign(const Assignment& a, void* scratch);
int64_t screening_scratch(const Screening& c);
void screen(const Screening& c, void* scratch);
int64_t clustering_scratch(const Clustering& c);
void cluster(const Clustering& c, void* scratch);
int64_t choice_scratch(const Choice& c);
void choose(const Choice& c, void* scratch);
}

}  // namespace fewlevels
