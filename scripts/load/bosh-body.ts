/** The bodies that a BOSH client sends (XEP-0124, XEP-0206), and what it looks for in the answers. All is ASCII. */

import { ANONYMOUS, copied, type Identity, PRESENCE, UNAVAILABLE } from './stanzas.js';

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
  `<body ${NAMESPACE} rid='${rid}' sid='${sid}' type='terminate'>${UNAVAILABLE}</body>`;

/** The steps of a login: the request of each, and what the answer to it contains, sooner or later. */
export const LOGIN: readonly {
  readonly request: (rid: number, sid: string, host: string, wait: number, identity?: Identity) => string;
  readonly until: string;
}[] = [
  { request: (rid, _, host, wait) => createBody(rid, host, wait), until: '<stream:features' },
  {
    request: (rid, sid, _, __, { auth } = ANONYMOUS) => body(rid, sid, auth),
    until: '<success',
  },
  { request: restartBody, until: '<stream:features' },
  {
    request: (rid, sid, _, __, { bind } = ANONYMOUS) => body(rid, sid, bind),
    until: '<jid>',
  },
  { request: (rid, sid) => body(rid, sid, PRESENCE), until: '<presence' },
];

export const readSid = (answer: string): string | undefined =>
  copied(/^<body[^>]* sid=['"]([^'"]+)/.exec(answer)?.[1]);

/** Why the session ended, if it did. */
export function readEnd(answer: string): string | undefined {
  const wrapper = answer.slice(0, answer.indexOf('>'));
  if (!/ type=['"]terminate/.test(wrapper)) return undefined;
  return / condition=['"]([^'"]+)/.exec(wrapper)?.[1] ?? 'terminated';
}
