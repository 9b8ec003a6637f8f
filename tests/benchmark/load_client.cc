// What a program that keeps its connection sees of migd, for compare.py: how long calls take, how
// many events come, and clients and watchers in numbers. Prints one object of JSON; times are in
// seconds.
#include <grpcpp/grpcpp.h>
#include <libpq-fe.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "migration/v1/migration_service.grpc.pb.h"

namespace {

using migration::v1::CurrentRequest;
using migration::v1::CurrentResponse;
using migration::v1::MigrationService;
using migration::v1::OperationEvent;
using Reader = grpc::ClientReaderInterface<OperationEvent>;

// Streams of one connection share its limit of concurrent calls.
constexpr int kStreamsPerChannel = 50;

[[noreturn]] void Fail(const std::string& problem) {
  std::cerr << "load_client: " << problem << std::endl;
  // Without destructors: threads may be at work.
  std::_Exit(1);
}

// A stub on a connection of its own.
std::unique_ptr<MigrationService::Stub> Connect(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return MigrationService::NewStub(
      grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments));
}

template <typename Work>
double SecondsOf(Work work) {
  const absl::Time begin = absl::Now();
  work();
  return absl::ToDoubleSeconds(absl::Now() - begin);
}

// The share of the times that are at most as long as what is returned.
double Percentile(std::vector<double>& times, double share) {
  if (times.empty()) return 0;
  const auto index = static_cast<size_t>(share * static_cast<double>(times.size() - 1));
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(index), times.end());
  return times[index];
}

std::string Percentiles(std::vector<double> times) {
  return absl::StrCat("\"p50\":", Percentile(times, 0.5), ",\"p99\":", Percentile(times, 0.99));
}

// --- Calls ---

grpc::Status CallCurrent(MigrationService::Stub& stub) {
  grpc::ClientContext context;
  CurrentResponse response;
  return stub.Current(&context, CurrentRequest(), &response);
}

// Current over a kept channel, and a SELECT of the same on a kept connection, in turn.
void CompareWithSelect(const std::string& server, const std::string& conninfo, int calls) {
  const auto stub = Connect(server);
  PGconn* connection = PQconnectdb(conninfo.c_str());
  if (PQstatus(connection) != CONNECTION_OK) Fail(PQerrorMessage(connection));
  const auto call = [&] {
    const grpc::Status status = CallCurrent(*stub);
    if (!status.ok()) Fail(status.error_message());
  };
  const auto select = [&] {
    PGresult* result = PQexec(connection, "SELECT version_num FROM alembic_version");
    if (PQresultStatus(result) != PGRES_TUPLES_OK) Fail(PQerrorMessage(connection));
    PQclear(result);
  };
  call();
  select();
  std::vector<double> calling, selecting;
  for (int i = 0; i < calls; ++i) {
    calling.push_back(SecondsOf(call));
    selecting.push_back(SecondsOf(select));
  }
  PQfinish(connection);
  std::cout << "{\"current\":{" << Percentiles(std::move(calling)) << "},\"select\":{"
            << Percentiles(std::move(selecting)) << "}}\n";
}

// Clients that all call Current at once, one call after the other, each on a connection of its own.
void CallFromMany(const std::string& server, int clients, int calls) {
  std::vector<std::vector<double>> times(static_cast<size_t>(clients));
  std::atomic<int> errors = 0;
  std::vector<std::thread> threads;
  const double seconds = SecondsOf([&] {
    for (auto& own : times) {
      threads.emplace_back([&own, &errors, &server, calls] {
        const auto stub = Connect(server);
        for (int i = 0; i < calls; ++i) {
          grpc::Status status;
          own.push_back(SecondsOf([&] { status = CallCurrent(*stub); }));
          if (!status.ok() && errors++ == 0) std::cerr << status.error_message() << std::endl;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  std::vector<double> all;
  for (const auto& own : times) all.insert(all.end(), own.begin(), own.end());
  std::cout << "{\"calls\":" << all.size() << ",\"errors\":" << errors << ",\"seconds\":" << seconds
            << "," << Percentiles(std::move(all)) << "}\n";
}

// --- Streams ---

// Reads a stream of an operation, which comes in batches, to its end.
void CountEvents(Reader& reader) {
  OperationEvent message;
  std::string operation;
  bool succeeded = false;
  int64_t events = 0;
  const auto count = [&](const OperationEvent& event) {
    if (event.has_heartbeat()) return;
    ++events;
    if (operation.empty()) operation = event.operation();
    if (!event.has_operation_finished()) return;
    succeeded = event.operation_finished().state() == migration::v1::Operation::STATE_SUCCEEDED;
    if (!succeeded) std::cerr << event.ShortDebugString() << std::endl;
  };
  const double seconds = SecondsOf([&] {
    while (reader.Read(&message)) {
      if (!message.has_batch()) count(message);
      for (const OperationEvent& event : message.batch().events()) count(event);
    }
  });
  const grpc::Status status = reader.Finish();
  if (!succeeded) Fail(absl::StrCat("the operation did not succeed: ", status.error_message()));
  std::cout << "{\"operation\":\"" << operation << "\",\"events\":" << events
            << ",\"seconds\":" << seconds << "}\n";
}

// Upgrades to the head, and counts the events as they happen.
void Upgrade(const std::string& server) {
  const auto stub = Connect(server);
  grpc::ClientContext context;
  migration::v1::UpgradeRequest request;
  request.set_target("head");
  request.set_batch_events(true);
  CountEvents(*stub->Upgrade(&context, request));
}

// Counts the events of an operation from its first one on.
void Replay(const std::string& server, const std::string& operation) {
  const auto stub = Connect(server);
  grpc::ClientContext context;
  migration::v1::WatchOperationRequest request;
  request.set_operation(operation);
  request.set_batch_events(true);
  CountEvents(*stub->WatchOperation(&context, request));
}

// Watches all operations, and counts what it is told.
class Watcher : public grpc::ClientReadReactor<OperationEvent> {
 public:
  explicit Watcher(MigrationService::Stub& stub) {
    migration::v1::WatchRequest request;
    request.mutable_heartbeat_interval()->set_seconds(1);
    stub.async()->Watch(&context_, &request, this);
    StartRead(&event_);
    StartCall();
  }
  ~Watcher() override {
    context_.TryCancel();
    done_.wait(false);
  }

  bool watches() const { return watches_; }
  bool done() const { return done_; }
  int64_t events() const { return events_; }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    watches_ = true;
    if (!event_.has_heartbeat()) ++events_;
    StartRead(&event_);
  }
  void OnDone(const grpc::Status&) override {
    done_ = true;
    done_.notify_all();
  }

 private:
  grpc::ClientContext context_;
  OperationEvent event_;
  std::atomic<bool> watches_ = false;
  std::atomic<int64_t> events_ = 0;
  std::atomic<bool> done_ = false;
};

// Says "ready" when all watch, and goes on until stdin ends.
void Watch(const std::string& server, int count) {
  std::vector<std::unique_ptr<MigrationService::Stub>> stubs;
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < count; ++i) {
    if (i % kStreamsPerChannel == 0) stubs.push_back(Connect(server));
    watchers.push_back(std::make_unique<Watcher>(*stubs.back()));
  }
  for (const auto& watcher : watchers) {
    while (!watcher->watches()) {
      if (watcher->done()) Fail("the server ended a watch");
      absl::SleepFor(absl::Milliseconds(1));
    }
  }
  std::cout << "ready" << std::endl;
  std::cin.ignore(std::numeric_limits<std::streamsize>::max());
  int64_t events = 0;
  for (const auto& watcher : watchers) events += watcher->events();
  std::cout << "{\"events\":" << events << "}\n";
}

int NumberOf(const std::string& text) {
  int number = 0;
  if (!absl::SimpleAtoi(text, &number) || number < 1) Fail(absl::StrCat(text, " is no count"));
  return number;
}

constexpr char kUsage[] =
    "usage: load_client select SERVER CONNINFO CALLS | clients SERVER CLIENTS CALLS |\n"
    "       upgrade SERVER | replay SERVER OPERATION | watch SERVER WATCHERS";

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto is = [&](const char* mode, size_t count) {
    return arguments.size() == count + 1 && arguments[0] == mode;
  };
  if (is("select", 3)) {
    CompareWithSelect(arguments[1], arguments[2], NumberOf(arguments[3]));
  } else if (is("clients", 3)) {
    CallFromMany(arguments[1], NumberOf(arguments[2]), NumberOf(arguments[3]));
  } else if (is("upgrade", 1)) {
    Upgrade(arguments[1]);
  } else if (is("replay", 2)) {
    Replay(arguments[1], arguments[2]);
  } else if (is("watch", 2)) {
    Watch(arguments[1], NumberOf(arguments[2]));
  } else {
    Fail(kUsage);
  }
  return 0;
}
