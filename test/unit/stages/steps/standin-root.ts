// A root whose programs are shell scripts that keep what they were called with: package managers of systems that this
// machine isn't. They are run as they are, without chroot, so that no test needs root.

import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunOptions, type RunResult, run } from '../../../../src/system/process.ts';
import { Root } from '../../../../src/system/root.ts';
import { put, temporaryRoot } from '../temporary-root.ts';

export class StandInRoot extends Root {
  override run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
    const [program, ...args] = argv;
    const env = { PATH: '/usr/bin:/bin', ROOT: this.directory, ...options.env };
    return run([join(this.directory, 'usr/bin', program), ...args], { ...options, env });
  }

  /** Adds a program; `body` is what it does after its call was kept. */
  program(name: string, body = ''): void {
    const script = `#!/bin/sh\n{ printf '%s' ${name}; for a; do printf ' [%s]' "$a"; done; echo; } >>"$ROOT/calls"\n${body}\n`;
    put(this.directory, `usr/bin/${name}`, script);
    chmodSync(join(this.directory, 'usr/bin', name), 0o755);
  }

  /** Each call since the last question: the program, and each argument in brackets. */
  calls(): string[] {
    const file = join(this.directory, 'calls');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
    put(this.directory, 'calls', '');
    return lines.filter((line) => line !== '');
  }
}

/** A system with this os-release and these programs. */
export function standInRoot(osRelease: string, programs: Readonly<Record<string, string>>): StandInRoot {
  const root = new StandInRoot(temporaryRoot({ 'etc/os-release': osRelease }).directory);
  for (const [name, body] of Object.entries(programs)) root.program(name, body);
  return root;
}
