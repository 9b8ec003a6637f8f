// The trace that a call belongs to.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

namespace migd {

// The traceparent under which the server works on a call: of the trace that the call's own names,
// with a span of its own. Empty if the call has none, several, or one that is not of its form.
std::string TraceparentOf(const grpc::ServerContextBase& context);

}  // namespace migd
