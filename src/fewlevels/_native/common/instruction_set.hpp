// The instruction set that this file is compiled for.
//
// The build compiles every kernel once per instruction set (see CMakeLists.txt), each time into a namespace of that
// name; a set's table of kernels (kernel_set.hpp) is chosen at run time. No kernel may call an inline function of the
// standard library: the linker could keep the copy compiled for the wider instruction set and hand it to a processor
// that lacks it.
#pragma once

#if defined(__AVX512F__)
#define FEWLEVELS_ISA v4
#define FEWLEVELS_LANES 16
#elif defined(__AVX2__)
#define FEWLEVELS_ISA v3
#define FEWLEVELS_LANES 8
#else
#define FEWLEVELS_ISA baseline
#define FEWLEVELS_LANES 4
#endif

#define ALWAYS_INLINE inline __attribute__((always_inline))
