// What every binding uses: arrays, refusals, and the choice of instruction set.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "bindings/dispatch.hpp"

namespace nb = nanobind;

template <class T, int N>
using Array = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;

inline void require(bool fits, const char* message) {
  if (!fits) throw std::invalid_argument(message);
}
