/** What users send whichever way they are connected, and what they look for in what comes back. All is ASCII. */

export const AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
export const BIND =
  "<iq type='set' id='bind' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
/** How a user proves who it is, and what it asks to be bound to. */
export interface Identity {
  readonly auth: string;
  readonly bind: string;
}

export const ANONYMOUS: Identity = { auth: AUTH, bind: BIND };

/** One with an account (SASL PLAIN, RFC 4616) and a resource of its own. */
export const account = (user: string, password: string, resource: string): Identity => ({
  auth: AUTH.replace('ANONYMOUS', 'PLAIN').replace(
    '/>',
    `>${Buffer.from(`\0${user}\0${password}`).toString('base64')}</auth>`,
  ),
  bind: BIND.replace("-bind'/>", `-bind'><resource>${resource}</resource></bind>`),
});

export const PRESENCE = "<presence xmlns='jabber:client'/>";
export const UNAVAILABLE = "<presence type='unavailable' xmlns='jabber:client'/>";

export const readJid = (answer: string): string | undefined => copied(/<jid>([^<]+)</.exec(answer)?.[1]);

/** What is cut out of an answer keeps all of it in memory. */
export const copied = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : Buffer.from(text, 'latin1').toString('latin1');

/** What a message carries to be accounted for. */
export interface Mark {
  /** Number of the pair of sender and recipient. */
  readonly pair: number;
  /** Number of this message among theirs, from 1. */
  readonly seq: number;
  /** When it was to be sent, in µs of the machine's monotonic clock. */
  readonly at: number;
  /** It bears the time when it came (XEP-0203), as what was stored does. */
  readonly delayed?: true;
}

/** About as long as a line of chat. */
const TEXT = 'and some words that people would write to each other on the web';

export const message = (to: string, { pair, seq, at }: Mark): string =>
  `<message to='${to}' type='chat' xmlns='jabber:client'><body>flood:${pair}:${seq}:${at}; ${TEXT}</body></message>`;

/** The marks of the messages in an answer, in their order. */
export function readMarks(answer: string): Mark[] {
  // Most answers bring none.
  if (!answer.includes('flood:')) return [];
  if (!answer.includes("'urn:xmpp:delay'")) return marksIn(answer);
  return answer
    .split('</message>')
    .flatMap((part) =>
      marksIn(part).map(
        (mark): Mark => (part.includes("'urn:xmpp:delay'") ? { ...mark, delayed: true } : mark),
      ),
    );
}

const marksIn = (text: string): Mark[] =>
  Array.from(text.matchAll(/flood:(\d+):(\d+):(\d+);/g), ([, pair, seq, at]) => ({
    pair: Number(pair),
    seq: Number(seq),
    at: Number(at),
  }));
