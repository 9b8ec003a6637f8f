// What the tests have in common that interrupt migrations.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>

#include "absl/strings/numbers.h"

namespace migd {

// Whether operations are kept in the database: then they outlive their server and its connections,
// whoever follows one is told its end, and a request_id is known to every server.
inline constexpr bool kOperationsAreDurable = false;

// A number in the environment; `otherwise` if there is none.
inline uint64_t NumberInEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

// CHAOS_SEED, or another seed each time. A test prints it.
inline uint64_t ChaosSeed() { return NumberInEnvironment("CHAOS_SEED", std::random_device()()); }

}  // namespace migd
