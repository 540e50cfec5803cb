/** Accounts of a test's own, made at once, so that many conversations go on side by side on one instance. */
import type { Account } from '../../../scripts/support/instance.js';
import type { ServerNode } from './server-node.js';

export async function makeAccounts(server: ServerNode, names: readonly string[]): Promise<Account[]> {
  await server.evaluate(
    `[ok = ejabberd_auth:try_register(Name, <<"localhost">>, <<"secret">>) || Name <- [${names.map(binary)}]].`,
  );
  return names.map((name) => ({ jid: `${name}@localhost`, password: 'secret' }));
}

/** They see each other's presence. */
export async function befriend(
  server: ServerNode,
  pairs: readonly (readonly [{ readonly jid: string }, { readonly jid: string }])[],
): Promise<void> {
  const both = pairs.flatMap(([a, b]) => [`{${user(a)}, ${user(b)}}`, `{${user(b)}, ${user(a)}}`]);
  await server.evaluate(
    `[ok = mod_admin_extra:add_rosteritem(A, <<"localhost">>, B, <<"localhost">>, B, <<"Friends">>, <<"both">>)
      || {A, B} <- [${both}]].`,
  );
}

const binary = (text: string): string => `<<"${text}">>`;
const user = ({ jid }: { readonly jid: string }): string => binary(jid.split('@', 1)[0] as string);
