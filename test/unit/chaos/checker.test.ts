/** The checker of histories: one that cannot find a planted loss, double or reordering would prove nothing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Checker } from '../../../scripts/chaos/checker.js';
import { type Event, fromLines, type MessageId, toLine } from '../../../scripts/chaos/history.js';
import { describe as describeRun, lastLine, verdictOf } from '../../../scripts/chaos/report.js';

const USERS = 4;
const KILL = { kind: 'step', fault: 'kill-gateway', what: 'kill gateway 1', loses: 'nothing' } as const;
const SPLIT = { kind: 'step', fault: 'split-nodes', what: 'cut', loses: 'storage' } as const;
const KILL_NODE = { kind: 'step', fault: 'kill-node', what: 'kill node 1', loses: 'memory' } as const;

function judge(history: readonly Event[]): Checker {
  const checker = new Checker();
  for (const event of history) checker.add(event);
  checker.finish();
  return checker;
}

/** How often each invariant broke, those that did not left out. */
const broken = (history: readonly Event[]): Record<string, number> =>
  Object.fromEntries(Object.entries(verdictOf(judge(history))).filter(([, count]) => count > 0));

type Part = Event extends infer E ? (E extends unknown ? Omit<E, 'at'> : never) : never;
const timed = (parts: readonly Part[]): Event[] => parts.map((part, at) => ({ at, ...part }) as Event);

/**
 * A history as a faithful server makes it: users write to each other; what was sent is accepted at some time, or never, and
 * received at some time, in the order of its pair; between, the nemesis kills, streams are resumed, clients see errors.
 */
const faithful: fc.Arbitrary<Event[]> = fc
  .array(
    fc.record({
      what: fc.constantFrom('send', 'send', 'accept', 'receive', 'receive', 'step', 'resumed', 'error'),
      from: fc.nat(USERS - 1),
      to: fc.nat(USERS - 1),
    }),
    { maxLength: 200 },
  )
  .map((moves) => {
    const parts: Part[] = Array.from({ length: USERS }, (_, user) => ({ kind: 'login', user }));
    const sent = new Map<string, number>();
    const accepted = new Map<string, number>();
    const received = new Map<string, number>();
    const step = (counts: Map<string, number>, from: number, to: number): MessageId => {
      const seq = (counts.get(`${from} ${to}`) ?? 0) + 1;
      counts.set(`${from} ${to}`, seq);
      return { from, to, seq };
    };
    const behind = (counts: Map<string, number>, from: number, to: number): boolean =>
      (counts.get(`${from} ${to}`) ?? 0) < (sent.get(`${from} ${to}`) ?? 0);
    const move = (what: string, from: number, to: number): void => {
      if (what === 'send') parts.push({ kind: 'sent', ...step(sent, from, to) });
      else if (what === 'step') parts.push(KILL);
      else if (what === 'resumed') parts.push({ kind: 'resumed', user: from });
      else if (what === 'error') parts.push({ kind: 'error', user: from, what: 'HTTP 503' });
      else if (what === 'accept' && behind(accepted, from, to)) {
        parts.push({ kind: 'accepted', ...step(accepted, from, to) });
      } else if (what === 'receive' && behind(received, from, to)) {
        parts.push({ kind: 'received', by: to, ...step(received, from, to) });
      }
    };
    for (const { what, from, to } of moves) move(what, from, to);
    for (let from = 0; from < USERS; from += 1) {
      for (let to = 0; to < USERS; to += 1) {
        while (behind(received, from, to)) move('receive', from, to);
      }
    }
    return timed(parts);
  });

const isReceived = (event: Event): event is Extract<Event, { kind: 'received' }> => event.kind === 'received';

/** A faithful history and the place of one of its receipts. */
const withReceipt = faithful
  .filter((history) => history.some(isReceived))
  .chain((history) => {
    const places = history.flatMap((event, place) => (isReceived(event) ? [place] : []));
    return fc.record({ history: fc.constant(history), place: fc.constantFrom(...places) });
  });

const receiptAt = (history: readonly Event[], place: number): Extract<Event, { kind: 'received' }> => {
  const event = history[place] as Event;
  assert.ok(isReceived(event));
  return event;
};

describe('the checker', () => {
  it('finds nothing wrong with a faithful server', () => {
    fc.assert(fc.property(faithful, (history) => assert.deepEqual(ignoringErrors(broken(history)), {})));
  });

  it('finds a loss, wherever it is, if the message was accepted', () => {
    fc.assert(
      fc.property(withReceipt, fc.boolean(), ({ history, place }, accepted) => {
        const { by: _, kind: __, at, ...id } = receiptAt(history, place);
        const was = history.some(
          (event) => event.kind === 'accepted' && nameOf(event) === nameOf(id) && event.at < Infinity,
        );
        const rest = history.toSpliced(
          place,
          1,
          ...(accepted && !was ? [{ at, kind: 'accepted', ...id } as const] : []),
        );
        assert.deepEqual(ignoringErrors(broken(rest)), accepted || was ? { lost: 1 } : {});
      }),
    );
  });

  it('finds a double, at once or much later', () => {
    fc.assert(
      fc.property(withReceipt, fc.nat(), ({ history, place }, later) => {
        const behind = place + 1 + (later % (history.length - place));
        const doubled = history.toSpliced(behind, 0, receiptAt(history, place));
        assert.deepEqual(ignoringErrors(broken(doubled)), { doubled: 1 });
      }),
    );
  });

  it('takes what comes once more where the server could not know for no double, once', () => {
    fc.assert(
      fc.property(withReceipt, fc.boolean(), ({ history, place }, twice) => {
        const receipt = receiptAt(history, place);
        const ended = { at: receipt.at, kind: 'ended', user: receipt.by, unproven: [receipt] } as const;
        const again = [...history, ended, receipt, ...(twice ? [receipt] : [])];
        assert.deepEqual(ignoringErrors(broken(again)), twice ? { doubled: 1 } : {});
      }),
    );
  });

  it('finds a reordering', () => {
    fc.assert(
      fc.property(withReceipt, ({ history, place }) => {
        const receipt = receiptAt(history, place);
        const next = history.findIndex(
          (event, other) =>
            other > place && isReceived(event) && pairOf(event) === pairOf(receipt) && event.by === event.to,
        );
        fc.pre(next >= 0);
        const swapped = history.toSpliced(next + 1, 0, receipt).toSpliced(place, 1);
        assert.deepEqual(ignoringErrors(broken(swapped)), { reordered: 1 });
      }),
    );
  });

  it('finds a message that another user got, and one that nobody sent', () => {
    fc.assert(
      fc.property(withReceipt, fc.integer({ min: 1, max: USERS - 1 }), ({ history, place }, off) => {
        const receipt = receiptAt(history, place);
        const other = { ...receipt, by: (receipt.by + off) % USERS };
        assert.deepEqual(ignoringErrors(broken([...history, other])), { foreign: 1 });
        const invented = { ...receipt, seq: 1000 };
        assert.deepEqual(ignoringErrors(broken([...history, invented])), { foreign: 1 });
      }),
    );
  });

  it('finds a user with two sessions', () => {
    const sessions = (count: number): Event[] => timed([{ kind: 'sessions', user: 3, count }]);
    assert.deepEqual(broken(sessions(1)), {});
    assert.deepEqual(broken(sessions(0)), {});
    assert.deepEqual(broken(sessions(2)), { twoSessions: 1 });
  });

  it('counts logins beyond the first of a user, and no resumptions', () => {
    const again = timed([
      { kind: 'login', user: 1 },
      { kind: 'resumed', user: 1 },
      { kind: 'login', user: 2 },
      { kind: 'login', user: 1 },
      { kind: 'login', user: 1, planned: true },
    ]);
    assert.equal(verdictOf(judge(again)).logins, 1);
  });
});

describe('what was stored while its recipient had no session', () => {
  const overtaken = (delayed: boolean, ended: boolean): Event[] =>
    timed([
      { kind: 'sent', from: 0, to: 1, seq: 1 },
      { kind: 'sent', from: 0, to: 1, seq: 2 },
      ...(ended ? [{ kind: 'ended', user: 1, unproven: [] } as const] : []),
      { kind: 'received', by: 1, from: 0, to: 1, seq: 2 },
      { kind: 'received', by: 1, from: 0, to: 1, seq: 1, ...(delayed ? ({ delayed: true } as const) : {}) },
    ]);

  it('may follow what came directly, if it says when it came', () => {
    assert.deepEqual(broken(overtaken(true, true)), {});
    assert.equal(judge(overtaken(true, true)).counts.stored, 1);
  });

  it('is out of order if it does not, or if there was a session all the time', () => {
    assert.deepEqual(broken(overtaken(false, true)), { reordered: 1 });
    assert.deepEqual(broken(overtaken(true, false)), { reordered: 1 });
  });
});

describe('what is lost with a killed server', () => {
  const message = { from: 0, to: 1, seq: 1 };
  const lost = (ended: number | undefined, step: Part): Event[] =>
    timed([
      { kind: 'sent', ...message },
      { kind: 'accepted', ...message },
      step,
      ...(ended === undefined ? [] : [{ kind: 'ended', user: ended, unproven: [] } as const]),
      { kind: 'recovered' },
    ]);

  it('is told apart where the kill ended the session of its recipient or sender', () => {
    for (const user of [0, 1]) {
      const { counts, steps } = judge(lost(user, KILL_NODE));
      assert.deepEqual(broken(lost(user, KILL_NODE)), {});
      assert.equal(counts.gone, 1);
      assert.equal(steps[1]?.gone, 1);
    }
  });

  it('is lost where it ended nobody else of them', () => {
    assert.deepEqual(broken(lost(undefined, KILL_NODE)), { lost: 1 });
    assert.deepEqual(broken(lost(2, KILL_NODE)), { lost: 1 });
  });

  it('is lost where only a gateway was killed', () => assert.deepEqual(broken(lost(1, KILL)), { lost: 1 }));

  it('is lost where it was accepted when all had recovered', () => {
    const late = [
      ...timed([KILL_NODE, { kind: 'ended', user: 1, unproven: [] }, { kind: 'recovered' }]),
      { at: 10, kind: 'sent', ...message } as const,
      { at: 11, kind: 'accepted', ...message } as const,
    ];
    assert.deepEqual(broken(late), { lost: 1 });
  });

  it('is gone where servers did not see each other, lost where it was accepted before', () => {
    const sent = [
      { kind: 'sent', ...message },
      { kind: 'accepted', ...message },
    ] as const;
    const during = timed([SPLIT, ...sent, { kind: 'recovered' }]);
    assert.deepEqual(broken(during), {});
    assert.equal(judge(during).counts.gone, 1);
    assert.deepEqual(broken(timed([...sent, SPLIT, { kind: 'recovered' }])), { lost: 1 });
  });
});

describe('the report', () => {
  const history = timed([
    { kind: 'login', user: 0 },
    KILL,
    { kind: 'sent', from: 0, to: 1, seq: 1 },
    { kind: 'accepted', from: 0, to: 1, seq: 1 },
    { kind: 'error', user: 0, what: 'HTTP 503' },
  ]);

  it('names the invariant, the message, the time, the step before it, and how to play it again', () => {
    const lines = describeRun(judge(history), 'make chaos CHAOS_SEED=7');
    assert.equal(
      lines[0],
      'lost: message 1 from user 0 to user 1, at 0.000 s, 0.000 s after step 1 (kill gateway 1)',
    );
    assert.ok(lines.includes('error: 1 × HTTP 503'));
    assert.equal(lines.at(-1), 'To play it again: make chaos CHAOS_SEED=7');
  });

  it('ends with what scripts read', () => {
    assert.equal(lastLine(verdictOf(judge(history))), 'errors 1 logins 0 lost 1 doubled 0 reordered 0');
  });

  it('is the same of a history that was written and read', () => {
    fc.assert(
      fc.property(faithful, (events) => {
        assert.deepEqual(fromLines(events.map(toLine).join('')), events);
      }),
    );
  });
});

const nameOf = ({ from, to, seq }: MessageId): string => `${from} ${to} ${seq}`;
const pairOf = ({ from, to }: MessageId): string => `${from} ${to}`;
const ignoringErrors = ({ errors: _, ...rest }: Record<string, number>): Record<string, number> => rest;
