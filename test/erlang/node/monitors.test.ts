/** What a real Erlang's monitors and links on our pids and names get when these end. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { atom, Pid, type Term } from '../../../src/etf/terms.js';
import type { HiddenNode } from '../../../src/node/hidden-node.js';
import { Cluster, NODE, PEER } from './cluster.js';

describe('monitors and links', { timeout: 120_000 }, () => {
  let cluster: Cluster;
  let erl: Erl;
  let node: HiddenNode;
  /** A living pid of ours, another one for every test. */
  let mine: Pid;
  const alive = new Set<number>();

  before(async () => {
    cluster = await Cluster.start();
    erl = await cluster.erl();
    node = await cluster.node();
    node.adoptPids({ deliver: () => {}, isAlive: (pid) => alive.has(pid.id) });
    await node.connect(PEER);
  });
  after(() => cluster.stop());
  beforeEach(() => {
    mine = new Pid(NODE, (mine?.id ?? 0) + 1, 0, node.creation);
    alive.add(mine.id);
  });

  function exit(pid: Pid, reason: Term): void {
    alive.delete(pid.id);
    node.exited(pid, reason);
  }

  /** An expression for our pid. */
  const ours = (pid: Pid): string =>
    `binary_to_term(base64:decode("${encodeVersioned(pid).toString('base64')}"))`;

  /**
   * Evaluates `expression` in the peer. It has to call `Ready()`, which lets `then` run here; what the peer sent
   * before has been dealt with by then, as signals of one connection keep their order.
   */
  function whileWaiting(expression: string, then: () => void): Promise<string> {
    node.register('ready', {
      deliver: () => {
        node.unregister('ready');
        then();
      },
    });
    return erl.text(`Ready = fun() -> {ready, '${NODE}'} ! ready end, Pid = ${ours(mine)}, ${expression}`);
  }

  test('a monitored pid of ours that ends is reported with its reason', async () => {
    const expression =
      'M = monitor(process, Pid), Ready(), receive {_, M, process, Pid, Reason} -> Reason end';
    assert.equal(await whileWaiting(expression, () => exit(mine, atom('answered'))), 'answered');
  });

  test('a monitored name of ours that ends is reported with the name', async () => {
    node.register('hub', { deliver: () => {} });
    const expression = `M = monitor(process, {hub, '${NODE}'}), Ready(),
      receive {_, M, process, Name, Reason} -> {Name, Reason} end`;
    assert.equal(
      await whileWaiting(expression, () => node.unregister('hub', atom('shutdown'))),
      `{{hub,${NODE}},shutdown}`,
    );
  });

  test('a monitor on a pid or a name of ours that is not there is answered noproc', async () => {
    alive.delete(mine.id);
    const expression = `M = monitor(process, ${ours(mine)}), N = monitor(process, {nobody, '${NODE}'}),
      receive {_, M, _, _, A} -> receive {_, N, _, _, B} -> {A, B} end end`;
    assert.equal(await erl.text(expression), '{noproc,noproc}');
  });

  test('a monitor that was taken back is not fired', async () => {
    const expression = `M = monitor(process, Pid), true = demonitor(M), Ready(),
      receive stop -> ok; Other -> Other end`;
    const waiting = whileWaiting(`register(quiet, self()), ${expression}`, () => {
      exit(mine, atom('answered'));
      // Behind what may have been sent by mistake.
      node.sendToName(PEER, 'quiet', encodeVersioned(atom('stop')));
    });
    assert.equal(await waiting, 'ok');
  });

  test('a process linked to a pid of ours gets its exit', async () => {
    const expression = `process_flag(trap_exit, true), link(Pid), Ready(),
      receive {'EXIT', Pid, Reason} -> Reason end`;
    assert.equal(await whileWaiting(expression, () => exit(mine, atom('gone'))), 'gone');
  });

  test('a link to a dead pid of ours is answered noproc', async () => {
    alive.delete(mine.id);
    const expression = `process_flag(trap_exit, true), P = ${ours(mine)}, link(P), receive {'EXIT', P, R} -> R end`;
    assert.equal(await erl.text(expression), 'noproc');
  });

  test('a process that has unlinked itself is not told, and can link itself again', async () => {
    const expression = `process_flag(trap_exit, true), register(quiet, self()),
      link(Pid), unlink(Pid), Ready(), receive stop -> ok; Other -> Other end`;
    const waiting = whileWaiting(expression, () => {
      exit(mine, atom('gone'));
      node.sendToName(PEER, 'quiet', encodeVersioned(atom('stop')));
    });
    assert.equal(await waiting, 'ok');
    alive.add(mine.id);
    const again = `process_flag(trap_exit, true), link(Pid), unlink(Pid), link(Pid), Ready(),
      receive {'EXIT', Pid, Reason} -> Reason end`;
    assert.equal(await whileWaiting(again, () => exit(mine, atom('second'))), 'second');
  });

  test('exit signals to our pids, group leaders and such change nothing', async () => {
    const expression = `exit(Pid, kill), group_leader(self(), Pid), Ready(), still_there`;
    assert.equal(
      await erl.text(`Pid = ${ours(mine)}, Ready = fun() -> ok end, ${expression}`),
      'still_there',
    );
    assert.equal(await node.ping(PEER), true);
  });

  const endings = [
    ['exits', 'exit(oops)', 'oops'],
    ['ends', 'ok', 'normal'],
    ['is killed', 'exit(self(), kill)', 'killed'],
  ] as const;
  for (const [what, code, reason] of endings) {
    test(`a name we monitor is reported when its process ${what}`, async () => {
      await erl.evaluate(`register(watched, spawn(fun() -> receive go -> ${code} end end))`);
      const down = new Promise((resolve) => node.monitor(PEER, 'watched', resolve));
      node.sendToName(PEER, 'watched', encodeVersioned(atom('go')));
      assert.deepEqual(await down, atom(reason));
    });
  }

  test('a name that is not there is reported noproc, one of an unknown node noconnection', async () => {
    assert.deepEqual(await new Promise((resolve) => node.monitor(PEER, 'nobody', resolve)), atom('noproc'));
    const unknown = new Promise((resolve) => node.monitor('other@localhost', 'hub', resolve));
    assert.deepEqual(await unknown, atom('noconnection'));
  });

  test('a pid we monitor is reported', async () => {
    const pid = await erl.evaluate('spawn(fun() -> receive go -> exit({a, reason}) end end)');
    assert.ok(pid instanceof Pid);
    const down = new Promise((resolve) => node.monitor(pid.node, pid, resolve));
    node.send(pid, encodeVersioned(atom('go')));
    assert.equal((await down)?.constructor.name, 'Tuple');
  });

  test('a monitor of ours that was taken back is gone there too', async () => {
    await erl.evaluate('register(steady, spawn(fun() -> receive stop -> ok end end))');
    const demonitor = node.monitor(PEER, 'steady', () => assert.fail('was taken back'));
    await node.ping(PEER);
    assert.notEqual(await erl.text('process_info(whereis(steady), monitored_by)'), '{monitored_by,[]}');
    demonitor();
    await node.ping(PEER);
    assert.equal(await erl.text('process_info(whereis(steady), monitored_by)'), '{monitored_by,[]}');
    await erl.evaluate('steady ! stop');
    await node.ping(PEER);
  });

  test('a lost connection is noconnection on both sides', async () => {
    const down = new Promise((resolve) => node.monitor(PEER, 'kernel_sup', resolve));
    const expression =
      'M = monitor(process, Pid), Ready(), receive {_, M, process, Pid, Reason} -> Reason end';
    const theirs = whileWaiting(expression, () => void erl.evaluate(`erlang:disconnect_node('${NODE}')`));
    assert.equal(await theirs, 'noconnection');
    assert.deepEqual(await down, atom('noconnection'));
  });
});
