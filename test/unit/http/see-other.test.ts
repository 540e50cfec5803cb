/** Where WebSockets are told to go. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeOther } from '../../../src/http/see-other.js';

test('where to go is said in XML', () => {
  assert.equal(
    seeOther("wss://b.example/ws?a=1&b='")?.toString(),
    "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='wss://b.example/ws?a=1&amp;b=&apos;'/>",
  );
  assert.equal(seeOther(''), undefined);
});
