// A line of a file with what is at fault underlined, as compilers show it. Pure.
#pragma once

#include <string>

#include "client/terminal.h"

namespace migctl {

struct SourcePlace {
  // Where it is; printed as `file:line`, or `file:line:column` if `shows_column` is set.
  std::string file;
  // From 1; 0 if it is not known.
  int line = 0;
  bool shows_column = false;
  // The line; empty if it is not known.
  std::string text;
  // What is at fault in it, in characters from 1; 0 underlines nothing.
  int column = 0;
  int length = 1;
};

// The place and the line, several lines with a newline each. A line that is longer than `width` is
// shown around the fault; 0 is any width. Everything is escaped.
std::string SourceExcerpt(const SourcePlace& place, const Style& style, int width);

}  // namespace migctl
