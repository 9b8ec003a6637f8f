#include "service/postgres/database_options.h"

#include "absl/strings/str_cat.h"

namespace migd {

// PostgreSQL 15 has ICU for databases, 16 its rules, 17 a provider of its own and another name for
// the locale.
std::string CreateOptionsOf(pqxx::transaction_base& work) {
  const pqxx::row row = work.exec1(
      "SELECT pg_encoding_to_char(encoding), datcollate, datctype, "
      "coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'), "
      "coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'), "
      "to_jsonb(d) ->> 'daticurules' "
      "FROM pg_database d WHERE datname = current_database()");
  const auto text = [&](int column) { return work.quote(row[column].as<std::string>("")); };
  std::string options = absl::StrCat(" TEMPLATE template0 ENCODING ", text(0), " LC_COLLATE ",
                                     text(1), " LC_CTYPE ", text(2));
  const auto provider = row[3].as<std::string>();
  if (provider == "i") {
    absl::StrAppend(&options, " LOCALE_PROVIDER icu ICU_LOCALE ", text(4));
    if (!row[5].is_null()) absl::StrAppend(&options, " ICU_RULES ", text(5));
  } else if (provider == "b") {
    absl::StrAppend(&options, " LOCALE_PROVIDER builtin BUILTIN_LOCALE ", text(4));
  }
  return options;
}

}  // namespace migd
