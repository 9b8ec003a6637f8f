#include <algorithm>
#include <iterator>

#include "absl/strings/string_view.h"
#include "service/lint/rule.h"

namespace migd {

std::vector<Rule> FileRules() {
  return {
      {"missing-down", kWarning, Harm::kAlways, InDown::kWarning,
       "A revision without a `-- migrate:down` section cannot be taken back.",
       "add `-- migrate:down` with what undoes the revision", nullptr},
      {"empty-down", kWarning, Harm::kAlways, InDown::kWarning,
       "A `-- migrate:down` section without statements undoes nothing of what its revision did: "
       "the "
       "version table goes back, the schema does not.",
       "write what undoes the revision; or leave the section out, so that nobody takes it back",
       nullptr},
      {"unfinished-transaction", kError, Harm::kAlways, InDown::kSame,
       "What a `transaction:false` section has begun and not committed is rolled back with its "
       "session.",
       "COMMIT at the end, or no BEGIN", nullptr},
      {"invalid-waiver", kError, Harm::kAlways, InDown::kSame,
       "A waiver names rules that there are, and says why: `-- lint:allow RULE because REASON`.",
       "correct it, or remove it", nullptr},
      {"unused-waiver", kWarning, Harm::kAlways, InDown::kWarning,
       "A waiver that allows nothing hides what somebody writes there next.", "remove it", nullptr},
  };
}

const std::vector<Rule>& AllRules() {
  static const auto& rules = *new std::vector<Rule>([] {
    std::vector<Rule> all;
    for (auto family : {IndexRules, ConstraintRules, ColumnRules, TypeRules, RenameRules, DropRules,
                        TableRules, TransactionRules, DataRules, FileRules}) {
      std::vector<Rule> of_family = family();
      std::move(of_family.begin(), of_family.end(), std::back_inserter(all));
    }
    std::sort(all.begin(), all.end(),
              [](const Rule& a, const Rule& b) { return absl::string_view(a.name) < b.name; });
    return all;
  }());
  return rules;
}

}  // namespace migd
