// What a single value may be, as data: the face that a shape shows to everything but decoding. The JSON Schema for
// editors, the types for authors, the checks of `validate` and the plan's expansion of templates all read it.

/** What a text is for. It decides what `validate` looks for and what editors offer. */
export type TextRole =
  /** Expanded as a Go template when the step runs. */
  | 'template'
  /** As `template`, and then a line for the shell. */
  | 'command'
  /** As `template`, and then a name. */
  | 'hostname'
  /** As `template`, and then the YAML of one line of passwd, shadow, group or gshadow. */
  | 'entity'
  /** A regular expression as Go has them. */
  | 'pattern'
  /** A regular expression that is searched in Go's name of the processor architecture. */
  | 'architecture'
  | 'service-manager'
  | 'encoding'
  | 'provider'
  | 'filesystem'
  | 'unit'
  | 'path'
  | 'url'
  | 'secret'
  /** The name of a stage. */
  | 'stage';

export type Leaf =
  | { readonly kind: 'text'; readonly role?: TextRole }
  /** Text, or bytes by the tag `!!binary`. */
  | { readonly kind: 'content' }
  | { readonly kind: 'number'; readonly min: number; readonly max: number }
  | { readonly kind: 'mode' }
  | { readonly kind: 'boolean' }
  /** A number; a name is understood too. */
  | { readonly kind: 'id' }
  /** `{name: …}`; the name alone is understood too. */
  | { readonly kind: 'step-name' };
