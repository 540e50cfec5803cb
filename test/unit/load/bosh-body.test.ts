/** What the load generator finds in an answer without parsing it as XML. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEnd, readSid } from '../../../scripts/load/bosh-body.js';
import { message, readJid, readMarks } from '../../../scripts/load/stanzas.js';

const NS = "xmlns='http://jabber.org/protocol/httpbind'";

test('finds the sid of a created session, not that of a payload', () => {
  assert.equal(readSid(`<body ${NS} wait='60' sid='abc.DEF-1'><x sid='2'/></body>`), 'abc.DEF-1');
  assert.equal(readSid(`<body ${NS}><x sid='2'/></body>`), undefined);
});

test('finds the bound JID', () => {
  assert.equal(readJid('<body><iq><bind><jid>1@localhost/2</jid></bind></iq></body>'), '1@localhost/2');
});

for (const [wrapper, end] of [
  [`<body ${NS}/>`, undefined],
  [`<body ${NS} type='terminate'/>`, 'terminated'],
  [`<body type="terminate" condition="item-not-found" ${NS}></body>`, 'item-not-found'],
  [`<body ${NS}><message type='terminate'/></body>`, undefined],
] as const) {
  test(`tells whether this ends the session: ${wrapper}`, () => assert.equal(readEnd(wrapper), end));
}

test('reads back the marks of several messages, in their order', () => {
  const marks = [
    { pair: 3, seq: 1, at: 123456789 },
    { pair: 0, seq: 70000, at: 0 },
  ];
  const stanzas = marks.map((mark) => message('a@b/c', mark)).join('');
  assert.deepEqual(readMarks(`<body ${NS}>${stanzas}</body>`), marks);
});

test('tells which of several messages was delayed', () => {
  const [first, second] = [1, 2].map((seq) => message('a@b/c', { pair: 3, seq, at: 5 })) as [string, string];
  const delayed = first.replace('</message>', "<delay xmlns='urn:xmpp:delay' stamp='x'/></message>");
  assert.deepEqual(readMarks(`<body ${NS}>${delayed}${second}</body>`), [
    { pair: 3, seq: 1, at: 5, delayed: true },
    { pair: 3, seq: 2, at: 5 },
  ]);
});
