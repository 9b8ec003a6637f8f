// What the fuzzers have in common: how libFuzzer learns of a broken property.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "tests/fuzz/properties.h"

namespace migd::fuzz {

// Runs `check` on what libFuzzer hands over, and ends the program, which libFuzzer reports, if it
// breaks a property.
inline int Fuzz(Broken (*check)(absl::string_view), const uint8_t* data, size_t size) {
  const Broken broken = check(absl::string_view(reinterpret_cast<const char*>(data), size));
  for (const std::string& property : broken) std::fprintf(stderr, "broken: %s\n", property.c_str());
  if (!broken.empty()) std::abort();
  return 0;
}

}  // namespace migd::fuzz
