// Shows an operation that is followed, and keeps of it what the report at its end tells.
#pragma once

#include <memory>
#include <string>

#include "client/output.h"
#include "client/progress_view.h"
#include "migration_client/operation_follower.h"

namespace migctl {

// Events go to a view, lines to the output, escaped. `output` must outlive the observer.
class ProgressObserver : public migration_client::OperationObserver {
 public:
  ProgressObserver(std::unique_ptr<ProgressView> view, Output& output);

  void OnEvent(const migration::v1::OperationEvent& event) override;
  void OnNote(const std::string& line) override;
  void OnWarning(const std::string& line) override;

  // What the operation found when it compared schemas; empty if it did not.
  const migration::v1::SchemaCompared& compared() const { return compared_; }

 private:
  const std::unique_ptr<ProgressView> view_;
  Output& output_;
  migration::v1::SchemaCompared compared_;
};

}  // namespace migctl
