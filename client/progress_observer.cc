#include "client/progress_observer.h"

#include <utility>

#include "client/text.h"

namespace migctl {

ProgressObserver::ProgressObserver(std::unique_ptr<ProgressView> view, Output& output)
    : view_(std::move(view)), output_(output) {}

void ProgressObserver::OnEvent(const migration::v1::OperationEvent& event) {
  if (event.has_schema_compared()) compared_ = event.schema_compared();
  view_->Show(event);
}

void ProgressObserver::OnNote(const std::string& line) { output_.Note(Escape(line)); }

void ProgressObserver::OnWarning(const std::string& line) { output_.Warning(Escape(line)); }

}  // namespace migctl
