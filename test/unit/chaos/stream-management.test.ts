/** A client's half of stream management, beside a server that loses connections at any moment. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StreamManagement } from '../../../scripts/chaos/stream-management.js';

const ENABLED = "<enabled xmlns='urn:xmpp:sm:3' id='abc' resume='true'/>";

function enabled(): StreamManagement {
  const management = new StreamManagement();
  management.enabled(ENABLED);
  return management;
}

/** What the client does, and how much of it the server has when it says so. */
const moves = fc.array(fc.oneof(fc.constant('send' as const), fc.double({ min: 0, max: 1, noNaN: true })));

test('the server has each stanza once, in order, and the rest is what is sent again', () => {
  fc.assert(
    fc.property(moves, (all) => {
      const management = enabled();
      const sent: string[] = [];
      const accepted: string[] = [];
      for (const move of all) {
        if (move === 'send') {
          sent.push(`<message id='${sent.length}'/>`);
          management.sent(sent.at(-1) as string);
        } else {
          const handled = accepted.length + Math.floor((sent.length - accepted.length) * move);
          accepted.push(...management.acknowledged(`<a xmlns='urn:xmpp:sm:3' h='${handled}'/>`));
        }
        assert.deepEqual([...accepted, ...management.unacknowledged], sent);
      }
    }),
  );
});

test('counts what is a stanza, and only once it is enabled', () => {
  const management = new StreamManagement();
  management.received("<iq type='result'/>");
  management.enabled(ENABLED);
  for (const frame of [
    "<message to='a'/>",
    '<presence/>',
    "<iq id='1'/>",
    "<r xmlns='urn:xmpp:sm:3'/>",
    '<iqx/>',
  ]) {
    management.received(frame);
  }
  assert.match(management.answer, / h='3'/);
  assert.match(management.resume, / previd='abc' h='3'/);
});

test('refuses a server that has more than was sent, or cannot resume', () => {
  const management = enabled();
  management.sent('<presence/>');
  assert.throws(() => management.acknowledged("<a h='2'/>"));
  assert.throws(() => new StreamManagement().enabled("<enabled xmlns='urn:xmpp:sm:3'/>"));
});

test('a failure to resume may tell what the server has, or not', () => {
  const management = enabled();
  management.sent('<presence/>');
  assert.deepEqual(management.acknowledged("<failed xmlns='urn:xmpp:sm:3'/>"), []);
  assert.deepEqual(management.acknowledged("<failed xmlns='urn:xmpp:sm:3' h='1'/>"), ['<presence/>']);
});
