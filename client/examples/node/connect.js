// What both examples do to reach migd, and to say what went wrong. They need @grpc/grpc-js and
// @grpc/proto-loader, which reads the .proto files of proto/ where MIGD_PROTO, or this checkout, has
// them.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const PROTO = process.env.MIGD_PROTO ?? path.join(__dirname, '../../../proto');
const api = grpc.loadPackageDefinition(loader.loadSync(
  ['migration/v1/migration_service.proto', 'google/rpc/status.proto',
    'google/rpc/error_details.proto'],
  { includeDirs: [PROTO], keepCase: true, longs: Number, enums: String, oneofs: true }));

// Connections that break are made again at once, not after gRPC's up to two minutes; and one that is
// quiet is asked whether it is still there.
const OPTIONS = { 'grpc.max_reconnect_backoff_ms': 2000, 'grpc.keepalive_time_ms': 60000 };

// What is in the file that a variable names; null if it names none.
function read(variable) {
  return process.env[variable] ? fs.readFileSync(process.env[variable]) : null;
}

// The token that says who calls, read for each call: who renews it writes the file.
function addToken(_, done) {
  const metadata = new grpc.Metadata();
  try {
    metadata.set('authorization', `Bearer ${read('MIGCTL_TOKEN_FILE').toString().trim()}`);
  } catch (error) {
    return done(error);
  }
  done(null, metadata);
}

// A client to a unix socket, or to a host and a port. The variables are those of migctl:
// MIGCTL_TLS_CA names the authority of migd's certificate, and asks for TLS. Over that, who calls is
// told by a token in the file MIGCTL_TOKEN_FILE, or by the certificate MIGCTL_TLS_CERT with its key
// MIGCTL_TLS_KEY. The certificate is for MIGCTL_TLS_SERVER_NAME, if not for the host of the address.
function openClient(server) {
  let credentials = grpc.credentials.createInsecure();
  const options = { ...OPTIONS };
  if (process.env.MIGCTL_TLS_CA) {
    credentials = grpc.credentials.createSsl(
      read('MIGCTL_TLS_CA'), read('MIGCTL_TLS_KEY'), read('MIGCTL_TLS_CERT'));
    if (process.env.MIGCTL_TOKEN_FILE) {
      credentials = grpc.credentials.combineChannelCredentials(credentials,
        grpc.credentials.createFromMetadataGenerator(addToken));
    }
    const name = process.env.MIGCTL_TLS_SERVER_NAME;
    if (name) options['grpc.ssl_target_name_override'] = name;
  }
  return new api.migration.v1.MigrationService(server, credentials, options);
}

// The server, or its database, is not there, starts or stops.
function mayPass(error) {
  return error.code === grpc.status.UNAVAILABLE;
}

// The message in a google.protobuf.Any: {} if it is none that is known here.
function decode(any) {
  const name = any.type_url.split('/').pop();
  const type = name.split('.').reduce((scope, part) => scope?.[part], api);
  return type?.deserialize?.(any.value) ?? {};
}

// Prints what an error carries: a reason for programs, a message and a hint for people.
function explain(error) {
  let reason = grpc.status[error.code];
  let hint = '';
  for (const bytes of error.metadata?.get('grpc-status-details-bin') ?? []) {
    for (const any of api.google.rpc.Status.deserialize(bytes).details) {
      const detail = decode(any);
      reason = detail.reason || reason;
      hint = detail.hint || hint;
    }
  }
  console.error(`${reason}: ${error.details}`);
  if (hint) console.error(`hint: ${hint}`);
}

// The database that is meant; it may be left open where migd has one.
const DATABASE = process.env.MIGCTL_DATABASE ?? '';

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Milliseconds before each further attempt.
const PAUSES = [500, 1000, 2000, 4000, 8000];

module.exports = { DATABASE, openClient, mayPass, explain, sleep, PAUSES };
