#!/usr/bin/env bash
# package.sh [VERSION]: makes dist/megaphone_*.deb and dist/ejabberd-mod-megaphone_*.deb, of what the npm package holds.
#
# The gateway's package brings Node.js (packaging/node.sums), and Node modules built for it. The module's is compiled with this
# machine's Erlang: it runs on this release of Debian and on newer ones.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
version=${1:-$(node -p 'require("./package.json").version')-1}
stage=$root/dist/deb/megaphone

# Makes $1 the folder of Node.js, with its headers, in the user's cache; prints its name.
node_folder() {
  local arch version sum folder
  read -r arch version sum < <(grep "^$(node -p process.arch) " packaging/node.sums)
  folder=${XDG_CACHE_HOME:-$HOME/.cache}/megaphone/node-$version-$arch
  if [ ! -d "$folder" ]; then
    rm -rf "$folder.new"
    mkdir -p "$folder.new"
    (cd "$folder.new" && npm pack --silent "node-linux-$arch@$version" >/dev/null)
    [ "$(openssl dgst -sha512 -binary "$folder.new"/*.tgz | base64 -w 0)" = "$sum" ] ||
      { echo "node-linux-$arch@$version is not what packaging/node.sums names." >&2 && return 1; }
    tar -xf "$folder.new"/*.tgz -C "$folder.new" --strip-components 1 --no-same-owner
    rm "$folder.new"/*.tgz
    mv "$folder.new" "$folder"
  fi
  printf '%s\n' "$folder"
}

rm -rf dist/deb dist/{megaphone,ejabberd-mod-megaphone}_*.deb
mkdir -p "$stage"/{bin,app,doc,ebin}
node=$(node_folder)

# The gateway.
npm pack --ignore-scripts --silent --pack-destination dist/deb >/dev/null
tar -xf dist/deb/*.tgz -C dist/deb
mv dist/deb/package/{dist,package.json} "$stage/app/"
mv dist/deb/package/{README.md,CHANGELOG.md,SECURITY.md,docs,examples} "$stage/doc/"
cp package-lock.json "$stage/app/"
cp "$node/bin/node" "$stage/bin/"
mkdir "$stage/doc/node"
cp "$node/LICENSE" "$stage/doc/node/"
(cd "$stage/app" && PATH=$node/bin:$PATH npm_config_nodedir=$node npm ci --omit=dev --loglevel error --no-progress --prefer-offline >/dev/null)
[ -f "$stage/app/node_modules/erlpack/build/Release/erlpack.node" ] ||
  { echo 'erlpack was not built: is there a C++ compiler, make and python3?' >&2 && exit 1; }

# What only they need who build or change them.
cd "$stage/app/node_modules"
mv erlpack/build/Release/erlpack.node erlpack.node
rm -rf .bin .package-lock.json nan yaml/bin.mjs erlpack/{build,cpp,vendor,binding.gyp}
mkdir -p erlpack/build/Release
mv erlpack.node erlpack/build/Release/
find . -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.html' -o -name '*.sh' -o -name bin.js -o -name '.*' \) -delete
find . -type d \( -name test -o -name tests -o -name docs -o -name benchmarks -o -name '.?*' \) -prune -exec rm -rf {} +
find . -type d -empty -delete
find "$stage/app" -type f -exec chmod a-x {} +
# Its Node.js is not the one that this line names.
sed -i '1{/^#!/d}' "$stage/app/dist/src/main.js"
cd "$root"
rm "$stage/app/package-lock.json"
chmod -R u=rwX,go=rX "$stage"

sed -E -f packaging/megaphone.yml.sed megaphone.example.yml >"$stage/megaphone.yml"

# The module.
make --no-print-directory -j "$(nproc)" -C erl OUT=../dist/deb/erl >/dev/null
cp dist/deb/erl/ebin/*.beam "$stage/ebin/"
otp=$(erl -noshell -eval 'io:put_chars(erlang:system_info(otp_release)), halt().')
abi=$(dpkg-query -W -f '${Provides}' erlang-base | grep -o 'erlang-abi (= [^)]*)')
echo "erlang-base (>= 1:$otp), $abi" >"$stage/erlang-depends"

cp -r packaging/debian packaging/megaphone packaging/megaphone.1 "$stage/"
cat >"$stage/debian/changelog" <<CHANGES
megaphone ($version) unstable; urgency=medium

  * Changes are listed in /usr/share/doc/megaphone/CHANGELOG.md.

 -- The Megaphone developers <maintainers@megaphone.invalid>  $(git log -1 --format=%cD 2>/dev/null || date -R)
CHANGES
(cd "$stage" && dpkg-buildpackage --build=binary --no-sign >../build.log 2>&1) || { cat dist/deb/build.log >&2 && exit 1; }
mv dist/deb/*.deb dist/
ls dist/*"_${version}_"*.deb
