#!/usr/bin/env bash
# Installs the client library, and builds a project that finds it with find_package alone.
#
# usage: library_install_test.sh BUILD-DIRECTORY PROJECT-THAT-USES-IT
set -euo pipefail

WORK=$(mktemp -d)
readonly WORK
trap 'rm -rf "$WORK"' EXIT

cmake --install "$1" --prefix "$WORK/installed" --component migration_client >/dev/null
# What is found must not depend on the checkout.
cp -r "$2" "$WORK/project"
cmake -G Ninja -S "$WORK/project" -B "$WORK/build" -DCMAKE_PREFIX_PATH="$WORK/installed" \
  -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
cmake --build "$WORK/build" --target example_gate
output=$("$WORK/build/example_gate" 2>&1) && code=0 || code=$?
if ((code != 2)) || [[ $output != usage:* ]]; then
  echo "FAILED: example_gate ended with $code: $output"
  exit 1
fi
