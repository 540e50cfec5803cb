/** What `megaphone check` does over a stream, step by step: from its features to a message that comes back, and goodbye. */

import { randomUUID } from 'node:crypto';
import { elementIn, type Found } from './element.js';
import { escaped, type Link, receiveUntil, unescaped } from './link.js';
import { type Account, logIn, mechanismsOf } from './login.js';
import { Trouble } from './trouble.js';

export interface Step {
  readonly what: string;
  /** Resolves with what there is to tell. */
  readonly run: () => Promise<string>;
}

/** Each is to be run once, when the one before it has succeeded. */
export function* conversation(link: Link, account: Account, isPrivate: boolean): Generator<Step> {
  let offered: readonly string[] = [];
  let jid = '';
  yield {
    what: 'open the stream',
    run: async () => {
      offered = mechanismsOf(await link.open());
      return `${account.domain} offers ${offered.join(', ') || 'no login'}`;
    },
  };
  if (account.user !== undefined || offered.includes('ANONYMOUS')) {
    yield {
      what: 'log in',
      run: async () => {
        const mechanism = await logIn(link, offered, account, isPrivate);
        await link.open();
        return `with ${mechanism}`;
      },
    };
    yield {
      what: 'bind a resource',
      run: async () => {
        jid = await bind(link);
        return jid;
      },
    };
    yield {
      what: 'send itself a message, and get it back',
      run: async () => {
        await sendItself(link, jid);
        return '';
      },
    };
  } else {
    yield {
      what: 'log in',
      run: async () => 'left out: give an account with --user JID, for a login without one is not offered',
    };
  }
  yield {
    what: 'leave',
    run: async () => {
      await link.close();
      return '';
    },
  };
}

async function bind(link: Link): Promise<string> {
  const id = randomUUID();
  link.send(
    `<iq xmlns='jabber:client' type='set' id='${id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`,
  );
  const { text: iq } = await receiveUntil(link, elementOf('iq', id));
  const [, jid] = /<jid>([^<]+)<\/jid>/.exec(iq) ?? [];
  if (jid === undefined) throw refused(iq);
  return unescaped(jid);
}

/** A headline is stored nowhere if it is lost (RFC 6121 §8.5.2). */
async function sendItself(link: Link, jid: string): Promise<void> {
  const id = randomUUID();
  link.send(
    `<message xmlns='jabber:client' to='${escaped(jid)}' type='headline' id='${id}'><body>megaphone check</body></message>`,
  );
  const { attributes, text } = await receiveUntil(link, elementOf('message', id));
  if (/ type=['"]error['"]/.test(attributes)) throw refused(text);
}

const elementOf =
  (name: string, id: string) =>
  (text: string): Found | undefined =>
    elementIn(text, name, new RegExp(` id=['"]${id}['"]`));

function refused(stanza: string): Trouble {
  const [, condition = 'no reason given'] = /<error\b[^<>]*>\s*<([a-z-]+)/.exec(stanza) ?? [];
  return new Trouble(
    `refused with ${condition}`,
    'an access rule, a limit or a module of the server is in the way: its log says which',
  );
}
