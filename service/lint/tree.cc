#include "service/lint/tree.h"

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "service/script/sql_lexer.h"
#include "service/sql/tree_walk.h"

namespace migd {
namespace {

size_t ToOffset(int32_t location) { return location > 0 ? static_cast<size_t>(location) : 0; }

void ForEachCallIn(PgQuery__Node* const* nodes, size_t count,
                   const std::function<void(const ObjectName&, size_t)>& visit) {
  for (size_t i = 0; i < count; ++i) ForEachCall(nodes[i], visit);
}

// The column that an expression is, without its table; empty if it is another expression.
std::string ColumnOf(const PgQuery__Node* expression) {
  if (expression == nullptr || expression->node_case != PG_QUERY__NODE__NODE_COLUMN_REF) return "";
  const PgQuery__ColumnRef& column = *expression->column_ref;
  return column.n_fields == 0 ? "" : TextOf(column.fields[column.n_fields - 1]);
}

ObjectName ToObjectName(const QualifiedName& name) { return {name.schema, name.name}; }

}  // namespace

std::string QuotedName(absl::string_view name) {
  bool plain = !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0]));
  for (const char c : name) {
    plain = plain && (absl::ascii_islower(static_cast<unsigned char>(c)) ||
                      absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '_');
  }
  if (plain) return std::string(name);
  return absl::StrCat("\"", absl::StrReplaceAll(name, {{"\"", "\"\""}}), "\"");
}

std::string ObjectName::Quoted() const {
  return schema.empty() ? QuotedName(name)
                        : absl::StrCat(QuotedName(schema), ".", QuotedName(name));
}

bool ObjectName::MayBe(const ObjectName& other) const {
  return name == other.name && (schema.empty() || other.schema.empty() || schema == other.schema);
}

void ObjectNames::Remove(const ObjectName& name) {
  for (auto it = names_.begin(); it != names_.end();) {
    it = it->MayBe(name) ? names_.erase(it) : std::next(it);
  }
}

bool ObjectNames::MayHave(const ObjectName& name) const {
  for (const ObjectName& known : names_) {
    if (known.MayBe(name)) return true;
  }
  return false;
}

std::string TextOf(const PgQuery__Node* node) {
  if (node == nullptr) return "";
  if (node->node_case == PG_QUERY__NODE__NODE_STRING) return node->string->sval;
  if (node->node_case == PG_QUERY__NODE__NODE_A_CONST &&
      node->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL) {
    return node->a_const->sval->sval;
  }
  return "";
}

ObjectName ObjectOf(const PgQuery__RangeVar* relation) {
  return relation == nullptr ? ObjectName() : ToObjectName(NameOf(*relation));
}

ObjectName ObjectOf(PgQuery__Node** parts, size_t count) {
  return ToObjectName(NameOf(NodeList{parts, count}));
}

ObjectName ObjectOf(const PgQuery__Node* object) { return ToObjectName(NameOf(object)); }

std::string TypeOf(const PgQuery__TypeName* type) {
  if (type == nullptr || type->n_names == 0) return "";
  return TextOf(type->names[type->n_names - 1]);
}

std::string TypeText(const PgQuery__TypeName* type) {
  static const std::map<std::string, std::string> words = {
      {"int2", "smallint"},
      {"int4", "integer"},
      {"int8", "bigint"},
      {"bpchar", "char"},
      {"float4", "real"},
      {"float8", "double precision"},
      {"bool", "boolean"},
      {"timestamptz", "timestamp with time zone"},
      {"timetz", "time with time zone"},
  };
  const std::string name = TypeOf(type);
  const auto word = words.find(name);
  return word == words.end() ? name : word->second;
}

void ForEachCall(const PgQuery__Node* expression,
                 const std::function<void(const ObjectName&, size_t)>& visit) {
  if (expression == nullptr) return;
  switch (expression->node_case) {
    case PG_QUERY__NODE__NODE_FUNC_CALL: {
      const PgQuery__FuncCall& call = *expression->func_call;
      visit(ObjectOf(call.funcname, call.n_funcname), ToOffset(call.location));
      return ForEachCallIn(call.args, call.n_args, visit);
    }
    case PG_QUERY__NODE__NODE_TYPE_CAST:
      return ForEachCall(expression->type_cast->arg, visit);
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
      return ForEachCall(expression->collate_clause->arg, visit);
    case PG_QUERY__NODE__NODE_A_EXPR:
      ForEachCall(expression->a_expr->lexpr, visit);
      return ForEachCall(expression->a_expr->rexpr, visit);
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
      return ForEachCallIn(expression->bool_expr->args, expression->bool_expr->n_args, visit);
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
      return ForEachCallIn(expression->coalesce_expr->args, expression->coalesce_expr->n_args,
                           visit);
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
      return ForEachCallIn(expression->min_max_expr->args, expression->min_max_expr->n_args, visit);
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
      return ForEachCallIn(expression->a_array_expr->elements, expression->a_array_expr->n_elements,
                           visit);
    case PG_QUERY__NODE__NODE_LIST:
      return ForEachCallIn(expression->list->items, expression->list->n_items, visit);
    case PG_QUERY__NODE__NODE_NULL_TEST:
      return ForEachCall(expression->null_test->arg, visit);
    case PG_QUERY__NODE__NODE_CASE_EXPR:
      ForEachCall(expression->case_expr->arg, visit);
      ForEachCallIn(expression->case_expr->args, expression->case_expr->n_args, visit);
      return ForEachCall(expression->case_expr->defresult, visit);
    case PG_QUERY__NODE__NODE_CASE_WHEN:
      ForEachCall(expression->case_when->expr, visit);
      return ForEachCall(expression->case_when->result, visit);
    default:
      return;
  }
}

std::vector<std::string> NotNullColumns(const PgQuery__Node* expression) {
  std::vector<std::string> columns;
  if (expression == nullptr) return columns;
  if (expression->node_case == PG_QUERY__NODE__NODE_NULL_TEST &&
      expression->null_test->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NOT_NULL) {
    const std::string column = ColumnOf(expression->null_test->arg);
    if (!column.empty()) columns.push_back(column);
  }
  // Each part of a conjunction proves what it says; PostgreSQL looks into them as well.
  if (expression->node_case == PG_QUERY__NODE__NODE_BOOL_EXPR &&
      expression->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
    for (size_t i = 0; i < expression->bool_expr->n_args; ++i) {
      for (std::string& column : NotNullColumns(expression->bool_expr->args[i])) {
        columns.push_back(std::move(column));
      }
    }
  }
  return columns;
}

const PgQuery__Constraint* ConstraintOf(const PgQuery__Node* node) {
  const bool is_one = node != nullptr && node->node_case == PG_QUERY__NODE__NODE_CONSTRAINT;
  return is_one ? node->constraint : nullptr;
}

const PgQuery__Constraint* FindConstraint(const PgQuery__ColumnDef& column,
                                          PgQuery__ConstrType kind) {
  for (size_t i = 0; i < column.n_constraints; ++i) {
    const PgQuery__Constraint* constraint = ConstraintOf(column.constraints[i]);
    if (constraint != nullptr && constraint->contype == kind) return constraint;
  }
  return nullptr;
}

bool HasOption(PgQuery__Node* const* options, size_t count, absl::string_view name) {
  for (size_t i = 0; i < count; ++i) {
    if (options[i]->node_case != PG_QUERY__NODE__NODE_DEF_ELEM) continue;
    const PgQuery__DefElem& option = *options[i]->def_elem;
    if (!absl::EqualsIgnoreCase(option.defname, name)) continue;
    const std::string value = TextOf(option.arg);
    return value != "false" && value != "off" && value != "0";
  }
  return false;
}

std::vector<size_t> CommandOffsets(absl::string_view sql, size_t relation) {
  SqlLexer lexer(sql, relation);
  Token token = lexer.NextOfStatement();
  const auto is_name = [&] {
    return token.kind == Token::Kind::kWord || token.kind == Token::Kind::kQuotedName ||
           token.kind == Token::Kind::kUnicodeName;
  };
  // The relation: names with points between them, and perhaps a star for its children.
  if (is_name()) token = lexer.NextOfStatement();
  while (lexer.IsSymbol(token, '.')) {
    lexer.NextOfStatement();
    token = lexer.NextOfStatement();
  }
  if (lexer.IsSymbol(token, '*')) token = lexer.NextOfStatement();

  std::vector<size_t> offsets = {token.begin};
  int depth = 0;
  for (; token.kind != Token::Kind::kEnd; token = lexer.NextOfStatement()) {
    if (lexer.IsSymbol(token, '(') || lexer.IsSymbol(token, '[')) ++depth;
    if (lexer.IsSymbol(token, ')') || lexer.IsSymbol(token, ']')) --depth;
    if (depth == 0 && lexer.IsSymbol(token, ',')) {
      SqlLexer next = lexer;
      offsets.push_back(next.NextOfStatement().begin);
    }
  }
  return offsets;
}

}  // namespace migd
