// What the kernels take: plain pointers and sizes, the same for every instruction set.
#pragma once
#include <cstdint>

namespace fewlevels {

// Two-layer sigmoid networks without biases, trained one random sample at a time.
struct Training {
  int64_t models, inputs, hidden, outputs, samples;
  const float* x;          // (samples, inputs)
  const int32_t* y;        // (samples,), the class of each sample
  float* w1;               // (models, inputs, hidden), start in, end out
  float* w2;               // (models, hidden, outputs)
  uint32_t* streams;       // (models, 4), state of each model's sample stream, in and out
  float learning_rate;
  int64_t steps;           // backpropagations of each model
  int64_t snapshots;       // how many times weights are copied on the way
  const int64_t* snapshot_steps;  // (snapshots,), ascending, each in 0 .. steps
  float* snapshot_w1;      // (snapshots, models, inputs, hidden)
  float* snapshot_w2;      // (snapshots, models, hidden, outputs)
};

// Networks of any number of layers, applied to all samples.
struct Recognition {
  int64_t models, samples, layers;
  const int64_t* sizes;           // (layers + 1,): inputs, hidden …, outputs
  const double* weights;          // (models, weights of all layers), each layer (fan_in, fan_out)
  const double* x;                // (samples, inputs)
  const int32_t* y;               // (samples,)
  bool* recognised;               // (models, samples)
};

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

}  // namespace fewlevels
