/** A node that takes requests as one with mod_megaphone would, and answers none; WebSockets it grants. */

import { decodeVersioned } from '../../../src/etf/decode.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { Atom, atom, Pid, type Term, Tuple, tuple } from '../../../src/etf/terms.js';
import { CONTRACT_VERSION, MODULE } from '../../../src/gateway/contract.js';
import { PROCESS_NAME } from '../../../src/gateway/megaphone-process.js';
import { Cookie } from '../../../src/node/cookie.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';
import { incomingCall } from '../../../src/node/incoming-call.js';

export const COOKIE = new Cookie('bench-connections');

/**
 * It listens on the loopback address alone, and needs no EPMD.
 * @param hear is given what the module and its sessions are sent
 */
export async function playNode(
  cookie = COOKIE,
  hear: (message: Term) => void = () => {},
): Promise<HiddenNode> {
  const node = await HiddenNode.start({
    name: `ejabberd_${process.pid}@localhost`,
    cookie,
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
  node.adoptPids({
    deliver: (_, bytes, start, end) => hear(decodeVersioned(bytes.subarray(start, end))),
    isAlive: () => true,
  });
  node.register(MODULE, {
    deliver: (message, peer) => {
      hear(message);
      const [from, what, place] = message instanceof Tuple ? message.elements : [];
      if (!(from instanceof Pid) || !(what instanceof Atom)) return;
      if (what.name === 'open') node.tell(from, encodeVersioned(tuple(from, atom('session'), session)));
      // Else no more than the first ones would come.
      if (what.name === 'mark' && place !== undefined) {
        node.sendToName(peer, PROCESS_NAME, encodeVersioned(tuple(atom('taken'), place)));
      }
    },
  });
  return node;
}
