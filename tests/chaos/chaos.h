// What the tests have in common that interrupt migrations.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

namespace migd {

// For migd: so soon it takes over what a server has left that is gone. Long enough for a server
// that lives to come back first, also on a busy machine.
inline constexpr char kTakeoverAfter[] = "1s";

// A number in the environment; `otherwise` if there is none.
inline uint64_t NumberInEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

// A request_id; drawn from `random`.
template <typename Random>
std::string NewRequestId(Random& random) {
  const uint64_t number = std::uniform_int_distribution<uint64_t>(0, 0xffffffffffff)(random);
  return absl::StrFormat("00000000-0000-4000-8000-%012x", number);
}

// CHAOS_SEED, or another seed each time. A test prints it.
inline uint64_t ChaosSeed() { return NumberInEnvironment("CHAOS_SEED", std::random_device()()); }

}  // namespace migd
