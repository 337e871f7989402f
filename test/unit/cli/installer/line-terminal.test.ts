// Lines and passwords from what stands in for a terminal.

import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { edited, type Keyboard, LineTerminal } from '../../../../src/cli/installer/line-terminal.ts';

function open({ isTTY = true } = {}) {
  const raw: boolean[] = [];
  const printed: string[] = [];
  /** What was done to the terminal, in order. */
  const seen: string[] = [];
  const pipe = new PassThrough();
  const keyboard: Keyboard = Object.assign(pipe, {
    isTTY,
    setRawMode: (on: boolean) => {
      seen.push(on ? 'echo off' : 'echo on');
      raw.push(on);
    },
  });
  const terminal = new LineTerminal(keyboard, (text) => {
    seen.push(text);
    printed.push(text);
  });
  const abort = new AbortController();
  const ask = (secret = false) => terminal.ask('? ', { secret, signal: abort.signal });
  return { pipe, ask, raw, printed, seen, abort };
}

test('lines come one by one, however they arrive', async () => {
  const { pipe, ask } = open();
  pipe.write('on');
  const first = ask();
  pipe.write('e\r\ntwo\nth');
  expect(await first).toBe('one');
  expect(await ask()).toBe('two');
  const third = ask();
  pipe.end('ree');
  expect(await third).toBe('three');
  expect(await ask()).toBeUndefined();
});

test('a line of a file whose end arrives in pieces is one', async () => {
  const { pipe, ask } = open({ isTTY: false });
  const first = ask();
  pipe.write('one\r');
  await new Promise((resolve) => setImmediate(resolve));
  pipe.write('\ntwo\n');
  expect([await first, await ask()]).toEqual(['one', 'two']);
});

test('a character that arrives in pieces is one', async () => {
  const { pipe, ask } = open();
  const bytes = Buffer.from('wrackä\n');
  const line = ask();
  pipe.write(bytes.subarray(0, 6));
  pipe.write(bytes.subarray(6));
  expect(await line).toBe('wrackä');
});

describe('what must not be seen', () => {
  test('is read with the echo off, which is on again with the next question, and the line is ended', async () => {
    const { pipe, ask, raw, printed } = open();
    const secret = ask(true);
    expect(raw).toEqual([true]);
    pipe.write('pass');
    pipe.write('word\rnext\n');
    expect(await secret).toBe('password');
    expect(raw).toEqual([true]);
    expect(printed).toEqual(['? ', '\n']);
    expect(await ask()).toBe('next');
    expect(raw).toEqual([true, false]);
  });

  test('is not seen between two questions for it, and an answer typed too early is one all the same', async () => {
    const { pipe, ask, seen } = open();
    pipe.write('one\r');
    await ask(true);
    seen.push('they differ');
    pipe.write('two\rnext\r');
    expect([await ask(true), await ask()]).toEqual(['two', 'next']);
    expect(seen).toEqual(['echo off', '? ', '\n', 'they differ', '? ', '\n', 'echo on', '? ']);
  });

  test('Ctrl-C that was typed while the echo was off leaves at the next question', async () => {
    const { pipe, ask } = open();
    pipe.write('one\r\x03');
    expect([await ask(true), await ask()]).toEqual(['one', undefined]);
  });

  test('is not seen either when it is typed the moment the prompt is there', async () => {
    const { pipe, ask, seen } = open();
    pipe.write('password\r');
    await ask(true);
    expect(seen).toEqual(['echo off', '? ', '\n']);
  });

  test('a pasted line with both line ends is one line', async () => {
    const { pipe, ask } = open();
    pipe.write('one\r\ntwo\r\n');
    expect([await ask(true), await ask(true)]).toEqual(['one', 'two']);
  });

  test.each([['\x03'], ['half\x03'], ['\x04']])('%j leaves, and the echo is on again', async (keys) => {
    const { pipe, ask, raw } = open();
    pipe.write(keys);
    expect(await ask(true)).toBeUndefined();
    expect(raw).toEqual([true, false]);
  });

  test('a pipe has no echo to switch off', async () => {
    const { pipe, ask, raw } = open({ isTTY: false });
    pipe.write('password\n');
    expect(await ask(true)).toBe('password');
    expect(raw).toEqual([]);
  });

  test.each([
    ['passs\x7fword', 'password'],
    ['wrong\x15password', 'password'],
    ['\x7f\x7fa\bb', 'b'],
    ['ä\x7fö', 'ö'],
  ])('%j is edited to %j', (keys, line) => {
    expect(edited(keys)).toBe(line);
  });
});

test('an interruption ends the wait, before and while it lasts', async () => {
  const { ask, abort, raw } = open();
  const secret = ask(true);
  abort.abort();
  expect(await secret).toBeUndefined();
  expect(raw).toEqual([true, false]);
  expect(await ask()).toBeUndefined();
});
