#!/usr/bin/env bash
# Puts the dashboard's files into dist/, as they are but for comments and indentation: with its plots the page is to stay below 110 kB.
set -euo pipefail
cd "$(dirname "$0")/.."
to=dist/src/dashboard

# File by file, each whole at once: others may build or read there at the same time.
new=$(mktemp -d dist/dashboard.XXXXXX)
trap 'rm -rf "$new"' EXIT
for file in src/dashboard/*.{html,css,js,svg}; do
  [ ! -L "$file" ] || continue
  # Comments stand on lines of their own.
  sed -E -e '/^ *\/\*.*\*\/$/d' -e '/^ *\/\*([^*]|\*[^/])*\*?$/,/\*\/$/d' -e '/^ *\/\/ /d' -e '/^ *<!--.*-->$/d' -e 's,/\*\* @[^*]*\*/ ?,,g' -e 's/^ +//' -e '/^$/d' "$file" >"$new/${file##*/}"
done
# uPlot, from node_modules.
cp -L src/dashboard/uPlot.* "$new/"

mkdir -p $to
mv -f "$new"/* $to/
for file in "$to"/*; do
  [ -e "src/dashboard/${file##*/}" ] || rm -f "$file"
done
