// Rules about indexes and materialized views.
#include "absl/strings/str_cat.h"
#include "service/lint/rule.h"

namespace migd {
namespace {

std::string IndexText(const PgQuery__IndexStmt& index) {
  return *index.idxname == '\0' ? "an index" : absl::StrCat("index ", QuotedName(index.idxname));
}

const PgQuery__IndexStmt* IndexOf(const StatementView& view) {
  return view.As(PG_QUERY__NODE__NODE_INDEX_STMT, &PgQuery__Node::index_stmt);
}

const PgQuery__DropStmt* IndexDropOf(const StatementView& view) {
  const auto* drop = view.As(PG_QUERY__NODE__NODE_DROP_STMT, &PgQuery__Node::drop_stmt);
  const bool is_index = drop != nullptr && drop->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX;
  return is_index ? drop : nullptr;
}

void IndexNotConcurrent(const StatementView& view, const SectionState& section, Hits& hits) {
  const PgQuery__IndexStmt* index = IndexOf(view);
  // ON ONLY a partitioned table makes an index without an entry.
  if (index == nullptr || index->concurrent || !index->relation->inh) return;
  const ObjectName table = ObjectOf(index->relation);
  if (section.IsNew(table)) return;
  hits.push_back({0,
                  absl::StrCat("building ", IndexText(*index), " keeps every write to ",
                               table.Quoted(), " waiting until it is done"),
                  "", table});
}

void DropIndexNotConcurrent(const StatementView& view, const SectionState& section, Hits& hits) {
  const PgQuery__DropStmt* drop = IndexDropOf(view);
  if (drop == nullptr || drop->concurrent) return;
  for (size_t i = 0; i < drop->n_objects; ++i) {
    const ObjectName index = ObjectOf(drop->objects[i]);
    if (section.IsNew(index)) continue;
    hits.push_back({0, absl::StrCat("dropping index ", index.Quoted(),
                                    " waits for everybody who uses its table, and keeps all who "
                                    "come after waiting, readers too")});
  }
}

void ReindexNotConcurrent(const StatementView& view, const SectionState& section, Hits& hits) {
  const auto* reindex = view.As(PG_QUERY__NODE__NODE_REINDEX_STMT, &PgQuery__Node::reindex_stmt);
  if (reindex == nullptr || HasOption(reindex->params, reindex->n_params, "concurrently")) return;
  const ObjectName name = ObjectOf(reindex->relation);
  if (reindex->relation != nullptr && section.IsNew(name)) return;
  hits.push_back(
      {0,
       absl::StrCat("REINDEX of ",
                    reindex->relation == nullptr ? QuotedName(reindex->name) : name.Quoted(),
                    " keeps writes, and reads by the index, waiting until it is built "
                    "anew"),
       "", name});
}

void RefreshNotConcurrent(const StatementView& view, const SectionState& section, Hits& hits) {
  const auto* refresh =
      view.As(PG_QUERY__NODE__NODE_REFRESH_MAT_VIEW_STMT, &PgQuery__Node::refresh_mat_view_stmt);
  if (refresh == nullptr || refresh->concurrent) return;
  const ObjectName name = ObjectOf(refresh->relation);
  if (section.IsNew(name)) return;
  hits.push_back({0,
                  absl::StrCat("nobody can read materialized view ", name.Quoted(),
                               refresh->skip_data ? " from here on" : " while it is refreshed"),
                  "", name});
}

void UnnamedConcurrentIndex(const StatementView& view, const SectionState&, Hits& hits) {
  const PgQuery__IndexStmt* index = IndexOf(view);
  if (index == nullptr || !index->concurrent || *index->idxname != '\0') return;
  hits.push_back({0, absl::StrCat("an index on ", ObjectOf(index->relation).Quoted(),
                                  " without a name cannot be looked for if its build is cut off")});
}

void WideIndex(const StatementView& view, const SectionState&, Hits& hits) {
  constexpr size_t kMostColumns = 3;
  const PgQuery__IndexStmt* index = IndexOf(view);
  if (index == nullptr || index->unique || index->n_index_params <= kMostColumns) return;
  hits.push_back({0, absl::StrCat(IndexText(*index), " on ", ObjectOf(index->relation).Quoted(),
                                  " has ", index->n_index_params, " columns")});
}

void UniqueOnExisting(const StatementView& view, const SectionState& section, Hits& hits) {
  const PgQuery__IndexStmt* index = IndexOf(view);
  if (index == nullptr || !index->unique) return;
  const ObjectName table = ObjectOf(index->relation);
  if (section.IsNew(table)) return;
  hits.push_back({0,
                  absl::StrCat(IndexText(*index), " cannot be built if rows of ", table.Quoted(),
                               " have the same values"),
                  "", table});
}

}  // namespace

std::vector<Rule> IndexRules() {
  return {
      {"index-not-concurrent", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "CREATE INDEX takes a SHARE lock on its table until the index is built: every write waits.",
       "CREATE INDEX CONCURRENTLY in a `transaction:false` section", IndexNotConcurrent},
      {"drop-index-not-concurrent", kWarning, Harm::kAlways, InDown::kWarning,
       "DROP INDEX takes an ACCESS EXCLUSIVE lock on the table: it waits for the longest query on "
       "it, and all others wait behind it.",
       "DROP INDEX CONCURRENTLY in a `transaction:false` section", DropIndexNotConcurrent},
      {"reindex-not-concurrent", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "REINDEX locks writers out of the table, and readers out of the index, until it is done.",
       "REINDEX ... CONCURRENTLY in a `transaction:false` section", ReindexNotConcurrent},
      {"refresh-not-concurrent", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "REFRESH MATERIALIZED VIEW takes an ACCESS EXCLUSIVE lock: readers wait until it is "
       "filled. CONCURRENTLY needs a unique index on it.",
       "REFRESH MATERIALIZED VIEW CONCURRENTLY", RefreshNotConcurrent},
      {"unnamed-concurrent-index", kWarning, Harm::kAlways, InDown::kIgnored,
       "A concurrent build that was cut off leaves an INVALID index. The service cleans it up by "
       "its name, which PostgreSQL chooses if the statement has none.",
       "give the index a name", UnnamedConcurrentIndex},
      {"wide-index", kWarning, Harm::kAlways, InDown::kIgnored,
       "A non-unique index of more than three columns is seldom used beyond its first ones, and "
       "costs at every write.",
       "begin with the columns that narrow a search down the most, and leave the rest out or "
       "INCLUDE it",
       WideIndex},
      {"unique-on-existing-table", kOff, Harm::kNeedsRows, InDown::kIgnored,
       "A unique index on a table with duplicates cannot be built; a concurrent build leaves an "
       "INVALID index then.",
       "look for duplicates first: SELECT ... GROUP BY ... HAVING count(*) > 1", UniqueOnExisting},
  };
}

}  // namespace migd
