#!/usr/bin/env bash
# The unit tests and one whole conversation, gateway and ejabberd, on each version of Node.js:
#
#   nodes.sh [MAJOR...]    without one: 20 to 26
#
# Each comes from npm, with packages built for it (erlpack is native), into a folder under ~/.cache/megaphone, made at the
# first call; remove it to get a newer one. Ends with a table. Fails if any test did.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" = 0 ] || { echo "To put other packages in the place of node_modules you must be root." >&2 && exit 1; }
[ $# -gt 0 ] || set -- 20 21 22 23 24 25 26
logs=$PWD/dist/nodes
format='%-10s  %18s  %18s\n'
# shellcheck disable=SC2059
table=$(printf "$format" Node.js 'unit: passed' 'ejabberd: passed')
failed=0

# create FOLDER MAJOR: node and its headers, and the packages that it needs to run the tests.
create() {
  local new=$1.new
  echo "Making Node.js $2 in $1 ..."
  rm -rf "$new"
  mkdir -p "$new"
  npm install --silent --no-save --prefix "$new" "node-linux-$(node -p process.arch)@$2"
  mv "$new/node_modules/node-linux-"* "$new/node"
  cp package.json package-lock.json "$new"
  PATH=$new/node/bin:$PATH npm_config_nodedir=$new/node npm ci --silent --prefix "$new"
  rm -rf "$1"
  mv "$new" "$1"
}

# on FOLDER COMMAND...: with that node, and its packages in the place of ours, for this command alone.
on() {
  # shellcheck disable=SC2016
  PATH=$1/node/bin:$PATH unshare --mount sh -c 'mount --bind "$0/node_modules" node_modules && exec "$@"' "$@"
}

# check NAME TEST...: adds a cell to the row.
check() {
  local log=$logs/$major-$1.log verdict=
  echo "=== Node.js $major: $1"
  on "$folder" env NODE_ENV=test node --test --test-reporter=spec --test-concurrency=2 "${@:2}" 2>&1 | tee "$log" || verdict=', SOME FAILED'
  [ -z "$verdict" ] || failed=1
  row+=("$(awk '/^ℹ pass / {n += $3} END {print n + 0}' "$log")$verdict")
}

mkdir -p "$logs"
mapfile -t unit < <(find dist/test/unit -name '*.test.js' | sort)
for major; do
  folder=${XDG_CACHE_HOME:-$HOME/.cache}/megaphone/node-$major
  cmp -s package-lock.json "$folder/package-lock.json" || create "$folder" "$major" >&2
  row=("$(on "$folder" node --version)")
  check unit "${unit[@]}"
  check ejabberd dist/test/ejabberd/lifecycle.test.js dist/test/ejabberd/tls-link.test.js
  # shellcheck disable=SC2059
  table+=$'\n'$(printf "$format" "${row[@]}")
done
printf '\n%s\n' "$table"
exit $failed
