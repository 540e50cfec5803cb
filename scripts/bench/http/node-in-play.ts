/** A node that takes requests as one with mod_megaphone would, and answers none; WebSockets it grants. */

import { encodeVersioned } from '../../../src/etf/encode.js';
import { atom, Pid, Tuple, tuple } from '../../../src/etf/terms.js';
import { CONTRACT_VERSION, MODULE } from '../../../src/gateway/contract.js';
import { Cookie } from '../../../src/node/cookie.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';
import { incomingCall } from '../../../src/node/incoming-call.js';

const OPEN = atom('open');
export const COOKIE = new Cookie('bench-connections');

/** It listens on the loopback address alone, and needs no EPMD. */
export async function playNode(): Promise<HiddenNode> {
  const node = await HiddenNode.start({
    name: `ejabberd_${process.pid}@localhost`,
    cookie: COOKIE,
    listen: { host: '127.0.0.1' },
    epmd: false,
  });
  // In the place of the one that refuses.
  node.unregister('rex');
  node.register('rex', {
    deliver: (message) => {
      const call = incomingCall(message);
      if (call !== undefined) node.reply(call, CONTRACT_VERSION);
    },
  });
  const session = new Pid(node.name, 1, 0, node.creation);
  node.register(MODULE, {
    deliver: (message) => {
      const [connId, what] = message instanceof Tuple ? message.elements : [];
      if (!(connId instanceof Pid) || what !== OPEN) return;
      node.tell(connId, encodeVersioned(tuple(connId, atom('session'), session)));
    },
  });
  return node;
}
