/** The check of imports finds what is planted, and nothing here. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import { violations } from '../../scripts/layers.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'layers-'));
  for (const folder of ['src', 'scripts', 'test']) await mkdir(join(root, folder));
});
afterEach(() => rm(root, { recursive: true }));

async function plant(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, file)), { recursive: true });
  await writeFile(join(root, file), text);
}

test('nothing here imports upwards', () => {
  assert.deepEqual(violations('.'), []);
});

test('an import upwards is found, of values and of types alike, and into the next layer', async () => {
  await plant('src/etf/a.ts', "import type { B } from '../http/deep/b.js';\nexport const a: B = 1;\n");
  await plant(
    'src/node/c.ts',
    "import {\n  d,\n  e,\n} from '../observe/d.js';\nawait import('../main.js');\n",
  );
  await plant('src/http/b.ts', "import '../../scripts/load/load.js';\nexport { c } from '../node/c.js';\n");
  assert.deepEqual(violations(root), [
    'src/etf/a.ts imports src/http/deep/b.ts, which is above it',
    'src/http/b.ts imports scripts/load/load.ts, which is above it',
    'src/node/c.ts imports src/observe/d.ts, which is above it',
    'src/node/c.ts imports src/main.ts, which is above it',
  ]);
});

test('a file in no layer is found, and an import of it', async () => {
  await plant('src/etf/a.ts', "import '../elsewhere/b.js';\n");
  await plant('src/elsewhere/b.ts', '');
  assert.deepEqual(violations(root), [
    'src/elsewhere/b.ts is in no layer',
    'src/etf/a.ts imports src/elsewhere/b.ts, which is above it',
  ]);
});

test('a circle of imports is found, also of types alone', async () => {
  await copyFile('biome.json', join(root, 'biome.json'));
  const biome = resolve('node_modules/.bin/biome');
  const lint = () => promisify(execFile)(biome, ['lint', '--only=suspicious/noImportCycles'], { cwd: root });
  await plant('src/a.ts', "import type { B } from './b.js';\n\nexport type A = B | 1;\n");
  await plant('src/b.ts', 'export type B = 2;\n');
  await lint();
  await plant('src/b.ts', "import type { A } from './a.js';\n\nexport type B = A | 2;\n");
  await assert.rejects(lint(), /noImportCycles/);
});
