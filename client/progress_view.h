// Shows the events of an operation as they arrive, in the way that fits the output.
#pragma once

#include <memory>
#include <string>

#include "client/output.h"
#include "migration/v1/operation.pb.h"

namespace migctl {

// Thread-safe. What it shows beneath the lines that stay goes away with it.
class ProgressView {
 public:
  virtual ~ProgressView() = default;

  // Shows one event. Events come in the order of their sequence.
  virtual void Show(const migration::v1::OperationEvent& event) = 0;
};

// JSON: each event as one line on stdout. A terminal: lines that stay and a live line that ticks,
// on stderr. Otherwise: lines with the time, on stderr. `output` must outlive the view.
std::unique_ptr<ProgressView> MakeProgressView(Output& output);

}  // namespace migctl
