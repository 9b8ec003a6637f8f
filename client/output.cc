#include "client/output.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/error_report.h"
#include "client/json.h"

namespace migctl {

void Output::Result(const google::protobuf::Message& response, const TextOf& text) {
  if (json()) {
    Result(ToJson(response), "");
  } else {
    ResultText(text({out_.smart(), out_.style(), out_.width(), absl::Now()}));
  }
}

void Output::Result(absl::string_view json_line, absl::string_view text) {
  if (json()) out_.Print(absl::StrCat(json_line, "\n"));
  ResultText(text);
}

void Output::ResultText(absl::string_view lines) {
  if (!json()) Raw(lines);
}

void Output::Raw(absl::string_view lines) {
  // Both streams may be the same terminal.
  err_.ClearLiveLine();
  out_.Print(lines);
}

ExitCode Output::Fail(const migration::v1::Error& error) {
  err_.ClearLiveLine();
  err_.Print(json() ? absl::StrCat(ErrorJson(error), "\n")
                    : ErrorReport(error, err_.style(), err_.width()));
  return ExitCodeOf(error);
}

void Output::Note(absl::string_view line) {
  if (!json()) err_.Print(absl::StrCat(line, "\n"));
}

void Output::Warning(absl::string_view line) {
  Note(absl::StrCat(err_.style().Warning("warning:"), " ", line));
}

}  // namespace migctl
