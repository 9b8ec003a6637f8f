// Start-up gate: waits until somebody has brought the database to the revision that this program
// needs, for at most ten minutes.
//
//     example_gate unix:/run/migd/migd.sock ca5d2b0eba52 && exec my-service
#include <iostream>
#include <string>

#include "connect.h"

namespace {

int Run(const std::string& server, const std::string& revision) {
  auto client = migration_client::Client::Connect(Options(server));
  if (!client.ok()) {
    Explain(client.error());
    return 2;
  }
  migration_client::WaitSettings settings;
  settings.database = Database();
  settings.revision = revision;
  settings.patience = absl::Minutes(10);
  // migd or its database may be started later than this program.
  settings.note = [](const std::string& why) { std::cerr << why << "; trying again" << std::endl; };
  const auto waited = client->Wait(settings);
  if (!waited.ok()) {
    Explain(waited.error());
    return 1;
  }
  std::cout << "ready at";
  for (const std::string& row : waited->revisions()) std::cout << " " << row;
  std::cout << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3) return Run(argv[1], argv[2]);
  std::cerr << "usage: example_gate ADDRESS-OF-MIGD REVISION\n";
  return 2;
}
