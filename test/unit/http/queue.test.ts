/** A queue by a model, and counted: no step looks at more than the neighbours, however many there are. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Member, Queue } from '../../../src/http/queue.js';

/** How often the links of all members were read or written. */
let touched = 0;

class Link implements Member<Link> {
  #older: Link | undefined = undefined;
  #newer: Link | undefined = undefined;

  get older(): Link | undefined {
    touched += 1;
    return this.#older;
  }

  set older(link: Link | undefined) {
    touched += 1;
    this.#older = link;
  }

  get newer(): Link | undefined {
    touched += 1;
    return this.#newer;
  }

  set newer(link: Link | undefined) {
    touched += 1;
    this.#newer = link;
  }
}

function inOrder(queue: Queue<Link>): Link[] {
  const links: Link[] = [];
  for (let link = queue.oldest; link !== undefined; link = link.newer) {
    assert.ok(!links.includes(link), 'a circle');
    links.push(link);
  }
  return links;
}

test('whoever is appended stands behind all others, and whoever is removed leaves a queue of the others', () => {
  const step = fc.tuple(fc.constantFrom('append' as const, 'remove' as const), fc.nat(5));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new Queue<Link>();
      const links = Array.from({ length: 6 }, () => new Link());
      let model: number[] = [];
      for (const [what, which] of steps) {
        const link = links[which] ?? assert.fail();
        queue[what](link);
        model = model.filter((each) => each !== which);
        if (what === 'append') model.push(which);
        assert.deepEqual(
          inOrder(queue).map((each) => links.indexOf(each)),
          model,
        );
        for (const [i, each] of links.entries()) assert.equal(queue.has(each), model.includes(i));
      }
    }),
  );
});

test('one that leaves and comes back again and again costs the same beside ten others and ten thousand', () => {
  const costs = [10, 10_000].map((others) => {
    const queue = new Queue<Link>();
    const busy = new Link();
    for (let i = 0; i < others / 2; i += 1) queue.append(new Link());
    queue.append(busy);
    for (let i = 0; i < others / 2; i += 1) queue.append(new Link());
    touched = 0;
    for (let i = 0; i < 1000; i += 1) {
      queue.remove(busy);
      queue.append(busy);
    }
    return touched;
  });
  assert.equal(costs[0], costs[1]);
  // The links are what the queue is made of.
  assert.ok(Number(costs[0]) >= 4000);
});
