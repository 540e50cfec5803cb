/** Who reads slowly gets everything; who does not read costs a bounded amount, is cut, and finds the rest at the next login. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance } from '../../scripts/support/instance.js';
import { until } from '../support/until.js';
import { expectAll } from './support/conversation.js';
import { gatewayBeside } from './support/gateway-beside.js';
import { makeAccounts } from './support/people.js';
import { ServerNode } from './support/server-node.js';
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
  await makeAccounts(server, ['slow', 'deaf', 'managed']);
});
after(async () => {
  await gateway?.service.stop();
  await server?.stop();
  await instance?.stop();
});

const as = (name: string) => ({ jid: `${name}@localhost`, password: 'secret', resource: 'web' });

/** All at once, from the server's own side, so that no sender's shaper slows it. */
async function burst(name: string): Promise<string[]> {
  await server.evaluate(`
    Body = binary:copy(<<"x">>, ${SIZE}),
    To = jid:make(<<"${name}">>, <<"localhost">>, <<"web">>),
    From = jid:make(<<"someone">>, <<"localhost">>, <<"else">>),
    [begin
       Xml = fxml_stream:parse_element(<<"<message xmlns='jabber:client' type='chat'><body>", (integer_to_binary(N))/binary, " ",
         Body/binary, "</body></message>">>),
       ejabberd_router:route(xmpp:set_from_to(xmpp:decode(Xml, <<"jabber:client">>, [ignore_els]), From, To))
     end || N <- lists:seq(0, ${MESSAGES - 1})].`);
  return Array.from({ length: MESSAGES }, (_, n) => `${n}`);
}

const numbers = ({ bodies }: WebSocketSession): string[] =>
  bodies.map((body) => body.split(' ', 1)[0] as string);

const memoryOf = (name: string): Promise<string> =>
  server.print(
    `case ejabberd_sm:get_session_pid(<<"${name}">>, <<"localhost">>, <<"web">>) of
      none -> 0; Pid -> case process_info(Pid, memory) of {memory, M} -> M; undefined -> 0 end end`,
  );

describe(`${MESSAGES} messages of ${SIZE} bytes at once`, { timeout: 120_000, concurrency: true }, () => {
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
    const sent = await burst('slow');
    await slow.messages(MESSAGES);
    await slow.roundTrip();
    expectAll(sent, numbers(slow), 'the slow one');
    await slow.leave();
  });

  it('cut a client that reads nothing, which hears all of it later', { skip: OWN }, async () => {
    const deaf = await WebSocketSession.login(url, as('deaf'));
    deaf.socket.pause();
    const sent = await burst('deaf');
    let most = 0;
    await until(async () => {
      const memory = Number(await memoryOf('deaf'));
      most = Math.max(most, memory);
      await sleep(20);
      return memory === 0;
    });
    assert.ok(most > 0 && most < BOUND, `its session took ${most} bytes`);
    deaf.cut();
    const again = await WebSocketSession.login(url, as('deaf'));
    await until(() => numbers(again).at(-1) === sent.at(-1)).catch(() => {});
    expectAll(sent, numbers(again), 'the deaf one');
    await again.leave();
  });

  it('cut a client with stream management that reads nothing, which resumes and hears all of it once', {
    skip: OWN,
  }, async () => {
    const login = { ...as('managed'), managed: true };
    const deaf = await WebSocketSession.login(url, login);
    await deaf.roundTrip();
    deaf.socket.pause();
    const sent = await burst('managed');
    await until(() => Number(gateway.service.gateway.sockets.size) < 3);
    await deaf.cut();
    const again = await WebSocketSession.resume(url, deaf, login);
    await until(() => numbers(again).at(-1) === sent.at(-1)).catch(() => {});
    expectAll(sent, numbers(again), 'the managed one');
    await again.leave();
  });
});
