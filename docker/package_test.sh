#!/usr/bin/env bash
# Makes the Debian package of a build and tries it in a chroot of its own: it is installed, runs,
# completes, is upgraded, removed and purged, and leaves nothing. The chroot is a temporary directory
# that is removed at the end.
#
#     docker/package_test.sh BUILD-DIRECTORY [MIRROR]
#
# Needs root, mmdebstrap, and a Debian mirror: MIRROR, or the one that mmdebstrap takes by itself.
# The network settings of this machine's apt (a proxy, say) are used. Ends with 77 where it cannot
# run, and says why.
set -euo pipefail

fail() {
  echo "package_test.sh: $*" >&2
  exit 1
}
skip() {
  echo "package_test.sh: skipped: $*" >&2
  exit 77
}
say() { echo "--- $*" >&2; }

[ $# -ge 1 ] && [ $# -le 2 ] || fail "usage: package_test.sh BUILD-DIRECTORY [MIRROR]"
build=$(cd "$1" && pwd)
mirror=("${@:2}")
[ "$(id -u)" -eq 0 ] || skip "must be root: mmdebstrap makes device nodes and a chroot"
for tool in mmdebstrap dpkg-deb dpkg-shlibdeps cpack; do
  command -v "$tool" >/dev/null || skip "$tool is missing"
done

work=$(mktemp --directory --tmpdir migd-package.XXXXXXXX)
root=$work/root
server=
clean_up() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT

say "packages (cpack)"
# Two that differ in nothing but the version: one to install, one to upgrade to.
for version in 0.9.0 0.9.1; do
  cpack -G DEB --config "$build/CPackConfig.cmake" -B "$work/$version" -R "$version" >"$work/log" ||
    fail "cpack: $(cat "$work/log")"
  cp "$work/$version/migd_${version}"_*.deb "$work/$version.deb"
done
dpkg-deb --field "$work/0.9.0.deb" >&2

if command -v lintian >/dev/null; then
  say "lintian"
  # The maintainer and the licence are those of whoever builds it.
  lintian --fail-on error --suppress-tags \
    bogus-mail-host,bogus-mail-host-in-debian-changelog,copyright-without-copyright-notice \
    "$work/0.9.0.deb" >&2 ||
    fail "lintian found errors"
else
  say "lintian is missing, and left out"
fi

say "chroot (mmdebstrap)"
apt-config dump --format '%f "%v";%n' Acquire |
  grep -E '^Acquire::(https?|Check-[A-Za-z-]+|Retries)(::| )' >"$work/apt.conf" || true
# With what the package depends on, so that dpkg alone can install it.
dependencies=$(dpkg-deb --field "$work/0.9.0.deb" Depends | sed 's/([^)]*)//g; s/ //g')
mmdebstrap --quiet --variant=minbase --aptopt="$work/apt.conf" --include="$dependencies" \
  bookworm "$root" "${mirror[@]}" 2>"$work/log" ||
  skip "mmdebstrap made no chroot: $(tail -n 3 "$work/log")"

in_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }

# Everything but what dpkg keeps for itself, logs, what is there at run time only, and the backups
# of the account files.
files() {
  (cd "$root" && find . \( -path ./var/lib/dpkg -o -path ./var/log -o -path ./run -o -path ./proc \
    -o -path ./dev -o -path ./sys -o -path ./tmp -o -path './etc/*-' \) -prune \
    -o -printf '%y %m %p\n' | LC_ALL=C sort)
}
accounts() { cat "$root/etc/passwd" "$root/etc/group"; }
expect() { in_root test "$@" || fail "expected: test $*"; }
install_package() {
  cp "$work/$1.deb" "$root/tmp/migd.deb"
  in_root env DEBIAN_FRONTEND=noninteractive dpkg --install /tmp/migd.deb >"$work/log" 2>&1 ||
    fail "dpkg --install $1: $(cat "$work/log")"
}

files >"$work/files.before"
accounts >"$work/accounts.before"

say "installation"
install_package 0.9.0
in_root migd --version >&2
in_root migctl version >&2
dpkg-deb --contents "$work/0.9.0.deb" >"$work/contents"
# minbase keeps no manual pages and little documentation: what is in the package, not what is left.
for file in usr/share/man/man1/migctl.1.gz usr/share/man/man8/migd.8.gz \
  usr/share/bash-completion/completions/migctl usr/share/zsh/vendor-completions/_migctl \
  usr/share/fish/vendor_completions.d/migctl.fish usr/lib/systemd/system/migd.service \
  usr/share/doc/migd/examples/migrations/ca5d2b0eba52_initial_schema.sql; do
  grep -q " ./$file\$" "$work/contents" || fail "the package has no /$file"
done
[ "$(in_root stat -c '%U:%G %a' /etc/migd)" = "root:migd 750" ] || fail "/etc/migd is not root:migd"
grep -q '^migd:.*:/var/lib/migd:' "$root/etc/passwd" || fail "there is no user migd"
expect -L /etc/systemd/system/multi-user.target.wants/migd.service

say "the service, as its user and with its configuration"
# What the unit's RuntimeDirectory= and StateDirectory= make.
in_root install -d -o migd -g migd -m 750 /run/migd /var/lib/migd
cp "$(dirname "$0")"/../migrations/*.sql "$root/etc/migd/migrations/"
start=$(sed -n 's/^ExecStart=//p' "$root/usr/lib/systemd/system/migd.service")
# Not by in_root, whose process would be the shell's. $start is words, as systemd takes them.
# shellcheck disable=SC2086
chroot "$root" env -i PATH=/usr/bin:/bin setpriv --reuid=migd --regid=migd --init-groups $start >"$work/migd.log" 2>&1 &
server=$!
for _ in $(seq 300); do
  in_root migctl --server unix:/run/migd/migd.sock heads >"$work/heads" 2>&1 && break
  kill -0 "$server" 2>/dev/null || fail "migd ended: $(cat "$work/migd.log")"
  sleep 0.1
done
grep -q 2ff41522b3bc "$work/heads" || fail "migctl heads: $(cat "$work/heads" "$work/migd.log")"
# A chroot has no /dev/fd, with which the script of bash works: tests/completion/ has the shells.
in_root bash -c '. /usr/share/bash-completion/completions/migctl; complete -p migctl' >&2
in_root migctl __complete -- --server unix:/run/migd/migd.sock show ca >"$work/words"
grep -q ca5d2b0eba52 "$work/words" || fail "nothing is completed: $(cat "$work/words")"
kill -TERM "$server"
wait "$server" || fail "migd ended with $? on SIGTERM: $(cat "$work/migd.log")"
server=

say "upgrade"
echo "# edited" >>"$root/etc/migd/migd.yaml"
install_package 0.9.1
[ "$(in_root dpkg-query -W -f '${Version}' migd)" = 0.9.1 ] || fail "the version is not 0.9.1"
grep -q '^# edited' "$root/etc/migd/migd.yaml" || fail "the upgrade lost the configuration"
expect -L /etc/systemd/system/multi-user.target.wants/migd.service
[ "$(in_root stat -c '%U:%G %a' /etc/migd)" = "root:migd 750" ] || fail "/etc/migd is not root:migd"

say "removal"
in_root dpkg --remove migd >"$work/log" 2>&1 || fail "dpkg --remove: $(cat "$work/log")"
expect ! -e /usr/bin/migd
expect ! -e /usr/lib/systemd/system/migd.service
grep -q '^# edited' "$root/etc/migd/migd.yaml" || fail "the removal took the configuration"

say "installation again, and a purge with backups"
install_package 0.9.1
in_root install -d -o migd -g migd /var/lib/migd/backups
in_root touch /var/lib/migd/backups/app.dump
in_root dpkg --purge migd >"$work/log" 2>&1 || fail "dpkg --purge: $(cat "$work/log")"
expect -e /var/lib/migd/backups/app.dump
expect ! -e /etc/migd/migd.yaml
expect -e /etc/migd/migrations/ca5d2b0eba52_initial_schema.sql

say "purge"
rm -rf "$root/var/lib/migd/backups" "$root"/etc/migd/migrations/*.sql "$root/run/migd"
install_package 0.9.1
in_root dpkg --purge migd >"$work/log" 2>&1 || fail "dpkg --purge: $(cat "$work/log")"
files >"$work/files.after"
accounts >"$work/accounts.after"
diff "$work/files.before" "$work/files.after" >&2 || fail "the purge left files"
diff "$work/accounts.before" "$work/accounts.after" >&2 || fail "the purge left accounts"

say "the package is good"
