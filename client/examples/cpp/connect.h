// What both examples do to reach migd, and to say what went wrong.
#pragma once

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>

#include "migration_client/client.h"

inline std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The address is that of a unix socket, or a host and a port. The variables are those of migctl:
// MIGCTL_TLS_CA names the authority of migd's certificate, and asks for TLS. Who calls is told by a
// token in the file MIGCTL_TOKEN_FILE, read anew for each call, or by the certificate
// MIGCTL_TLS_CERT with its key MIGCTL_TLS_KEY.
inline migration_client::ConnectOptions Options(std::string server) {
  migration_client::ConnectOptions options;
  options.server = std::move(server);
  if (const std::string ca = Variable("MIGCTL_TLS_CA"); !ca.empty()) {
    options.tls =
        migration_client::TlsOptions{ca, Variable("MIGCTL_TLS_CERT"), Variable("MIGCTL_TLS_KEY"),
                                     Variable("MIGCTL_TLS_SERVER_NAME")};
  }
  options.token_file = Variable("MIGCTL_TOKEN_FILE");
  return options;
}

// The database that is meant; it may be left open where migd has one.
inline std::string Database() { return Variable("MIGCTL_DATABASE"); }

// Prints an error: a reason for programs, a message and a hint for people.
inline void Explain(const migration::v1::Error& error) {
  const std::string& reason = error.reason().empty() ? error.code() : error.reason();
  std::cerr << reason << ": " << error.message() << "\n";
  if (!error.hint().empty()) std::cerr << "hint: " << error.hint() << "\n";
}
