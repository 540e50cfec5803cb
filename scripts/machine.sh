#!/usr/bin/env bash
# machine.sh RELEASE COMMAND...: boots a fresh Debian with systemd, runs a command there as root, and powers it off.
#
# Each call begins with the release as its installer leaves it (see debian.sh), with a loopback of its own and no other network; the
# packages that ejabberd needs are in apt's cache. This project is where it is here, read-only; /opt/node is this machine's Node.js.
# What the machine writes is in memory, or in the folder that MACHINE_DISK names, which has to be there.
set -euo pipefail
cd "$(dirname "$0")/.."
release=${1:?usage: $0 RELEASE COMMAND...}
shift
[ "$(id -u)" = 0 ] || { echo "To boot a Debian $release you must be root." >&2 && exit 1; }
command -v systemd-nspawn >/dev/null || apt-get install -y -q --no-install-recommends systemd-container >&2

# Whatever the installation of these brings is downloaded before: the machine has no network.
scripts/debian.sh "$release-fresh" sh -c 'apt-get update -q && apt-get install -q -y --download-only ejabberd curl' >&2

disk=$(mktemp -d)
leader=
cleanup() {
  [ -z "$leader" ] || { kill -RTMIN+4 "$leader" 2>/dev/null && wait_for_end 30; } || kill -KILL "$leader" 2>/dev/null || true
  umount -R "$disk/root" 2>/dev/null || true
  umount "$disk" 2>/dev/null || true
  rmdir "$disk"
}
wait_for_end() {
  local tries=$(($1 * 10))
  while kill -0 "$leader" 2>/dev/null; do
    [ $((tries -= 1)) -gt 0 ] || return 1
    sleep 0.1
  done
}
trap cleanup EXIT

if [ -n "${MACHINE_DISK:-}" ]; then mount --bind "$MACHINE_DISK" "$disk"; else mount -t tmpfs tmpfs "$disk"; fi
mkdir -p "$disk"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=${XDG_CACHE_HOME:-$HOME/.cache}/megaphone/debian-$release-fresh,upperdir=$disk/upper,workdir=$disk/work" "$disk/root"
# debian.sh has no service start, and leaves an empty hosts file.
rm -f "$disk/root/usr/sbin/policy-rc.d"
printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' >"$disk/root/etc/hosts"

systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --directory="$disk/root" --console=pipe \
  --bind-ro="$PWD" --bind-ro="$(readlink -f "$(command -v node)"):/opt/node" </dev/null >"$disk/console.log" 2>&1 &
nspawn=$!
for _ in $(seq 600); do
  leader=$(pgrep -P "$nspawn" -x systemd || true)
  [ -z "$leader" ] || break
  kill -0 "$nspawn" 2>/dev/null || { cat "$disk/console.log" >&2 && exit 1; }
  sleep 0.1
done
inside() { nsenter --target "$leader" --all env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"; }
# "degraded": a service of Debian's own failed, which a container keeps some from working.
for _ in $(seq 600); do
  state=$(inside systemctl is-system-running 2>/dev/null || true)
  case $state in running | degraded) break ;; esac
  sleep 0.1
done
case $state in running | degraded) ;; *) echo "Debian $release does not boot: ${state:-silent}" >&2 && exit 1 ;; esac

inside env --chdir=/root MACHINE="$release" PROJECT="$PWD" "$@"
