// Connections that are encrypted and say who calls, to a server in this process.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "migration/v1/migration_service.grpc.pb.h"
#include "migration_client/client.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_ca.h"

namespace migration_client {
namespace {

using migd::CertificateWish;
using migd::Issued;
using migd::TestCa;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kTraceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

// Answers Current, and keeps with which metadata it was called.
class Server : public migration::v1::MigrationService::Service {
 public:
  explicit Server(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }

  grpc::Status Current(grpc::ServerContext* context, const migration::v1::CurrentRequest*,
                       migration::v1::CurrentResponse* response) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    metadata_.clear();
    for (const auto& [key, value] : context->client_metadata()) {
      metadata_[std::string(key.data(), key.size())] = std::string(value.data(), value.size());
    }
    response->set_database("core");
    return grpc::Status::OK;
  }

  // Of the last call; empty if there was none.
  std::string Metadata(const std::string& key) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return metadata_[key];
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  int port_ = 0;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::map<std::string, std::string> metadata_;
  std::unique_ptr<grpc::Server> server_;
};

class SecureConnectionTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& content) {
    const std::string path = absl::StrCat(directory_.path(), "/", name);
    std::ofstream(path) << content;
    return path;
  }

  // A server with a certificate of the CA; with `clients`, it wants one of theirs.
  std::unique_ptr<Server> TlsServer(const CertificateWish& wish = {"migd", "IP:127.0.0.1"},
                                    const TestCa* clients = nullptr) {
    const Issued own = ca_.Issue(wish);
    grpc::SslServerCredentialsOptions options(
        clients == nullptr ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                           : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_key_cert_pairs = {{own.key, own.certificate}};
    if (clients != nullptr) options.pem_root_certs = clients->certificate();
    return std::make_unique<Server>(grpc::SslServerCredentials(options));
  }

  ConnectOptions TlsTo(const Server& server) {
    ConnectOptions options;
    options.server = server.address();
    options.tls = TlsOptions{.ca_file = Write("ca.pem", ca_.certificate())};
    return options;
  }

  // What Current fails with.
  static migration::v1::Error Failure(const ConnectOptions& options) {
    auto client = Client::Connect(options);
    if (!client.ok()) return client.error();
    const auto current = client->Current();
    if (!current.ok()) return current.error();
    ADD_FAILURE() << "the call succeeded";
    return {};
  }

  migd::TemporaryDirectory directory_;
  TestCa ca_;
};

// --- TLS ---

TEST_F(SecureConnectionTest, TrustsTheAuthorityThatIsNamed) {
  const auto server = TlsServer();
  auto client = Client::Connect(TlsTo(*server));
  ASSERT_TRUE(client.ok());
  const auto current = client->Current();
  ASSERT_TRUE(current.ok()) << current.error().message();
  EXPECT_EQ(current->database(), "core");
}

TEST_F(SecureConnectionTest, ExpectsTheNameThatIsGiven) {
  const auto server = TlsServer({"migd", "DNS:migd.example.org"});
  ConnectOptions options = TlsTo(*server);
  EXPECT_THAT(Failure(options).message(), HasSubstr("is for migd.example.org, not for 127.0.0.1"));
  options.tls->server_name = "migd.example.org";
  EXPECT_TRUE(Client::Connect(options)->Current().ok());
}

TEST_F(SecureConnectionTest, OfSeveralAddressesOneThatAnswersIsTaken) {
  const auto server = TlsServer();
  ConnectOptions options = TlsTo(*server);
  options.server = absl::StrCat("ipv4:127.0.0.1:1,", server->address());
  options.tls->server_name = "";
  EXPECT_THAT(Failure(options).hint(), HasSubstr("--tls-server-name"));
  options.tls->server_name = "127.0.0.1";
  EXPECT_TRUE(Client::Connect(options)->Current().ok());
  options.tls->server_name = "migd.example.org";
  EXPECT_THAT(Failure(options).message(), HasSubstr("is for 127.0.0.1, not for migd.example.org"));
}

TEST_F(SecureConnectionTest, SaysThatTheCertificateHasExpired) {
  const auto server = TlsServer({.common_name = "migd",
                                 .alternative_names = "IP:127.0.0.1",
                                 .begin = absl::FromUnixSeconds(1'600'000'000),
                                 .end = absl::FromUnixSeconds(1'700'000'000)});
  const auto error = Failure(TlsTo(*server));
  EXPECT_EQ(error.code(), "UNAVAILABLE");
  EXPECT_THAT(error.message(), HasSubstr("has expired on 2023-11-14"));
}

TEST_F(SecureConnectionTest, SaysThatTheAuthorityIsNotTrusted) {
  const auto server = TlsServer();
  ConnectOptions options = TlsTo(*server);
  options.tls->ca_file = Write("other.pem", TestCa("Other CA").certificate());
  const auto error = Failure(options);
  EXPECT_THAT(error.message(),
              AllOf(HasSubstr("an authority that is not trusted here"), HasSubstr("Test CA")));
  EXPECT_THAT(error.hint(), HasSubstr("--tls-ca"));
  // Nor does the system know it.
  options.tls->ca_file.clear();
  EXPECT_THAT(Failure(options).message(), HasSubstr("an authority that is not trusted here"));
}

TEST_F(SecureConnectionTest, SaysThatTheServerWantsACertificateOfTheClient) {
  const TestCa clients("Clients' CA");
  const auto server = TlsServer({"migd", "IP:127.0.0.1"}, &clients);
  ConnectOptions options = TlsTo(*server);
  const auto without = Failure(options);
  EXPECT_THAT(without.message(), HasSubstr("wants a certificate of who calls"));
  EXPECT_THAT(without.hint(), HasSubstr("--tls-cert"));

  const Issued wrong = ca_.Issue({"billing"});
  options.tls->cert_file = Write("wrong.pem", wrong.certificate);
  options.tls->key_file = Write("wrong.key", wrong.key);
  EXPECT_THAT(Failure(options).message(),
              AllOf(HasSubstr("refuses the certificate"), HasSubstr("wrong.pem")));

  const Issued own = clients.Issue({"billing"});
  options.tls->cert_file = Write("own.pem", own.certificate);
  options.tls->key_file = Write("own.key", own.key);
  const auto current = Client::Connect(options)->Current();
  EXPECT_TRUE(current.ok()) << current.error().message();
}

TEST_F(SecureConnectionTest, SaysWhichEndSpeaksNoTls) {
  const Server plain(grpc::InsecureServerCredentials());
  EXPECT_THAT(Failure(TlsTo(plain)).message(), HasSubstr("does not speak TLS"));
  const auto encrypted = TlsServer();
  ConnectOptions options;
  options.server = encrypted->address();
  const auto error = Failure(options);
  EXPECT_THAT(error.message(), HasSubstr("wants TLS"));
  EXPECT_THAT(error.hint(), HasSubstr("--tls"));
}

TEST_F(SecureConnectionTest, SaysWhichFileCannotBeUsed) {
  const Issued own = ca_.Issue({"billing"});
  const std::string certificate = Write("own.pem", own.certificate);
  const std::string other_key = Write("other.key", ca_.Issue({"other"}).key);
  const std::string garbage = Write("garbage.pem", "-----BEGIN NOTHING-----\n");
  const auto failure = [](TlsOptions tls) {
    ConnectOptions options;
    options.tls = std::move(tls);
    const auto error = Failure(options);
    EXPECT_EQ(error.code(), "INVALID_ARGUMENT");
    return error.message();
  };
  EXPECT_THAT(failure({.ca_file = "/nowhere/ca.pem"}),
              HasSubstr("cannot read /nowhere/ca.pem: No such file"));
  EXPECT_THAT(failure({.ca_file = garbage}), HasSubstr("garbage.pem holds no certificate"));
  EXPECT_THAT(failure({.cert_file = certificate}), HasSubstr("needs its key"));
  EXPECT_THAT(failure({.cert_file = certificate, .key_file = garbage}),
              HasSubstr("holds no private key"));
  EXPECT_THAT(failure({.cert_file = certificate, .key_file = other_key}),
              HasSubstr("other.key is not that of"));
}

// --- Tokens and traces ---

TEST_F(SecureConnectionTest, SendsTheTokenAndTheTraceWithEachCall) {
  const auto server = TlsServer();
  ConnectOptions options = TlsTo(*server);
  options.token = "s3cret";
  options.traceparent = kTraceparent;
  ASSERT_TRUE(Client::Connect(options)->Current().ok());
  EXPECT_EQ(server->Metadata("authorization"), "Bearer s3cret");
  EXPECT_EQ(server->Metadata("traceparent"), kTraceparent);
}

TEST_F(SecureConnectionTest, ReadsTheTokenAnewWhenItsFileIsWritten) {
  Server server(grpc::InsecureServerCredentials());
  ConnectOptions options;
  options.server = server.address();
  options.token_file = Write("token", "first\n");
  auto client = Client::Connect(options);
  ASSERT_TRUE(client->Current().ok());
  EXPECT_EQ(server.Metadata("authorization"), "Bearer first");
  Write("token", "second\n");
  ASSERT_TRUE(client->Current().ok());
  EXPECT_EQ(server.Metadata("authorization"), "Bearer second");
  // It is being written.
  Write("token", "");
  ASSERT_TRUE(client->Current().ok());
  EXPECT_EQ(server.Metadata("authorization"), "Bearer second");
}

TEST_F(SecureConnectionTest, SendsNoTokenForOthersToRead) {
  const auto failure = [](const std::string& server) {
    ConnectOptions options;
    options.server = server;
    options.token = "s3cret";
    options.call_timeout = absl::Milliseconds(100);
    const auto error = Failure(options);
    EXPECT_THAT(error.message(), testing::Not(HasSubstr("s3cret")));
    return error;
  };
  for (const char* far : {"migd.example.org", "10.0.0.7:7433", "127.example.org:1",
                          "[2001:db8::1]:7", "dns:///migd.example.org:7433", "ipv4:10.0.0.7:1",
                          ":7433", "ipv4:127.0.0.1:1,10.0.0.7:1", "ipv6:[::1]:1,[2001:db8::1]:1"}) {
    EXPECT_EQ(failure(far).code(), "INVALID_ARGUMENT") << far;
    EXPECT_THAT(failure(far).hint(), HasSubstr("--tls")) << far;
  }
  for (const char* near :
       {"unix:/nowhere/migd.sock", "127.0.0.1:1", "localhost:1", "[::1]:1", "ipv4:127.0.0.1:1",
        "dns:///localhost:1", "ipv4:127.0.0.1:1,127.0.0.2:1", "ipv6:[::1]:1,[::1]:2"}) {
    EXPECT_NE(failure(near).code(), "INVALID_ARGUMENT") << near;
  }
}

TEST_F(SecureConnectionTest, RefusesWhatIsNoToken) {
  const auto failure = [](ConnectOptions options) { return Failure(options).message(); };
  EXPECT_THAT(failure({.token = "two words"}), StartsWith("the token has characters"));
  EXPECT_THAT(failure({.token_file = Write("empty", "\n")}), HasSubstr("holds no token"));
  EXPECT_THAT(failure({.token_file = "/nowhere/token"}), HasSubstr("cannot read /nowhere/token"));
  EXPECT_THAT(failure({.token = "a", .token_file = "/nowhere/token"}),
              HasSubstr("a token and a token file"));
  EXPECT_THAT(failure({.traceparent = "00-\n"}), HasSubstr("traceparent"));
}

}  // namespace
}  // namespace migration_client
