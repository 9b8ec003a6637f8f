// Brings the database to head at start-up, or says why it cannot and fails.
//
//     node upgrade.js unix:/run/migd/migd.sock && exec my-service
'use strict';

const { randomUUID } = require('node:crypto');
const { DATABASE, openClient, mayPass, explain, sleep, PAUSES } = require('./connect.js');

const FINAL = ['STATE_SUCCEEDED', 'STATE_FAILED', 'STATE_CANCELLED'];

// One operation: the call that starts it, and after a broken stream, the watch that goes on.
class Upgrade {
  // The id makes the call safe to repeat: it attaches to the operation that the first call made. Ten
  // replicas that start together have ten ids; they take turns in the server.
  request = { database: DATABASE, target: 'head', request_id: randomUUID() };
  operation = '';  // known once the server has accepted it
  sequence = 0;  // of the last event that has come
  finished = null;

  constructor(client) {
    this.client = client;
  }

  // Shows events until the operation or the stream has ended; throws the error of the stream.
  async follow() {
    // No deadline: the operation runs in the server, and would not end with the call.
    const events = this.operation
      ? this.client.WatchOperation({ operation: this.operation, after_sequence: this.sequence })
      : this.client.Upgrade(this.request);
    for await (const event of events) this.take(event);
  }

  take(event) {
    const sequence = event.sequence ?? 0;
    if (event.kind === 'operation_snapshot') {  // how it stands now; its events follow
      this.sequence = Math.min(this.sequence, sequence);
      const state = event.operation_snapshot.operation;
      if (FINAL.includes(state.state)) this.finished = state;
    } else if (sequence > this.sequence) {
      this.operation = event.operation;
      this.sequence = sequence;
      if (event.kind === 'operation_finished') this.finished = event.operation_finished;
      show(event);
    }
  }
}

async function main(server) {
  const upgrade = new Upgrade(openClient(server));
  let attempt = 0;
  for (;;) {
    const before = upgrade.sequence;
    let unavailable = true;  // also if a server that stops ends the stream without an error
    try {
      await upgrade.follow();
    } catch (error) {
      explain(error);
      unavailable = mayPass(error);
    }
    if (upgrade.finished) return upgrade.finished.state === 'STATE_SUCCEEDED' ? 0 : 1;
    if (upgrade.sequence > before) attempt = 0;
    const pause = PAUSES[attempt++];
    if (!unavailable || pause === undefined) return 1;
    console.error(`trying again in ${pause} ms`);
    await sleep(pause);
  }
}

function show(event) {
  if (event.kind === 'object_skipped') {
    const { object_kind: kind, object_name: name } = event.object_skipped;
    console.log(`${kind} ${name} is there already`);
  } else if (event.kind === 'waiting_for_mutex') {
    console.log('another migration of this database is running');
  } else if (event.kind === 'step_finished') {
    console.log(`applied ${event.step_finished.revision}`);
  } else if (event.kind === 'operation_finished' && !event.operation_finished.error) {
    console.log('at', ...(event.operation_finished.resulting_revisions ?? []));
  }
}

const [server] = process.argv.slice(2);
if (!server) {
  console.error('usage: upgrade.js ADDRESS-OF-MIGD');
  process.exit(2);
}
main(server).then((code) => process.exit(code));
