#include "service/rpc/baseline_query.h"

#include <utility>

#include "service/execute/baseline.h"
#include "service/rpc/revision_view.h"

namespace migd {

absl::Status AnswerComposeBaseline(const Catalog& catalog,
                                   const migration::v1::ComposeBaselineRequest& request,
                                   Cancellation& cancellation,
                                   migration::v1::ComposeBaselineResponse& response) {
  const auto workspace = catalog.Find(request.database());
  if (!workspace.ok()) return workspace.status();
  NewRevision wanted;
  wanted.message = request.message();
  wanted.id = request.revision();
  wanted.branch_labels = {request.branch_labels().begin(), request.branch_labels().end()};
  const auto baseline = ComposeBaseline(**workspace, std::move(wanted), cancellation);
  if (!baseline.ok()) return baseline.status();
  const ComposedRevision& composed = baseline->composed;
  *response.mutable_revision() = RevisionView(composed.scripts, {}).Show(composed.index);
  response.set_content(composed.scripts.file(composed.index).contents());
  response.set_object_count(baseline->object_count);
  return absl::OkStatus();
}

}  // namespace migd
