#!/usr/bin/env bash
# container.sh: what docs/installing.md does with podman: builds packaging/Containerfile (on a fresh Debian 13, for want of a registry), runs
# it, asks its health check, and stops it. As root; needs what dist/ holds after `make deb`. Nothing of it stays. It runs in a chroot, with
# what the image says of user, environment, entry point and health check, for podman takes powers that a machine in a container has not.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "To build a container from a folder you must be root." >&2 && exit 1; }
command -v buildah >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends buildah >&2
fail() { echo "$*" >&2 && exit 1; }

scripts/debian.sh trixie-fresh true
base=${XDG_CACHE_HOME:-$HOME/.cache}/megaphone/debian-trixie-fresh
folder=$(mktemp -d)
storage=(--root "$folder/storage" --runroot "$folder/run" --storage-driver overlay)
buildah() { command buildah "${storage[@]}" "$@"; }
cleanup() {
  [ -z "${gateway:-}" ] || kill -KILL "$gateway" 2>/dev/null || true
  buildah umount --all >/dev/null 2>&1 || true
  umount -R "$folder/storage/overlay" 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT

container=$(buildah from scratch)
tar -C "$base" -c --exclude='./var/cache/apt/archives/*.deb' . | tar -x -C "$(buildah mount "$container")"
buildah umount "$container" >/dev/null
buildah commit --quiet --rm "$container" localhost/debian:trixie >/dev/null
buildah bud --isolation chroot --network host --format docker --build-arg BASE=localhost/debian:trixie --file packaging/Containerfile --tag megaphone . >"$folder/build.log" 2>&1 ||
  { cat "$folder/build.log" >&2 && exit 1; }

# The cookie as secrets are handed over. No ejabberd is there, which is no fault of the gateway's.
container=$(buildah from localhost/megaphone)
inside=$(buildah mount "$container")
mkdir -p "$inside/run/secrets"
printf 'secret\n' >"$inside/run/secrets/cookie"
chown 64000 "$inside/run/secrets/cookie"
chmod 400 "$inside/run/secrets/cookie"
said() { buildah inspect --type image --format "$1" localhost/megaphone; }
[ "$(said '{{.Docker.Config.User}}')" = 64000:64000 ] || fail 'It belongs to somebody else.'
mapfile -t entry < <(said '{{range .Docker.Config.Entrypoint}}{{println .}}{{end}}' | sed '/^$/d')
mapfile -t check < <(said '{{range .Docker.Config.Healthcheck.Test}}{{println .}}{{end}}' | sed '/^$/d')
enter() { buildah run --isolation chroot "$container" -- "$@"; }

enter "${entry[@]}" --epmd-port 0 --nodes ejabberd@localhost=127.0.0.1:1 --http-port 18480 --drain-delay 0 >"$folder/log" 2>&1 &
running=$!
for _ in $(seq 300); do
  kill -0 $running 2>/dev/null || break
  if healthy=$(enter "${check[@]:1}" 2>/dev/null && echo yes); then break; fi
  sleep 0.1
done
[ "${healthy:-}" = yes ] || { cat "$folder/log" >&2 && fail 'It is not healthy within half a minute.'; }
gateway=$(pgrep -u 64000 -f "^/usr/lib/megaphone/bin/node .* --http-port 18480" | head -1)
kill -TERM "$gateway"
wait $running || { cat "$folder/log" >&2 && fail 'It did not stop by itself.'; }
grep -q '"msg":"stopped"' "$folder/log" || { cat "$folder/log" >&2 && fail 'It did not say that it stopped.'; }
gateway=
echo 'The container builds, is healthy, belongs to nobody, and stops by itself.'
