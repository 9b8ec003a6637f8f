// Asks whoever calls an operation that destroys data whether that is meant.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "client/output.h"
#include "migration/v1/error.pb.h"

namespace migctl {

// A terminal with a person at it. Both functions are called on one thread.
struct Prompt {
  // Whether somebody can be asked.
  bool available = false;
  // Shows a question, without a newline behind it, and reads a line; nothing at its end.
  std::function<std::optional<std::string>(const std::string& question)> ask;
};

// Standard input, if it and standard error are terminals.
Prompt TerminalPrompt();

// The call was refused because its plan destroys data, and can be confirmed.
bool CanBeConfirmed(const migration::v1::Error& error);

// A value of the metadata of an error; empty if there is none.
std::string Metadata(const migration::v1::Error& error, const std::string& key);

// Shows what `error`, for which CanBeConfirmed holds, says will be lost, and has the person type
// the name of the database. Nothing if they do; otherwise what they did instead.
std::optional<migration::v1::Error> AskForConfirmation(const migration::v1::Error& error,
                                                       const Prompt& prompt, Output& output);

// The request_id of the call that confirms one with `request_id`: another one, and for the same
// confirmation the same, so that a command line that is repeated attaches to what it has made.
std::string ConfirmedRequestId(const std::string& request_id, const std::string& confirmation);

}  // namespace migctl
