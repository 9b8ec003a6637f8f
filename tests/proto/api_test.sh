#!/usr/bin/env bash
# Tests that `./dev lint` notices a change of the API that breaks who uses it, and Markdown that is
# out of date; in a copy of the .proto files. Without buf, which `./dev lint` installs, it is skipped.
#
# usage: api_test.sh PROJECT
set -uo pipefail

cd "$1" || exit 1
shopt -s nullglob
programs=(node_modules/@bufbuild/buf-linux-*/bin/buf)
if ((${#programs[@]} == 0)); then
  echo "skipped: there is no buf"
  exit 77
fi
WORK=$(mktemp -d)
readonly WORK
trap 'rm -rf "$WORK"' EXIT
cp -r dev buf.yaml proto "$WORK"
mkdir -p "$WORK/node_modules" "$WORK/service" "$WORK/client" "$WORK/tests" "$WORK/.ci"
cp -r node_modules/@bufbuild "$WORK/node_modules"
cd "$WORK" || exit 1

failures=0
fail() {
  failures=$((failures + 1))
  printf 'FAILED: %s; output:\n%s\n' "$1" "$output"
}
# Runs what `./dev lint` checks of the API. Sets output and code.
check_api() {
  output=$(bash -c 'set -- help; source ./dev >/dev/null; check_api' 2>&1)
  code=$?
}
service=proto/migration/v1/migration_service.proto

check_api
((code == 0)) || fail "expected the API as it is to pass"

# A field is removed.
cp -r proto untouched
sed -i '/^  bool is_at_heads = 2;$/d' "$service"
check_api
((code != 0)) || fail "expected a removed field to be noticed"
[[ $output == *is_at_heads* ]] || fail "expected the removed field to be named"

# A field changes its type.
rm -r proto && cp -r untouched proto
sed -i 's/^  bool is_at_heads = 2;$/  string is_at_heads = 2;/' "$service"
check_api
((code != 0)) || fail "expected a changed type to be noticed"

# A field is added, and the Markdown is left as it was.
rm -r proto && cp -r untouched proto
sed -i 's/^  bool is_at_heads = 2;$/&\n  \/\/ Something new.\n  bool is_new = 99;/' "$service"
check_api
((code != 0)) || fail "expected Markdown without the new field to be noticed"
[[ $output == *'`is_new`'* ]] || fail "expected the new field to be named"
[[ $output != *"breaks who uses"* ]] || fail "expected a new field to break nobody"

((failures == 0)) || exit 1
echo "passed"
