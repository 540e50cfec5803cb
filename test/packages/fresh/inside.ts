/**
 * The Debian packages in a fresh system with systemd, as root: installed as docs/installing.md says, used, broken, upgraded, removed and
 * purged. scripts/machine.sh boots it; the folder has both packages, and in newer/ both of a later version.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { root } from '../../../scripts/support/root.js';
import { converse } from '../../ejabberd/support/conversation.js';
import { readSessions } from '../../ejabberd/support/session-document.js';
import { playSession } from '../../ejabberd/support/session-player.js';
import { stanza } from '../../ejabberd/support/stanza-client.js';
import { strophe } from '../../ejabberd/support/strophe-client.js';
import { until } from '../../support/until.js';

const OLD = '0.1.0-1';
const NEW = '0.1.0-2';

function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout.trim();
}
const shell = (command: string): string => run('bash', '-c', command);
const property = (name: string): string => run('systemctl', 'show', 'megaphone', '--value', '-p', name);
const version = (name: string): string => shell(`dpkg-query -W -f '\${Version}' ${name}`);
const journal = (): string => shell('journalctl -u megaphone --no-pager -o cat');

/** How many files it may open. */
const filesOf = (pid: string): number =>
  Number(/^Max open files +\d+ +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]);
/** CAP_SYS_RESOURCE, which a machine in a container may be without: then nobody gets more than it has itself. */
const canRaise = (): boolean =>
  (BigInt(`0x${/^CapEff:\t(\w+)/m.exec(readFileSync('/proc/1/status', 'utf8'))?.[1]}`) & (1n << 24n)) !== 0n;

async function chat(): Promise<void> {
  const people = [
    stanza('ws://localhost:8080/ws', { jid: 'alice@localhost', password: 'secret' }),
    strophe('http://localhost:8080/bosh', { jid: 'bob@localhost', password: 'secret' }),
  ] as const;
  const [alice, bob] = people;
  for (const person of people) {
    await person.login();
    person.sendPresence();
  }
  await converse(alice, bob, 20);
  await converse(bob, alice, 20);
  for (const person of people) await person.logout();
}

/** Whether the running ejabberd has the later version of this module: one function more. */
const loaded = (module: string): string =>
  shell(
    `erl -noinput -sname test@localhost -setcookie "$(cat /var/lib/ejabberd/.erlang.cookie)" -eval '
      true = net_kernel:connect_node(ejabberd@localhost),
      {module, _} = rpc:call(ejabberd@localhost, code, ensure_loaded, [${module}]),
      io:put_chars(atom_to_list(rpc:call(ejabberd@localhost, erlang, function_exported, [${module}, newer, 0]))),
      halt().'`,
  );

/** A node of ejabberd is in service again. */
const inService = (): Promise<void> => until(() => /^in service, 1 of 1 /.test(property('StatusText')));

describe(`Debian ${readFileSync('/etc/debian_version', 'utf8').trim()}`, { timeout: 600_000 }, () => {
  before(() => {
    for (const name of ['node', 'npm', 'gcc', 'erl']) {
      assert.notEqual(spawnSync('sh', ['-c', `command -v ${name}`]).status, 0, `${name} is there already`);
    }
  });

  it('installs both packages as documented, and has a service that web clients can log in at', async () => {
    const document = readFileSync(join(root, 'docs/installing.md'), 'utf8');
    await playSession(readSessions(document).get('install') ?? []);
    assert.deepEqual([version('megaphone'), version('ejabberd-mod-megaphone')], [OLD, OLD]);
    assert.equal(run('systemctl', 'is-enabled', 'megaphone'), 'enabled');
  });

  it('has two people chat, one over WebSocket, one over BOSH', async () => {
    run('ejabberdctl', 'register', 'bob', 'localhost', 'secret');
    await chat();
  });

  it('brings erlpack built for its own Node.js', () => {
    assert.doesNotMatch(journal() + run('megaphone', 'check'), /erlpack is not built/);
  });

  it('tells systemd how it is', async () => {
    await inService();
    assert.equal(property('Type'), 'notify');
  });

  it('hands the cookie to the service alone', () => {
    const user = (command: string) =>
      spawnSync('setpriv', ['--reuid=nobody', '--clear-groups', 'sh', '-c', command]).status;
    assert.notEqual(user('cat /etc/megaphone/cookie'), 0);
    assert.notEqual(user('cat /run/credentials/megaphone.service/cookie'), 0);
    assert.match(journal(), /cookie: in \/run\/credentials\/megaphone.service\/cookie/);
  });

  it('is hardened: not root, writes nowhere, sees nobody else', () => {
    const pid = property('MainPID');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    assert.equal(run('ps', '-o', 'user=', '-p', pid), 'megaphone');
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(status, /^Seccomp:\t2$/m);
    // CAP_NET_BIND_SERVICE.
    assert.match(status, /^CapBnd:\t0000000000000400$/m);
    assert.equal(filesOf(pid), canRaise() ? 1_048_576 : filesOf('1'));
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
    assert.match(mounts, / \/ \/ ro[, ]/);
    const score = /exposure level for megaphone.service: ([\d.]+)/.exec(
      shell('systemd-analyze security megaphone --no-pager'),
    );
    assert.ok(Number(score?.[1]) < 2, `${score?.[0]}`);
  });

  it('reloads, in the same process', () => {
    const pid = property('MainPID');
    run('systemctl', 'reload', 'megaphone');
    assert.equal(property('MainPID'), pid);
    assert.equal(property('ActiveState'), 'active');
  });

  it('is started anew by the watchdog when it stands still, and its clients log in again', async () => {
    shell(
      'mkdir -p /run/systemd/system/megaphone.service.d && printf "[Service]\\nWatchdogSec=2\\n" > /run/systemd/system/megaphone.service.d/test.conf',
    );
    run('systemctl', 'daemon-reload');
    run('systemctl', 'restart', 'megaphone');
    await inService();
    const pid = property('MainPID');
    run('kill', '-STOP', pid);
    await until(() => property('NRestarts') === '1' && property('ActiveState') === 'active');
    assert.notEqual(property('MainPID'), pid);
    assert.match(journal(), /[Ww]atchdog/);
    shell(
      'rm -r /run/systemd/system/megaphone.service.d && systemctl daemon-reload && systemctl restart megaphone',
    );
    await inService();
    await chat();
  });

  it('has the time that it takes to send clients elsewhere, whatever TimeoutStopSec says', async () => {
    shell(
      'mkdir -p /run/systemd/system/megaphone.service.d && printf "[Service]\\nTimeoutStopSec=1\\n" > /run/systemd/system/megaphone.service.d/test.conf',
    );
    run('systemctl', 'daemon-reload');
    run('systemctl', 'restart', 'megaphone');
    await inService();
    run('systemctl', 'stop', 'megaphone');
    assert.equal(property('Result'), 'success');
    assert.match(journal(), /"msg":"stopped"/);
    shell(
      'rm -r /run/systemd/system/megaphone.service.d && systemctl daemon-reload && systemctl start megaphone',
    );
    await inService();
  });

  it('says what is wrong where it cannot start', () => {
    const edited = '/etc/megaphone/megaphone.yml';
    const before = readFileSync(edited, 'utf8');
    shell(`cp ${edited} /root/kept.yml && echo 'http_prot: 80' >> ${edited}`);
    assert.notEqual(spawnSync('systemctl', ['restart', 'megaphone']).status, 0);
    assert.match(journal(), /http_prot: unknown key; did you mean http_port\?/);
    shell(`cp /root/kept.yml ${edited}`);
    run('systemctl', 'restart', 'megaphone');
    assert.equal(readFileSync(edited, 'utf8'), before);
  });

  it('serves with several workers, too', async () => {
    shell("echo 'workers: 2' >> /etc/megaphone/megaphone.yml && systemctl restart megaphone");
    await inService();
    await chat();
    assert.equal(run('systemctl', 'stop', 'megaphone'), '');
    assert.equal(property('Result'), 'success');
    shell('cp /root/kept.yml /etc/megaphone/megaphone.yml && systemctl start megaphone');
    await inService();
  });

  it('upgrades both, keeps what was edited, and people chat on', async () => {
    const config = '/etc/megaphone/megaphone.yml';
    appendFileSync(config, '\n# mine\n');
    const pid = property('MainPID');
    assert.equal(loaded('megaphone_hub'), 'false');
    shell('DEBIAN_FRONTEND=noninteractive apt-get install -y -q ./newer/*.deb');
    assert.deepEqual([version('megaphone'), version('ejabberd-mod-megaphone')], [NEW, NEW]);
    assert.match(readFileSync(config, 'utf8'), /# mine$/m);
    assert.notEqual(property('MainPID'), pid);
    for (const name of ['mod_megaphone', 'megaphone_hub', 'megaphone_pace'])
      assert.equal(loaded(name), 'true');
    await inService();
    await chat();
  });

  it('goes, and leaves its configuration until it is purged, and then nothing but its user', () => {
    shell("sed -i '/mod_megaphone/d' /etc/ejabberd/ejabberd.yml && systemctl reload ejabberd");
    run('apt-get', 'remove', '-y', '-q', 'megaphone', 'ejabberd-mod-megaphone');
    assert.equal(spawnSync('systemctl', ['is-active', 'megaphone']).stdout.toString().trim(), 'inactive');
    assert.ok(
      existsSync('/etc/megaphone/megaphone.yml') && lstatSync('/etc/megaphone/cookie').isSymbolicLink(),
    );
    run('apt-get', 'purge', '-y', '-q', 'megaphone', 'ejabberd-mod-megaphone');
    const left = shell(
      'find / -xdev -iname "*megaphone*" -not -path "/root/*" -not -path "/proc/*" -not -path "/var/cache/*" -not -path "/var/log/*" -not -path "/tmp/*"',
    );
    assert.equal(left, '');
    assert.match(run('getent', 'passwd', 'megaphone'), /^megaphone:/);
    run('systemctl', 'restart', 'ejabberd');
    run('ejabberdctl', 'status');
  });

  it('waits for a cookie where there is no ejabberd, and starts with a copy of one', async () => {
    shell('DEBIAN_FRONTEND=noninteractive apt-get purge -y -q ejabberd && rm -rf /var/lib/ejabberd');
    shell('apt-get install -y -q ./megaphone_*.deb');
    assert.equal(property('ActiveState'), 'inactive');
    assert.equal(property('ConditionResult'), 'no');
    shell('echo secret | install -m 600 /dev/stdin /etc/megaphone/cookie && systemctl restart megaphone');
    await until(() => property('ActiveState') === 'active');
    assert.match(property('StatusText'), /^out of service, 0 of 1 ejabberd nodes/);
    assert.match(spawnSync('megaphone', ['check'], { encoding: 'utf8' }).stdout, /^✘ .*ejabberd/m);
  });
});
