/**
 * Ends a test file that hangs, so that no run of the tests ever does: `--import` it beside `--test`. A process that ends by itself
 * still ends the servers that it started; the test runner's own limit, which is longer, would leave them behind.
 */
import { writeSync } from 'node:fs';
import { after, afterEach, beforeEach } from 'node:test';

/** Between one test's begin or end and the next: many times what the longest takes on a busy machine. */
const SILENCE_MS = 300_000;
/** For what keeps the process alive behind its last test. */
const LINGER_MS = 60_000;

// Files alone are watched, not the runner that starts them.
if (process.env.NODE_TEST_CONTEXT?.startsWith('child')) watch();

function watch(): void {
  const running = new Set<string>();
  const giveUp = (why: string): void => {
    writeSync(
      2,
      `${process.argv[1]} hangs: ${why}; held by ${process.getActiveResourcesInfo().join(', ')}\n`,
    );
    process.exit(1);
  };
  const silence = setTimeout(() => {
    giveUp(running.size === 0 ? 'between two tests' : `in ${[...running].join(', ')}`);
  }, SILENCE_MS).unref();
  beforeEach(({ name }) => {
    running.add(name);
    silence.refresh();
  });
  afterEach(({ name }) => {
    running.delete(name);
    silence.refresh();
  });
  // Begun before the file's own, which stop its servers.
  after(() => setTimeout(() => giveUp('all tests are over'), LINGER_MS).unref());
}
