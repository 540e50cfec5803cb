/** The ways in from outside, by the program as an operator runs it: POST /publish, `megaphone publish`, `megaphone cat`, and lines by nc. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from '../../../scripts/support/epmd.js';
import type { Erl } from '../../../scripts/support/erl.js';
import { printed } from '../../ejabberd/support/printed.js';
import { until } from '../../support/until.js';
import { startApplication } from '../comet/support.js';
import { type Program, Workplace } from './program.js';
import { Cluster, loadModule, play } from './support.js';

const TOKEN = 'correct-horse-battery-staple';
const sh = promisify(execFile);
const THIS = 'test/erlang/gateway/outside.test.ts';
const [[PUBLISH = '', PUBLISH_INPUT = ''] = [], [OVER_HTTP = ''] = []] = printed('docs/comet.md', THIS);
const [[CAT = ''] = [], [NC = ''] = []] = printed('docs/outside.md', THIS);

let cluster: Cluster;
let erl: Erl;
let workplace: Workplace;
let http: number;
let admin: number;
let lines: number;
let page: Page;

/** `megaphone_outside:say/3` of ejabberd's side: what it is asked is kept, and nobody is called alise. */
const OUTSIDE = `
  Forms = [
    {attribute, 1, module, megaphone_outside},
    {attribute, 1, export, [{say, 3}]},
    {function, 1, say, 3, [{clause, 1, [{var, 1, 'To'}, {var, 1, 'From'}, {var, 1, 'Text'}], [], [
      {op, 1, '!', {atom, 1, said}, {tuple, 1, [{var, 1, 'To'}, {var, 1, 'From'}, {var, 1, 'Text'}]}},
      {lc, 1,
        {'case', 1, {call, 1, {atom, 1, element}, [{integer, 1, 2}, {var, 1, 'One'}]}, [
          {clause, 1, [{bin, 1, [{bin_element, 1, {string, 1, "alise"}, default, default}]}], [],
            [{tuple, 1, [{atom, 1, error}, {atom, 1, no_such_user}]}]},
          {clause, 1, [{var, 1, '_'}], [], [{atom, 1, ok}]}]},
        [{generate, 1, {var, 1, 'One'}, {var, 1, 'To'}}]}]}]}],
  {ok, Name, Beam} = compile:forms(Forms),
  {module, _} = code:load_binary(Name, "megaphone_outside.beam", Beam),
  Keep = fun Keep(All) -> receive {all, Who} -> Who ! {all, lists:reverse(All)}, Keep(All); One -> Keep([One | All]) end end,
  register(said, spawn(fun() -> Keep([]) end)),
  ok`;
const said = (): Promise<string> => erl.text('said ! {all, self()}, receive {all, All} -> All end');

/** What an event source of 123 is sent. */
class Page {
  heard = '';
  readonly #abort = new AbortController();

  static async open(port: number): Promise<Page> {
    const page = new Page();
    const response = await fetch(`http://127.0.0.1:${port}/comet/123`, {
      headers: { accept: 'text/event-stream' },
      signal: page.#abort.signal,
    });
    assert.equal(response.status, 200);
    void page.#read(response);
    return page;
  }

  async #read({ body }: Response): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const piece of body ?? [])
        this.heard += decoder.decode(piece as Uint8Array, { stream: true });
    } catch {
      // It was closed.
    }
  }

  close(): void {
    this.#abort.abort();
  }

  /** The data of its events, in their order. */
  get texts(): string[] {
    return this.heard.split('\n').flatMap((line) => (/^data: ./.test(line) ? [line.slice(6)] : []));
  }

  hears = (text: string): Promise<void> => until(() => this.texts.includes(text));
}

before(async () => {
  cluster = await Cluster.start();
  erl = await cluster.erl('ejabberd', ['-pa', 'dist/erl/megaphone_comet/ebin']);
  await loadModule(erl);
  await play(erl);
  await erl.evaluate(OUTSIDE);
  [http, admin, lines] = [await freePort(), await freePort(), await freePort()];
  workplace = new Workplace({
    ...{ node: 'megaphone@localhost', ...cluster.settings, http_port: http, comet_anyone: true },
    ...{ admin_port: admin, lines_port: lines, lines_default: '"#ops"', lines_from: 'ci@example.org' },
  });
  writeFileSync(workplace.file('token'), TOKEN, { mode: 0o400 });
  const program = workplace.run(['start', '--admin-token-file', workplace.file('token')]);
  await program.shows(/ejabberd@localhost is in service/);
  page = await Page.open(http);
});
after(async () => {
  page?.close();
  await workplace?.remove();
  await cluster?.stop();
});

/** A command that is given this on its standard input. @returns what it printed, and its exit code */
async function run(args: readonly string[], input?: string): Promise<string> {
  const program: Program = workplace.run(args);
  program.child.stdin?.end(input ?? '');
  const code = await program.ends();
  return `${program.output}${code}`;
}

/** As the documents print it, with a shell; `megaphone` is the program here. */
async function shell(command: string): Promise<string> {
  const { stdout, stderr } = await sh(
    'sh',
    ['-c', `megaphone() { "${process.execPath}" "${workplace.main}" "$@"; }; ${command}`],
    {
      cwd: workplace.directory,
      env: { PATH: process.env.PATH, TOKEN },
    },
  );
  return stdout + stderr;
}

test('a process calls {publish, …} and hears ok; a page of the id gets it', async () => {
  const call = (request: string): Promise<string> =>
    erl.text(`gen_server:call({megaphone, 'megaphone@localhost'}, ${request})`);
  assert.equal(await call('{publish, 123, <<"from a process">>}'), 'ok');
  await page.hears('from a process');
  assert.equal(await call('{publish, [122, <<"123">>], "to several", #{event => <<"greeting">>}}'), 'ok');
  await page.hears('to several');
  assert.match(page.heard, /event: greeting\n/);
  assert.equal(await call('{publish, {}, <<"to nobody">>}'), "{error,'OUTSIDE_BAD_PUBLICATION'}");
});

test('megaphone publish sends a text, its own or that of its input, and is silent', async () => {
  assert.equal(await shell(PUBLISH), '');
  await page.hears('Backup done');
  assert.match(page.heard, /event: backup\n/);
  assert.equal(await shell(PUBLISH_INPUT), '');
  await until(() => page.texts.some((text) => text.startsWith('Filesystem')));
});

test('megaphone publish says why nobody took it', async () => {
  assert.match(await run(['publish', '123']), /what, and to whom\?.*\[CONFIG_USAGE\][\s\S]*1$/);
  assert.match(await run(['publish', '123', 'Backup', 'done']), /done is too much: .*quotes[\s\S]*1$/);
  assert.match(await run(['publish', '', 'x']), /an id has 1 to 255 bytes[\s\S]*1$/);
  assert.match(
    await run(['publish', '123', 'x', '--node', 'nobody@localhost']),
    /EPMD_NOT_REGISTERED[\s\S]*1$/,
  );
});

test('POST /publish with the token, as the documents print it', async () => {
  const command = OVER_HTTP.replace('9080', `${admin}`);
  assert.equal(await shell(command.replace('Backup done', 'over HTTP')), 'Published\n');
  await page.hears('over HTTP');
  assert.match(await shell(command.replace('$TOKEN', 'wrong')), /That is not the token/);
});

test('lines go to rooms, users and pages, by megaphone cat and by nc; only what is wrong is told', async () => {
  assert.equal(await shell(CAT), '');
  await until(() => page.texts.filter((text) => text === 'Backup done').length === 2);
  assert.equal(await shell(NC.replace('12345', `${lines}`)), '');
  assert.equal(await shell(`printf '%%123 one\\n%%123 two' | nc -N 127.0.0.1 ${lines}`), '');
  await page.hears('two');
  await until(async () => (await said()).includes('ops'));
  assert.equal(
    await said(),
    '[{[{room,<<"room">>},{user,<<"alice">>}],<<"ci@example.org">>,<<"Backup done">>},' +
      '{[{room,<<"ops">>}],<<"ci@example.org">>,<<"Backup done">>}]',
  );
  const bad = '%123 good\n@alise,%123 half\n@ bad\n';
  const told = [
    'line 2: @alise: there is no such user [OUTSIDE_NOT_SAID]',
    'line 3: "@" is no address (addresses are #room, @user and %ID, with commas between them) [OUTSIDE_BAD_LINE]',
  ].join('\n');
  assert.equal(await run(['cat'], bad), `${told}\n1`);
  assert.equal(
    await shell(`printf '%%123 good\\n@alise,%%123 half\\n@ bad\\n' | nc -N 127.0.0.1 ${lines}`),
    `${told}\n`,
  );
  assert.equal(page.texts.filter((text) => text === 'half').length, 2);
});

test('of several workers the primary takes publications and lines, and one of them has them done', async () => {
  const [port, other, pages] = [await freePort(), await freePort(), await freePort()];
  const flags = ['--node', 'several@localhost', '--http-port', `${pages}`, '--workers', '2'];
  const program = workplace.run([
    ...['start', ...flags, '--admin-port', `${port}`, '--lines-port', `${other}`],
    ...['--admin-token-file', workplace.file('token')],
  ]);
  await program.shows(/several-2@localhost/);
  const body = '{"items": [{"channel": "123", "formats": {"http-stream": {"content": "grün"}}}]}';
  const url = `http://127.0.0.1:${port}/publish`;
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}` },
    body,
  });
  // Neither reaches the pages of the other without a node that has megaphone_comet.
  assert.equal(answer.status, 503);
  assert.match(await answer.text(), /"code":"COMET_NO_ROUTER"/);
  assert.match(await run(['publish', '123', 'x', ...flags]), /workers[\s\S]*COMET_NO_ROUTER[\s\S]*1$/);
  await startApplication(erl);
  const far = await Page.open(pages);
  const published = async (): Promise<number> =>
    (await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body })).status;
  // Each worker is welcome at the router in its own time.
  await until(async () => (await published()) === 200 && far.texts.includes('grün'));
  far.close();
  await until(async () => /^$/.test(await shell(`echo "@bob from several" | nc -N 127.0.0.1 ${other}`)));
  assert.match(await said(), /from several/);
});
