import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Console, stripEscapes } from '../../../lab/machine/console.ts';

const LONG = { timeoutMs: 10_000 };
const NOW = { timeoutMs: 0 };

function consoleWith(...texts: string[]): Console {
  const console = new Console('/logs/serial.log');
  for (const text of texts) console.feed(Buffer.from(text));
  return console;
}

describe('a console', () => {
  test('finds what is printed later, in pieces', async () => {
    const console = consoleWith('Boot');
    const wait = console.waitFor(/Booting (\S+)\n/, LONG);
    console.feed(Buffer.from('ing /cOS/act'));
    console.feed(Buffer.from('ive.img\n'));
    expect((await wait)[1]).toBe('/cOS/active.img');
  });

  test('never finds the same text twice', async () => {
    const console = consoleWith('login: \nlogin: \n');
    await console.waitFor('login:', NOW);
    await console.waitFor('login:', NOW);
    await expect(console.waitFor('login:', NOW)).rejects.toThrow('did not print');
  });

  test('takes a string as it is', async () => {
    await expect(consoleWith('a+b').waitFor('a+b', NOW)).resolves.toBeDefined();
    await expect(consoleWith('aab').waitFor('a+b', NOW)).rejects.toThrow();
  });

  test('says where the log is and shows the last 40 lines when the time is over', async () => {
    const lines = Array.from({ length: 50 }, (_, index) => `line ${index + 1}\n`);
    const error: unknown = await consoleWith(...lines)
      .waitFor('never', NOW)
      .catch((thrown: unknown) => thrown);
    expect(String(error)).toContain('did not print /never/ within 0 s');
    expect(String(error)).toContain('/logs/serial.log');
    expect(String(error)).toContain('\nline 11\n');
    expect(String(error)).not.toContain('\nline 10\n');
  });

  test('ends every wait when the machine does, now and later', async () => {
    const console = consoleWith('Power down\n');
    const wait = console.waitFor('login:', LONG);
    console.end('the machine is off');
    await expect(wait).rejects.toThrow('the machine is off');
    await expect(console.waitFor('login:', LONG)).rejects.toThrow('the machine is off');
    await expect(console.waitFor('Power down', LONG)).resolves.toBeDefined();
  });

  test('forgets at a restart what was printed before, and ends the waits that belong to the old boot', async () => {
    const console = consoleWith('login: ');
    const command = console.waitFor('result', { ...LONG, endsWithBoot: true });
    const login = console.waitFor(/login: $/, LONG);
    await login;
    const next = console.waitFor('login: ', LONG);
    console.feed(Buffer.from('old login?'));
    console.restart();
    await expect(command).rejects.toThrow('the machine restarted');
    console.feed(Buffer.from('login: '));
    await next;
  });

  test('returns what stands between two markers', async () => {
    const console = consoleWith('noise <<1:da');
    const frame = console.waitForFrame('<<1:', ':1>>', LONG);
    console.feed(Buffer.from('ta:1'));
    console.feed(Buffer.from('>> more'));
    expect(await frame).toBe('data');
    expect(console.unseen).toBe(' more');
  });

  test('returns nothing for a frame whose begin was lost', async () => {
    expect(await consoleWith('<[ 1.0] kernel<1:data:1>>').waitForFrame('<<1:', ':1>>', NOW)).toBe('');
  });

  test('drops old text in the long run but keeps finding the new', async () => {
    const console = consoleWith();
    for (let index = 0; index < 40; index++) {
      console.feed(Buffer.from(`${'x'.repeat(50_000)}<${index}>`));
      await console.waitFor(`<${index}>`, NOW);
    }
    expect(console.tail().length).toBeLessThan(1_100_000);
  });
});

describe('escape sequences', () => {
  test.each([
    ['\x1b[0;32m  OK  \x1b[0m done', '  OK   done'],
    ['\x1b[2J\x1b[01;01HGNU GRUB', 'GNU GRUB'],
    ['\x1b]0;title\x07# ', '# '],
    ['\x1b[?2004hroot@demo:~# ', 'root@demo:~# '],
    ['\x1b=\x1b(Bplain', 'plain'],
  ])('%j is the text %j', (raw, text) => {
    expect(stripEscapes(raw)).toEqual({ text, rest: '' });
  });

  test('are taken out wherever the stream is cut', () => {
    const raw = 'a\x1b[0;32mb\x1b]0;t\x07c\x1b(Bd\x1b[?25he';
    fc.assert(
      fc.property(fc.array(fc.nat(raw.length)), (cuts) => {
        const console = new Console('/log');
        const places = [0, ...cuts.sort((a, b) => a - b), raw.length];
        for (const [index, place] of places.slice(1).entries()) {
          console.feed(Buffer.from(raw.slice(places[index], place)));
        }
        expect(console.unseen).toBe('abcde');
      }),
    );
  });
});
