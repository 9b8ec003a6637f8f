// Start-up gate: waits until somebody has brought the database to the revision that this program
// needs, for at most ten minutes.
//
//     node gate.js unix:/run/migd/migd.sock ca5d2b0eba52 && exec my-service
'use strict';

const { DATABASE, openClient, mayPass, explain, sleep, PAUSES } = require('./connect.js');

const PATIENCE = 600_000;  // milliseconds

// Returns what the server answers.
function wait(client, revision, left) {
  const request = {
    database: DATABASE, revision, timeout: { seconds: Math.max(1, Math.floor(left / 1000)) },
  };
  return new Promise((resolve, reject) => {
    client.Wait(request, { deadline: Date.now() + left + 5000 },
      (error, response) => (error ? reject(error) : resolve(response)));
  });
}

async function main(server, revision) {
  const client = openClient(server);
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const left = deadline - Date.now();
    try {
      const waited = await wait(client, revision, left);
      console.log('ready at', ...waited.revisions);
      return 0;
    } catch (error) {
      explain(error);
      // migd may be started later than this program.
      if (!mayPass(error) || left < PAUSES[1]) return 1;
    }
    console.error('trying again');
    await sleep(PAUSES[1]);
  }
}

const [server, revision] = process.argv.slice(2);
if (!revision) {
  console.error('usage: gate.js ADDRESS-OF-MIGD REVISION');
  process.exit(2);
}
main(server, revision).then((code) => process.exit(code));
