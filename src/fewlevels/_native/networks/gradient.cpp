// The gradient of dense networks, at weights that may be quantized, and a step of the latent ones.
//
// The straight-through estimator (Bengio et al., arXiv:1308.3432, 2013) takes the gradient at the quantized weights
// for that at the latent ones, so that a kernel needs to know nothing of the quantizer. One model per vector lane.
#include <math.h>

#include "common/simd.hpp"
#include "networks/network_kernels.hpp"
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace fewlevels::FEWLEVELS_ISA {
namespace {

constexpr int64_t COLUMNS = 8;

// body(begin, width) over n columns; the full width is a constant to the compiler.
template <class Body>
ALWAYS_INLINE void in_columns(int64_t n, const Body& body) {
  int64_t begin = 0;
  for (; begin + COLUMNS <= n; begin += COLUMNS) body(begin, COLUMNS);
  if (begin < n) body(begin, n - begin);
}

// out[j] = sum_i in[i] w[i][j]; a shared input is the same for all lanes, and often 0.
ALWAYS_INLINE void forward(const vfloat* in, const float* shared, const vfloat* w, vfloat* out, int64_t rows,
                           int64_t columns) {
  in_columns(columns, [&](int64_t begin, int64_t width) __attribute__((always_inline)) {
    vfloat sum[COLUMNS] = {};
    for (int64_t i = 0; i < rows; ++i) {
      if (shared && shared[i] == 0.0f) continue;
      const vfloat value = shared ? broadcast(shared[i]) : in[i];
      for (int64_t j = 0; j < width; ++j) sum[j] += value * w[i * columns + begin + j];
    }
    for (int64_t j = 0; j < width; ++j) out[begin + j] = sum[j];
  });
}

// gradient[i][j] += in[i] delta[j], and back[i] = sum_j delta[j] w[i][j] where it is wanted.
ALWAYS_INLINE void backward(const vfloat* in, const float* shared, const vfloat* w, const vfloat* delta,
                            vfloat* gradient, vfloat* back, int64_t rows, int64_t columns) {
  if (back)
    for (int64_t i = 0; i < rows; ++i) back[i] = vfloat{};
  in_columns(columns, [&](int64_t begin, int64_t width) __attribute__((always_inline)) {
    vfloat d[COLUMNS];
    for (int64_t j = 0; j < width; ++j) d[j] = delta[begin + j];
    for (int64_t i = 0; i < rows; ++i) {
      if (shared && shared[i] == 0.0f) continue;
      const vfloat value = shared ? broadcast(shared[i]) : in[i];
      vfloat* const row = gradient + i * columns + begin;
      for (int64_t j = 0; j < width; ++j) row[j] += value * d[j];
      if (!back) continue;
      vfloat sum = {};
      for (int64_t j = 0; j < width; ++j) sum += d[j] * w[i * columns + begin + j];
      back[i] += sum;
    }
  });
}

// About normal, mean 0, standard deviation 1: the sum of four uniform numbers (never beyond 3.5).
ALWAYS_INLINE vfloat normal(Streams& streams) {
  const vuint one = streams.next(), two = streams.next();
  const vuint sum = (one >> 16) + (one & 0xffff) + (two >> 16) + (two & 0xffff);
  vfloat value;
  for (int lane = 0; lane < LANES; ++lane) value[lane] = (float)(int32_t)sum[lane];
  return (value - 131070.0f) * (1.7320508f / 65536.0f);
}

struct Memory {
  vfloat *weights, *gradient, *biases, *bias_gradient, *signals, *delta, *back;
};

ALWAYS_INLINE void activate(int32_t activation, float slope, vfloat* z, int64_t n) {
  if (activation == LINEAR) {
    for (int64_t i = 0; i < n; ++i) z[i] = z[i] > 0.0f ? z[i] : slope * z[i];
    return;
  }
  if (activation == TANH)
    for (int64_t i = 0; i < n; ++i) z[i] = z[i] + z[i];
  sigmoid(z, n);
  if (activation == TANH)  // tanh z = 2 sigmoid(2 z) - 1
    for (int64_t i = 0; i < n; ++i) z[i] = 2.0f * z[i] - 1.0f;
}

// back[i] times the derivative where the activation has the value a[i].
ALWAYS_INLINE void times_slope(int32_t activation, float slope, const vfloat* a, vfloat* back, int64_t n) {
  if (activation == SIGMOID)
    for (int64_t i = 0; i < n; ++i) back[i] *= a[i] * (1.0f - a[i]);
  else if (activation == TANH)
    for (int64_t i = 0; i < n; ++i) back[i] *= 1.0f - a[i] * a[i];
  else
    for (int64_t i = 0; i < n; ++i) back[i] = a[i] > 0.0f ? back[i] : slope * back[i];
}

// The derivative of minus the loss by each sum z of the outputs, which z is spent for.
ALWAYS_INLINE void losses(int32_t loss, vfloat* z, vfloat* delta, int64_t outputs, int64_t own) {
  if (loss == SOFTMAX) {
    vfloat largest = z[0], sum = {};
    for (int64_t k = 1; k < outputs; ++k) largest = z[k] > largest ? z[k] : largest;
    for (int64_t k = 0; k < outputs; ++k) sum += z[k] = exp_minus(largest - z[k]);
    for (int64_t k = 0; k < outputs; ++k) delta[k] = (k == own ? 1.0f : 0.0f) - z[k] / sum;
    return;
  }
  const int64_t on = outputs == 1 ? own - 1 : own;  // one output is on for class 1
  sigmoid(z, outputs);
  for (int64_t k = 0; k < outputs; ++k) {
    const vfloat o = z[k], error = (k == on ? 1.0f : 0.0f) - o;
    delta[k] = loss == CROSS_ENTROPY ? error : error * o * (1.0f - o);
  }
}

int64_t all_weights(const Gradient& g) {
  int64_t n = 0;
  for (int64_t l = 0; l < g.layers; ++l) n += g.sizes[l] * g.sizes[l + 1];
  return n;
}
int64_t all_units(const Gradient& g) {
  int64_t n = 0;
  for (int64_t l = 1; l <= g.layers; ++l) n += g.sizes[l];
  return n;
}

// One sample of one group: adds to the gradient and returns 1 in the lanes that recognise it.
ALWAYS_INLINE vint one_sample(const Gradient& g, const Memory& memory, int64_t sample) {
  const float* x = g.x + sample * g.sizes[0];
  vfloat *signal = memory.signals, *w = memory.weights, *gradient = memory.gradient;
  vfloat* bias_gradient = memory.bias_gradient;
  const vfloat *in = nullptr, *bias = memory.biases;
  for (int64_t l = 0; l < g.layers; ++l) {
    forward(in, l ? nullptr : x, w, signal, g.sizes[l], g.sizes[l + 1]);
    if (g.biases)
      for (int64_t j = 0; j < g.sizes[l + 1]; ++j) signal[j] += *bias++;
    if (l + 1 < g.layers) {
      activate(g.activation[l], g.slope[l], signal, g.sizes[l + 1]);
      in = signal;
      bias_gradient += g.sizes[l + 1];
      signal += g.sizes[l + 1];
      w += g.sizes[l] * g.sizes[l + 1];
    }
  }
  const int64_t outputs = g.sizes[g.layers], own = g.y[sample];
  vint recognised = vint{} + 1;
  if (outputs == 1) recognised &= own ? signal[0] > 0.0f : signal[0] <= 0.0f;
  else
    for (int64_t k = 0; k < outputs; ++k)
      if (k != own) recognised &= signal[own] > signal[k];
  losses(g.loss, signal, memory.delta, outputs, own);
  gradient += w - memory.weights;
  vfloat *delta = memory.delta, *back = memory.back;
  for (int64_t l = g.layers - 1; l >= 0; --l) {
    const vfloat* const below = l ? signal - g.sizes[l] : nullptr;
    backward(below, l ? nullptr : x, w, delta, gradient, l ? back : nullptr, g.sizes[l], g.sizes[l + 1]);
    if (g.biases)
      for (int64_t j = 0; j < g.sizes[l + 1]; ++j) bias_gradient[j] += delta[j];
    if (!l) break;
    times_slope(g.activation[l - 1], g.slope[l - 1], below, back, g.sizes[l]);
    bias_gradient -= g.sizes[l];
    vfloat* const swapped = delta;
    delta = back;
    back = swapped;
    signal -= g.sizes[l];
    w -= g.sizes[l - 1] * g.sizes[l];
    gradient -= g.sizes[l - 1] * g.sizes[l];
  }
  return recognised;
}

}  // namespace

int64_t gradient_scratch(const Gradient& g) {
  return (int64_t)sizeof(vfloat) * (2 * all_weights(g) + 5 * all_units(g));
}

void gradient(const Gradient& g, void* scratch) {
  const int64_t n = all_weights(g), units = all_units(g);
  Memory memory{};
  memory.weights = (vfloat*)scratch;
  memory.gradient = memory.weights + n;
  memory.signals = memory.gradient + n;
  memory.delta = memory.signals + units;
  memory.back = memory.delta + units;
  memory.biases = memory.back + units;
  memory.bias_gradient = memory.biases + units;
  for (int64_t first = 0; first < g.models; first += LANES) {
    vint state[4];
    for (int lane = 0; lane < LANES; ++lane) {
      const int64_t model = first + lane < g.models ? first + lane : g.models - 1;
      for (int64_t i = 0; i < n; ++i) ((float*)(memory.weights + i))[lane] = g.weights[model * n + i];
      if (g.biases)
        for (int64_t i = 0; i < units; ++i) ((float*)(memory.biases + i))[lane] = g.biases[model * units + i];
      for (int word = 0; word < 4; ++word) state[word][lane] = (int32_t)g.streams[4 * model + word];
    }
    if (g.noise > 0.0f) {
      Streams streams{(vuint)state[0], (vuint)state[1], (vuint)state[2], (vuint)state[3]};
      for (int64_t i = 0; i < n; ++i) memory.weights[i] *= 1.0f + g.noise * normal(streams);
      const vuint after[4] = {streams.s0, streams.s1, streams.s2, streams.s3};
      for (int lane = 0; lane < LANES && first + lane < g.models; ++lane)
        for (int word = 0; word < 4; ++word) g.streams[4 * (first + lane) + word] = after[word][lane];
    }
    for (int64_t i = 0; i < n; ++i) memory.gradient[i] = vfloat{};
    for (int64_t i = 0; i < units; ++i) memory.bias_gradient[i] = vfloat{};
    vint recognised = {};
    for (int64_t s = 0; s < g.samples; ++s) recognised += one_sample(g, memory, s);
    const float scale = 1.0f / (float)g.samples;
    for (int lane = 0; lane < LANES && first + lane < g.models; ++lane) {
      for (int64_t i = 0; i < n; ++i)
        g.gradient[(first + lane) * n + i] = scale * ((const float*)(memory.gradient + i))[lane];
      if (g.biases)
        for (int64_t i = 0; i < units; ++i)
          g.bias_gradient[(first + lane) * units + i] = scale * ((const float*)(memory.bias_gradient + i))[lane];
      g.recognised[first + lane] = recognised[lane];
    }
  }
}

// Kingma & Ba, arXiv:1412.6980, 2014, with its default decays.
void adam(const Adam& a, void*) {
  const float b1 = 0.9f, b2 = 0.999f;
  for (int64_t model = 0; model < a.models; ++model) {
    const double step = (double)a.step[model];
    const float rate = (float)(a.rate[model] / (1.0 - pow(0.9, step)));
    const float unbias = (float)(1.0 / (1.0 - pow(0.999, step)));
    const int64_t begin = model * a.weights;
    for (int64_t i = begin; i < begin + a.weights; ++i) {
      const float g = a.gradient[i];
      const float m = b1 * a.first[i] + (1.0f - b1) * g, v = b2 * a.second[i] + (1.0f - b2) * g * g;
      a.first[i] = m;
      a.second[i] = v;
      a.latent[i] += (double)(rate * m / (sqrtf(v * unbias) + 1e-8f));
    }
  }
}

}  // namespace fewlevels::FEWLEVELS_ISA
