#include "service/rpc/call_trace.h"

#include "absl/strings/string_view.h"
#include "service/base/trace_context.h"

namespace migd {

std::string TraceparentOf(const grpc::ServerContextBase& context) {
  const auto& metadata = context.client_metadata();
  if (metadata.count("traceparent") != 1) return "";
  const grpc::string_ref text = metadata.find("traceparent")->second;
  const auto parent = ParseTraceparent(absl::string_view(text.data(), text.size()));
  return parent ? parent->Child().ToString() : "";
}

}  // namespace migd
