"""Brings the database to head at start-up, or says why it cannot and fails.

    python3 upgrade.py unix:/run/migd/migd.sock && exec my-service
"""

import sys
import time
import uuid

import grpc
from connect import DATABASE, PAUSES, explain, may_pass, open_channel
from migration.v1 import migration_service_pb2 as api
from migration.v1 import migration_service_pb2_grpc
from migration.v1 import operation_pb2


class Upgrade:
    """One operation: the call that starts it, and after a broken stream, the watch that goes on."""

    def __init__(self, service):
        self.service = service
        # The id makes the call safe to repeat: it attaches to the operation that the first call
        # made. Ten replicas that start together have ten ids; they take turns in the server.
        self.request = api.UpgradeRequest(
            database=DATABASE, target="head", request_id=str(uuid.uuid4()))
        self.operation = ""  # known once the server has accepted it
        self.sequence = 0  # of the last event that has come
        self.finished = None

    def follow(self):
        """Shows events until the operation or the stream has ended."""
        # No deadline: the operation runs in the server, and would not end with the call.
        events = self.service.WatchOperation(
            api.WatchOperationRequest(operation=self.operation, after_sequence=self.sequence)
        ) if self.operation else self.service.Upgrade(self.request)
        for event in events:
            kind = event.WhichOneof("kind")
            if kind == "operation_snapshot":  # how it stands now; its events follow
                self.sequence = min(self.sequence, event.sequence)
                state = event.operation_snapshot.operation
                if state.state in FINAL:
                    self.finished = state
            elif event.sequence > self.sequence:
                self.operation, self.sequence = event.operation, event.sequence
                if kind == "operation_finished":
                    self.finished = event.operation_finished
                show(event, kind)


FINAL = (operation_pb2.Operation.STATE_SUCCEEDED, operation_pb2.Operation.STATE_FAILED,
         operation_pb2.Operation.STATE_CANCELLED)


def main(server):
    with open_channel(server) as channel:
        upgrade = Upgrade(migration_service_pb2_grpc.MigrationServiceStub(channel))
        pauses = iter(PAUSES)
        while True:
            before = upgrade.sequence
            unavailable = True  # also if a server that stops ends the stream without an error
            try:
                upgrade.follow()
            except grpc.RpcError as error:
                explain(error)
                unavailable = may_pass(error)
            if upgrade.finished:
                state = upgrade.finished.state
                return 0 if state == operation_pb2.Operation.STATE_SUCCEEDED else 1
            if upgrade.sequence > before:
                pauses = iter(PAUSES)
            pause = next(pauses, None)
            if not unavailable or pause is None:
                return 1
            print(f"trying again in {pause} s", file=sys.stderr)
            time.sleep(pause)


def show(event, kind):
    if kind == "object_skipped":
        skipped = event.object_skipped
        print(f"{skipped.object_kind} {skipped.object_name} is there already")
    elif kind == "waiting_for_mutex":
        print("another migration of this database is running")
    elif kind == "step_finished":
        print(f"applied {event.step_finished.revision}")
    elif kind == "operation_finished" and not event.operation_finished.HasField("error"):
        print("at", *event.operation_finished.resulting_revisions)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: upgrade.py ADDRESS-OF-MIGD")
    sys.exit(main(sys.argv[1]))
