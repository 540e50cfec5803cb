/**
 * Chat and the world behind it: lines from outside that become messages of users and rooms, the recipes of docs/outside.md, and
 * events that go out, to a process and to a server that goes away and comes back.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Instance } from '../../scripts/support/instance.js';
import { addModule, setModuleOptions } from '../../scripts/support/module-options.js';
import { freePorts } from '../../scripts/support/ports.js';
import { root } from '../../scripts/support/root.js';
import { happens, until } from '../support/until.js';
import { BoshSession, message, ping } from './conformance/bosh-session.js';
import { printed } from './support/printed.js';
import { ServerNode } from './support/server-node.js';

let instance: Instance;
let server: ServerNode;
before(async () => {
  instance = await Instance.start();
  server = await ServerNode.connect(instance);
});
after(async () => {
  await server.stop();
  await instance.stop();
});

const login = (account: { jid: string; password: string }, resource: string): Promise<BoshSession> =>
  BoshSession.login(instance.gatewayUrl, {}, { ...account, resource });

/** What it gets, up to what holds this text. */
const gets = async (session: BoshSession, text: string): Promise<string> =>
  (await session.until(({ xml }) => xml.includes(text))).xml;

const say = (targets: string, text: string, from = ''): Promise<string> =>
  server.print(`megaphone_outside:say(${targets}, <<"${from}">>, <<"${text}"/utf8>>)`);

describe('a line from outside', { timeout: 240_000 }, () => {
  it('is a chat message to users, from the server itself or from whom it names', async () => {
    const alice = await login(instance.alice, 'web');
    assert.equal(
      await say('[{user, <<"alice">>}, {user, <<"alice@localhost/web">>}]', 'Backup done'),
      '[ok,ok]',
    );
    const xml = await gets(alice, 'Backup done');
    assert.match(xml, /<message [^>]*type='chat'/);
    assert.match(xml, /from='localhost'/);
    assert.equal(await say('[{user, <<"ALICE">>}]', 'gr\\x{fc}n \\x{1b}[0m', 'backup@localhost'), '[ok]');
    const named = await gets(alice, 'grün');
    assert.match(named, /from='backup@localhost'/);
    assert.ok(named.includes('grün \ufffd[0m'), named);
    await alice.terminate();
  });

  it('comes by megaphone cat, which tells what was not said', async () => {
    const alice = await login(instance.alice, 'web');
    const file = join(instance.var, `gateway_test${process.pid}`, 'megaphone.yml');
    const { PATH } = process.env;
    const { ERL_EPMD_PORT } = instance.env;
    const program = [join(root, 'dist/src/main.js'), 'cat', '--config', file];
    const cat = promisify(execFile)(process.execPath, program, {
      env: { PATH, ERL_EPMD_PORT, HOME: instance.var },
    });
    cat.child.stdin?.end('@alice,@nobody from a pipe\n@alice and again\n');
    await assert.rejects(cat, ({ code, stderr }: { readonly code: number; readonly stderr: string }) => {
      assert.deepEqual([code, stderr], [1, 'line 1: @nobody: there is no such user [OUTSIDE_NOT_SAID]\n']);
      return true;
    });
    assert.match(await gets(alice, 'and again'), /from='localhost'/);
    await alice.terminate();
  });

  it('waits for a user who is offline', async () => {
    assert.equal(await say('[{user, <<"bob@localhost">>}]', 'while you were away'), '[ok]');
    const bob = await BoshSession.login(instance.gatewayUrl, {}, { ...instance.bob, presence: '' });
    const { xml } = await bob.until(
      ({ xml }) => xml.includes('while you were away'),
      "<presence xmlns='jabber:client'/>",
    );
    assert.match(xml, /urn:xmpp:delay/);
    await bob.terminate();
  });

  it('is told what is wrong with each address', async () => {
    assert.equal(await say('[{room, <<"ops">>}]', 'no rooms here'), '[{error,no_rooms}]');
    assert.equal(
      await say('[{user, <<"nobody">>}, {user, <<"alice">>}, {user, <<"@localhost">>}, {user, <<>>}]', 'x'),
      '[{error,no_such_user},ok,{error,bad_address},{error,bad_address}]',
    );
    assert.equal(await say('[{user, <<"alice">>}]', 'x', '@'), '[{error,bad_sender}]');
    assert.equal(await say('[{user, <<"alice">>}]', ''), '[{error,bad_text}]');
  });

  it('is said in a room, by the room or by a service administrator', async () => {
    await addModule(instance, 'mod_muc', { access_admin: [{ allow: { user: 'backup@localhost' } }] });
    const alice = await login(instance.alice, 'web');
    await alice.until(
      ({ xml }) => xml.includes("code='110'"),
      "<presence to='ops@conference.localhost/alice' xmlns='jabber:client'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
    );
    // The room asks its owner for a configuration, and is locked until then.
    await alice.until(
      ({ xml }) => xml.includes("id='unlock'"),
      "<iq type='set' id='unlock' to='ops@conference.localhost' xmlns='jabber:client'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>",
    );
    assert.equal(
      await say(
        '[{room, <<"ops">>}, {room, <<"elsewhere">>}, {room, <<"ops@conference.example.org">>}]',
        'disc full',
      ),
      '[ok,{error,no_such_room},{error,no_rooms}]',
    );
    const xml = await gets(alice, 'disc full');
    assert.match(xml, /<message [^>]*type='groupchat'/);
    assert.match(xml, /from='ops@conference.localhost'/);
    assert.equal(
      await say('[{room, <<"ops@conference.localhost">>}]', 'disc empty', 'backup@localhost'),
      '[ok]',
    );
    assert.match(await gets(alice, 'disc empty'), /<message [^>]*type='groupchat'/);
    await alice.terminate();
  });
});

describe('chat from outside, as docs/outside.md prints it', { timeout: 240_000 }, () => {
  const [say = [], stanza = [], roster = [], tune = [], configuration = [], overHttp = []] = printed(
    'docs/outside.md',
    'test/ejabberd/outside.test.ts',
  );
  let folder: string;
  let port: number;
  let alice: BoshSession;
  before(async () => {
    [port = 0] = await freePorts(1);
    folder = join(instance.var, instance.ejabberdNode.split('@', 1)[0] as string);
    alice = await login(instance.alice, 'web');
  });
  after(() => alice.terminate());

  /** At the shell, where `ejabberdctl` is that of the instance, and so is its port. */
  async function run(command = '', variables: NodeJS.ProcessEnv = {}): Promise<void> {
    const env = { ...instance.env, ...variables, PATH: `${folder}:${process.env.PATH}` };
    const here = command.replace('localhost:5280', `127.0.0.1:${port}`);
    await promisify(execFile)('bash', ['-c', here], { env });
  }

  it('a message', async () => {
    await run(say[0]);
    assert.match(await gets(alice, 'Backup done'), /<message [^>]*from='backup@localhost'/);
  });

  it('a stanza', async () => {
    await run(stanza[0]);
    assert.match(await gets(alice, '3 errors'), /<subject[^>]*>Backup</);
  });

  it('a contact, and its end', async () => {
    // Only who asked for the roster is told of changes.
    const list = "<iq type='get' id='roster' xmlns='jabber:client'><query xmlns='jabber:iq:roster'/></iq>";
    await alice.until(({ xml }) => xml.includes("id='roster'"), list);
    await run(roster[0]);
    assert.match(await gets(alice, 'carol@localhost'), /subscription='both'/);
    await run(roster[1]);
    await alice.until(({ xml }) => xml.includes("subscription='remove'"));
  });

  it('a tune', async () => {
    await addModule(instance, 'mod_pubsub', { plugins: ['flat', 'pep'] });
    await run(tune[0]);
    const bob = await login(instance.bob, 'web');
    const ask =
      "<iq type='get' id='items' to='alice@localhost' xmlns='jabber:client'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='http://jabber.org/protocol/tune'/></pubsub></iq>";
    const { xml } = await bob.until((answer) => answer.xml.includes("id='items'"), ask);
    assert.match(xml, /<artist>Bach<\/artist><title>Air<\/title>/);
    await bob.terminate();
  });

  it('a message over HTTP, by an administrator', async () => {
    const path = join(folder, 'ejabberd.yml');
    const [acl = '', ...permissions] = configuration;
    // The file has the sections of both already, or may have: more of the same goes into them.
    const text = (await readFile(path, 'utf8'))
      .replace(/^acl:\n/m, `acl:\n  ${acl.replace(/^acl: \{(.*)\}$/, '$1')}\n`)
      .replace(
        /^listen:\n/m,
        `$&  - {port: ${port}, ip: 127.0.0.1, module: ejabberd_http, request_handlers: {/api: mod_http_api}}\n`,
      );
    await writeFile(path, [...permissions, text].join('\n'));
    await addModule(instance, 'mod_http_api', {});
    await instance.ctl('register', 'admin', 'localhost', 'secret');
    await run(overHttp[0], { PASSWORD: 'secret' });
    await gets(alice, 'Backup done, over HTTP');
    await assert.rejects(run(overHttp[0], { PASSWORD: 'wrong' }));
  });
});

/** Who is told over HTTP: keeps what comes, and answers as it is told to. */
class Portal {
  readonly #server: Server;
  readonly requests: IncomingMessage[] = [];
  readonly lines: Told[] = [];
  status = 200;

  private constructor(port: number) {
    this.#server = createServer(async (request, response) => {
      const text = (await request.setEncoding('utf8').toArray()).join('');
      this.requests.push(request);
      // It has them all the same.
      this.lines.push(
        ...text
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Told),
      );
      response.writeHead(this.status).end();
    }).listen(port, '127.0.0.1');
  }

  static async open(port = 0): Promise<Portal> {
    const portal = new Portal(port);
    await happens(portal.#server, 'listening');
    return portal;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = happens(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

/** A line. */
interface Told {
  readonly node: string;
  readonly host: string;
  readonly number: number;
  readonly dropped?: number;
  readonly event: string;
  readonly jid?: string;
  readonly session?: string;
  readonly ip?: string;
  readonly from?: string;
  readonly to?: string;
  readonly type?: string;
  readonly body?: string;
}

/** Each follows the one before it, but for those that it says were dropped. */
function assertWhole(lines: readonly Told[]): void {
  for (const [i, line] of lines.entries()) {
    const before = lines[i - 1];
    if (before)
      assert.equal(line.number, before.number + (line.dropped ?? 0) + 1, JSON.stringify([before, line]));
  }
}

/** Without those that came before. */
const once = (lines: readonly Told[]): Told[] =>
  lines.filter(({ number }, i) => lines.findIndex((other) => other.number === number) === i);

describe('events', { timeout: 240_000 }, () => {
  const chat = async (session: BoshSession, ...texts: readonly string[]): Promise<void> => {
    await session.until(
      ({ xml }) => xml.includes("'ping'"),
      texts.map((text) => message('bob@localhost', text)).join('') + ping(),
    );
  };
  const tell = (options: Record<string, number | string | readonly string[]>): Promise<void> =>
    setModuleOptions(instance, { mod_megaphone: options });

  it('are told over HTTP: logins, logouts, and messages without their text', async () => {
    const portal = await Portal.open();
    await tell({
      events: ['logins', 'logouts', 'messages'],
      events_to: `http://ejabberd:secret@127.0.0.1:${portal.port}/chat`,
    });
    const alice = await login(instance.alice, 'web');
    await chat(alice, 'one');
    await alice.terminate();
    await until(() => portal.lines.length === 3);
    const [came, said, went] = portal.lines;
    assert.ok(came && said && went);
    assert.equal(came.node, instance.ejabberdNode);
    assert.deepEqual(
      [came.host, came.event, came.jid, came.ip],
      ['localhost', 'login', alice.jid, '127.0.0.1'],
    );
    assert.deepEqual(
      [said.event, said.from, said.to, said.type],
      ['message', alice.jid, 'bob@localhost', 'chat'],
    );
    assert.deepEqual([went.event, went.jid, went.session], ['logout', alice.jid, came.session]);
    assert.ok(!('body' in said), JSON.stringify(said));
    assertWhole(portal.lines);
    const [request] = portal.requests;
    assert.equal(request?.method, 'POST');
    assert.equal(request?.url, '/chat');
    assert.equal(request?.headers['content-type'], 'application/x-ndjson');
    assert.equal(
      request?.headers.authorization,
      `Basic ${Buffer.from('ejabberd:secret').toString('base64')}`,
    );
    await portal.close();
  });

  it('at least once: told again and again while nobody hears, until they are taken', async () => {
    const portal = await Portal.open();
    const { port } = portal;
    await tell({
      events: ['bodies'],
      events_delivery: 'at_least_once',
      events_to: `http://127.0.0.1:${port}/`,
    });
    const alice = await login(instance.alice, 'web');
    await chat(alice, 'is \\ heard "so" &lt;');
    await until(() => portal.lines.length === 1);
    assert.equal(portal.lines[0]?.body, 'is \\ heard "so" <');

    portal.status = 503;
    await chat(alice, 'refused');
    await until(() => portal.lines.filter(({ body }) => body === 'refused').length > 1);
    await portal.close();
    await chat(alice, 'away 1', 'away 2');
    const back = await Portal.open(port);
    await until(() => back.lines.some(({ body }) => body === 'away 2'));
    assert.deepEqual(
      once(back.lines).map(({ body }) => body),
      ['refused', 'away 1', 'away 2'],
    );
    assertWhole(once([...portal.lines, ...back.lines]));
    await back.close();
    await alice.terminate();
  });

  it('at most once: what nobody heard is counted in the next line', async () => {
    const portal = await Portal.open();
    const { port } = portal;
    await tell({ events: ['bodies'], events_to: `http://127.0.0.1:${port}/` });
    const alice = await login(instance.alice, 'web');
    await chat(alice, 'heard');
    await until(() => portal.lines.length === 1);
    await portal.close();
    const before = await server.counted('events_dropped');
    await chat(alice, 'lost');
    await until(async () => (await server.counted('events_dropped')) === before + 1);
    const back = await Portal.open(port);
    await chat(alice, 'heard again');
    await until(() => back.lines.length > 0);
    assert.deepEqual(
      back.lines.map(({ body, dropped }) => [body, dropped]),
      [['heard again', 1]],
    );
    assertWhole([...portal.lines, ...back.lines]);
    await back.close();
    await alice.terminate();
  });

  it('are told to a process; those that do not fit are counted in the next line', async () => {
    // It answers the first batch once it is told to.
    await server.evaluate(`spawn(fun() ->
      register(portal, self()),
      Lines = fun Lines(Told) ->
        receive
          {megaphone_events, Teller, Number, Batch} when Told =:= [] ->
            receive go -> ok end,
            Teller ! {taken, Number},
            Lines(Batch);
          {megaphone_events, Teller, Number, Batch} ->
            Teller ! {taken, Number},
            Lines(Told ++ Batch);
          {told, To} -> To ! {told, Told}, Lines(Told)
        end
      end,
      Lines([])
    end).`);
    const told = async (): Promise<Told[]> => {
      const text = await server.print(
        `portal ! {told, self()}, iolist_to_binary(lists:join(10, receive {told, Told} -> Told after 10000 -> [] end))`,
      );
      return JSON.parse(`[${JSON.parse(text.slice(2, -2)).split('\n').join(',')}]`) as Told[];
    };
    await tell({
      events: ['bodies'],
      events_delivery: 'at_least_once',
      events_to: ['portal'],
      events_max: 3,
    });
    const alice = await login(instance.alice, 'web');
    await chat(alice, '1', '2', '3', '4', '5');
    await server.evaluate('portal ! go.');
    await until(
      async () => (await server.print('whereis(portal)')) !== 'undefined' && (await told()).length >= 3,
    );
    await chat(alice, '6');
    await until(async () => (await told()).some(({ body }) => body === '6'));
    const lines = await told();
    assert.deepEqual(
      lines.map(({ body, dropped }) => [body, dropped]),
      [
        ['1', undefined],
        ['2', undefined],
        ['3', undefined],
        ['6', 2],
      ],
    );
    assertWhole(lines);

    // The one that is printed.
    const [process = []] = printed('docs/outside.md', 'test/ejabberd/outside.test.ts').slice(-1);
    await server.evaluate('exit(whereis(portal), kill).');
    await until(async () => (await server.print('whereis(portal)')) === 'undefined');
    const before = await server.counted('events_told');
    await server.evaluate(process.join(' '));
    await chat(alice, '7');
    await until(async () => (await server.counted('events_told')) === before + 1);
    await alice.terminate();
  });

  it('tell of all who go as the server stops, and go on with larger numbers when it is back', async () => {
    const portal = await Portal.open();
    await tell({ events: ['logins', 'logouts'], events_to: `http://127.0.0.1:${portal.port}/` });
    const { jid } = await login(instance.alice, 'web');
    await instance.script('ejabberd.sh', 'stop');
    assert.deepEqual(
      portal.lines.map((line) => [line.event, line.jid]),
      [
        ['login', jid],
        ['logout', jid],
      ],
    );
    await instance.script('ejabberd.sh', 'start');
    await server.reconnect();
    // The gateway looks once a second whether the module is back.
    await until(async () => (await BoshSession.create(instance.gatewayUrl)).creation.status !== 503);
    const alice = await login(instance.alice, 'web');
    await until(() => portal.lines.length === 3);
    assert.ok((portal.lines[2]?.number ?? 0) > (portal.lines[1]?.number ?? 0) + 1);
    await portal.close();
    await alice.terminate();
  });

  it('are off, and cost nothing then', async () => {
    await tell({});
    const hooks = await server.print(
      `[Hook || Hook <- [user_send_packet, sm_register_connection_hook, sm_remove_connection_hook],
        Entry <- ets:tab2list(hooks), is_tuple(Entry), element(1, Entry) =:= {Hook, <<"localhost">>},
        string:find(io_lib:format("~p", [Entry]), "megaphone_events") =/= nomatch]`,
    );
    assert.equal(hooks, '[]');
  });
});
