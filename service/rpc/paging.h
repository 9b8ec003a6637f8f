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

  // Ends it at `place` of a list of `total` items.
  void CutAt(size_t place, size_t total, absl::string_view fingerprint);
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

// How many items a page has. InvalidRequest for a negative size.
absl::StatusOr<int> PageSize(int page_size, PageLimits limits);

// For a list that has its own words for a place in it: the place of a token, empty for the first
// page, and the token of a place, empty if that is.
absl::StatusOr<std::string> PlaceOfToken(absl::string_view page_token,
                                         absl::string_view fingerprint);
std::string TokenOfPlace(absl::string_view place, absl::string_view fingerprint);

}  // namespace migd
