/**
 * Writes docs/conformance.md to standard output: each case through the gateway and, on the same server,
 * through ejabberd's own endpoints. Takes about three minutes; its progress goes to standard error.
 */
import { AssertionError } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { Case } from './case.js';
import { startInstance } from './configure.js';
import { type Part, parts } from './parts.js';

/** A held request is answered in `wait`, 60 s; none of the cases waits for that. */
const PATIENCE_SECONDS = 15;

/** What each case came to: undefined where it passed, else what was seen instead. */
type Outcomes = readonly (string | undefined)[];

interface Result {
  readonly part: Part;
  readonly ours: Outcomes;
  readonly own: Outcomes;
}

const instance = await startInstance();
try {
  const results: Result[] = [];
  for (const part of parts) {
    const ours = await outcomes(`${part.title}, Megaphone`, part, part.ours(instance));
    const own = await outcomes(`${part.title}, ejabberd's own`, part, part.own(instance));
    results.push({ part, ours, own });
  }
  const version = (await instance.ctl('status')).match(/ejabberd (\S+) is running/)?.[1];
  process.stdout.write(document(`${version}`, results));
} finally {
  await instance.stop();
}

async function outcomes(name: string, { cases }: Part, url: string): Promise<Outcomes> {
  const results: (string | undefined)[] = [];
  const queue = [...cases.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      results[next[0]] = await outcome(next[1], url);
      process.stderr.write(
        `${process.stderr.isTTY ? '\r' : '\n'}${name}: ${cases.length - queue.length} of ${cases.length}`,
      );
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  process.stderr.write('\n');
  return results;
}

async function outcome({ run }: Case, url: string): Promise<string | undefined> {
  const patience = sleep(PATIENCE_SECONDS * 1000).then(() => 'held, or never answered');
  const result = run(url, instance).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? seen(error) : String(error)),
  );
  return Promise.race([result, patience]);
}

function seen(error: Error): string {
  if (!(error instanceof AssertionError)) return error.message.slice(0, 80);
  const { actual, expected } = error;
  const show = (value: unknown): string =>
    (value === undefined ? 'none' : inspect(value, { depth: 1, breakLength: Infinity })).slice(0, 80);
  return actual === undefined || typeof actual !== 'object'
    ? `${show(actual)} for ${show(expected)}`
    : show(actual);
}

function document(version: string, results: readonly Result[]): string {
  return `# Conformance

What specifications ask of a server, case by case. Each line is a test, run against one ejabberd ${version}: through the gateway
and \`mod_megaphone\`, and through ejabberd's own endpoint; what that did instead stands behind the mark. \`make conformance\`
makes this page anew, and \`test/ejabberd/conformance.test.ts\` runs its lines with all other tests.

| | cases | Megaphone passes | ejabberd's own passes |
|---|---|---|---|
${results.map(summary).join('\n')}

${results.map(section).join('\n\n')}
`;
}

function passed(outcomes: Outcomes): number {
  return outcomes.filter((outcome) => outcome === undefined).length;
}

function summary({ part: { title, cases }, ours, own }: Result): string {
  const anchor = title.toLowerCase().replaceAll(' ', '-');
  return `| [${title}](#${anchor}) | ${cases.length} | ${passed(ours)} | ${passed(own)} |`;
}

function section({ part: { title, file, about, cases }, ours, own }: Result): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
  const mark = (outcome: string | undefined): string => (outcome === undefined ? '✔' : `✘ ${cell(outcome)}`);
  const rows = cases.map(
    ({ section, name }, i) => `| ${section} | ${cell(name)} | ${mark(ours[i])} | ${mark(own[i])} |`,
  );
  return `## ${title}

${about} The cases: \`test/ejabberd/conformance/${file}\`.

| Section | What | Megaphone | ejabberd's own |
|---|---|---|---|
${rows.join('\n')}`;
}
