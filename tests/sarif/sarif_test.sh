#!/usr/bin/env bash
# Runs sarif_test.js, or ends with 77 where npm has not brought what it needs.
set -euo pipefail

if ! command -v node >/dev/null || [[ ! -d $PROJECT_SOURCE/node_modules/@microsoft/jest-sarif ]]; then
  echo "skipped: the schema of SARIF is missing; ./dev lint installs it with npm"
  exit 77
fi
exec node "$PROJECT_SOURCE/tests/sarif/sarif_test.js"
