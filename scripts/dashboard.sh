#!/usr/bin/env bash
# Puts the dashboard's files into dist/, as they are but for comments and indentation: with its plots the page is to stay below 100 kB.
set -euo pipefail
cd "$(dirname "$0")/.."
to=dist/src/dashboard

rm -rf $to
mkdir -p $to
for file in src/dashboard/*.{html,css,js,svg}; do
  [ ! -L "$file" ] || continue
  # Comments stand on lines of their own.
  sed -E -e '/^ *\/\*.*\*\/$/d' -e '/^ *\/\*([^*]|\*[^/])*\*?$/,/\*\/$/d' -e '/^ *\/\/ /d' -e '/^ *<!--.*-->$/d' -e 's,/\*\* @[^*]*\*/ ?,,g' -e 's/^ +//' -e '/^$/d' "$file" >"$to/${file##*/}"
done
# uPlot, from node_modules.
cp -L src/dashboard/uPlot.* $to/
