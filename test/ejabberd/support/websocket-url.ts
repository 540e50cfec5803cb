/** Where tests of WebSocket connect to: the gateway, or with WEBSOCKET=own ejabberd's own, which shows what is its doing. */
import type { Instance } from '../../../scripts/support/instance.js';

export const OWN = process.env.WEBSOCKET === 'own';

export const webSocketUrl = ({ ejabberdWebSocketUrl, gatewayWebSocketUrl }: Instance): string =>
  OWN ? ejabberdWebSocketUrl : gatewayWebSocketUrl;
