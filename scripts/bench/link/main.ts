/**
 * `make bench-link`: frames a second of `{ConnId, Binary}` from a real Erlang node and to it, for the gateway's codec
 * and link, beside Erlang's own C library (`ei`). Both stay connected and take turns, many rounds in one run; a ratio is
 * the median of those of all rounds, as what else the machine does changes from round to round. The last line,
 * `ratio N.NN`, is the gateway's worst share of what C does. With TLS=1 the gateway's link over TLS (1.3, with a node of its
 * own that speaks it) stands beside its plain one instead, and the ratio is the share of that.
 *
 *   TLS=0
 *   COUNT=100000  frames in each round
 *   ROUNDS=15
 *   BYTES=200     in each binary
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Authority } from '../../support/authority.js';
import { Epmd } from '../../support/epmd.js';
import { Erl } from '../../support/erl.js';
import { numberFrom } from '../lib/environment.js';
import { describeMachine } from '../lib/machine.js';
import { table } from '../lib/table.js';

const COUNT = numberFrom('COUNT', 100_000, 1);
const ROUNDS = numberFrom('ROUNDS', 15, 1);
const BYTES = numberFrom('BYTES', 200, 0, 30_000);

const TLS = numberFrom('TLS', 0, 0, 1) === 1;

const DIRECTIONS = ['receive', 'send'] as const;
const COOKIE = 'bench-link';
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Per frame, in seconds. */
interface Cost {
  readonly time: number;
  readonly cpu: number;
}

/** One of the two: reads a direction, writes what it took. */
class Subject {
  readonly name: string;
  readonly costs = { receive: [] as Cost[], send: [] as Cost[] };
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(
    name: string,
    command: string,
    args: readonly string[],
    epmdPort: number,
    more: readonly string[] = [],
  ) {
    this.name = name;
    const common = [`subject_${name}`, COOKIE, 'link_peer', String(COUNT), String(BYTES)];
    this.#child = spawn(command, [...args, ...common, ...more], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ERL_EPMD_PORT: String(epmdPort) },
    });
    const lines: Interface = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} ended`);
    return value;
  }

  async run(direction: (typeof DIRECTIONS)[number]): Promise<Cost> {
    this.#child.stdin?.write(`${direction}\n`);
    const [time = 0, cpu = 0] = (await this.line()).split(' ').map(Number);
    return { time: time / COUNT, cpu: cpu / COUNT };
  }

  end(): void {
    this.#child.kill();
  }
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const rate = (subject: Subject, direction: (typeof DIRECTIONS)[number]): number =>
  1 / median(subject.costs[direction].map(({ time }) => time));

const cpu = (subject: Subject, direction: (typeof DIRECTIONS)[number]): string =>
  `${(median(subject.costs[direction].map((cost) => cost.cpu)) * 1e6).toFixed(2)} µs`;

/** As docs/tls.md advises, and scripts/ejabberd.sh: sockets that read more than 1.5 kB at once, schedulers that do not spin. */
const ADVISED = [
  ...['inet_dist_listen_options', '[{buffer,262144},{recbuf,262144},{sndbuf,1048576}]'],
  ...['+sbwt', 'none', '+sbwtdcpu', 'none', '+sbwtdio', 'none'],
];

/** A node with its own EPMD, for they have one name. */
async function startPeer(args: readonly string[] = []): Promise<{ epmd: Epmd; erl: Erl }> {
  const epmd = await Epmd.start();
  const erl = await Erl.start({
    name: 'link_peer@localhost',
    cookie: COOKIE,
    epmdPort: epmd.port,
    // The C side answers no ticks while it waits for its turn.
    args: ['-pa', here('.'), '-kernel', 'net_ticktime', '3600', ...(TLS ? ADVISED : []), ...args],
  });
  await erl.evaluate(`link_peer:start(${BYTES})`);
  return { epmd, erl };
}

const authority = new Authority();
const tls13 = "{versions,['tlsv1.3']}";
const files = authority.issue();
const plain = await startPeer();
const peers = TLS
  ? [plain, await startPeer(authority.erlArgs(files, { server: tls13, client: tls13 }))]
  : [plain];
const program = [here('megaphone-subject.js')];
const megaphone = (name: string, { port }: Epmd, more: readonly string[] = []): Subject =>
  new Subject(name, process.execPath, program, port, more);
const [baseline, ours] = TLS
  ? [
      megaphone('plain', plain.epmd),
      megaphone('tls', (peers[1] ?? plain).epmd, [files.cert, files.key, files.ca]),
    ]
  : [new Subject('ei', here('ei_subject'), [], plain.epmd.port), megaphone('megaphone', plain.epmd)];
const [base, name] = TLS ? ['plain', 'TLS'] : ['C (ei)', 'Megaphone'];
try {
  console.log(`${describeMachine()}; ${ROUNDS} rounds of ${COUNT} frames, binaries of ${BYTES} bytes`);
  for (const subject of [baseline, ours]) await subject.line();
  // The first round is for warming up.
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const direction of DIRECTIONS) {
      for (const subject of [baseline, ours]) {
        const cost = await subject.run(direction);
        if (round > 0) subject.costs[direction].push(cost);
      }
    }
  }
  const ratios = DIRECTIONS.map((direction) => {
    const ofRounds = baseline.costs[direction].map(
      ({ time }, round) => time / (ours.costs[direction][round]?.time ?? 0),
    );
    return median(ofRounds);
  });
  const rows = DIRECTIONS.map((direction, index) => [
    direction,
    ...[baseline, ours].flatMap((subject) => [rate(subject, direction).toFixed(0), cpu(subject, direction)]),
    ratios[index]?.toFixed(2) ?? '',
  ]);
  console.log(table([['frames a second', base, 'CPU each', name, 'CPU each', 'ratio'], ...rows]));
  console.log(`ratio ${Math.min(...ratios).toFixed(2)}`);
} finally {
  for (const subject of [baseline, ours]) subject.end();
  for (const { erl, epmd } of peers) {
    await erl.kill();
    await epmd.stop();
  }
  authority.remove();
}
