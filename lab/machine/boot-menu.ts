// GRUB's menu and its editor on the serial console, worked as a person does: each key is pressed when the one before it shows on
// the screen. Keys that are sent at once get mixed up: under UEFI both the firmware and GRUB read the serial port, and whoever
// is first has the next byte.

import { HoldfastError } from '../../src/system/errors.ts';
import type { Machine } from './machine.ts';

/** On a busy host a redraw of the screen takes seconds. */
const KEY_TIMEOUT_MS = 60_000;
const ESCAPE = '\u001b';
/** Only stops the clock. */
const NOTHING = 'x';
const DOWN = '\u000e';
const END_OF_LINE = '\u0005';
const BOOT = '\u0018';
/** More than a menu has. */
const MOST_ENTRIES = 20;
/** The cursor's place, written by GRUB's own driver: the firmware's has two digits, and never shows the cursor. */
const CURSOR = new RegExp(`${ESCAPE}\\[([1-9]\\d*);([1-9]\\d*)H${ESCAPE}\\[\\?25h`);
/** The whole title: what the console has of it may end in the middle. */
const CHOSEN = new RegExp(`${ESCAPE}\\[[1-9];3H\\*([^${ESCAPE}]*)(?=${ESCAPE})`, 'g');

export class BootMenu {
  readonly #machine: Machine;
  #screen = '';
  #look: () => void = () => {};

  /** @param machine switched on with `bootMenu: 'keep'`, its menu not yet there. */
  constructor(machine: Machine) {
    this.#machine = machine;
    machine.onOutput((chunk) => {
      this.#screen = (this.#screen + chunk.toString('latin1')).slice(-(1 << 16));
      this.#look();
    });
  }

  /**
   * Waits for the menu and boots the entry whose title contains `title`.
   * @throws HoldfastError HF-COMMAND when there is none.
   */
  async choose(title: string): Promise<void> {
    await this.#open(NOTHING);
    let [, chosen = ''] = await this.#until(CHOSEN);
    for (let entry = 0; entry < MOST_ENTRIES; entry++) {
      if (chosen.includes(title)) {
        this.#machine.send('\r');
        return;
      }
      // Firmware and GRUB may both draw it: what still shows the entry before is no answer to this key.
      const before = chosen;
      this.#machine.send(DOWN);
      [, chosen = ''] = await this.#until(CHOSEN, ([, drawn = '']) => drawn.trim() !== before.trim());
    }
    throw new HoldfastError('HF-COMMAND', `the boot menu has no entry ${title}`);
  }

  /**
   * Waits for the menu and boots its first entry with words added to the line that begins with `command`, by `e` and Ctrl-X.
   * Returns when the kernel has said that it has them.
   */
  async bootWith(words: string, command = 'boot_image'): Promise<void> {
    await this.#open('e');
    const [, row = ''] = await this.#until(new RegExp(`${ESCAPE}\\[([1-9]\\d*);3H *${command}`));
    // The cursor is shown when all of it is drawn.
    let [, at = ''] = await this.#until(CURSOR);
    while (Number(at) < Number(row)) [, at = ''] = await this.#press(DOWN, CURSOR);
    for (const key of [END_OF_LINE, ' ', ...words]) await this.#press(key, CURSOR);
    this.#machine.send(BOOT);
    const [, commandLine = ''] = await this.#machine.waitFor(/Kernel command line: ([^\r\n]*)\r?\n/);
    if (!commandLine.includes(words)) {
      throw new HoldfastError(
        'HF-COMMAND',
        `typed at the boot menu: ${words}; the kernel was started with ${commandLine}`,
      );
    }
  }

  /** The first key waits in the port until the menu asks for one; so it comes before the menu's time is over. */
  async #open(key: string): Promise<void> {
    await this.#machine.waitFor('GNU GRUB');
    this.#machine.send(key);
  }

  /** Presses a key and waits for what GRUB draws then. */
  #press(key: string, drawn: RegExp): Promise<RegExpExecArray> {
    this.#screen = '';
    this.#machine.send(key);
    return this.#until(drawn);
  }

  /** @param accept says whether a match of an expression with `g` will do; what is before the one that does is forgotten. */
  #until(drawn: RegExp, accept: (match: RegExpExecArray) => boolean = () => true): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const late = () => {
        this.#look = () => {};
        const end = `the end of the console (all of it: ${this.#machine.logFile}):\n${this.#machine.consoleTail()}`;
        reject(new HoldfastError('HF-COMMAND', `the boot menu did not draw ${drawn} in time; ${end}`));
      };
      const timer = setTimeout(late, KEY_TIMEOUT_MS);
      this.#look = () => {
        drawn.lastIndex = 0;
        let match = drawn.exec(this.#screen);
        while (match !== null && !accept(match)) match = drawn.global ? drawn.exec(this.#screen) : null;
        if (match === null) return;
        clearTimeout(timer);
        this.#look = () => {};
        this.#screen = this.#screen.slice(match.index + match[0].length);
        resolve(match);
      };
      this.#look();
    });
  }
}
