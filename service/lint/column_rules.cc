// Rules about columns that are added to tables or changed in them.
#include <set>

#include "absl/strings/str_cat.h"
#include "service/lint/rule.h"

namespace migd {
namespace {

using Words = std::set<std::string>;

// Functions of PostgreSQL and its usual extensions that give another value at each call.
const Words& VolatileFunctions() {
  static const Words names = {"random",
                              "gen_random_uuid",
                              "gen_random_bytes",
                              "clock_timestamp",
                              "timeofday",
                              "nextval",
                              "currval",
                              "lastval",
                              "setval",
                              "uuid_generate_v1",
                              "uuid_generate_v1mc",
                              "uuid_generate_v4",
                              "uuidv4",
                              "uuidv7",
                              "random_normal",
                              "gen_salt",
                              "pg_sleep"};
  return names;
}

// Functions of PostgreSQL that a default may well call and that are stable or immutable.
const Words& SteadyFunctions() {
  static const Words names = {"now",
                              "transaction_timestamp",
                              "statement_timestamp",
                              "current_setting",
                              "timezone",
                              "date_trunc",
                              "date_part",
                              "extract",
                              "to_char",
                              "to_date",
                              "to_timestamp",
                              "to_json",
                              "to_jsonb",
                              "json_build_object",
                              "jsonb_build_object",
                              "json_build_array",
                              "jsonb_build_array",
                              "lower",
                              "upper",
                              "md5",
                              "concat",
                              "concat_ws",
                              "coalesce",
                              "make_date",
                              "make_interval",
                              "make_timestamptz",
                              "decode",
                              "encode",
                              "array_fill",
                              "to_tsvector",
                              "int4range",
                              "int8range",
                              "numrange",
                              "daterange",
                              "tsrange",
                              "tstzrange",
                              "point",
                              "inet",
                              "cidr",
                              "pg_current_xact_id",
                              "txid_current",
                              "session_user",
                              "current_user",
                              "current_database",
                              "current_schema",
                              "uuid_nil",
                              "abs",
                              "floor",
                              "ceil",
                              "round",
                              "length",
                              "trim",
                              "btrim",
                              "replace",
                              "left",
                              "right",
                              "sha256",
                              "row_to_json",
                              "age",
                              "version"};
  return names;
}

bool IsSerial(const std::string& type) {
  static const Words names = {"serial",  "serial2",   "serial4",
                              "serial8", "bigserial", "smallserial"};
  return names.count(type) > 0;
}

std::string ColumnText(const DefinedColumn& column) {
  return absl::StrCat("column ", QuotedName(column.column->colname));
}

// Columns that the statement adds to a table which others use.
template <typename Visit>
void ForEachAdded(const StatementView& view, const SectionState& section, Visit visit) {
  for (const DefinedColumn& column : view.columns) {
    if (column.is_added && !section.IsNew(column.table)) visit(column);
  }
}

enum class Steadiness { kSteady, kUnknown, kVolatile };

Steadiness SteadinessOf(const ObjectName& function) {
  const bool is_builtin = function.schema.empty() || function.schema == "pg_catalog";
  if (VolatileFunctions().count(function.name) > 0) return Steadiness::kVolatile;
  if (is_builtin && SteadyFunctions().count(function.name) > 0) return Steadiness::kSteady;
  return function.schema == "pg_catalog" ? Steadiness::kSteady : Steadiness::kUnknown;
}

void DefaultsThatAre(Steadiness wanted, const StatementView& view, const SectionState& section,
                     Hits& hits) {
  ForEachAdded(view, section, [&](const DefinedColumn& column) {
    const PgQuery__Constraint* constraint =
        FindConstraint(*column.column, PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT);
    if (constraint == nullptr) return;
    ForEachCall(constraint->raw_expr, [&](const ObjectName& function, size_t offset) {
      if (SteadinessOf(function) != wanted) return;
      const bool is_known = wanted == Steadiness::kVolatile;
      hits.push_back({offset,
                      absl::StrCat("the default ", function.Quoted(), "() of ", ColumnText(column),
                                   is_known ? " differs from row to row, so that "
                                            : " may differ from row to row; then ",
                                   column.table.Quoted(),
                                   is_known ? " is written anew while nobody can use it"
                                            : " would be written anew while nobody can use it"),
                      "", column.table});
    });
  });
}

void VolatileDefault(const StatementView& view, const SectionState& section, Hits& hits) {
  DefaultsThatAre(Steadiness::kVolatile, view, section, hits);
}

void UnknownDefault(const StatementView& view, const SectionState& section, Hits& hits) {
  DefaultsThatAre(Steadiness::kUnknown, view, section, hits);
}

void GeneratedStored(const StatementView& view, const SectionState& section, Hits& hits) {
  ForEachAdded(view, section, [&](const DefinedColumn& column) {
    if (FindConstraint(*column.column, PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED) == nullptr) return;
    hits.push_back({column.offset,
                    absl::StrCat("the values of generated ", ColumnText(column),
                                 " are computed "
                                 "by writing ",
                                 column.table.Quoted(), " anew while nobody can use it"),
                    "", column.table});
  });
}

void IdentityOnExisting(const StatementView& view, const SectionState& section, Hits& hits) {
  ForEachAdded(view, section, [&](const DefinedColumn& column) {
    const bool is_identity =
        FindConstraint(*column.column, PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY) != nullptr;
    if (!is_identity && !IsSerial(TypeOf(column.column->type_name))) return;
    hits.push_back({column.offset,
                    absl::StrCat("numbering the rows in ", is_identity ? "identity " : "serial ",
                                 ColumnText(column), " writes ", column.table.Quoted(),
                                 " anew while nobody can use it"),
                    "", column.table});
  });
}

void RequiredColumn(const StatementView& view, const SectionState& section, Hits& hits) {
  ForEachAdded(view, section, [&](const DefinedColumn& column) {
    const auto has = [&](PgQuery__ConstrType kind) {
      return FindConstraint(*column.column, kind) != nullptr;
    };
    const bool required =
        has(PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL) || has(PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY);
    const bool filled =
        has(PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT) || has(PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY) ||
        has(PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED) || IsSerial(TypeOf(column.column->type_name));
    if (!required || filled) return;
    hits.push_back({column.offset,
                    absl::StrCat(ColumnText(column),
                                 " is NOT NULL without a default: it cannot be "
                                 "added to ",
                                 column.table.Quoted(),
                                 " if that has rows, and "
                                 "programs that do not know it cannot insert any"),
                    "", column.table});
  });
}

// Whether the change depends on the type that the column has: such a type takes all values of some
// others as they are, without touching a row.
bool MayBeFree(const PgQuery__ColumnDef& column) {
  static const Words names = {"text",      "varchar",     "numeric",  "varbit",
                              "timestamp", "timestamptz", "interval", "citext"};
  return column.raw_default == nullptr && names.count(TypeOf(column.type_name)) > 0;
}

template <typename Visit>
void ForEachTypeChange(const StatementView& view, const SectionState& section, Visit visit) {
  for (const AlterCommand& command : view.commands) {
    if (command.command->subtype != PG_QUERY__ALTER_TABLE_TYPE__AT_AlterColumnType ||
        command.kind != PG_QUERY__OBJECT_TYPE__OBJECT_TABLE || section.IsNew(command.relation)) {
      continue;
    }
    visit(command, *command.command->def->column_def);
  }
}

std::string ChangeText(const AlterCommand& command, const PgQuery__ColumnDef& column) {
  return absl::StrCat("column ", QuotedName(command.command->name), " of ",
                      command.relation.Quoted(), " to ", TypeText(column.type_name));
}

void TypeChange(const StatementView& view, const SectionState& section, Hits& hits) {
  ForEachTypeChange(
      view, section, [&](const AlterCommand& command, const PgQuery__ColumnDef& column) {
        if (MayBeFree(column)) return;
        hits.push_back(
            {command.offset,
             absl::StrCat("changing ", ChangeText(command, column),
                          " writes the table and its indexes anew while nobody can use it"),
             "", command.relation, command.command->name});
      });
}

void TypeChangeMayRewrite(const StatementView& view, const SectionState& section, Hits& hits) {
  ForEachTypeChange(
      view, section, [&](const AlterCommand& command, const PgQuery__ColumnDef& column) {
        if (!MayBeFree(column)) return;
        hits.push_back(
            {command.offset,
             absl::StrCat("changing ", ChangeText(command, column),
                          " writes the table anew while nobody can use it, unless the type "
                          "that it has is compatible"),
             "", command.relation, command.command->name});
      });
}

void NarrowingType(const StatementView& view, const SectionState& section, Hits& hits) {
  static const Words always = {"int2", "float4", "date", "time", "timetz", "bool"};
  static const Words with_length = {"varchar", "bpchar",    "numeric",    "varbit",
                                    "bit",     "timestamp", "timestamptz"};
  ForEachTypeChange(
      view, section, [&](const AlterCommand& command, const PgQuery__ColumnDef& column) {
        const std::string type = TypeOf(column.type_name);
        const bool has_length = column.type_name->n_typmods > 0;
        if (always.count(type) == 0 && !(has_length && with_length.count(type) > 0)) return;
        hits.push_back({command.offset,
                        absl::StrCat("changing ", ChangeText(command, column),
                                     " fails at values that do not fit, or cuts them down"),
                        "", command.relation, command.command->name});
      });
}

}  // namespace

std::vector<Rule> ColumnRules() {
  return {
      {"volatile-default", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "A constant default is kept in the catalogue (since PostgreSQL 11); one that differs from "
       "row to row is written into all of them under an ACCESS EXCLUSIVE lock.",
       "ADD COLUMN without a default, then ALTER COLUMN ... SET DEFAULT, and fill the rows that "
       "are there in a later revision, in batches",
       VolatileDefault},
      {"unknown-default", kWarning, Harm::kGrowsWithTable, InDown::kWarning,
       "A function is volatile unless it was declared otherwise, and a volatile default makes "
       "ADD COLUMN rewrite the table.",
       "make sure that the function is STABLE or IMMUTABLE, or add the column without a default "
       "and SET DEFAULT afterwards",
       UnknownDefault},
      {"generated-stored", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "A stored generated column is computed for every row under an ACCESS EXCLUSIVE lock.",
       "add an ordinary column, fill it by a trigger, and the rows that are there in batches",
       GeneratedStored},
      {"identity-on-existing-table", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "A serial or identity column numbers every row: the table is rewritten under an ACCESS "
       "EXCLUSIVE lock.",
       "add a bigint column, number the rows in batches, then make its index CONCURRENTLY and its "
       "identity",
       IdentityOnExisting},
      {"required-column", kError, Harm::kNeedsRows, InDown::kWarning,
       "ADD COLUMN ... NOT NULL without a default fails on a table with rows, and breaks every "
       "INSERT of programs that do not know the column.",
       "give it a default, or add it nullable and SET NOT NULL when all rows have a value",
       RequiredColumn},
      {"type-change", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "ALTER COLUMN ... TYPE rewrites the table and its indexes under an ACCESS EXCLUSIVE lock "
       "where the two types are stored differently; programs and views that know the old type may "
       "break.",
       "add a column of the new type, keep both filled by a trigger, fill the old rows in batches, "
       "then let the programs change over",
       TypeChange},
      {"type-change-may-rewrite", kWarning, Harm::kGrowsWithTable, InDown::kIgnored,
       "Some changes touch no row: varchar(n) to a longer one or to text, numeric to more digits "
       "of "
       "the same scale. All others rewrite or check the table under an ACCESS EXCLUSIVE lock.",
       "look at the type that the column has; if it is not compatible, add a column of the new "
       "type and fill it in batches",
       TypeChangeMayRewrite},
      {"narrowing-type", kWarning, Harm::kNeedsRows, InDown::kIgnored,
       "A narrower type refuses the values that do not fit, in the middle of the migration, or "
       "loses digits.",
       "check the values first, or forbid new ones by a CHECK ... NOT VALID", NarrowingType},
  };
}

}  // namespace migd
