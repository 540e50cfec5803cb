/** What `make unit` prints: a dot for each test, for each that fails its file, its name and why, and a line at the end. */
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

const DOTS_A_LINE = 100;

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const totals = new Map<string, number>();
  let dots = 0;
  for await (const { type, data } of events) {
    switch (type) {
      case 'test:pass':
        if (data.details.type !== 'suite') yield ++dots % DOTS_A_LINE === 0 ? '.\n' : '.';
        break;
      case 'test:fail': {
        const { failureType, cause } = data.details.error as Error & { failureType?: string };
        // What contains a test that failed; the test itself has been told.
        if (failureType === 'subtestsFailed') break;
        const name = data.name === data.file ? 'does not run to its end' : data.name;
        yield `\n✖ ${sourceOf(data.file)}: ${name}\n${reason(cause)}\n`;
        dots = 0;
        break;
      }
      case 'test:stdout':
      case 'test:stderr':
        yield data.message;
        break;
      case 'test:diagnostic': {
        const [, name = '', value] = /^(\w+) ([\d.]+)$/.exec(data.message) ?? [];
        if (data.nesting === 0 && value !== undefined) totals.set(name, Number(value));
        break;
      }
    }
  }
  const of = (name: string) => totals.get(name) ?? 0;
  const bad = of('fail') + of('cancelled');
  const skipped = of('skipped') === 0 ? '' : `, ${of('skipped')} skipped`;
  const seconds = (of('duration_ms') / 1000).toFixed(1);
  yield `\n${of('tests')} tests, ${bad === 0 ? 'none' : bad} failed${skipped}, ${seconds} s\n`;
}

/** A test runs as it was compiled, and is mended where it was written. */
function sourceOf(file = ''): string {
  return relative('', file)
    .replace(/^dist\//, '')
    .replace(/\.js$/, '.ts');
}

/** Without the frames of Node.js. */
function reason(cause: unknown): string {
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  const lines = text.split('\n').filter((line) => !/^ +at .*\(?node:/.test(line));
  return lines.map((line) => `    ${line}`).join('\n');
}
