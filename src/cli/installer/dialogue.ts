// The conversation as a state and what a typed line makes of it. Pure: whoever holds a terminal prints what is said here
// and hands in what is typed, so that every path through it can be tested without one.

import { formatBytes } from '../../lifecycle/sizes.ts';
import type { Answers, GivenAnswers, Machine } from './answers.ts';
import { contentWords } from './disk-choice.ts';
import { QUESTIONS, type Question, type QuestionId, shownKey } from './questions.ts';

export interface Dialogue {
  machine: Machine;
  given: GivenAnswers;
  /** `summary`: everything is answered, the last word is awaited. */
  at: QuestionId | 'summary' | 'install' | 'left';
}

/** What comes of a line. */
export interface Turn {
  dialogue: Dialogue;
  say: readonly string[];
}

export function begin(machine: Machine): Dialogue {
  return { machine, given: {}, at: QUESTIONS[0]?.id ?? 'summary' };
}

export const GREETING: readonly string[] = [
  'This installs the system on a disk of this machine.',
  'Every answer: ? explains, < goes back, quit leaves. Nothing is written before the end.',
];

/** What is to be shown before the next line is read. */
export function promptOf({ machine, given, at }: Dialogue): {
  intro: readonly string[];
  prompt: string;
  secret: boolean;
} {
  if (at === 'summary') {
    const intro = ['', 'That is what will be done:', ...summary(machine, given), ''];
    return { intro, prompt: `"erase" to erase ${given.disk} and install; a number changes an answer: `, secret: false };
  }
  const question = find(at);
  if (question === undefined) return { intro: [], prompt: '', secret: false };
  const initial = question.initial?.(machine, given);
  const shown = initial === undefined || initial === '' ? '' : ` [${initial}]`;
  return {
    intro: ['', ...(question.intro?.(machine, given) ?? [])],
    prompt: `${question.prompt}${shown}: `,
    secret: question.secret ?? false,
  };
}

/** What a typed line does. */
export function hear(dialogue: Dialogue, typed: string): Turn {
  const { machine, given, at } = dialogue;
  const question = find(at);
  // Blanks belong to a password.
  const line = question?.secret ? typed : typed.trim();
  if (line === '<') return { dialogue: { ...dialogue, at: previous(dialogue) }, say: [] };
  if (!question?.secret && /^(?:quit|exit)$/i.test(line)) return { dialogue: { ...dialogue, at: 'left' }, say: [] };
  if (question === undefined) return at === 'summary' ? hearSummary(dialogue, line) : { dialogue, say: [] };
  if (line === '?') return { dialogue, say: question.help };
  const initial = question.initial?.(machine, given);
  if (line === '' && initial === undefined && !question.secret) return { dialogue, say: ['An answer is needed here.'] };
  const heard = question.hear(line === '' ? (initial ?? '') : line, machine, given);
  if ('problem' in heard) {
    return { dialogue: { ...dialogue, at: heard.backTo ?? question.id }, say: [heard.problem] };
  }
  const merged = withoutStale({ ...given, ...heard.given }, question.id, given);
  const next: Dialogue = { ...dialogue, given: merged };
  return { dialogue: { ...next, at: heard.again ? question.id : following(next, question.id) }, say: heard.say ?? [] };
}

/** What an answer makes worthless: what was answered with another one in mind. */
function withoutStale(given: GivenAnswers, changed: QuestionId, before: GivenAnswers): GivenAnswers {
  switch (changed) {
    case 'password':
      return { ...given, passwordAgain: undefined };
    case 'address':
      return given.address === before.address ? given : { ...given, gateway: undefined };
    default:
      return given;
  }
}

function hearSummary(dialogue: Dialogue, line: string): Turn {
  if (line === 'erase') return { dialogue: { ...dialogue, at: 'install' }, say: [] };
  if (line === '?') {
    return { dialogue, say: ['Type erase to begin, the number of a line to change it, < to go back, quit to leave.'] };
  }
  const question = /^\d+$/.test(line) ? changeable(dialogue)[Number(line) - 1] : undefined;
  if (question !== undefined) return { dialogue: { ...dialogue, at: question.id }, say: [] };
  const why = /^(?:y|yes|erase)$/i.test(line)
    ? 'The word is "erase", in small letters.'
    : 'That is neither "erase" nor a number above.';
  return { dialogue, say: [`${why} Nothing was written.`] };
}

function find(id: Dialogue['at']): Question | undefined {
  return QUESTIONS.find((question) => question.id === id);
}

function applying({ machine, given }: Dialogue): Question[] {
  return QUESTIONS.filter((question) => question.applies?.(machine, given) ?? true);
}

const changeable = (dialogue: Dialogue) => applying(dialogue).filter(({ id }) => id !== 'passwordAgain');

/** The next question without an answer; the summary where there is none. */
function following(dialogue: Dialogue, id: QuestionId): Dialogue['at'] {
  const all = applying(dialogue);
  const position = all.findIndex((question) => question.id === id);
  // A key is asked for again where the password that stood in for it went away.
  const open = (question: Question) =>
    dialogue.given[question.id] === undefined ||
    (question.id === 'keys' && dialogue.given.password === '' && dialogue.given.keys?.length === 0);
  return (all.slice(position + 1).find(open) ?? all.find(open))?.id ?? 'summary';
}

function previous(dialogue: Dialogue): Dialogue['at'] {
  const all = changeable(dialogue);
  const { at } = dialogue;
  if (at === 'summary') return all.at(-1)?.id ?? at;
  const position = all.findIndex(({ id }) => id === (at === 'passwordAgain' ? 'keys' : at));
  return all[Math.max(0, position - 1)]?.id ?? at;
}

/** The answers, when all are there. */
export function finished({ given, at }: Dialogue): Answers | undefined {
  if (at !== 'install' && at !== 'summary') return undefined;
  const { disk, hostname, user, password, keys, end } = given;
  if (disk === undefined || hostname === undefined || user === undefined || password === undefined) return undefined;
  return {
    disk,
    hostname,
    user,
    password,
    passwordAgain: given.passwordAgain ?? '',
    keys: keys ?? [],
    network: given.network ?? 'dhcp',
    interface: given.interface ?? '',
    address: given.address ?? '',
    gateway: given.gateway ?? '',
    dns: given.dns ?? [],
    timezone: given.timezone ?? '',
    keymap: given.keymap ?? '',
    image: given.image ?? '',
    end: end ?? 'stay',
  };
}

const TITLES: Readonly<Record<QuestionId, string>> = {
  disk: 'disk',
  hostname: 'host name',
  user: 'user',
  password: 'password',
  passwordAgain: '',
  keys: 'SSH keys',
  network: 'network',
  interface: 'interface',
  address: 'address',
  gateway: 'gateway',
  dns: 'name servers',
  timezone: 'time zone',
  keymap: 'keyboard',
  image: 'system',
  end: 'at the end',
};

/** One numbered line for each answer. */
export function summary(machine: Machine, given: GivenAnswers): string[] {
  const lines = changeable({ machine, given, at: 'summary' });
  return lines.map(
    ({ id }, index) => `  ${String(index + 1).padStart(2)}  ${TITLES[id].padEnd(13)} ${shown(id, machine, given)}`,
  );
}

function shown(id: QuestionId, machine: Machine, given: GivenAnswers): string {
  switch (id) {
    case 'disk': {
      const disk = machine.disks.find(({ path }) => path === given.disk);
      if (disk === undefined) return '';
      return `${disk.path}, ${formatBytes(disk.sizeBytes)}, ${contentWords(disk.content)}: IT WILL BE ERASED`;
    }
    case 'password':
      return given.password === '' ? 'none' : 'set';
    case 'keys':
      return given.keys?.map(shownKey).join(', ') || 'none';
    case 'dns':
      return given.dns?.join(' ') || 'none';
    case 'gateway':
      return given.gateway || 'none';
    case 'image':
      return given.image || (machine.mediumSystem ?? '');
    default:
      return String(given[id] ?? '');
  }
}
