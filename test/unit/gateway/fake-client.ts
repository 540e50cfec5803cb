/** A web client without a connection: its requests of a gateway, and what it hears. */

import type { Gateway } from '../../../src/gateway/gateway.js';

const CLIENT = { ip: '', port: 0, secure: false, path: '', origin: '', userAgent: '' };

export interface FakeRequest {
  readonly rid: number;
  /** `undefined` where it starts a session. */
  readonly sid: string | undefined;
  /** The gateway's, to tell it that the client left. */
  slot: number;
  /** A status each, or `item-not-found`. */
  readonly heard: string[];
}

/** @param onAnswer called when it hears something */
export function ask(
  gateway: Gateway,
  rid: number,
  sid: string | undefined,
  onAnswer: (request: FakeRequest) => void = () => {},
): FakeRequest {
  const request: FakeRequest = { rid, sid, slot: 0, heard: [] };
  const answer = (status: number, _: unknown, body: Buffer): void => {
    request.heard.push(body.includes('item-not-found') ? 'item-not-found' : `${status}`);
    onAnswer(request);
  };
  const attributes = sid === undefined ? '' : ` sid='${sid}'`;
  const body = Buffer.from(`<body rid='${rid}'${attributes}/>`);
  request.slot = gateway.request({ answer }, { body, client: CLIENT });
  return request;
}
