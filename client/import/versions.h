// What the version in the name of a migration file says. Pure; safe from any thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "client/import/reading.h"

namespace migctl {

// Whether version `a` comes before `b`: numbers separated by dots, compared number by number
// whatever their length; numbers that are not there are 0. So neither of 1, 01 and 1.0 comes before
// another.
bool VersionLess(absl::string_view a, absl::string_view b);

// The time that a version of the form yyyymmddhhmmss stands for, in UTC, if it is one between 1990
// and 2100.
absl::optional<absl::Time> DateOfVersion(absl::string_view version);

// A description as a file name has it, in words: underscores are spaces.
std::string WordsOf(absl::string_view description);

// The revision of the file with `version` and `description`, without parents.
migd::Revision RevisionOf(absl::string_view version, absl::string_view description);

// Sorts `revisions` by `less`, which compares ids, and lets each revise the one before it. Two of
// which neither comes before the other are a problem.
void LinkInOrder(Reading& reading,
                 const std::function<bool(absl::string_view, absl::string_view)>& less);

// Notes how many of the revisions have no down section, if there are any; `why` says what the peer
// has none of, such as "no undo file".
void NoteMissingDowns(Reading& reading, absl::string_view why);

}  // namespace migctl
