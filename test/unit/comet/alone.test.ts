/** Without any router the gateway is the origin itself: its ring, its bounds, and what a page hears that was away. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Form, Page } from '../../../src/comet/ports.js';
import { MegaphoneError } from '../../../src/errors.js';
import { atom, binary, type Term } from '../../../src/etf/terms.js';
import { Alone, RING } from './alone.js';

interface Member {
  readonly id?: string;
  readonly data?: string;
  readonly gap?: string;
}

class Poll implements Page {
  readonly form: Form = 'poll';
  readonly members: Member[] = [];
  place: string | undefined;

  write(bytes: Buffer): void {
    const member: Member = JSON.parse(bytes.toString());
    this.members.push(member);
    this.place = member.id ?? this.place;
  }

  /** Listens, and leaves again: what it got. */
  poll({ comet }: Alone, id = 'a'): readonly string[] {
    this.members.length = 0;
    comet.listen(this, [id], this.place).leave();
    return this.members.map(({ gap, data }) => (gap === undefined ? (data ?? 'place') : 'gap'));
  }
}

test('a poll is told its place, then what comes behind it', () => {
  const gateway = new Alone();
  const page = new Poll();
  assert.deepEqual(page.poll(gateway), ['place']);
  assert.deepEqual(page.poll(gateway), []);
  for (const body of ['1', '2']) gateway.send('a', body);
  assert.deepEqual(page.poll(gateway), ['1', '2']);
  assert.deepEqual(page.poll(gateway), []);
});

test('what is sent before it is clear that there is no router comes as well', () => {
  const gateway = new Alone(RING, 1, false);
  const page = new Poll();
  assert.deepEqual(page.poll(gateway), ['place']);
  assert.equal(page.place, '-');
  gateway.send('a', '1');
  assert.deepEqual(page.poll(gateway), ['1']);
});

test('with more missed than the ring has there is one gap, and what there is', () => {
  const gateway = new Alone({ ...RING, count: 3 });
  const page = new Poll();
  page.poll(gateway);
  for (const body of ['1', '2', '3', '4', '5']) gateway.send('a', body);
  assert.deepEqual(page.poll(gateway), ['gap', '3', '4', '5']);
  assert.deepEqual(page.poll(gateway), []);
});

test('with nothing of it left there is a gap, once', () => {
  const gateway = new Alone({ ...RING, seconds: 20 });
  const page = new Poll();
  page.poll(gateway);
  gateway.send('a', '1');
  gateway.pass(60);
  assert.deepEqual(page.poll(gateway), ['gap']);
  assert.deepEqual(page.poll(gateway), []);
});

test('another life, another gateway, or a number that nobody gave out: a gap, once', () => {
  for (const place of ['PLACE.1', 'xxxxxx.1', `PLACE.${Number.MAX_SAFE_INTEGER.toString(36)}`]) {
    const gateway = new Alone();
    const page = new Poll();
    page.poll(gateway);
    gateway.send('a', '1');
    page.place = place.replace('PLACE', String(page.place?.slice(0, 6)));
    assert.equal(page.poll(gateway)[0], 'gap', place);
    assert.deepEqual(page.poll(gateway), [], place);
  }
});

test('a place that cannot be read is one gap', () => {
  const strangers = Array.from({ length: 65 }, (_, index) => `tag${100 + index}.1`).join(',');
  for (const place of ['0', 'channel:1', 'PLACE.1;PLACE.1', strangers]) {
    const gateway = new Alone();
    const page = new Poll();
    page.poll(gateway);
    page.place = place.replaceAll('PLACE', String(page.place?.slice(0, 6)));
    assert.deepEqual(page.poll(gateway), ['gap'], place);
    assert.deepEqual(page.poll(gateway), [], place);
  }
});

test('the ring takes no more than it may, and drops what was silent for longest', () => {
  const gateway = new Alone({ ...RING, bytes: 12_000 });
  const [quiet, loud] = [new Poll(), new Poll()];
  quiet.poll(gateway, 'quiet');
  loud.poll(gateway, 'loud');
  gateway.send('quiet', 'x');
  for (let count = 0; count < 20; count += 1) gateway.send('loud', 'x'.repeat(1000));
  const { bytes, messages } = gateway.comet.gauges().ring;
  assert.ok(bytes <= 12_000 && messages >= 8, `${bytes}, ${messages}`);
  assert.deepEqual(quiet.poll(gateway, 'quiet'), ['gap']);
  assert.deepEqual(loud.poll(gateway, 'loud')[0], 'gap');
});

test('what a sender gives along takes of the ring, too', () => {
  const gateway = new Alone({ ...RING, bytes: 100_000 });
  const page = new Poll();
  page.poll(gateway);
  const formats = new Map([[binary('http-stream'), binary('x'.repeat(10_000))]]);
  for (const meta of [
    [atom('formats'), formats],
    [atom('id'), binary('x'.repeat(10_000))],
  ] as const) {
    for (let count = 0; count < 20; count += 1) gateway.send('a', '', new Map<Term, Term>([meta]));
    assert.ok(gateway.comet.gauges().ring.messages < 5);
  }
});

test('ids that are asked for, and never sent to, take no room from messages', () => {
  const gateway = new Alone({ ...RING, bytes: 10_000 });
  const page = new Poll();
  page.poll(gateway);
  gateway.send('a', '1');
  for (let id = 0; id < 15_000; id += 1) new Poll().poll(gateway, `asked ${id}`);
  assert.deepEqual(page.poll(gateway), ['1']);
  // Their numbers are known all the same.
  const early = new Poll();
  early.poll(gateway, 'early');
  gateway.pass(20);
  gateway.send('early', '1');
  assert.deepEqual(early.poll(gateway, 'early'), ['1']);
});

test('ids that nobody follows are forgotten', () => {
  const gateway = new Alone();
  for (let id = 0; id < 1000; id += 1) new Poll().poll(gateway, String(id));
  assert.equal(gateway.comet.gauges().ids, 1000);
  for (let id = 0; id < 20_000; id += 1) new Poll().poll(gateway, String(id));
  assert.equal(gateway.comet.gauges().ids, 10_000);
  gateway.pass(80);
  assert.equal(gateway.comet.gauges().ids, 0);
  gateway.send('1', 'hello');
  assert.equal(gateway.counters.comet.dropped.nobody, 1);
});

test('what is published comes, but where other processes have pages, too', async () => {
  const gateway = new Alone();
  const page = new Poll();
  page.poll(gateway);
  await gateway.comet.publish([{ ids: ['a', 'b'], body: Buffer.from('1'), meta: {} }]);
  assert.deepEqual(page.poll(gateway), ['1']);
  await assert.rejects(
    new Alone(RING, 2).comet.publish([{ ids: ['a'], body: Buffer.from('1'), meta: {} }]),
    (error) => error instanceof MegaphoneError && error.code === 'COMET_NO_ROUTER',
  );
});
