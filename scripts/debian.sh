#!/usr/bin/env bash
# Runs a command on another release of Debian, with that release's ejabberd and Erlang:
#
#   debian.sh sid make -C erl test OUT=../dist/sid
#
# RELEASE may end with -fresh: then it is as an installer leaves it, with systemd and nothing of ours.
#
# The release lives in a folder under ~/.cache/megaphone, made at the first call; remove it to get newer packages.
# The command runs as root, in this project's folder, with this machine's network and Node.js. Its mounts,
# processes and temporary files are its own, so none of them is left behind however it ends.
set -euo pipefail

packages=(make curl ejabberd haproxy nginx erlang-base erlang-dev erlang-eunit erlang-proper-dev)

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
release=${1:?usage: $0 RELEASE COMMAND...}
system=${XDG_CACHE_HOME:-$HOME/.cache}/megaphone/debian-$release
[[ $release != *-fresh ]] || packages=(systemd systemd-sysv dbus)
shift

# in_system FOLDER COMMAND...: the first process of its namespace, and as such the one that collects orphans.
in_system() {
  local system=$1 file
  shift
  mount --rbind /dev "$system/dev"
  mount -t proc proc "$system/proc"
  mount -t tmpfs tmpfs "$system/tmp"
  for file in /etc/hosts /etc/resolv.conf; do
    touch "$system$file"
    mount --bind "$file" "$system$file"
  done
  touch "$system/usr/local/bin/node"
  mount --bind "$(readlink -f "$(command -v node)")" "$system/usr/local/bin/node"
  mkdir -p "$system$project"
  mount --bind "$project" "$system$project"
  unset TMPDIR XDG_CACHE_HOME
  HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$system" env --chdir="$project" "$@"
}
export -f in_system
export project
enter() { unshare --mount --pid --fork --kill-child bash -euo pipefail -c 'in_system "$@"' bash "$@"; }

# The mirror and the network settings of this machine's own apt.
create() {
  local mirror new=$system.new
  command -v debootstrap >/dev/null || apt-get install -y -q --no-install-recommends debootstrap
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sed -n 1p)
  echo "Making a Debian $release from $mirror in $system ..."
  rm -rf "$new"
  mkdir -p "$new"
  debootstrap --variant=minbase "${release%-fresh}" "$new" "$mirror"
  apt-config dump | grep -E '^Acquire::(http|https|Check-)' >"$new/etc/apt/apt.conf.d/90network" || true
  # 101 is "forbidden by policy": no service is started.
  printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
  chmod +x "$new/usr/sbin/policy-rc.d"
  DEBIAN_FRONTEND=noninteractive enter "$new" sh -c 'apt-get update -q && apt-get install -y -q --no-install-recommends "$@" && apt-get clean' sh "${packages[@]}"
  echo "${packages[*]}" >"$new/.packages"
  rm -rf "$system"
  mv "$new" "$system"
}

[ "$(id -u)" = 0 ] || { echo "To make and enter a Debian $release you must be root." >&2 && exit 1; }
[ "$(cat "$system/.packages" 2>/dev/null)" = "${packages[*]}" ] || create >&2
enter "$system" "$@"
