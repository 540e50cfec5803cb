/**
 * Writes docs/conformance.md to standard output: each case through the gateway and, on the same server,
 * through ejabberd's own BOSH. Takes about two minutes; its progress goes to standard error.
 */
import { AssertionError } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { startInstance } from './configure.js';
import { type Case, cases } from './rows.js';

/** A held request is answered in `wait`, 60 s; none of the cases waits for that. */
const PATIENCE_SECONDS = 15;

const instance = await startInstance();
try {
  const ours = await outcomes('Megaphone', instance.gatewayUrl);
  const own = await outcomes("ejabberd's own", instance.ejabberdUrl);
  const version = (await instance.ctl('status')).match(/ejabberd (\S+) is running/)?.[1];
  process.stdout.write(document(`${version}`, ours, own));
} finally {
  await instance.stop();
}

/** What each case came to: undefined where it passed, else what was seen instead. */
async function outcomes(name: string, url: string): Promise<(string | undefined)[]> {
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

function document(version: string, ours: (string | undefined)[], own: (string | undefined)[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
  const mark = (result: string | undefined): string => (result === undefined ? '✔' : `✘ ${cell(result)}`);
  const passed = (results: (string | undefined)[]): number =>
    cases.filter((_, i) => results[i] === undefined).length;
  const rows = cases.map(
    ({ section, name }, i) => `| ${section} | ${cell(name)} | ${mark(ours[i])} | ${mark(own[i])} |`,
  );
  return `# Conformance

What XEP-0124 (version 1.11.2) and XEP-0206 ask of a connection manager, and what users of connection managers hit in
the field. Each line is a test over HTTP (\`test/ejabberd/conformance/rows.ts\`), run against one ejabberd ${version}:
through the gateway and \`mod_megaphone\`, and through ejabberd's own \`mod_bosh\`. Megaphone passes ${passed(ours)} of
${cases.length}, ejabberd's own ${passed(own)}; what it did instead stands behind the mark. \`make conformance\` makes
this page anew.

| Section | What | Megaphone | ejabberd's own |
|---|---|---|---|
${rows.join('\n')}
`;
}
