# shellcheck shell=bash
# Sourced by the other scripts: every name, port and path of a development instance, in one place.
#
# Environment (all optional):
#   MEGAPHONE_VAR        where the instance lives                            ./var
#   MEGAPHONE_INSTANCE   suffix of the node names, to run several at once    (none)
#   MEGAPHONE_HTTP_PORT  the gateway                                         8080
#   MEGAPHONE_ADMIN_PORT the dashboard                                       9080
#   EJABBERD_HTTP_PORT   ejabberd's own HTTP, with its own /bosh             5280
#   EJABBERD_C2S_PORT    ejabberd's XMPP port                                5222
#   EJABBERD_PROCESSES   Erlang processes that ejabberd may have             250000
#   GATEWAY_SETTINGS     further lines of the gateway's configuration        (none)
#   MEGAPHONE_TLS        1: TLS between the nodes (see scripts/tls.sh)        (none)
#   STOP_SECONDS         what ends may take so long, then it is killed       20
#   ERL_EPMD_PORT        the port mapper                                     4369

# What the instance keeps (passwords, messages, the cookie) is its owner's alone.
umask 077

# shellcheck disable=SC2034 # those who source this file use them
{
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
  suffix=${MEGAPHONE_INSTANCE:-}
  http_port=${MEGAPHONE_HTTP_PORT:-8080}
  admin_port=${MEGAPHONE_ADMIN_PORT:-9080}
  ejabberd_http_port=${EJABBERD_HTTP_PORT:-5280}
  ejabberd_c2s_port=${EJABBERD_C2S_PORT:-5222}
  ejabberd_processes=${EJABBERD_PROCESSES:-250000}
  epmd_port=${ERL_EPMD_PORT:-4369}
  stop_seconds=${STOP_SECONDS:-20}

  mkdir -p "${MEGAPHONE_VAR:=$root/var}"
  var=$(cd "$MEGAPHONE_VAR" && pwd -P)
  cookie_file=$var/.erlang.cookie
  tls=${MEGAPHONE_TLS:-}
  # 0 is as good as nothing.
  tls=${tls#0}
  tls_dir=$var/tls
  ejabberd_dir=$var/ejabberd$suffix
  gateway_dir=$var/gateway$suffix
  ejabberd_node=ejabberd$suffix@localhost
  gateway_node=megaphone$suffix@localhost
  # Erlang takes the cookie from HOME: with this one no script can reach the user's own.
  export HOME=$var ERL_EPMD_PORT=$epmd_port ERL_EPMD_ADDRESS=127.0.0.1
}

say() { printf '%s\n' "$*"; }

# fail MESSAGE...: one line per argument, then the end.
fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

case $suffix in
  *[!a-z0-9_]*) fail "MEGAPHONE_INSTANCE=$suffix: small letters, digits and _ only, for it becomes part of node names." ;;
esac

case $var in
  *[[:space:]]*) fail "MEGAPHONE_VAR=$var: ejabberdctl cannot work in a folder with a space in its name. Choose another one." ;;
esac

[ -s "$cookie_file" ] || (umask 377 && head -c 24 /dev/urandom | base64 | tr '+/' 'xy' >"$cookie_file")

# generate FILE: makes it of what comes in, unless somebody has edited it since it was made last.
generate() {
  local new
  new=$(cat)
  if [ -e "$1" ] && ! cmp -s "$1" "$1.made" && [ "$new" != "$(cat "$1")" ]; then
    say "Keeping your edits of $1. To have it made anew, remove it."
  else
    say "$new" | tee "$1" >"$1.made"
  fi
}

# port_open PORT: does anything listen there on this machine?
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# require_free_port PORT VARIABLE
require_free_port() {
  ! port_open "$1" || fail "Port $1 is taken by another program." "Choose another: $2=$(($1 + 1)) make up"
}

# require_free_name NODE: EPMD lets go of a name a moment after its node has gone.
require_free_name() {
  await 2 name_is_free "${1%@*}" ||
    fail "Another Erlang node called $1 runs on this machine." "Give this instance a name of its own: MEGAPHONE_INSTANCE=2 make up"
}
name_is_free() { ! grep -qxF "$1" < <(epmd_names); }

# running PIDFILE WORD: prints the pid if that process lives and has WORD among its arguments.
# A pid file may outlive a kill -9 or a reboot, and its number may by then belong to a stranger.
running() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ -r "/proc/$pid/cmdline" ] &&
    grep -qxF -- "$2" < <(tr '\0' '\n' <"/proc/$pid/cmdline") && say "$pid"
}

# The names registered at EPMD, one a line; fails when none answers.
epmd_names() { epmd -names 2>/dev/null | sed -n 's/^name \(.*\) at port .*/\1/p'; }

# await SECONDS COMMAND...: until the command succeeds; fails when the time is over.
await() {
  local tries=$(($1 * 10))
  shift
  until "$@"; do
    [ $((tries -= 1)) -gt 0 ] || return 1
    sleep 0.1
  done
}

# launch PIDFILE COMMAND...: in the background and in a session of its own, which Ctrl-C in this terminal does not reach.
launch() {
  local pidfile=$1
  shift
  setsid "$@" </dev/null &
  say $! >"$pidfile"
}

# await_port PIDFILE PORT: until what was launched listens; fails when it ends instead, or after a minute.
await_port() {
  local pid tries=600
  pid=$(cat "$1")
  until port_open "$2"; do
    kill -0 "$pid" 2>/dev/null && [ $((tries -= 1)) -gt 0 ] || return 1
    sleep 0.1
  done
}

# end_process PIDFILE WORD: SIGTERM, and SIGKILL if it takes longer than it may.
end_process() {
  local pid
  if pid=$(running "$1" "$2"); then
    kill "$pid"
    await "$stop_seconds" process_gone "$pid" || kill -KILL "$pid"
  fi
  rm -f "$1"
}
# A zombie is: nobody may ever ask for what became of it.
process_gone() { [ ! -e "/proc/$1" ] || grep -qs '^State:.Z' "/proc/$1/status"; }
