#include "tests/fuzz/fuzzer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return migd::fuzz::Fuzz(migd::fuzz::CheckSymbol, data, size);
}
