/** Whatever comes in whatever order: every page gets each message once and in order, or hears of a gap where there is one. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { Comet } from '../../../src/comet/comet.js';
import { tagOf } from '../../../src/gateway/sid.js';
import { Counters } from '../../../src/observe/counters.js';
import { FakeGatewayNode, FakeRouter } from './fake-routers.js';
import { ModelPage } from './model-page.js';
import { VirtualTime } from './virtual-time.js';

const SILENT = pino({ level: 'silent' });
const IDS: readonly (readonly string[])[] = [['a'], ['a'], ['a', '7'], ['7', 'b', 'a'], ['b']];

class World {
  readonly routers = ['r1@localhost', 'r2@localhost'].map((node) => new FakeRouter(node));
  readonly nodes = ['g1@localhost', 'g2@localhost'].map((name) => new FakeGatewayNode(name, this.routers));
  readonly comets: readonly Comet[];
  readonly counters = [new Counters(), new Counters()];
  readonly pages: readonly ModelPage[];
  readonly time: VirtualTime;
  #now = 0;

  constructor(time: VirtualTime) {
    this.time = time;
    const ring = { count: 8, seconds: 60, bytes: 100_000 };
    this.comets = this.nodes.map(
      ({ asNode }, at) =>
        new Comet(asNode, { nodes: [], ring, processes: 1 }, this.counters[at] as Counters, SILENT),
    );
    const lives = (tag: string) => this.routers.find(({ node }) => tagOf(node) === tag)?.lives ?? [];
    this.pages = IDS.map((ids, index) => new ModelPage(ids, lives, index % 2 === 0 ? 'poll' : 'socket'));
    for (const [comet] of this.comets.entries()) this.tick(comet);
    this.#each((node, router) => node.connect(router));
    this.run();
  }

  /** All that is under way comes, and timers fire. */
  run(): void {
    for (let round = 0; round < 40; round += 1) {
      this.time.pass(1);
      let isIdle = true;
      for (const router of this.routers) while (router.sending.length > 0) router.enqueue(0);
      this.#each((node, router) => {
        while (node.step(router, false) || node.step(router, true)) isIdle = false;
      });
      if (isIdle && round > 4) return;
    }
  }

  wait(seconds: number): void {
    for (let second = 0; second < seconds; second += 1) {
      this.time.pass(1000);
      for (const index of this.comets.keys()) this.tick(index);
      this.run();
    }
  }

  tick(comet: number): void {
    this.#now += 0.5;
    this.comets[comet]?.tick(this.#now);
  }

  /** Everything works again, and nothing is under way. */
  settle(): void {
    this.#each((node, router) => {
      node.connect(router);
      node.jam(router, false);
    });
    this.run();
    this.wait(20);
    for (const [index, page] of this.pages.entries())
      if (!page.isOpen) page.open(this.comets[index % 2] as Comet);
    this.run();
    this.wait(8);
    // One more, so that each page says where it is.
    for (const router of this.routers) for (const id of router.rows.keys()) router.send(id);
    this.run();
    this.wait(8);
  }

  check(): void {
    for (const page of this.pages) {
      page.settled();
      for (const id of page.ids)
        for (const { node, rows } of this.routers)
          assert.equal(page.number(id, node), rows.get(id)?.number, `${node} ${id}: ${page.log.join('\n')}`);
    }
  }

  restart(router: FakeRouter): void {
    for (const node of this.nodes) node.cut(router);
    router.restart();
  }

  stop(): void {
    for (const comet of this.comets) comet.stop();
  }

  #each(act: (node: FakeGatewayNode, router: FakeRouter) => void): void {
    for (const node of this.nodes) for (const router of this.routers) act(node, router);
  }
}

const two = fc.nat({ max: 1 });
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constant('send' as const),
      at: two,
      id: fc.constantFrom('a', '7', 'b'),
      isLost: fc.constant(false),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ what: fc.constant('enqueue' as const), at: two, which: fc.nat({ max: 5 }) }),
  },
  {
    weight: 20,
    arbitrary: fc.record({ what: fc.constant('step' as const), at: two, gateway: two, isDown: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant('open' as const), page: fc.nat({ max: 4 }), gateway: two }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('leave' as const), page: fc.nat({ max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('beat' as const), page: fc.nat({ max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('cut' as const), at: two, gateway: two }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('connect' as const), at: two, gateway: two }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('jam' as const),
      at: two,
      gateway: two,
      isJammed: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('send' as const),
      at: two,
      id: fc.constantFrom('a', '7', 'b'),
      isLost: fc.constant(true),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('expire' as const), at: two }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const), at: two }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('run' as const) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('wait' as const), ms: fc.nat({ max: 600 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('tick' as const), seconds: fc.nat({ max: 12 }) }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function act(world: World, step: Step): void {
  const router = world.routers['at' in step ? step.at : 0] as FakeRouter;
  const node = world.nodes['gateway' in step ? step.gateway : 0] as FakeGatewayNode;
  const comet = world.comets['gateway' in step ? step.gateway : 0] as Comet;
  const page = world.pages['page' in step ? step.page : 0] as ModelPage;
  if (step.what === 'send') router.send(step.id, step.isLost);
  else if (step.what === 'enqueue') router.enqueue(step.which);
  else if (step.what === 'step') node.step(router, step.isDown);
  else if (step.what === 'open') page.open(comet);
  else if (step.what === 'leave') page.leave();
  else if (step.what === 'beat') page.beat();
  else if (step.what === 'cut') node.cut(router);
  else if (step.what === 'connect') node.connect(router);
  else if (step.what === 'jam') node.jam(router, step.isJammed);
  else if (step.what === 'expire') router.expire();
  else if (step.what === 'restart') world.restart(router);
  else if (step.what === 'run') world.run();
  else if (step.what === 'wait') world.time.pass(step.ms);
  else world.wait(step.seconds);
}

const RUNS = Number(process.env.MODEL_RUNS ?? 300);

test('every page gets each message once and in order, or hears of a gap where there is one', () => {
  // What the steps come to: a test that never sees a hole says nothing of them.
  const seen = { deliveries: 0, gaps: 0, holes: 0, replays: 0 };
  const time = new VirtualTime();
  try {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        const world = new World(time);
        try {
          for (const each of steps) act(world, each);
          world.settle();
          world.check();
          for (const { comet } of world.counters) {
            seen.deliveries += comet.deliveries;
            seen.gaps += comet.gaps;
            seen.holes += comet.replays.hole;
            seen.replays += comet.replays.page;
          }
        } finally {
          world.stop();
        }
      }),
      { numRuns: RUNS },
    );
  } finally {
    time.restore();
  }
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, `${what}: none`);
  if (process.env.MODEL_RUNS !== undefined) console.log(seen);
});
