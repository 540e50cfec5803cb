#!/usr/bin/env bash
# The gateway of the development instance: `megaphone start` with a configuration of its own under var/.
#
#   gateway.sh start    in the background, waits until it listens
#   gateway.sh stop
#   gateway.sh status   one line; fails when it does not run
set -euo pipefail
# shellcheck source=scripts/settings.sh
. "$(dirname "$0")/settings.sh"

pidfile=$gateway_dir/gateway.pid
config=$gateway_dir/megaphone.yml
log=$gateway_dir/gateway.log

alive() { running "$pidfile" "$config"; }

configure() {
  mkdir -p "$gateway_dir"
  [ -z "$tls" ] || "$root/scripts/tls.sh" localhost
  generate "$config" <<CFG
node: $gateway_node
nodes: [${MEGAPHONE_NODES:-$ejabberd_node}]
cookie_file: $cookie_file
http_ip: 127.0.0.1
http_port: $http_port
${tls:+$(tls_settings)}
${GATEWAY_SETTINGS:-}
CFG
}

tls_settings() {
  printf 'distribution_tls_%s\n' "cert: $tls_dir/localhost.pem" "key: $tls_dir/localhost.key" "ca: $tls_dir/ca.pem"
}

start() {
  if alive >/dev/null; then
    say "The gateway runs already ($gateway_node)."
    return
  fi
  [ -f "$root/dist/src/main.js" ] || fail "The gateway is not built." "Build it with: make build"
  require_free_name "$gateway_node"
  require_free_port "$http_port" MEGAPHONE_HTTP_PORT
  configure
  say "Starting the gateway ($gateway_node) ..."
  "$root/scripts/epmd.sh" up
  # That of the development instance has the demo beside it, and is no other gateway for that.
  local program=src/main.js
  [ -z "${DEMO_ACCOUNTS:-}" ] || program=scripts/demo/main.js
  launch "$pidfile" node "$root/dist/$program" start --config "$config" >"$log" 2>&1
  if ! await_port "$pidfile" "$http_port"; then
    tail -n 20 "$log" >&2
    fail "The gateway did not start. Its log: $log"
  fi
  # Its first clients are to find a node; without one it serves all the same, and says so.
  await 5 grep -q 'is in service' "$log" || true
}

case ${1:-} in
  start) start ;;
  stop)
    end_process "$pidfile" "$config"
    "$root/scripts/epmd.sh" down
    ;;
  status)
    pid=$(alive) || fail "gateway$suffix:  stopped"
    say "gateway$suffix:  running as $gateway_node, process $pid"
    ;;
  *) fail "usage: $0 start|stop|status" ;;
esac
