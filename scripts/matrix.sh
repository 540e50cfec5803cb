#!/usr/bin/env bash
# The tests that meet a real Erlang or a real ejabberd, on this machine and on other releases of Debian (see debian.sh), each
# without and with TLS between the nodes:
#
#   matrix.sh [RELEASE...]    without one: here (this machine), trixie, sid
#
# Shows every test as it runs, keeps what it showed in dist/matrix, and ends with a table. Fails if any test did.
set -euo pipefail
cd "$(dirname "$0")/.."

logs=dist/matrix
format='%-8s  %-20s  %3s  %18s  %18s  %18s  %18s  %18s\n'
# shellcheck disable=SC2059
table=$(printf "$format" release ejabberd OTP 'module: passed' 'erl: passed' 'ejabberd: passed' 'erl, TLS' 'ejabberd, TLS')
failed=0

# on RELEASE COMMAND...
on() {
  if [ "$1" = here ]; then "${@:2}"; else scripts/debian.sh "$@"; fi
}

# check RELEASE NAME COMMAND...: adds a cell to the row.
check() {
  local log=$logs/$1-$2.log verdict=
  echo "=== $1: $2"
  on "$1" "${@:3}" 2>&1 | tee "$log" || verdict=', SOME FAILED'
  [ -z "$verdict" ] || failed=1
  # The closing lines of EUnit, of PropEr (one for each property) and of Node's test runner.
  row+=("$(awk '/All [0-9]+ tests passed/ {n += $2} / Passed: [0-9]+/ {n += $NF} /OK: Passed/ {n++} /^ℹ pass / {n += $3} END {print n + 0}' "$log")$verdict")
}

# compiled FOLDER: what its tests are compiled to, less those that need more than debian.sh installs: compilers, Chromium, Caddy, Prometheus.
compiled() {
  find "test/$1" -name '*.test.ts' | sed 's,\(.*\)\.ts$,dist/\1.js,' |
    grep -vE '/(other-speakers|documents|examples|demo|dashboard|browser|comet-browser|websocket-browser|rolling-restart-browser|nginx|proxies|foreign-page|monitoring)\.test\.js$' | sort
}

mkdir -p "$logs"
[ $# -gt 0 ] || set -- here trixie sid
for release; do
  # shellcheck disable=SC2016
  row=("$release" "$(on "$release" dpkg-query -W -f '${Version}' ejabberd)")
  row+=("$(on "$release" erl -noshell -eval 'io:put_chars(erlang:system_info(otp_release)), halt().')")
  check "$release" module make -C erl "OUT=../$logs/$release" test
  for tls in 0 1; do
    for folder in erlang ejabberd; do
      mapfile -t tests < <(compiled "$folder")
      check "$release" "$folder$([ $tls = 0 ] || echo -tls)" env "MEGAPHONE_TLS=$tls" node --import ./dist/test/support/watchdog.js \
        --test --test-reporter=spec --test-timeout=900000 --test-concurrency=2 "${tests[@]}"
    done
  done
  # shellcheck disable=SC2059
  table+=$'\n'$(printf "$format" "${row[@]}")
done
printf '\n%s\n' "$table"
exit $failed
