/** A WebSocket without a socket, from its request on: what each side does is said by the test, and so is the time. */

import assert from 'node:assert/strict';
import { type SocketPhase, WebSocketConnection } from '../../../src/http/websocket-connection.js';
import { CLOSE, framesIn, PING, PONG, TEXT, upgradeOf } from './frames.js';
import { Machine } from './machine.js';

export class WebSocketMachine {
  readonly http = new Machine();
  readonly socket: WebSocketConnection;
  #heard = 0;

  /** @param behind what comes behind the request */
  constructor(behind: Buffer = Buffer.alloc(0)) {
    this.http.connection.receive(Buffer.concat([Buffer.from(upgradeOf()), behind]));
    const [socket] = this.http.room.guests;
    assert.ok(socket instanceof WebSocketConnection);
    this.socket = socket;
  }

  get phase(): SocketPhase {
    return this.socket.phase;
  }

  get sockets() {
    return this.http.sockets;
  }

  get wire() {
    return this.http.wire;
  }

  accept(): void {
    this.socket.accept();
  }

  send(bytes: Buffer): void {
    this.socket.receive(bytes);
  }

  /** The turn of all who wait for one, and who get one by that. */
  turns(): void {
    for (let i = 0; i < 100; i += 1) this.http.turn();
  }

  wait(seconds: number): void {
    this.http.front.now += seconds;
    if (this.http.room.guests.has(this.socket)) this.socket.expire();
    this.http.turn();
  }

  /** The next half second. */
  tick(): void {
    for (const next of this.http.ticks.splice(0)) next();
    this.http.turn();
  }

  /** What the client heard since it was last asked: statuses, kinds of frames, close codes. */
  heard(): string[] {
    const [head = '', ...behind] = this.wire.written.split('\r\n\r\n');
    const status = /^HTTP\/1\.1 (\d+)/.exec(head)?.[1];
    const frames = status === '101' ? framesIn(Buffer.from(behind.join('\r\n\r\n'), 'latin1')) : [];
    const all = [
      ...(status === undefined ? [] : [status]),
      ...frames.map(({ opcode, payload }) => nameOf(opcode, payload)),
    ];
    const heard = all.slice(this.#heard);
    this.#heard = all.length;
    return heard;
  }
}

function nameOf(opcode: number, payload: Buffer): string {
  switch (opcode) {
    case TEXT:
      return 'text';
    case PING:
      return 'ping';
    case PONG:
      return 'pong';
    case CLOSE:
      return payload.length === 0 ? '1005' : `${payload.readUInt16BE(0)}`;
    default:
      return `${opcode}`;
  }
}
