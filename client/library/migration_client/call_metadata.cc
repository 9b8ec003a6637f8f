#include "migration_client/call_metadata.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "migration_client/credentials.h"
#include "migration_client/error.h"

namespace migration_client {
namespace {

using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

// HTTP/2 carries visible ASCII in a header; a token has no spaces either (RFC 6750).
bool IsToken(const std::string& token) {
  return !token.empty() && std::all_of(token.begin(), token.end(),
                                       [](unsigned char c) { return absl::ascii_isgraph(c); });
}

// The token that is sent: one for good, or the one that a file holds now. Thread-safe.
class TokenSource {
 public:
  TokenSource(std::string token, std::string file)
      : token_(std::move(token)), file_(std::move(file)) {}

  // Empty if there is none.
  std::string Get() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (file_.empty()) return token_;
    // Whoever renews the file may be about to write it.
    if (const auto read = ReadToken(file_); read.ok()) token_ = *read;
    return token_;
  }

  static Result<std::string> ReadToken(const std::string& file) {
    const auto content = ReadFile(file);
    if (!content.ok()) return content.error();
    std::string token(absl::StripAsciiWhitespace(*content));
    if (IsToken(token)) return token;
    return InvalidOption(absl::StrCat("the file ", file, " holds no token"),
                         "it must have one line, the token, and nothing else");
  }

 private:
  std::mutex mutex_;
  // Guarded by mutex_.
  std::string token_;
  const std::string file_;
};

class AddMetadata : public Interceptor {
 public:
  AddMetadata(std::string token, std::string traceparent)
      : token_(std::move(token)), traceparent_(std::move(traceparent)) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      auto& metadata = *methods->GetSendInitialMetadata();
      if (!token_.empty()) metadata.insert({"authorization", absl::StrCat("Bearer ", token_)});
      if (!traceparent_.empty()) metadata.insert({"traceparent", traceparent_});
    }
    methods->Proceed();
  }

 private:
  const std::string token_;
  const std::string traceparent_;
};

class AddMetadataToEachCall : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit AddMetadataToEachCall(const ConnectOptions& options)
      : tokens_(options.token, options.token_file), traceparent_(options.traceparent) {}

  // gRPC owns what is returned.
  Interceptor* CreateClientInterceptor(ClientRpcInfo*) override {
    return new AddMetadata(tokens_.Get(), traceparent_);
  }

 private:
  TokenSource tokens_;
  const std::string traceparent_;
};

// Nothing, or why the token cannot be sent.
std::optional<migration::v1::Error> TokenError(const ConnectOptions& options) {
  if (options.token.empty() && options.token_file.empty()) return std::nullopt;
  if (!options.token.empty() && !options.token_file.empty()) {
    return InvalidOption("a token and a token file are given",
                         "use one of them: --token-file or MIGCTL_TOKEN");
  }
  if (!options.token_file.empty()) {
    const auto read = TokenSource::ReadToken(options.token_file);
    if (!read.ok()) return read.error();
  } else if (!IsToken(options.token)) {
    return InvalidOption("the token has characters that a token cannot have",
                         "it is visible ASCII without spaces");
  }
  if (options.tls.has_value() || StaysOnThisMachine(options.server)) return std::nullopt;
  return InvalidOption(
      absl::StrCat("the token would go to ", options.server, " for everyone on the way to read"),
      "encrypt the connection: --tls, or --tls-ca FILE for an authority of your own");
}

bool IsPrintable(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isprint(c); });
}

}  // namespace

Result<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> MetadataOf(
    const ConnectOptions& options) {
  if (const auto error = TokenError(options); error.has_value()) return *error;
  if (!IsPrintable(options.traceparent)) {
    return InvalidOption("the traceparent has characters that it cannot have",
                         "it is of the form 00-TRACE-PARENT-FLAGS, in hex");
  }
  return std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>(
      std::make_unique<AddMetadataToEachCall>(options));
}

}  // namespace migration_client
