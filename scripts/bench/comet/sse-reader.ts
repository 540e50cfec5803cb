/**
 * Reads the events of one response with server-sent events, from pieces of any size: a body without framing, as the gateway
 * and nchan send it, or in chunks, as Pushpin does. Text is latin1, lines end with a line feed.
 */

export interface Event {
  /** What stood behind `id:`, where there was such a line. */
  readonly id: string | undefined;
  /** Of the event, where it is none of the usual ones. */
  readonly name: string | undefined;
  /** `undefined`: there was no such line, a browser would fire nothing. */
  readonly data: string | undefined;
}

type State = 'head' | 'plain' | 'chunked' | 'end';

const CHUNKED = /\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n/i;
const CHUNK_SIZE = /^([\da-f]+)[^\r\n]*\r\n/i;

export class SseReader {
  #state: State = 'head';
  /** Of the head, of a chunk's frame, or of an event, whichever has begun. */
  #rest = '';
  /** Of an event, while `#rest` is that of a frame. */
  #event = '';
  /** Bytes of the chunk that are still to come, with the line end behind it. */
  #left = 0;

  /** Whether the head has come. @throws Error where it was a refusal */
  get isOpen(): boolean {
    return this.#state !== 'head';
  }

  /**
   * @param hear is told each whole event, comments left out
   * @throws Error where the server refuses, or frames what nobody can read
   */
  push(piece: string, hear: (event: Event) => void): void {
    const text = this.#rest + piece;
    this.#rest = '';
    if (this.#state === 'plain') this.#rest = readEvents(text, hear);
    else if (this.#state === 'chunked') this.#readChunks(text, hear);
    else if (this.#state === 'head') this.#readHead(text, hear);
  }

  #readHead(text: string, hear: (event: Event) => void): void {
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) {
      this.#rest = text;
      return;
    }
    if (!/^HTTP\/1\.[01] 200 /.test(text)) throw new Error(text.slice(0, text.indexOf('\r\n')));
    this.#state = CHUNKED.test(text.slice(0, end + 2)) ? 'chunked' : 'plain';
    this.push(text.slice(end + 4), hear);
  }

  #readChunks(text: string, hear: (event: Event) => void): void {
    let at = 0;
    while (at < text.length) {
      if (this.#left === 0) {
        const line = CHUNK_SIZE.exec(text.slice(at, at + 64));
        if (line === null) {
          if (text.length - at > 64) throw new Error(`no chunk: ${JSON.stringify(text.slice(at, at + 32))}`);
          this.#rest = text.slice(at);
          return;
        }
        const size = Number.parseInt(line[1] ?? '', 16);
        at += line[0].length;
        if (size === 0) {
          this.#state = 'end';
          return;
        }
        this.#left = size + 2;
      }
      const piece = text.slice(at, at + Math.max(0, this.#left - 2));
      this.#event = readEvents(this.#event + piece, hear);
      const read = Math.min(this.#left, text.length - at);
      at += read;
      this.#left -= read;
    }
  }
}

/** @returns what has begun and is not whole */
function readEvents(text: string, hear: (event: Event) => void): string {
  let from = 0;
  for (;;) {
    const end = text.indexOf('\n\n', from);
    if (end < 0) return from === 0 ? text : text.slice(from);
    readEvent(text.slice(from, end), hear);
    from = end + 2;
  }
}

function readEvent(text: string, hear: (event: Event) => void): void {
  let id: string | undefined;
  let name: string | undefined;
  let data: string | undefined;
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const value = line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    const field = line.slice(0, colon);
    if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
    else if (field === 'id') id = value;
    else if (field === 'event') name = value;
  }
  if (id !== undefined || data !== undefined) hear({ id, name, data });
}
