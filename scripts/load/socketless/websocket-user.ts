/** One with a WebSocket of which only this side exists: it has every frame of the server's at once. */

import type { ClientSocket, SocketService } from '../../../src/gateway/ports.js';
import { readJid, readMarks } from '../stanzas.js';
import { JID_STEP, LOGIN, readStreamEnd } from '../websocket-user.js';
import { type Crowd, clientAt, type SocketlessUser } from './user.js';

const CLIENT = clientAt('/ws');

export class SocketlessWebSocketUser implements SocketlessUser, ClientSocket {
  jid = '';
  readonly #sockets: SocketService;
  readonly #crowd: Crowd;
  readonly #keepsJid: boolean;
  #handle = 0;
  #step = 0;

  constructor(sockets: SocketService, crowd: Crowd, keepsJid: boolean) {
    this.#sockets = sockets;
    this.#crowd = crowd;
    this.#keepsJid = keepsJid;
  }

  login(): void {
    this.#handle = this.#sockets.open(this, CLIENT);
  }

  say(stanza: string): void {
    this.#sockets.frame(this.#handle, Buffer.from(stanza, 'latin1'));
  }

  accept(): void {
    this.#nextStep();
  }

  refuse(status: number): void {
    this.#crowd.ended(`HTTP ${status}`);
  }

  send(text: Buffer, number: number): void {
    if (number !== 0) this.#sockets.read(this.#handle, number);
    const frame = text.toString('latin1');
    const end = readStreamEnd(frame);
    if (end !== undefined) this.#crowd.ended(end);
    else if (this.#step < LOGIN.length) this.#advance(frame);
    const marks = readMarks(frame);
    if (marks.length > 0) this.#crowd.arrived(marks);
  }

  /** It never waits. */
  resume(): void {}

  close(code: number): void {
    this.#crowd.ended(`closed with ${code}`);
  }

  #advance(frame: string): void {
    if (!frame.includes(LOGIN[this.#step]?.until ?? '')) return;
    if (this.#step === JID_STEP && this.#keepsJid) this.jid = readJid(frame) ?? '';
    this.#step += 1;
    if (this.#step < LOGIN.length) this.#nextStep();
    else this.#crowd.online(this);
  }

  #nextStep(): void {
    this.say(LOGIN[this.#step]?.frame(this.#crowd.host) ?? '');
  }
}
