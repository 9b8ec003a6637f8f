#include "service/postgres/parameterized_query.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "service/database/service_sql.h"

namespace migd {
namespace {

// They are sent as they are, without quotes and escapes: a text and a bytea are then their bytes.
std::string Element(absl::string_view text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

}  // namespace

std::string QueryParameters::Text(absl::string_view value) { return Add(value, "text"); }

std::string QueryParameters::TextOrNull(absl::string_view value) {
  return absl::StrCat("nullif(", Text(value), ", '')");
}

std::string QueryParameters::TextArray(const std::vector<std::string>& values) {
  const std::string array = absl::StrJoin(
      values, ",", [](std::string* out, const std::string& text) { out->append(Element(text)); });
  return absl::StrCat(Text(absl::StrCat("{", array, "}")), "::text[]");
}

std::string QueryParameters::Integer(int64_t value) {
  return absl::StrCat(Text(absl::StrCat(value)), "::bigint");
}

std::string QueryParameters::Time(absl::Time value) {
  const std::string seconds = value == absl::InfiniteFuture() ? "" : EpochSeconds(value);
  return absl::StrCat("to_timestamp(", TextOrNull(seconds), "::double precision)");
}

std::string QueryParameters::Bytes(absl::string_view value) { return Add(value, "bytea"); }

std::string QueryParameters::BytesOrNull(absl::string_view value) {
  return absl::StrCat("nullif(", Bytes(value), ", '')");
}

std::string QueryParameters::Add(absl::string_view value, absl::string_view type) {
  values_.emplace_back(value.data(), value.size());
  return absl::StrCat("$", values_.size(), "::", type);
}

pqxx::result Run(Connection& connection, pqxx::transaction_base& work, const std::string& sql,
                 const QueryParameters& parameters) {
  const auto values = pqxx::prepare::make_dynamic_params(parameters.values());
  const std::string name = connection.PreparedName(sql);
  return name.empty() ? work.exec_params(sql, values) : work.exec_prepared(name, values);
}

}  // namespace migd
