#!/usr/bin/env bash
# fresh.sh [RELEASE...]: the Debian packages in fresh systems: installed, used, broken, upgraded, removed and purged there by
# test/packages/fresh/inside.ts, after lintian has looked at them. Without a release: bookworm, trixie. As root; needs what dist/ holds after `make deb`.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- bookworm trixie
folder=dist/fresh

# newer FILE: the same package as a later version, whose modules have one function more.
newer() {
  local tree=$folder/tree module
  rm -rf "$tree"
  dpkg-deb -R "$1" "$tree"
  sed -i 's/^Version: .*/Version: 0.1.0-2/' "$tree/DEBIAN/control"
  for module in mod_megaphone megaphone_hub megaphone_pace; do
    [ ! -d "$tree/usr/lib/erlang" ] || cp "$folder/erl/ebin/$module.beam" "$tree/usr/lib/erlang/lib/mod_megaphone/ebin/"
  done
  dpkg-deb --root-owner-group -Zgzip -z1 -b "$tree" "$folder/newer" >/dev/null
  rm -rf "$tree"
}

lintian --no-cfg --profile debian --allow-root --fail-on error,warning dist/*_0.1.0-1_*.deb

rm -rf $folder
mkdir -p $folder/newer $folder/source
cp dist/megaphone_0.1.0-1_*.deb dist/ejabberd-mod-megaphone_0.1.0-1_all.deb $folder/
cp -r erl $folder/source/
for module in mod_megaphone megaphone_hub megaphone_pace; do
  file=$folder/source/erl/mod_megaphone/src/$module.erl
  sed -i '/^-module(/a -export([newer/0]).' "$file"
  printf '\n-spec newer() -> true.\nnewer() -> true.\n' >>"$file"
done
make --no-print-directory -j "$(nproc)" -C $folder/source/erl OUT="$PWD/$folder/erl" >/dev/null
for file in "$folder"/*.deb; do newer "$file"; done

for release; do
  # shellcheck disable=SC2016 # the machine's own variables
  scripts/machine.sh "$release" sh -c 'cp -r "$PROJECT/dist/fresh" /root/fresh && cd /root/fresh && exec /opt/node --test --test-reporter=spec "$PROJECT/dist/test/packages/fresh/inside.js"' 2>&1 | tee "$folder/$release.log"
done
