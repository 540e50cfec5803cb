#!/usr/bin/env bash
# epmd.sh up: sees to it that a port mapper (EPMD) runs on ERL_EPMD_PORT.
# epmd.sh down: ends it again, if it was us who started it and no node is registered any more.
set -euo pipefail
# shellcheck source=scripts/settings.sh
. "$(dirname "$0")/settings.sh"

# Holds the id of the boot it was started in: after a reboot EPMD is somebody else's.
ours=$var/epmd-$epmd_port.started
boot=$(cat /proc/sys/kernel/random/boot_id)

case ${1:-} in
  up)
    epmd_names >/dev/null && exit
    epmd -daemon
    await 5 epmd_names >/dev/null || fail "EPMD does not start on port $epmd_port. Is the port taken? Choose another: ERL_EPMD_PORT=$((epmd_port + 1))"
    say "$boot" >"$ours"
    ;;
  down)
    if [ "$boot" = "$(cat "$ours" 2>/dev/null)" ] && [ -z "$(epmd_names)" ]; then
      epmd -kill >/dev/null 2>&1 || true
      rm -f "$ours"
    fi
    ;;
  *) fail "usage: $0 up|down" ;;
esac
