// `migd hash-token`: lines for the file of tokens.
#pragma once

#include <string>

namespace migd {

// What the command was given.
struct HashTokenArguments {
  std::string name;
  // Where to put a token that is made; empty: the token is on stdin.
  std::string new_file;
  // When it expires, as in 2027-01-31T00:00:00Z; empty: never.
  std::string expires;
};

// Prints the line for a token to stdout. Returns the exit code: 0, or 1 with the reason on stderr.
int HashToken(const HashTokenArguments& arguments);

}  // namespace migd
