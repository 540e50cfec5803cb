/** The sessions that README.md prints, played as printed; and the player itself against a document made to deceive it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { root } from '../../scripts/support/root.js';
import { playInSandbox } from './support/sandbox.js';
import { readSessions } from './support/session-document.js';

const readme = join(root, 'README.md');
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

describe('README.md', { timeout: 300_000 }, () => {
  it('prints a session without and one with ejabberd', () =>
    assert.deepEqual([...readSessions(readFileSync(readme, 'utf8')).keys()].sort(), [
      'no-ejabberd',
      'with-ejabberd',
    ]));

  it('is right without ejabberd', async () => assert.equal(await playInSandbox(readme, 'no-ejabberd'), ''));

  it('is right after make up', async () =>
    assert.equal(await playInSandbox(readme, 'with-ejabberd', 'make up'), ''));
});
