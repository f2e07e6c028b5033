/** The words that a schema has for the form of its values, in `.meta()`. */

export interface FormMeta {
  /** Default: the name of the member in words. */
  readonly label?: string
  /** A line below the field; default: the description. */
  readonly hint?: string
  readonly description?: string
  /** Id of the step of the form; the members of an object belong to its step. */
  readonly group?: string
  /** Rarely needed: folded as long as it has its default. */
  readonly advanced?: boolean
  /** The form does not take an empty text, although the schema does. */
  readonly needed?: boolean
  /**
   * The things that it names. The page has their ids and names, or they are looked up while a text is typed
   * (`GET /v4/lookup/{what}`).
   */
  readonly lookup?: string
  /** The things that it may name; the page suggests them, and any text is taken. */
  readonly suggest?: string
  /** In place of the control of its type; `none` leaves it to the JSON, or to a control of the page. */
  readonly control?:
    | 'area'
    | 'clock'
    | 'json'
    | 'line'
    | 'lines'
    | 'minutes'
    | 'names'
    | 'none'
    | 'operand'
    | 'source'
    | 'template'
    | 'time'
    | 'weekdays'
  /** Words for the values of an enumeration, or for those of a text that the form offers; '' = none of them. */
  readonly texts?: Readonly<Record<string, string>>
  /** It is stored encrypted and shown masked; of pairs, their values. */
  readonly secret?: boolean
  /** Members with a lower number stand before; default 0. */
  readonly order?: number
  /** The order of the items means something. */
  readonly ordered?: boolean
  /** Name of an item of a list. */
  readonly title?: string
  /** Members of a new item, or of a new definition, that differ from the defaults. */
  readonly start?: Readonly<Record<string, unknown>>
}

/** The members that mean nothing outside of forms. */
export const FORM_ONLY = [
  'label',
  'hint',
  'group',
  'advanced',
  'needed',
  'lookup',
  'suggest',
  'control',
  'texts',
  'secret',
  'order',
  'ordered',
  'start',
] as const satisfies readonly (keyof FormMeta)[]
