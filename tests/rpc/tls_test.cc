// TLS and client certificates, with authorities that the test makes.

#include "service/rpc/tls.h"

#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "service/access/token_file.h"
#include "tests/rpc/rpc_fixture.h"
#include "tests/support/process.h"
#include "tests/support/test_ca.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kNames[] = "DNS:localhost,IP:127.0.0.1";
constexpr char kToken[] = "0123456789-abcdefghijklmnop";

// What a client has, and expects.
struct ClientSide {
  // The authority that it trusts.
  std::string roots;
  // Its certificate, if it brings one.
  Issued issued = {};
  // The name that the server's certificate must have.
  std::string server_name = "localhost";
  // In a bearer token.
  std::string token = "";
};

class TlsTest : public RpcTest {
 protected:
  TlsTest() {
    server_.reset();
    Install(ca_.Issue({"server", kNames}));
    directory_.Write("client_ca.pem", ca_.certificate());
    options_.addresses = {"127.0.0.1:0"};
    options_.tls.emplace();
    options_.tls->files = {directory_.path() + "/cert.pem", directory_.path() + "/key.pem", ""};
  }

  void Install(const Issued& issued) const {
    directory_.Write("cert.pem", issued.certificate);
    directory_.Write("key.pem", issued.key);
  }
  void AskForCertificates(bool require) {
    options_.tls->files.client_ca = directory_.path() + "/client_ca.pem";
    options_.tls->require_client_certificate = require;
  }
  // The holder of the token is viewer; so are certificates of the name `billing`.
  void Authorize() {
    directory_.Write("tokens", *TokenLine("deploy", kToken, absl::InfiniteFuture()) + "\n");
    options_.authorization = AccessPolicy{
        directory_.path() + "/tokens",
        {{{"token:deploy", "certificate:billing"}, {"*"}, migration::v1::ROLE_VIEWER}}};
  }
  void Start() {
    auto server = Server::Start(options_, *catalog_, *operations_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::shared_ptr<grpc::Channel> Connect(const ClientSide& client) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = client.roots;
    options.pem_cert_chain = client.issued.certificate;
    options.pem_private_key = client.issued.key;
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(client.server_name);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->addresses()[0], grpc::SslCredentials(options),
                                     arguments);
  }
  // Over a connection of its own.
  grpc::Status WhoAmI(const ClientSide& client, migration::v1::WhoAmIResponse& response) const {
    grpc::ClientContext context;
    if (!client.token.empty()) context.AddMetadata("authorization", "Bearer " + client.token);
    return migration::v1::MigrationService::NewStub(Connect(client))
        ->WhoAmI(&context, migration::v1::WhoAmIRequest(), &response);
  }
  // "OK", or the code of what went wrong.
  std::string Outcome(const ClientSide& client) const {
    migration::v1::WhoAmIResponse response;
    return absl::StatusCodeToString(
        static_cast<absl::StatusCode>(WhoAmI(client, response).error_code()));
  }
  std::string PrincipalOf(const ClientSide& client) const {
    migration::v1::WhoAmIResponse response;
    const grpc::Status status = WhoAmI(client, response);
    return status.ok() ? response.principal() : status.error_message();
  }

  const TestCa ca_;
  ServerOptions options_;
};

TEST_F(TlsTest, AClientThatTrustsTheAuthorityIsServed) {
  Start();
  EXPECT_EQ(Outcome({ca_.certificate()}), "OK");
  EXPECT_EQ(PrincipalOf({ca_.certificate()}), "anonymous");
}

TEST_F(TlsTest, AClientRefusesAServerThatIsNotTheOneItWants) {
  Start();
  EXPECT_EQ(Outcome({TestCa("other").certificate()}), "UNAVAILABLE");
  EXPECT_EQ(Outcome({ca_.certificate(), {}, "elsewhere.example.org"}), "UNAVAILABLE");
}

TEST_F(TlsTest, AClientRefusesAServerWhoseCertificateHasExpired) {
  const absl::Time now = absl::Now();
  Install(ca_.Issue({"server", kNames, now - absl::Hours(2), now - absl::Hours(1)}));
  Start();
  EXPECT_EQ(Outcome({ca_.certificate()}), "UNAVAILABLE");
  Install(ca_.Issue({"server", kNames}));
  EXPECT_TRUE(Eventually([&] { return Outcome({ca_.certificate()}) == "OK"; }));
}

TEST_F(TlsTest, PlainTextIsRefused) {
  Start();
  const auto plain = migration::v1::MigrationService::NewStub(
      grpc::CreateChannel(server_->addresses()[0], grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  migration::v1::WhoAmIResponse response;
  EXPECT_EQ(plain->WhoAmI(&context, migration::v1::WhoAmIRequest(), &response).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Outcome({ca_.certificate()}), "OK");
}

TEST_F(TlsTest, OldVersionsOfTlsAreRefused) {
  Start();
  const auto exit_code = [&](const std::string& version) {
    return RunCommand({{"openssl", "s_client", "-connect", server_->addresses()[0], version,
                        "-alpn", "h2", "-cipher", "ALL:@SECLEVEL=0"}})
        .exit_code;
  };
  EXPECT_NE(exit_code("-tls1"), 0);
  EXPECT_NE(exit_code("-tls1_1"), 0);
  EXPECT_EQ(exit_code("-tls1_2"), 0);
  EXPECT_EQ(exit_code("-tls1_3"), 0);
}

TEST_F(TlsTest, AnAddressOfTheNetworkNeedsNothingMore) {
  options_.addresses = {"0.0.0.0:0"};
  Start();
  options_.tls.reset();
  EXPECT_THAT(std::string(Server::Start(options_, *catalog_, *operations_).status().message()),
              HasSubstr("--tls-cert"));
}

TEST_F(TlsTest, UnixSocketsStayAsTheyAre) {
  options_.addresses.push_back(absl::StrCat("unix:", directory_.path(), "/plain"));
  Start();
  const auto stub = migration::v1::MigrationService::NewStub(
      grpc::CreateChannel(server_->addresses()[1], grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  migration::v1::WhoAmIResponse response;
  ASSERT_TRUE(stub->WhoAmI(&context, migration::v1::WhoAmIRequest(), &response).ok());
  EXPECT_THAT(response.principal(), HasSubstr("unix:"));
  EXPECT_EQ(response.address(), "unix");
}

// --- Client certificates ---

TEST_F(TlsTest, AClientWithoutACertificateOfTheAuthorityIsRefused) {
  AskForCertificates(true);
  Start();
  const absl::Time now = absl::Now();
  EXPECT_EQ(Outcome({ca_.certificate(), ca_.Issue({"client"})}), "OK");
  EXPECT_EQ(Outcome({ca_.certificate()}), "UNAVAILABLE");
  EXPECT_EQ(Outcome({ca_.certificate(), TestCa("Test CA").Issue({"client"})}), "UNAVAILABLE");
  EXPECT_EQ(Outcome({ca_.certificate(),
                     ca_.Issue({"client", "", now - absl::Hours(2), now - absl::Hours(1)})}),
            "UNAVAILABLE");
  EXPECT_EQ(Outcome({ca_.certificate(),
                     ca_.Issue({"client", "", now + absl::Hours(1), now + absl::Hours(2)})}),
            "UNAVAILABLE");
}

TEST_F(TlsTest, ACertificateThatIsOptionalMustBeGoodIfItIsBrought) {
  AskForCertificates(false);
  Start();
  EXPECT_EQ(PrincipalOf({ca_.certificate()}), "anonymous");
  EXPECT_EQ(PrincipalOf({ca_.certificate(), ca_.Issue({"client"})}), "certificate:client");
  EXPECT_EQ(Outcome({ca_.certificate(), TestCa("other").Issue({"client"})}), "UNAVAILABLE");
}

TEST_F(TlsTest, ACertificateIsKnownByItsAlternativeNamesOrElseByItsCommonName) {
  AskForCertificates(true);
  Start();
  const auto principal = [&](const std::string& common_name, const std::string& names) {
    return PrincipalOf({ca_.certificate(), ca_.Issue({common_name, names})});
  };
  EXPECT_EQ(principal("billing", ""), "certificate:billing");
  EXPECT_EQ(principal("admin", "DNS:billing.example.org"), "certificate:billing.example.org");
  EXPECT_EQ(principal("admin", "DNS:billing.example.org,URI:spiffe://example.org/billing"),
            "certificate:spiffe://example.org/billing");
}

// --- Authorization ---

TEST_F(TlsTest, CertificatesAndTokensHaveTheirRoles) {
  AskForCertificates(false);
  Authorize();
  Start();
  const auto current = [&](const ClientSide& client) {
    grpc::ClientContext context;
    if (!client.token.empty()) context.AddMetadata("authorization", "Bearer " + client.token);
    migration::v1::CurrentResponse response;
    return absl::StatusCodeToString(static_cast<absl::StatusCode>(
        migration::v1::MigrationService::NewStub(Connect(client))
            ->Current(&context, migration::v1::CurrentRequest(), &response)
            .error_code()));
  };
  const std::string roots = ca_.certificate();
  EXPECT_EQ(current({roots, ca_.Issue({"billing"})}), "OK");
  // A common name counts for nothing beside alternative names.
  EXPECT_EQ(current({roots, ca_.Issue({"billing", "DNS:other"})}), "PERMISSION_DENIED");
  EXPECT_EQ(current({roots, {}, "localhost", kToken}), "OK");
  EXPECT_EQ(current({roots}), "UNAUTHENTICATED");
  // A token stands for the caller instead of the certificate, also if it is wrong.
  EXPECT_EQ(PrincipalOf({roots, ca_.Issue({"billing"}), "localhost", kToken}), "token:deploy");
  EXPECT_EQ(current({roots, ca_.Issue({"billing"}), "localhost", "not-a-known-token"}),
            "UNAUTHENTICATED");
}

// The status of a call of any method, without a message.
grpc::Status CallMethod(const std::shared_ptr<grpc::Channel>& channel, const std::string& method) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, method, &queue);
  void* tag = nullptr;
  bool ok = false;
  call->StartCall(&queue);
  EXPECT_TRUE(queue.Next(&tag, &ok));
  call->WritesDone(&queue);
  EXPECT_TRUE(queue.Next(&tag, &ok));
  grpc::ByteBuffer answer;
  call->Read(&answer, &queue);
  EXPECT_TRUE(queue.Next(&tag, &ok));
  grpc::Status status;
  call->Finish(&status, &queue);
  EXPECT_TRUE(queue.Next(&tag, &ok));
  queue.Shutdown();
  return status;
}

TEST_F(TlsTest, NothingButHealthIsForNobody) {
  Authorize();
  Start();
  const auto channel = Connect({ca_.certificate()});
  for (const char* method :
       {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.channelz.v1.Channelz/GetServers", "/migration.v1.MigrationService/NoSuchCall",
        "/grpc.health.v1.HealthX/Check"}) {
    EXPECT_EQ(CallMethod(channel, method).error_code(), grpc::StatusCode::UNAUTHENTICATED)
        << method;
  }
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckResponse response;
  EXPECT_TRUE(grpc::health::v1::Health::NewStub(channel)
                  ->Check(&context, grpc::health::v1::HealthCheckRequest(), &response)
                  .ok());
}

TEST_F(TlsTest, WhoIsRefusedIsToldWhyAndIsInTheAuditWithTheirAddress) {
  Authorize();
  Start();
  migration::v1::WhoAmIResponse response;
  EXPECT_EQ(Verdict(WhoAmI({ca_.certificate()}, response)), "UNAUTHENTICATED UNAUTHENTICATED");
  const migration::v1::AuditEntry entry = fake_.audit().AwaitEntries(1).front();
  EXPECT_EQ(entry.rpc(), "WhoAmI");
  EXPECT_EQ(entry.outcome(), migration::v1::AuditEntry::OUTCOME_REFUSED);
  EXPECT_EQ(entry.reason(), "UNAUTHENTICATED");
  EXPECT_THAT(entry.address(), StartsWith("ipv4:127.0.0.1:"));
}

TEST_F(TlsTest, WhoIsRefusedReflectionIsInTheAuditToo) {
  Authorize();
  Start();
  CallMethod(Connect({ca_.certificate()}),
             "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
  const migration::v1::AuditEntry entry = fake_.audit().AwaitEntries(1).front();
  EXPECT_EQ(entry.rpc(), "ServerReflectionInfo");
  EXPECT_EQ(entry.reason(), "UNAUTHENTICATED");
  EXPECT_THAT(entry.address(), StartsWith("ipv4:127.0.0.1:"));
}

TEST_F(TlsTest, WhoIsRefusedAMethodThatThereIsNotIsInTheAuditToo) {
  Authorize();
  Start();
  CallMethod(Connect({ca_.certificate()}), "/migration.v1.MigrationService/NoSuchCall");
  const migration::v1::AuditEntry entry = fake_.audit().AwaitEntries(1).front();
  EXPECT_EQ(entry.rpc(), "unknown");
  EXPECT_EQ(entry.reason(), "UNAUTHENTICATED");
  EXPECT_THAT(entry.address(), StartsWith("ipv4:127.0.0.1:"));
}

// --- Files that change ---

TEST_F(TlsTest, AnotherCertificateIsTakenForNewConnections) {
  Start();
  const auto open = migration::v1::MigrationService::NewStub(Connect({ca_.certificate()}));
  migration::v1::WhoAmIResponse response;
  grpc::ClientContext before;
  ASSERT_TRUE(open->WhoAmI(&before, migration::v1::WhoAmIRequest(), &response).ok());

  const auto context_before = server_->tls()->context();
  const absl::Time end = absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now())) + absl::Hours(9);

  const TestCa next("next");
  Install(next.Issue({"server", kNames, absl::Now() - absl::Hours(1), end}));
  EXPECT_TRUE(Eventually([&] { return Outcome({next.certificate()}) == "OK"; }));
  EXPECT_EQ(Outcome({ca_.certificate()}), "UNAVAILABLE");
  // HTTP serves with it, too, and the metrics tell its end.
  EXPECT_NE(server_->tls()->context(), context_before);
  EXPECT_EQ(server_->tls()->expires(), end);
  // What is open goes on.
  grpc::ClientContext after;
  EXPECT_TRUE(open->WhoAmI(&after, migration::v1::WhoAmIRequest(), &response).ok());
}

TEST_F(TlsTest, GarbageIsNotTaken) {
  Start();
  const absl::Time now = absl::Now();
  const std::vector<Issued> wrong = {
      {"garbage", "garbage"},
      {ca_.Issue({"server", kNames}).certificate, ca_.Issue({"server", kNames}).key},
      ca_.Issue({"server", kNames, now - absl::Hours(2), now - absl::Hours(1)}),
  };
  for (const Issued& issued : wrong) {
    testing::internal::CaptureStderr();
    Install(issued);
    std::string log;
    // Until it was looked at, and then until gRPC would have taken it.
    absl::SleepFor(2 * FileWatch::kInterval + absl::Seconds(1));
    log = testing::internal::GetCapturedStderr();
    EXPECT_THAT(log, HasSubstr("certificates not reloaded"));
    EXPECT_EQ(Outcome({ca_.certificate()}), "OK");
  }
  const TestCa next("next");
  Install(next.Issue({"server", kNames}));
  EXPECT_TRUE(Eventually([&] { return Outcome({next.certificate()}) == "OK"; }));
}

TEST_F(TlsTest, AnAuthorityThatIsReplacedLetsNobodyInAnyMore) {
  AskForCertificates(true);
  Start();
  const ClientSide revoked = {ca_.certificate(), ca_.Issue({"client"})};
  ASSERT_EQ(Outcome(revoked), "OK");
  const TestCa next("next");
  directory_.Write("client_ca.pem", next.certificate());
  EXPECT_TRUE(Eventually([&] { return Outcome(revoked) == "UNAVAILABLE"; }));
  EXPECT_EQ(Outcome({ca_.certificate(), next.Issue({"client"})}), "OK");
}

// --- At start ---

TEST_F(TlsTest, WhatCannotServeDoesNotStart) {
  Install({"garbage", "garbage"});
  EXPECT_THAT(std::string(Server::Start(options_, *catalog_, *operations_).status().message()),
              HasSubstr("cert.pem: is no PEM file"));
  options_.tls->files.certificate = directory_.path() + "/none.pem";
  EXPECT_THAT(std::string(Server::Start(options_, *catalog_, *operations_).status().message()),
              HasSubstr("none.pem: cannot be read"));
}

}  // namespace
}  // namespace migd
