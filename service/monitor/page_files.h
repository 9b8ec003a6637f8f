// The files of the status page, as they stand in page/: a part of the program.
#pragma once

#include "absl/strings/string_view.h"

namespace migd {

extern const absl::string_view kPageHtml;
extern const absl::string_view kPageCss;
extern const absl::string_view kPageJs;

}  // namespace migd
