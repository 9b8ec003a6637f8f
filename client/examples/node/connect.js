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

// A client to a unix socket, or to a host and a port; to the latter with TLS if MIGD_TLS_CA names the
// authority of its certificate. MIGD_TOKEN says who calls.
function openClient(server) {
  let credentials = grpc.credentials.createInsecure();
  if (process.env.MIGD_TLS_CA) {
    credentials = grpc.credentials.createSsl(fs.readFileSync(process.env.MIGD_TLS_CA));
    const token = process.env.MIGD_TOKEN;
    if (token) {
      const metadata = new grpc.Metadata();
      metadata.set('authorization', `Bearer ${token}`);
      credentials = grpc.credentials.combineChannelCredentials(credentials,
        grpc.credentials.createFromMetadataGenerator((_, done) => done(null, metadata)));
    }
  }
  return new api.migration.v1.MigrationService(server, credentials, OPTIONS);
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

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Milliseconds before each further attempt.
const PAUSES = [500, 1000, 2000, 4000, 8000];

module.exports = { openClient, mayPass, explain, sleep, PAUSES };
