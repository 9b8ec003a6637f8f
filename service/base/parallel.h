// Work on many things side by side.
#pragma once

#include <cstddef>
#include <functional>

namespace migd {

// Calls `work` for parts of the range from 0 to `count`, each of `least` or more, on the calling
// thread and on others, at most as many as there are processors; on the calling thread alone if
// there is not enough for two. Returns when all have ended.
void InParallel(size_t count, size_t least,
                const std::function<void(size_t begin, size_t end)>& work);

}  // namespace migd
