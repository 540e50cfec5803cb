/** The cases of the Autobahn test suite that can be told apart on an XMPP server, over the gateway to a real ejabberd. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Instance } from '../../scripts/support/instance.js';
import { xmppCases } from '../support/autobahn/xmpp-cases.js';
import { autobahnRows } from './conformance/autobahn-rows.js';
import { startInstance } from './conformance/configure.js';

let instance: Instance;
before(async () => {
  instance = await startInstance();
});
after(() => instance.stop());

describe('a WebSocket of an XMPP client', { timeout: 120_000 }, () => {
  for (const { name, run } of autobahnRows) it(name, () => run(instance.gatewayWebSocketUrl));

  it('has been through all of them', () => {
    const count = autobahnRows.map(({ name }) => Number(/\((\d+) cases\)/.exec(name)?.[1]));
    assert.equal(
      count.reduce((sum, each) => sum + each, 0),
      xmppCases('localhost').length,
    );
    assert.ok(count.every((each) => each > 0));
  });
});
