/** A line reaches pages and chat by the ways of each; whoever it did not reach is named; Erlang's requests are read and answered. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { pino } from 'pino';
import type { Publication } from '../../../src/comet/ports.js';
import { MegaphoneError } from '../../../src/errors.js';
import { formatTerm } from '../../../src/etf/format.js';
import { atom, binary, type Term, tuple } from '../../../src/etf/terms.js';
import type { PeerKind } from '../../../src/gateway/cluster-node.js';
import { Faults } from '../../../src/observe/faults.js';
import { Chat } from '../../../src/outside/chat.js';
import { readTargets } from '../../../src/outside/line.js';
import { MAX_LINES, Requests } from '../../../src/outside/requests.js';
import { Speaker } from '../../../src/outside/speaker.js';

let published: Publication[] = [];
let calls: string[] = [];
let answer: () => Promise<Term> = async () => [];
let taken: () => Promise<void> = async () => {};
let nodes: { name: string; kind: PeerKind | undefined }[] = [];
const lines: string[] = [];
const log = pino({}, { write: (line) => lines.push(line) });
const counts = { said: 0, failed: 0 };
const node = {
  rpc: (name: string, module: string, fun: string, args: readonly Term[]) => {
    calls.push(`${name} ${module}:${fun} ${args.map((arg) => formatTerm(arg)).join(' ')}`);
    return answer();
  },
};
const desk = {
  publish: (items: readonly Publication[]) => {
    published.push(...items);
    return taken();
  },
};
const chat = new Chat(
  node,
  {
    get nodes() {
      return nodes;
    },
  },
  'ci@example.org',
);
const speaker = new Speaker(readTargets('#ops'), desk, chat, counts, new Faults(log), log);
const requests = new Requests(desk, speaker);

beforeEach(() => {
  published = [];
  calls = [];
  lines.length = 0;
  Object.assign(counts, { said: 0, failed: 0 });
  answer = async () => [atom('ok'), atom('ok')];
  taken = async () => {};
  nodes = [
    { name: 'a@h', kind: undefined },
    { name: 'b@h', kind: 'module' },
  ];
});

test('ids go to pages, in one message; users and rooms into chat, in one call of a node in service', async () => {
  assert.equal(await speaker.say('%1,@alice,%zwei,#room Hello'), undefined);
  assert.deepEqual(published, [{ ids: ['1', 'zwei'], body: Buffer.from('Hello'), meta: {} }]);
  assert.deepEqual(calls, [
    'b@h megaphone_outside:say [{user,<<"alice">>},{room,<<"room">>}] <<"ci@example.org">> <<"Hello">>',
  ]);
  assert.equal(await speaker.say('Hello'), undefined);
  assert.match(calls[1] ?? '', /\[\{room,<<"ops">>\}\]/);
  assert.deepEqual(counts, { said: 2, failed: 0 });
  assert.deepEqual(lines, []);
});

test('whom it did not reach is named with the reason, and nobody in the log', async () => {
  answer = async () => [
    tuple(atom('error'), atom('no_such_user')),
    tuple(atom('error'), atom('newer_reason')),
  ];
  assert.equal(
    await speaker.say('@alise,#room Hello'),
    '@alise: there is no such user; #room: newer_reason [OUTSIDE_NOT_SAID]',
  );
  answer = async () => atom('something_else');
  assert.match((await speaker.say('@bob Hello')) ?? '', /^@bob: ejabberd failed to deliver it/);
  assert.deepEqual(counts, { said: 0, failed: 2 });
  assert.equal(lines.length, 1);
  assert.doesNotMatch(lines.join(''), /alise|Hello|room/);
});

test('what fails for some is said to the others, and all of it is told in one line', async () => {
  taken = () => Promise.reject(new MegaphoneError('COMET_NO_ROUTER', 'no router', { hint: 'start one' }));
  nodes = [];
  const problem = await speaker.say('%1,@alice Hello');
  assert.match(
    problem ?? '',
    /^no router; no ejabberd node with mod_megaphone is in service \(start one\) \[COMET_NO_ROUTER\]$/,
  );
  assert.equal(published.length, 1);
  taken = () => Promise.reject(new TypeError('a fault'));
  assert.match((await speaker.say('%1 Hello')) ?? '', /\[GATEWAY_FAULT\]$/);
  assert.match((await speaker.say('%1')) ?? '', /^it has no text .*\[OUTSIDE_BAD_LINE\]$/);
  assert.match(
    (await speaker.say(new MegaphoneError('OUTSIDE_BAD_LINE', 'it is\nlong'))) ?? '',
    /^it is long \[OUTSIDE_BAD_LINE\]$/,
  );
  assert.deepEqual(counts, { said: 0, failed: 4 });
});

const asked = async (term: Term): Promise<string> => {
  const given = requests.answer(term);
  return given === undefined ? 'nothing of ours' : formatTerm(await given);
};

test('{publish, …} is read as `any` reads what anybody sends it, and answered when it was taken', async () => {
  const text = binary('Hello');
  const meta = new Map<Term, Term>([[atom('event'), binary('greeting')]]);
  const published_ = atom('publish');
  assert.equal(await asked(tuple(published_, 123, text)), 'ok');
  assert.equal(await asked(tuple(published_, [123, binary('a'), atom('b')], [72, binary('i')], meta)), 'ok');
  assert.deepEqual(published, [
    { ids: ['123'], body: Buffer.from('Hello'), meta: {} },
    { ids: ['123', 'a', 'b'], body: Buffer.from('Hi'), meta: { event: 'greeting' } },
  ]);
  for (const bad of [
    tuple(published_),
    tuple(published_, 1),
    tuple(published_, [], text),
    tuple(published_, binary(''), text),
    tuple(published_, tuple(), text),
    tuple(published_, [1, tuple()], text),
    tuple(published_, 1, tuple()),
    tuple(published_, 1, text, atom('meta')),
    tuple(published_, 1, text, new Map<Term, Term>([[atom('event'), binary('a\nb')]])),
    tuple(published_, 1, text, new Map<Term, Term>([[atom('event'), atom('gap')]])),
    tuple(published_, 1, text, new Map<Term, Term>([[atom('event'), binary('place')]])),
  ])
    assert.equal(await asked(bad), "{error,'OUTSIDE_BAD_PUBLICATION'}", formatTerm(bad));
  taken = () => Promise.reject(new MegaphoneError('COMET_OFF', 'off'));
  assert.equal(await asked(tuple(published_, 123, text)), "{error,'COMET_OFF'}");
  taken = () => Promise.reject(new TypeError('a fault'));
  await assert.rejects(asked(tuple(published_, 123, text)), /a fault/);
  for (const other of [atom('publish'), tuple(atom('lines')), tuple(), 7])
    assert.equal(await asked(other), 'nothing of ours');
});

test('{lines, […]} is answered line by line', async () => {
  const list = [binary('%1 one'), binary('%1'), atom('no line')];
  assert.equal(
    await asked(tuple(atom('lines'), list)),
    '[ok,{error,<<"it has no text (the text stands behind the addresses and a space) [OUTSIDE_BAD_LINE]">>},' +
      '{error,<<"it has no text (the text stands behind the addresses and a space) [OUTSIDE_BAD_LINE]">>}]',
  );
  const many = Array.from({ length: MAX_LINES + 1 }, () => binary('%1 x'));
  assert.equal(await asked(tuple(atom('lines'), many)), "{error,'OUTSIDE_TOO_MANY'}");
});
