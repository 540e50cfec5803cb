/** A page of sessions from several nodes, some of which are slow or do not answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MegaphoneError } from '../../../src/errors.js';
import { Atom, binary, type Term, Tuple } from '../../../src/etf/terms.js';
import { ModuleSessions } from '../../../src/gateway/module-sessions.js';

const row = (user: string): Tuple =>
  new Tuple([...['1-a', user, '::1', 'bosh', 'established'].map(binary), 0, 2000, 60]);
/** All of a node. */
const told = (user: string): Tuple => new Tuple([[row(user)], new Atom('none'), 1]);
const nodes = ['a@h', 'b@h', 'c@h'].map((name) => ({ name, kind: 'module' as const, room: { sessions: 1 } }));

/** What each node answers, and what is asked of it. */
function sessionsOf(answers: Readonly<Record<string, () => Term>>, now?: () => number) {
  const asked: string[] = [];
  const node = {
    rpc: async (name: string, _module: string, _fun: string, args: readonly Term[]): Promise<Term> => {
      asked.push(`${args[1]}:${name}`);
      const answer = answers[name];
      if (!answer) throw new MegaphoneError('NODE_TIMEOUT', `${name} did not answer`, {});
      return answer();
    },
  };
  const sessions = new ModuleSessions(node, { nodes }, now);
  const page = (after = '') => sessions.page({ search: '', after, limit: 50 });
  return { asked, page };
}

const users = (page: { readonly sessions: readonly { readonly user: string }[] }): string[] =>
  page.sessions.map(({ user }) => user);

test('one node after the other, until all told theirs', async () => {
  const { asked, page } = sessionsOf({
    'a@h': () => told('a'),
    'b@h': () => told('b'),
    'c@h': () => told('c'),
  });
  const all = await page();
  assert.deepEqual(users(all), ['a', 'b', 'c']);
  assert.equal(all.next, null);
  assert.deepEqual(asked, ['0:a@h', '0:b@h', '0:c@h']);
});

test('a later node does not answer: what others told is a page; who goes on from there is told', async () => {
  const { page } = sessionsOf({ 'a@h': () => told('a'), 'c@h': () => told('c') });
  const first = await page();
  assert.deepEqual(users(first), ['a']);
  assert.equal(first.next, '0:b@h');
  await assert.rejects(page('0:b@h'), { code: 'GATEWAY_NO_LIST' });
  assert.deepEqual(users(await page('0:c@h')), ['c']);
});

test('a node tells some, for its sessions are busy: the next page goes on in it', async () => {
  const { page } = sessionsOf({ 'a@h': () => new Tuple([[row('a')], 731, 100]) });
  const first = await page();
  assert.deepEqual(users(first), ['a']);
  assert.equal(first.next, '731:a@h');
});

test('nodes are slow: the page ends in time, and the next one goes on behind it', async () => {
  let time = 0;
  const slow = (user: string) => (): Term => {
    time += 2_500;
    return told(user);
  };
  const { page } = sessionsOf({ 'a@h': slow('a'), 'b@h': slow('b'), 'c@h': slow('c') }, () => time);
  const first = await page();
  assert.deepEqual(users(first), ['a', 'b']);
  assert.equal(first.next, '0:c@h');
  assert.deepEqual(users(await page('0:c@h')), ['c']);
});
