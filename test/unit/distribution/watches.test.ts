/** What a peer's monitors and links on us may take, and when they count as the same. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Watches } from '../../../src/distribution/watches.js';
import { Pid, Reference } from '../../../src/etf/terms.js';

const watcher = new Pid('e@h', 4, 5, 6);
const monitor = (n: number, target: Pid | string) =>
  ({ kind: 'monitor', target, watcher, ref: new Reference('e@h', 6, [n, 0, 0]) }) as const;

describe('Watches', () => {
  test('a name that looks like a pid is another target', () => {
    const watches = new Watches();
    watches.add(monitor(1, '1.2'));
    assert.deepEqual([...watches.take(new Pid('m@h', 1, 2, 3))], []);
    assert.equal([...watches.take('1.2')].length, 1);
  });

  test('adding one twice is adding it once, removing one that is not there is nothing', () => {
    const watches = new Watches();
    watches.add(monitor(1, 'hub'));
    watches.add(monitor(1, 'hub'));
    watches.remove(monitor(2, 'hub'));
    watches.remove(monitor(1, 'other'));
    assert.equal([...watches.take('hub')].length, 1);
    assert.equal([...watches.take('hub')].length, 0);
  });

  test('a peer cannot fill our memory with them, and room that was given back counts', () => {
    const watches = new Watches(2);
    watches.add(monitor(1, 'a'));
    watches.add(monitor(2, 'b'));
    assert.throws(() => watches.add(monitor(3, 'c')), { code: 'LINK_TOO_MANY_WATCHES' });
    watches.take('a');
    watches.add(monitor(3, 'c'));
    watches.remove(monitor(3, 'c'));
    watches.add(monitor(4, 'd'));
    assert.throws(() => watches.add(monitor(5, 'e')), { code: 'LINK_TOO_MANY_WATCHES' });
  });
});
