// Start-up gate: brings the database to head, or says why it cannot and fails.
//
//     upgrade unix:/run/migd/migd.sock && exec my-service
//
// Needs gRPC and the generated code of proto/ (the CMake library migration_proto).
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <random>
#include <string>
#include <thread>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "migration/v1/migration_service.grpc.pb.h"

namespace {

using migration::v1::OperationEvent;

// A random UUID.
std::string NewRequestId() {
  std::random_device random;
  const auto word = [&random] { return static_cast<unsigned>(random()); };
  char text[37];
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-%04x-%04x%08x", word(), word() & 0xffff,
                word() & 0xfff, (word() & 0x3fff) | 0x8000, word() & 0xffff, word());
  return text;
}

void Show(const OperationEvent& event) {
  if (event.has_object_skipped()) {
    const auto& skipped = event.object_skipped();
    std::cout << skipped.object_kind() << " " << skipped.object_name() << " is there already\n";
  } else if (event.has_waiting_for_mutex()) {
    std::cout << "another migration of this database is running\n";
  } else if (event.has_step_finished()) {
    std::cout << "applied " << event.step_finished().revision() << "\n";
  } else if (event.has_operation_finished()) {
    std::cout << "at";
    for (const auto& row : event.operation_finished().resulting_revisions()) {
      std::cout << " " << row;
    }
    std::cout << "\n";
  }
  std::cout << std::flush;
}

// Prints what an error carries: a reason for programs, a message and a hint for people.
void Explain(const grpc::Status& error) {
  google::rpc::Status status;
  google::rpc::ErrorInfo info;
  migration::v1::ErrorDetail detail;
  status.ParseFromString(error.error_details());
  for (const auto& any : status.details()) {
    if (any.Is<google::rpc::ErrorInfo>()) any.UnpackTo(&info);
    if (any.Is<migration::v1::ErrorDetail>()) any.UnpackTo(&detail);
  }
  std::cerr << (info.reason().empty() ? "gRPC" : info.reason()) << ": " << error.error_message()
            << "\n";
  if (!detail.hint().empty()) std::cerr << "hint: " << detail.hint() << "\n";
}

// Makes the call once. `finished` tells whether the operation has come to its end, good or bad.
grpc::Status Upgrade(migration::v1::MigrationService::Stub& service,
                     const migration::v1::UpgradeRequest& request, bool& finished) {
  // No deadline: the operation runs in the server, and would not end with the call.
  grpc::ClientContext context;
  const auto events = service.Upgrade(&context, request);
  OperationEvent event;
  while (events->Read(&event)) {
    Show(event);
    finished = event.has_operation_finished();
  }
  return events->Finish();
}

int Run(const std::string& server) {
  const auto channel = grpc::CreateChannel(server, grpc::InsecureChannelCredentials());
  const auto service = migration::v1::MigrationService::NewStub(channel);
  // The id makes the call safe to repeat: it attaches to the operation that the first call made.
  // Ten replicas that start together have ten ids; they take turns in the server.
  migration::v1::UpgradeRequest request;
  request.set_target("head");
  request.set_request_id(NewRequestId());

  constexpr std::chrono::milliseconds kLongestPause{8000};
  for (std::chrono::milliseconds pause{500};; pause *= 2) {
    bool finished = false;
    const grpc::Status status = Upgrade(*service, request, finished);
    if (status.ok()) return 0;
    Explain(status);
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || pause > kLongestPause) return 1;
    // An operation that is finished has failed for good; the next attempt is another one.
    if (finished) request.set_request_id(NewRequestId());
    std::cerr << "trying again in " << pause.count() << " ms\n";
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return Run(argv[1]);
  std::cerr << "usage: upgrade ADDRESS-OF-MIGD\n";
  return 2;
}
