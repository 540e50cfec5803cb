/** What is a node name, short or long, and what is not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseNodeName } from '../../../src/distribution/names.js';

describe('node names', () => {
  const good = [
    ['ejabberd@localhost', 'ejabberd', 'localhost', false],
    ['gw-1_b@im.example.org', 'gw-1_b', 'im.example.org', true],
    ['a@10.0.0.1', 'a', '10.0.0.1', true],
    ['a@::1', 'a', '::1', false],
  ] as const;
  for (const [full, alive, host, long] of good) {
    test(full, () => assert.deepEqual(parseNodeName(full), { full, alive, host, long }));
  }

  for (const bad of [
    '',
    'ejabberd',
    '@host',
    'a@',
    'a@b@c',
    'a b@host',
    'a@ho st',
    `${'x'.repeat(250)}@host12`,
  ]) {
    test(`not ${JSON.stringify(bad.slice(0, 20))}`, () => {
      assert.throws(() => parseNodeName(bad), { code: 'NODE_BAD_NAME' });
    });
  }
});
