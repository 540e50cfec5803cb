/** The lines of the log that the dashboard shows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { MegaphoneError } from '../../../src/errors.js';
import { Door } from '../../../src/gateway/door.js';
import { AddressLimits } from '../../../src/http/address-limits.js';
import { loggerOptions } from '../../../src/observe/log.js';
import { newest, noting, Warnings } from '../../../src/observe/warnings.js';

function logging(worker?: string) {
  const warnings = new Warnings();
  const lines: string[] = [];
  const log = pino(loggerOptions('trace', worker), noting(warnings, { write: (line) => lines.push(line) }));
  return { warnings, lines, log };
}

test('what is below a warning is written and not kept', () => {
  const { warnings, lines, log } = logging();
  for (const level of ['trace', 'debug', 'info'] as const) log[level]('nothing');
  assert.equal(lines.length, 3);
  assert.deepEqual(warnings.latest, []);
});

test('an error of ours is kept with its code and what mends it', () => {
  const { warnings, lines, log } = logging('w-1@h');
  const err = new MegaphoneError('NODE_UNREACHABLE', 'a@h cannot be reached', {
    node: 'a@h',
    hint: 'start it',
  });
  log.error({ err }, 'replacing a worker');
  log.warn({ node: 'b@h', code: 'EPMD_GONE', hint: 'see', count: 3 }, 'out of service');
  assert.equal(lines.length, 2);
  const [first, second] = warnings.latest;
  assert.ok(first && Math.abs(first.at - Date.now() / 1000) < 60);
  assert.deepEqual(
    { ...first, at: 0 },
    {
      at: 0,
      level: 'error',
      text: 'replacing a worker: a@h cannot be reached',
      code: 'NODE_UNREACHABLE',
      hint: 'start it',
      node: 'a@h',
      worker: 'w-1@h',
    },
  );
  assert.deepEqual(
    { ...second, at: 0 },
    {
      at: 0,
      level: 'warn',
      text: 'out of service',
      code: 'EPMD_GONE',
      hint: 'see',
      node: 'b@h',
      worker: 'w-1@h',
      count: 3,
    },
  );
});

test('few are kept, and short; of several processes the newest', () => {
  const { warnings, log } = logging();
  for (let count = 0; count < 100; count += 1) log.fatal({ err: new Error('y'.repeat(10_000)) }, `x${count}`);
  assert.equal(warnings.latest.length, 20);
  assert.match(warnings.latest.at(-1)?.text ?? '', /^x99: y+$/);
  assert.ok(JSON.stringify(warnings.latest).length < 20_000);
  const old = { at: 1, level: 'warn', text: 'old' } as const;
  assert.deepEqual(
    newest([old, { ...old, at: 3 }], [{ ...old, at: 2 }]).map(({ at }) => at),
    [1, 2, 3],
  );
  assert.equal(
    newest(warnings.latest, [old]).some(({ text }) => text === 'old'),
    false,
  );
});

test("no line that a client can cause names its address but in a field, which viewers don't see", () => {
  const address = '192.0.2.77';
  const { warnings, lines, log } = logging();
  const door = new Door(
    { failedLogins: { burst: 1, perSecond: 0.01 }, exemptNetworks: [], trustedProxies: [] },
    { now: 0 },
    log,
  );
  door.failedLogin(address);
  door.banned(address, 60);
  const limits = new AddressLimits(
    {
      maxConnectionsPerAddress: 1,
      maxRequestsPerAddress: { burst: 1, perSecond: 0.01 },
      exemptNetworks: [],
      trustedProxies: [],
    },
    log,
  );
  limits.enter(address);
  assert.equal(limits.hasRoom(address), false);
  const request = { address, forwardedFor: '', client: { ip: address } };
  assert.equal(limits.wait(request, 0), 0);
  assert.notEqual(limits.wait(request, 0), 0);
  assert.equal(lines.length, 4);
  for (const line of lines) assert.equal((JSON.parse(line) as { address?: string }).address, address);
  assert.ok(!JSON.stringify(warnings.latest).includes(address));
});
