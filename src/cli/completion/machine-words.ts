// `holdfast complete TOPIC`: words that only this machine knows, for the completion scripts. A shell asks while a line is
// typed, so whatever goes wrong means no words and is never printed.

import type { Topic } from './values.ts';

const SOURCES: Readonly<Record<Topic, () => Promise<string[]>>> = {
  features: async () => {
    const { featurePlaces, listFeatures } = await import('../../lifecycle/features.ts');
    const { Root } = await import('../../system/root.ts');
    const root = new Root('/');
    return listFeatures(root, featurePlaces(root, process.env)).map(({ name }) => name);
  },
  packages: async () => (await requests()).flatMap((one) => (one.kind === 'package' ? [one.name] : [])),
  'kept-files': async () => (await requests()).flatMap((one) => (one.kind === 'file' ? [one.path] : [])),
  'kept-commands': async () => {
    const { requestId } = await import('../../owner/request.ts');
    return (await requests()).filter(({ kind }) => kind === 'command').map(requestId);
  },
  history: async () => {
    const { readRecord } = await import('../../record/record.ts');
    const { BOOTED_PARTITION } = await import('../../slots/names.ts');
    const { entries } = readRecord({ stateDirectory: BOOTED_PARTITION });
    return entries.slice(-MOST_ENTRIES).map(({ id }) => id);
  },
};

/** Of the record; a person chooses among the latest ones. */
const MOST_ENTRIES = 50;

/** What the owner of this machine keeps. */
async function requests() {
  const { listRequests } = await import('../../owner/owner-file.ts');
  const { readOwnerFile } = await import('../../owner/owner-place.ts');
  return listRequests(readOwnerFile());
}

/** Words for a topic; none for one that isn't known, or when they can't be found out. */
export async function machineWords(topic: string): Promise<string[]> {
  const source = Object.hasOwn(SOURCES, topic)
    ? Object.entries(SOURCES).find(([name]) => name === topic)?.[1]
    : undefined;
  try {
    return (await source?.()) ?? [];
  } catch {
    return [];
  }
}
