// What the kernels of networks take: plain pointers and sizes, the same for every instruction set.
#pragma once
#include <cstdint>

#include "common/instruction_set.hpp"

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
  float weight_limit;      // every weight is kept in [-weight_limit, weight_limit]; 0: no limit
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
  double* margin;                 // (models, samples), own output minus the largest other; null: not wanted
};

enum Activation : int32_t { SIGMOID, TANH, LINEAR };  // LINEAR: z above 0, slope * z below
enum Loss : int32_t { SQUARED, CROSS_ENTROPY, SOFTMAX };  // the first two of each sigmoid output

// The gradient of the loss over all samples, for networks of any number of layers. One output tells class 1 by its sign.
struct Gradient {
  int64_t models, samples, layers;
  const int64_t* sizes;     // (layers + 1,)
  const int32_t* activation;  // (layers - 1,), an Activation of each hidden layer
  const float* slope;       // (layers - 1,), of LINEAR
  const float* weights;     // (models, weights), layer after layer
  const float* biases;      // (models, units of all layers); null: none
  const float* x;           // (samples, inputs)
  const int32_t* y;         // (samples,)
  int32_t loss;             // a Loss
  float noise;              // relative standard deviation of each weight, drawn once for all samples
  uint32_t* streams;        // (models, 4), state of each model's noise, in and out
  float* gradient;          // (models, weights), of minus the mean loss: the direction to go
  float* bias_gradient;     // (models, units of all layers); null where there are no biases
  int32_t* recognised;      // (models,), samples whose own output is strictly the largest
};

// One step of Adam on latent weights.
struct Adam {
  int64_t models, weights;
  double* latent;           // (models, weights)
  const float* gradient;    // (models, weights), the direction to go
  float *first, *second;    // (models, weights), moments
  const double* rate;       // (models,)
  const int64_t* step;      // (models,), steps taken so far, this one included
};

namespace FEWLEVELS_ISA {
int64_t training_scratch(const Training& t);
void train(const Training& t, void* scratch);
int64_t recognition_scratch(const Recognition& r);
void recognise(const Recognition& r, void* scratch);
int64_t gradient_scratch(const Gradient& g);
void gradient(const Gradient& g, void* scratch);
void adam(const Adam& a, void*);
}

}  // namespace fewlevels
