/** The bodies that a BOSH client sends (XEP-0124, XEP-0206), and what it looks for in the answers. All is ASCII. */

const NAMESPACE = "xmlns='http://jabber.org/protocol/httpbind'";
const XBOSH = "xmlns:xmpp='urn:xmpp:xbosh'";

const createBody = (rid: number, host: string, wait: number): string =>
  `<body ${NAMESPACE} ${XBOSH} rid='${rid}' to='${host}' ver='1.11' wait='${wait}' hold='1' ` +
  `content='text/xml; charset=utf-8' xml:lang='en' xmpp:version='1.0'/>`;

export const body = (rid: number, sid: string, payload: string): string =>
  payload === ''
    ? `<body ${NAMESPACE} rid='${rid}' sid='${sid}'/>`
    : `<body ${NAMESPACE} rid='${rid}' sid='${sid}'>${payload}</body>`;

const restartBody = (rid: number, sid: string, host: string): string =>
  `<body ${NAMESPACE} ${XBOSH} rid='${rid}' sid='${sid}' to='${host}' xml:lang='en' xmpp:restart='true'/>`;

export const terminateBody = (rid: number, sid: string): string =>
  `<body ${NAMESPACE} rid='${rid}' sid='${sid}' type='terminate'><presence type='unavailable' xmlns='jabber:client'/></body>`;

const AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
const BIND =
  "<iq type='set' id='bind' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
const PRESENCE = "<presence xmlns='jabber:client'/>";

/** The steps of a login: the request of each, and what the answer to it contains, sooner or later. */
export const LOGIN: readonly {
  readonly request: (rid: number, sid: string, host: string, wait: number) => string;
  readonly until: string;
}[] = [
  { request: (rid, _, host, wait) => createBody(rid, host, wait), until: '<stream:features' },
  { request: (rid, sid) => body(rid, sid, AUTH), until: '<success' },
  { request: restartBody, until: '<stream:features' },
  { request: (rid, sid) => body(rid, sid, BIND), until: '<jid>' },
  { request: (rid, sid) => body(rid, sid, PRESENCE), until: '<presence' },
];

export const readSid = (answer: string): string | undefined =>
  copied(/^<body[^>]* sid=['"]([^'"]+)/.exec(answer)?.[1]);
export const readJid = (answer: string): string | undefined => copied(/<jid>([^<]+)</.exec(answer)?.[1]);

/** What is cut out of an answer keeps all of it in memory. */
const copied = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : Buffer.from(text, 'latin1').toString('latin1');

/** Why the session ended, if it did. */
export function readEnd(answer: string): string | undefined {
  const wrapper = answer.slice(0, answer.indexOf('>'));
  if (!/ type=['"]terminate/.test(wrapper)) return undefined;
  return / condition=['"]([^'"]+)/.exec(wrapper)?.[1] ?? 'terminated';
}

/** What a message carries to be accounted for. */
export interface Mark {
  /** Number of the pair of sender and recipient. */
  readonly pair: number;
  /** Number of this message among theirs, from 1. */
  readonly seq: number;
  /** When it was to be sent, in µs of the machine's monotonic clock. */
  readonly at: number;
}

/** About as long as a line of chat. */
const TEXT = 'and some words that people would write to each other on the web';

export const message = (to: string, { pair, seq, at }: Mark): string =>
  `<message to='${to}' type='chat' xmlns='jabber:client'><body>flood:${pair}:${seq}:${at}; ${TEXT}</body></message>`;

/** The marks of the messages in an answer, in their order. */
export function readMarks(answer: string): Mark[] {
  // Most answers bring none.
  if (!answer.includes('flood:')) return [];
  return Array.from(answer.matchAll(/flood:(\d+):(\d+):(\d+);/g), ([, pair, seq, at]) => ({
    pair: Number(pair),
    seq: Number(seq),
    at: Number(at),
  }));
}
