#!/usr/bin/env bash
# Checks docker/compose.yaml, builds docker/Dockerfile and tries the image, without a container
# engine: mmdebstrap makes the base image, buildah builds on it in a chroot. Everything lies in a
# temporary directory that is removed at the end; no registry is asked for anything.
#
#     docker/check.sh [MIRROR]
#
# Needs root, the Debian packages buildah and mmdebstrap, 4 GB under TMPDIR, and a Debian mirror:
# MIRROR, or the one that mmdebstrap takes by itself. The network settings of this machine's apt
# (a proxy, say) hold inside the build as well, mounted into it, never in the image.
set -euo pipefail

fail() {
  echo "check.sh: $*" >&2
  exit 1
}

say() { echo "--- $*" >&2; }

[ "$(id -u)" -eq 0 ] || fail "must be root: mmdebstrap and buildah make device nodes and chroots"
for tool in buildah mmdebstrap; do
  command -v "$tool" >/dev/null || fail "$tool is missing; apt-get install $tool"
done

mirror=("$@")
[ "${#mirror[@]}" -le 1 ] || fail "usage: check.sh [MIRROR]"
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp --directory --tmpdir migd-image.XXXXXXXX)

export BUILDAH_ISOLATION=chroot
export CONTAINERS_REGISTRIES_CONF=$work/registries.conf

b() {
  buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs \
    --registries-conf-dir "$work/registries.conf.d" "$@"
}

clean_up() {
  b rm --all >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap clean_up EXIT

# Trust what is built here, look for images nowhere else.
mkdir "$work/registries.conf.d"
echo 'unqualified-search-registries = ["localhost"]' >"$CONTAINERS_REGISTRIES_CONF"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$work/policy.json"
apt-config dump --format '%f "%v";%n' Acquire |
  grep -E '^Acquire::(https?|Check-[A-Za-z-]+|Retries)(::| )' >"$work/apt.conf" || true

say "docker/compose.yaml (docker-compose)"
if command -v docker-compose >/dev/null; then
  POSTGRES_PASSWORD=any docker-compose --file "$root/docker/compose.yaml" config --quiet
else
  say "left out: docker-compose is missing; apt-get install docker-compose"
fi

say "base image (mmdebstrap)"
mmdebstrap --quiet --variant=minbase --aptopt="$work/apt.conf" bookworm "$work/base.tar" \
  "${mirror[@]}"
base=$(b from scratch)
b add --quiet "$base" "$work/base.tar" / >/dev/null
b config --cmd bash "$base"
b commit --quiet --signature-policy "$work/policy.json" "$base" debian:bookworm-slim >/dev/null
b rm "$base" >/dev/null
rm "$work/base.tar"

say "docker/Dockerfile (buildah)"
b bud --pull=never --format docker --signature-policy "$work/policy.json" \
  --volume "$work/apt.conf:/etc/apt/apt.conf.d/99check:ro" \
  --file "$root/docker/Dockerfile" --tag migd:check "$root"

say "the image, as its own user"
container=$(b from --pull-never --signature-policy "$work/policy.json" localhost/migd:check)

# Runs a command in the image as the container's user.
in_image() { b run "$container" -- "$@"; }

in_image migd --version
in_image migctl version
# What backups, baselines and copies of schemas are made with.
in_image pg_dump --version
in_image pg_restore --version
uid=$(in_image id -u)
[ "$uid" = 7433 ] || fail "the image runs as uid $uid, not as 7433"

health=$(b inspect --type image --format '{{.Docker.Config.Healthcheck.Test}}' migd:check)
[ "$health" = "[CMD migctl health]" ] || fail "the image's health check is $health"

# A port of its own: in a chroot the network is this machine's. migd ends with 0 on SIGTERM, or this
# fails.
# shellcheck disable=SC2016 # expanded by the shell in the image
in_image sh -euc '
  export MIGCTL_SERVER=127.0.0.1:17433
  migd --offline --listen "$MIGCTL_SERVER" &
  server=$!
  trap "kill $server 2>/dev/null" EXIT
  for attempt in $(seq 50); do
    migctl health >/dev/null 2>&1 && break
    kill -0 "$server"
    sleep 0.1
  done
  migctl health
  migctl heads
  migctl history
  trap - EXIT
  kill -TERM "$server"
  wait "$server"
' | tee "$work/output"
grep --quiet ca5d2b0eba52 "$work/output" || fail "the image does not have the migrations"

say "the image is good"
