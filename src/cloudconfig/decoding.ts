// The state of one decoding: where it is in the document, how many values it has cost, and the problems found. A
// rejected value is reported with its place and its path; the caller learns of it by counting.

import type { SourceLocation } from '../system/errors.ts';
import type { Leaf, TextRole } from './leaf.ts';
import { isAlias, isScalar, type Node, type YamlMap } from './nodes.ts';
import type { Problem, ProblemList } from './problem.ts';
import { isNull } from './scalar.ts';
import { aliasName, type Entries, LIMITS, scalarText, type YamlText } from './yamltext.ts';

/** Decodes a node to a value of type T. */
export interface Shape<T> {
  /** For messages: "a list", "a number". */
  readonly what: string;
  /** The value that an empty (null) node stands for. */
  readonly empty: () => T;
  /** undefined when the node was rejected and reported. */
  readonly decode: (node: Node, at: Decoding) => T | undefined;
  /** What it is made of. For those who walk the table: dot notation, the JSON schema, types, plans. */
  readonly form: Form;
}

export type Form =
  | Leaf
  | { readonly kind: 'list'; readonly of: Shape<unknown> }
  | { readonly kind: 'map'; readonly of: Shape<unknown> }
  | {
      readonly kind: 'struct';
      readonly fields: Readonly<Record<string, Shape<unknown>>>;
      /** Misspelling → field. */
      readonly aliases: Readonly<Record<string, string>>;
    };

/** Where a remark belongs: a place inside of the text that was looked at, counted from 1. */
export interface Remark {
  severity: Problem['severity'];
  message: string;
  hint?: string;
  line?: number;
  column?: number;
}

/** Looks closer at texts than running needs to, for people who write them. */
export type Examiner = (role: TextRole, text: string) => readonly Remark[];

interface Shared {
  yaml: YamlText;
  problems: ProblemList;
  examiner: Examiner | undefined;
  values: number;
  errors: number;
  lastAlias: Node | undefined;
}

export class Decoding {
  /** Where this is, as people write it: `files[0].permissions`. */
  readonly path: string;
  readonly stage: string | undefined;
  readonly #shared: Shared;

  private constructor(shared: Shared, path: string, stage: string | undefined) {
    this.#shared = shared;
    this.path = path;
    this.stage = stage;
  }

  static start(yaml: YamlText, problems: ProblemList, examiner?: Examiner): Decoding {
    return new Decoding({ yaml, problems, examiner, values: 0, errors: 0, lastAlias: undefined }, '', undefined);
  }

  get yaml(): YamlText {
    return this.#shared.yaml;
  }

  /** How many values have been rejected so far. */
  get errors(): number {
    return this.#shared.errors;
  }

  key(name: string): Decoding {
    return this.#at(this.path === '' ? name : `${this.path}.${name}`);
  }

  index(number: number): Decoding {
    return this.#at(`${this.path}[${number}]`);
  }

  inStage(stage: string): Decoding {
    return new Decoding(this.#shared, '', stage);
  }

  #at(path: string): Decoding {
    return new Decoding(this.#shared, path, this.stage);
  }

  reject(node: Node, message: string, hint?: string): undefined {
    this.#shared.errors += 1;
    this.#report('error', node, this.path === '' ? message : `${this.path}: ${message}`, hint);
  }

  warn(node: Node, message: string, hint?: string): void {
    this.#report('warning', node, this.path === '' ? message : `${this.path}: ${message}`, hint);
  }

  /** Has a text looked at closely, when somebody wants that. */
  examine(role: TextRole, node: Node, text: string): void {
    for (const { severity, message, hint, line, column } of this.#shared.examiner?.(role, text) ?? []) {
      const place = line === undefined ? undefined : this.yaml.locateInside(node, line, column ?? 1);
      this.#report(severity, node, this.path === '' ? message : `${this.path}: ${message}`, hint, place);
    }
  }

  #report(
    severity: Problem['severity'],
    node: Node,
    message: string,
    hint: string | undefined,
    place?: SourceLocation,
  ): void {
    this.#shared.problems.add({
      severity,
      message,
      ...(hint === undefined ? {} : { hint }),
      location: place ?? this.yaml.locateNode(node),
      ...(this.stage === undefined ? {} : { stage: this.stage }),
    });
  }

  /** The node behind an alias; undefined after reporting that there is none. */
  follow(node: Node): Node | undefined {
    // Every value passes here, so this is where the ones that aliases multiply are counted.
    this.#shared.values += 1;
    if (isAlias(node)) this.#shared.lastAlias = node;
    if (this.#shared.values > LIMITS.values) throw this.yaml.expansionError(this.#shared.lastAlias ?? node);
    const target = this.yaml.follow(node);
    if (target === undefined || isAlias(target)) {
      return this.reject(
        node,
        `there is no anchor for ${aliasName(node)} before this line`,
        'define it with &name first',
      );
    }
    return target;
  }

  /** Decodes a node, which may be missing, null or an alias. */
  value<T>(shape: Shape<T>, node: Node | null): T | undefined {
    if (node === null) return shape.empty();
    const target = this.follow(node);
    if (target === undefined) return undefined;
    if (isScalar(target) && isNull(scalarText(target))) return shape.empty();
    return shape.decode(target, this);
  }

  /** Whether a node is there and isn't null. */
  isGiven(node: Node | null): node is Node {
    if (node === null) return false;
    const target = this.yaml.follow(node);
    return !(target !== undefined && isScalar(target) && isNull(scalarText(target)));
  }

  entries(map: YamlMap): Entries {
    return this.yaml.entries(map, (node, message, oddHint) => {
      if (oddHint === undefined) this.reject(node, message);
      else this.warn(node, message, oddHint);
    });
  }
}
