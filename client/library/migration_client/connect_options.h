// How to reach a migd. Each field is an option of migctl, too; hints of errors call it by that
// name.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace migration_client {

// What a TLS connection is made with. The files are PEM and are read when the connection is made;
// another one reads them again.
struct TlsOptions {
  // --tls-ca: the certificates of the authorities that the server's must come from; those of the
  // system if empty.
  std::string ca_file = "";
  // --tls-cert and --tls-key: the certificate that this side shows, and its key. Both or none.
  std::string cert_file = "";
  std::string key_file = "";
  // --tls-server-name: the name that the server's certificate must be for; the host of the address
  // if empty.
  std::string server_name = "";
};

struct ConnectOptions {
  // --server: host:port, or unix:PATH. A host without a port has migd's. Of several servers of the
  // same databases, ipv4:HOST:PORT,HOST:PORT (numbers, not names; ipv6:[HOST]:PORT,...), and of the
  // addresses that a name has, the first that answers is taken, and another when that is lost.
  std::string server = "127.0.0.1:7433";
  // Without it the connection is not encrypted.
  std::optional<TlsOptions> tls = std::nullopt;

  // The bearer token that says who calls, or a file that holds one, read anew for each call: who
  // renews tokens writes the file. At most one of both. It is sent over TLS, to unix sockets and to
  // loopback addresses only.
  std::string token = "";
  std::string token_file = "";

  // The W3C traceparent that the calls belong to; none if empty.
  std::string traceparent = "";

  // How long a call that answers at once may take.
  absl::Duration call_timeout = absl::Seconds(30);
  // No call lasts beyond it, streams included.
  absl::Time deadline = absl::InfiniteFuture();
};

}  // namespace migration_client
