// Queries of the service's own that are run often, apart from their values.
#pragma once

#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/postgres/connection.h"

namespace migd {

// The values that go beside the text of a query. Each function adds one, and returns the expression
// that stands for it in the text; so the text is the same whatever the values are.
class QueryParameters {
 public:
  std::string Text(absl::string_view value);
  // NULL if it is empty.
  std::string TextOrNull(absl::string_view value);
  std::string TextArray(const std::vector<std::string>& values);
  std::string Integer(int64_t value);
  // In microseconds; NULL if it is absl::InfiniteFuture().
  std::string Time(absl::Time value);
  std::string Bytes(absl::string_view value);
  // NULL if it is empty.
  std::string BytesOrNull(absl::string_view value);

  const std::vector<pqxx::binarystring>& values() const { return values_; }

 private:
  std::string Add(absl::string_view value, absl::string_view type);

  std::vector<pqxx::binarystring> values_;
};

// Runs `sql` on the connection of `work`. It is prepared there at its first use, since to read and
// plan a query takes longer than to run it; unless very many others are. Throws libpqxx's
// exceptions.
pqxx::result Run(Connection& connection, pqxx::transaction_base& work, const std::string& sql,
                 const QueryParameters& parameters);

}  // namespace migd
