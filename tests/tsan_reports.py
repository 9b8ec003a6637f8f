#!/usr/bin/env python3
"""Reads the thread sanitizer's reports and prints those that are about this project's code.

    tsan_reports.py DIRECTORY      exit code 1 if any is left

Debian's gRPC is not built for the thread sanitizer. What its callers hand over to one another by its
queues and locks tests/tsan_library_edges.cc tells. But its header-only templates also destroy a call
when a counter inside that library says so (callbacks, call objects, requests), out of the
sanitizer's sight, and so reported. tests/tsan.supp silences the accesses that
those templates make themselves; a suppression cannot say "or through the standard library or a
message", for which this script is: a report is gRPC's own if, in each of its two stacks, the innermost
frame that is neither the standard library's nor a message's is gRPC's. A race of the project's code
has a frame of the project there.
"""

import pathlib
import re
import sys

# What both gRPC and the project call: the standard library, and messages.
TRANSPARENT = re.compile(
    r"^(?:(?:std|__gnu_cxx|__cxxabiv1)::|operator (?:new|delete)|mem(?:cpy|move|set|cmp)|free|malloc"
    r"|(?:void|bool|decltype|typename|auto)?\s*std::)"
    r"|/usr/include/c\+\+/|libstdc\+\+|libsanitizer|libtsan"
    r"|google::protobuf::|google/protobuf/|libprotobuf|\.pb\.(?:h|cc):"
)
GRPC = re.compile(r"^(?:[\w:<>*&, ]+ )?grpc::|grpcpp|libgrpc|libgpr|^<null>")
FRAME = re.compile(r"^\s+#\d+ (.*)$")
# What begins a stack that is an access; stacks of allocations and of thread creations follow later.
ACCESS = re.compile(r"^  (?:Previous |Atomic |Previous atomic )?(?:[Rr]ead|[Ww]rite|atomic)")


def stacks_of_accesses(report):
    """The frames of each access of a report, innermost first."""
    stacks, current = [], None
    for line in report.splitlines():
        frame = FRAME.match(line)
        if frame and current is not None:
            current.append(frame.group(1))
        elif not frame:
            current = [] if ACCESS.match(line) else None
            if current is not None:
                stacks.append(current)
    return stacks


def is_grpcs_own(stack):
    for frame in stack:
        if not TRANSPARENT.search(frame):
            return bool(GRPC.search(frame))
    return False


def is_about_the_project(report):
    stacks = stacks_of_accesses(report)
    # A report without accesses (a lock order, a leaked thread) is never gRPC's own.
    return not stacks or not all(is_grpcs_own(stack) for stack in stacks)


def main(directory):
    left = 0
    for path in sorted(pathlib.Path(directory).iterdir()):
        for report in path.read_text(errors="replace").split("=================="):
            if "WARNING: ThreadSanitizer" in report and is_about_the_project(report):
                print(report.strip("\n"), end="\n\n")
                left += 1
    print(f"{left} reports of the thread sanitizer about this project's code")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
