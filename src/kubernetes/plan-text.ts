// Plans and their companions as text for `kubectl apply` or a repository: clean YAML in the order in which people read it, with a
// comment where a field needs one.

import { DUMP_SCHEMA, dump } from 'js-yaml';
import { formatControllerVersion, neededController } from './plan-controller.ts';
import { isPlan, type PlanDocument, planDocument } from './plan-document.ts';

export type KubernetesObject = PlanDocument | { apiVersion: string; kind: string; metadata: { name: string } };

/** One YAML document for each object. */
export function formatObjects(
  objects: readonly KubernetesObject[],
  { comments = true }: { comments?: boolean } = {},
): string {
  const documents = objects.map((object) => {
    const text = dump(object, { schema: DUMP_SCHEMA, lineWidth: -1, noRefs: true, quoteStyle: 'double' });
    return comments ? withComments(object, text) : text;
  });
  return documents.map((text) => `---\n${text}`).join('');
}

/** One object, or a List of several: what `kubectl apply -f` takes as JSON. */
export function formatJson(objects: readonly KubernetesObject[]): string {
  const [only, ...others] = objects;
  const value = others.length === 0 ? only : { apiVersion: 'v1', kind: 'List', items: objects };
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** By the line that they stand above: fields whose meaning isn't plain. */
const COMMENTS: readonly (readonly [line: RegExp, comment: string])[] = [
  [/^ {2}concurrency:/, 'Nodes at a time.'],
  [/^ {2}version:/, 'Change it to start a new round: nodes that are done stay as they are until then.'],
  [/^ {2}channel:/, 'Asked every 15 minutes; the last part of where it redirects to is the version.'],
  [/^ {2}window:/, 'Jobs begin in this time only; one that has begun goes on.'],
  [/^ {2}jobActiveDeadlineSecs:/, 'A job that takes longer fails, and the plan stops until it is changed.'],
  [/^ {2}prepare:/, 'Before the node is cordoned or drained.'],
  [
    /^ {4}upgrade\.cattle\.io\/digest: spec\.upgrade\.image$/,
    'The version alone doesn’t tell two builds apart: the image is hashed, too.',
  ],
];

function withComments(object: KubernetesObject, text: string): string {
  if (!isPlan(object)) return text;
  const lines = text.split('\n').flatMap((line) => {
    const comment = COMMENTS.find(([pattern]) => pattern.test(line))?.[1];
    return comment === undefined ? [line] : [`${/^ */.exec(line)?.[0] ?? ''}# ${comment}`, line];
  });
  const needed = neededController(planDocument.parse(object));
  const head =
    needed === undefined
      ? []
      : [
          `# Needs System Upgrade Controller ${formatControllerVersion(needed.version)} or later (${needed.because.join(', ')}).`,
        ];
  return [...head, ...lines].join('\n');
}
