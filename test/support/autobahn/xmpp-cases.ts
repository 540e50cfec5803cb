/**
 * The cases of the Autobahn test suite that can be told apart on an XMPP server, which echoes nothing. The text of a case
 * becomes an `<open/>` (RFC 7395 §3.4) that has it in an attribute and comes in as many frames; what answers it is one, too.
 */

import { TEXT } from '../../../src/websocket/opcodes.js';
import type { Sent } from '../websocket-frames.js';
import { type AutobahnCase, failed } from './case.js';
import { autobahnCases } from './cases.js';

/** Beyond it, a server may refuse a stanza. */
const MAX_TEXT = 1000;

export function xmppCases(host: string): readonly AutobahnCase[] {
  return autobahnCases().flatMap((one) => {
    if (/^(9|10)\./.test(one.id)) return [];
    if (one.id.startsWith('1.2.')) return [refused(one)];
    const answers = one.accepted[0]?.lines.filter((line) => line.startsWith('text')).length;
    return answers === 0 ? [one] : answers === 1 ? opening(one, host) : [];
  });
}

/** How such a server's text is written down. What follows its `<open/>` is not of interest. */
export function tellXmpp(text: Buffer): string | undefined {
  const name = /^<([\w:]+)/.exec(text.toString())?.[1];
  return name === 'open' || name === 'stream:error' ? name : undefined;
}

/** XMPP is sent as text alone (RFC 7395 §3.2). */
const refused = (one: AutobahnCase): AutobahnCase => ({
  ...one,
  parts: one.parts.map((part) => ({ ...part, until: 'end' })),
  ...failed(1003),
});

/** The case with an `<open/>` as its text; none, where it can be none. */
function opening(one: AutobahnCase, host: string): AutobahnCase[] {
  const message = firstMessage(one.parts.flatMap(({ send }) => send));
  const text = Buffer.concat(message.map(({ payload = '' }) => Buffer.from(payload)));
  if (text.length === 0 || text.length > MAX_TEXT || !isAttribute(text.toString())) return [];
  const open = openWith(host, text);
  const count = message.length;
  const pieces = new Map<Sent | Buffer, Sent>();
  for (const [index, sent] of message.entries()) {
    const [begin, end] = [index, index + 1].map((at) => Math.floor((at * open.length) / count));
    pieces.set(sent, { ...sent, payload: open.subarray(begin, end) });
  }
  return [
    {
      ...one,
      parts: one.parts.map(({ send, until }) => ({
        send: send.map((sent) => pieces.get(sent) ?? sent),
        until,
      })),
      accepted: one.accepted.map((outcome) => ({
        ...outcome,
        lines: outcome.lines.map((line) => (line.startsWith('text') ? 'open' : line)),
      })),
    },
  ];
}

/** Whether an attribute of XML can have it as it is (XML 1.0 §2.2). */
const isAttribute = (text: string): boolean =>
  [...text].every((char) => char >= ' ' && !`<&'\ufffe\uffff`.includes(char));

/** As long as the text, where that is longer than the rest of it. */
function openWith(host: string, text: Buffer): Buffer {
  const begin = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='${host}' version='1.0' x='`;
  const end = `'/>`;
  const room = text.length - begin.length - end.length;
  return Buffer.concat([Buffer.from(begin), text.subarray(0, room > 0 ? room : undefined), Buffer.from(end)]);
}

/** The frames of the first text that is whole. */
function firstMessage(sent: readonly (Sent | Buffer)[]): readonly Sent[] {
  const data = sent.filter((one): one is Sent => !Buffer.isBuffer(one) && one.opcode <= TEXT);
  return data.slice(0, data.findIndex(({ fin = true }) => fin) + 1);
}
