/**
 * The layers, and the check that no import goes upwards, types included: part of `make lint`. That none goes in a circle is
 * Biome's to check (`noImportCycles` in biome.json).
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

/** From the bottom up. A file may import from its own layer and from those before it. */
export const LAYERS: readonly (readonly [layer: string, what: string])[] = [
  ['src/errors.ts', 'the one class of errors'],
  ['src/listen-hint.ts', 'what mends a port that cannot be opened'],
  ['src/paced.ts', 'many things done, but not all at once'],
  ['src/regular-file.ts', 'what operators name as a file, which may be none'],
  ['src/version.ts', 'which release this is'],
  ['src/dashboard', 'the page on the admin port, which runs in browsers'],
  ['src/etf', "Erlang's external term format"],
  ['src/distribution', 'the distribution protocol, bytes in and values out'],
  ['src/node', 'the hidden node: sockets, connections, names and pids'],
  ['src/websocket', 'WebSocket frames and upgrades, bytes in and values out'],
  ['src/observe', 'log, counters, statistics, metrics'],
  ['src/gateway', 'exchanges, WebSockets and their ConnIds, nodes in service'],
  ['src/comet', 'pages that listen to ids, and the routers that send to them'],
  ['src/outside', 'what comes in from outside of Erlang: publications, lines'],
  ['src/config', 'the settings'],
  ['src/http', 'the BOSH endpoint, and the pages for operators'],
  ['src/service', 'the composition root: a whole gateway'],
  ['src/workers', 'several of them, in processes'],
  ['src/cli', 'the commands'],
  ['src/main.ts', 'the program'],
  ['scripts/support', 'real Erlang nodes and ejabberds, for tests and benchmarks'],
  ['scripts/load', 'the load generator'],
  ['scripts/chaos', 'clients whose every message is accounted for, and what breaks the cluster under them'],
  ['scripts', 'benchmarks, and this'],
  ['test', 'tests'],
];

/** Each import of the TypeScript files under `root` that goes upwards, and each file that is in no layer. */
export function violations(root: string): string[] {
  const files = ['src', 'scripts', 'test'].flatMap((folder) => sources(root, folder));
  return files.flatMap((file) => {
    if (level(file) === LAYERS.length) return [`${file} is in no layer`];
    return imports(root, file)
      .filter((imported) => level(imported) > level(file))
      .map((imported) => `${file} imports ${imported}, which is above it`);
  });
}

/** The index of its layer: of several that are in question the one named first, which is the more exact one. */
function level(file: string): number {
  const index = LAYERS.findIndex(([layer]) => file === layer || file.startsWith(`${layer}/`));
  return index < 0 ? LAYERS.length : index;
}

function sources(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(root, path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

/** Biome sees to it that they are written like this. */
const RELATIVE = /(?:from|import|import\() ?'(\.[^']*)\.js'/g;

function imports(root: string, file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(RELATIVE)].map(([, path = '']) => `${normalize(join(dirname(file), path))}.ts`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const violation of violations('.')) {
    console.error(`${violation} (scripts/layers.ts)`);
    process.exitCode = 1;
  }
}
