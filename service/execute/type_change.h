// What a change of a column's type costs, on a database as it is.
#pragma once

#include <string>

#include "absl/types/optional.h"

namespace migd {

// What PostgreSQL does to change the type of a column that has one already.
struct TypeChange {
  std::string column;
  // As format_type has them, but that the modifiers of `to` come last.
  std::string from;
  std::string to;
  // The table is written anew.
  bool rewrites = false;
  // It is not, but read from beginning to end: for constraints of the table, or for indexes.
  bool checks = false;
  bool rebuilds_indexes = false;
  // Values of `from` are not, or not as they are, among those of `to`; nothing where that is not
  // known here.
  absl::optional<bool> narrows;
};

}  // namespace migd
