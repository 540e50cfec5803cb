/**
 * Where the connections of a process come from. All of 127.0.0.0/8 is this machine's, so each process has four
 * addresses of its own, made of its id, and hands out their ports itself: left to the kernel, an address has only the
 * ephemeral ones, some 28,000 (ip_local_port_range).
 */

export interface Source {
  readonly localAddress: string;
  readonly localPort: number;
}

const FIRST_PORT = 1_024;
const PORTS = 65_536 - FIRST_PORT;
/** 22 bits of a process id (PID_MAX_LIMIT of Linux) and two for the address fill the 24 of the network. */
const ADDRESSES = 4;

export class SourcePorts {
  readonly #pid: number;
  readonly #taken = new Uint8Array(ADDRESSES * PORTS);
  #next = 0;

  constructor(pid = process.pid) {
    this.#pid = pid;
  }

  /**
   * The one that was given back longest ago: the kernel keeps a closed connection's for a while (TIME_WAIT).
   * @throws Error where all are taken
   */
  take(): Source {
    for (let tries = 0; tries < this.#taken.length; tries += 1) {
      const index = this.#next;
      this.#next = (index + 1) % this.#taken.length;
      if (this.#taken[index] === 0) {
        this.#taken[index] = 1;
        return this.#source(index);
      }
    }
    throw new Error(`this process has ${this.#taken.length} connections, more than ports`);
  }

  giveBack({ localAddress, localPort }: Source): void {
    const which = Number(localAddress.slice(localAddress.lastIndexOf('.') + 1)) % ADDRESSES;
    this.#taken[which * PORTS + localPort - FIRST_PORT] = 0;
  }

  #source(index: number): Source {
    const host = this.#pid * ADDRESSES + Math.floor(index / PORTS);
    const localAddress = `127.${(host >> 16) & 255}.${(host >> 8) & 255}.${host & 255}`;
    return { localAddress, localPort: FIRST_PORT + (index % PORTS) };
  }
}
