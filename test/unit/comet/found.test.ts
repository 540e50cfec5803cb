/** Nodes that routers know of are kept connected, until none has named them for a minute. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Found } from '../../../src/comet/found.js';
import { FakeGatewayNode } from './fake-routers.js';

test('what routers name is kept, and let go a minute after the last word of it', () => {
  const node = new FakeGatewayNode('g@localhost', []);
  const found = new Found(node.asNode, new Set(['seed@localhost']));
  const kept = () => [...node.kept.keys()];
  found.tick(0);
  found.told('seed@localhost', ['seed@localhost', 'r1@localhost', 'g@localhost']);
  found.told('r1@localhost', ['r1@localhost', 'r2@localhost']);
  assert.deepEqual(kept(), ['r1@localhost', 'r2@localhost']);
  assert.deepEqual([...found.named], ['seed@localhost', 'r1@localhost', 'r2@localhost']);
  found.tick(100);
  assert.deepEqual(kept(), ['r1@localhost', 'r2@localhost']);
  // Its own link breaks, and the other one says that it is gone.
  found.lost('r1@localhost');
  found.tick(150);
  assert.deepEqual(kept(), ['r1@localhost', 'r2@localhost']);
  found.tick(161);
  assert.deepEqual(kept(), ['r1@localhost']);
  found.told('seed@localhost', ['seed@localhost']);
  found.tick(222);
  assert.deepEqual(kept(), []);
});
