// Rules about the types and the names that new columns get.
#include <set>

#include "absl/strings/str_cat.h"
#include "service/lint/rule.h"
#include "service/script/sql_lexer.h"

namespace migd {
namespace {

using Words = std::set<std::string>;

size_t TypeOffset(const DefinedColumn& column) {
  const PgQuery__TypeName* type = column.column->type_name;
  return type != nullptr && type->location > 0 ? static_cast<size_t>(type->location)
                                               : column.offset;
}

// Columns that are defined with one of the types.
void ColumnsOfType(const StatementView& view, const Words& types, const char* problem, Hits& hits) {
  for (const DefinedColumn& column : view.columns) {
    if (types.count(TypeOf(column.column->type_name)) == 0) continue;
    hits.push_back({TypeOffset(column), absl::StrCat("column ", QuotedName(column.column->colname),
                                                     " of ", column.table.Quoted(), " ", problem)});
  }
}

void CharType(const StatementView& view, const SectionState&, Hits& hits) {
  ColumnsOfType(view, {"bpchar"}, "is filled up with blanks to its length, and loses its own",
                hits);
}

void VarcharLength(const StatementView& view, const SectionState&, Hits& hits) {
  for (const DefinedColumn& column : view.columns) {
    const PgQuery__TypeName* type = column.column->type_name;
    if (TypeOf(type) != "varchar" || type->n_typmods == 0) continue;
    hits.push_back(
        {TypeOffset(column),
         absl::StrCat("column ", QuotedName(column.column->colname), " of ", column.table.Quoted(),
                      " has a length that only ALTER COLUMN ... TYPE can change")});
  }
}

void TimestampWithoutZone(const StatementView& view, const SectionState&, Hits& hits) {
  ColumnsOfType(view, {"timestamp", "timetz"}, "does not say which instant it means", hits);
}

void MoneyType(const StatementView& view, const SectionState&, Hits& hits) {
  ColumnsOfType(view, {"money"}, "is read and rounded by the lc_monetary of whoever looks", hits);
}

void JsonType(const StatementView& view, const SectionState&, Hits& hits) {
  ColumnsOfType(view, {"json"}, "cannot be compared: SELECT DISTINCT and GROUP BY fail", hits);
}

void SerialType(const StatementView& view, const SectionState&, Hits& hits) {
  ColumnsOfType(view, {"serial", "serial2", "serial4", "serial8", "bigserial", "smallserial"},
                "has a sequence with owner and privileges of its own", hits);
}

// The names of the columns that a table's own PRIMARY KEY lists.
Words KeyColumns(const PgQuery__CreateStmt& create) {
  Words names;
  for (size_t i = 0; i < create.n_table_elts; ++i) {
    const PgQuery__Constraint* constraint = ConstraintOf(create.table_elts[i]);
    if (constraint == nullptr || constraint->contype != PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY) {
      continue;
    }
    // A key of several columns is not counted up.
    if (constraint->n_keys == 1) names.insert(TextOf(constraint->keys[0]));
  }
  return names;
}

void SmallKey(const StatementView& view, const SectionState&, Hits& hits) {
  static const Words small = {"int2", "int4", "serial", "serial2", "serial4", "smallserial"};
  const auto* create = view.As(PG_QUERY__NODE__NODE_CREATE_STMT, &PgQuery__Node::create_stmt);
  const Words keys = create == nullptr ? Words() : KeyColumns(*create);
  for (const DefinedColumn& column : view.columns) {
    const std::string type = TypeOf(column.column->type_name);
    const bool is_key =
        keys.count(column.column->colname) > 0 ||
        FindConstraint(*column.column, PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY) != nullptr;
    if (!is_key || small.count(type) == 0) continue;
    hits.push_back(
        {TypeOffset(column),
         absl::StrCat("key ", QuotedName(column.column->colname), " of ", column.table.Quoted(),
                      " runs out of numbers: ", TypeText(column.column->type_name), " ends at ",
                      type == "int2" || type == "smallserial" || type == "serial2"
                          ? "32767"
                          : "2147483647")});
  }
}

void SmallInteger(const StatementView& view, const SectionState&, Hits& hits) {
  ColumnsOfType(view, {"int2", "int4", "serial", "serial2", "serial4", "smallserial"},
                "ends where its numbers do; to widen it rewrites the table", hits);
}

void UnqualifiedTable(const StatementView& view, const SectionState&, Hits& hits) {
  const auto* create = view.As(PG_QUERY__NODE__NODE_CREATE_STMT, &PgQuery__Node::create_stmt);
  if (create == nullptr || *create->relation->schemaname != '\0' ||
      std::string(create->relation->relpersistence) == "t") {
    return;
  }
  hits.push_back({0, absl::StrCat("table ", ObjectOf(create->relation).Quoted(),
                                  " is made in whichever schema the search_path begins with")});
}

void EnumValueOrder(const StatementView& view, const SectionState&, Hits& hits) {
  const auto* alter =
      view.As(PG_QUERY__NODE__NODE_ALTER_ENUM_STMT, &PgQuery__Node::alter_enum_stmt);
  if (alter == nullptr || *alter->old_val != '\0' || *alter->new_val_neighbor != '\0') return;
  hits.push_back({0, absl::StrCat("value ", alter->new_val, " comes behind all others of ",
                                  ObjectOf(alter->type_name, alter->n_type_name).Quoted())});
}

void IdentifierTooLong(const StatementView& view, const SectionState&, Hits& hits) {
  // NAMEDATALEN - 1 of a PostgreSQL as it is shipped.
  constexpr size_t kLongest = 63;
  SqlLexer lexer(view.statement.text);
  for (Token token = lexer.NextOfStatement(); token.kind != Token::Kind::kEnd;
       token = lexer.NextOfStatement()) {
    const bool quoted = token.kind == Token::Kind::kQuotedName;
    if (!quoted && token.kind != Token::Kind::kWord) continue;
    const size_t size = token.end - token.begin - (quoted ? 2 : 0);
    if (size <= kLongest) continue;
    hits.push_back({token.begin, absl::StrCat("the name ", lexer.TextOf(token), " has ", size,
                                              " bytes; PostgreSQL cuts it off after ", kLongest)});
  }
}

}  // namespace

std::vector<Rule> TypeRules() {
  return {
      {"char-type", kWarning, Harm::kAlways, InDown::kIgnored,
       "char(n) is filled up with blanks, which comparisons and length() then pass over; it saves "
       "nothing.",
       "text, with a CHECK of its length if it has one", CharType},
      {"varchar-length", kOff, Harm::kAlways, InDown::kIgnored,
       "The length of varchar(n) is part of the type: to shorten it checks every row under an "
       "ACCESS EXCLUSIVE lock, while a CHECK can be changed without.",
       "text with a CHECK (length(column) <= n)", VarcharLength},
      {"timestamp-without-zone", kWarning, Harm::kAlways, InDown::kIgnored,
       "timestamp keeps no zone: what instant it is depends on who wrote it. time with time zone "
       "has a zone but no date to tell daylight saving by.",
       "timestamp with time zone", TimestampWithoutZone},
      {"money-type", kWarning, Harm::kAlways, InDown::kIgnored,
       "money is printed, read and rounded by lc_monetary, and knows no currency.",
       "numeric, and the currency in a column of its own", MoneyType},
      {"json-type", kWarning, Harm::kAlways, InDown::kIgnored,
       "json has no equality and keeps its text: DISTINCT, GROUP BY and UNION fail, and indexes "
       "cannot be had.",
       "jsonb", JsonType},
      {"serial-type", kOff, Harm::kAlways, InDown::kIgnored,
       "serial is not a type: it makes a sequence with an owner and privileges of its own, and "
       "lets anybody insert any number.",
       "bigint GENERATED ALWAYS AS IDENTITY", SerialType},
      {"small-key", kWarning, Harm::kAlways, InDown::kIgnored,
       "A key that runs out of numbers stops every INSERT, and to widen it rewrites the table and "
       "those that refer to it.",
       "bigint", SmallKey},
      {"small-integer", kOff, Harm::kAlways, InDown::kIgnored,
       "A column that may have to hold larger numbers some day is widened by rewriting its table.",
       "bigint", SmallInteger},
      {"unqualified-table", kOff, Harm::kAlways, InDown::kIgnored,
       "A table without a schema is made in the first schema of the search_path, which is a "
       "setting of the role, the database and the session.",
       "name the schema: CREATE TABLE app.orders", UnqualifiedTable},
      {"enum-value-order", kOff, Harm::kAlways, InDown::kIgnored,
       "ALTER TYPE ... ADD VALUE without a neighbour puts the value last; a value cannot be moved.",
       "BEFORE or AFTER the value that it belongs beside", EnumValueOrder},
      {"identifier-too-long", kWarning, Harm::kAlways, InDown::kIgnored,
       "PostgreSQL cuts names off after 63 bytes, with nothing but a notice; two long names may "
       "become one.",
       "a name of at most 63 bytes", IdentifierTooLong},
  };
}

}  // namespace migd
