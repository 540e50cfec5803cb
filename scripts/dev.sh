#!/usr/bin/env bash
# The whole development instance: ejabberd and the gateway.
#
#   dev.sh run      in the foreground with the gateway's log; Ctrl-C ends both
#   dev.sh up       in the background; nothing happens to what runs already
#   dev.sh down
#   dev.sh status   fails unless both run
set -euo pipefail
# shellcheck source=scripts/settings.sh
. "$(dirname "$0")/settings.sh"

ejabberd() { "$root/scripts/ejabberd.sh" "$@"; }
gateway() { "$root/scripts/gateway.sh" "$@"; }
token_file=$gateway_dir/admin-token

up() {
  ejabberd start
  gateway status >/dev/null 2>&1 || require_free_port "$admin_port" MEGAPHONE_ADMIN_PORT
  mkdir -p "$gateway_dir"
  [ -s "$token_file" ] || head -c 18 /dev/urandom | base64 | tr '+/' 'xy' >"$token_file"
  DEMO_ACCOUNTS=$ejabberd_dir/accounts DEMO_SHELL=$(shell_command "$tls") GATEWAY_SETTINGS=$(development_settings) gateway start
  # The ports a running instance was started with, which this environment need not know.
  say "$http_port $ejabberd_http_port $admin_port" >"$gateway_dir/ports"
}

# No balancer is to hear first that it stops; and whoever is on this machine may listen to anything.
development_settings() {
  printf '%s\n' "admin_port: $admin_port" "admin_token_file: $token_file" 'drain_delay: 0' 'comet_anyone: true' ${GATEWAY_SETTINGS:+"$GATEWAY_SETTINGS"}
}

down() {
  gateway stop
  ejabberd stop
}

# shell_command TLS: what starts an Erlang shell that can talk to the gateway; TLS is empty where nodes speak without.
shell_command() {
  local epmd='' over_tls=''
  [ "$epmd_port" = 4369 ] || epmd="ERL_EPMD_PORT=$epmd_port "
  [ -z "$1" ] || over_tls=" -proto_dist inet_tls -ssl_dist_optfile $tls_dir/localhost.conf"
  say "${epmd}HOME=$var erl -sname shell@localhost -hidden$over_tls"
}

# how_to_use END: what there is, and what ends it.
how_to_use() {
  local megaphone_port ejabberd_port dashboard_port over_tls
  read -r megaphone_port ejabberd_port dashboard_port <"$gateway_dir/ports"
  # Of a running instance this environment need not know that either.
  over_tls=$(grep ^distribution_tls_cert "$gateway_dir/megaphone.yml" || true)
  cat <<TEXT

  Two people chat              http://localhost:$megaphone_port/demo/
  Events arrive                http://localhost:$megaphone_port/demo/comet
    send one, in Erlang        {any, $gateway_node} ! {123, <<"Hello World">>}.
  See it in the dashboard      http://localhost:$dashboard_port/
    its token, for what acts   $(cat "$token_file")

  BOSH through Megaphone       http://localhost:$megaphone_port/bosh
  WebSocket through Megaphone  ws://localhost:$megaphone_port/ws
  ejabberd's own, beside them  http://localhost:$ejabberd_port/bosh and ws://localhost:$ejabberd_port/ws
  Accounts                     $(sed 's/\(.*\) \(.*\)/\1@localhost  password \2/; 2s/^/                               /' "$ejabberd_dir/accounts")
                               (and anonymous login on localhost)

  ejabberd's command           ${ejabberd_dir#"$PWD/"}/ejabberdctl connected_users

  An Erlang shell beside them:
    $(shell_command "$over_tls")
    1> net_adm:ping($gateway_node).
    2> gen_server:call({megaphone, $gateway_node}, stats).
    3> {any, $gateway_node} ! {123, <<"Hello World">>}.

$1 ends both.
TEXT
}

run() {
  if gateway status >/dev/null 2>&1; then
    fail "It runs in the background already." "make status tells more, make down ends it."
  fi
  trap down EXIT
  trap 'exit 130' INT TERM HUP
  up
  how_to_use "Ctrl-C"
  tail -n +1 -f --pid="$(cat "$gateway_dir/gateway.pid")" "$gateway_dir/gateway.log" | "$root/node_modules/.bin/pino-pretty"
  fail "The gateway ended by itself."
}

case ${1:-} in
  run) run ;;
  up)
    up
    how_to_use "make down"
    ;;
  down) down ;;
  status)
    all=0
    ejabberd status || all=1
    gateway status || all=1
    [ $all = 1 ] || how_to_use "make down"
    exit $all
    ;;
  *) fail "usage: $0 run|up|down|status" ;;
esac
