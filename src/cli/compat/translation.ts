// What a foreign command line becomes: holdfast's own, and how its doings are told. Data, so that every row of the
// foreign manuals is one row of a test.

export interface LogOptions {
  /** Nothing on standard output. */
  quiet: boolean;
  debug: boolean;
  /** Lines are added to this file. */
  logfile: string | undefined;
}

/** Whose words a command speaks. */
export interface Voice {
  /** `elemental` has an exit status for each failure; the shell tools of cOS have 1, and sentences of their own. */
  tool: 'elemental' | 'shell';
  /** As the user named it. */
  name: string;
  action: 'install' | 'upgrade' | 'upgrade-recovery' | 'reset' | 'deploy' | 'other';
  /** Where the new system comes from, as the user named it. */
  source?: string;
  force?: boolean;
  /** The machine will not go on running. */
  power?: boolean;
}

export type Translation =
  | {
      kind: 'run';
      /** holdfast's command line. */
      args: readonly string[];
      /** Told before anything runs: what was asked for and is not done. */
      warnings: readonly string[];
      /** Hooks may fail where neither a setting nor the command line says that they must not. */
      lenient: boolean;
      /** Variables for this run. */
      environment: Readonly<Record<string, string>>;
      voice: Voice;
      log: LogOptions;
    }
  /** holdfast's own output; every failure is `failure`, or else its own status. */
  | { kind: 'plain'; args: readonly string[]; failure?: 1; environment?: Readonly<Record<string, string>> }
  /** A help text. */
  | { kind: 'text'; lines: readonly string[]; status: number };

export type Environment = Readonly<Record<string, string | undefined>>;
