// What comes from outside neither stops the service nor slows it for others.

#include <arpa/inet.h>
#include <grpcpp/generic/generic_stub.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "google/protobuf/message.h"
#include "gtest/gtest.h"
#include "service/base/unique_fd.h"
#include "tests/rpc/rpc_fixture.h"

namespace migd {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Over TCP and a unix socket, with limits that a test can reach.
class HostileTest : public RpcTest {
 protected:
  HostileTest() { Restart(Limits()); }

  void Restart(const Limits& limits) {
    ServerOptions options;
    options.addresses = {"127.0.0.1:0", absl::StrCat("unix:", directory_.path(), "/hostile")};
    options.limits = limits;
    Serve(*catalog_, options);
  }

  // A connection without gRPC, to each of the addresses in turn.
  UniqueFd Connect(int turn = 0) const {
    if (turn % 2 == 1) {
      UniqueFd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_un address = {};
      address.sun_family = AF_UNIX;
      server_->addresses()[1].substr(5).copy(address.sun_path, sizeof address.sun_path - 1);
      EXPECT_EQ(connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
                0);
      return connection;
    }
    UniqueFd connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = TcpAddress();
    EXPECT_EQ(
        connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return connection;
  }
  sockaddr_in TcpAddress() const {
    const std::string& address = server_->addresses()[0];
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    sockaddr_in tcp = {};
    tcp.sin_family = AF_INET;
    tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    tcp.sin_port = htons(static_cast<uint16_t>(port));
    return tcp;
  }
  static void Send(const UniqueFd& connection, const std::string& data) {
    // The server may have closed it meanwhile.
    [[maybe_unused]] const ssize_t sent =
        send(connection.get(), data.data(), data.size(), MSG_NOSIGNAL);
  }
  // Whether the other end has closed it, or does so before long.
  static bool IsClosed(const UniqueFd& connection, absl::Duration patience = absl::Minutes(1)) {
    const absl::Time deadline = absl::Now() + patience;
    while (absl::Now() < deadline) {
      pollfd awaited = {connection.get(), POLLIN, 0};
      poll(&awaited, 1, static_cast<int>(absl::ToInt64Milliseconds(deadline - absl::Now())) + 1);
      char byte;
      const ssize_t got = recv(connection.get(), &byte, 1, MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return true;
    }
    return false;
  }

  // A call over a new connection.
  grpc::Status Current() const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(2));
    // However long the machine takes to make the connection.
    context.set_wait_for_ready(true);
    migration::v1::CurrentResponse response;
    return NewStub()->Current(&context, migration::v1::CurrentRequest(), &response);
  }

  // Whether the audit has a refused call of an RPC, or has it before long.
  bool IsInTheAudit(const std::string& rpc, const std::string& reason) {
    return Eventually([&] {
      const auto entries = fake_.audit().entries();
      return std::any_of(
          entries.begin(), entries.end(), [&](const migration::v1::AuditEntry& entry) {
            return entry.rpc() == rpc && entry.reason() == reason && entry.count() > 0 &&
                   entry.outcome() == migration::v1::AuditEntry::OUTCOME_REFUSED;
          });
    });
  }

  // How long a call takes, over a new connection: the median of several.
  absl::Duration MedianOfCurrent() const {
    std::vector<absl::Duration> durations;
    for (int i = 0; i < 25; ++i) {
      const absl::Time begin = absl::Now();
      EXPECT_TRUE(Current().ok());
      durations.push_back(absl::Now() - begin);
    }
    std::sort(durations.begin(), durations.end());
    return durations[durations.size() / 2];
  }
  // Whether calls are as quick as they were, but for what a busy machine does to both.
  static bool IsAsQuickAs(absl::Duration before, absl::Duration now) {
    return now < 20 * std::max(before, absl::Milliseconds(2));
  }

  // The status of a call of any method with any bytes; of a stream, as soon as it says something.
  static grpc::Status CallMethod(const std::shared_ptr<grpc::Channel>& channel,
                                 const std::string& method, const std::string& request) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(&context, method, &queue);
    const auto await = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    call->StartCall(&queue);
    await();
    const grpc::Slice slice(request);
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), &queue);
    await();
    grpc::ByteBuffer answer;
    call->Read(&answer, &queue);
    const bool answered = await();
    if (answered) context.TryCancel();
    grpc::Status status;
    call->Finish(&status, &queue);
    await();
    queue.Shutdown();
    return answered ? grpc::Status::OK : status;
  }
};

std::vector<const google::protobuf::MethodDescriptor*> Methods() {
  const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
      "migration.v1.MigrationService");
  std::vector<const google::protobuf::MethodDescriptor*> methods;
  for (int i = 0; i < service->method_count(); ++i) methods.push_back(service->method(i));
  return methods;
}

std::string PathOf(const google::protobuf::MethodDescriptor& method) {
  return absl::StrCat("/", method.service()->full_name(), "/", method.name());
}

// Calls that are made one after the other as long as it lives; each must be answered.
class Others {
 public:
  explicit Others(std::function<grpc::Status()> call)
      : thread_([this, call = std::move(call)] {
          while (!done_) {
            const grpc::Status status = call();
            if (status.ok()) {
              ++answered_;
            } else {
              ++failed_;
            }
          }
        }) {}
  ~Others() {
    // At least one that began after all that was done to the server.
    const int before = answered_;
    EXPECT_TRUE(Eventually([&] { return answered_ >= before + 2 || failed_ > 0; }));
    done_ = true;
    thread_.join();
    EXPECT_EQ(failed_, 0);
  }

 private:
  std::atomic<bool> done_ = false;
  std::atomic<int> answered_ = 0;
  std::atomic<int> failed_ = 0;
  std::thread thread_;
};

TEST_F(HostileTest, WhatIsNoHttp2ClosesItsOwnConnectionOnly) {
  const Others others([this] { return Current(); });
  const std::vector<std::string> garbage = {
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
      std::string(100'000, '\xff'),
      std::string(1000, '\0'),
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  // the beginning of TLS
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage that is no frame",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\xff\xff\xff\x00\x00\x00\x00\x00\x00", 9),
  };
  for (int turn = 0; turn < 20; ++turn) {
    for (const std::string& data : garbage) Send(Connect(turn), data);
  }
  const UniqueFd http = Connect();
  Send(http, garbage[0]);
  EXPECT_TRUE(IsClosed(http));
}

TEST_F(HostileTest, ThousandsOfIdleConnectionsLeaveRoomForOthers) {
  // As migd does when it starts: a shell has 1024, as a rule.
  rlimit descriptors = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
  descriptors.rlim_cur = descriptors.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
  Restart(Limits());
  // Both ends are in this process.
  const int count = static_cast<int>(std::min<rlim_t>(10'000, (descriptors.rlim_cur - 1000) / 2));
  ASSERT_GT(count, 100);
  const absl::Duration before = MedianOfCurrent();
  {
    const Others others([this] { return Current(); });
    std::vector<UniqueFd> idle;
    for (int i = 0; i < count; ++i) {
      idle.push_back(Connect(i));
      // Some are half there.
      if (i % 3 == 0) Send(idle.back(), "PRI * HT");
    }
    // Behind all of them in the queue of those that are to be accepted.
    EXPECT_TRUE(Current().ok());
    EXPECT_PRED2(IsAsQuickAs, before, MedianOfCurrent());
  }
  EXPECT_TRUE(Current().ok());
}

TEST_F(HostileTest, AConnectionThatDoesNotBecomeOneIsClosed) {
  Limits limits;
  limits.handshake_timeout = absl::Milliseconds(200);
  Restart(limits);
  const UniqueFd silent = Connect();
  const UniqueFd half = Connect();
  Send(half, "PRI * HTTP/2.0\r\n\r\nSM");
  EXPECT_TRUE(IsClosed(silent));
  EXPECT_TRUE(IsClosed(half));
}

// --- Frames of HTTP/2 (RFC 9113, 4.1) ---

constexpr char kSettings = 4;
constexpr char kPing = 6;

// One of the connection itself, with a short payload.
std::string Frame(char type, const std::string& payload) {
  const char size = static_cast<char>(payload.size());
  return std::string({0, 0, size, type, 0, 0, 0, 0, 0}) + payload;
}

// What comes over a connection until it has answered so many pings with `data`, or is closed.
std::string ReadUntilAnswers(const UniqueFd& connection, const std::string& data, size_t count) {
  const timeval patience = {60, 0};
  setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::string all;
  for (size_t answers = 0; answers < count;) {
    char bytes[4096];
    const ssize_t got = recv(connection.get(), bytes, sizeof bytes, 0);
    if (got <= 0) break;
    all.append(bytes, static_cast<size_t>(got));
    answers = std::vector<std::string>(absl::StrSplit(all, data)).size() - 1;
  }
  return all;
}

TEST_F(HostileTest, APingEachTenSecondsIsPermittedAndMoreOfThemAreNot) {
  const std::string beginning = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettings, "");
  const std::string data = "anyone??";
  // gRPC overlooks two that come too early: the fourth would be one too many.
  constexpr int kPings = 4;
  const UniqueFd patient = Connect();
  Send(patient, beginning);
  for (int i = 0; i < kPings; ++i) {
    if (i > 0) absl::SleepFor(absl::Milliseconds(10'100));
    Send(patient, Frame(kPing, data));
  }
  EXPECT_THAT(ReadUntilAnswers(patient, data, kPings), Not(HasSubstr("too_many_pings")));
  EXPECT_FALSE(IsClosed(patient, absl::ZeroDuration()));

  const UniqueFd hasty = Connect();
  Send(hasty, beginning);
  for (int i = 0; i < kPings; ++i) Send(hasty, Frame(kPing, data));
  EXPECT_THAT(ReadUntilAnswers(hasty, data, 2 * kPings), HasSubstr("too_many_pings"));
  EXPECT_TRUE(IsClosed(hasty));
}

// --- Connections ---

TEST_F(HostileTest, MoreConnectionsThanAllowedAreClosedAtOnce) {
  Limits limits;
  limits.connections = 10;
  // Those of one listener are accepted in their order.
  for (const int listener : {0, 1}) {
    Restart(limits);
    std::vector<UniqueFd> taken;
    for (int i = 0; i < limits.connections; ++i) taken.push_back(Connect(listener));
    EXPECT_TRUE(IsClosed(Connect(listener)));
    taken.clear();
    EXPECT_TRUE(Eventually([&] { return Current().ok(); }));
  }
}

TEST_F(HostileTest, AServerThatRanOutOfDescriptorsAcceptsAgainWhenItHasSome) {
  ASSERT_TRUE(Current().ok());
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 10; ++i) clients.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = TcpAddress();
  // The lowest that is free, above which none is given from now on.
  const int next = UniqueFd(dup(0)).get();
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (const UniqueFd& client : clients) {
    EXPECT_EQ(connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
  }
  absl::SleepFor(absl::Milliseconds(300));  // it tries in vain meanwhile
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(Current().ok());
}

TEST_F(HostileTest, AMessageThatIsTooLargeIsRefused) {
  const auto channel = NewChannel();
  for (const auto* method : Methods()) {
    const grpc::Status status = CallMethod(channel, PathOf(*method), std::string(5 << 20, '\x0a'));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << method->name();
  }
  EXPECT_TRUE(Current().ok());
}

TEST_F(HostileTest, AMessageThatIsMalformedIsRefused) {
  const auto channel = NewChannel();
  const std::vector<std::string> malformed = {
      "\x0a\xff\xff\xff\xff\x0f",    // a field that is longer than the message
      "\x0a\x02\xff\xfe",            // a string that is no UTF-8, in fields that are strings
      std::string(10, '\xff'),       // a number without end
      std::string(100'000, '\x0b'),  // groups in groups
  };
  for (const auto* method : Methods()) {
    for (const std::string& request : malformed) {
      const grpc::Status status = CallMethod(channel, PathOf(*method), request);
      // Of messages whose first field is something else, or that have none, the second is one.
      if (request == malformed[1]) continue;
      EXPECT_FALSE(status.ok()) << method->name();
    }
  }
  EXPECT_TRUE(Current().ok());
}

// Sets every text in `message`, and in those within it, to `text`.
void FillWith(const std::string& text, google::protobuf::Message& message) {
  const auto* descriptor = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING) {
      if (field->is_repeated()) {
        reflection->AddString(&message, field, text);
      } else {
        reflection->SetString(&message, field, text);
      }
    } else if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE &&
               !field->is_repeated() &&
               field->message_type()->full_name() == "migration.v1.RunOptions") {
      FillWith(text, *reflection->MutableMessage(&message, field));
    }
  }
}

// Makes a call that would wait look once, and a stream that would be silent say something.
void Hurry(google::protobuf::Message& request) {
  const auto* descriptor = request.GetDescriptor();
  const auto* reflection = request.GetReflection();
  if (const auto* field = descriptor->FindFieldByName("timeout")) {
    reflection->MutableMessage(&request, field);
  }
  if (const auto* field = descriptor->FindFieldByName("heartbeat_interval")) {
    google::protobuf::Message* interval = reflection->MutableMessage(&request, field);
    interval->GetReflection()->SetInt32(
        interval, interval->GetDescriptor()->FindFieldByName("nanos"), 100'000'000);
  }
}

TEST_F(HostileTest, TextsThatMeanSomethingElsewhereAreTexts) {
  const auto channel = NewChannel();
  const std::vector<std::string> texts = {"'; DROP TABLE aa01; --",
                                          "../../../../etc/passwd",
                                          "/etc/passwd",
                                          std::string("a\0b", 3),
                                          "$(reboot)",
                                          "%s%n",
                                          "\xef\xbb\xbf\xe2\x80\xae",
                                          std::string(100'000, 'a'),
                                          std::string(10'000, ':'),
                                          "-1",
                                          "@{-1}+99999999999999999999"};
  for (const auto* method : Methods()) {
    const std::unique_ptr<google::protobuf::Message> request(
        google::protobuf::MessageFactory::generated_factory()
            ->GetPrototype(method->input_type())
            ->New());
    for (const std::string& text : texts) {
      request->Clear();
      FillWith(text, *request);
      Hurry(*request);
      // Also where the database is found.
      for (const bool named : {true, false}) {
        if (const auto* field = method->input_type()->FindFieldByName("database");
            field != nullptr && !named) {
          request->GetReflection()->ClearField(request.get(), field);
        }
        const grpc::Status status =
            CallMethod(channel, PathOf(*method), request->SerializeAsString());
        EXPECT_THAT(status.error_code(),
                    AnyOf(grpc::StatusCode::OK, grpc::StatusCode::INVALID_ARGUMENT,
                          grpc::StatusCode::NOT_FOUND, grpc::StatusCode::FAILED_PRECONDITION,
                          grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::PERMISSION_DENIED))
            << method->name() << " of " << text.substr(0, 30) << ": " << status.error_message();
      }
    }
  }
  EXPECT_TRUE(Current().ok());
}

TEST_F(HostileTest, WhoDoesNotReadHoldsNobodyUp) {
  const absl::Duration before = MedianOfCurrent();
  const auto slow = NewStub();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<migration::v1::OperationEvent>>> unread;
  migration::v1::WatchRequest request;
  request.mutable_heartbeat_interval()->set_nanos(100'000'000);
  for (int i = 0; i < 100; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    unread.push_back(slow->Watch(contexts.back().get(), request));
  }
  const Others others([this] { return Current(); });
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Upgrade("aa03").status.ok());
    EXPECT_TRUE(Downgrade("base").status.ok());
  }
  EXPECT_PRED2(IsAsQuickAs, before, MedianOfCurrent());
  for (const auto& context : contexts) context->TryCancel();
}

// --- Of each client ---

TEST_F(HostileTest, AClientHasSoManyStreams) {
  Limits limits;
  limits.streams_per_client = 3;
  Restart(limits);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<migration::v1::OperationEvent>>> watches;
  const auto stub = NewStub();
  migration::v1::WatchRequest request;
  request.mutable_heartbeat_interval()->set_nanos(100'000'000);
  migration::v1::OperationEvent event;
  for (int i = 0; i < limits.streams_per_client; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    watches.push_back(stub->Watch(contexts.back().get(), request));
    ASSERT_TRUE(watches.back()->Read(&event));
  }
  const auto another = [&] {
    grpc::ClientContext context;
    const auto watch = stub->Watch(&context, request);
    const bool answered = watch->Read(&event);
    if (answered) context.TryCancel();
    while (watch->Read(&event)) continue;
    const grpc::Status status = watch->Finish();
    return answered ? "OK" : Verdict(status);
  };
  EXPECT_EQ(another(), "RESOURCE_EXHAUSTED LIMIT_REACHED");
  grpc::ClientContext wait_context;
  migration::v1::WaitResponse waited;
  EXPECT_EQ(Verdict(stub->Wait(&wait_context, migration::v1::WaitRequest(), &waited)),
            "RESOURCE_EXHAUSTED LIMIT_REACHED");
  EXPECT_TRUE(IsInTheAudit("Watch", "LIMIT_REACHED"));
  EXPECT_TRUE(IsInTheAudit("Wait", "LIMIT_REACHED"));
  // Of other calls there is enough; and a stream that has ended makes room.
  EXPECT_TRUE(Current().ok());
  contexts.front()->TryCancel();
  EXPECT_TRUE(Eventually([&] { return another() == "OK"; }));
  for (const auto& context : contexts) context->TryCancel();
}

TEST_F(HostileTest, StreamsForWhichThereIsNoMemoryAreEnded) {
  Limits limits;
  limits.memory = 1 << 20;
  Restart(limits);
  const auto stub = NewStub();
  migration::v1::WatchRequest request;
  request.mutable_heartbeat_interval()->set_nanos(100'000'000);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::thread> watchers;
  std::atomic<int> ended = 0;
  for (int i = 0; i < 500; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    watchers.emplace_back([&, context = contexts.back().get()] {
      const auto watch = stub->Watch(context, request);
      migration::v1::OperationEvent event;
      while (watch->Read(&event)) continue;
      if (watch->Finish().error_code() != grpc::StatusCode::CANCELLED) ++ended;
    });
  }
  EXPECT_TRUE(Eventually([&] { return ended > 0; }));
  for (const auto& context : contexts) context->TryCancel();
  for (std::thread& watcher : watchers) watcher.join();
  EXPECT_TRUE(Eventually([&] { return Current().ok(); }));
}

TEST_F(HostileTest, AClientHasSoManyCalls) {
  Limits limits;
  limits.calls_per_client = 0;
  Restart(limits);
  EXPECT_EQ(Verdict(Current()), "RESOURCE_EXHAUSTED LIMIT_REACHED");
  EXPECT_TRUE(IsInTheAudit("Current", "LIMIT_REACHED"));
}

TEST_F(HostileTest, AClientMakesSoManyScratchDatabases) {
  Limits limits;
  limits.scratch_calls_per_client = 0;
  Restart(limits);
  migration::v1::VerifyResponse response;
  EXPECT_EQ(Verdict(Call(&Stub::Verify, migration::v1::VerifyRequest(), response)),
            "RESOURCE_EXHAUSTED LIMIT_REACHED");
  EXPECT_TRUE(IsInTheAudit("Verify", "LIMIT_REACHED"));
}

TEST_F(HostileTest, AClientHasSoManyOperations) {
  Limits limits;
  limits.operations_per_client = 2;
  Restart(limits);
  database_.HoldMutex({});
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<migration::v1::OperationEvent>>> running;
  constexpr char kRequestId[] = "3c0a4d3e-5f0b-4f57-9a55-0d7a0c3f7f10";
  migration::v1::UpgradeRequest request;
  request.set_target("aa01");
  request.set_request_id(kRequestId);
  migration::v1::OperationEvent event;
  std::string first;
  for (int i = 0; i < limits.operations_per_client; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    running.push_back(stub_->Upgrade(contexts.back().get(), request));
    ASSERT_TRUE(running.back()->Read(&event));
    if (i == 0) first = event.operation();
    request.clear_request_id();
  }
  EXPECT_EQ(Verdict(Upgrade("aa01").status), "RESOURCE_EXHAUSTED LIMIT_REACHED");
  // Whoever lost the connection, and asks again for what is there, takes nothing more.
  request.set_request_id(kRequestId);
  grpc::ClientContext repeated;
  const auto again = stub_->Upgrade(&repeated, request);
  ASSERT_TRUE(again->Read(&event));
  EXPECT_EQ(event.operation(), first);
  database_.ReleaseMutex();
  EXPECT_TRUE(Eventually([&] { return Upgrade("aa01").status.ok(); }));
}

}  // namespace
}  // namespace migd
