// Vectors that hold one number of each of LANES models, for the instruction set this file is compiled for.
#pragma once
#include <cstdint>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "common/instruction_set.hpp"

namespace fewlevels::FEWLEVELS_ISA {

constexpr int LANES = FEWLEVELS_LANES;
constexpr int TABLE = 16;  // entries of a table that lookup() reads

typedef float vfloat __attribute__((vector_size(4 * LANES)));
typedef int32_t vint __attribute__((vector_size(4 * LANES)));
typedef uint32_t vuint __attribute__((vector_size(4 * LANES)));

ALWAYS_INLINE vfloat broadcast(float value) { return value - vfloat{}; }

// Lanes where two integers are equal, and what is done in these lanes only. With AVX-512 the compilers make two or three
// instructions of a ternary operator where one will do.
#if defined(__AVX512F__)
typedef __mmask16 Mask;
ALWAYS_INLINE Mask equal(vint a, int32_t b) { return _mm512_cmpeq_epi32_mask((__m512i)a, _mm512_set1_epi32(b)); }
ALWAYS_INLINE vfloat choose(Mask where, vfloat value, vfloat otherwise) {
  return (vfloat)_mm512_mask_mov_ps((__m512)otherwise, where, (__m512)value);
}
ALWAYS_INLINE vfloat add_where(Mask where, vfloat sum, vfloat value) {
  return (vfloat)_mm512_mask_add_ps((__m512)sum, where, (__m512)sum, (__m512)value);
}
ALWAYS_INLINE vfloat clamp(vfloat value, float limit) {
  const __m512 low = _mm512_max_ps((__m512)value, _mm512_set1_ps(-limit));
  return (vfloat)_mm512_min_ps(low, _mm512_set1_ps(limit));
}
#else
typedef vint Mask;
ALWAYS_INLINE Mask equal(vint a, int32_t b) { return a == b; }
ALWAYS_INLINE vfloat choose(Mask where, vfloat value, vfloat otherwise) { return where ? value : otherwise; }
ALWAYS_INLINE vfloat add_where(Mask where, vfloat sum, vfloat value) { return sum + (where ? value : vfloat{}); }
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
ALWAYS_INLINE vfloat clamp(vfloat value, float limit) {  // compilers make a comparison and a slow blend of a ternary
  const __m256 low = _mm256_max_ps(_mm256_set1_ps(-limit), (__m256)value);
  return (vfloat)_mm256_min_ps(_mm256_set1_ps(limit), low);
}
#elif !defined(__AVX512F__)
ALWAYS_INLINE vfloat clamp(vfloat value, float limit) {
  const vfloat low = value < -limit ? broadcast(-limit) : value;
  return low > limit ? broadcast(limit) : low;
}
#endif

ALWAYS_INLINE vint lane_numbers() {
  vint number;
  for (int lane = 0; lane < LANES; ++lane) number[lane] = lane;
  return number;
}

// to[lane][n] = from[n][lane], LANES x LANES.
ALWAYS_INLINE void transpose(vfloat* to, const vfloat* from) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  for (int half = 0; half < 2; ++half) {
    __m256 row[4];  // of half the lanes: numbers n and n + 4
    for (int n = 0; n < 4; ++n)
      row[n] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps((const float*)(from + n) + 4 * half)),
                                    _mm_load_ps((const float*)(from + n + 4) + 4 * half), 1);
    const __m256 a = _mm256_unpacklo_ps(row[0], row[1]), b = _mm256_unpackhi_ps(row[0], row[1]);
    const __m256 c = _mm256_unpacklo_ps(row[2], row[3]), d = _mm256_unpackhi_ps(row[2], row[3]);
    to[4 * half] = (vfloat)_mm256_shuffle_ps(a, c, 0x44);
    to[4 * half + 1] = (vfloat)_mm256_shuffle_ps(a, c, 0xee);
    to[4 * half + 2] = (vfloat)_mm256_shuffle_ps(b, d, 0x44);
    to[4 * half + 3] = (vfloat)_mm256_shuffle_ps(b, d, 0xee);
  }
#else
  for (int lane = 0; lane < LANES; ++lane)
    for (int n = 0; n < LANES; ++n) to[lane][n] = from[n][lane];
#endif
}

// table[index[lane]] for each lane; 0 <= index < TABLE.
ALWAYS_INLINE vfloat lookup(const float* table, vint index) {
#if defined(__AVX512F__)
  return (vfloat)_mm512_permutexvar_ps((__m512i)index, _mm512_load_ps(table));
#elif defined(__AVX2__)
  const __m256 low = _mm256_permutevar8x32_ps(_mm256_load_ps(table), (__m256i)index);
  const __m256 high = _mm256_permutevar8x32_ps(_mm256_load_ps(table + 8), (__m256i)index);
  return (vfloat)_mm256_blendv_ps(low, high, (__m256)(index << 28));
#else
  vfloat value;
  for (int lane = 0; lane < LANES; ++lane) value[lane] = table[index[lane]];
  return value;
#endif
}

ALWAYS_INLINE vfloat lookup_where(Mask where, const float* table, vint index, vfloat otherwise) {
#if defined(__AVX512F__)
  return (vfloat)_mm512_mask_permutexvar_ps((__m512)otherwise, where, (__m512i)index, _mm512_load_ps(table));
#else
  return choose(where, lookup(table, index), otherwise);
#endif
}

// table[index[lane]] for each lane, for a table of any length.
ALWAYS_INLINE vfloat gather(const float* table, vint index) {
#if defined(__AVX512F__)
  return (vfloat)_mm512_i32gather_ps((__m512i)index, table, 4);
#elif defined(__AVX2__)
  return (vfloat)_mm256_i32gather_ps(table, (__m256i)index, 4);
#else
  vfloat value;
  for (int lane = 0; lane < LANES; ++lane) value[lane] = table[index[lane]];
  return value;
#endif
}

// exp(-z) as 2^n * p(f): n is the nearest integer to -z log2(e), |f| <= 1/2, p the minimax polynomial of degree 5
// (relative error 9e-8). |z| is cut at 43, where the sigmoid is within 3e-19 of 0 or 1.
ALWAYS_INLINE vfloat exp_minus(vfloat z) {
  const vfloat t = clamp(z * -1.44269504f, 62.0f);
  const float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const vfloat rounded = t + shift;
  const vint n = (vint)rounded;
  const vfloat f = t - (rounded - shift);
  vfloat p = f * 1.32647272e-3f + 9.67151269e-3f;
  p = p * f + 5.55073374e-2f;
  p = p * f + 2.40222421e-1f;
  p = p * f + 6.93146978e-1f;
  p = p * f + 1.0f;
  return (vfloat)((vint)p + (n << 23));
}

// z[i] becomes 1 / (1 + exp(-z[i])). Two reciprocals cost one division: 1/a = b / (a b).
ALWAYS_INLINE void sigmoid(vfloat* z, int64_t n) {
  int64_t i = 0;
  for (; i + 1 < n; i += 2) {
    const vfloat a = 1.0f + exp_minus(z[i]), b = 1.0f + exp_minus(z[i + 1]);
    const vfloat reciprocal = 1.0f / (a * b);
    z[i] = b * reciprocal;
    z[i + 1] = a * reciprocal;
  }
  if (i < n) z[i] = 1.0f / (1.0f + exp_minus(z[i]));
}

// One xoshiro128++ stream per lane (Blackman & Vigna, ACM TOMS 47, 2021).
struct Streams {
  vuint s0, s1, s2, s3;

  ALWAYS_INLINE vuint next() {
    const vuint sum = s0 + s3;
    const vuint result = ((sum << 7) | (sum >> 25)) + s0;
    const vuint t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = (s3 << 11) | (s3 >> 21);
    return result;
  }
};

}  // namespace fewlevels::FEWLEVELS_ISA
