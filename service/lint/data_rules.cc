// Rules about statements that change rows.
#include <set>

#include "absl/strings/str_cat.h"
#include "service/lint/rule.h"
#include "service/sql/tree_walk.h"

namespace migd {
namespace {

// UPDATE or DELETE, taken apart.
struct RowChange {
  const char* verb = nullptr;
  ObjectName table;
  const PgQuery__Node* where = nullptr;
  bool joins = false;
};

RowChange ChangeOf(const StatementView& view) {
  if (const auto* update = view.As(PG_QUERY__NODE__NODE_UPDATE_STMT, &PgQuery__Node::update_stmt)) {
    return {"UPDATE", ObjectOf(update->relation), update->where_clause, update->n_from_clause > 0};
  }
  if (const auto* erase = view.As(PG_QUERY__NODE__NODE_DELETE_STMT, &PgQuery__Node::delete_stmt)) {
    return {"DELETE", ObjectOf(erase->relation), erase->where_clause, erase->n_using_clause > 0};
  }
  return {};
}

bool IsConstant(const PgQuery__Node* node) {
  if (node == nullptr) return false;
  if (node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) return IsConstant(node->type_cast->arg);
  if (node->node_case == PG_QUERY__NODE__NODE_LIST) {
    for (size_t i = 0; i < node->list->n_items; ++i) {
      if (!IsConstant(node->list->items[i])) return false;
    }
    return true;
  }
  return node->node_case == PG_QUERY__NODE__NODE_A_CONST;
}

// The condition picks rows by the value of a column: `id = 7`, `name IN ('a', 'b')`, also as a part
// of a conjunction. Few rows, most likely.
bool PicksRows(const PgQuery__Node* where) {
  if (where == nullptr) return false;
  if (where->node_case == PG_QUERY__NODE__NODE_BOOL_EXPR &&
      where->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
    for (size_t i = 0; i < where->bool_expr->n_args; ++i) {
      if (PicksRows(where->bool_expr->args[i])) return true;
    }
    return false;
  }
  if (where->node_case != PG_QUERY__NODE__NODE_A_EXPR) return false;
  const PgQuery__AExpr& comparison = *where->a_expr;
  return comparison.n_name == 1 && TextOf(comparison.name[0]) == "=" &&
         comparison.lexpr != nullptr &&
         comparison.lexpr->node_case == PG_QUERY__NODE__NODE_COLUMN_REF &&
         IsConstant(comparison.rexpr);
}

void WithoutWhere(const StatementView& view, const SectionState& section, const char* verb,
                  Hits& hits) {
  const RowChange change = ChangeOf(view);
  if (change.verb == nullptr || std::string(change.verb) != verb || !HoldsAlways(change.where) ||
      change.joins || section.IsNew(change.table)) {
    return;
  }
  hits.push_back({0,
                  absl::StrCat(verb, " without WHERE changes every row of ", change.table.Quoted(),
                               ", and keeps them locked until all are done"),
                  "", change.table});
}

void UpdateWithoutWhere(const StatementView& view, const SectionState& section, Hits& hits) {
  WithoutWhere(view, section, "UPDATE", hits);
}

void DeleteWithoutWhere(const StatementView& view, const SectionState& section, Hits& hits) {
  WithoutWhere(view, section, "DELETE", hits);
}

void BackfillWithDdl(const StatementView& view, const SectionState& section, Hits& hits) {
  const RowChange change = ChangeOf(view);
  if (change.verb == nullptr || !section.in_transaction() || section.IsNew(change.table) ||
      section.blocked().all().empty() || PicksRows(change.where)) {
    return;
  }
  hits.push_back({0,
                  absl::StrCat(section.blocked().all().begin()->Quoted(),
                               ", which an earlier statement has locked, stays locked until ",
                               change.verb, " has gone through ", change.table.Quoted()),
                  "", change.table});
}

// The first name that stands twice among those of the nodes, as `name_of` has them; empty if none.
template <typename NameOf>
std::string FirstTwice(PgQuery__Node* const* nodes, size_t count, NameOf name_of) {
  std::set<std::string> names;
  for (size_t i = 0; i < count; ++i) {
    const std::string name = name_of(*nodes[i]);
    if (!name.empty() && !names.insert(name).second) return name;
  }
  return "";
}

void DuplicateColumn(const StatementView& view, const SectionState&, Hits& hits) {
  std::string name;
  if (const auto* update = view.As(PG_QUERY__NODE__NODE_UPDATE_STMT, &PgQuery__Node::update_stmt)) {
    // Parts of a column, as in `a[1] = 1, a[2] = 2`, may be set one by one.
    name = FirstTwice(update->target_list, update->n_target_list, [](const PgQuery__Node& node) {
      return node.res_target->n_indirection == 0 ? node.res_target->name : std::string();
    });
  } else if (const auto* create =
                 view.As(PG_QUERY__NODE__NODE_CREATE_STMT, &PgQuery__Node::create_stmt)) {
    name = FirstTwice(create->table_elts, create->n_table_elts, [](const PgQuery__Node& node) {
      return node.node_case == PG_QUERY__NODE__NODE_COLUMN_DEF ? node.column_def->colname
                                                               : std::string();
    });
  } else if (const auto* made =
                 view.As(PG_QUERY__NODE__NODE_VIEW_STMT, &PgQuery__Node::view_stmt)) {
    name = FirstTwice(made->aliases, made->n_aliases,
                      [](const PgQuery__Node& node) { return TextOf(&node); });
  }
  if (name.empty()) return;
  hits.push_back({0, absl::StrCat("column ", QuotedName(name),
                                  " stands here twice, which "
                                  "PostgreSQL refuses")});
}

}  // namespace

std::vector<Rule> DataRules() {
  return {
      {"duplicate-column", kError, Harm::kAlways, InDown::kSame,
       "PostgreSQL refuses a column that is defined or set twice in one statement (SQLSTATE 42701, "
       "42601), when the statement runs and not before.",
       "name each column once", DuplicateColumn},
      {"update-without-where", kWarning, Harm::kGrowsWithTable, InDown::kIgnored,
       "Every row is locked and written anew, and the old versions stay until a vacuum.",
       "update in batches by ranges of the key, in a `transaction:false` section",
       UpdateWithoutWhere},
      {"delete-without-where", kWarning, Harm::kNeedsRows, InDown::kIgnored,
       "All rows are gone, and come back only from a backup.", "say which rows are to go",
       DeleteWithoutWhere},
      {"backfill-with-ddl", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "A transaction keeps the locks of its ALTER TABLE until it ends; an UPDATE or DELETE of "
       "many "
       "rows after it makes everybody wait that long.",
       "fill the rows in a revision of its own, in batches", BackfillWithDdl},
  };
}

}  // namespace migd
