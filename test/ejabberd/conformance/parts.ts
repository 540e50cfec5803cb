/** The parts of docs/conformance.md. */
import type { Instance } from '../../../scripts/support/instance.js';
import { boshCases } from './bosh-rows.js';
import type { Case } from './case.js';
import { rfc6455Cases } from './rfc6455-rows.js';
import { rfc7395Cases } from './rfc7395-rows.js';

export interface Part {
  readonly title: string;
  /** Where its cases are written. */
  readonly file: string;
  /** What the specification asks for, and who answers it beside the gateway. */
  readonly about: string;
  readonly cases: readonly Case[];
  readonly ours: (instance: Instance) => string;
  readonly own: (instance: Instance) => string;
}

const webSocket = {
  ours: ({ gatewayWebSocketUrl }: Instance): string => gatewayWebSocketUrl,
  own: ({ ejabberdWebSocketUrl }: Instance): string => ejabberdWebSocketUrl,
};

export const parts: readonly Part[] = [
  {
    title: 'BOSH',
    file: 'bosh-rows.ts',
    about:
      "XEP-0124 (version 1.11.2) and XEP-0206, and what users of connection managers hit in the field. ejabberd's own is `mod_bosh`.",
    cases: boshCases,
    ours: ({ gatewayUrl }) => gatewayUrl,
    own: ({ ejabberdUrl }) => ejabberdUrl,
  },
  {
    title: 'XMPP over WebSocket',
    file: 'rfc7395-rows.ts',
    about: "RFC 7395, and what clients do in the field. ejabberd's own is `ejabberd_http_ws`.",
    cases: rfc7395Cases,
    ...webSocket,
  },
  {
    title: 'WebSocket',
    file: 'rfc6455-rows.ts',
    about:
      "RFC 6455, as an XMPP client sees it. ejabberd's own is `ejabberd_websocket`. All cases of the Autobahn test suite that need an echo run against the gateway's codec, beside the package `ws`, in `make unit`.",
    cases: rfc6455Cases,
    ...webSocket,
  },
];
