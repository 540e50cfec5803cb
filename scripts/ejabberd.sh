#!/usr/bin/env bash
# A private ejabberd under var/, made of the system's package without touching any system file.
#
#   ejabberd.sh start        makes it if need be, starts it, waits for it, installs mod_megaphone and the accounts
#   ejabberd.sh start bare   the same without accounts, for one that is to join a cluster, which has them
#   ejabberd.sh stop
#   ejabberd.sh status       one line; fails when it does not run
#   ejabberd.sh join NODE    makes it one of that node's cluster, if it is not yet
#   ejabberd.sh ctl ARG...   its ejabberdctl
set -euo pipefail
# shellcheck source=scripts/settings.sh
. "$(dirname "$0")/settings.sh"

spool=$ejabberd_dir/spool
logs=$ejabberd_dir/logs
modules=$ejabberd_dir/modules
pidfile=$ejabberd_dir/ejabberd.pid
module_source=$root/erl/mod_megaphone

alive() { running "$pidfile" "\"$spool\""; }

# Debian's own script, with every path its own.
ejabberdctl=("$ejabberd_dir/ejabberdctl.debian" -c "$ejabberd_dir/ejabberdctl.cfg" -d "$ejabberd_dir" -l "$logs" -s "$spool" -n "$ejabberd_node")
export CONTRIB_MODULES_PATH=$modules CONTRIB_MODULES_CONF_DIR=$ejabberd_dir/conf

ctl() { "${ejabberdctl[@]}" "$@" 2> >(grep -v '^WARNING: It is not recommended to run ejabberd as root' >&2); }

# For whoever calls it by hand: it needs no environment.
make_ejabberdctl() {
  mkdir -p "$ejabberd_dir"
  # Without INSTALLUSER Debian's script runs as whoever calls it, instead of as the system's ejabberd;
  # with EXEC=exec it becomes the Erlang machine, so that its process is the one to watch.
  # shellcheck disable=SC2016
  sed -e 's/^INSTALLUSER=.*/INSTALLUSER=/' -e 's/^    exec_cmd "\$ERL"/    $EXEC "$ERL"/' \
    /usr/sbin/ejabberdctl >"$ejabberd_dir/ejabberdctl.debian"
  printf '#!/usr/bin/env bash\nexport MEGAPHONE_VAR=%q MEGAPHONE_INSTANCE=%q ERL_EPMD_PORT=%q\nexec %q ctl "$@"\n' \
    "$var" "$suffix" "$epmd_port" "$root/scripts/ejabberd.sh" >"$ejabberd_dir/ejabberdctl"
  chmod +x "$ejabberd_dir/ejabberdctl.debian" "$ejabberd_dir/ejabberdctl"
}

create() {
  # Those of an earlier version could be read by everybody.
  [ ! -d "$ejabberd_dir" ] || chmod go= "$ejabberd_dir"
  mkdir -p "$spool" "$logs" "$modules/sources" "$ejabberd_dir/conf"
  sed -e "s/@C2S_PORT@/$ejabberd_c2s_port/" -e "s/@HTTP_PORT@/$ejabberd_http_port/" \
    "$root/scripts/ejabberd.yml" | generate "$ejabberd_dir/ejabberd.yml"
  local over_tls=''
  if [ -n "$tls" ]; then
    "$root/scripts/tls.sh" localhost
    over_tls=" -proto_dist inet_tls -ssl_dist_optfile $tls_dir/localhost.conf"
  fi
  # Distribution on loopback only; schedulers that do not spin leave the processor to the gateway.
  generate "$ejabberd_dir/ejabberdctl.cfg" <<CFG
ERL_PROCESSES=$ejabberd_processes
ERL_OPTIONS="-env ERL_CRASH_DUMP_BYTES 0 -kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none$over_tls"
CFG
  say '{lookup,["file","native"]}.' '{host,{127,0,0,1},["localhost"]}.' >"$ejabberd_dir/inetrc"
}

start() {
  [ -r /usr/sbin/ejabberdctl ] || fail "ejabberd is not installed." "Install it with: sudo scripts/packages.sh run"
  make_ejabberdctl
  if alive >/dev/null; then
    say "ejabberd runs already ($ejabberd_node)."
  else
    require_free_name "$ejabberd_node"
    require_free_port "$ejabberd_http_port" EJABBERD_HTTP_PORT
    require_free_port "$ejabberd_c2s_port" EJABBERD_C2S_PORT
    create
    boot
  fi
  install_module
  [ "${1:-}" = bare ] || [ -f "$ejabberd_dir/accounts" ] || create_accounts
}

# join NODE: the tables of its cluster become this node's too, in the place of its own. Mnesia remembers it.
join() {
  ! in_cluster "$1" || return 0
  say "Joining $ejabberd_node to $1 ..."
  { ctl join_cluster "$1" >/dev/null && await 30 in_cluster "$1"; } ||
    fail "$ejabberd_node does not join the cluster of $1. Its log: $logs/ejabberd.log"
}
in_cluster() { ctl list_cluster 2>/dev/null | grep -qxF "$1"; }

boot() {
  say "Starting ejabberd ($ejabberd_node) ..."
  "$root/scripts/epmd.sh" up
  EXEC="exec" launch "$pidfile" "${ejabberdctl[@]}" foreground >"$logs/console.log" 2>&1
  if ! await_port "$pidfile" "$ejabberd_http_port"; then
    tail -n 20 "$logs/console.log" >&2
    fail "ejabberd did not start, or does not listen on port $ejabberd_http_port. Its log: $logs/ejabberd.log"
  fi
  await 60 ctl status >/dev/null || fail "ejabberd does not come up. Its log: $logs/ejabberd.log"
}

# What users do too: module_install, from a copy, for ejabberd compiles into the source's folder.
install_module() {
  local sum
  sum=$(cd "$module_source" && find src conf ./*.spec -type f -exec sha256sum {} + | sort | sha256sum)
  [ "$sum" != "$(cat "$modules/installed" 2>/dev/null)" ] || return 0
  say "Installing mod_megaphone ..."
  rm -rf "$modules/sources/mod_megaphone"
  cp -r "$module_source" "$modules/sources/"
  if [ -d "$modules/mod_megaphone" ]; then ctl module_upgrade mod_megaphone; else ctl module_install mod_megaphone; fi
  say "$sum" >"$modules/installed"
}

# alice and bob, with random passwords, in each other's rosters.
create_accounts() {
  say "Making the accounts alice and bob ..."
  local user password list=
  for user in alice bob; do
    password=$(head -c 12 /dev/urandom | base64 | tr '+/' 'xy')
    register "$user" "$password" &
    list+="$user $password"$'\n'
  done
  wait_for_both
  ctl add_rosteritem alice localhost bob localhost bob Friends both &
  ctl add_rosteritem bob localhost alice localhost alice Friends both &
  wait_for_both
  printf '%s' "$list" >"$ejabberd_dir/accounts"
}
register() { ctl register "$1" localhost "$2" >/dev/null || ctl change_password "$1" localhost "$2"; }
# Fails where one of them does.
wait_for_both() { wait -n && wait -n; }

case ${1:-} in
  start) start "${2:-}" ;;
  stop)
    end_process "$pidfile" "\"$spool\""
    "$root/scripts/epmd.sh" down
    ;;
  status)
    pid=$(alive) || fail "ejabberd$suffix: stopped"
    say "ejabberd$suffix: running as $ejabberd_node, process $pid"
    ;;
  join) join "$2" ;;
  ctl) ctl "${@:2}" ;;
  *) fail "usage: $0 start [bare]|stop|status|join NODE|ctl ARG..." ;;
esac
