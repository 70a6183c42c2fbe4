// What every binding uses: arrays, refusals, and one way to run a kernel.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bindings/instruction_sets.hpp"
#include "bindings/memory.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace fewlevels;

template <class T, int N>
using Array = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;

inline void require(bool fits, const char* message) {
  if (!fits) throw std::invalid_argument(message);
}

template <class OneArray, size_t N>
bool shaped(const OneArray& array, const int64_t (&shape)[N]) {
  bool same = array.ndim() == N;
  for (size_t axis = 0; axis < N; ++axis) same = same && (int64_t)array.shape(axis) == shape[axis];
  return same;
}

// What is left out fits.
template <class OneArray, size_t N>
bool shaped(const std::optional<OneArray>& array, const int64_t (&shape)[N]) {
  return !array || shaped(*array, shape);
}

template <class OneArray>
auto data_or_null(const std::optional<OneArray>& array) {
  return array ? array->data() : nullptr;
}

// Runs this kernel of the instruction set, without Python's lock.
template <class Scratch = Memory, class Arguments>
void run(Kernel<Arguments> KernelSet::*kernel, const Arguments& arguments, const std::string& instruction_set) {
  const Kernel<Arguments>& own = kernels_of(instruction_set).*kernel;
  const nb::gil_scoped_release unlocked;
  Scratch scratch(own.scratch_bytes ? own.scratch_bytes(arguments) : 0);
  own.run(arguments, scratch.data());
}
