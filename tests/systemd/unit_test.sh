#!/usr/bin/env bash
# systemd understands the unit, and finds it well locked in.
#
# usage: MIGD=... PROJECT_SOURCE=... unit_test.sh
set -uo pipefail

# In tenths: systemd calls up to 2.0 "OK", with 10 for a service that may do anything.
readonly MOST_EXPOSURE=20

readonly UNIT=$PROJECT_SOURCE/docker/systemd/migd.service
WORK=$(mktemp -d)
readonly WORK
trap 'rm -rf "$WORK"' EXIT
failures=0
fail() {
  failures=$((failures + 1))
  printf 'FAILED %s\n' "$*"
}

# What systemd says of the unit $1, with the migd that was built in place of the installed one. It
# ends with 0 whatever it finds: only its output tells.
verify() {
  sed "s|^ExecStart=/usr/bin/migd |ExecStart=$MIGD |" "$1" >"$WORK/migd.service"
  systemd-analyze verify --man=no --recursive-errors=no "$WORK/migd.service" 2>&1
}

output=$(verify "$UNIT") || fail "systemd-analyze verify ended with $?"
[[ -z $output ]] || fail "systemd-analyze verify: $output"

# The check sees what it is for.
sed 's/^NoNewPrivileges=/NoNewPriviledges=/' "$UNIT" >"$WORK/wrong.service"
[[ $(verify "$WORK/wrong.service") == *NoNewPriviledges* ]] || fail "an unknown key is not seen"

output=$(systemd-analyze security --no-pager --offline=yes --threshold="$MOST_EXPOSURE" "$UNIT" 2>&1) ||
  fail "systemd-analyze security: $output"
sed '/^ProtectSystem=/d; /^SystemCallFilter=/d; /^CapabilityBoundingSet=/d' "$UNIT" \
  >"$WORK/open.service"
! systemd-analyze security --no-pager --offline=yes --threshold="$MOST_EXPOSURE" \
  "$WORK/open.service" >/dev/null 2>&1 || fail "a unit that is open is not seen"

((failures == 0)) && tail -n 1 <<<"$output"
exit $((failures > 0))
