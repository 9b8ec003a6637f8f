"""Start-up gate: waits until somebody has brought the database to the revision that this program
needs, for at most ten minutes.

    python3 gate.py unix:/run/migd/migd.sock ca5d2b0eba52 && exec my-service
"""

import sys
import time

import grpc
from connect import DATABASE, PAUSES, explain, may_pass, open_channel
from migration.v1 import migration_service_pb2 as api
from migration.v1 import migration_service_pb2_grpc

PATIENCE = 600  # seconds


def main(server, revision):
    deadline = time.monotonic() + PATIENCE
    with open_channel(server) as channel:
        service = migration_service_pb2_grpc.MigrationServiceStub(channel)
        while True:
            left = deadline - time.monotonic()
            request = api.WaitRequest(database=DATABASE, revision=revision)
            request.timeout.FromSeconds(max(1, int(left)))
            try:
                waited = service.Wait(request, timeout=left + 5)
                print("ready at", *waited.revisions)
                return 0
            except grpc.RpcError as error:
                explain(error)
                # migd may be started later than this program.
                if not may_pass(error) or left < PAUSES[1]:
                    return 1
            print("trying again", file=sys.stderr)
            time.sleep(PAUSES[1])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: gate.py ADDRESS-OF-MIGD REVISION")
    sys.exit(main(*sys.argv[1:]))
