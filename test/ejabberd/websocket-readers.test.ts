/** Who reads slowly gets everything; who does not read costs a bounded amount, is cut, and finds the rest at the next login. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance } from '../../scripts/support/instance.js';
import { until } from '../support/until.js';
import { message, ping } from './conformance/bosh-session.js';
import { expectAll } from './support/conversation.js';
import { gatewayBeside } from './support/gateway-beside.js';
import { makeAccounts } from './support/people.js';
import { ServerNode } from './support/server-node.js';
import { WebSocketPerson } from './support/websocket-person.js';
import { WebSocketSession } from './support/websocket-session.js';
import { OWN } from './support/websocket-url.js';

const MESSAGES = 3000;
const SIZE = 5_000;
/** What a session may take while its client reads nothing: its queue's limit, and as much again for what is in the making. */
const BOUND = 8 * 1024 ** 2;

let instance: Instance;
let server: ServerNode;
let gateway: Awaited<ReturnType<typeof gatewayBeside>>;
let url: string;
before(async () => {
  instance = await Instance.start({ gateway: false });
  server = await ServerNode.connect(instance);
  gateway = await gatewayBeside(instance, { ping_interval: '2 s' });
  url = OWN ? instance.ejabberdWebSocketUrl : gateway.webSocketUrl;
  await makeAccounts(server, ['slow', 'deaf', 'managed', 'cut', 'alive']);
});
after(async () => {
  await gateway?.service.stop();
  await server?.stop();
  await instance?.stop();
});

const as = (name: string) => ({ jid: `${name}@localhost`, password: 'secret', resource: 'web' });

/** What was sent, and the most that the recipient's session took meanwhile. */
interface Burst {
  readonly sent: string[];
  readonly most: number;
}

/** All at once, from the server's own side, so that no sender's shaper slows it. */
async function burst(name: string, count = MESSAGES): Promise<Burst> {
  const most = await server.print(`
    Session = ejabberd_sm:get_session_pid(<<"${name}">>, <<"localhost">>, <<"web">>),
    Body = binary:copy(<<"x">>, ${SIZE}),
    To = jid:make(<<"${name}">>, <<"localhost">>, <<"web">>),
    From = jid:make(<<"someone">>, <<"localhost">>, <<"else">>),
    lists:max([begin
       Xml = fxml_stream:parse_element(<<"<message xmlns='jabber:client' type='chat'><body>", (integer_to_binary(N))/binary, " ",
         Body/binary, "</body></message>">>),
       ejabberd_router:route(xmpp:set_from_to(xmpp:decode(Xml, <<"jabber:client">>, [ignore_els]), From, To)),
       case process_info(Session, memory) of {memory, M} -> M; undefined -> 0 end
     end || N <- lists:seq(0, ${count - 1})]).`);
  return { sent: Array.from({ length: count }, (_, n) => `${n} ${'x'.repeat(SIZE)}`), most: Number(most) };
}

const memoryOf = (name: string): Promise<string> =>
  server.print(
    `case ejabberd_sm:get_session_pid(<<"${name}">>, <<"localhost">>, <<"web">>) of
      none -> 0; Pid -> case process_info(Pid, memory) of {memory, M} -> M; undefined -> 0 end end`,
  );

describe(`${MESSAGES} messages of ${SIZE} bytes at once`, { timeout: 180_000 }, () => {
  it('come in full to a client that reads slowly but steadily', async () => {
    const slow = await WebSocketSession.login(url, as('slow'));
    let since = 0;
    slow.socket.on('message', (data: Buffer) => {
      since += data.length;
      if (since < 200_000) return;
      since = 0;
      slow.socket.pause();
      setTimeout(() => slow.socket.resume(), 20);
    });
    const { sent } = await burst('slow');
    await slow.messages(MESSAGES);
    await slow.roundTrip();
    expectAll(sent, slow.bodies, 'the slow one');
    await slow.leave();
  });

  for (const managed of [false, true]) {
    const name = managed ? 'managed' : 'deaf';
    const how = managed ? 'resumes its stream' : 'logs in again';
    it(`cut a client that reads nothing; it ${how} and hears all of it`, { skip: OWN }, async () => {
      const deaf = await WebSocketPerson.start(
        url,
        { jid: `${name}@localhost`, password: 'secret' },
        managed,
      );
      const { socket } = deaf.session;
      const closed = (): number => gateway.service.gateway.counters.websocketClosed['1006'] ?? 0;
      // It may be cut before all is written.
      const before = closed();
      socket.pause();
      // On a slow machine it is cut before all is written.
      const { sent, ...meanwhile } = await burst(name);
      let { most } = meanwhile;
      await until(async () => {
        most = Math.max(most, Number(await memoryOf(name)));
        await sleep(20);
        return closed() > before;
      }).catch((error: Error) => {
        const { websocketClosed } = gateway.service.gateway.counters;
        throw new Error(`${error.message}, after ${JSON.stringify(websocketClosed)}, with ${most} bytes`);
      });
      assert.ok(most > 0 && most < BOUND, `its session took ${most} bytes`);
      deaf.session.cut();
      await deaf.again(url);
      await deaf.heard(sent);
      await deaf.session.leave();
    });
  }
});

describe('what a client with stream management says while too much waits for it', {
  timeout: 120_000,
  skip: OWN,
}, () => {
  for (const name of ['cut', 'alive'])
    it(`is heard once when it resumes its stream, its former socket ${name}`, async () => {
      const friend = await WebSocketSession.login(url);
      const who = { ...as(name), managed: true };
      const former = await WebSocketSession.login(url, who);
      former.socket.pause();
      await burst(name, 300);
      const { websocket } = gateway.service.gateway.counters;
      const before = websocket.frames_in;
      const said = [ping('first'), message(friend.jid, 'one'), ping('second'), message(friend.jid, 'two')];
      former.send(...said);
      await until(() => websocket.frames_in === before + said.length);
      if (name === 'cut') former.cut();
      const resumed = await WebSocketSession.resume(url, former, who);
      const [handled = assert.fail()] = resumed.frames.flatMap(
        (frame) => /^<resumed.*\bh='(\d+)'/.exec(frame)?.[1] ?? [],
      );
      // Its presence was the first.
      resumed.send(...said.slice(Number(handled) - 1));
      await resumed.roundTrip();
      for (const id of ['first', 'second'])
        assert.equal(resumed.frames.filter((frame) => frame.includes(`'${id}'`)).length, 1);
      await friend.roundTrip();
      assert.deepEqual(friend.bodies, ['one', 'two']);
      await Promise.all([friend.leave(), resumed.leave()]);
      former.cut();
    });
});

describe('somebody who has not logged in and reads nothing', { timeout: 60_000, skip: OWN }, () => {
  it('gets few answers more than are on their way, whatever it asks', async () => {
    const stranger = await WebSocketSession.open(url);
    stranger.socket.pause();
    const { websocket } = gateway.service.gateway.counters;
    for (let n = 0; n < 100; n += 1)
      stranger.send(...Array.from({ length: 100 }, () => "<r xmlns='urn:xmpp:sm:3'/>"));
    /** What sessions that have not logged in take, with the binaries that they hold. */
    const taken = async (): Promise<number> =>
      Number(
        await server.print(`lists:sum([begin
            [{memory, M}, {binary, B}] = process_info(P, [memory, binary]), M + lists:sum([Size || {_, Size, _} <- B])
          end || {_, P, {0, _, _}, _, _} <- ets:tab2list(megaphone_sessions)])`),
      );
    let before = -1;
    await until(async () => {
      const now = websocket.frames_in;
      if (now === before) return true;
      before = now;
      return sleep(500).then(() => false);
    });
    const bytes = await taken();
    assert.ok(bytes > 0 && bytes < 300_000, `it takes ${bytes} bytes`);
    stranger.cut();
  });
});
