/** What the page is told, for the check of its types alone. */

type Known = number | null;
export type Figures = Readonly<Record<string, Known | undefined>>;
export type History = { readonly figures: Readonly<Record<string, readonly Known[]>> };

export interface NodeRow {
  readonly node: string;
  readonly in_service: boolean;
  readonly state: string;
  readonly reason: string;
  readonly mend: string;
  readonly takes_sessions: boolean;
  readonly sessions: number;
  readonly weight: number;
  readonly leaving: boolean;
  readonly link: {
    readonly wanted: number;
    readonly up: number;
    readonly tls: string;
    readonly bytes_in: number;
    readonly bytes_out: number;
    readonly queued_bytes: number;
  };
  readonly credit: number;
  readonly exhausted: number;
  readonly requests_on_the_way: number;
  readonly requests_waiting: number;
  readonly delay_p50: Known;
  readonly delay_p99: Known;
}

export interface WorkerRow {
  readonly name: string;
  readonly up: boolean;
  readonly pid: number;
  readonly restarts: number;
  readonly cpu: Known;
  readonly memory_bytes: Known;
  readonly event_loop_delay: Known;
}

export interface RouterRow {
  readonly node: string;
  readonly state: string;
  readonly wanted: number;
  readonly welcome: number;
}

export interface Comet {
  readonly listeners: Readonly<Record<string, number>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly ring: Readonly<Record<string, number>>;
  readonly routers: readonly RouterRow[];
}

export interface Warning {
  readonly at: number;
  readonly level: string;
  readonly text: string;
  readonly code?: string;
  readonly hint?: string;
  readonly worker?: string;
}

export interface Snapshot {
  readonly at: number;
  readonly gateway: {
    readonly node: string;
    readonly version: string;
    readonly state: string;
    readonly uptime_seconds: number;
    /** By what each is for: seconds since 1970. */
    readonly certificate_ends: Readonly<Record<string, number>>;
    readonly actions: boolean;
  };
  readonly figures: Figures;
  readonly nodes: readonly NodeRow[];
  readonly workers: readonly WorkerRow[];
  readonly comet?: Comet | undefined;
  readonly refused: Readonly<Record<string, number>>;
  readonly warnings: readonly Warning[];
}

export interface SessionRow {
  readonly id: string;
  readonly node: string;
  readonly user: string;
  readonly address: string;
  readonly transport: string;
  readonly state: string;
  readonly age_seconds: Known;
  readonly memory_bytes: Known;
  readonly held: Known;
}

export interface SessionsPage {
  readonly sessions: readonly SessionRow[];
  readonly next: string | null;
  readonly total: number;
}
