/**
 * Events as bytes, in each form that a page may have:
 *
 *   sse       `id:`, `event:` and `data:` lines            socket   a text frame of JSON
 *   chunked   the body, as one chunk of HTTP/1.1           poll     the same JSON, a member of a list
 *   raw       the body
 *
 * JSON is `{"to", "id", "event", "data", "own_id", "prev_id"}`: the id it was sent to, the page's place, and what its sender gave along.
 */

import { textFrame } from '../websocket/writer.js';
import { type Content, isEvents } from './message.js';
import type { Form } from './ports.js';

const CRLF = Buffer.from('\r\n');
const LINE = Buffer.from('\n');
const NOTHING = Buffer.alloc(0);
const LF = 0x0a;
const CR = 0x0d;

/** By form, the name of the content of GRIP that is meant for it. */
const FORMATS: Readonly<Record<Form, string>> = {
  sse: 'http-stream',
  chunked: 'http-stream',
  raw: 'http-stream',
  socket: 'ws-message',
  poll: 'http-response',
};

/** A message to `id`, for a page whose place is this then. */
export function messageBytes(form: Form, id: string, place: string, content: Content): Buffer {
  const own = content.meta?.formats?.[FORMATS[form]];
  const body = own === undefined ? content.body : Buffer.from(own);
  switch (form) {
    case 'sse':
      return own !== undefined && isEvents(own)
        ? readyEvents(place, own)
        : serverSentEvent(place, content.meta?.event, body);
    case 'chunked':
      return body.length === 0 ? NOTHING : Buffer.concat([chunkHead(body.length), body, CRLF]);
    case 'raw':
      return Buffer.from(body);
    default:
      return json(form, memberOf(id, place, content, body));
  }
}

/** Of this id it missed something, up to this place. `undefined`: pages of this form cannot be told. */
export function gapBytes(form: Form, id: string, place: string): Buffer | undefined {
  if (form === 'chunked' || form === 'raw') return undefined;
  return form === 'sse' ? serverSentEvent(place, 'gap', Buffer.from(id)) : json(form, { gap: id, id: place });
}

/** Where the page stands, and nothing else: an event of its own name, which pages that do not ask for it never see. */
export function placeBytes(form: Form, place: string): Buffer | undefined {
  if (form === 'chunked' || form === 'raw') return undefined;
  if (form !== 'sse') return json(form, { id: place });
  // An empty `data` makes it an event (WHATWG HTML §9.2.6), where none at all would not.
  return Buffer.from(`event: place\nid: ${place}\ndata\n\n`);
}

interface Member {
  to?: string;
  id?: string;
  event?: string;
  data?: string;
  gap?: string;
  own_id?: string;
  prev_id?: string;
}

function memberOf(to: string, place: string, { meta }: Content, body: Buffer): Member {
  const member: Member = { to, id: place };
  if (meta?.event !== undefined) member.event = meta.event;
  member.data = body.toString();
  if (meta?.id !== undefined) member.own_id = meta.id;
  if (meta?.prev_id !== undefined) member.prev_id = meta.prev_id;
  return member;
}

function json(form: Form, member: Member): Buffer {
  const text = Buffer.from(JSON.stringify(member));
  return form === 'socket' ? textFrame(text) : text;
}

const LINE_END = /\r\n|\r|\n/;
/** What is the gateway's: a page would take another's `id` for its place. */
const IS_OURS = /^(?:id|retry)(?::|$)|^event: ?(?:gap|place)$/;

/** Where there are several events the last one has the place, for then the page has them all. */
function readyEvents(place: string, text: string): Buffer {
  const lines = text.split(LINE_END).filter((line) => !IS_OURS.test(line));
  while (lines.at(-1) === '') lines.pop();
  lines.splice(lines.lastIndexOf('') + 1, 0, `id: ${place}`);
  return Buffer.from(`${lines.join('\n')}\n\n`);
}

function serverSentEvent(place: string, event: string | undefined, body: Buffer): Buffer {
  const name = event === undefined ? '' : `event: ${event}\n`;
  const head = `id: ${place}\n${name}data: `;
  // The usual body has one line, and is copied once.
  if (body.indexOf(LF) >= 0 || body.indexOf(CR) >= 0) return linesOf(head, body);
  const length = Buffer.byteLength(head);
  const bytes = Buffer.allocUnsafe(length + body.length + 2);
  bytes.write(head, 0);
  bytes.set(body, length);
  bytes[bytes.length - 2] = LF;
  bytes[bytes.length - 1] = LF;
  return bytes;
}

const DATA = Buffer.from('data: ');

/** WHATWG HTML §9.2.6: a line ends with CR LF, LF or CR. */
function linesOf(head: string, body: Buffer): Buffer {
  const pieces: Uint8Array[] = [Buffer.from(head)];
  let start = 0;
  for (let at = 0; at <= body.length; at += 1) {
    const byte = at === body.length ? LF : body[at];
    if (byte !== LF && byte !== CR) continue;
    if (start > 0) pieces.push(DATA);
    pieces.push(body.subarray(start, at), LINE);
    if (byte === CR && body[at + 1] === LF) at += 1;
    start = at + 1;
  }
  pieces.push(LINE);
  return Buffer.concat(pieces);
}

const chunkHead = (length: number): Buffer => Buffer.from(`${length.toString(16)}\r\n`);
