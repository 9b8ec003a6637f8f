r"""Start-up gate: brings the database to head, or says why it cannot and fails.

    python3 upgrade.py unix:/run/migd/migd.sock && exec my-service

Needs grpcio, and the stubs of proto/ in the PYTHONPATH; from there, Debian makes them so:

    protoc -I . --python_out=STUBS --grpc_python_out=STUBS migration/v1/*.proto google/rpc/*.proto \
        --plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin
"""

import sys
import time
import uuid

import grpc
from google.rpc import error_details_pb2, status_pb2
from migration.v1 import error_pb2
from migration.v1 import migration_service_pb2 as api
from migration.v1 import migration_service_pb2_grpc

PAUSES = (0.5, 1, 2, 4, 8)  # seconds before each further attempt


def main(server):
    with grpc.insecure_channel(server) as channel:
        service = migration_service_pb2_grpc.MigrationServiceStub(channel)
        # The id makes the call safe to repeat: it attaches to the operation that the first call
        # made. Ten replicas that start together have ten ids; they take turns in the server.
        request = api.UpgradeRequest(target="head", request_id=str(uuid.uuid4()))
        for pause in (*PAUSES, None):
            finished = False
            try:
                # No deadline: the operation runs in the server, and would not end with the call.
                for event in service.Upgrade(request):
                    show(event)
                    finished = event.HasField("operation_finished")
                return 0
            except grpc.RpcError as error:
                explain(error)
                if error.code() != grpc.StatusCode.UNAVAILABLE or pause is None:
                    return 1
            if finished:  # That operation has failed for good; the next attempt is another one.
                request.request_id = str(uuid.uuid4())
            print(f"trying again in {pause} s", file=sys.stderr)
            time.sleep(pause)


def show(event):
    kind = event.WhichOneof("kind")
    if kind == "object_skipped":
        skipped = event.object_skipped
        print(f"{skipped.object_kind} {skipped.object_name} is there already")
    elif kind == "waiting_for_mutex":
        print("another migration of this database is running")
    elif kind == "step_finished":
        print(f"applied {event.step_finished.revision}")
    elif kind == "operation_finished":
        print("at", ", ".join(event.operation_finished.resulting_revisions) or "base")


def explain(error):
    """Prints what an error carries: a reason for programs, a message and a hint for people."""
    info, detail = error_details_pb2.ErrorInfo(), error_pb2.ErrorDetail()
    status = status_pb2.Status()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status.ParseFromString(value)
    for any_message in status.details:
        any_message.Unpack(info)
        any_message.Unpack(detail)
    print(f"{info.reason or error.code().name}: {error.details()}", file=sys.stderr)
    if detail.hint:
        print(f"hint: {detail.hint}", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: upgrade.py ADDRESS-OF-MIGD")
    sys.exit(main(sys.argv[1]))
