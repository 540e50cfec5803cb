/**
 * The sessions that README.md and docs/ print, each played as printed on a machine of its own; and the player itself
 * against a document made to deceive it.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { root } from '../../scripts/support/root.js';
import { playInSandbox } from './support/sandbox.js';
import { readSessions } from './support/session-document.js';

const fixture = join(root, 'test/ejabberd/fixtures/sessions.md');

describe('the player of sessions', { timeout: 300_000 }, () => {
  for (const session of ['shell', 'erl', 'short-erl', 'two-terminals']) {
    it(`plays ${session}`, async () => assert.equal(await playInSandbox(fixture, session), ''));
  }
  for (const session of [
    'wrong-output',
    'too-much-output',
    'too-little-output',
    'silent-in-print',
    'wrong-prompt',
    'wrong-value',
  ]) {
    it(`finds ${session}`, async () =>
      assert.match(await playInSandbox(fixture, session), /^line \d+: .*\n--- expected/));
  }
});

/** What the documents promise to print; a session that lost its mark would not be played. */
const SESSIONS: Readonly<Record<string, readonly string[]>> = {
  'README.md': ['first', 'run'],
  'docs/cluster.md': ['cluster'],
  'docs/comet.md': ['comet', 'pages'],
  'examples/README.md': ['chat', 'monitoring'],
  'docs/erlang-shell.md': ['by-hand', 'held', 'status', 'websocket'],
  'docs/dashboard.md': ['top'],
  'docs/operating.md': ['check', 'drain', 'workers'],
  'docs/proxies.md': ['proxies'],
  'docs/tls.md': ['tls'],
  'docs/protocol.md': ['gateway', 'module', 'websocket'],
};

/** What takes a whole machine of its own is played there: by `make fresh`. */
const ELSEWHERE: readonly string[] = ['docs/installing.md'];

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...markdownIn('docs').filter((file) => !ELSEWHERE.includes(file)),
  ...markdownIn('examples'),
];

for (const document of documents) {
  const file = join(root, document);
  const sessions = [...readSessions(readFileSync(file, 'utf8')).keys()].sort();
  // Each is alone on its machine, and waits for the most part.
  describe(document, { timeout: 600_000, concurrency: 2 }, () => {
    it('prints the sessions that are known of it', () =>
      assert.deepEqual(sessions, SESSIONS[document] ?? []));

    for (const session of sessions) {
      it(`is right about ${session}`, async () => assert.equal(await playInSandbox(file, session), ''));
    }
  });
}

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`);
}
