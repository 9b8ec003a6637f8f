// What may stand at the cursor of a command line that is being typed.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/cli/description.h"

namespace migctl {

// How long the server may take to answer somebody who waits at the cursor.
inline constexpr absl::Duration kCompletionTimeout = absl::Seconds(1);

// One word that may stand there, and what it is; the description may be empty.
struct Candidate {
  std::string text;
  std::string description;
};

// Names of files are for the shell to complete: it knows how they are quoted.
enum class FileNames { kNone, kFiles, kDirectories };

struct Completion {
  // Whole words, in the order in which they are best shown.
  std::vector<Candidate> candidates;
  FileNames files = FileNames::kNone;
};

// What only the server knows. Each is asked once at most, and answers with nothing if the server
// does not.
class CompletionSource {
 public:
  virtual ~CompletionSource() = default;
  // The symbols and ids of revisions, newest first.
  virtual std::vector<Candidate> Revisions() = 0;
  virtual std::vector<Candidate> Operations() = 0;
  virtual std::vector<Candidate> Databases() = 0;
};

// Completes the last of `words`, which are those behind the program's name and at least one.
Completion Complete(const cli::Command& grammar, const std::vector<std::string>& words,
                    CompletionSource& source);

// The global options among all but the last of `words`, with their values.
std::vector<std::string> GlobalOptionsIn(const cli::Command& grammar,
                                         const std::vector<std::string>& words);

// The shells that there is a script for, and the script of one of them.
const std::vector<std::string>& CompletionShells();
std::string CompletionScript(const std::string& shell);

}  // namespace migctl
