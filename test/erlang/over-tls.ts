/** With MEGAPHONE_TLS=1 all Erlang nodes and gateways of these tests speak TLS 1.3 with each other. */
import { Authority, type NodeFiles } from '../../scripts/support/authority.js';

const { MEGAPHONE_TLS: tls = '0' } = process.env;
export const isOverTls = tls !== '0';
const TLS_13 = "{versions,['tlsv1.3']}";

/** Who signs the certificates of one cluster; nobody without TLS. */
export class TlsNodes {
  readonly authority: Authority | undefined;

  constructor(isOver = isOverTls) {
    this.authority = isOver ? new Authority() : undefined;
  }

  /** The certificate of a node or gateway on that host. */
  issue(host: string): NodeFiles | undefined {
    return this.authority?.issue({ host });
  }

  /** The arguments of an `erl` on that host. */
  erlArgs(host: string): readonly string[] {
    const files = this.issue(host);
    return files ? (this.authority?.erlArgs(files, { server: TLS_13, client: TLS_13 }) ?? []) : [];
  }

  remove(): void {
    this.authority?.remove();
  }
}
