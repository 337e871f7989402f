// The protocol with a guest, against real shells on this machine: a pipe stands for the serial console, with noise
// on it where a kernel would print.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { Console } from '../../../lab/machine/console.ts';
import { parseResult, putLines } from '../../../lab/machine/guest-commands.ts';
import { GuestShell } from '../../../lab/machine/guest-shell.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A shell with a prompt; `damage` may change what it prints on its way to us. */
async function guest(program: string, damage: (text: string) => string = (text) => text) {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-guest-'));
  const child: ChildProcess = spawn(program, ['-i'], {
    env: { ...process.env, PS1: '# ', ENV: '' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  cleanups.push(() => {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });
  const console = new Console('/log');
  const receive = (chunk: Buffer) => console.feed(Buffer.from(damage(chunk.toString('latin1')), 'latin1'));
  child.stdout?.on('data', receive);
  child.stderr?.on('data', receive);
  const shell = new GuestShell(console, (text) => child.stdin?.write(text), directory);
  console.feed(Buffer.from('demo login: root (automatic login)\nroot@demo:~# '));
  await shell.login(20_000);
  return { shell, directory };
}

describe.each(['dash', 'bash'])('a guest with %s', (program) => {
  test('runs commands and tells their streams and status apart', async () => {
    const { shell } = await guest(program);
    const result = await shell.run('echo out; echo err >&2; exit 3');
    expect(result.status).toBe(3);
    expect(result.stdout.toString()).toBe('out\n');
    expect(result.stderr.toString()).toBe('err\n');
  });

  test('runs scripts of several lines, with quotes and without standard input', async () => {
    const { shell } = await guest(program);
    const result = await shell.run(`for word in a 'b c'; do\n  echo "<$word>"\ndone\ncat\necho "it's over"`);
    expect(result.stdout.toString()).toBe("<a>\n<b c>\nit's over\n");
  });

  test('brings bytes through unharmed, both ways and in many pieces', async () => {
    const { shell, directory } = await guest(program);
    const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * 7919) % 256));
    const path = join(directory, "some where/it's");
    await shell.putFile(path, bytes, 0o640);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect((await shell.getFile(path)).equals(bytes)).toBe(true);
  });

  test('makes an empty file', async () => {
    const { shell, directory } = await guest(program);
    await shell.putFile(join(directory, 'empty'), Buffer.alloc(0), 0o644);
    expect((await shell.getFile(join(directory, 'empty'))).length).toBe(0);
  });

  test('asks again for a result that other output was printed into', async () => {
    // "12345" in base64.
    let damaged = 0;
    const { shell } = await guest(program, (text) =>
      text.includes('MTIzNDU=') && damaged++ < 3
        ? text.replace('MTIzNDU=', 'MTIz[   12.345678] kernel: hello\nNDU=')
        : text,
    );
    const result = await shell.run('printf %s 12345');
    expect(result.stdout.toString()).toBe('12345');
    expect(damaged).toBe(4);
  });

  test('runs one command at a time', async () => {
    const { shell } = await guest(program);
    const results = await Promise.all(['1', '2', '3'].map((word) => shell.run(`echo ${word}`)));
    expect(results.map(({ stdout }) => stdout.toString())).toEqual(['1\n', '2\n', '3\n']);
  });
});

describe('a printed result', () => {
  const good = (status: string, out: string, err: string) => {
    const sum = createHash('sha256').update(out).update(err).digest('hex');
    const encode = (text: string) => `${Buffer.from(text).toString('base64')}\n`;
    return `${status}\r\n${sum}  -\r\n${encode(out)}:\n${encode(err)}`;
  };

  test('is read as it was written', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.string(), fc.string(), (status, out, err) => {
        expect(parseResult(good(String(status), out, err))).toEqual({
          status,
          stdout: Buffer.from(out),
          stderr: Buffer.from(err),
        });
      }),
    );
  });

  test('is never read wrongly when something was printed into it', () => {
    const text = good('0', 'some output', 'some error');
    fc.assert(
      fc.property(fc.nat(text.length), fc.stringMatching(/^[ -~]{1,20}$/), (at, noise) => {
        const result = parseResult(text.slice(0, at) + noise + text.slice(at));
        // Spaces and line ends between base64 letters change nothing.
        if (result === 'damaged' || result === 'lost') return;
        expect(result.stdout.toString()).toBe('some output');
        expect(result.stderr.toString()).toBe('some error');
      }),
    );
  });

  test('says when the guest knows nothing of the command', () => {
    expect(parseResult(good('lost', '', ''))).toBe('lost');
  });
});

test('no line that is typed is longer than a terminal takes', () => {
  for (const { line } of putLines(123_456, Buffer.alloc(100_000))) expect(line.length).toBeLessThan(4000);
});
