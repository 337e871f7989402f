// Any sequence of users and entities: the files stay such that pwck(8) and grpck(8) can read each line, no line of
// anybody else is lost, and doing it again changes nothing.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runStage } from '../../../../src/stages/run.ts';
import { silent } from '../../../../src/system/events.ts';
import { Root } from '../../../../src/system/root.ts';
import { ACCOUNT_FILES, debianFiles } from './debian-root.ts';

const FIELDS = { passwd: 7, shadow: 9, group: 4, gshadow: 4 } as const;
const ODD = ['', '# a comment: with a colon', '+netgroup', '-enemy', 'no record at all'];

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-accounts-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const names = fc.constantFrom('a', 'b', 'bob', 'games', 'sudo', 'users', 'svc-1');
const anything = fc.oneof(
  fc.constantFrom('x', '*', '!', '', '$6$salt$hash', 'a:b', 'a\nroot2::0:0:::', '/home/x', 'now', '-1', '1000', '27'),
  fc.string({ maxLength: 8 }),
);
const number = fc.constantFrom(-1, 0, 5, 27, 1000, 1001);
const groups = fc.array(fc.oneof(names, anything), { maxLength: 3 });

// A plain password costs thousands of hashes each time; that they are kept is tested elsewhere.
const hashed = fc.constantFrom('*', '!', '', '$6$salt$hash', '$6$a:b$c');
const user = fc.record(
  {
    passwd: hashed,
    lock_passwd: fc.boolean(),
    uid: fc.oneof(anything, number.map(String)),
    gid: number.map(String),
    gecos: anything,
    homedir: anything,
    shell: anything,
    primary_group: fc.oneof(names, anything),
    groups,
    no_user_group: fc.boolean(),
    system: fc.boolean(),
  },
  { requiredKeys: [] },
);
const users = fc.dictionary(fc.oneof(names, anything), user, { maxKeys: 3 }).map((map) => ({
  users: Object.fromEntries(Object.entries(map).map(([name, value]) => [name, { ...value, no_create_home: true }])),
}));

const entity = fc.oneof(
  fc
    .record(
      { username: names, password: hashed, uid: number, gid: number, group: names, info: anything, homedir: anything },
      { requiredKeys: ['username'] },
    )
    .map((values) => ({ kind: 'user', ...values })),
  fc
    .record(
      { username: names, password: hashed, last_changed: anything, warn: anything, expire: anything },
      { requiredKeys: ['username'] },
    )
    .map((values) => ({ kind: 'shadow', ...values })),
  fc
    .record({ group_name: names, password: hashed, gid: number, users: anything }, { requiredKeys: ['group_name'] })
    .map((values) => ({ kind: 'group', ...values })),
  fc
    .record({ name: names, password: hashed, administrators: anything, members: anything }, { requiredKeys: ['name'] })
    .map((values) => ({ kind: 'gshadow', ...values })),
);
// Entities that want different things of one line would change it to and fro, as they are asked to.
const lineKey = (values: Record<string, unknown>) =>
  `${values['kind']} ${values['username'] ?? values['group_name'] ?? values['name']}`;
const ensured = fc.uniqueArray(entity, { maxLength: 3, selector: lineKey }).map((list) => ({
  ensure_entities: list.map((values) => ({ entity: JSON.stringify(values) })),
}));
const deleted = fc.array(entity, { maxLength: 2 }).map((list) => ({
  delete_entities: list.map((values) => ({ entity: JSON.stringify(values) })),
}));

function fresh(): Root {
  const root = new Root(directory);
  for (const [path, text] of Object.entries(debianFiles())) root.writeFile(`/${path}`, `${text}${ODD.join('\n')}\n`);
  return root;
}

function run(root: Root, steps: readonly object[]) {
  const text = JSON.stringify({ stages: { s: steps } });
  return runStage({ stage: 's', root, sources: [], documents: [{ name: 't', text }], events: silent });
}

const linesOf = (root: Root, file: string) => root.readText(`/etc/${file}`).split('\n').slice(0, -1);

/** Lines as far as they are nobody's to change: a group that a number names, such as `1`, gets members. */
const strangersOf = (root: Root, file: (typeof ACCOUNT_FILES)[number]) =>
  linesOf(root, file).map((line) => (FIELDS[file] === 4 && !ODD.includes(line) ? line.replace(/[^:]*$/, '') : line));

function checkReadable(root: Root): void {
  for (const file of ACCOUNT_FILES) {
    const records = linesOf(root, file).filter((line) => !ODD.includes(line));
    const seen = records.map((line) => line.split(':')[0]);
    expect(new Set(seen).size, `names in ${file}`).toBe(seen.length);
    for (const line of records) {
      const fields = line.split(':');
      expect(fields.length, line).toBe(FIELDS[file]);
      const numbers = { passwd: fields.slice(2, 4), group: fields.slice(2, 3), shadow: [], gshadow: [] }[file];
      for (const field of numbers) expect(field, line).toMatch(/^\d+$/);
      if (file === 'shadow') for (const field of fields.slice(2, 8)) expect(field, line).toMatch(/^\d*$/);
    }
  }
}

it('the files stay readable and keep what is not theirs', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(users, ensured, deleted), { maxLength: 4 }), async (steps) => {
      const root = fresh();
      const before = ACCOUNT_FILES.map((file) => strangersOf(root, file));
      await run(root, steps);
      checkReadable(root);
      const touched = /^(?:a|b|bob|games|sudo|users|svc-1|audio|root):/;
      for (const [index, file] of ACCOUNT_FILES.entries()) {
        const kept = (before[index] ?? []).filter((line) => !touched.test(line));
        const known = new Set(kept);
        expect(strangersOf(root, file).filter((line) => known.has(line))).toEqual(kept);
      }
      expect(root.list('/etc')).toEqual([...ACCOUNT_FILES].sort());
    }),
    { numRuns: 150 },
  );
});

const accountsOf = (root: Root) => ACCOUNT_FILES.map((file) => root.readText(`/etc/${file}`));

it('users, or one entity, change nothing the second time', { timeout: 60_000 }, async () => {
  const one = entity.map((values) => ({ ensure_entities: [{ entity: JSON.stringify(values) }] }));
  await fc.assert(
    fc.asyncProperty(fc.oneof(users, one), async (step) => {
      const root = fresh();
      await run(root, [step]);
      const once = accountsOf(root);
      const again = await run(root, [step]);
      expect(accountsOf(root)).toEqual(once);
      expect(again.steps[0]?.changedFiles ?? []).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

it('entities of different lines settle, also when one stands before what it needs', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(ensured, async (step) => {
      const root = fresh();
      await run(root, [step]);
      await run(root, [step]);
      const twice = accountsOf(root);
      const again = await run(root, [step]);
      expect(accountsOf(root)).toEqual(twice);
      expect(again.steps[0]?.changedFiles ?? []).toEqual([]);
    }),
    { numRuns: 100 },
  );
});
