/** The small parts that the benchmarks share: sections of documents, axes, medians of rounds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replaceSection } from './publish.js';
import { ratioOf, spreadOf, spreadText } from './rounds.js';
import { roundUp } from './svg-chart.js';

test('replaces a section between its markers and nothing else', () => {
  const document = 'a\n<!-- x -->\nold\n<!-- /x -->\nb <!-- y --><!-- /y -->';
  const once = replaceSection(document, 'x', 'new');
  assert.equal(once, 'a\n<!-- x -->\nnew\n<!-- /x -->\nb <!-- y --><!-- /y -->');
  assert.equal(replaceSection(once, 'x', 'new'), once);
  assert.throws(() => replaceSection(document, 'z', 'new'), /no <!-- z -->/);
});

test('ends an axis at a round number', () => {
  assert.deepEqual([1, 1.5, 37, 61, 95, 100.1].map(roundUp), [1, 2, 40, 80, 100, 200]);
});

test('takes the middle of the rounds', () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, low: 1, high: 3 });
  assert.deepEqual(spreadOf([4, 1, 2, 3]), { median: 2.5, low: 1, high: 4 });
});

test('compares what was measured in the same round', () => {
  // The medians alone would say 1.00.
  assert.equal(spreadText(ratioOf([10, 20, 60], [20, 10, 40])), '1.50 (0.50–2.00)');
  assert.equal(spreadText(ratioOf([], [])), '');
});
