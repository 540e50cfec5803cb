#!/usr/bin/env bash
# A cluster to try things on: ejabberd nodes that are joined, gateways with workers, and HAProxy in front.
#
#   cluster.sh up                  starts what does not run; where no ejabberd does, they are made anew
#   cluster.sh free                fails, and says which, where a port that "up" needs is taken
#   cluster.sh down                ends all of it
#   cluster.sh status              what runs, and how to use it; fails unless all of it runs
#   cluster.sh wait                until each gateway has each node in service, and HAProxy each gateway
#   cluster.sh node N COMMAND      start, stop, status, ctl ARG... of one ejabberd node (see scripts/ejabberd.sh)
#   cluster.sh gateway N COMMAND   start, stop, status of one gateway (see scripts/gateway.sh)
#
# Environment, beside that of scripts/settings.sh (all optional):
#   NODES          ejabberd nodes                                    3
#   GATEWAYS       gateways                                          2
#   WORKERS        worker processes of each gateway                  2
#   CLUSTER_PORT   HAProxy; its own page and the others are above    7000
set -euo pipefail
MEGAPHONE_VAR=${MEGAPHONE_VAR:-$(dirname "${BASH_SOURCE[0]}")/../var}/cluster
# shellcheck source=scripts/settings.sh
. "$(dirname "$0")/settings.sh"

nodes=${NODES:-3}
gateways=${GATEWAYS:-2}
workers=${WORKERS:-2}
port=${CLUSTER_PORT:-7000}
proxy_dir=$var/haproxy
proxy_config=$proxy_dir/haproxy.cfg
proxy_pid=$proxy_dir/haproxy.pid

for number in "$nodes" "$gateways" "$workers"; do
  [[ $number =~ ^[1-9][0-9]?$ ]] || fail "NODES, GATEWAYS and WORKERS are numbers from 1 to 99, not \"$number\"."
done

stats_port=$((port + 1))

# What each takes beside HAProxy: gateway N the first three, node N the others.
http() { say $((port + 100 + $1)); }
admin() { say $((port + 200 + $1)); }
agent() { say $((port + 300 + $1)); }
ejabberd_http() { say $((port + 400 + $1)); }
ejabberd_c2s() { say $((port + 500 + $1)); }

# node N ARG...: its ejabberd.sh. One that stops moves its sessions to the others first, which takes its time.
node() {
  MEGAPHONE_VAR=$var MEGAPHONE_INSTANCE=$1 EJABBERD_HTTP_PORT=$(ejabberd_http "$1") EJABBERD_C2S_PORT=$(ejabberd_c2s "$1") \
    STOP_SECONDS=120 "$root/scripts/ejabberd.sh" "${@:2}"
}

# gateway N ARG...: its gateway.sh. One that stops lets its clients go slowly.
gateway() {
  local settings
  settings=$(printf '%s\n' "workers: $workers" "admin_port: $(admin "$1")" "agent_port: $(agent "$1")" "trusted_proxies: 127.0.0.1")
  MEGAPHONE_VAR=$var MEGAPHONE_INSTANCE=$1 MEGAPHONE_HTTP_PORT=$(http "$1") MEGAPHONE_NODES=$(seed "$1") \
    GATEWAY_SETTINGS=$settings STOP_SECONDS=60 "$root/scripts/gateway.sh" "${@:2}"
}
# One node is enough: it tells of the others. Each gateway has another.
seed() { say "ejabberd$((($1 - 1) % nodes + 1))@localhost"; }

proxy_runs() { running "$proxy_pid" "$proxy_config" >/dev/null; }

# The example's, with the ports and as many gateways as there are here, and without HTTPS.
start_proxy() {
  local i servers=''
  for i in $(seq "$gateways"); do
    servers+="    server gateway$i 127.0.0.1:$(http "$i") port $(admin "$i") agent-port $(agent "$i")"$'\n'
  done
  mkdir -p "$proxy_dir"
  { sed -e "s,^\( *bind\) .*,\1 127.0.0.1:$port," -e '/X-Forwarded-Proto/d' -e '/^ *server /d' "$root/examples/haproxy.cfg" &&
    printf '%s' "$servers" &&
    printf '%s\n' '' 'listen page' "    bind 127.0.0.1:$stats_port" '    stats enable' '    stats uri /'; } | generate "$proxy_config"
  launch "$proxy_pid" /usr/sbin/haproxy -db -f "$proxy_config" >"$proxy_dir/haproxy.log" 2>&1
  if ! await_port "$proxy_pid" "$port"; then
    tail -n 20 "$proxy_dir/haproxy.log" >&2
    fail "HAProxy did not start. Its log: $proxy_dir/haproxy.log"
  fi
}

# members KIND: the numbers of those that there are, whatever NODES and GATEWAYS say.
members() { find "$var" -mindepth 1 -maxdepth 1 -name "$1[1-9]*" | sed "s,.*/$1,," | sort -n; }

# each COMMAND ARG...: COMMAND N ARG... for each N of the standard input, side by side; fails when one does.
each() {
  local n pid pids=() failed=0
  while read -r n; do
    "$1" "$n" "${@:2}" </dev/null &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return $failed
}

# The first has the accounts.
start_node() { if [ "$1" = 1 ]; then node 1 start; else node "$1" start bare; fi; }

# quietly N COMMAND ARG...: COMMAND N ARG..., which says nothing unless it fails.
quietly() {
  local said
  said=$("$2" "$1" "${@:3}" 2>&1) || fail "$said" "$2 $1 failed; make cluster-up tries it again, make cluster-down ends what runs."
}

up() {
  local i
  [ -x /usr/sbin/haproxy ] || fail "HAProxy is not installed." "Install it with: sudo scripts/packages.sh test"
  [ -f "$root/dist/src/main.js" ] || fail "The gateway is not built." "Build it with: make build"
  any_node_runs || rm -rf "$var"/ejabberd[1-9]*
  require_free_ports
  # One who asks first, so that not all start it at once.
  "$root/scripts/epmd.sh" up
  say "Starting $nodes ejabberd, $gateways gateways and HAProxy ..."
  # Side by side: those that were joined before wait for each other.
  seq "$nodes" | each quietly start_node
  # One after the other: each changes the tables of all.
  for i in $(seq 2 "$nodes"); do quietly "$i" node join ejabberd1@localhost; done
  seq "$gateways" | each quietly gateway start
  proxy_runs || start_proxy
  await_whole
  how_to_use
}
any_node_runs() {
  local i
  for i in $(members ejabberd); do ! node "$i" status >/dev/null 2>&1 || return 0; done
  return 1
}
await_whole() {
  await 60 whole || fail "Not each gateway is in service at HAProxy, with each node. Their logs: $var/gateway*/gateway.log" "What runs: make cluster-status"
}
whole() {
  local i
  for i in $(seq "$gateways"); do
    [ "$(curl -s "http://127.0.0.1:$(admin "$i")/healthz" | grep -o '"in_service":true' | wc -l)" -ge "$nodes" ] || return 1
  done
  # It takes two good answers before a gateway gets clients again.
  [ "$(curl -s "http://127.0.0.1:$stats_port/;csv" | grep -c '^megaphone,gateway[0-9]*,.*,UP,')" = "$gateways" ]
}

require_free_ports() {
  local i
  proxy_runs || { free_port "$port" && free_port "$stats_port"; }
  for i in $(seq "$gateways"); do
    gateway "$i" status >/dev/null 2>&1 || { free_port "$(http "$i")" && free_port "$(admin "$i")" && free_port "$(agent "$i")"; }
  done
  for i in $(seq "$nodes"); do
    node "$i" status >/dev/null 2>&1 || { free_port "$(ejabberd_http "$i")" && free_port "$(ejabberd_c2s "$i")"; }
  done
}
free_port() {
  ! port_open "$1" || fail "Port $1 is taken by another program." "Choose others: CLUSTER_PORT=$((port + 1000)) make cluster-up"
}

down() {
  end_process "$proxy_pid" "$proxy_config"
  members gateway | each gateway stop
  # Together, and with nobody left who would have to be moved.
  members ejabberd | each node stop
  "$root/scripts/epmd.sh" down
}

status() {
  local i all=0
  for i in $(seq "$nodes"); do node "$i" status || all=1; done
  for i in $(seq "$gateways"); do gateway "$i" status || all=1; done
  if proxy_runs; then say "haproxy:  running on port $port, process $(cat "$proxy_pid")"; else say "haproxy:  stopped" && all=1; fi
  [ $all = 1 ] || how_to_use
  return $all
}

how_to_use() {
  local here=${var#"$PWD"/}
  cat <<TEXT

  BOSH        http://localhost:$port/bosh
  WebSocket   ws://localhost:$port/ws
  Accounts    $(sed 's/\(.*\) \(.*\)/\1@localhost  password \2/; 2s/^/              /' "$var/ejabberd1/accounts")
              (and anonymous login on localhost)
  HAProxy     http://localhost:$stats_port says how the gateways are
  Dashboards $(for i in $(members gateway); do printf ' http://localhost:%s' "$(admin "$i")"; done)

  To break it:
$(printf '    %-52s  %s\n' \
    "kill \$(cat $here/gateway1/gateway.pid)" 'a gateway stops; with -9 it is killed' \
    'scripts/cluster.sh node 2 stop' 'an ejabberd node stops, its sessions go to the others' \
    "kill -9 \$(cat $here/ejabberd$nodes/ejabberd.pid)" 'one dies, and with it the sessions that it has')
  make cluster-up starts again what is gone, make cluster-down ends it all. Logs:
    $here/gateway*/gateway.log  $here/ejabberd*/logs/ejabberd.log

TEXT
}

case ${1:-} in
  up) up ;;
  free) require_free_ports ;;
  down) down ;;
  status) status ;;
  wait) await_whole ;;
  node | gateway) [ $# -ge 3 ] && "$1" "${@:2}" ;;
  *) fail "usage: $0 up|free|down|status|wait|node N COMMAND|gateway N COMMAND" ;;
esac
