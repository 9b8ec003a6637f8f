// An error as a person reads it, in the form of a compiler's: what failed, where, what PostgreSQL
// said, what state remains, and what to do next.
#pragma once

#include <string>

#include "client/terminal.h"
#include "migration/v1/error.pb.h"

namespace migctl {

// The report, several lines with a newline each:
//
//     error: revision 7c20 failed at statement 2 of 2 [STATEMENT_FAILED]
//       --> 7c20_add_discount.sql:7
//        |
//      7 | CREATE INDEX CONCURRENTLY items_discount ON order_items (discont)
//        |                                                          ^^^^^^^
//     postgres 42703: column "discont" does not exist
//     state: statement 1 stays applied
//     hint:  correct line 7, then: migctl upgrade head
//
// What would destroy data is followed by a line for each loss, and by the confirmation for it.
// A source line that is longer than `width` is shown around the fault; 0 is any width. Everything
// that comes from the server is escaped. Pure.
std::string ErrorReport(const migration::v1::Error& error, const Style& style, int width);

}  // namespace migctl
