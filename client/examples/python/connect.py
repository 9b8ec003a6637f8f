r"""What both examples do to reach migd, and to say what went wrong.

They need grpcio, and the stubs of proto/ in the PYTHONPATH; from there, Debian makes them so:

    protoc -I . --python_out=STUBS --grpc_python_out=STUBS migration/v1/*.proto google/rpc/*.proto \
        --plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin
"""

import os
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2
from migration.v1 import error_pb2

# A connection that breaks is made again at once, not after gRPC's up to two minutes; and one that is
# quiet is asked whether it is still there.
OPTIONS = (
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 60_000),
)
PAUSES = (0.5, 1, 2, 4, 8)  # seconds before each further attempt


def open_channel(server):
    """To a unix socket, or to a host and a port; to the latter with TLS if MIGD_TLS_CA names the
    authority of its certificate. MIGD_TOKEN says who calls."""
    if "MIGD_TLS_CA" not in os.environ:
        return grpc.insecure_channel(server, OPTIONS)
    with open(os.environ["MIGD_TLS_CA"], "rb") as ca:
        credentials = grpc.ssl_channel_credentials(ca.read())
    if "MIGD_TOKEN" in os.environ:
        token = grpc.access_token_call_credentials(os.environ["MIGD_TOKEN"])
        credentials = grpc.composite_channel_credentials(credentials, token)
    return grpc.secure_channel(server, credentials, OPTIONS)


def may_pass(error):
    """The server, or its database, is not there, starts or stops."""
    return error.code() == grpc.StatusCode.UNAVAILABLE


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
