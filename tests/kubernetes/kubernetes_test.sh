#!/usr/bin/env bash
# Runs kubernetes_test.js, or ends with 77 where npm has not brought what it needs.
set -euo pipefail

if ! command -v node >/dev/null || [[ ! -d $PROJECT_SOURCE/node_modules/kubernetes-models ]]; then
  echo "skipped: Kubernetes' types are missing; ./dev lint installs them with npm"
  exit 77
fi
exec node "$PROJECT_SOURCE/tests/kubernetes/kubernetes_test.js"
