/** What a process that is asked may say, and when: the table in the header of src/http/comet/asking.ts, and where it is asked. */

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { pino } from 'pino';
import { encodeVersioned } from '../../../../src/etf/encode.js';
import { atom, Pid, type Term, tuple } from '../../../../src/etf/terms.js';
import type { Visitor } from '../../../../src/http/comet/admission.js';
import type { Asked } from '../../../../src/http/comet/asked.js';
import { Asking, type AskNode } from '../../../../src/http/comet/asking.js';
import { Counters } from '../../../../src/observe/counters.js';
import { headerTable, SAME } from '../../../support/header-table.js';

const OFFSET = 1000;
const CLIENT = { ip: '', port: 0, secure: false, path: '', origin: '', userAgent: '' };
const ASKED: Asked = {
  ...{ ids: ['1'], transport: 'sse', place: undefined, isHead: false, isHttp11: true },
  ...{ token: undefined, query: '', authorization: '', cookie: '', from: { client: CLIENT } },
};

/** What a visitor hears. */
class FakeVisitor implements Visitor {
  readonly heard: string[] = [];
  leave = (): void => {};

  admit(ids: readonly string[]): void {
    this.heard.push(`admit ${ids}`);
  }

  refuse({ status }: { readonly status: number }): void {
    this.heard.push(`${status}`);
    this.leave();
  }

  dismiss(code: number): void {
    this.heard.push(`${code}`);
    this.leave();
  }
}

class FakeNode extends EventEmitter {
  readonly name = 'gateway@h';
  readonly creation = 7;
  readonly asked: string[] = [];
  readonly ended: Pid[] = [];
  readonly watched = new Map<string, (reason: Term) => void>();
  isFull = false;

  monitor(node: string, _name: unknown, onDown: (reason: Term) => void): () => void {
    this.watched.set(node, onDown);
    return () => {};
  }

  sendToName(node: string): boolean {
    if (!this.isFull) this.asked.push(node);
    return !this.isFull;
  }

  exited(pid: Pid): void {
    this.ended.push(pid);
  }

  /** The process there is not, or ended. */
  gone(node: string, reason = 'noproc'): void {
    this.watched.get(node)?.(atom(reason));
  }
}

class Machine {
  readonly node = new FakeNode();
  readonly counters = new Counters();
  readonly asking: Asking;
  readonly visitor = new FakeVisitor();
  slot = 0;

  constructor(nodes: readonly string[] = []) {
    const options = { name: 'doorkeeper', nodes, offset: OFFSET, capacity: 2, maxIds: 2 };
    this.asking = new Asking(
      this.node as unknown as AskNode,
      options,
      this.counters,
      pino({ level: 'silent' }),
    );
    this.node.emit('up', 'a@h');
  }

  ask(): number {
    this.slot = this.asking.ask(this.visitor, ASKED);
    const { slot } = this;
    this.visitor.leave = () => this.asking.left(slot);
    return slot;
  }

  get connId(): Pid {
    return new Pid(this.node.name, OFFSET + this.slot, 0, this.node.creation);
  }

  hear(...elements: readonly Term[]): void {
    const bytes = Buffer.from(encodeVersioned(tuple(this.connId, ...elements)));
    this.asking.deliver(this.connId, bytes, 0, bytes.length, 'a@h');
  }

  get state(): string {
    if (!this.asking.isAlive(this.connId)) return 'over';
    return this.visitor.heard.some((heard) => heard.startsWith('admit')) ? 'listening' : 'asked';
  }
}

const STATES: Readonly<Record<string, () => Machine>> = {
  asked: () => {
    const machine = new Machine();
    machine.ask();
    return machine;
  },
  listening: () => {
    const machine = new Machine();
    machine.ask();
    machine.hear(atom('listen'), [1, Buffer.from('b')]);
    return machine;
  },
};

const EVENTS: Readonly<Record<string, (machine: Machine) => void>> = {
  listen: (machine) => machine.hear(atom('listen'), [2]),
  none: (machine) => machine.hear(atom('listen'), []),
  answer: (machine) => machine.hear(401, Buffer.from('no')),
  close: (machine) => machine.hear(atom('close'), 4001, Buffer.from('enough')),
  nonsense: (machine) => machine.hear(atom('hello')),
  gone: ({ node }) => node.gone('a@h'),
  left: ({ asking, slot }) => asking.left(slot),
};

const { columns, rows } = headerTable('src/http/comet/asking.ts', 'state');

test('the table has every state and every event', () => {
  assert.deepEqual(
    rows.map(([state]) => state),
    Object.keys(STATES),
  );
  assert.deepEqual(columns, Object.keys(EVENTS));
});

for (const [state, ...cells] of rows) {
  for (const [index, cell] of cells.entries()) {
    const event = columns[index] ?? '';
    test(`${state}: ${event} → ${cell}`, () => {
      const machine = STATES[state]?.() ?? assert.fail(state);
      assert.equal(machine.state, state);
      const before = machine.visitor.heard.length;
      EVENTS[event]?.(machine);
      const heard = machine.visitor.heard.slice(before).filter((each) => !each.startsWith('admit'));
      const [to = '', what] = cell === SAME ? [state] : cell.split('+');
      assert.deepEqual([machine.state, heard], [to, what === undefined ? [] : [what]]);
      assert.equal(machine.node.ended.length, to === 'over' ? 1 : 0);
      const isOfUse = cell !== SAME || event === 'gone';
      const { stale, unknown_shape } = machine.counters.dropped;
      assert.deepEqual([stale, unknown_shape], event === 'nonsense' ? [0, 1] : [isOfUse ? 0 : 1, 0]);
      // Behind its end nothing means it.
      if (to !== 'over') return;
      for (const happen of Object.values(EVENTS)) happen(machine);
      assert.deepEqual([machine.visitor.heard.length, machine.node.ended.length], [before + heard.length, 1]);
    });
  }
}

const NONSENSE: readonly (readonly Term[])[] = [
  [atom('listen')],
  [atom('listen'), [1, 2, 3]],
  [atom('listen'), [tuple()]],
  [atom('listen'), 1],
  [200, Buffer.from('welcome')],
  [99_999, Buffer.from('no')],
  [atom('close'), 5000, Buffer.from('')],
  [],
];
for (const [index, elements] of NONSENSE.entries()) {
  test(`an answer that is none (${index}): the page hears so at once, and it is counted`, () => {
    const machine = STATES.asked?.() ?? assert.fail();
    machine.hear(...elements);
    assert.deepEqual([machine.state, machine.visitor.heard], ['over', ['502']]);
    assert.equal(machine.counters.dropped.unknown_shape, 1);
  });
}

test('ids of any type, each once', () => {
  const machine = STATES.asked?.() ?? assert.fail();
  machine.hear(atom('listen'), [1, 1, Buffer.from('1'), atom('1')]);
  assert.deepEqual(machine.visitor.heard, ['admit 1']);
});

test('a ConnId of an earlier connection in its place is over', () => {
  const machine = STATES.asked?.() ?? assert.fail();
  const before = machine.connId;
  machine.asking.left(machine.slot);
  machine.ask();
  assert.deepEqual([machine.asking.isAlive(before), machine.slot], [false, 1]);
});

test('no more are asked for than there is room, nor where the node does not read', async () => {
  const machine = new Machine();
  assert.deepEqual([machine.ask(), machine.ask(), machine.ask()], [1, 2, 0]);
  await Promise.resolve();
  assert.deepEqual(machine.visitor.heard, ['503']);
  machine.asking.left(1);
  machine.node.isFull = true;
  assert.equal(machine.ask(), 0);
});

test('where it is asked: at the first that is named and there, else at any', () => {
  const named = new Machine(['b@h', 'c@h']);
  assert.equal(named.ask(), 0);
  for (const node of ['c@h', 'b@h']) named.node.emit('up', node);
  named.ask();
  named.node.gone('b@h');
  named.ask();
  assert.deepEqual(named.node.asked, ['b@h', 'c@h']);
  // It is looked for again after a while.
  named.asking.left(1);
  named.asking.left(2);
  named.asking.tick(5);
  named.ask();
  assert.deepEqual(named.node.asked, ['b@h', 'c@h', 'b@h']);
  named.node.emit('down', 'b@h');
  named.node.emit('down', 'c@h');
  assert.equal(named.ask(), 0);
  const any = new Machine();
  any.ask();
  assert.deepEqual(any.node.asked, ['a@h']);
});
