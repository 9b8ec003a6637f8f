// Who may make which call, over a unix socket and over TLS. The rest of TLS is in tls_test.cc.

#include <grpcpp/generic/generic_stub.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/access/roles.h"
#include "service/access/token_file.h"
#include "tests/rpc/rpc_fixture.h"
#include "tests/support/test_ca.h"

namespace migd {
namespace {

using migration::v1::Role;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::string TokenOf(const std::string& name) { return absl::StrCat(name, "-0123456789-abcdefgh"); }

// Databases app and billing, and for each role a token and a certificate of its name that have it
// on app.
class AuthorizationTest : public RpcTest {
 protected:
  AuthorizationTest() {
    std::vector<std::unique_ptr<Workspace>> workspaces;
    for (const std::string name : {"app", "billing"}) {
      FakeWorkspace& fake = name == "app" ? app_ : billing_;
      fake.workspace().name = name;
      Policy policy = *fake.workspace().policy();
      policy.allow_terminate_blockers = true;
      fake.workspace().SetPolicy(policy);
      fake.Write({"aa01", "", "\nCREATE TABLE aa01 (x int);\n", "\nDROP TABLE aa01;"});
      fake.Write({"aa02", "aa01", "\nDROP TABLE aa01;\n", "\nCREATE TABLE aa01 (x int);"});
      workspaces.push_back(fake.Take());
    }
    both_ = std::make_unique<Catalog>(std::move(workspaces));
    WriteTokens({"viewer", "operator", "destructive", "admin", "nobody", "both"});
    policy_.tokens_file = directory_.path() + "/tokens";
    for (const std::string name : {"viewer", "operator", "destructive", "admin"}) Grant(name, name);
    policy_.rules.push_back({{"token:both"}, {"*"}, migration::v1::ROLE_OPERATOR});
    Restart();
  }
  // What is made here is used by what the base has.
  ~AuthorizationTest() override {
    server_.reset();
    operations_.reset();
  }

  void WriteTokens(const std::vector<std::string>& names) {
    std::string lines;
    for (const std::string& name : names) {
      absl::StrAppend(&lines, *TokenLine(name, TokenOf(name), absl::InfiniteFuture()), "\n");
    }
    directory_.Write("tokens", lines);
  }
  void Grant(const std::string& token, const std::string& role) {
    Role parsed = migration::v1::ROLE_UNSPECIFIED;
    ASSERT_TRUE(ParseRole(role, parsed));
    policy_.rules.push_back({{"token:" + token, "certificate:" + token}, {"app"}, parsed});
  }
  void Restart() {
    server_.reset();
    operations_ = std::make_unique<OperationManager>();
    for (Workspace* workspace : both_->workspaces()) operations_->Follow(*workspace);
    ServerOptions options;
    options.addresses = {absl::StrCat("unix:", directory_.path(), "/authorized"), "127.0.0.1:0"};
    options.authorization = policy_;
    options.tls = tls_;
    auto server = Server::Start(options, *both_, *operations_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = NewStub();
  }

  absl::Status Reload(absl::optional<AccessPolicy> policy,
                      const std::set<std::string>& databases = {"app", "billing"}) {
    return server_->Reload(std::move(policy), databases);
  }

  static std::unique_ptr<grpc::ClientContext> As(const std::string& token) {
    auto context = std::make_unique<grpc::ClientContext>();
    if (!token.empty()) context->AddMetadata("authorization", "Bearer " + TokenOf(token));
    return context;
  }
  template <typename Method, typename Request, typename Response>
  grpc::Status CallAs(const std::string& token, Method method, const Request& request,
                      Response& response) {
    return ((*stub_).*method)(As(token).get(), request, &response);
  }
  Streamed UpgradeAs(const std::string& token, migration::v1::UpgradeRequest request) {
    const auto context = As(token);
    return ReadAll(*stub_->Upgrade(context.get(), request));
  }
  static migration::v1::UpgradeRequest UpgradeOf(const std::string& database,
                                                 const std::string& target = "aa01") {
    migration::v1::UpgradeRequest request;
    request.set_database(database);
    request.set_target(target);
    return request;
  }
  // The id of an operation on app.
  std::string OperationOfApp() {
    const Streamed upgraded = UpgradeAs("operator", UpgradeOf("app"));
    EXPECT_TRUE(upgraded.status.ok()) << upgraded.status.error_message();
    return upgraded.events.empty() ? "" : upgraded.events.front().operation();
  }
  static migration::v1::CurrentRequest CurrentOf(const std::string& database) {
    migration::v1::CurrentRequest request;
    request.set_database(database);
    return request;
  }
  std::string VerdictOfCurrent(const std::string& token, const std::string& database) {
    migration::v1::CurrentResponse response;
    return Verdict(CallAs(token, &Stub::Current, CurrentOf(database), response));
  }

  FakeWorkspace app_;
  FakeWorkspace billing_;
  std::unique_ptr<Catalog> both_;
  AccessPolicy policy_;
  // Of what is not a unix socket.
  absl::optional<TlsOptions> tls_;
};

// Makes one call as the owner of a token, about database app, and returns how it was taken: whether
// it goes on to succeed is no matter.
using MakeCall = std::function<grpc::Status(migration::v1::MigrationService::Stub&,
                                            grpc::ClientContext&, const std::string& operation)>;

template <typename Request, typename Response>
MakeCall Unary(grpc::Status (migration::v1::MigrationService::Stub::*method)(grpc::ClientContext*,
                                                                             const Request&,
                                                                             Response*)) {
  return [method](auto& stub, grpc::ClientContext& context, const std::string& operation) {
    Request request;
    const auto* descriptor = Request::descriptor();
    const auto* reflection = request.GetReflection();
    if (const auto* field = descriptor->FindFieldByName("database")) {
      reflection->SetString(&request, field, "app");
    }
    if (const auto* field = descriptor->FindFieldByName("operation")) {
      reflection->SetString(&request, field, operation);
    }
    // Wait looks once.
    if (const auto* field = descriptor->FindFieldByName("timeout")) {
      reflection->MutableMessage(&request, field);
    }
    Response response;
    return (stub.*method)(&context, request, &response);
  };
}

template <typename Request, typename Response>
MakeCall Streaming(std::unique_ptr<grpc::ClientReader<Response>> (
                       migration::v1::MigrationService::Stub::*method)(grpc::ClientContext*,
                                                                       const Request&),
                   bool endless = false) {
  return [method, endless](auto& stub, grpc::ClientContext& context, const std::string& operation) {
    Request request;
    if (const auto* field = Request::descriptor()->FindFieldByName("database")) {
      request.GetReflection()->SetString(&request, field, "app");
    }
    if (const auto* field = Request::descriptor()->FindFieldByName("operation")) {
      request.GetReflection()->SetString(&request, field, operation);
    }
    if (const auto* field = Request::descriptor()->FindFieldByName("heartbeat_interval")) {
      auto* interval = request.GetReflection()->MutableMessage(&request, field);
      interval->GetReflection()->SetInt32(
          interval, interval->GetDescriptor()->FindFieldByName("nanos"), 100'000'000);
    }
    auto reader = (stub.*method)(&context, request);
    Response response;
    const bool answered = reader->Read(&response);
    if (endless && answered) context.TryCancel();
    while (reader->Read(&response)) continue;
    const grpc::Status status = reader->Finish();
    return endless && answered ? grpc::Status::OK : status;
  };
}

struct TableRow {
  // The lowest role that may.
  std::string role;
  MakeCall call;
};

// By the names of the RPCs.
const std::map<std::string, TableRow>& Table() {
  using Stub = migration::v1::MigrationService::Stub;
  static const std::map<std::string, TableRow> table = {
      {"Current", {"viewer", Unary(&Stub::Current)}},
      {"History", {"viewer", Unary(&Stub::History)}},
      {"Heads", {"viewer", Unary(&Stub::Heads)}},
      {"Branches", {"viewer", Unary(&Stub::Branches)}},
      {"Show", {"viewer", Unary(&Stub::Show)}},
      {"Plan", {"viewer", Unary(&Stub::Plan)}},
      {"Rehearse", {"operator", Streaming(&Stub::Rehearse)}},
      {"Lint", {"viewer", Unary(&Stub::Lint)}},
      {"Verify", {"operator", Unary(&Stub::Verify)}},
      {"Check", {"viewer", Unary(&Stub::Check)}},
      {"ComposeBaseline", {"operator", Unary(&Stub::ComposeBaseline)}},
      {"RenderScript", {"viewer", Streaming(&Stub::RenderScript)}},
      {"ComposeRevision", {"viewer", Unary(&Stub::ComposeRevision)}},
      {"Upgrade", {"operator", Streaming(&Stub::Upgrade)}},
      {"Downgrade", {"destructive", Streaming(&Stub::Downgrade)}},
      {"Stamp", {"operator", Streaming(&Stub::Stamp)}},
      {"GetOperation", {"viewer", Unary(&Stub::GetOperation)}},
      {"ListOperations", {"viewer", Unary(&Stub::ListOperations)}},
      {"WatchOperation", {"viewer", Streaming(&Stub::WatchOperation)}},
      {"Watch", {"viewer", Streaming(&Stub::Watch, true)}},
      {"CancelOperation", {"operator", Unary(&Stub::CancelOperation)}},
      {"Wait", {"viewer", Unary(&Stub::Wait)}},
      {"WhoAmI", {"nobody", Unary(&Stub::WhoAmI)}},
      {"ListAuditEntries", {"admin", Unary(&Stub::ListAuditEntries)}},
      {"VerifyAudit", {"admin", Unary(&Stub::VerifyAudit)}},
  };
  return table;
}

TEST_F(AuthorizationTest, TheTableHasEveryRpcOfTheProto) {
  std::set<std::string> listed;
  for (const auto& [rpc, row] : Table()) listed.insert(rpc);
  std::set<std::string> declared;
  const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
      "migration.v1.MigrationService");
  ASSERT_NE(service, nullptr);
  for (int i = 0; i < service->method_count(); ++i) declared.insert(service->method(i)->name());
  EXPECT_EQ(listed, declared);
}

// A way to be somebody: the stub by which whoever is called `name` ("" is nobody) makes calls, and
// what their calls bring.
struct Identity {
  std::unique_ptr<migration::v1::MigrationService::Stub> stub;
  std::unique_ptr<grpc::ClientContext> context;
};
using Identify = std::function<Identity(const std::string& name)>;

// Every cell of the table.
void ExpectEachRoleItsCalls(const std::string& operation, const Identify& identify) {
  const std::vector<std::string> roles = {"nobody", "viewer", "operator", "destructive", "admin"};
  for (const auto& [rpc, row] : Table()) {
    const auto verdict_for = [&, &call = row.call](const std::string& name) {
      const Identity identity = identify(name);
      identity.context->set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
      return Verdict(call(*identity.stub, *identity.context, operation));
    };
    bool may = false;
    for (const std::string& role : roles) {
      may = may || role == row.role;
      SCOPED_TRACE(absl::StrCat(rpc, " as ", role));
      const std::string verdict = verdict_for(role);
      EXPECT_EQ(verdict != "PERMISSION_DENIED PERMISSION_DENIED", may) << verdict;
      EXPECT_THAT(verdict, Not(HasSubstr("UNAUTHENTICATED")));
      // The call has reached the server.
      EXPECT_THAT(verdict, Not(StartsWith("UNAVAILABLE")));
    }
    ASSERT_TRUE(may) << rpc << " is for " << row.role << ", which is no role";
    EXPECT_EQ(verdict_for(""), "UNAUTHENTICATED UNAUTHENTICATED") << rpc;
  }
}

TEST_F(AuthorizationTest, EachRoleMayMakeItsCallsAndNoOthers) {
  // Nobody is known over TCP; over a unix socket, its user is.
  ExpectEachRoleItsCalls(OperationOfApp(), [this](const std::string& name) {
    return Identity{
        migration::v1::MigrationService::NewStub(grpc::CreateChannel(
            server_->addresses()[name.empty() ? 1 : 0], grpc::InsecureChannelCredentials())),
        As(name)};
  });
}

// The same over TLS, with an authority of the test's own.
class AuthorizationOverTlsTest : public AuthorizationTest {
 protected:
  AuthorizationOverTlsTest() {
    const Issued issued = ca_.Issue({"server", "DNS:localhost,IP:127.0.0.1"});
    directory_.Write("cert.pem", issued.certificate);
    directory_.Write("key.pem", issued.key);
    directory_.Write("client_ca.pem", ca_.certificate());
    const std::string& path = directory_.path();
    tls_ = TlsOptions{{path + "/cert.pem", path + "/key.pem", path + "/client_ca.pem"}, false};
    Restart();
  }

  // With a client certificate for `name`, or none if that is empty.
  std::shared_ptr<grpc::Channel> ChannelOf(const std::string& name) {
    std::shared_ptr<grpc::Channel>& channel = channels_[name];
    if (channel == nullptr) {
      const Issued issued = name.empty() ? Issued() : ca_.Issue({name});
      grpc::SslCredentialsOptions options;
      options.pem_root_certs = ca_.certificate();
      options.pem_cert_chain = issued.certificate;
      options.pem_private_key = issued.key;
      grpc::ChannelArguments arguments;
      arguments.SetSslTargetNameOverride("localhost");
      channel = grpc::CreateCustomChannel(server_->addresses()[1], grpc::SslCredentials(options),
                                          arguments);
    }
    return channel;
  }

 private:
  const TestCa ca_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;
};

TEST_F(AuthorizationOverTlsTest, EachRoleOfATokenMayMakeItsCallsAndNoOthers) {
  ExpectEachRoleItsCalls(OperationOfApp(), [this](const std::string& name) {
    return Identity{migration::v1::MigrationService::NewStub(ChannelOf("")), As(name)};
  });
}

TEST_F(AuthorizationOverTlsTest, EachRoleOfACertificateMayMakeItsCallsAndNoOthers) {
  ExpectEachRoleItsCalls(OperationOfApp(), [this](const std::string& name) {
    return Identity{migration::v1::MigrationService::NewStub(ChannelOf(name)), As("")};
  });
}

TEST_F(AuthorizationTest, ARefusedOperationIsInTheAuditWithItsRequestAndItsTrace) {
  const auto context = As("viewer");
  context->AddMetadata("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  migration::v1::UpgradeRequest request = UpgradeOf("app");
  request.set_request_id("0b8d4a52-6a4f-4f3c-9df1-0d2f2b7f3a11");
  EXPECT_EQ(Verdict(ReadAll(*stub_->Upgrade(context.get(), request)).status),
            "PERMISSION_DENIED PERMISSION_DENIED");
  const migration::v1::AuditEntry entry = app_.audit().AwaitEntries(1).front();
  EXPECT_EQ(entry.principal(), "token:viewer");
  EXPECT_EQ(entry.request(), "aa01");
  EXPECT_EQ(entry.request_id(), request.request_id());
  EXPECT_EQ(entry.trace_id(), "0af7651916cd43dd8448eb211c80319c");
}

TEST_F(AuthorizationTest, AForbiddenDatabaseIsLikeOneThatDoesNotExist) {
  migration::v1::CurrentResponse response;
  const grpc::Status forbidden = CallAs("viewer", &Stub::Current, CurrentOf("billing"), response);
  const grpc::Status unknown = CallAs("viewer", &Stub::Current, CurrentOf("nothere"), response);
  EXPECT_EQ(Verdict(forbidden), "PERMISSION_DENIED PERMISSION_DENIED");
  EXPECT_EQ(Verdict(unknown), "PERMISSION_DENIED PERMISSION_DENIED");
  EXPECT_EQ(forbidden.error_message(), "token:viewer lacks the role viewer on billing");
  EXPECT_EQ(unknown.error_message(), "token:viewer lacks the role viewer on nothere");
  // Names are not told by the question which it is to be, either.
  const grpc::Status unnamed = CallAs("viewer", &Stub::Current, CurrentOf(""), response);
  EXPECT_EQ(Verdict(unnamed), "PERMISSION_DENIED PERMISSION_DENIED");
  EXPECT_THAT(unnamed.error_details(), HasSubstr("migctl --database NAME"));
  EXPECT_THAT(forbidden.error_details(), Not(HasSubstr("migctl --database NAME")));
  EXPECT_EQ(VerdictOfCurrent("both", "nothere"), "NOT_FOUND UNKNOWN_DATABASE");
}

TEST_F(AuthorizationTest, AnOperationOnAForbiddenDatabaseIsUnknown) {
  const Streamed upgraded = UpgradeAs("both", UpgradeOf("billing"));
  ASSERT_TRUE(upgraded.status.ok()) << upgraded.status.error_message();
  const std::string operation = upgraded.events.front().operation();
  migration::v1::GetOperationRequest get;
  migration::v1::GetOperationResponse got;
  migration::v1::CancelOperationRequest cancel;
  migration::v1::CancelOperationResponse cancelled;
  migration::v1::WatchOperationRequest watch;
  for (const std::string& name : {operation, operation.substr(0, 4)}) {
    get.set_operation(name);
    cancel.set_operation(name);
    watch.set_operation(name);
    EXPECT_EQ(Verdict(CallAs("viewer", &Stub::GetOperation, get, got)),
              "NOT_FOUND UNKNOWN_OPERATION");
    EXPECT_EQ(Verdict(CallAs("admin", &Stub::CancelOperation, cancel, cancelled)),
              "NOT_FOUND UNKNOWN_OPERATION");
    const auto context = As("viewer");
    EXPECT_EQ(Verdict(ReadAll(*stub_->WatchOperation(context.get(), watch)).status),
              "NOT_FOUND UNKNOWN_OPERATION");
    EXPECT_TRUE(CallAs("both", &Stub::GetOperation, get, got).ok());
  }
}

TEST_F(AuthorizationTest, ListsShowWhatTheCallerMaySee) {
  for (const std::string database : {"app", "billing"}) {
    ASSERT_TRUE(UpgradeAs("both", UpgradeOf(database)).status.ok());
  }
  const auto databases_for = [&](const std::string& token) {
    migration::v1::ListOperationsResponse response;
    const grpc::Status status =
        CallAs(token, &Stub::ListOperations, migration::v1::ListOperationsRequest(), response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<std::string> databases;
    for (const auto& operation : response.operations()) databases.push_back(operation.database());
    return databases;
  };
  EXPECT_THAT(databases_for("viewer"), ElementsAre("app"));
  EXPECT_THAT(databases_for("both"), ElementsAre("billing", "app"));
  migration::v1::ListOperationsRequest named;
  named.set_database("billing");
  migration::v1::ListOperationsResponse response;
  EXPECT_EQ(Verdict(CallAs("viewer", &Stub::ListOperations, named, response)),
            "PERMISSION_DENIED PERMISSION_DENIED");
}

TEST_F(AuthorizationTest, AWatchShowsWhatTheCallerMaySee) {
  const auto context = As("viewer");
  const auto watching = stub_->Watch(context.get(), migration::v1::WatchRequest());
  watching->WaitForInitialMetadata();
  ASSERT_TRUE(UpgradeAs("both", UpgradeOf("billing")).status.ok());
  const Streamed seen = UpgradeAs("both", UpgradeOf("app"));
  ASSERT_TRUE(seen.status.ok());
  // The first that comes, though it was made last.
  migration::v1::OperationEvent event;
  do {
    ASSERT_TRUE(watching->Read(&event));
  } while (event.has_heartbeat());
  EXPECT_EQ(event.operation(), seen.events.front().operation());
  context->TryCancel();
}

TEST_F(AuthorizationTest, WhoAmITellsTheRolesAndNothingElse) {
  migration::v1::WhoAmIResponse response;
  ASSERT_TRUE(CallAs("viewer", &Stub::WhoAmI, migration::v1::WhoAmIRequest(), response).ok());
  EXPECT_EQ(response.principal(), "token:viewer");
  EXPECT_EQ(response.address(), "unix");
  ASSERT_THAT(response.databases(), SizeIs(1));
  EXPECT_EQ(response.databases(0).database(), "app");
  EXPECT_EQ(response.databases(0).role(), migration::v1::ROLE_VIEWER);
  response.Clear();
  ASSERT_TRUE(CallAs("nobody", &Stub::WhoAmI, migration::v1::WhoAmIRequest(), response).ok());
  EXPECT_EQ(response.principal(), "token:nobody");
  EXPECT_THAT(response.databases(), IsEmpty());
}

// --- What a call asks for beyond its usual ---

TEST_F(AuthorizationTest, AnUpgradeThatDestroysNeedsMoreThanAnOperator) {
  ASSERT_TRUE(UpgradeAs("operator", UpgradeOf("app", "aa01")).status.ok());
  const Streamed refused = UpgradeAs("operator", UpgradeOf("app", "aa02"));
  EXPECT_EQ(Verdict(refused.status), "PERMISSION_DENIED PERMISSION_DENIED");
  EXPECT_EQ(refused.status.error_message(),
            "token:operator lacks the role destructive on app, which it needs because this would "
            "destroy data");
  EXPECT_TRUE(app_.database().HasTable("aa01"));
  EXPECT_TRUE(UpgradeAs("destructive", UpgradeOf("app", "aa02")).status.ok());
  EXPECT_FALSE(app_.database().HasTable("aa01"));
}

TEST_F(AuthorizationTest, OptionsThatOverrideNeedMore) {
  const auto verdict = [&](const std::string& token, const migration::v1::RunOptions& options) {
    migration::v1::UpgradeRequest request = UpgradeOf("app");
    *request.mutable_options() = options;
    return Verdict(UpgradeAs(token, request).status);
  };
  constexpr char kDenied[] = "PERMISSION_DENIED PERMISSION_DENIED";
  migration::v1::RunOptions options;
  options.set_lint(migration::v1::LINT_GATE_ERROR);  // as it is configured
  EXPECT_NE(verdict("operator", options), kDenied);
  for (const auto weaker : {migration::v1::LINT_GATE_WARN, migration::v1::LINT_GATE_OFF}) {
    options.set_lint(weaker);
    EXPECT_EQ(verdict("destructive", options), kDenied);
    EXPECT_NE(verdict("admin", options), kDenied);
  }
  options.Clear();
  options.add_accept_checksums("aa01");
  EXPECT_EQ(verdict("destructive", options), kDenied);
  EXPECT_NE(verdict("admin", options), kDenied);
  options.Clear();
  options.set_terminate_blockers(true);
  EXPECT_EQ(verdict("operator", options), kDenied);
  EXPECT_NE(verdict("destructive", options), kDenied);
}

TEST_F(AuthorizationTest, ToEmptyTheVersionTableNeedsMore) {
  migration::v1::StampRequest request;
  request.set_database("app");
  request.add_targets("base");
  const auto verdict = [&](const std::string& token) {
    const auto context = As(token);
    return Verdict(ReadAll(*stub_->Stamp(context.get(), request)).status);
  };
  EXPECT_EQ(verdict("operator"), "OK");
  request.set_purge(true);
  EXPECT_EQ(verdict("operator"), "PERMISSION_DENIED PERMISSION_DENIED");
  EXPECT_EQ(verdict("destructive"), "OK");
}

// --- Who it is ---

TEST_F(AuthorizationTest, WhoBringsWhatIsNoTokenIsNobody) {
  migration::v1::CurrentResponse response;
  const std::vector<std::string> headers = {
      "Bearer " + TokenOf("unheard-of"), "Bearer ", "Bearer", TokenOf("viewer"),
      "Basic " + TokenOf("viewer"),      ""};
  for (const std::string& header : headers) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", header);
    const grpc::Status status = stub_->Current(&context, CurrentOf("app"), &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << header;
  }
  grpc::ClientContext twice;
  twice.AddMetadata("authorization", "Bearer " + TokenOf("viewer"));
  twice.AddMetadata("authorization", "Bearer " + TokenOf("admin"));
  EXPECT_EQ(Verdict(stub_->Current(&twice, CurrentOf("app"), &response)),
            "UNAUTHENTICATED UNAUTHENTICATED");
  grpc::ClientContext lower_case;
  lower_case.AddMetadata("authorization", "bearer " + TokenOf("viewer"));
  EXPECT_TRUE(stub_->Current(&lower_case, CurrentOf("app"), &response).ok());
}

TEST_F(AuthorizationTest, TheUserOfAUnixSocketIsKnown) {
  EXPECT_EQ(VerdictOfCurrent("", "app"), "PERMISSION_DENIED PERMISSION_DENIED");
  policy_.rules.push_back({{absl::StrCat("unix:", getuid())}, {"app"}, migration::v1::ROLE_VIEWER});
  ASSERT_TRUE(Reload(policy_).ok());
  EXPECT_EQ(VerdictOfCurrent("", "app"), "OK");
  migration::v1::WhoAmIResponse response;
  ASSERT_TRUE(CallAs("", &Stub::WhoAmI, migration::v1::WhoAmIRequest(), response).ok());
  EXPECT_EQ(response.principal(), NamesOfUser(getuid()).front());
}

TEST_F(AuthorizationTest, WhatAnonymousMayEverybodyMay) {
  policy_.rules.push_back({{"anonymous"}, {"billing"}, migration::v1::ROLE_VIEWER});
  ASSERT_TRUE(Reload(policy_).ok());
  const auto anonymous = migration::v1::MigrationService::NewStub(
      grpc::CreateChannel(server_->addresses()[1], grpc::InsecureChannelCredentials()));
  migration::v1::CurrentResponse response;
  grpc::ClientContext may;
  EXPECT_TRUE(anonymous->Current(&may, CurrentOf("billing"), &response).ok());
  grpc::ClientContext may_not;
  EXPECT_EQ(Verdict(anonymous->Current(&may_not, CurrentOf("app"), &response)),
            "PERMISSION_DENIED PERMISSION_DENIED");
  EXPECT_EQ(VerdictOfCurrent("viewer", "billing"), "OK");
}

// --- What changes while it runs ---

TEST_F(AuthorizationTest, ATokenThatIsTakenAwayEndsItsStreamsToo) {
  const auto context = As("viewer");
  const auto watching = stub_->Watch(context.get(), migration::v1::WatchRequest());
  EXPECT_EQ(VerdictOfCurrent("viewer", "app"), "OK");
  WriteTokens({"operator"});
  EXPECT_TRUE(Eventually(
      [&] { return VerdictOfCurrent("viewer", "app") == "UNAUTHENTICATED UNAUTHENTICATED"; }));
  EXPECT_EQ(VerdictOfCurrent("operator", "app"), "OK");
  EXPECT_EQ(Verdict(ReadAll(*watching).status), "UNAUTHENTICATED UNAUTHENTICATED");
}

TEST_F(AuthorizationTest, AFileOfTokensThatIsWrongChangesNothing) {
  directory_.Write("tokens", "viewer garbage\n");
  absl::SleepFor(2 * FileWatch::kInterval);
  EXPECT_EQ(VerdictOfCurrent("viewer", "app"), "OK");
  WriteTokens({"operator"});
  EXPECT_TRUE(Eventually(
      [&] { return VerdictOfCurrent("viewer", "app") == "UNAUTHENTICATED UNAUTHENTICATED"; }));
}

TEST_F(AuthorizationTest, AnotherPolicyIsTakenOrRefusedAsAWhole) {
  AccessPolicy wrong = policy_;
  wrong.rules = {{{"token:viewer"}, {"nothere"}, migration::v1::ROLE_ADMIN}};
  const absl::Status status = Reload(wrong);
  EXPECT_THAT(std::string(status.message()), HasSubstr("nothere"));
  EXPECT_EQ(VerdictOfCurrent("viewer", "app"), "OK");
  AccessPolicy other = policy_;
  other.rules = {{{"token:viewer"}, {"billing"}, migration::v1::ROLE_VIEWER}};
  ASSERT_TRUE(Reload(other).ok());
  EXPECT_EQ(VerdictOfCurrent("viewer", "app"), "PERMISSION_DENIED PERMISSION_DENIED");
  EXPECT_EQ(VerdictOfCurrent("viewer", "billing"), "OK");
  ASSERT_TRUE(Reload(absl::nullopt).ok());
  EXPECT_EQ(VerdictOfCurrent("", "app"), "OK");
}

TEST_F(AuthorizationTest, ARuleMayNameADatabaseThatComesWithARestartOnly) {
  policy_.rules.push_back({{"token:nobody"}, {"new", "billing"}, migration::v1::ROLE_VIEWER});
  ASSERT_TRUE(Reload(policy_, {"app", "billing", "new"}).ok());
  EXPECT_EQ(VerdictOfCurrent("nobody", "billing"), "OK");
  EXPECT_EQ(VerdictOfCurrent("nobody", "new"), "NOT_FOUND UNKNOWN_DATABASE");
  EXPECT_EQ(VerdictOfCurrent("viewer", "new"), "PERMISSION_DENIED PERMISSION_DENIED");
}

// Asks gRPC's reflection something, and returns how it ended; with an answer, OK.
grpc::StatusCode Reflect(const std::shared_ptr<grpc::Channel>& channel, const std::string& token) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + TokenOf(token));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  const auto await = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(&queue);
  await();
  const grpc::Slice list_services("\x3a\x01*");
  call->WriteLast(grpc::ByteBuffer(&list_services, 1), grpc::WriteOptions(), &queue);
  await();
  grpc::ByteBuffer answer;
  call->Read(&answer, &queue);
  const bool is_answered = await();
  grpc::Status status;
  call->Finish(&status, &queue);
  await();
  queue.Shutdown();
  EXPECT_EQ(is_answered, status.ok()) << status.error_message();
  return status.error_code();
}

TEST_F(AuthorizationTest, ReflectionIsForThoseWhoAreSomebody) {
  for (const std::string& address : server_->addresses()) {
    const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
    // Over a unix socket a user is known.
    EXPECT_EQ(Reflect(channel, ""), address == server_->addresses()[0]
                                        ? grpc::StatusCode::OK
                                        : grpc::StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(Reflect(channel, "unheard-of"), grpc::StatusCode::UNAUTHENTICATED) << address;
    EXPECT_EQ(Reflect(channel, "viewer"), grpc::StatusCode::OK) << address;
  }
  ASSERT_TRUE(Reload(absl::nullopt).ok());
  const auto open =
      grpc::CreateChannel(server_->addresses()[1], grpc::InsecureChannelCredentials());
  EXPECT_EQ(Reflect(open, ""), grpc::StatusCode::OK);
}

}  // namespace
}  // namespace migd
