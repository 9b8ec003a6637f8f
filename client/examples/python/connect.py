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
# The database that is meant; it may be left open where migd has one.
DATABASE = os.environ.get("MIGCTL_DATABASE", "")
PAUSES = (0.5, 1, 2, 4, 8)  # seconds before each further attempt


class TokenFile(grpc.AuthMetadataPlugin):
    """The token that says who calls, read for each call: who renews it writes the file."""

    def __init__(self, path):
        self.path = path

    def __call__(self, context, callback):
        with open(self.path, encoding="ascii") as file:
            callback((("authorization", f"Bearer {file.read().strip()}"),), None)


def open_channel(server):
    """To a unix socket, or to a host and a port. The variables are those of migctl: MIGCTL_TLS_CA
    names the authority of migd's certificate, and asks for TLS. Over that, who calls is told by a
    token in the file MIGCTL_TOKEN_FILE, or by the certificate MIGCTL_TLS_CERT with its key
    MIGCTL_TLS_KEY."""
    if "MIGCTL_TLS_CA" not in os.environ:
        return grpc.insecure_channel(server, OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        read("MIGCTL_TLS_CA"), read("MIGCTL_TLS_KEY"), read("MIGCTL_TLS_CERT"))
    if "MIGCTL_TOKEN_FILE" in os.environ:
        token = TokenFile(os.environ["MIGCTL_TOKEN_FILE"])
        credentials = grpc.composite_channel_credentials(
            credentials, grpc.metadata_call_credentials(token))
    return grpc.secure_channel(server, credentials, OPTIONS + server_name())


def read(variable):
    """What is in the file that a variable names; None if it names none."""
    if variable not in os.environ:
        return None
    with open(os.environ[variable], "rb") as file:
        return file.read()


def server_name():
    """The name that migd's certificate must be for, if not the host of its address."""
    name = os.environ.get("MIGCTL_TLS_SERVER_NAME")
    return (("grpc.ssl_target_name_override", name),) if name else ()


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
