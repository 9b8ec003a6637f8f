// Pages of a list: AIP-158's page_size and page_token.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace migd {

// Which part of a list a page is.
struct Page {
  size_t begin = 0;
  size_t end = 0;
  // For the page after it; empty for the last one.
  std::string next_token;
};

// How large pages are.
struct PageLimits {
  int normal;
  int most;
};

// The page of a list of `total` items that a request asks for. `fingerprint` stands for what the
// list depends on; a token of another list is InvalidRequest, as is a negative size.
absl::StatusOr<Page> FindPage(size_t total, int page_size, absl::string_view page_token,
                              PageLimits limits, absl::string_view fingerprint);

// The same for a list that grows at its front while it is read: the token is the id of the last
// item of the page before, so that no item comes twice. `ids` are those of the list's items; if
// that item is gone, so are those after it.
absl::StatusOr<Page> FindPageAfterId(const std::vector<std::string>& ids, int page_size,
                                     absl::string_view page_token, PageLimits limits,
                                     absl::string_view fingerprint);

}  // namespace migd
