/**
 * A gateway holds nothing that cannot be lost: killed in the middle of an exchange and started again,
 * it serves the same sessions, and no message is lost or doubled.
 */
import { after, before } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { chatWhileKilled } from './support/chat-while-killed.js';

let instance: Instance;
before(async () => {
  instance = await Instance.start();
});
after(() => instance.stop());

chatWhileKilled(
  'the gateway',
  () => instance,
  async () => {
    await instance.killGateway();
    await instance.startGateway();
  },
);
