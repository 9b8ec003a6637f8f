#!/usr/bin/env bash
# Runs a test binary on the PostgreSQL whose programs are in the folder NEWEST_POSTGRES_PROGRAMS,
# which ./dev downloads and names. Without it the test is skipped, which CTest shows.
#
# usage: on_newest_postgres.sh BINARY [ARGS]
set -euo pipefail

# What CTest is told to take for "skipped".
readonly SKIPPED=77

readonly PROGRAMS=${NEWEST_POSTGRES_PROGRAMS:-}
if ! version=$("$PROGRAMS/postgres" --version 2>&1); then
  echo "SKIPPED: there is no newer PostgreSQL than the system's in '$PROGRAMS' (NEWEST_POSTGRES_PROGRAMS)"
  echo "         ./dev test downloads one and names its folder; what it says about that comes first"
  exit "$SKIPPED"
fi
echo "These tests run on $version"
TEST_POSTGRES_PROGRAMS=$PROGRAMS exec "$@"
