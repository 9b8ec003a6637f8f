// One call of Wait.
#pragma once

#include <grpcpp/grpcpp.h>

#include "migration/v1/migration_service.pb.h"
#include "service/rpc/catalog.h"
#include "service/rpc/wait_room.h"

namespace migd {

// Lets the caller wait in `room`, or refuses: InvalidRequest, UnknownDatabase, InvalidSymbol,
// Offline. The caller gets the headers of the answer as soon as it waits. Costs no thread; a caller
// that goes away leaves the room. gRPC owns what is returned, and keeps `response` until its end.
grpc::ServerUnaryReactor* StartWait(const Catalog& catalog, WaitRoom& room,
                                    const migration::v1::WaitRequest& request,
                                    migration::v1::WaitResponse& response);

}  // namespace migd
