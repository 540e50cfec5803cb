#!/usr/bin/env bash
# packages.sh run|test|bench|deb|fresh: installs the Debian packages that are missing, if called by root; else prints the command to call.
# The services of ejabberd, haproxy, nginx, caddy, prometheus, prosody and pushpin are kept from starting and from starting at the next boot: the instances of
# this project are private ones, and a server that nobody asked for would take their ports.
set -euo pipefail

run=(make g++ python3 curl procps erlang-base erlang-dev ejabberd)
test=(haproxy nginx caddy prometheus shellcheck iproute2 openssl erlang-dialyzer erlang-eunit erlang-proper-dev erlang-jinterface default-jdk-headless chromium systemd netcat-openbsd)
# Beside what run has. Without linux-perf the benchmarks count no system calls.
bench=(haproxy prosody linux-perf pushpin nginx libnginx-mod-nchan)

# To make packages, and to try them.
deb=(debhelper openssl)
fresh=("${deb[@]}" lintian debootstrap systemd-container buildah)

case ${1:-} in
  run) wanted=("${run[@]}") ;;
  test) wanted=("${run[@]}" "${test[@]}") ;;
  bench) wanted=("${run[@]}" "${bench[@]}") ;;
  deb) wanted=("${run[@]}" "${deb[@]}") ;;
  fresh) wanted=("${run[@]}" "${fresh[@]}") ;;
  *) echo "usage: $0 run|test|bench|deb|fresh" >&2 && exit 1 ;;
esac

missing=()
for package in "${wanted[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "Debian packages are missing: ${missing[*]}" >&2
  echo "Install them with: sudo $(cd "$(dirname "$0")" && pwd)/packages.sh $1" >&2
  exit 1
fi

# Debian's way to say that no service may be started: 101 is "forbidden by policy".
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod +x $policy
  trap 'rm -f $policy' EXIT
fi

echo "Installing ${missing[*]} ..."
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends "${missing[@]}"

for service in ejabberd haproxy nginx caddy prometheus prosody pushpin; do
  if [[ " ${missing[*]} " == *" $service "* ]] && [ -d /run/systemd/system ]; then
    systemctl disable "$service.service"
    echo "The system's $service is installed, but neither started nor enabled. If you want it: systemctl enable --now $service"
  fi
done
