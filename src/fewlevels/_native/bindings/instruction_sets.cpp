#include "bindings/instruction_sets.hpp"

#include <stdexcept>

// x86-64-v3 and -v4 as their ABI defines them, as far as the kernels use them.
std::vector<std::string> instruction_sets() {
  std::vector<std::string> sets;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  if (v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    sets.push_back("v4");
  if (v3) sets.push_back("v3");
#endif
  sets.push_back("baseline");
  return sets;
}

const fewlevels::KernelSet& kernels_of(const std::string& instruction_set) {
  if (instruction_set == "baseline") return fewlevels::baseline::kernels;
#if defined(__x86_64__) || defined(_M_X64)
  if (instruction_set == "v3") return fewlevels::v3::kernels;
  if (instruction_set == "v4") return fewlevels::v4::kernels;
#endif
  throw std::invalid_argument("unknown instruction set " + instruction_set);
}
