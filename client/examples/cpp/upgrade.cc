// Brings the database to head at start-up, or says why it cannot and fails.
//
//     example_upgrade unix:/run/migd/migd.sock && exec my-service
//
// The library repeats the call by its request_id and goes on with the stream after the last event:
// a migd that is restarted in the middle is waited for. Ten replicas that start together take turns
// in the server.
#include <iostream>
#include <string>

#include "connect.h"

namespace {

using migration::v1::OperationEvent;

class Progress : public migration_client::OperationObserver {
 public:
  void OnEvent(const OperationEvent& event) override {
    if (event.has_object_skipped()) {
      const auto& skipped = event.object_skipped();
      std::cout << skipped.object_kind() << " " << skipped.object_name() << " is there already\n";
    } else if (event.has_waiting_for_mutex()) {
      std::cout << "another migration of this database is running\n";
    } else if (event.has_step_finished()) {
      std::cout << "applied " << event.step_finished().revision() << "\n";
    } else if (event.has_operation_finished() &&
               event.operation_finished().state() == migration::v1::Operation::STATE_SUCCEEDED) {
      std::cout << "at";
      for (const auto& row : event.operation_finished().resulting_revisions()) {
        std::cout << " " << row;
      }
      std::cout << "\n";
    }
    std::cout << std::flush;
  }

  void OnNote(const std::string& line) override {
    std::cerr << line << " (trying again)" << std::endl;
  }
};

int Run(const std::string& server) {
  auto client = migration_client::Client::Connect(Options(server));
  if (!client.ok()) {
    Explain(client.error());
    return 2;
  }
  migration::v1::UpgradeRequest request;
  request.set_database(Database());
  request.set_target("head");
  Progress progress;
  const auto outcome = client->Upgrade(request, &progress);
  if (outcome.ok()) return 0;
  Explain(outcome.error());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return Run(argv[1]);
  std::cerr << "usage: example_upgrade ADDRESS-OF-MIGD\n";
  return 2;
}
