// What both examples do to reach migd, and to say what went wrong.
#pragma once

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>

#include "migration_client/client.h"

// The address is that of a unix socket, or a host and a port; the latter with TLS if MIGD_TLS_CA
// names the authority of its certificate. MIGD_TOKEN says who calls.
inline migration_client::ConnectOptions Options(std::string server) {
  migration_client::ConnectOptions options;
  options.server = std::move(server);
  if (const char* ca = std::getenv("MIGD_TLS_CA")) {
    options.tls = migration_client::TlsOptions{.ca_file = ca};
  }
  if (const char* token = std::getenv("MIGD_TOKEN")) options.token = token;
  return options;
}

// Prints an error: a reason for programs, a message and a hint for people.
inline void Explain(const migration::v1::Error& error) {
  const std::string& reason = error.reason().empty() ? error.code() : error.reason();
  std::cerr << reason << ": " << error.message() << "\n";
  if (!error.hint().empty()) std::cerr << "hint: " << error.hint() << "\n";
}
