/** Whatever a client, the gateway, the network and the clock do, in whichever order, to a WebSocket without a socket. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SocketPhase } from '../../../src/http/websocket-connection.js';
import { close, frame, framesIn, PING, ping, TEXT, text } from './frames.js';
import { WebSocketMachine } from './websocket-machine.js';

const NOTHING = Buffer.alloc(0);

class Run {
  readonly machine = new WebSocketMachine();
  readonly #reached: Set<SocketPhase>;
  /** What the client sends, in order, and how much of it is gone. */
  readonly #bytes: Buffer;
  #at = 0;
  #isGone = false;
  #wasOver = false;
  /** The gateway is not concerned any more. */
  #isOver = false;
  #sent = 0;
  #pongs = 0;

  constructor(texts: readonly string[], reached: Set<SocketPhase>) {
    const frames = texts.flatMap((each, i) => [
      ...(i % 3 === 0 ? [ping(`${i}`)] : []),
      ...(each.length > 4 ? [frame(TEXT, each.slice(0, 3), 0), frame(0, each.slice(3))] : [text(each)]),
    ]);
    this.#bytes = Buffer.concat([...frames, close(1000), text('behind')]);
    this.#reached = reached;
  }

  readonly events: Readonly<Record<string, (n: number) => void>> = {
    send: (n) => this.#send(1 + (n % 40)),
    sendAll: () => this.#send(this.#bytes.length),
    pong: () => this.#pong(),
    stray: (n) => this.#receive(frame(10, Buffer.of(0, 0, 0, 0, 0, n % 5))),
    answer: (n) => this.#answer(n),
    tick: () => this.machine.tick(),
    turn: () => this.machine.http.turn(),
    second: () => this.machine.wait(1),
    resume: () => this.#ofGateway(({ socket }) => socket.resume()),
    takes: (n) => {
      this.machine.sockets.takesMore = n % 3 > 0;
    },
    stall: () => {
      this.machine.wire.isRead = false;
    },
    read: () => this.machine.wire.read(),
    wait: (n) => this.machine.wait(n % 50),
    close: () => this.#end(() => this.machine.socket.close(1008, NOTHING)),
    slow: () => this.machine.socket.refuseSlow(),
    stop: () => this.machine.socket.stop(),
    stopWaiting: () => this.machine.socket.stopWaiting(),
    destroy: () => this.machine.socket.destroy(),
    gone: () => this.gone(),
  };

  /** A paused wire brings nothing. */
  #send(bytes: number): void {
    if (this.machine.wire.isPaused) return;
    const part = this.#bytes.subarray(this.#at, this.#at + bytes);
    this.#at += part.length;
    if (part.length > 0) this.machine.send(Buffer.from(part));
  }

  #receive(bytes: Buffer): void {
    // Between two frames only, of which nobody knows where they end but the one who sends all.
    if (!this.machine.wire.isPaused && this.#at === 0) this.machine.send(bytes);
  }

  /** To each Ping in its turn. */
  #pong(): void {
    if (this.#at > 0) return;
    const pings = this.#frames.filter(({ opcode }) => opcode === 9);
    const next = pings[this.#pongs];
    if (next === undefined || this.machine.wire.isPaused) return;
    this.#pongs += 1;
    this.machine.send(frame(10, next.payload));
  }

  /** The gateway keeps to its part: nothing behind its own end, or what it was told of. */
  #ofGateway(what: (machine: WebSocketMachine) => void): void {
    if (!this.#isOver && this.machine.sockets.ends.length === 0) what(this.machine);
  }

  #end(what: () => void): void {
    this.#ofGateway(() => {
      if (this.machine.phase === 'asked') return;
      this.#isOver = true;
      what();
    });
  }

  #answer(n: number): void {
    this.#ofGateway(({ phase, socket }) => {
      if (phase === 'asked') {
        if (n % 8 > 0) {
          socket.accept();
          return;
        }
        this.#isOver = true;
        socket.refuse(503, [], NOTHING);
        return;
      }
      this.#sent += 1;
      socket.send(Buffer.alloc(n % 5 === 0 ? 9000 : 5, 'x'), n % 2 === 0 ? this.#sent : 0);
    });
  }

  gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.machine.wire.isDestroyed = true;
    this.machine.socket.closed();
  }

  get #frames() {
    const { written } = this.machine.wire;
    const at = written.indexOf('\r\n\r\n');
    return written.startsWith('HTTP/1.1 101') ? framesIn(Buffer.from(written.slice(at + 4), 'latin1')) : [];
  }

  happen(name: string, n: number): void {
    if (this.#isGone && !['turn', 'tick', 'read'].includes(name)) return;
    this.events[name]?.(n);
    this.check();
  }

  check(): void {
    const { phase, wire, sockets, http } = this.machine;
    this.#reached.add(phase);
    const isOver = phase === 'ended' || phase === 'closed';
    assert.ok(!this.#wasOver || isOver, 'what is over stays so');
    this.#wasOver = isOver;
    assert.equal(wire.isEnded || wire.isDestroyed, isOver);
    assert.ok(http.front.receiving.bytes === 0 || !isOver, 'nothing is kept behind the end');
    assert.equal(wire.isPaused, wire.isPaused && !isOver);
    // The gateway gets the messages in order, whole, and none twice.
    assert.ok(sockets.texts.every((each, i) => each === this.#texts[i]));
    // It hears of the end, once, as soon as there is one that it did not make itself.
    const isConcerned = phase === 'asked' || phase === 'open' || phase === 'full';
    assert.equal(sockets.ends.length, isConcerned || this.#isOver ? 0 : 1);
    // A proof is told only behind a Pong, of what was sent.
    assert.ok(sockets.proven.every((number) => number <= this.#sent));
    const frames = this.#frames;
    // And that stood before the Ping.
    let written = 0;
    for (const { opcode, payload } of frames) {
      if (opcode === TEXT) written += 1;
      if (opcode === PING)
        assert.ok(payload.readUIntBE(0, 6) <= written, 'a Ping in front of what it proves');
    }
    const closes = frames.filter(({ opcode }) => opcode === 8);
    assert.ok(
      closes.length <= 1 && (closes.length === 0 || frames.at(-1)?.opcode === 8),
      'a Close is the last frame',
    );
    // Whatever was held up, nothing was lost of what it sent.
    const codes = closes.map(({ payload }) => payload.readUInt16BE(0));
    assert.ok(
      codes.every((code) => [1000, 1008, 1012, 1013].includes(code)),
      `${codes}`,
    );
    const statuses = wire.written.match(/HTTP\/1\.1 \d+/g) ?? [];
    assert.ok(statuses.length <= 1);
  }

  texts: readonly string[] = [];
  get #texts(): readonly string[] {
    return this.texts;
  }

  finish(): void {
    this.gone();
    const { http, sockets } = this.machine;
    assert.equal(http.room.guests.size, 0);
    assert.equal(http.front.receiving.bytes, 0);
    assert.equal(sockets.ends.length, this.#isOver ? 0 : 1);
  }
}

test('messages come in order and once, the end is told once, nothing is written behind it, and nothing stays', () => {
  const reached = new Set<SocketPhase>();
  const texts = fc.array(fc.string({ minLength: 0, maxLength: 9, unit: 'grapheme-ascii' }), {
    minLength: 1,
    maxLength: 20,
  });
  const names = Object.keys(new Run([], reached).events);
  const traffic = names.slice(0, 12);
  const name = fc.oneof({ weight: 15, arbitrary: fc.constantFrom(...traffic) }, fc.constantFrom(...names));
  const events = fc.array(fc.tuple(name, fc.nat(1000)), { maxLength: 80, size: 'max' });
  fc.assert(
    fc.property(texts, events, (sent, happening) => {
      const run = new Run(sent, reached);
      run.texts = sent;
      run.check();
      for (const [each, n] of happening) run.happen(each, n);
      run.finish();
    }),
    { numRuns: 3000, includeErrorInReport: true },
  );
  const all: readonly SocketPhase[] = ['asked', 'open', 'full', 'closing', 'ended', 'closed'];
  assert.deepEqual(
    all.filter((phase) => !reached.has(phase)),
    [],
    'phases never reached',
  );
});
