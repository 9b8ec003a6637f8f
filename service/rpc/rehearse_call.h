// The Rehearse RPC.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>

#include "absl/status/status.h"
#include "migration/v1/migration_service.pb.h"
#include "service/rpc/catalog.h"

namespace migd {

// Streams a rehearsal to `writer`. It ends when the caller goes away, and with Draining when
// `closing` becomes true.
absl::Status RunRehearsal(const Catalog& catalog, grpc::ServerContext& context,
                          const migration::v1::RehearseRequest& request,
                          grpc::ServerWriter<migration::v1::RehearseResponse>& writer,
                          const std::atomic<bool>& closing);

}  // namespace migd
