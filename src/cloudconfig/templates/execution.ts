// Executes a parsed template: what a block does with the dot and with variables, and what is printed.

import { type Budget, MAX_TEXT_BYTES } from './budget.ts';
import { Evaluation } from './evaluation.ts';
import type { CallContext, GoFunction } from './functions/function.ts';
import type { Node, Pipeline, Place, Template } from './language/nodes.ts';
import { formatValue } from './printing/values.ts';
import { Dict } from './values/dict.ts';
import { Integer, int } from './values/integer.ts';
import { List } from './values/list.ts';
import { isTrue } from './values/types.ts';
import type { Value } from './values/value.ts';

/** Templates that call each other. Go allows 100000; here each level takes a part of the program's stack. */
const MAX_CALLS = 200;

type BlockNode = Extract<Node, { body: readonly Node[] }>;

/** What makes a walk end before its list does. */
type Jump = 'break' | 'continue' | undefined;

export interface Output {
  /** Bytes. */
  text: string;
  /** The actions that printed `<no value>`, as they stand in the text. */
  withoutValue: readonly string[];
}

/** Executes a template. Throws TemplateError. */
export function execute(
  template: Template,
  source: string,
  data: Value,
  functions: ReadonlyMap<string, GoFunction>,
  context: CallContext,
): Output {
  return new Execution(template, source, functions, context).run(data);
}

class Execution {
  readonly #template: Template;
  readonly #source: string;
  readonly #evaluation: Evaluation;
  readonly #budget: Budget;
  readonly #withoutValue = new Set<string>();
  #text = '';
  #calls = 0;

  constructor(template: Template, source: string, functions: ReadonlyMap<string, GoFunction>, context: CallContext) {
    this.#template = template;
    this.#source = source;
    this.#evaluation = new Evaluation(source, functions, context);
    this.#budget = context.budget;
  }

  run(data: Value): Output {
    this.#evaluation.variables = [{ name: '$', value: data }];
    this.#walk(this.#template.root, data);
    return { text: this.#text, withoutValue: [...this.#withoutValue] };
  }

  #walk(nodes: readonly Node[], dot: Value): Jump {
    for (const node of nodes) {
      this.#evaluation.guard(node, () => this.#budget.step());
      const jump = this.#walkNode(node, dot);
      if (jump !== undefined) return jump;
    }
    return undefined;
  }

  #walkNode(node: Node, dot: Value): Jump {
    switch (node.kind) {
      case 'text':
        this.#write(node.bytes, node);
        return undefined;
      case 'action': {
        const value = this.#evaluation.pipeline(node.pipeline, dot);
        if (node.pipeline.variables.length === 0) this.#print(value, node);
        return undefined;
      }
      case 'if':
      case 'with': {
        const mark = this.#evaluation.variables.length;
        const value = this.#evaluation.pipeline(node.pipeline, dot);
        const holds = isTrue(value);
        const inner = holds && node.kind === 'with' ? value : dot;
        const jump = this.#walk(holds ? node.body : node.otherwise, inner);
        this.#evaluation.variables.length = mark;
        return jump;
      }
      case 'range': {
        const mark = this.#evaluation.variables.length;
        const jump = this.#range(node, dot);
        this.#evaluation.variables.length = mark;
        return jump;
      }
      case 'template':
        this.#callTemplate(node, dot);
        return undefined;
      default:
        return node.kind;
    }
  }

  #print(value: Value, node: Place): void {
    if (typeof value === 'string') this.#write(value, node);
    else if (value === undefined) {
      this.#withoutValue.add(this.#source.slice(node.start, node.end));
      this.#write('<no value>', node);
    } else {
      this.#write(
        this.#evaluation.guard(node, () => formatValue(value, this.#budget)),
        node,
      );
    }
  }

  #write(bytes: string, node: Place): void {
    if (this.#text.length + bytes.length > MAX_TEXT_BYTES) {
      throw this.#evaluation.error(node, `the result has more than ${MAX_TEXT_BYTES >> 20} MiB`);
    }
    this.#text += bytes;
  }

  #range(node: BlockNode, dot: Value): Jump {
    const { pipeline, body, otherwise } = node;
    const { variables, assigns } = pipeline;
    // The variables are pushed once and then get each item.
    const value = this.#evaluation.pipeline(pipeline, dot);
    const mark = this.#evaluation.variables.length;
    let found = false;
    for (const [key, item] of this.#itemsOf(value, pipeline)) {
      found = true;
      this.#evaluation.guard(node, () => this.#budget.step());
      const [first, second] = variables;
      const values = second === undefined ? [item] : [key, item];
      if (first !== undefined && assigns) {
        for (const [index, name] of variables.entries()) this.#evaluation.assign(name, values[index], pipeline);
      } else {
        for (const [index, variable] of this.#evaluation.variables.slice(mark - variables.length, mark).entries()) {
          variable.value = values[index];
        }
      }
      const jump = this.#walk(body, item);
      this.#evaluation.variables.length = mark;
      if (jump === 'break') break;
    }
    return found ? undefined : this.#walk(otherwise, dot);
  }

  /** What a range goes over, with the index or key of each. */
  #itemsOf(value: Value, pipeline: Pipeline): Iterable<readonly [Value, Value]> {
    if (value === undefined || value === null) return [];
    if (value instanceof List) return value.items.map((item, index) => [int(index), item] as const);
    if (value instanceof Dict) return value.entries;
    if (value instanceof Integer) {
      if (pipeline.variables.length > 1) {
        throw this.#evaluation.error(pipeline, `can't use ${value} to iterate over more than one variable`);
      }
      return countTo(value);
    }
    throw this.#evaluation.error(pipeline, `range can't iterate over ${this.#describe(value)}`);
  }

  #callTemplate(node: Extract<Node, { kind: 'template' }>, dot: Value): void {
    const body = this.#template.definitions.get(node.name);
    if (body === undefined) throw this.#evaluation.error(node, `template ${JSON.stringify(node.name)} not defined`);
    if (this.#calls >= MAX_CALLS) throw this.#evaluation.error(node, `exceeded maximum template depth (${MAX_CALLS})`);
    const inner = node.pipeline === undefined ? undefined : this.#evaluation.pipeline(node.pipeline, dot);
    // A template sees none of its caller's variables.
    const variables = this.#evaluation.variables;
    this.#evaluation.variables = [{ name: '$', value: inner }];
    this.#calls++;
    this.#walk(body, inner);
    this.#calls--;
    this.#evaluation.variables = variables;
  }

  #describe(value: Value): string {
    const text = formatValue(value, this.#budget);
    return text.length > 40 ? `${text.slice(0, 40)}…` : text;
  }
}

function* countTo(limit: Integer): Iterable<readonly [Value, Value]> {
  for (let value = 0n; value < limit.value; value++) {
    yield [undefined, new Integer(limit.type, value)];
  }
}
