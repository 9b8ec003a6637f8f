// Where a command's results and errors go: results to stdout, everything else to stderr, as text or
// as JSON.
#pragma once

#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/exit_code.h"
#include "client/invocation.h"
#include "client/terminal.h"
#include "google/protobuf/message.h"
#include "migration/v1/error.pb.h"

namespace migctl {

// What the text of a report depends on besides what it reports.
struct TextSettings {
  // People look at it on a terminal; otherwise programs read it line by line.
  bool terminal = false;
  Style style{false};
  // 0 where lines may be of any length.
  int width = 0;
  absl::Time now = absl::UnixEpoch();
};

// Thread-safe. The terminals must outlive it.
class Output {
 public:
  Output(OutputFormat format, Terminal& out, Terminal& err)
      : format_(format), out_(out), err_(err) {}

  bool json() const { return format_ == OutputFormat::kJson; }

  // Prints a result. `response` is the report: as JSON it is printed as it is, as text `text`,
  // whole lines or nothing, tells what it says; parts of lines where nothing else is shown.
  using TextOf = std::function<std::string(const TextSettings&)>;
  void Result(const google::protobuf::Message& response, const TextOf& text);

  // The same for a result that no message describes: one line of JSON without a newline, and the
  // text.
  void Result(absl::string_view json_line, absl::string_view text);

  // Prints lines of text to stdout; nothing with JSON.
  void ResultText(absl::string_view lines);

  // Prints whole lines that are no report, such as a script for a shell, to stdout, whatever the
  // format.
  void Raw(absl::string_view lines);

  // Prints an error and returns the exit code that it calls for.
  ExitCode Fail(const migration::v1::Error& error);

  // Says something about what is going on, or about a result that is there all the same, in one
  // line on stderr; nothing with JSON.
  void Note(absl::string_view line);
  void Warning(absl::string_view line);

  // Progress is shown here.
  Terminal& err() { return err_; }

 private:
  const OutputFormat format_;
  Terminal& out_;
  Terminal& err_;
};

}  // namespace migctl
