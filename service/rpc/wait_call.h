// One call of Wait.
#pragma once

#include <grpcpp/grpcpp.h>

#include "migration/v1/migration_service.pb.h"
#include "service/rpc/call_terms.h"
#include "service/rpc/catalog.h"
#include "service/rpc/wait_room.h"

namespace migd {

// Lets the caller wait in `room`, or refuses: InvalidRequest, UnknownDatabase, InvalidSymbol,
// Offline. The caller gets the headers of the answer as soon as it waits. Costs no thread; a caller
// that goes away leaves the room; one who is not admitted any more is told so instead of the
// answer. gRPC owns what is returned, and keeps `response` until its end.
grpc::ServerUnaryReactor* StartWait(const Catalog& catalog, WaitRoom& room,
                                    const migration::v1::WaitRequest& request,
                                    migration::v1::WaitResponse& response, CallTerms terms = {});

}  // namespace migd
