/** When a connection ticks, and when its peer counts as silent. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { quarterOf, Ticks } from '../../../src/distribution/ticks.js';

describe('Ticks', () => {
  test('the default tick time of 60 s has quarters of 15 s', () => assert.equal(quarterOf(60), 15_000));

  test('an idle connection ticks every quarter, one that writes does not', () => {
    const ticks = new Ticks();
    assert.equal(ticks.quarter(1, 5), 'busy');
    assert.equal(ticks.quarter(2, 5), 'tick');
    assert.equal(ticks.quarter(3, 5), 'tick');
    assert.equal(ticks.quarter(4, 6), 'busy');
    assert.equal(ticks.quarter(5, 6), 'tick');
  });

  test('a peer is silent when nothing came for four quarters in a row', () => {
    const ticks = new Ticks();
    ticks.quarter(10, 1);
    for (let quarter = 1; quarter <= 3; quarter++) assert.equal(ticks.quarter(10, 1), 'tick');
    assert.equal(ticks.quarter(10, 1), 'silent');
  });

  test('a single byte in the fourth quarter saves it', () => {
    const ticks = new Ticks();
    for (let quarter = 0; quarter <= 3; quarter++) ticks.quarter(10, 1);
    for (let quarter = 0; quarter <= 3; quarter++) assert.equal(ticks.quarter(11, 1), 'tick');
    assert.equal(ticks.quarter(11, 1), 'silent');
  });

  test('writing does not make up for a peer that says nothing', () => {
    const ticks = new Ticks();
    for (let quarter = 0; quarter <= 3; quarter++) assert.equal(ticks.quarter(0, quarter), 'busy');
    assert.equal(ticks.quarter(0, 9), 'silent');
  });
});
