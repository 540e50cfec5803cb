/** The control messages that are made once are, byte for byte, what the codec writes each time. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeControl } from '../../../src/distribution/control.js';
import { SendControls } from '../../../src/distribution/send-controls.js';
import { Pid } from '../../../src/etf/terms.js';

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const from = new Pid('megaphone@localhost', 0, 0, 7);

test('to a name', () => {
  const controls = new SendControls(from);
  for (const to of ['mod_megaphone', 'rex', 'mod_megaphone']) {
    assert.deepEqual(controls.toName(to), encodeControl({ op: 'REG_SEND', from, to }));
  }
});

test('to any pids of several nodes in turns, their numbers signed or not', () => {
  const controls = new SendControls(from);
  const node = fc.constantFrom('a@localhost', 'ejabberd@chat.example.org');
  fc.assert(
    fc.property(node, uint32, uint32, uint32, fc.boolean(), (name, id, serial, creation, isSigned) => {
      const numbers = isSigned
        ? { id: id | 0, serial: serial | 0, creation: creation | 0 }
        : { id, serial, creation };
      const to = new Pid(name, id, serial, creation);
      assert.deepEqual(controls.toPid(name, numbers), encodeControl({ op: 'SEND', to }));
    }),
  );
});
