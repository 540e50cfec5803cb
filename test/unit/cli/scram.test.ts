/** SCRAM's arithmetic: the exchanges that its specifications print. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Hash, Scram } from '../../../src/cli/endpoint/scram.js';

const EXCHANGES: readonly (readonly [
  rfc: string,
  hash: Hash,
  nonce: string,
  challenge: string,
  answer: string,
  final: string,
])[] = [
  [
    'RFC 5802 §5',
    'sha1',
    'fyko+d2lbbFgONRv9qkxdawL',
    'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
    'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  ],
  [
    'RFC 7677 §3',
    'sha256',
    'rOprNGfwEbeRWgbNEkqO',
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  ],
];

for (const [rfc, hash, nonce, challenge, answer, final] of EXCHANGES) {
  test(`the exchange of ${rfc}`, async () => {
    const scram = new Scram(hash, 'user', 'pencil', nonce);
    assert.equal(scram.first, `n,,n=user,r=${nonce}`);
    assert.equal(await scram.answer(challenge), answer);
    assert.ok(scram.isProven(final));
    assert.ok(!scram.isProven(final.replace(/\w(?==*$)/, '')));
    assert.ok(!scram.isProven(''));
  });
}

test('a nonce that is not ours, too many rounds, or no challenge at all is not answered', async () => {
  const scram = new Scram('sha1', 'user', 'pencil', 'abc');
  for (const challenge of [
    'r=xabcdef,s=QSXC,i=4096',
    'r=abc,s=QSXC,i=4096',
    'r=abcdef,s=QSXC,i=99999999',
    'e=no',
  ])
    await assert.rejects(scram.answer(challenge), /none of SCRAM/);
});

test('commas and equals signs in a name are escaped', () => {
  assert.equal(new Scram('sha1', 'a=b,c', '', 'n').first, 'n,,n=a=3Db=2Cc,r=n');
});
