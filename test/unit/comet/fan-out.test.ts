/** A message to many pages: encoded once, written to some hundred of them a turn; whatever they do meanwhile, each gets it once, in order. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { Form, Listening, Page } from '../../../src/comet/ports.js';
import { atom, binary, type Term } from '../../../src/etf/terms.js';
import { until } from '../../support/until.js';
import { Alone, RING } from './alone.js';

class Collector implements Page {
  readonly form: Form;
  readonly bytes: Buffer[] = [];
  place: string | undefined;
  listening: Listening | undefined;
  /** Called at each write. */
  onWrite: (() => void) | undefined;

  constructor(form: Form = 'sse') {
    this.form = form;
  }

  write(bytes: Buffer): void {
    this.bytes.push(bytes);
    this.place = /^id: (.*)$/m.exec(bytes.toString())?.[1] ?? this.place;
    this.onWrite?.();
  }

  open({ comet }: Alone, ...ids: readonly string[]): this {
    this.listening?.leave();
    this.listening = comet.listen(this, ids, this.place);
    return this;
  }

  leave(): void {
    this.listening?.leave();
    this.listening = undefined;
  }

  get bodies(): string[] {
    return this.bytes.flatMap((bytes) => {
      const text = bytes.toString();
      return text.includes('event: place') ? [] : [/^data: (.*)$/m.exec(text)?.[1] ?? text];
    });
  }
}

/** It only is there. */
const IDLE: Page = { form: 'sse', write: () => {} };

function crowd({ comet }: Alone, count: number, id: string): void {
  for (let index = 0; index < count; index += 1) comet.listen(IDLE, [id], undefined);
}

const open = (gateway: Alone, count: number, ...ids: readonly string[]): Collector[] =>
  Array.from({ length: count }, () => new Collector().open(gateway, ...ids));

async function turns(): Promise<void> {
  for (let count = 0; count < 50; count += 1) await turn();
}

test('all pages are given the same bytes, of each form one', async () => {
  const gateway = new Alone();
  const pages = (['sse', 'chunked', 'raw', 'socket', 'poll'] as const).flatMap((form) =>
    Array.from({ length: 300 }, () => new Collector(form).open(gateway, 'a')),
  );
  gateway.send('a', 'hello');
  await turns();
  assert.equal(new Set(pages.map(({ bytes }) => bytes.at(-1))).size, 5);
  assert.equal(gateway.counters.comet.deliveries, 1500);
});

test('some hundred in a turn, and a small audience does not wait for a large one', async () => {
  const gateway = new Alone();
  const many = open(gateway, 2000, 'many');
  const [one] = open(gateway, 1, 'one');
  const had = () => many.filter(({ bodies }) => bodies.length > 0).length;
  gateway.send('many', 'hello');
  gateway.send('one', 'hello');
  assert.deepEqual(one?.bodies, ['hello']);
  assert.equal(had(), 0);
  await turn();
  assert.equal(had(), 500);
  await turns();
  assert.equal(had(), 2000);
});

test('too much that waits is dropped, and comes all the same', async () => {
  const gateway = new Alone({ ...RING, count: 2000 });
  const [first] = open(gateway, 1, 'a');
  crowd(gateway, 500, 'a');
  const [last] = open(gateway, 1, 'a');
  const expected = Array.from({ length: 1100 }, (_, index) => String(index + 1));
  for (const body of expected) gateway.send('a', body);
  assert.ok(gateway.counters.comet.dropped.queue > 0);
  await until(() => last?.bodies.length === expected.length);
  for (const page of [first, last]) assert.deepEqual(page?.bodies, expected);
  gateway.send('a', 'later');
  await until(() => last?.bodies.at(-1) === 'later');
});

test('what waits is counted with all that its sender gave along', async () => {
  const gateway = new Alone({ ...RING, bytes: 64 * 1024 * 1024 });
  crowd(gateway, 500, 'a');
  const [page] = open(gateway, 1, 'a');
  const formats = new Map([[binary('http-response'), binary('x'.repeat(500_000))]]);
  for (let count = 1; count <= 20; count += 1)
    gateway.send('a', String(count), new Map<Term, Term>([[atom('formats'), formats]]));
  assert.ok(gateway.counters.comet.dropped.queue > 0);
  await until(() => page?.bodies.at(-1) === '20');
  assert.equal(page?.bodies.length, 20);
});

test('one request writes to some thousand pages at once, and to the others in their turns', async () => {
  const gateway = new Alone({ ...RING, count: 2000 });
  const items = Array.from({ length: 1000 }, (_, index) => ({
    ids: ['a'],
    body: Buffer.from(String(index)),
    meta: {},
  }));
  crowd(gateway, 200, 'a');
  const [page] = open(gateway, 1, 'a');
  const [other] = open(gateway, 1, 'b');
  await turns();
  void gateway.comet.publish(items);
  gateway.send('b', 'hello');
  assert.equal(gateway.counters.comet.deliveries, 24 * 201);
  await turn();
  await turn();
  assert.deepEqual(other?.bodies, ['hello']);
  await until(() => page?.bodies.length === 1000);
  assert.deepEqual(
    page?.bodies,
    items.map(({ body }) => body.toString()),
  );
  // The next turn has as much again.
  gateway.send('b', 'again');
  assert.deepEqual(other?.bodies, ['hello', 'again']);
});

test('a page that comes back while too much waits for the others gets all of it once, or a gap', async () => {
  for (const count of [2000, 64]) {
    const gateway = new Alone({ ...RING, count });
    crowd(gateway, 600, 'a');
    const page = new Collector().open(gateway, 'a');
    gateway.send('a', '0');
    await turns();
    page.leave();
    const bodies = Array.from({ length: 1100 }, (_, index) => String(index + 1));
    for (const body of bodies) gateway.send('a', body);
    page.open(gateway, 'a');
    page.open(gateway, 'a');
    gateway.send('a', 'last');
    await until(() => page.bodies.at(-1) === 'last');
    const expected = count === 64 ? ['0', 'a', ...bodies.slice(-64), 'last'] : ['0', ...bodies, 'last'];
    assert.deepEqual(page.bodies, expected);
    gateway.comet.stop();
  }
});

test('a page that is cut by what it is written takes nobody along', () => {
  const gateway = new Alone();
  const pages = open(gateway, 5, 'a');
  const [first, second, third] = pages;
  if (first !== undefined) first.onWrite = () => first.leave();
  if (second !== undefined) second.onWrite = () => third?.leave();
  gateway.send('a', '1');
  gateway.send('a', '2');
  assert.deepEqual(
    pages.map(({ bodies }) => bodies.length),
    [1, 2, 0, 2, 2],
  );
});

const ids = [['a'], ['a', 'b'], ['b', 'a']] as const;
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('send' as const), id: fc.constantFrom('a', 'b') }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('turn' as const) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('move' as const), page: fc.nat({ max: 19 }) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('leave' as const), page: fc.nat({ max: 19 }) }) },
);

test('whatever pages do while many are written to, each gets all that was sent since it came, once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 40, size: 'max' }), async (commands) => {
      const gateway = new Alone();
      const crowd = open(gateway, 1100, 'a');
      const pages = Array.from({ length: 20 }, (_, index) =>
        new Collector().open(gateway, ...(ids[index % 3] as readonly string[])),
      );
      const sent: Record<'a' | 'b', string[]> = { a: [], b: [] };
      for (const each of commands) {
        const page = 'page' in each ? pages[each.page] : undefined;
        const its = 'page' in each ? (ids[each.page % 3] as readonly string[]) : [];
        if (each.what === 'turn') await turn();
        else if (each.what === 'leave') page?.leave();
        else if (each.what === 'move') page?.open(gateway, ...its);
        else {
          sent[each.id].push(`${each.id}${sent[each.id].length}`);
          gateway.send(each.id, sent[each.id].at(-1) as string);
        }
      }
      await turns();
      for (const [index, page] of pages.entries()) {
        page.open(gateway, ...(ids[index % 3] as readonly string[]));
        for (const id of ids[index % 3] as readonly ('a' | 'b')[])
          assert.deepEqual(
            page.bodies.filter((body) => body.startsWith(id)),
            sent[id],
          );
      }
      for (const page of crowd) assert.deepEqual(page.bodies, sent.a);
      gateway.comet.stop();
    }),
    { numRuns: 60 },
  );
});
