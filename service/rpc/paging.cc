#include "service/rpc/paging.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "service/base/errors.h"
#include "service/base/sha256.h"

namespace migd {
namespace {

std::string Digest(absl::string_view fingerprint) {
  Sha256 hash;
  hash.Update(fingerprint);
  return hash.FinishHex().substr(0, 16);
}

}  // namespace

absl::StatusOr<Page> FindPage(size_t total, int page_size, absl::string_view page_token,
                              PageLimits limits, absl::string_view fingerprint) {
  if (page_size < 0) return errors::InvalidRequest("page_size", "must not be negative");
  const auto size =
      static_cast<size_t>(page_size == 0 ? limits.normal : std::min(page_size, limits.most));
  Page page;
  const std::string digest = Digest(fingerprint);
  if (!page_token.empty()) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(page_token, '-');
    if (parts.first != digest || !absl::SimpleAtoi(parts.second, &page.begin)) {
      return errors::InvalidRequest(
          "page_token",
          "does not belong to this request, or the list has changed; ask for the first page again");
    }
  }
  page.begin = std::min(page.begin, total);
  page.end = std::min(page.begin + size, total);
  if (page.end < total) page.next_token = absl::StrCat(digest, "-", page.end);
  return page;
}

}  // namespace migd
