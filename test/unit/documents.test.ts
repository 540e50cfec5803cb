/** What the documents name exists: files, headings, symbols, states, bytes, targets of make, error codes, metrics, options. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeControl } from '../../src/distribution/control.js';
import { FrameBatch } from '../../src/distribution/frame-batch.js';
import { SendControls } from '../../src/distribution/send-controls.js';
import { Pid } from '../../src/etf/terms.js';
import { RequestEncoder } from '../../src/gateway/requests.js';
import { moduleMetrics } from '../../src/observe/module-metrics.js';
import { prometheusText } from '../../src/observe/prometheus.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** The changelog tells of what was. */
const DOCUMENTS = [...['.', 'docs', 'examples'].flatMap((folder) => filesIn(folder, '.md', false))].filter(
  (file) => file !== 'CHANGELOG.md',
);

/** A path as the documents write it: from the root, of a folder of ours; `*` and `…` stand for anything. */
const PATH = /(?<![\w/.~-])(?:src|test|docs|scripts|erl|examples|\.ci)\/[\w./*{},…-]*/g;
const LINK = /\]\(([^)\s]+)\)/g;

for (const document of DOCUMENTS) {
  test(`${document}: every path that it names exists`, () => {
    const paths = [...read(document).matchAll(PATH)].map(([path]) => path.replace(/[.,]+$/, ''));
    const missing = paths.filter((path) => !/[*{…]/.test(path) && !existsSync(join(root, path)));
    assert.deepEqual(missing, []);
  });

  test(`${document}: every link leads somewhere`, () => {
    const links = [...read(document).matchAll(LINK)].map(([, target = '']) => target);
    const broken = links.filter((target) => !/^\w+:/.test(target) && !leadsSomewhere(document, target));
    assert.deepEqual(broken, []);
  });
}

test('every symbol that the documents place in a file is there', () => {
  const placed = DOCUMENTS.flatMap((document) =>
    [...read(document).matchAll(SYMBOL_IN_FILE)].map(
      ([text, symbol = '', file = '']) => [text, symbol, sourceFile(file)] as const,
    ),
  );
  const missing = placed.filter(
    ([, symbol, file]) => file === undefined || !new RegExp(`\\b${symbol}\\b`).test(read(file)),
  );
  assert.ok(placed.length > 2);
  assert.deepEqual(missing, []);
});
const SYMBOL_IN_FILE = /`(\w+)(?:\/\d+|\(\))?`\s+(?:in|of)\s+`([\w./-]+\.(?:ts|erl))`/g;

test("every function of the module's that the documents name is there", () => {
  const modules = filesIn('erl', '.erl').map((file) => [basename(file, '.erl'), read(file)] as const);
  const named = DOCUMENTS.flatMap((document) => [...read(document).matchAll(FUNCTION)]);
  const ours = named.filter(([, module]) => module === undefined || /^(?:mod_)?megaphone/.test(module));
  const missing = ours.filter(
    ([, module, name]) =>
      !modules.some(
        ([other, source]) =>
          (module === undefined || module === other) && new RegExp(`^${name}\\(`, 'm').test(source),
      ),
  );
  assert.ok(ours.length > 5);
  assert.deepEqual(
    missing.map(([text]) => text),
    [],
  );
});
const FUNCTION = /`(?:(\w+):)?(\w+)\/\d+`/g;

test('the states of the state machines are those of the files that the architecture names for them', () => {
  const rows = [...read('docs/architecture.md').matchAll(MACHINE)];
  const states = rows.flatMap(([, listed = '', name = '']) =>
    listed
      .split(/[,;] /)
      .flatMap((state) => (/^\w+$/.test(state) ? [[state, sourceFile(name) ?? name]] : [])),
  );
  const unknown = states.filter(
    ([state, file = '']) => !existsSync(join(root, file)) || !new RegExp(`\\b${state}\\b`).test(read(file)),
  );
  assert.ok(states.length > 20);
  assert.deepEqual(unknown, []);
});
/** machine, states, where, test */
const MACHINE = /^\|[^|]+\| ([^|]+) \| `([^`|]+)`[^|]* \| `test\/[^|]+\|$/gm;

test('the bytes of a request are those that are sent', () => {
  const [, block = ''] = /<!-- bytes: request -->\n```\n(.*?)```/s.exec(read('docs/protocol.md')) ?? [];
  const body = Buffer.from("<body rid='2' sid='xUmjZ5.abc'/>");
  const batch = new FrameBatch();
  const gateway = new Pid('web@localhost', 0, 0, 7);
  const head = new RequestEncoder(gateway.node, gateway.creation).requestHead(5, 2, body.length, false);
  batch.append(encodeControl({ op: 'REG_SEND', from: gateway, to: 'mod_megaphone' }), head, body);
  assert.equal(block.replaceAll(/%.*|\s/g, ''), Buffer.concat(batch.take()).toString('hex'));
});

test('the bytes of a frame are those that are sent', () => {
  const [, block = ''] = /<!-- bytes: frame -->\n```\n(.*?)```/s.exec(read('docs/protocol.md')) ?? [];
  const text = Buffer.from('<presence/>');
  const batch = new FrameBatch();
  const gateway = new Pid('web@localhost', 0, 0, 7);
  const session = new Pid('ejabberd@localhost', 300, 0, 9);
  const head = new RequestEncoder(gateway.node, gateway.creation).requestHead(20_001, 2, text.length, false);
  batch.append(new SendControls(gateway).toPid(session.node, session), head, text);
  assert.equal(block.replaceAll(/%.*|\s/g, ''), Buffer.concat(batch.take()).toString('hex'));
});

test('every target of make that the documents name exists', () => {
  const makefile = read('Makefile');
  const named = DOCUMENTS.flatMap((document) => [
    ...read(document).matchAll(/`(?:[A-Z]+=\S+ )*make ([a-z][a-z-]*)/g),
  ]);
  const targets = named.map(([, target = '']) => target);
  assert.ok(targets.length > 10);
  assert.deepEqual(
    targets.filter((target) => !new RegExp(`^${target}:`, 'm').test(makefile)),
    [],
  );
});

test('the index of error codes has those of the source, each once, and no other', () => {
  const source = filesIn('src', '.ts').map(read).join('\n');
  const raised = new Set([...source.matchAll(CODE)].map(([, code]) => code));
  const listed = [...read('docs/errors.md').matchAll(/^\|([^|]+)\|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, code]) => code),
  );
  assert.ok(raised.size > 50);
  assert.deepEqual([...listed].sort(), [...raised].sort());
});
const CODE = /'((?:COMET|CONFIG|EPMD|ETF|GATEWAY|HANDSHAKE|HTTP|LINK|LOG|NODE|OUTSIDE)_[A-Z_]+)'/g;

test('the lines of the log that the cluster page shows are those of the source, and its codes exist', () => {
  const page = read('docs/cluster.md');
  const files = [...filesIn('src', '.ts'), ...filesIn('erl', '.erl')].map(read).join('\n');
  // What is filled in is an ellipsis there.
  const source = files
    .replaceAll('$' + '{MODULE}', 'mod_megaphone')
    .replace(/\$\{[^}]*\}|~(?:ts|0?[bpw]|s)/g, '…');
  const lines = [...page.matchAll(/<!-- log -->\n```\n(.*?)```/gs)].flatMap(([, block = '']) =>
    block.trim().split('\n'),
  );
  const parts = lines.flatMap((line) => line.split(/…| {2,}|: /)).map((part) => part.trim());
  const codes = [...page.matchAll(/\b((?:EPMD|GATEWAY|HANDSHAKE|LINK|NODE)_[A-Z_]+)\b/g)].map(
    ([, code]) => code,
  );
  assert.ok(lines.length > 12 && codes.length > 10);
  assert.deepEqual(
    [...parts, ...codes].filter((part = '') => !source.includes(part)),
    [],
  );
});

test('every metric that the documents name is on the page of metrics, which is held to what there is', () => {
  const erlang = [...filesIn('erl', '.erl'), ...filesIn('test/erl', '.erl')];
  // Of the same shape: the name of a cookie.
  const cookie = read('src/http/comet/tokens.ts');
  const source = [...erlang.map(read), cookie, ...(read('docs/metrics.md').match(/^\| `\w+`/gm) ?? [])].join(
    '\n',
  );
  for (const document of DOCUMENTS) {
    for (const [, prefix = '', name = ''] of read(document).matchAll(
      /\bmegaphone_(ejabberd_)?(?!\w+_tests\b)([a-z_]+)\b(?![.(])/g,
    )) {
      const full = `megaphone_${prefix}${name}`;
      assert.match(
        source,
        new RegExp(`\\b${full}${full.endsWith('_') ? '' : '\\b'}`),
        `${document}: ${full}`,
      );
    }
  }
});

test('why a session stays where it is, when it is to move, is documented: each reason, and no other', () => {
  const source = /^-type reason\(\) ::([^.]*)\./m.exec(read('erl/mod_megaphone/src/megaphone_move.erl'))?.[1];
  const reasons = (source ?? '').split('|').map((name) => name.trim());
  const table = /\| stays \|.*?\n\n/s.exec(read('docs/cluster.md'))?.[0] ?? '';
  const rows = [...table.matchAll(/^\|([^|]*)\|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name),
  );
  const module = /`stays` says why: (.*?)\./s.exec(read('docs/mod_megaphone.md'))?.[1] ?? '';
  const named = [...module.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  assert.ok(reasons.length > 10);
  assert.deepEqual(rows.sort(), reasons.sort());
  assert.deepEqual(named.sort(), reasons);
});

test("the gauges of the module's are gauges in the gateway's metrics, too", () => {
  const all = /^all\(\) ->.*?^-spec/ms.exec(read('erl/mod_megaphone/src/megaphone_stats.erl'))?.[0] ?? '';
  const gauges = [...all.matchAll(/^ {8}(\w+) =>/gm)].flatMap(([, name = '']) =>
    name === 'terminated' || name === 'login_ms' ? [] : [name],
  );
  const counts = Object.fromEntries(gauges.map((name) => [name, 1]));
  const text = prometheusText(moduleMetrics({ 'a@h': counts }));
  assert.ok(gauges.length > 7);
  for (const name of gauges) assert.match(text, new RegExp(`^# TYPE megaphone_ejabberd_${name} gauge$`, 'm'));
});

test("the module's options are documented, each with its row, and no other", () => {
  const source = read('erl/mod_megaphone/src/mod_megaphone.erl');
  const options = /^mod_options\(_Host\) ->\n(.*?)\]\./ms.exec(source)?.[1] ?? '';
  const names = [...options.matchAll(/\{(\w+), /g)].map(([, name]) => name);
  const rows = [...read('docs/mod_megaphone.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  assert.ok(names.length > 5);
  assert.deepEqual(rows.filter((name) => !name?.startsWith('megaphone_')).sort(), names.sort());
});

/** A file of ours by its path, or one of the module's by its name. */
function sourceFile(name: string): string | undefined {
  const module = join('erl/mod_megaphone/src', `${basename(name, '.erl')}.erl`);
  return [name, module].find((file) => existsSync(join(root, file)));
}

function leadsSomewhere(document: string, target: string): boolean {
  const [path = '', heading] = target.split('#');
  const file = path === '' ? document : join(dirname(document), path);
  if (!existsSync(join(root, file))) return false;
  return heading === undefined || anchors(read(file)).has(heading);
}

/** As GitHub makes them of headings. */
function anchors(markdown: string): ReadonlySet<string> {
  const headings = markdown.matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, text = '']) =>
      text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function filesIn(folder: string, ending: string, deep = true): string[] {
  return readdirSync(join(root, folder), { recursive: deep })
    .map((name) => join(folder, String(name)))
    .filter((name) => name.endsWith(ending));
}
