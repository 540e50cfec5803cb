/** `megaphone check URL`: to whom it gives a password in the clear, and what of a stranger's words reaches a terminal. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPrivate } from '../../../src/cli/check-url.js';
import { bad, failed, failureLines, linesOf } from '../../../src/cli/finding.js';
import { MegaphoneError } from '../../../src/errors.js';

const ENDPOINTS: readonly (readonly [asked: string, endpoint: string, isPrivate: boolean])[] = [
  ['https://a.example/', 'https://a.example/bosh', true],
  ['https://a.example/', 'wss://b.example/ws', true],
  ['https://a.example/', 'http://a.example/bosh', false],
  ['wss://a.example/ws', 'wss://a.example/ws', true],
  ['http://localhost:8081/', 'http://localhost:8081/bosh', true],
  ['http://127.0.0.1/', 'ws://[::1]/ws', true],
  // Whoever answers in the site's place names what is his.
  ['http://a.example/', 'https://evil.example/bosh', false],
  ['http://a.example/', 'wss://evil.example/ws', false],
  ['http://a.example/', 'http://127.0.0.1:1/bosh', false],
  // A certificate for the host that was typed.
  ['http://a.example/', 'https://a.example/bosh', true],
  ['http://a.example/', 'http://a.example/bosh', false],
];

for (const [asked, endpoint, expected] of ENDPOINTS) {
  test(`${asked} names ${endpoint}: ${expected ? 'private' : 'anybody may read along'}`, () => {
    assert.equal(isPrivate(new URL(endpoint), new URL(asked)), expected);
  });
}

test('what a server says is printed without its control characters', () => {
  assert.deepEqual(linesOf(bad('\x1b[2J\x9b31m\r\x07grüß 🎉', '\x1b]0;title\x07')), [
    '✘ \ufffd[2J\ufffd31m\ufffd\ufffdgrüß 🎉',
    '  → \ufffd]0;title\ufffd',
  ]);
});

test('what a server says neither begins a line nor turns one around', () => {
  const said = 'a\n✔ b\u2028c\u2029d\u202ee\u2066f\u2069g\u200eh\u200fi';
  const clean = 'a\ufffd✔ b\ufffdc\ufffdd\ufffde\ufffdf\ufffdg\ufffdh\ufffdi';
  assert.deepEqual(linesOf(bad(said, said)), [`✘ ${clean}`, `  → ${clean}`]);
  const error = new MegaphoneError('NODE_CALL_FAILED', said, { hint: said });
  assert.deepEqual(linesOf(failed(error)), [`✘ ${clean} [NODE_CALL_FAILED]`, `  → ${clean}`]);
  assert.deepEqual(failureLines(error), [`megaphone: ${clean} [NODE_CALL_FAILED]`, `  → ${clean}`]);
});

test("what is wrong with the operator's own configuration has a line each", () => {
  assert.deepEqual(linesOf(failed(new MegaphoneError('CONFIG_BAD_VALUE', 'a\nb'))), [
    '✘ a [CONFIG_BAD_VALUE]',
    '✘ b [CONFIG_BAD_VALUE]',
  ]);
});
