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

absl::Status WrongToken() {
  return errors::InvalidRequest(
      "page_token",
      "does not belong to this request, or the list has changed; ask for the first page again");
}

// What a token of this list says of the place where its page begins.
absl::StatusOr<std::string> PlaceOf(absl::string_view page_token, absl::string_view digest) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(page_token, absl::MaxSplits('-', 1));
  if (parts.first != digest || parts.second.empty()) return WrongToken();
  return parts.second;
}

absl::StatusOr<size_t> SizeOf(int page_size, PageLimits limits) {
  if (page_size < 0) return errors::InvalidRequest("page_size", "must not be negative");
  return static_cast<size_t>(page_size == 0 ? limits.normal : std::min(page_size, limits.most));
}

}  // namespace

absl::StatusOr<Page> FindPage(size_t total, int page_size, absl::string_view page_token,
                              PageLimits limits, absl::string_view fingerprint) {
  const auto size = SizeOf(page_size, limits);
  if (!size.ok()) return size.status();
  const std::string digest = Digest(fingerprint);
  Page page;
  if (!page_token.empty()) {
    const auto place = PlaceOf(page_token, digest);
    if (!place.ok()) return place.status();
    if (!absl::SimpleAtoi(*place, &page.begin)) return WrongToken();
  }
  page.begin = std::min(page.begin, total);
  page.end = page.begin + std::min(*size, total - page.begin);
  if (page.end < total) page.next_token = absl::StrCat(digest, "-", page.end);
  return page;
}

absl::StatusOr<Page> FindPageAfterId(const std::vector<std::string>& ids, int page_size,
                                     absl::string_view page_token, PageLimits limits,
                                     absl::string_view fingerprint) {
  const auto size = SizeOf(page_size, limits);
  if (!size.ok()) return size.status();
  const std::string digest = Digest(fingerprint);
  Page page;
  if (!page_token.empty()) {
    const auto id = PlaceOf(page_token, digest);
    if (!id.ok()) return id.status();
    const auto last = std::find(ids.begin(), ids.end(), *id);
    page.begin = last == ids.end() ? ids.size() : last - ids.begin() + 1;
  }
  page.end = page.begin + std::min(*size, ids.size() - page.begin);
  if (page.end < ids.size()) page.next_token = absl::StrCat(digest, "-", ids[page.end - 1]);
  return page;
}

}  // namespace migd
