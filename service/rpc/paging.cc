#include "service/rpc/paging.h"

#include <algorithm>
#include <utility>

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

}  // namespace

absl::StatusOr<int> PageSize(int page_size, PageLimits limits) {
  if (page_size < 0) return errors::InvalidRequest("page_size", "must not be negative");
  return page_size == 0 ? limits.normal : std::min(page_size, limits.most);
}

absl::StatusOr<std::string> PlaceOfToken(absl::string_view page_token,
                                         absl::string_view fingerprint) {
  if (page_token.empty()) return std::string();
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(page_token, absl::MaxSplits('-', 1));
  if (parts.first != Digest(fingerprint) || parts.second.empty()) return WrongToken();
  return parts.second;
}

std::string TokenOfPlace(absl::string_view place, absl::string_view fingerprint) {
  return place.empty() ? "" : absl::StrCat(Digest(fingerprint), "-", place);
}

absl::StatusOr<Page> FindPage(size_t total, int page_size, absl::string_view page_token,
                              PageLimits limits, absl::string_view fingerprint) {
  const auto size = PageSize(page_size, limits);
  if (!size.ok()) return size.status();
  const auto place = PlaceOfToken(page_token, fingerprint);
  if (!place.ok()) return place.status();
  Page page;
  if (!place->empty() && !absl::SimpleAtoi(*place, &page.begin)) return WrongToken();
  page.begin = std::min(page.begin, total);
  page.CutAt(page.begin + std::min(static_cast<size_t>(*size), total - page.begin), total,
             fingerprint);
  return page;
}

void Page::CutAt(size_t place, size_t total, absl::string_view fingerprint) {
  end = place;
  next_token = end < total ? TokenOfPlace(absl::StrCat(end), fingerprint) : "";
}

}  // namespace migd
